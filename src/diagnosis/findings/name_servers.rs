//! Name servers that fail, and everything that fails with them.

use std::net::{IpAddr, SocketAddr};

mod remedy;

use self::remedy::{confidence, other_transport, platform, repair, suspects};
use super::{
    dns_policy,
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    azure::PLATFORM,
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Fix, Stage, Suspect, Transport},
    plan::Destination,
    text::words::{count, distinct},
};

/// Three ways in which name servers fail, wide to narrow:
/// - no name resolves at all: one finding, with every host and every server in it;
/// - one server fails for some names (a zone that it forwards to nowhere): one finding for each server and cause;
/// - a server fails in its own test, while the names come from another one.
///
/// A server that denies a name which exists, in its own test, is not believed when it denies others.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let liars: Vec<SocketAddr> = pool
        .iter()
        .filter(|row| {
            matches!(
                row.cause(),
                Some(Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole)
            )
        })
        .filter_map(Row::tested_server)
        .collect();
    let is_failed_lookup = |row: &Row<'a>| match row.cause() {
        Some(Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail) => row.tested_server().is_none(),
        Some(Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole) => {
            row.deciding_server().is_some_and(|server| liars.contains(&server))
        }
        _ => false,
    };
    let resolves = view.rows.iter().any(|row| {
        matches!(row.endpoint.destination, Destination::Name)
            && row.judgement.outcomes.iter().any(|o| o.stage > Stage::Dns)
    });
    if !resolves && pool.has(is_failed_lookup) {
        let rows = pool.take(|row| row.tested_server().is_some() || is_failed_lookup(row));
        return vec![nothing_resolves(view, rows)];
    }
    let some_names = pool.take_by(|row| {
        let server = row.deciding_server().map(|server| server.ip());
        is_failed_lookup(row).then(|| (server, row.cause()))
    });
    let mut drafts: Vec<Draft<'a>> = some_names
        .into_iter()
        .map(|((server, _), rows)| some_names_fail(view, server, rows))
        .collect();
    let servers = pool.take_by(|row| row.tested_server().map(|server| server.ip()));
    drafts.extend(
        servers
            .into_iter()
            .map(|(server, rows)| server_fails(view, server, rows)),
    );
    drafts
}

fn nothing_resolves<'a>(view: &RunView<'a>, rows: Vec<Row<'a>>) -> Draft<'a> {
    let servers: Vec<String> = view
        .plan
        .name_servers
        .iter()
        .map(|server| server.ip().to_string())
        .collect();
    let servers = distinct(servers.iter().map(String::as_str));
    let names: Vec<Row<'a>> = rows
        .iter()
        .filter(|row| row.tested_server().is_none())
        .copied()
        .collect();
    let cause = names.iter().find_map(Row::cause).unwrap_or(Cause::DnsTimeout);
    let one_transport = answers_over(view, Transport::Tcp);
    let title = match servers[..] {
        [server] if one_transport => format!("Name server {server}: UDP 53 is dropped, so no name resolves"),
        [server] => format!("Name server {server} {}: no name resolves", behaviour(cause)),
        _ => format!(
            "No name resolves: none of {} name servers gives an answer",
            servers.len()
        ),
    };
    let mut evidence = vec![match say::hosts(&names)[..] {
        [one] => format!("{one} does not resolve"),
        ref many => format!("none of {} names resolves", many.len()),
    }];
    if one_transport {
        evidence.push("it answers over TCP 53, so it is alive and a rule names one transport only".into());
    }
    evidence.extend(platform(view));
    let tested = tests(&rows);
    if tested.is_empty() {
        evidence.extend(names.first().map(|row| row.judgement.detail.clone()));
    }
    evidence.extend(tested);
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&names, "no-names"),
        scope: "name-servers".into(),
        title,
        confidence: confidence(view, cause),
        evidence,
        suspects: if one_transport {
            vec![Suspect::Nsg, Suspect::FirewallNetworkRule]
        } else {
            suspects(view, cause)
        },
        fix: if one_transport {
            let rows: Vec<Row<'a>> = rows
                .iter()
                .filter(|row| row.tested_server().is_some())
                .copied()
                .collect();
            other_transport(&rows, &servers.join(" and "))
        } else {
            repair(view, cause, &servers.join(" or "))
        },
        rows,
    }
}

/// Whether a server proves itself over this transport, so that it is alive and reachable.
fn answers_over(view: &RunView<'_>, transport: Transport) -> bool {
    view.proved()
        .any(|row| row.tested_server().is_some() && row.endpoint.transport == transport)
}

fn some_names_fail<'a>(view: &RunView<'a>, server: Option<IpAddr>, rows: Vec<Row<'a>>) -> Draft<'a> {
    let cause = rows.iter().find_map(Row::cause).unwrap_or(Cause::DnsTimeout);
    let server = server.map_or_else(|| "?".into(), |server| server.to_string());
    let hosts = say::hosts(&rows).len();
    let verb = if hosts == 1 { "does" } else { "do" };
    let mut evidence = say::examples(&rows);
    evidence.push("other names resolve, so the server is alive: it is about these zones".into());
    evidence.extend(platform(view));
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(cause),
        scope: format!("names-of-{server}"),
        title: format!(
            "{} {verb} not resolve: {server} {}",
            count(hosts, "name"),
            behaviour(cause)
        ),
        confidence: confidence(view, cause),
        evidence,
        suspects: suspects(view, cause),
        fix: forward(&server, &rows),
        rows,
    }
}

/// What lets a server answer for names that it fails for.
fn forward(server: &str, rows: &[Row<'_>]) -> Fix {
    let ask = rows
        .first()
        .map(|row| fix::dig(row.deciding_server(), &row.endpoint.host));
    if server == PLATFORM.to_string() {
        // It has nobody to forward to, unless somebody told it.
        return Fix::new(
            "Look for a DNS security policy that blocks these names, or a DNS forwarding ruleset that sends them to a server that \
             fails: 168.63.129.16 does neither by itself.",
        )
        .look(ask)
        .look(dns_policy::LOOK);
    }
    Fix::new(format!(
        "Make {server} forward the zones of these names, to 168.63.129.16 at last."
    ))
    .look(ask)
}

fn server_fails<'a>(view: &RunView<'a>, server: IpAddr, rows: Vec<Row<'a>>) -> Draft<'a> {
    let proved = |transport| {
        view.proved().any(|row| {
            row.tested_server().is_some_and(|tested| tested.ip() == server) && row.endpoint.transport == transport
        })
    };
    let cause = rows.iter().find_map(Row::cause).unwrap_or(Cause::DnsTimeout);
    let ports = say::ports(&rows);
    let mut evidence = tests(&rows);
    let (title, impact, one_transport) = if proved(Transport::Udp) {
        evidence.push("it answers over UDP".into());
        (
            format!("Name server {server}: {ports} does not answer, UDP does"),
            "Answers that do not fit into a datagram are lost.",
            true,
        )
    } else if proved(Transport::Tcp) {
        evidence.push("it answers over TCP".into());
        (
            format!("Name server {server}: {ports} does not answer, TCP does"),
            "Names resolve through another server, as long as that one lives.",
            true,
        )
    } else {
        evidence.push("names resolve through another server".into());
        (
            format!("Name server {server} {}", behaviour(cause)),
            "Names resolve through another server, as long as that one lives, and slower.",
            false,
        )
    };
    evidence.extend(platform(view));
    Draft {
        impact: Some(impact.into()),
        severity: Severity::Failure,
        what: What::of(&rows, "dns"),
        scope: server.to_string(),
        title,
        confidence: confidence(view, cause),
        evidence,
        suspects: if one_transport {
            vec![Suspect::Nsg, Suspect::FirewallNetworkRule, Suspect::DnsServer]
        } else {
            suspects(view, cause)
        },
        fix: if one_transport {
            other_transport(&rows, &server.to_string())
        } else {
            repair(view, cause, &server.to_string())
        },
        rows,
    }
}

/// What a server does, as the rest of a sentence.
fn behaviour(cause: Cause) -> &'static str {
    match cause {
        Cause::DnsRefused => "refuses to answer (REFUSED)",
        Cause::DnsServfail => "finds no answer (SERVFAIL)",
        Cause::DnsNxdomain => "denies names that exist",
        Cause::DnsNoAddress => "gives no addresses",
        Cause::DnsSinkhole => "gives impossible addresses",
        Cause::UdpRefused | Cause::TcpRefused => "is there, but nothing listens on port 53",
        _ => "does not reply",
    }
}

/// What the tests of the servers themselves gave, one sentence for each server and transport.
fn tests(rows: &[Row<'_>]) -> Vec<String> {
    let tested = rows.iter().filter(|row| row.tested_server().is_some()).take(3);
    tested
        .map(|row| {
            format!(
                "{} {}: {}",
                row.endpoint.transport.as_str().to_uppercase(),
                row.endpoint.port,
                row.judgement.detail
            )
        })
        .collect()
}
