//! What works, but with a defect. These rules claim nothing from others: the endpoints work.

use std::net::SocketAddr;

use super::phrases;
use crate::{
    azure::PLATFORM,
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        outcome::{AttemptVerdict, Outcome},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect, Verdict},
    text::words::{count, distinct},
};

/// Some addresses of a name fail: the instance uses them in turn, and fails intermittently.
pub(super) const SOME_ADDRESSES: FindingRule = FindingRule {
    kind: FindingKind::SomeAddresses,
    claims: EndpointMatcher::Groups(|view, _| {
        by_dependency(view, |row| {
            row.judgement.cause.is_some() && row.judgement.outcomes.iter().any(is_failure)
        })
    }),
    describe: some_addresses,
};

/// A conversation was cut after a verified handshake, or the certificate is one that the instance only probably knows.
pub(super) const LATE_CUT: FindingRule = FindingRule {
    kind: FindingKind::LateCut,
    claims: EndpointMatcher::Groups(|view, _| {
        by_dependency(view, |row| {
            row.judgement.cause.is_some() && !row.judgement.outcomes.iter().any(is_failure)
        })
    }),
    describe: late_cut,
};

/// Name servers give different kinds of answers for a name, and each of them passes its own test: otherwise that test
/// is the finding.
pub(super) const DNS_DIFFERS: FindingRule = FindingRule {
    kind: FindingKind::DnsDiffers,
    claims: EndpointMatcher::Groups(|view, _| {
        let unexpected = view.rows.iter().filter(|row| row.is_unexpected());
        let failing: Vec<SocketAddr> = unexpected.filter_map(ProbedEndpoint::tested_server).collect();
        let differ = |row: &&ProbedEndpoint<'_>| {
            is_degraded(row) && row.judgement.cause.is_none() && !row.servers().any(|server| failing.contains(&server))
        };
        FindingGroup::unless_empty("name-servers", view.rows.iter().filter(differ).copied().collect())
    }),
    describe: servers_differ,
};

fn is_degraded(row: &ProbedEndpoint<'_>) -> bool {
    row.judgement.verdict == Verdict::Degraded && should_work(row)
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, AttemptVerdict::Failed(_))
}

fn by_dependency<'a>(view: &RunView<'a>, test: impl Fn(&ProbedEndpoint<'a>) -> bool) -> Vec<FindingGroup<'a>> {
    // If connections to one address differ, or full-size packets are lost, that is the finding.
    let is_elsewhere = |row: &ProbedEndpoint<'a>| view.is_divided(row) || row.judgement.cause == Some(Cause::PathMtu);
    FindingGroup::by(&view.rows, |row| {
        (is_degraded(row) && !is_elsewhere(row) && test(row)).then(|| row.endpoint.dependency.clone())
    })
}

fn some_addresses<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let addresses = |test: fn(&Outcome) -> bool| {
        let all: Vec<String> = rows
            .iter()
            .flat_map(|row| &row.judgement.outcomes)
            .filter(|outcome| !outcome.control && test(outcome))
            .map(|o| o.address.ip().to_string())
            .collect();
        distinct(all.iter().map(String::as_str)).len()
    };
    let (failing, all) = (addresses(is_failure), addresses(|_| true));
    let fail = if failing == 1 { "fails" } else { "fail" };
    let cause = rows.first().and_then(|row| row.judgement.cause);
    let headline = cause.map_or_else(String::new, |cause| phrases::headline(rows, cause));
    Explanation {
        title: format!(
            "{}: {failing} of {all} addresses {fail}, {headline}",
            phrases::subject(rows)
        ),
        grounds: Grounds::default().all(EvidenceWeight::Supports(Basis::Ambiguous), phrases::examples(rows)),
        suspects: cause.map_or_else(Vec::new, |cause| cause.suspects().to_vec()),
        fix: cause.map_or_else(Fix::default, |cause| fix::advise(cause, rows, view)),
        impact: None,
    }
}

fn late_cut<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    // A private CA of Microsoft's with an internal name is only a hint.
    let is_a_private_ca = rows.iter().all(|row| row.judgement.cause == Some(Cause::TlsUntrusted));
    let weight = if is_a_private_ca {
        EvidenceWeight::Notes
    } else {
        EvidenceWeight::Supports(Basis::Ambiguous)
    };
    Explanation {
        title: format!(
            "{}: {} works, but with an anomaly",
            phrases::subject(rows),
            phrases::ports(rows)
        ),
        grounds: Grounds::default().all(weight, phrases::examples(rows)),
        suspects: vec![Suspect::Nva, Suspect::Service],
        fix: Fix::new(
            "Check whether a device on the path ends connections that it has let through; the service itself is verified.",
        ),
        impact: None,
    }
}

fn servers_differ<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    // The platform's own server has no forwarders.
    let fix = if view.plan.name_servers.iter().any(|server| server.ip() == PLATFORM) {
        "Make the other name servers of the virtual network forward to 168.63.129.16, or list only those that do."
    } else {
        "Make every name server of the virtual network forward to the same place, or list only those that do."
    };
    let first = rows.first().map(|row| row.judgement.detail.clone());
    Explanation {
        title: format!(
            "Name servers give different answers for {}",
            count(phrases::hosts(rows).len(), "name")
        ),
        grounds: Grounds::default()
            .all(EvidenceWeight::Supports(Basis::Ambiguous), first)
            .note("a resolver uses one or the other, so the instance fails intermittently"),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone],
        fix: Fix::new(fix).look(["az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers"]),
        impact: None,
    }
}
