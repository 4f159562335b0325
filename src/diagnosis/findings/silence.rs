//! Ports and service tags of which nothing answers, while their neighbours do: a rule that is missing.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView, is_tcp},
    },
    model::{Cause, Confidence, Stage},
    text::words::{count, distinct},
};

/// Whether it was dialled over TCP, and so can tell of a port.
fn is_dialled(row: &Row<'_>) -> bool {
    is_tcp(row)
        && row.tested_server().is_none()
        && row.judgement.outcomes.iter().any(|outcome| outcome.stage > Stage::Dns)
}

fn is_dropped(row: &Row<'_>) -> bool {
    row.cause() == Some(Cause::TcpTimeout) && row.tested_server().is_none()
}

/// Ports of which every host is silent, while the same hosts, or hosts of the same tag, answer on another: it is about
/// the port. Ports that fail for the same dependencies are one finding.
pub fn recognise_ports<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let mut ports: Vec<u16> = pool
        .iter()
        .filter(|row| is_dropped(row) && is_tcp(row))
        .map(|row| row.endpoint.port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports.retain(|port| is_about_the_port(view, *port));
    let mut groups: Vec<(Vec<&str>, Vec<u16>)> = Vec::new();
    for port in ports {
        let rows: Vec<Row<'a>> = pool
            .iter()
            .filter(|row| is_dropped(row) && row.endpoint.port == port)
            .copied()
            .collect();
        let whose = say::dependencies(&rows);
        match groups.iter_mut().find(|(known, _)| *known == whose) {
            Some((_, ports)) => ports.push(port),
            None => groups.push((whose, vec![port])),
        }
    }
    let mut drafts = Vec::new();
    for (_, ports) in groups {
        let rows = pool.take(|row| is_dropped(row) && ports.contains(&row.endpoint.port));
        let named = say::ports(&rows);
        let title = match say::titles(&rows)[..] {
            [one] => format!("{one}: {named} is dropped in silence"),
            _ => format!("{named} is dropped in silence, to {}", say::host_count(&rows)),
        };
        let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
        drafts.push(draft(view, rows, title, format!("port-{}", numbers.join("-"))));
    }
    drafts
}

/// Whether nobody answers on this port, and somebody of the same hosts or tags does on another.
fn is_about_the_port(view: &RunView<'_>, port: u16) -> bool {
    let on_it: Vec<&Row<'_>> = view
        .rows
        .iter()
        .filter(|row| row.endpoint.port == port && is_dialled(row))
        .collect();
    let neighbours = |other: &Row<'_>| {
        on_it
            .iter()
            .any(|row| row.endpoint.host == other.endpoint.host || (!row.tag().is_empty() && row.tag() == other.tag()))
    };
    on_it.iter().all(|row| row.is_silent())
        && view
            .proved()
            .any(|row| is_tcp(row) && row.endpoint.port != port && neighbours(row))
}

/// Service tags of which every host is silent on a port, while others answer: the rule for the tag is missing.
pub fn recognise_tags<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let mut tags = Vec::new();
    for row in pool.iter().filter(|row| is_dropped(row) && !row.tag().is_empty()) {
        if !tags.contains(&row.tag()) {
            tags.push(row.tag());
        }
    }
    let mut drafts = Vec::new();
    for tag in tags {
        let whole = |port: u16| {
            let mut dialled = view
                .rows
                .iter()
                .filter(|row| row.tag() == tag && row.endpoint.port == port && is_dialled(row));
            dialled.all(Row::is_silent)
        };
        let rows = pool.take(|row| is_dropped(row) && row.tag() == tag && whole(row.endpoint.port));
        if rows.is_empty() {
            continue;
        }
        let ports = say::ports(&rows);
        let title = match say::titles(&rows)[..] {
            [one] => format!("{one}: {ports} is dropped in silence"),
            _ => format!(
                "{ports} to the tag {tag} is dropped in silence, {}",
                say::host_count(&rows)
            ),
        };
        // The dependency's name belongs to all of its silence, where a part of it is left for the groups by cause.
        let is_left =
            pool.has(|row| is_dropped(row) && say::dependencies(&rows).contains(&row.endpoint.dependency.as_str()));
        let by_tag = format!("tag-{}", say::kebab(tag));
        let scope = if is_left { by_tag } else { say::scope(&rows, by_tag) };
        drafts.push(draft(view, rows, title, scope));
    }
    drafts
}

fn draft<'a>(view: &RunView<'a>, rows: Vec<Row<'a>>, title: String, scope: String) -> Draft<'a> {
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "silent"),
        scope,
        title,
        confidence: Confidence::High,
        evidence: [vec![say::silence(&rows)], contrast(view, &rows)].concat(),
        suspects: Cause::TcpTimeout.suspects().to_vec(),
        fix: fix::allow(&rows, view),
        rows,
    }
}

/// What answers where these rows are silent: by host, by tag, by port.
pub fn contrast(view: &RunView<'_>, rows: &[Row<'_>]) -> Vec<String> {
    let ports: Vec<u16> = rows.iter().map(|row| row.endpoint.port).collect();
    let elsewhere = |other: &&Row<'_>| is_tcp(other) && !ports.contains(&other.endpoint.port);
    let on_port =
        |other: &&Row<'_>| is_tcp(other) && ports.contains(&other.endpoint.port) && other.tested_server().is_none();
    let mut sentences = Vec::new();
    let same_host = view
        .proved()
        .filter(elsewhere)
        .find(|other| rows.iter().any(|row| row.endpoint.host == other.endpoint.host));
    if let Some(other) = same_host {
        sentences.push(format!(
            "{} answers on TCP {}, so this is about the port",
            other.endpoint.host, other.endpoint.port
        ));
    }
    let same_port = say::hosts(view.proved().filter(on_port)).len();
    let tags = distinct(rows.iter().map(Row::tag));
    let same_tag = say::hosts(view.proved().filter(on_port).filter(|row| tags.contains(&row.tag()))).len();
    if same_tag > 0 {
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
        let hosts = say::hosts(view.proved().filter(elsewhere).filter(|row| row.endpoint.port == port)).len();
        sentences.push(format!("TCP {port} is answered by {}", count(hosts, "host")));
    }
    sentences
}

/// The port on which most endpoints prove themselves.
fn busiest_port<'a>(rows: impl Iterator<Item = &'a Row<'a>>) -> Option<u16> {
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
