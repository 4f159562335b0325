//! Filtering by name: the connection is accepted, and cut once its first bytes say where it goes.

use std::{cmp::Reverse, net::SocketAddr};

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Suspect},
    probe::control::NOBODY,
    text::words::{self, count, distinct, list},
};

/// On 80 and 443 an Azure Firewall accepts every connection itself and decides by the name in the `ClientHello` or the
/// `Host` header, so a missing application rule shows as a cut right after it. How it cuts is not documented, so reset,
/// close, silence and alert are one class. What other ports do is [`super::accepted`]'s.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let rows = pool.take(|row| row.is_web() && row.cause().is_some_and(Cause::is_cut));
    if rows.is_empty() {
        Vec::new()
    } else {
        vec![draft(view, rows)]
    }
}

fn draft<'a>(view: &RunView<'a>, rows: Vec<Row<'a>>) -> Draft<'a> {
    let ports = say::ports(&rows);
    let hosts = say::hosts(&rows).len();
    let ways = ways(&rows);
    let passes = say::hosts(
        view.proved()
            .filter(|row| row.is_web() && rows.iter().any(|cut| cut.endpoint.port == row.endpoint.port)),
    )
    .len();
    let title = match (say::titles(&rows).as_slice(), ways.as_slice()) {
        ([one], [("answered with an alert", _)]) => {
            format!("{one}: {ports} answers the {} with an alert", first_bytes(&rows))
        }
        ([one], [(way, _)]) => format!("{one}: {ports} is accepted, then {way} at the {}", first_bytes(&rows)),
        ([one], _) => format!("{one}: {ports} is accepted, then cut at the {}", first_bytes(&rows)),
        _ if passes == 0 => format!("A firewall cuts everything on {ports}, {}", count(hosts, "host")),
        _ => format!("A firewall cuts {} on {ports} by their names", count(hosts, "host")),
    };
    let certain = same_address(view, &rows);
    let mut evidence = vec![cut_at(&rows, &ways)];
    if let Some((address, passed, cut)) = &certain {
        evidence.push(format!(
            "at {address} the name {passed} gets through and {cut} does not"
        ));
    }
    evidence.push(if passes > 0 {
        format!(
            "{} get through on the same {}, so it goes by name",
            count(passes, "other host"),
            plural_port(&ports)
        )
    } else {
        format!("nothing gets through on {ports}: either no rule allows any name, or TLS is not let out at all")
    });
    let nobody = accepted_for_nobody(view, &rows);
    let unmasked = certain.is_some() || nobody.is_some();
    evidence.push(
        nobody.unwrap_or_else(|| "the connection itself is accepted: a test of the port alone shows it open".into()),
    );
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "cut"),
        scope: "names".into(),
        title,
        confidence: if unmasked {
            Confidence::Certain
        } else {
            Confidence::High
        },
        evidence,
        suspects: vec![Suspect::FirewallApplicationRule, Suspect::Nva, Suspect::Proxy],
        fix: fix::allow_by_name(&rows, view),
        rows,
    }
}

fn plural_port(ports: &str) -> &'static str {
    if ports.contains(',') { "ports" } else { "port" }
}

/// How hosts were cut, most of them first.
fn ways(rows: &[Row<'_>]) -> Vec<(&'static str, usize)> {
    let word = |row: &Row<'_>| match row.cause() {
        Some(Cause::TlsReset | Cause::HelloReset) => "reset",
        Some(Cause::TlsClosed | Cause::HelloClosed) => "closed",
        Some(Cause::TlsAlert) => "answered with an alert",
        _ => "silent",
    };
    let mut ways: Vec<(&'static str, usize)> = distinct(rows.iter().map(word))
        .into_iter()
        .map(|way| (way, say::hosts(rows.iter().filter(|row| word(row) == way)).len()))
        .collect();
    ways.sort_by_key(|(_, hosts)| Reverse(*hosts));
    ways
}

/// What is sent first on these ports.
fn first_bytes(rows: &[Row<'_>]) -> &'static str {
    if rows.iter().all(|row| row.endpoint.port == 80) {
        "request"
    } else {
        "ClientHello"
    }
}

/// What was sent, how it was cut, and after how long.
fn cut_at(rows: &[Row<'_>], ways: &[(&str, usize)]) -> String {
    let times = rows.iter().filter_map(Row::decisive).filter_map(|attempt| {
        let tls = attempt.tls.as_ref().map(|tls| tls.duration);
        tls.or(attempt.hello.as_ref().map(|hello| hello.duration))
    });
    let after = say::range(times).map_or_else(String::new, |(first, last)| {
        match (words::duration(first), words::duration(last)) {
            (first, last) if first == last => format!(" after {last}"),
            (first, last) => format!(" after {first} to {last}"),
        }
    });
    let sent = first_bytes(rows);
    let parts: Vec<String> = match (say::hosts(rows).as_slice(), ways) {
        ([host], [(way, _)]) => vec![format!("{host} is {way}")],
        (_, [(way, hosts)]) => vec![format!("{} are {way}", count(*hosts, "host"))],
        (_, ways) => ways.iter().map(|(way, hosts)| format!("{hosts} {way}")).collect(),
    };
    let parts = list(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 4);
    format!("{parts} at our {sent}{after}")
}

/// An address at which one name got through and another was cut: that of another endpoint, or that of the control.
fn same_address<'a>(view: &RunView<'a>, cut: &[Row<'a>]) -> Option<(SocketAddr, &'a str, &'a str)> {
    cut.iter().find_map(|row| {
        let address = row.decisive()?.address;
        let through = view.proved().find(|other| {
            other.endpoint.host != row.endpoint.host
                && other
                    .judgement
                    .outcomes
                    .iter()
                    .any(|outcome| outcome.address == address && outcome.proof.is_some())
        });
        let control = view.controls.names.get(&address.port()).filter(|control| {
            control.attempt.address == address
                && control.tells_names_apart()
                && view.plan.endpoints[control.endpoint].id == row.endpoint.id
        });
        let passed = through
            .map(|other| other.endpoint.host.as_str())
            .or(control.map(|control| control.name.as_str()))?;
        Some((address, passed, row.endpoint.host.as_str()))
    })
}

/// Ports of these rows on which somebody accepts connections for an address that nobody owns.
pub fn accepted_for_nobody(view: &RunView<'_>, rows: &[Row<'_>]) -> Option<String> {
    let port = rows
        .iter()
        .map(|row| row.endpoint.port)
        .find(|port| view.controls.intercepts(*port))?;
    Some(format!(
        "{NOBODY}:{port}, which nobody owns, is accepted too: a firewall answers for everyone"
    ))
}
