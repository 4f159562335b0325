//! A comparison in Markdown, as a comment on a pull request.

use std::fmt::Write as _;

use super::{ComparedEndpoint, Comparison, display};
use crate::{
    report::{
        Options,
        markdown::{code, text},
    },
    text::words,
};

/// Maximum number of rows in the matrix: a comment has a limit.
const MAX_ROWS: usize = 200;
/// Maximum number of endpoints that a conclusion names.
const MAX_NAMED: usize = 12;

/// The comparison in GitHub's Markdown. Names are in code spans or escaped.
pub fn render(comparison: &Comparison, options: &Options) -> String {
    let (_, word, sentence) = display::headline(comparison);
    let mut out = format!("## {word}: {}\n\n", text(&sentence));
    for place in &comparison.vantages {
        let _ = writeln!(out, "- **{}** {}", text(&place.name), text(&display::place(place)));
    }
    for notice in &comparison.notices {
        let _ = write!(out, "\n> {}\n", text(notice));
    }
    for (conclusion, number) in comparison.conclusions.iter().zip(1..) {
        let named = conclusion.endpoints.iter().take(MAX_NAMED);
        let named: Vec<String> = named.map(|id| code(id)).collect();
        let more = match conclusion.endpoints.len() - named.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = write!(
            out,
            "\n{number}. {}\n   {}: {}{more}\n",
            text(&conclusion.text),
            conclusion.need.label(),
            named.join(", ")
        );
    }
    out += &matrix(comparison);
    for line in display::rest(comparison) {
        let _ = write!(out, "\n{}\n", text(&line));
    }
    let _ = write!(out, "\n**{}**\n", text(&options.exit.to_string()));
    out
}

fn matrix(comparison: &Comparison) -> String {
    let rows: Vec<&ComparedEndpoint> = comparison
        .endpoints
        .iter()
        .filter(|row| display::is_unhealthy(row))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let names: Vec<String> = comparison.vantages.iter().map(|place| text(&place.name)).collect();
    let mut out = format!(
        "\n| Endpoint | {} |\n| --- |{}\n",
        names.join(" | "),
        " --- |".repeat(names.len())
    );
    for row in rows.iter().take(MAX_ROWS) {
        let cells: Vec<String> = row
            .seen
            .iter()
            .map(|state| match display::cell(*state) {
                (display::PlaceTone::Bad, word) => format!("**{word}**"),
                (_, word) => word.to_owned(),
            })
            .collect();
        let _ = writeln!(
            out,
            "| {}: {} | {} |",
            text(&row.dependency.1),
            text(display::target(row)),
            cells.join(" | ")
        );
    }
    if rows.len() > MAX_ROWS {
        let _ = write!(
            out,
            "\n… and {} more.\n",
            words::count(rows.len() - MAX_ROWS, "endpoint")
        );
    }
    out
}
