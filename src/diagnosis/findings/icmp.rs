//! A device on the path that refuses with an ICMP error.

use std::net::IpAddr;

use super::{phrases, remaining};
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, FindingKind, Fix, Suspect},
    net::icmp::IcmpError,
    text::words::{count, distinct},
};

/// Refusals for this many dependencies, if nothing gets through, mean a policy for everything.
const MIN_DEPENDENCIES: usize = 3;

/// ICMP errors with which a device on the path refuses, grouped by sender. A router rate-limits its errors, so the same
/// rule causes an error for some rows and no reply for others: rows that the same rule could affect are included.
///
/// A target that refuses by itself (port unreachable from the probed address) is not on the path, and is left to other
/// rules.
pub(super) const REFUSAL: FindingRule = FindingRule {
    kind: FindingKind::IcmpRefusal,
    claims: EndpointMatcher::Groups(|view, rows| refused(view, rows, true)),
    describe: refusal,
};

/// ICMP errors from a router that has no route.
pub(super) const UNREACHABLE: FindingRule = FindingRule {
    kind: FindingKind::IcmpUnreachable,
    claims: EndpointMatcher::Groups(|view, rows| refused(view, rows, false)),
    describe: unreachable,
};

/// The remaining ICMP errors: the target's own, and those without a sender.
pub(super) const REMAINING: FindingRule = FindingRule {
    kind: FindingKind::IcmpRefusal,
    claims: EndpointMatcher::Groups(|view, rows| remaining::of(view, rows, FindingKind::IcmpRefusal)),
    describe: |view, group| remaining::describe(view, group, "is refused with an ICMP error"),
};

/// Network and host unreachable, and a loop: no policy is involved. Everything else is a refusal.
fn lacks_route(error: &IcmpError) -> bool {
    matches!(
        (error.v6, error.kind, error.code),
        (false, 3, 0 | 1) | (false, 11, _) | (true, 1, 0 | 3) | (true, 3, _)
    )
}

/// Rows that were refused on the path, by the sender of the error, and rows without a reply that the same rule may
/// affect.
fn refused<'a>(view: &RunView<'a>, rows: &[ProbedEndpoint<'a>], prohibited: bool) -> Vec<FindingGroup<'a>> {
    let scope = |row: &ProbedEndpoint<'a>| {
        let error = row
            .refusal_on_the_way()
            .filter(|error| lacks_route(error) != prohibited)?;
        Some(
            error
                .sender
                .map_or_else(|| "router".into(), |sender| sender.to_string()),
        )
    };
    let mut groups = FindingGroup::by(rows, scope);
    let mut silent: Vec<ProbedEndpoint<'a>> = rows.iter().filter(|row| row.is_silent()).copied().collect();
    for group in &mut groups {
        let of_it = |row: &mut ProbedEndpoint<'a>| belongs(view, &group.rows, row);
        let joining: Vec<ProbedEndpoint<'a>> = silent.extract_if(.., of_it).collect();
        group.rows.extend(joining);
        group.rows.sort_by_key(|row| row.index);
    }
    groups
}

/// Whether a row may have no reply for the reason that these were refused: it may be under the same rule (dependency or
/// service tag, and port) and nothing of its dependency gets through, or several dependencies are refused and nothing
/// at all gets through.
fn belongs(view: &RunView<'_>, refused: &[ProbedEndpoint<'_>], silent: &ProbedEndpoint<'_>) -> bool {
    let is_named = !silent.tag().is_empty() && silent.tag() != "Internet";
    let same_rule = |row: &ProbedEndpoint<'_>| {
        row.endpoint.port == silent.endpoint.port
            && (row.endpoint.dependency == silent.endpoint.dependency || (is_named && row.tag() == silent.tag()))
    };
    let passes = |test: &dyn Fn(&ProbedEndpoint<'_>) -> bool| {
        view.proved().any(|row| row.tested_server().is_none() && test(row))
    };
    let is_whole = |row: &ProbedEndpoint<'_>| {
        row.endpoint.dependency == silent.endpoint.dependency && row.endpoint.port == silent.endpoint.port
    };
    let is_wide = phrases::dependencies(refused).len() >= MIN_DEPENDENCIES;
    should_work(silent) && ((refused.iter().any(same_rule) && !passes(&is_whole)) || (is_wide && !passes(&|_| true)))
}

/// The sender of the errors.
fn sender(group: &FindingGroup<'_>) -> Option<IpAddr> {
    group.rows.iter().find_map(ProbedEndpoint::refusal_on_the_way)?.sender
}

/// The evidence: the errors, and the rows without a reply that are included.
fn seen(view: &RunView<'_>, group: &FindingGroup<'_>, who: &str) -> Grounds {
    let refused: Vec<&IcmpError> = group
        .rows
        .iter()
        .filter_map(ProbedEndpoint::refusal_on_the_way)
        .collect();
    let errors: Vec<String> = refused.iter().map(|error| words(error)).collect();
    let description = distinct(errors.iter().map(String::as_str))
        .into_iter()
        .take(2)
        .map(|error| format!("{who} answers with {error} for {}", count(refused.len(), "endpoint")));
    let grounds = Grounds::default().all(EvidenceWeight::Supports(Basis::Proof), description);
    let silent = group.rows.len() - refused.len();
    let grounds = match silent {
        0 => grounds,
        _ => grounds.carried(format!(
            "{silent} more get no reply: routers rate-limit ICMP errors, so these are included, although another rule \
             could drop them"
        )),
    };
    match view.proved().count() {
        0 => grounds,
        proved => grounds.note(phrases::others_prove(proved)),
    }
}

fn refusal<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let who = sender(group).map_or_else(|| "a router on the path".into(), |sender| sender.to_string());
    let ports = phrases::ports(rows);
    let mut errors = rows.iter().filter_map(ProbedEndpoint::refusal_on_the_way);
    let refuses = if errors.all(IcmpError::is_rejection) {
        "rejects"
    } else {
        "refuses"
    };
    Explanation {
        title: match phrases::titles(rows)[..] {
            [one] => format!("{one}: {who} {refuses} {ports}"),
            _ => format!("{who} {refuses} {ports} to {}", phrases::host_count(rows)),
        },
        grounds: seen(view, group, &who),
        suspects: vec![Suspect::FirewallNetworkRule, Suspect::Nva],
        fix: fix::allow_at(&who, rows, view),
        impact: None,
    }
}

fn unreachable<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let who = sender(group).map_or_else(|| "a router on the path".into(), |sender| sender.to_string());
    Explanation {
        title: match phrases::titles(rows)[..] {
            [one] => format!("{one}: {who} has no route there"),
            _ => format!("{who} has no route to {}", phrases::host_count(rows)),
        },
        grounds: seen(view, group, &who),
        suspects: vec![Suspect::Udr, Suspect::Nva],
        fix: Fix::new(format!(
            "Add the missing route on {who}, or bypass it with a route of your own."
        ))
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        impact: None,
    }
}

fn words(error: &IcmpError) -> String {
    let six = if error.v6 { "v6" } else { "" };
    format!("\"{}\" (ICMP{six} {}/{})", error.name(), error.kind, error.code)
}
