//! Deny pages: somebody answers in place of the service, and says so.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    hello::{
        End, Reply,
        http::{deny_marker, foreign_redirect},
    },
    model::{Cause, Confidence, Fix, Suspect},
    text::words::count,
};

/// Rows that a firewall or proxy answered, by who it was. A page names its author, so this is certain.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups = pool.take_by(|row| (row.cause() == Some(Cause::HttpDenied)).then(|| say::slug(&Denial::of(row).by)));
    groups
        .into_iter()
        .map(|(scope, rows)| draft(view, scope, rows))
        .collect()
}

/// Who denied, and in what words.
struct Denial {
    by: String,
    quote: String,
    redirects: bool,
}

impl Denial {
    fn of(row: &Row<'_>) -> Self {
        let reply = row
            .decisive()
            .and_then(|attempt| match &attempt.hello.as_ref()?.greeting.end {
                End::Replied(Reply::Http(reply)) => Some(reply),
                _ => None,
            });
        if let Some(marker) = reply.and_then(deny_marker) {
            // `HTTP 470, Azure Firewall: "Action: Deny …"`
            let author = marker.split_once(", ").map_or(marker.as_str(), |(_, rest)| rest);
            let author = author.split(": \"").next().unwrap_or(author).to_string();
            return Self {
                by: author,
                quote: marker,
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

fn draft<'a>(view: &RunView<'a>, scope: String, rows: Vec<Row<'a>>) -> Draft<'a> {
    let denial = rows.first().map(Denial::of);
    let by = denial.as_ref().map_or("somebody", |denial| denial.by.as_str());
    let ports = say::ports(&rows);
    let hosts = say::hosts(&rows);
    let redirects = denial.as_ref().is_some_and(|denial| denial.redirects);
    let title = match (say::titles(&rows).as_slice(), redirects) {
        ([one], true) => format!("{one}: {ports} is redirected to {by}"),
        (_, true) => format!("{ports} to {} is redirected to {by}", count(hosts.len(), "host")),
        ([one], false) => format!("{one}: {by} denies {ports}"),
        (_, false) => format!(
            "{} denies {ports} to {}",
            say::capital(by.to_string()),
            count(hosts.len(), "host")
        ),
    };
    let is_proxy = by.contains("proxy that wants a login");
    let mut evidence = Vec::new();
    if let (Some(first), Some(denial)) = (rows.first(), &denial) {
        let verb = if hosts.len() == 1 { "answers" } else { "answer" };
        let who = if hosts.len() == 1 {
            first.endpoint.host.clone()
        } else {
            count(hosts.len(), "host")
        };
        evidence.push(format!("{who} {verb} {}", denial.quote));
    }
    evidence.push("the connection itself is accepted: a test of the port alone shows it open".into());
    let answered = say::hosts(view.proved().filter(|row| row.endpoint.port == 80)).len();
    if answered > 0 {
        evidence.push(format!(
            "{} get through on TCP 80, so it goes by name",
            count(answered, "other host")
        ));
    }
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(Cause::HttpDenied),
        scope,
        title,
        confidence: Confidence::Certain,
        evidence,
        suspects: if is_proxy || redirects {
            vec![Suspect::Proxy, Suspect::FirewallApplicationRule]
        } else {
            vec![Suspect::FirewallApplicationRule, Suspect::Proxy]
        },
        fix: if is_proxy {
            let allow = fix::allow_by_name(&rows, view);
            Fix {
                summary: "Exempt the subnet from the transparent proxy: an instance cannot log in to one.".into(),
                ..allow
            }
        } else {
            fix::allow_by_name(&rows, view)
        },
        rows,
    }
}
