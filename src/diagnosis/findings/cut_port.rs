//! Ports on which every connection is accepted and then cut: a device answers for every address and lets nothing
//! through.

use super::{cut, phrases};
use crate::{
    diagnosis::{
        attempt,
        context::Context,
        fix,
        grounds::{EvidenceWeight, Grounds},
        outcome::Outcome,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FailureMode, FindingKind, Suspect},
    text::words::count,
};

/// Services of this many dependencies do not all fail at once.
const MIN_DEPENDENCIES: usize = 3;

/// Connections are accepted, then cut before the service sends anything, and nothing on the port is verified or
/// presents a certificate. An Azure Firewall accepts 80, 443 and 1433 for any address, and every port that any
/// application rule names. The control shows it: 192.0.2.1 (reserved, unused) accepts as well. Without the control,
/// several dependencies on the port must be affected.
///
/// Ports other than 80 and 443 do not carry HTTP, so the fix is a network rule: an https application rule is what makes
/// the firewall accept and then fail.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::CutPort,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        let cut: Vec<ProbedEndpoint<'_>> = unexplained.iter().filter(|row| cut::is_cut(row)).copied().collect();
        let passes = |port: u16| {
            let on_port = |row: &ProbedEndpoint<'_>| row.is_tcp() && row.endpoint.port == port;
            // Connections with small segments get through where those with full ones do not.
            let in_small = |row: &ProbedEndpoint<'_>| row.cause() == Some(Cause::PathMtu);
            view.controls.passes_for_other_name(port)
                || view.proved().any(on_port)
                || view
                    .rows
                    .iter()
                    .any(|row| on_port(row) && (in_small(row) || row.was_greeted()))
        };
        let closed: Vec<ProbedEndpoint<'_>> = cut.into_iter().filter(|row| !passes(row.endpoint.port)).collect();
        let is_shown = |row: &ProbedEndpoint<'_>| view.controls.intercepts(row.endpoint.port);
        let (shown, others): (Vec<ProbedEndpoint<'_>>, Vec<ProbedEndpoint<'_>>) =
            closed.iter().partition(|row| is_shown(row));
        let mut groups = FindingGroup::unless_empty(phrases::port_scope(&shown), shown);
        groups.extend(FindingGroup::by(&others, |row| Some(phrases::port_scope(&[*row]))));
        groups
    }),
    describe,
};

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let ports = phrases::ports(rows);
    let dependencies = phrases::dependencies(rows).len();
    let several = dependencies >= MIN_DEPENDENCIES;
    let mut grounds = Grounds::default();
    if let Some(control) = cut::control(view, rows, false) {
        grounds = grounds.sign(control);
    }
    let what = format!("{}, and nothing on {ports} gets through", cut::seen(rows));
    grounds.add(if several { PATTERN } else { EvidenceWeight::Notes }, what);
    // The device that accepts for any address may not be the one that cuts: it may forward everything to services that
    // fail.
    grounds = match (phrases::middlebox(view, rows), unused_end(view, rows)) {
        (None, _) if !several => grounds.refuted("nothing shows what cuts the connections"),
        (None, _) => grounds,
        (Some(accepted), UnusedEnd::CutInTheSameWay) if several => grounds.proof(accepted),
        (Some(accepted), UnusedEnd::CutInTheSameWay) => {
            grounds.pattern(format!("{accepted}, and cuts the connection in the same way"))
        }
        (Some(accepted), UnusedEnd::Silent) if several => grounds.proof(accepted),
        (Some(accepted), UnusedEnd::Silent) => grounds
            .sign(accepted)
            .open("the service itself, behind the device that accepts, could be failing"),
        (Some(_), UnusedEnd::Otherwise) if !several => {
            grounds.refuted("the device that accepts does not cut connections to the unused address")
        }
        (Some(accepted), UnusedEnd::Otherwise) => {
            grounds.against(format!("{accepted}, but does not cut those connections in this way"))
        }
    };
    let unreached = phrases::hosts(view.rows.iter().filter(|row| was_never_accepted(row, rows))).len();
    if unreached > 0 {
        let were = if unreached == 1 { "was" } else { "were" };
        grounds = grounds.carried(format!(
            "{} on {ports} {were} never reached, so the rule may not cover everything",
            count(unreached, "other host")
        ));
    }
    let web = rows.iter().filter(|row| row.is_web()).count();
    let is_shown = phrases::middlebox(view, rows).is_some();
    let usual_behaviour = match rows.iter().any(|row| row.endpoint.port == 1433) {
        _ if !is_shown => "the TCP connection itself is accepted, so a plain port test shows the port as open",
        true => "an Azure Firewall accepts TCP 1433 to any address, regardless of its rules",
        false if web == rows.len() => {
            "the TCP connection itself is accepted, so a plain port test shows the port as \
            open"
        }
        false => "an Azure Firewall accepts a port to any address once any application rule uses that port",
    };
    let title = match (phrases::titles(rows).as_slice(), shared_cause(rows)) {
        ([one], Some(cause)) => format!("{one}: {}", phrases::headline(rows, cause)),
        ([one], None) => format!("{one}: {ports} is accepted, then cut"),
        _ => format!(
            "A firewall cuts all traffic on {ports}, {}",
            count(phrases::hosts(rows).len(), "host")
        ),
    };
    Explanation {
        title,
        grounds: grounds.note(usual_behaviour),
        suspects: if web == rows.len() {
            vec![Suspect::FirewallApplicationRule, Suspect::Nva, Suspect::Proxy]
        } else {
            vec![
                Suspect::FirewallNetworkRule,
                Suspect::FirewallApplicationRule,
                Suspect::Nva,
            ]
        },
        fix: fix::through_firewall(rows, view),
        impact: None,
    }
}

/// Whether it goes to the port of these rows, and was never cut because it did not get that far.
fn was_never_accepted(row: &ProbedEndpoint<'_>, cut: &[ProbedEndpoint<'_>]) -> bool {
    let on_port = cut.iter().any(|other| other.endpoint.port == row.endpoint.port);
    let accepted = |outcome: &Outcome| outcome.tcp == Some(Ok(()));
    on_port && row.is_tcp() && row.trace.is_some() && !row.judgement.outcomes.iter().any(accepted)
}

/// An observation that little else explains.
const PATTERN: EvidenceWeight = EvidenceWeight::Supports(Basis::Pattern);

/// How a connection to the unused address ended, compared with those of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UnusedEnd {
    /// In the same way as these rows, and at once: no destination was contacted.
    CutInTheSameWay,
    /// Neither these rows nor it get a reply, as if the device only forwards.
    Silent,
    /// In another way.
    Otherwise,
}

fn unused_end(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> UnusedEnd {
    let silent = |cause: Cause| cause.ending() == FailureMode::Silence;
    let similar = rows.iter().filter_map(|row| {
        let attempt = view.controls.unused.get(&row.endpoint.port)?;
        let ended = attempt::judge(row.endpoint, attempt, &Context::default())
            .verdict
            .cause();
        let (row, unused) = (row.cause()?, ended?);
        Some(match (silent(row), silent(unused)) {
            (true, true) => UnusedEnd::Silent,
            _ if row == unused => UnusedEnd::CutInTheSameWay,
            _ => UnusedEnd::Otherwise,
        })
    });
    let ends: Vec<UnusedEnd> = similar.collect();
    if ends.contains(&UnusedEnd::Otherwise) {
        UnusedEnd::Otherwise
    } else if !ends.is_empty() && ends.iter().all(|end| *end == UnusedEnd::CutInTheSameWay) {
        UnusedEnd::CutInTheSameWay
    } else {
        UnusedEnd::Silent
    }
}

fn shared_cause(rows: &[ProbedEndpoint<'_>]) -> Option<Cause> {
    let first = rows.first()?.cause()?;
    rows.iter().all(|row| row.cause() == Some(first)).then_some(first)
}
