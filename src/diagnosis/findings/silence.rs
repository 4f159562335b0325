//! Ports, service tags and hosts without any answer, while similar ones answer: a missing rule.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{phrases, remaining};
use crate::{
    address,
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        outcome::Outcome,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, is_needed},
    },
    model::{Basis, Cause, FindingKind, Stage},
    probe::trace::Attempt,
    text::words::{count, distinct},
};

/// A reply after this time answers a retransmitted SYN (RFC 6298 §2: after 1 s).
const REPEATED: Duration = Duration::from_millis(900);

/// Ports on which no host answers, while hosts answer on others: the port is the cause. Ports that fail for the same
/// dependencies are one finding.
pub(super) const PORTS: FindingRule = FindingRule {
    kind: FindingKind::Silence,
    claims: EndpointMatcher::Groups(by_port),
    describe,
};

/// Service tags of which no host answers on these ports, while hosts of other tags answer: the rule for the tag is
/// missing.
pub(super) const TAGS: FindingRule = FindingRule {
    kind: FindingKind::Silence,
    claims: EndpointMatcher::Groups(by_tag),
    describe,
};

/// The remaining rows without a reply, by dependency.
pub(super) const REMAINING: FindingRule = FindingRule {
    kind: FindingKind::Silence,
    claims: EndpointMatcher::Groups(|view, rows| remaining::of(view, rows, FindingKind::Silence)),
    describe: |view, group| {
        let explanation = remaining::describe(view, group, "gets no reply");
        // If one host among many does not answer, its service may be at fault.
        let lone = phrases::hosts(&group.rows).len() == 1 && remaining::working(view, &group.rows) > 0;
        let grounds = grounds(view, &group.rows);
        Explanation {
            grounds: if lone {
                grounds.open("others of the same dependency answer on the port, so only this host may be affected")
            } else {
                grounds
            },
            ..explanation
        }
    },
};

/// Whether it was tried over TCP, so that it can be evidence about a port.
fn is_probed(row: &ProbedEndpoint<'_>) -> bool {
    row.is_tcp()
        && row.tested_server().is_none()
        && row.judgement.outcomes.iter().any(|outcome| outcome.stage > Stage::Dns)
}

fn is_dropped(row: &ProbedEndpoint<'_>) -> bool {
    row.cause() == Some(Cause::TcpTimeout) && row.tested_server().is_none()
}

fn by_port<'a>(view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>> {
    let dropped: Vec<ProbedEndpoint<'a>> = unexplained.iter().filter(|row| is_dropped(row)).copied().collect();
    let mut ports: Vec<u16> = dropped.iter().map(|row| row.endpoint.port).collect();
    ports.sort_unstable();
    ports.dedup();
    let mut groups: Vec<Vec<ProbedEndpoint<'a>>> = Vec::new();
    for port in ports.into_iter().filter(|port| is_about_the_port(view, *port)) {
        let rows: Vec<ProbedEndpoint<'a>> = dropped
            .iter()
            .filter(|row| row.endpoint.port == port)
            .copied()
            .collect();
        let whose = phrases::dependencies(&rows);
        match groups.iter_mut().find(|known| phrases::dependencies(known) == whose) {
            Some(known) => known.extend(rows),
            None => groups.push(rows),
        }
    }
    let in_order = |mut rows: Vec<ProbedEndpoint<'a>>| {
        rows.sort_by_key(|row| row.index);
        FindingGroup::new(phrases::port_scope(&rows), rows)
    };
    groups.into_iter().map(in_order).collect()
}

/// Whether no host answers on this port, while hosts of the same kind answer on another. A port that only these hosts
/// use is evidence enough, unless it is a common one.
fn is_about_the_port(view: &RunView<'_>, port: u16) -> bool {
    let (on_it, elsewhere): (Vec<&ProbedEndpoint<'_>>, Vec<&ProbedEndpoint<'_>>) = view
        .rows
        .iter()
        .filter(|row| is_probed(row))
        .partition(|row| row.endpoint.port == port);
    let is_similar = |other: &&&ProbedEndpoint<'_>| {
        on_it
            .iter()
            .any(|row| row.endpoint.host == other.endpoint.host || (!row.tag().is_empty() && row.tag() == other.tag()))
    };
    let proves_itself = |row: &&ProbedEndpoint<'_>| row.judgement.verdict.is_proved();
    let mut similar_rows = elsewhere.iter().filter(is_similar).peekable();
    let tells = if similar_rows.peek().is_some() {
        similar_rows.any(proves_itself)
    } else {
        !matches!(port, 80 | 443) || elsewhere.iter().any(proves_itself)
    };
    tells && on_it.iter().all(|row| row.is_silent())
}

fn by_tag<'a>(view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>> {
    let tried = |row: &ProbedEndpoint<'a>| {
        let similar = |other: &&ProbedEndpoint<'_>| {
            other.tag() == row.tag() && other.endpoint.port == row.endpoint.port && is_probed(other)
        };
        view.rows.iter().filter(similar).copied().collect::<Vec<_>>()
    };
    let is_whole = |row: &ProbedEndpoint<'a>| tried(row).iter().all(ProbedEndpoint::is_silent);
    FindingGroup::by(unexplained, |row| {
        let named = is_dropped(row) && !row.tag().is_empty();
        (named && is_whole(row)).then(|| format!("tag-{}", phrases::kebab(row.tag())))
    })
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let ports = phrases::ports(rows);
    let tags = distinct(rows.iter().map(ProbedEndpoint::tag));
    let title = match (phrases::titles(rows).as_slice(), tags.as_slice()) {
        ([one], _) => format!("{one}: {ports} gets no reply (dropped)"),
        (_, [tag]) if group.scope.starts_with("tag-") => format!(
            "{ports} to the tag {tag} gets no reply (dropped), {}",
            phrases::host_count(rows)
        ),
        _ => format!("{ports} gets no reply (dropped), {}", phrases::host_count(rows)),
    };
    Explanation {
        title,
        grounds: grounds(view, rows),
        suspects: Cause::TcpTimeout.suspects().to_vec(),
        fix: fix::allow(rows, view),
        impact: None,
    }
}

/// What shows that packets are dropped, and not lost once. One unanswered packet is not evidence of a rule.
fn grounds(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Grounds {
    let over_tcp = rows.iter().all(ProbedEndpoint::is_tcp);
    let tries: usize = rows.iter().map(ProbedEndpoint::unanswered).sum();
    let basis = if tries > 1 { Basis::Pattern } else { Basis::Ambiguous };
    let seen = if over_tcp {
        vec![phrases::silence(rows)]
    } else {
        phrases::examples(rows)
    };
    similar_hosts(view, rows)
        .all(EvidenceWeight::Supports(basis), seen)
        .all(EvidenceWeight::Notes, contrast(view, rows))
}

/// What else in this run would look like a rule that drops.
pub(super) fn similar_hosts(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Grounds {
    let mut grounds = Grounds::default();
    if rows.iter().any(ProbedEndpoint::is_tcp)
        && let Some(host) = view.controls.lost_after().or_else(|| answered_and_silent(view))
    {
        grounds = grounds.against(phrases::lost(host));
    } else if rows.iter().any(ProbedEndpoint::is_tcp)
        && let Some(open) = unanswered_since(view, rows)
    {
        grounds = grounds.open(open);
    }
    let is_similar = |other: &&ProbedEndpoint<'_>| {
        rows.iter().any(|row| {
            row.endpoint.port == other.endpoint.port
                || row.endpoint.dependency == other.endpoint.dependency
                || (!row.tag().is_empty() && row.tag() == other.tag())
        })
    };
    let mut refused = view
        .rows
        .iter()
        .filter(is_similar)
        .filter_map(ProbedEndpoint::refusal_on_the_way);
    if let Some(sender) = refused.find_map(|error| error.sender.filter(|_| !view.is_own(error))) {
        grounds = grounds.open(format!(
            "{sender} refuses similar connections, and routers rate-limit ICMP errors: it may be the same rule"
        ));
    } else if let Some(sender) = limits_its_errors(view) {
        grounds = grounds.open(format!(
            "{sender} refuses other connections, but does not answer every packet: it rate-limits its ICMP errors, so \
             it may be the same device"
        ));
    }
    grounds
}

/// That new connections may have been lost regardless of their destination: others were made besides those to these
/// rows, and none that began after one of these first got no reply was answered. If that one uses a port of a NAT, only
/// an answer to another that does counts.
fn unanswered_since(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Option<&'static str> {
    let is_other = |row: &&ProbedEndpoint<'_>| !rows.iter().any(|own| own.index == row.index);
    let is_tried = |row: &ProbedEndpoint<'_>| row.trace.is_some() && row.tested_server().is_none();
    if !view.needed().filter(is_other).any(is_tried) {
        return None;
    }
    let takes_port = |attempt: &Attempt| address::uses_snat_port(attempt.address.ip());
    let late = view.controls.late.iter().map(|late| &late.attempt);
    let attempts = view.rows.iter().flat_map(ProbedEndpoint::attempts).chain(late);
    let answered: Vec<&Attempt> = attempts.filter(|attempt| attempt.is_answered()).collect();
    rows.iter().filter(|row| is_needed(row)).find_map(|row| {
        let silent = || row.attempts().iter().filter(|attempt| attempt.is_silent());
        let since = silent().map(|attempt| attempt.started).min()?;
        let through_nat = silent().any(takes_port);
        let tells = |other: &&Attempt| other.started >= since && (takes_port(other) || !through_nat);
        (!answered.iter().any(tells)).then_some(if through_nat {
            "no later connection to a public IPv4 address was answered, so new connections may be lost regardless of their destination (SNAT port exhaustion, a link that went down)"
        } else {
            "no later connection was answered, so new connections may be lost regardless of their destination (a link that went down)"
        })
    })
}

/// A router that refuses others with ICMP errors, and left some of their packets without one.
fn limits_its_errors(view: &RunView<'_>) -> Option<IpAddr> {
    view.rows.iter().find_map(|row| {
        let error = row.refusal_on_the_way().filter(|error| !view.is_own(error))?;
        let came_late = row.icmp().any(|(_, after)| after >= REPEATED);
        let mut outcomes = row.judgement.outcomes.iter();
        let is_silent = |outcome: &Outcome| outcome.tcp == Some(Err(Cause::TcpTimeout));
        error.sender.filter(|_| came_late || outcomes.any(is_silent))
    })
}

/// A host that refused one connection and did not answer another, at the same address: no rule does both.
fn answered_and_silent<'a>(view: &RunView<'a>) -> Option<&'a str> {
    let ended = |row: &ProbedEndpoint<'_>, address: SocketAddr, cause: Cause| {
        let mut outcomes = row.judgement.outcomes.iter();
        outcomes.any(|outcome| outcome.address == address && outcome.tcp == Some(Err(cause)))
    };
    let does_both = |row: &&ProbedEndpoint<'_>| {
        let addresses = row.judgement.addresses();
        let both = |address| ended(row, address, Cause::TcpRefused) && ended(row, address, Cause::TcpTimeout);
        addresses.into_iter().any(both)
    };
    let row = view.rows.iter().find(does_both)?;
    Some(&row.endpoint.host)
}

/// What answers where these rows get no reply: by host, by tag, by port.
fn contrast(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Vec<String> {
    let ports: Vec<u16> = rows.iter().map(|row| row.endpoint.port).collect();
    let elsewhere = |other: &&ProbedEndpoint<'_>| {
        other.is_tcp() && other.tested_server().is_none() && !ports.contains(&other.endpoint.port)
    };
    let on_port = |other: &&ProbedEndpoint<'_>| {
        other.is_tcp() && ports.contains(&other.endpoint.port) && other.tested_server().is_none()
    };
    let mut sentences = Vec::new();
    let same_host = view
        .proved()
        .filter(elsewhere)
        .find(|other| rows.iter().any(|row| row.endpoint.host == other.endpoint.host));
    if let Some(other) = same_host {
        sentences.push(format!(
            "{} answers on TCP {}, so only this port is affected",
            other.endpoint.host, other.endpoint.port
        ));
    }
    let same_port = phrases::hosts(view.proved().filter(on_port)).len();
    let tags = distinct(rows.iter().map(ProbedEndpoint::tag));
    let same_tag = phrases::hosts(view.proved().filter(on_port).filter(|row| tags.contains(&row.tag()))).len();
    let are_own = rows.iter().all(|row| row.endpoint.of_instance.is_some());
    if are_own {
        // Backends share neither tag nor owner.
    } else if same_tag > 0 {
        sentences.push(format!(
            "{} of the same service tag answer on the same port",
            count(same_tag, "other host")
        ));
    } else if same_port > 0 {
        sentences.push(format!(
            "{} of other service tags answer on the same port",
            count(same_port, "host")
        ));
    } else if let Some(port) = busiest_port(view.proved().filter(elsewhere)).filter(|_| same_host.is_none()) {
        let hosts = phrases::hosts(view.proved().filter(elsewhere).filter(|row| row.endpoint.port == port)).len();
        sentences.push(format!("TCP {port} works to {}", count(hosts, "host")));
    }
    sentences
}

/// The port on which most endpoints are verified.
fn busiest_port<'a>(rows: impl Iterator<Item = &'a ProbedEndpoint<'a>>) -> Option<u16> {
    let mut counts: Vec<(u16, usize)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(port, _)| *port == row.endpoint.port) {
            Some((_, number)) => *number += 1,
            None => counts.push((row.endpoint.port, 1)),
        }
    }
    counts
        .into_iter()
        .max_by_key(|(_, number)| *number)
        .map(|(port, _)| port)
}
