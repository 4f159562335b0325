//! Names that resolve to addresses which cannot be right, and names that do not exist according to the name server.

use std::net::IpAddr;

use super::{phrases, platform, remaining};
use crate::{
    address,
    azure::PLATFORM,
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::words::{count, list},
};

/// If this many dependencies are affected, missing names are a policy, not a mistake.
const MIN_DEPENDENCIES: usize = 3;

/// Names that resolve to one impossible address: a DNS filter, or a record that was left behind.
pub(super) const SINKHOLE: FindingRule = FindingRule {
    kind: FindingKind::Sinkhole,
    claims: EndpointMatcher::Each(|_, row| resolved_to(row, Cause::DnsSinkhole).map(|address| address.to_string())),
    describe: sinkhole,
};

/// Names that resolve to one private address without a private link, where nothing is verified: an override for a
/// proxy, or an old endpoint.
pub(super) const PRIVATE_ADDRESS: FindingRule = FindingRule {
    kind: FindingKind::PrivateAddress,
    claims: EndpointMatcher::Each(|_, row| {
        resolved_to(row, Cause::DnsPrivateAddress).map(|address| address.to_string())
    }),
    describe: private_address,
};

/// NXDOMAIN from one server for several dependencies: a filter, or a zone of its own. Fewer are left to the narrower
/// rule.
pub(super) const POLICY: FindingRule = FindingRule {
    kind: FindingKind::NamePolicy,
    claims: EndpointMatcher::Each(|_, row| {
        let server = row
            .deciding_server()
            .filter(|_| row.cause() == Some(Cause::DnsNxdomain))?;
        Some(format!("names-of-{}", server.ip()))
    }),
    describe: policy,
};

/// The remaining names that do not exist or have no address.
pub(super) const REMAINING: FindingRule = FindingRule {
    kind: FindingKind::MissingName,
    claims: EndpointMatcher::Groups(|view, rows| remaining::of(view, rows, FindingKind::MissingName)),
    describe: missing,
};

/// The address that decided the verdict of a row blocked for this cause.
fn resolved_to(row: &ProbedEndpoint<'_>, cause: Cause) -> Option<IpAddr> {
    let outcomes = &row.judgement.outcomes;
    let outcome = outcomes.get(row.judgement.decisive.unwrap_or(0))?;
    (row.cause() == Some(cause)).then(|| outcome.address.ip())
}

/// `Azure SQL: the name resolves`, `7 names resolve`.
fn who(rows: &[ProbedEndpoint<'_>]) -> String {
    match phrases::hosts(rows)[..] {
        [_] => format!("{}: the name resolves", phrases::leader(rows)),
        ref many => format!("{} resolve", count(many.len(), "name")),
    }
}

fn sinkhole<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let address = &group.scope;
    let parsed: Option<IpAddr> = address.parse().ok();
    let who = who(&group.rows);
    let (title, grounds) = match parsed.and_then(address::filter_at) {
        Some(filter) => (
            format!("{who} to {address}, the sinkhole of {filter}"),
            Grounds::default().proof(format!("{filter} answers with this address for names that it blocks")),
        ),
        None if parsed.is_some_and(address::is_impossible) => (
            format!("{who} to {address}, which cannot be correct"),
            Grounds::default().proof("no Azure service can have this address"),
        ),
        None => (
            format!("{who} to {address}, where no service was verified"),
            Grounds::default()
                .pattern("no single service has all of these names: a DNS filter answers with one address for everything that it blocks"),
        ),
    };
    let hosts = phrases::hosts(&group.rows);
    Explanation {
        title,
        grounds: grounds.all(EvidenceWeight::Notes, phrases::examples(&group.rows)),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone, Suspect::LocalHost],
        fix: Fix::new(format!(
            "Exempt this subnet's queries for {} from the DNS filter, or remove their records on the name server, in a \
             private zone or in a hosts file.",
            list(&hosts, 2)
        ))
        .look(ask(&group.rows)),
        impact: None,
    }
}

fn private_address<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let hosts = phrases::hosts(&group.rows);
    Explanation {
        title: format!("{} to {}, where no service was verified", who(&group.rows), group.scope),
        grounds: Grounds::default()
            .pattern(
                "no privatelink alias leads there, as it would for a private endpoint, unless a name server omits the \
                 alias",
            )
            .all(EvidenceWeight::Notes, phrases::examples(&group.rows)),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone, Suspect::LocalHost],
        fix: Fix::new(format!(
            "Remove the record for {} on the name server, in a private zone or in a hosts file; or, if it is meant to \
             be a private endpoint, check that it exists.",
            list(&hosts, 2)
        ))
        .look(ask(&group.rows)),
        impact: None,
    }
}

/// Queries the server that decided again.
fn ask(rows: &[ProbedEndpoint<'_>]) -> Option<String> {
    rows.first()
        .map(|row| fix::dig(row.deciding_server(), &row.endpoint.host))
}

fn policy<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows).len();
    let server = rows
        .first()
        .and_then(ProbedEndpoint::deciding_server)
        .map(|server| server.ip());
    let name = server.map_or_else(|| "the name server".into(), |server| server.to_string());
    let mut grounds = Grounds::default().all(EvidenceWeight::Supports(Basis::Pattern), phrases::examples(rows));
    if phrases::dependencies(rows).len() < MIN_DEPENDENCIES {
        grounds = grounds.refuted("too few dependencies for a policy");
    }
    let fix = if server == Some(PLATFORM) {
        Fix::new(
            "Look for a private DNS zone linked to the network that hides these names, and for a DNS security policy that \
             blocks them.",
        )
        .look(["az network private-dns zone list -o table"])
    } else {
        Fix::new(format!(
            "Have {name} forward these names: a DNS filter denies them, or one of its own zones hides them."
        ))
    };
    Explanation {
        title: format!(
            "{} of {} do not exist according to {name}",
            count(hosts, "name"),
            phrases::subject(rows)
        ),
        grounds: platform::of_names(view, rows, grounds),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone],
        fix: fix.look(ask(rows)),
        impact: None,
    }
}

fn missing<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let explanation = remaining::describe(view, group, "names do not resolve");
    Explanation {
        grounds: platform::of_names(view, &group.rows, explanation.grounds),
        fix: explanation.fix.look(
            group
                .rows
                .first()
                .map(|row| fix::dig(row.deciding_server(), &row.endpoint.host)),
        ),
        ..explanation
    }
}
