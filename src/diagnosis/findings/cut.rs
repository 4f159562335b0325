//! Connections that are accepted and then cut: because of the host name, or by an unknown device.

use std::cmp::Reverse;

use super::{phrases, remaining};
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        traceroute,
        view::{NameTest, ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Stage, Suspect},
    text::words::{self, count, distinct, list},
};

/// On 80 and 443 an Azure Firewall accepts every connection itself and decides by the name in the `ClientHello` or the
/// `Host` header, so a missing application rule shows as a cut right after it. How it cuts is not documented, so reset,
/// close, silence and alert are one class. A control that was cut with another name as well shows that it is not the name.
pub(super) const NAME_FILTER: FindingRule = FindingRule {
    kind: FindingKind::NameFilter,
    claims: EndpointMatcher::Groups(by_name),
    describe: filtered,
};

/// The remaining cut connections: nothing shows whether the service or a device on the path cut them.
pub(super) const REMAINING: FindingRule = FindingRule {
    kind: FindingKind::Cut,
    claims: EndpointMatcher::Groups(|view, rows| remaining::of(view, rows, FindingKind::Cut)),
    describe: cut,
};

/// Whether a TCP connection was accepted, and cut before the service had been verified.
pub(super) fn is_cut(row: &ProbedEndpoint<'_>) -> bool {
    row.is_tcp() && row.tested_server().is_none() && row.cause().is_some_and(Cause::is_cut)
}

/// Cut rows for which a control shows that a filter matches the name, and separately those without a control on ports
/// where others pass: a service may fail at the same time as a filter blocks others. A row whose control clears the
/// filter belongs to neither; nor does a row without a control whose `ClientHello` was answered.
fn by_name<'a>(view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>> {
    let lets_through = |row: &ProbedEndpoint<'a>| matches!(view.name_test(row), Some(NameTest::LetsThrough(_)));
    let passes = |port: u16| view.proved().any(|other| other.is_web() && other.endpoint.port == port);
    let may_be = |row: &&ProbedEndpoint<'a>| {
        row.is_web()
            && is_cut(row)
            && match view.name_test(row) {
                Some(NameTest::LetsThrough(_)) => true,
                Some(NameTest::CutsAsWell(_) | NameTest::LetsBothThrough(_)) => false,
                None => passes(row.endpoint.port) && !row.was_greeted(),
            }
    };
    let rows: Vec<ProbedEndpoint<'a>> = unexplained.iter().filter(may_be).copied().collect();
    let is_shown = rows.iter().any(lets_through);
    FindingGroup::by(&rows, |row| {
        Some(
            if lets_through(row) || !is_shown {
                "names"
            } else {
                "others"
            }
            .into(),
        )
    })
}

fn filtered<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let ports = phrases::ports(rows);
    let hosts = phrases::hosts(rows).len();
    let described = rows
        .iter()
        .filter(|row| matches!(view.name_test(row), Some(NameTest::LetsThrough(_))))
        .count();
    let ways = ways(rows);
    let title = match (phrases::titles(rows).as_slice(), ways.as_slice()) {
        ([one], [("answered with an alert", _)]) => {
            format!("{one}: {ports} answers the {} with an alert", last(rows))
        }
        ([one], [(way, _)]) => format!("{one}: {ports} is accepted, then {way} right after the {}", last(rows)),
        ([one], _) => format!("{one}: {ports} is accepted, then cut right after the {}", last(rows)),
        _ if described > 0 => format!("{ports} to {} is accepted, then cut by host name", count(hosts, "host")),
        _ => format!(
            "{ports} to {} is accepted, then cut, while other hosts work",
            count(hosts, "host")
        ),
    };
    let passes = phrases::hosts(
        view.proved()
            .filter(|row| row.is_web() && rows.iter().any(|cut| cut.endpoint.port == row.endpoint.port)),
    )
    .len();
    let mut grounds = Grounds::default().sign(seen(rows));
    if let Some(control) = control(view, rows, true) {
        grounds = grounds.proof(control);
    } else {
        grounds = grounds.open("no other name was tried at these addresses, so the filter may not match host names");
    }
    if passes > 0 {
        grounds = grounds.note(format!("{} on {ports}", phrases::others_get_through(passes)));
    }
    grounds = grounds.note(phrases::middlebox(view, rows).unwrap_or_else(|| {
        "the TCP connection itself is accepted, so a plain port test shows the port as \
                open"
            .into()
    }));
    Explanation {
        title,
        grounds,
        suspects: vec![Suspect::FirewallApplicationRule, Suspect::Nva, Suspect::Proxy],
        fix: fix::allow_by_name(rows, view),
        impact: None,
    }
}

fn cut<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let explanation = remaining::describe(view, group, "is accepted, then cut");
    let control = control(view, rows, false);
    let is_not_the_name = control.is_some();
    let mut grounds = Grounds::default()
        .all(EvidenceWeight::Supports(Basis::Ambiguous), control)
        .all(EvidenceWeight::Supports(Basis::Ambiguous), phrases::examples(rows));
    if rows
        .iter()
        .any(|row| view.controls.unused.contains_key(&row.endpoint.port))
        && phrases::middlebox(view, rows).is_none()
    {
        grounds = grounds.note(
            "192.0.2.1 (reserved, unused) does not accept on this port, so no middlebox answers for every address",
        );
    }
    let mut suspects = explanation.suspects;
    if is_not_the_name {
        suspects.insert(0, Suspect::Service);
    } else if !suspects.contains(&Suspect::Service) {
        suspects.push(Suspect::Service);
    }
    suspects.dedup();
    let is_on_the_way = traceroute::evidence::reading(view, rows).is_some_and(|way| way.cut_on_the_way().is_some());
    if !is_on_the_way {
        grounds = grounds.open("nothing shows whether the service or a device on the path cuts it");
    }
    Explanation {
        grounds,
        fix: Fix::new(format!(
            "Search the log of any firewall on the path for {} at this time. If it denies this traffic, allow it; if \
             not, the service itself is failing.",
            list(&phrases::hosts(rows), 2)
        ))
        .look(
            rows.first()
                .filter(|row| row.endpoint.protocol.speaks_tls())
                .map(fix::show_issuer),
        ),
        suspects,
        ..explanation
    }
}

/// What controls with another name at the same address showed: that the other name gets through, or that it does not
/// either.
pub(super) fn control(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>], through: bool) -> Option<String> {
    rows.iter().find_map(|row| {
        let host = &row.endpoint.host;
        let at = row.decisive()?.address;
        let at = view
            .controls
            .of_name(host, at.port())
            .map_or(at, |control| control.attempt.address);
        match view.name_test(row)? {
            NameTest::LetsThrough(name) if through => Some(format!(
                "at {at}, a connection with the name {name} gets through, but one with {host} right afterwards does not"
            )),
            NameTest::CutsAsWell(name) if !through => Some(format!(
                "{at} cuts {name} as well as {host}, so the filter does not match host names"
            )),
            _ => None,
        }
    })
}

/// How hosts were cut, the most frequent way first.
fn ways(rows: &[ProbedEndpoint<'_>]) -> Vec<(&'static str, usize)> {
    let word = |row: &ProbedEndpoint<'_>| match row.cause() {
        Some(Cause::TlsReset | Cause::HelloReset) => "reset",
        Some(Cause::TlsClosed | Cause::HelloClosed) => "closed",
        Some(Cause::TlsAlert) => "answered with an alert",
        _ => "left without a reply",
    };
    let mut ways: Vec<(&'static str, usize)> = distinct(rows.iter().map(word))
        .into_iter()
        .map(|way| (way, phrases::hosts(rows.iter().filter(|row| word(row) == way)).len()))
        .collect();
    ways.sort_by_key(|(_, hosts)| Reverse(*hosts));
    ways
}

/// The last message before the cut on these ports: the first one that is sent, unless it was answered.
fn last(rows: &[ProbedEndpoint<'_>]) -> &'static str {
    let in_tls = |row: &ProbedEndpoint<'_>| matches!(row.cause().map(Cause::stage), Some(Some(Stage::Tls)));
    let greeted = rows.iter().filter(|row| in_tls(row) && row.was_greeted()).count();
    match (greeted, rows.iter().all(in_tls)) {
        (_, false) => "request",
        (0, true) => "ClientHello",
        (greeted, true) if greeted == rows.len() => "certificate",
        (_, true) => "handshake",
    }
}

/// What was sent, how it was cut, and after how long.
pub(super) fn seen(rows: &[ProbedEndpoint<'_>]) -> String {
    let ways = ways(rows);
    let times = rows.iter().filter_map(ProbedEndpoint::decisive).filter_map(|attempt| {
        let tls = attempt.tls.as_ref().map(|tls| tls.duration);
        tls.or(attempt.hello.as_ref().map(|hello| hello.duration))
            .or(attempt.prelude.as_ref().map(|hello| hello.duration))
    });
    let after = phrases::range(times).map_or_else(String::new, |(first, last)| {
        match (words::duration(first), words::duration(last)) {
            (first, last) if first == last => format!(" ({last})"),
            (first, last) => format!(" ({first} to {last})"),
        }
    });
    let last = match last(rows) {
        "certificate" => "its certificate".into(),
        sent => format!("our {sent}"),
    };
    let parts: Vec<String> = match (phrases::hosts(rows).as_slice(), ways.as_slice()) {
        ([host], [(way, _)]) => vec![format!("{host} is {way}")],
        (_, [(way, hosts)]) => vec![format!("{} are {way}", count(*hosts, "host"))],
        (_, ways) => ways.iter().map(|(way, hosts)| format!("{hosts} {way}")).collect(),
    };
    let parts = list(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 4);
    format!("{parts} right after {last}{after}")
}
