//! Block pages: a device answers instead of the service.

use super::phrases;
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    hello::{
        ExchangeEnd, ProtocolReply,
        http::{denial, foreign_redirect},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::words::count,
};

/// Rows that a firewall or proxy answered, grouped by product. A page identifies its product; a redirect shows only
/// that a device sends the request elsewhere.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::DenyPage,
    claims: EndpointMatcher::Each(|_, row| {
        (row.cause() == Some(Cause::HttpDenied)).then(|| phrases::slug(&BlockedAnswer::to(row).by))
    }),
    describe,
};

/// What came instead of the service's answer.
struct BlockedAnswer {
    /// The product that wrote it, or the host that it redirects to.
    by: String,
    /// Its text.
    quote: String,
    redirects: bool,
}

impl BlockedAnswer {
    fn to(row: &ProbedEndpoint<'_>) -> Self {
        let reply = row
            .decisive()
            .and_then(|attempt| match &attempt.hello.as_ref()?.greeting.end {
                ExchangeEnd::Replied(ProtocolReply::Http(reply)) => Some(reply),
                _ => None,
            });
        if let Some(denial) = reply.and_then(denial) {
            return Self {
                by: denial.by.into(),
                quote: denial.to_string(),
                redirects: false,
            };
        }
        let target = reply.and_then(|reply| foreign_redirect(reply, &row.endpoint.host, &row.endpoint.names));
        match target.zip(reply) {
            Some((by, reply)) => {
                let quote = format!("HTTP {}, a redirect to {by}", reply.status);
                Self {
                    by,
                    quote,
                    redirects: true,
                }
            }
            None => Self {
                by: "a firewall or proxy".into(),
                quote: row.judgement.detail.clone(),
                redirects: false,
            },
        }
    }
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let answer = rows.first().map(BlockedAnswer::to);
    let by = answer.as_ref().map_or("somebody", |answer| answer.by.as_str());
    let ports = phrases::ports(rows);
    let hosts = phrases::hosts(rows);
    let redirects = answer.as_ref().is_some_and(|answer| answer.redirects);
    let title = match (phrases::titles(rows).as_slice(), redirects) {
        ([one], true) => format!("{one}: {ports} is redirected to {by}"),
        (_, true) => format!("{ports} to {} is redirected to {by}", count(hosts.len(), "host")),
        ([one], false) => format!("{one}: {by} denies {ports}"),
        (_, false) => format!(
            "{} denies {ports} to {}",
            phrases::capital(by.to_string()),
            count(hosts.len(), "host")
        ),
    };
    let mut grounds = Grounds::default();
    if let (Some(first), Some(answer)) = (rows.first(), &answer) {
        let who = match hosts[..] {
            [_] => format!("{} answers with", first.endpoint.host),
            ref many => format!("{} answer with", count(many.len(), "host")),
        };
        // A single host may well redirect to another host of its owner.
        let basis = match (redirects, hosts.len()) {
            (false, _) => Basis::Proof,
            (true, 1) => Basis::Ambiguous,
            (true, _) => Basis::Pattern,
        };
        grounds.add(EvidenceWeight::Supports(basis), format!("{who} {}", answer.quote));
    }
    grounds.add(
        EvidenceWeight::Notes,
        "the TCP connection itself is accepted, so a plain port test shows the port as open",
    );
    let answered = phrases::hosts(view.proved().filter(|row| row.endpoint.port == 80)).len();
    if answered > 0 {
        grounds.add(
            EvidenceWeight::Notes,
            format!(
                "{} on TCP 80, so the filter matches host names",
                phrases::others_get_through(answered)
            ),
        );
    }
    let is_proxy = by.contains("proxy that requires a login");
    let allow = fix::allow_by_name(rows, view);
    Explanation {
        title,
        grounds,
        suspects: if is_proxy || redirects {
            vec![Suspect::Proxy, Suspect::FirewallApplicationRule]
        } else {
            vec![Suspect::FirewallApplicationRule, Suspect::Proxy]
        },
        fix: if is_proxy {
            Fix::new("Exempt the subnet from the transparent proxy: an instance cannot log in to a proxy.")
        } else {
            allow
        },
        impact: None,
    }
}
