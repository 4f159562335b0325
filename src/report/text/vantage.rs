//! Where the agent ran.

use super::page::{StyledLine, TextPage};
use crate::{
    model::Report,
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
            None,
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
    page.paragraph(StyledLine::default(), style::DIM, &line, None);
}

/// The documents used for the plan, one line each.
fn imports(page: &mut TextPage, report: &Report) {
    for imported in &report.vantage.imports {
        let age = imported.as_of.map(|as_of| {
            let old = words::age(report.started_at.duration_since(as_of));
            format!(", as of {} ({old})", as_of.strftime("%Y-%m-%d %H:%M UTC"))
        });
        let endpoints = words::count(imported.endpoints, "endpoint");
        let text = format!("with {endpoints} of {}{}", imported.from, age.unwrap_or_default());
        page.paragraph(StyledLine::default(), style::DIM, &text, None);
    }
}
