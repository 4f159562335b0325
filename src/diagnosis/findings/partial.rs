//! What works, with something wrong beside.

use std::net::SocketAddr;

use super::{
    draft::{Draft, Severity, What},
    flows, say,
};
use crate::{
    diagnosis::{
        fix,
        outcome::{Outcome, Standing},
        view::{Pool, Row, RunView, should_work},
    },
    model::{Cause, Confidence, Fix, Suspect, Verdict},
    text::words::{count, distinct},
};

/// Degraded rows. They are nobody's to explain away, so none is taken from the pool:
/// - some addresses of a name fail: the instance takes turns among them, and fails now and then;
/// - a conversation was cut after a verified handshake;
/// - name servers differ in kind about a name, and each of them passes its own test: otherwise that is the finding.
pub fn recognise<'a>(view: &RunView<'a>, _: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let mut groups: Vec<(Option<Cause>, &str, Vec<Row<'a>>)> = Vec::new();
    let degraded = view
        .rows
        .iter()
        .filter(|row| row.judgement.verdict == Verdict::Degraded && should_work(row));
    let failing: Vec<SocketAddr> = view
        .rows
        .iter()
        .filter(|row| row.is_amiss())
        .filter_map(Row::tested_server)
        .collect();
    for row in degraded {
        if flows::claims(view, row) {
            continue;
        }
        let cause = row.judgement.cause;
        if cause.is_none() && row.servers().any(|server| failing.contains(&server)) {
            continue;
        }
        // A difference between name servers is about them, not about a dependency.
        let whose = if cause.is_some() {
            row.endpoint.dependency.as_str()
        } else {
            ""
        };
        match groups.iter_mut().find(|(known, of, _)| (*known, *of) == (cause, whose)) {
            Some((_, _, rows)) => rows.push(*row),
            None => groups.push((cause, whose, vec![*row])),
        }
    }
    let draft = |(cause, _, rows): (Option<Cause>, &str, Vec<Row<'a>>)| match cause {
        None => servers_differ(rows),
        Some(cause) if rows.iter().any(|row| row.judgement.outcomes.iter().any(is_failure)) => {
            some_addresses(view, cause, rows)
        }
        Some(cause) => shaken(cause, rows),
    };
    groups.into_iter().map(draft).collect()
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome.standing, Standing::Failed(_))
}

fn some_addresses<'a>(view: &RunView<'a>, cause: Cause, rows: Vec<Row<'a>>) -> Draft<'a> {
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
    Draft {
        impact: None,
        severity: Severity::Degradation,
        what: What::Cause(cause),
        scope: format!("{}-addresses", say::scope(&rows, "some")),
        title: format!(
            "{}: {failing} of {all} addresses fail, {}",
            say::subject(&rows),
            cause.headline(&say::ports(&rows))
        ),
        confidence: Confidence::Medium,
        evidence: say::examples(&rows),
        suspects: cause.suspects().to_vec(),
        fix: fix::allow(&rows, view),
        rows,
    }
}

/// A private CA of Microsoft's behind an internal name is no more than a hint.
fn shaken(cause: Cause, rows: Vec<Row<'_>>) -> Draft<'_> {
    Draft {
        impact: None,
        severity: Severity::Degradation,
        what: What::Cause(cause),
        scope: format!("{}-shaken", say::scope(&rows, "some")),
        title: format!(
            "{}: {} works, with something odd",
            say::subject(&rows),
            say::ports(&rows)
        ),
        confidence: if cause == Cause::TlsUntrusted {
            Confidence::Low
        } else {
            Confidence::Medium
        },
        evidence: say::examples(&rows),
        suspects: vec![Suspect::Nva, Suspect::Service],
        fix: Fix::new(
            "See whether a device on the way ends connections that it has let through; the service itself has proved itself.",
        ),
        rows,
    }
}

fn servers_differ(rows: Vec<Row<'_>>) -> Draft<'_> {
    let hosts = say::hosts(&rows).len();
    let first = rows.first().map(|row| row.judgement.detail.clone());
    Draft {
        impact: None,
        severity: Severity::Degradation,
        what: What::Word("dns-differs"),
        scope: "name-servers".into(),
        title: format!("Name servers differ about {}", count(hosts, "name")),
        confidence: Confidence::Medium,
        evidence: first
            .into_iter()
            .chain(["a resolver asks one or the other, so the instance fails now and then".into()])
            .collect(),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone],
        fix: Fix::new(
            "Make every name server of the virtual network forward to the same place, or list only those that do.",
        )
        .look(["az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers"]),
        rows,
    }
}
