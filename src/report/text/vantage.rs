//! Where the agent ran.

use super::page::{StyledLine, TextPage};
use crate::{
    model::{Imported, Report},
    report::headline,
    text::{columns, style, words},
};

/// Writes the vantage and its notices.
pub(super) fn write(page: &mut TextPage, report: &Report) {
    items(page, &headline::vantage(report));
    items(page, &headline::run(report));
    imports(page, report);
    for notice in &report.vantage.notices {
        page.paragraph(
            StyledLine::default().styled(style::DOUBTFUL, "note").to(6),
            style::NORMAL,
            notice,
        );
    }
}

/// Writes consecutive items with a dot between them; the line breaks only between items.
fn items(page: &mut TextPage, items: &[String]) {
    let mut line = String::new();
    for item in items {
        let joined = if line.is_empty() {
            item.clone()
        } else {
            format!("{line}{}{item}", page.dot())
        };
        if columns(&joined) > page.measure() && !line.is_empty() {
            page.line(StyledLine::default().styled(style::DIM, &line));
            line.clone_from(item);
        } else {
            line = joined;
        }
    }
    page.paragraph(StyledLine::default(), style::DIM, &line);
}

/// Where the names of the instance come from: one line for each source, with what it gave and how old that is.
fn imports(page: &mut TextPage, report: &Report) {
    let imports = &report.vantage.imports;
    for from in words::distinct(imports.iter().map(|imported| imported.from.as_str())) {
        let given = imports.iter().filter(|it| it.from == from && it.endpoints > 0);
        let given = words::join(given.map(|it| document(it, report)), ", ");
        let text = if given.is_empty() {
            format!("{from} names no host of the instance")
        } else {
            format!("names of the instance from {from}: {given}")
        };
        page.paragraph(StyledLine::default(), style::DIM, &text);
    }
}

/// `network status (4, as of 2026-11-21 16:40 UTC, 3 days old)`.
fn document(imported: &Imported, report: &Report) -> String {
    let name = match imported.document.as_str() {
        "network-status" => "network status",
        "instance" => "other documents",
        name => name,
    };
    let age = imported.as_of.map(|as_of| {
        let old = words::age(report.started_at.duration_since(as_of));
        format!(", as of {}, {old}", as_of.strftime("%Y-%m-%d %H:%M UTC"))
    });
    format!("{name} ({}{})", imported.endpoints, age.unwrap_or_default())
}
