//! Names that resolve, but to addresses that cannot be right.

use std::net::IpAddr;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    address,
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Suspect},
    text::words::{count, list},
};

/// From so many dependencies on, missing names are somebody's policy and no slip.
const FEWEST_DEPENDENCIES: usize = 3;

/// Names that lead to the same wrong place have one root, whatever they are of:
/// - a sinkhole, by its address: a DNS filter or a hosts file;
/// - a private address without a private link where nothing proves itself: an override for a proxy or an old endpoint;
/// - NXDOMAIN over three dependencies or more from one server: a filter. Fewer are left to the narrower recognisers.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let wrong = pool.take_by(|row| {
        let cause = row
            .cause()
            .filter(|cause| matches!(cause, Cause::DnsSinkhole | Cause::DnsPrivateAddress))?;
        let outcome = row.judgement.outcomes.get(row.judgement.decisive.unwrap_or(0))?;
        Some((cause, outcome.address.ip().to_string()))
    });
    for ((cause, address), rows) in wrong {
        drafts.push(misled(cause, &address, rows));
    }
    let denied = |row: &Row<'a>| row.cause() == Some(Cause::DnsNxdomain);
    let missing: Vec<Row<'a>> = pool.iter().filter(|row| denied(row)).copied().collect();
    if say::dependencies(&missing).len() >= FEWEST_DEPENDENCIES {
        drafts.push(filtered(pool.take(denied)));
    }
    drafts
}

fn misled<'a>(cause: Cause, address: &str, rows: Vec<Row<'a>>) -> Draft<'a> {
    let hosts = say::hosts(&rows);
    let who = match hosts[..] {
        [_] => format!("{}: the name resolves", say::leader(&rows)),
        _ => format!("{} resolve", count(hosts.len(), "name")),
    };
    let parsed: Option<IpAddr> = address.parse().ok();
    let filter = parsed.and_then(address::filter_at);
    let is_impossible = parsed.is_some_and(address::is_impossible);
    let (title, says) = match (cause, filter) {
        (Cause::DnsSinkhole, Some(filter)) => (
            format!("{who} to {address}, the sinkhole of {filter}"),
            format!("{filter} answers with this address for names that it blocks"),
        ),
        (Cause::DnsSinkhole, None) if is_impossible => (
            format!("{who} to {address}, which cannot be right"),
            "no service of Azure can live at this address".to_string(),
        ),
        (Cause::DnsSinkhole, None) => (
            format!("{who} to {address}, where nothing proves itself"),
            "no service can be all of these names: a DNS filter sends what it blocks to one address".to_string(),
        ),
        _ => (
            format!("{who} to {address}, where nothing proves itself"),
            "no private link leads there, and a private endpoint has one, unless a name server leaves its alias out"
                .to_string(),
        ),
    };
    let evidence = [vec![says], say::examples(&rows)].concat();
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(cause),
        scope: address.into(),
        title,
        confidence: if cause == Cause::DnsSinkhole && (is_impossible || filter.is_some()) {
            Confidence::Certain
        } else {
            Confidence::High
        },
        evidence,
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone, Suspect::LocalHost],
        fix: Fix::new(if cause == Cause::DnsSinkhole {
            format!(
                "Exempt this subnet's queries for {} from the DNS filter, or remove their record on the name server, in a private \
                 zone or in a hosts file.",
                list(&hosts, 2)
            )
        } else {
            format!(
                "Remove the record of {} on the name server, in a private zone or in a hosts file; or, if a private endpoint is \
                 meant, see that it exists.",
                list(&hosts, 2)
            )
        })
        .look(hosts.first().map(|host| fix::dig(None, host))),
        rows,
    }
}

fn filtered(rows: Vec<Row<'_>>) -> Draft<'_> {
    let hosts = say::hosts(&rows).len();
    let servers: Vec<String> = rows
        .iter()
        .filter_map(Row::deciding_server)
        .map(|server| server.ip().to_string())
        .collect();
    let server = servers.first().map_or("the name server", String::as_str).to_string();
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(Cause::DnsNxdomain),
        scope: "names".into(),
        title: format!(
            "{} of {} do not exist for {server}",
            count(hosts, "name"),
            say::subject(&rows)
        ),
        confidence: Confidence::High,
        evidence: say::examples(&rows),
        suspects: vec![Suspect::DnsServer, Suspect::PrivateDnsZone],
        fix: Fix::new(format!(
            "Let {server} forward these names: a DNS filter denies them, or a zone of its own hides them."
        ))
        .look(
            rows.first()
                .map(|row| fix::dig(row.deciding_server(), &row.endpoint.host)),
        ),
        rows,
    }
}
