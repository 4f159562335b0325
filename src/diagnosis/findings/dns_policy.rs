//! Names that Azure itself does not resolve for this network: a DNS security policy.

use super::{phrases, platform::POLICIES};
use crate::{
    azure::PLATFORM,
    diagnosis::{
        context::domain,
        dns::hidden::{Hidden, hidden},
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Stage, Suspect},
    net::dns::{DnsAnswer, DnsEnd},
    probe::trace::Attempt,
    text::words::{count, list},
};

/// The scope if only failures show the policy.
const SERVFAIL: &str = "servfail";

/// The platform's name server applies a policy that is linked to the network: it answers with an alias that nothing
/// else returns, or with SERVFAIL. SERVFAIL counts only for names in a domain in which other names resolve, because the
/// platform's server does not otherwise fail for part of a domain.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::DnsPolicy,
    claims: EndpointMatcher::Each(|view, row| {
        if is_blocked(view, row) {
            return Some("alias".into());
        }
        let is_failure = row.cause() == Some(Cause::DnsServfail) && row.tested_server().is_none();
        (is_failure && is_failed_by_platform(view, row) && others_resolve(view, row)).then(|| SERVFAIL.into())
    }),
    describe,
};

/// Whether an answer about the row's name, or the answer of the name server that the row tests, contains the policy's
/// alias.
fn is_blocked<'a>(view: &RunView<'a>, row: &ProbedEndpoint<'a>) -> bool {
    let of_name = view.answers(row).filter_map(|reply| reply.answer());
    let of_test = row.attempts().iter().filter_map(tested);
    of_name
        .chain(of_test)
        .any(|answer| hidden(&row.endpoint.host, answer) == Some(Hidden::ByPolicy))
}

fn tested(attempt: &Attempt) -> Option<&DnsAnswer> {
    match &attempt.dns.as_ref()?.end {
        DnsEnd::Answered(answer) => Some(answer),
        _ => None,
    }
}

/// Whether the platform's own server fails, queried by this machine directly or as a control.
fn is_failed_by_platform<'a>(view: &RunView<'a>, row: &ProbedEndpoint<'a>) -> bool {
    let mut replies = view.answers(row).filter(|reply| reply.v4.server.ip() == PLATFORM);
    replies.any(|reply| reply.answer().is_some_and(|answer| answer.rcode == "SERVFAIL"))
}

/// Whether other names of the same domain resolve.
fn others_resolve(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    view.rows.iter().any(|other| {
        let mut outcomes = other.judgement.outcomes.iter();
        domain(&other.endpoint.host) == domain(&row.endpoint.host) && outcomes.any(|outcome| outcome.stage > Stage::Dns)
    })
}

fn describe<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let is_alias = group.scope != SERVFAIL;
    let names: Vec<ProbedEndpoint<'a>> = group
        .rows
        .iter()
        .filter(|row| row.tested_server().is_none())
        .copied()
        .collect();
    let hosts = phrases::hosts(&names);
    let title = match hosts[..] {
        [] => "A DNS security policy blocks the name used to test name servers".into(),
        [_] => format!("{}: a DNS security policy blocks its name", phrases::leader(&names)),
        _ => format!("A DNS security policy blocks {}", count(hosts.len(), "name")),
    };
    let grounds = if is_alias {
        Grounds::default().proof("the answer is the alias blockpolicy.azuredns.invalid, which only Azure returns")
    } else {
        Grounds::default().pattern(format!(
            "{PLATFORM} does not forward by default and fails for these names only: others in the same domain resolve"
        ))
    };
    let what = if hosts.is_empty() {
        "the blocked names".into()
    } else {
        list(&hosts, 2)
    };
    let or = if is_alias {
        ""
    } else {
        " If there is none, a DNS forwarding ruleset sends these names to a server that fails."
    };
    Explanation {
        title,
        grounds: grounds.all(EvidenceWeight::Notes, phrases::examples(&group.rows)),
        suspects: vec![Suspect::DnsServer],
        fix: Fix::new(format!(
            "In this network's DNS security policy, allow {what} with a rule before the one that blocks.{or}"
        ))
        .look(POLICIES),
        impact: None,
    }
}
