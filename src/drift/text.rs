//! A drift report for people at a terminal: what is new first.

use super::{Drift, PageRow};
use crate::{
    model::{Direction, Transport},
    report::{
        Options,
        text::page::{StyledLine, TextPage},
    },
    text::style,
};

/// The drift as text of at most `options.width` columns; its last line is the exit status. `documented` is the date of the
/// catalog's page.
pub fn render(drift: &Drift, documented: &str, options: &Options) -> String {
    let mut page = TextPage::new(options);
    let title = drift.page.title.as_deref().unwrap_or("a document without a title");
    let date = drift.page.documented.as_deref();
    let head = format!("{title}, {}", date.unwrap_or("no date"));
    page.paragraph(
        StyledLine::default().styled(style::DIM, "page").to(9),
        style::NORMAL,
        &head,
    );
    page.paragraph(
        StyledLine::default().styled(style::DIM, "catalog").to(9),
        style::NORMAL,
        &format!("documented {documented}"),
    );
    if date.is_some_and(|date| date < documented) {
        page.paragraph(
            StyledLine::default().styled(style::DOUBTFUL, "note").to(9),
            style::NORMAL,
            "this page is older than the catalog's: missing entries may have been added since",
        );
    }
    let rows = |rows: &[PageRow]| rows.iter().map(describe).collect::<Vec<_>>();
    let changed: Vec<String> = drift
        .changed
        .iter()
        .map(|change| format!("{}; was {}", describe(&change.after), describe(&change.before)))
        .collect();
    let sections = [
        (
            style::BAD,
            "ADDED",
            "on the page, but not in the catalog",
            rows(&drift.added),
        ),
        (style::BAD, "CHANGED", "different in the catalog", changed),
        (
            style::DOUBTFUL,
            "DROPPED",
            "in the catalog from this page, but no longer on it: decide what to do, as running instances may still need it",
            rows(&drift.dropped),
        ),
        (style::DOUBTFUL, "UNREAD", "check these yourself", drift.unread.clone()),
    ];
    for (tone, word, what, lines) in sections {
        if lines.is_empty() {
            continue;
        }
        page.gap();
        page.paragraph(
            StyledLine::default()
                .styled(tone, &format!("{} {word}", lines.len()))
                .text("  "),
            style::HEADING,
            what,
        );
        for line in lines {
            page.paragraph(StyledLine::default().to(2), style::NORMAL, &line);
        }
    }
    page.gap();
    page.line(StyledLine::default().text(&options.exit.to_string()));
    page.finish()
}

/// A row as one line: `gcs.prod.example:443/tcp, outbound, AzureMonitor, public cloud (line 41)`.
fn describe(row: &PageRow) -> String {
    let port = row.port.map(|port| port.to_string());
    let transport = row.transport.map(|it| match it {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    });
    let mut parts = Vec::new();
    match (&row.host, &port) {
        (Some(host), Some(port)) => parts.push(format!("{host}:{port}{}", slashed(transport))),
        (Some(host), None) => parts.push(host.clone()),
        (None, Some(port)) => parts.push(format!("port {port}{}", slashed(transport))),
        (None, None) => parts.push(format!("every port{}", slashed(transport))),
    }
    parts.extend(row.direction.map(|direction| match direction {
        Direction::Outbound => "outbound".to_owned(),
        Direction::Inbound => "inbound".to_owned(),
        Direction::Peer => "both ways".to_owned(),
    }));
    parts.extend(row.tag.clone());
    parts.extend(row.cloud.map(|cloud| format!("{cloud} cloud")));
    let text = parts.join(", ");
    match row.line {
        Some(line) => format!("{text} (line {line})"),
        None => text,
    }
}

fn slashed(transport: Option<&str>) -> String {
    transport.map(|it| format!("/{it}")).unwrap_or_default()
}
