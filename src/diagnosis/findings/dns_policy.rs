//! Names that Azure itself does not resolve for this network: a DNS security policy.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    azure::PLATFORM,
    diagnosis::{
        context::domain,
        dns::hidden::{Hidden, hidden},
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Stage, Suspect},
    net::dns::{Answer, DnsEnd},
    text::words::{count, list},
};

/// Commands that show the policies of the network and what they block.
pub const LOOK: [&str; 2] = [
    "az dns-resolver policy list -o table",
    "az dns-resolver policy dns-security-rule list -g RG --policy-name POLICY -o table",
];

/// A policy that is linked to the network answers in the name of the platform's server: with an alias of its own, which
/// nothing else has, or with SERVFAIL. The latter is believed only of names in a domain of which others resolve: the
/// platform's server does not fail for a part of a domain on its own account.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let by_alias = pool.take(|row| is_blocked(view, row));
    let resolved: Vec<&str> = view
        .rows
        .iter()
        .filter(|row| row.judgement.outcomes.iter().any(|outcome| outcome.stage > Stage::Dns))
        .map(|row| domain(&row.endpoint.host))
        .collect();
    let by_failure = pool.take(|row| {
        row.cause() == Some(Cause::DnsServfail)
            && row.tested_server().is_none()
            && is_failed_by_platform(view, row)
            && resolved.contains(&domain(&row.endpoint.host))
    });
    [(by_alias, Confidence::Certain), (by_failure, Confidence::High)]
        .into_iter()
        .filter(|(rows, _)| !rows.is_empty())
        .map(|(rows, confidence)| draft(rows, confidence))
        .collect()
}

/// Whether an answer about the row's name, or the answer of the name server that the row tests, has the policy's alias.
fn is_blocked<'a>(view: &RunView<'a>, row: &Row<'a>) -> bool {
    let of_name = view.answers(row).filter_map(|reply| reply.answer());
    let of_test = row.attempts().iter().filter_map(tested);
    of_name
        .chain(of_test)
        .any(|answer| hidden(&row.endpoint.host, answer) == Some(Hidden::ByPolicy))
}

fn tested(attempt: &crate::probe::trace::Attempt) -> Option<&Answer> {
    match &attempt.dns.as_ref()?.end {
        DnsEnd::Answered(answer) => Some(answer),
        _ => None,
    }
}

/// Whether the platform's own server fails, asked by this machine itself or as a control.
fn is_failed_by_platform<'a>(view: &RunView<'a>, row: &Row<'a>) -> bool {
    let mut replies = view.answers(row).filter(|reply| reply.v4.server.ip() == PLATFORM);
    replies.any(|reply| reply.answer().is_some_and(|answer| answer.rcode == "SERVFAIL"))
}

fn draft(rows: Vec<Row<'_>>, confidence: Confidence) -> Draft<'_> {
    let names: Vec<Row<'_>> = rows
        .iter()
        .filter(|row| row.tested_server().is_none())
        .copied()
        .collect();
    let hosts = say::hosts(&names);
    let title = match hosts[..] {
        [] => "A DNS security policy blocks the name that name servers are tested with".into(),
        [_] => format!("{}: a DNS security policy blocks its name", say::leader(&names)),
        _ => format!("A DNS security policy blocks {}", count(hosts.len(), "name")),
    };
    let mut evidence = vec![if confidence == Confidence::Certain {
        "the answer is the alias blockpolicy.azuredns.invalid, which is Azure's own".to_owned()
    } else {
        format!(
            "{PLATFORM} forwards nothing by itself and fails for these names only: others of the same domain resolve"
        )
    }];
    evidence.extend(say::examples(&rows));
    let what = if hosts.is_empty() {
        "what is blocked".into()
    } else {
        list(&hosts, 2)
    };
    let (scope, or) = if confidence == Confidence::Certain {
        ("dns-security-policy", "")
    } else {
        (
            "dns-security-policy-servfail",
            " If there is none, a rule of a DNS forwarding ruleset sends these names to a server that fails.",
        )
    };
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "dns-policy"),
        scope: scope.into(),
        title,
        confidence,
        evidence,
        suspects: vec![Suspect::DnsServer],
        fix: Fix::new(format!(
            "Let the DNS security policy of this network allow {what}, by a rule before the one that blocks.{or}"
        ))
        .look(LOOK),
        rows,
    }
}
