//! A comparison for people at a terminal: suspects first, then the matrix of what does not work.

use std::collections::HashSet;

use anstyle::Style;

use super::{
    ComparedEndpoint, Comparison,
    display::{self, PlaceTone},
};
use crate::{
    report::{
        Options,
        text::page::{StyledLine, TextPage},
    },
    text::{columns, escape, shorten, style, words::list},
};

/// Column at which the text of a conclusion begins.
const INDENT: usize = 5;
/// Minimum width of a target next to the cells.
const MIN_TARGET_WIDTH: usize = 24;
/// Columns of a name above its cells.
const NAME: usize = 20;
/// Maximum number of endpoints that a conclusion names; all are in the matrix.
const NAMED: usize = 4;

/// The comparison as text of at most `options.width` columns; its last line is the exit status.
pub fn render(comparison: &Comparison, options: &Options) -> String {
    let mut page = TextPage::new(options);
    let names: Vec<String> = comparison
        .vantages
        .iter()
        .map(|place| escape(&place.name).into_owned())
        .collect();
    let labels = labels(&names, page.ellipsis());
    let column = labels.iter().map(|label| columns(label)).max().unwrap_or(0) + 2;
    for ((place, name), label) in comparison.vantages.iter().zip(&names).zip(&labels) {
        let start = StyledLine::default().styled(style::HEADING, label);
        let mut line = display::place(place);
        if label != name {
            line = format!("{name}: {line}");
        }
        page.paragraph(start.to(column), style::NORMAL, &line);
    }
    for notice in &comparison.notices {
        let start = StyledLine::default().styled(style::DOUBTFUL, "note").to(column.max(6));
        page.paragraph(start, style::NORMAL, notice);
    }
    page.gap();
    matrix(&mut page, comparison, &labels);
    for line in display::rest(comparison) {
        page.paragraph(StyledLine::default(), style::DIM, &line);
    }
    page.gap();
    let (tone, word, sentence) = display::headline(comparison);
    let start = StyledLine::default().styled(style_of(tone), word).to(columns(word) + 2);
    page.paragraph(start, style::HEADING, &sentence);
    for (conclusion, number) in comparison.conclusions.iter().zip(1..) {
        let start = StyledLine::at(2).text(&number.to_string()).to(INDENT);
        page.paragraph(start, style::NORMAL, &conclusion.text);
        let targets: Vec<&str> = conclusion.endpoints.iter().map(String::as_str).collect();
        let targets = format!("{}{}{}", conclusion.need.label(), page.dot(), list(&targets, NAMED));
        page.paragraph(StyledLine::at(INDENT), style::DIM, &targets);
    }
    page.gap();
    page.paragraph(StyledLine::default(), style::NORMAL, &options.exit.to_string());
    page.finish()
}

/// The heading above the cells of each place. Long names are truncated in the middle, because files of one set mostly
/// begin and end in the same way; if two would read the same, all are numbered.
fn labels(names: &[String], ellipsis: &str) -> Vec<String> {
    let cut: Vec<String> = names.iter().map(|name| shorten(name, NAME, ellipsis)).collect();
    if cut.iter().collect::<HashSet<_>>().len() == names.len() {
        return cut;
    }
    (1..).zip(names).map(|(number, _)| format!("#{number}")).collect()
}

/// Every endpoint that is not reachable everywhere, with a cell for each place.
fn matrix(page: &mut TextPage, comparison: &Comparison, names: &[String]) {
    let rows: Vec<&ComparedEndpoint> = comparison
        .endpoints
        .iter()
        .filter(|row| display::is_unhealthy(row))
        .collect();
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let cells = rows.iter().map(|row| display::cell(row.seen[place]).1.len());
            cells.max().unwrap_or(0).max(columns(name))
        })
        .collect();
    let cells: usize = widths.iter().map(|width| width + 2).sum();
    let start = page.measure().saturating_sub(cells) + 2;
    let fits = start >= MIN_TARGET_WIDTH && !rows.is_empty();
    if fits {
        let mut line = StyledLine::default();
        let mut column = start;
        for (name, width) in names.iter().zip(&widths) {
            line = line.to(column).styled(style::HEADING, name);
            column += width + 2;
        }
        page.line(line);
    }
    let mut dependency = "";
    for row in rows {
        if row.dependency.0 != dependency {
            dependency = &row.dependency.0;
            page.line(StyledLine::default().styled(style::HEADING, &row.dependency.1));
        }
        let target = display::target(row);
        if !fits {
            page.paragraph(StyledLine::at(2), style::NORMAL, target);
            stacked(page, row, names);
            continue;
        }
        let line = StyledLine::at(2).text(target);
        let mut line = if line.column() + 2 <= start {
            line
        } else {
            page.paragraph(StyledLine::at(2), style::NORMAL, target);
            StyledLine::default()
        };
        let mut column = start;
        for (state, width) in row.seen.iter().zip(&widths) {
            let (tone, word) = display::cell(*state);
            line = line.to(column).styled(style_of(tone), word);
            column += width + 2;
        }
        page.line(line);
    }
    page.gap();
}

/// Each result, with all of the places that had it.
fn stacked(page: &mut TextPage, row: &ComparedEndpoint, names: &[String]) {
    let mut seen: Vec<((PlaceTone, &str), Vec<&str>)> = Vec::new();
    for (state, name) in row.seen.iter().zip(names) {
        let cell = display::cell(*state);
        match seen.iter_mut().find(|(known, _)| *known == cell) {
            Some((_, places)) => places.push(name),
            None => seen.push((cell, vec![name])),
        }
    }
    for ((tone, word), places) in seen {
        let word = if word == "-" { "not in its report" } else { word };
        let start = StyledLine::at(4).styled(style_of(tone), word).text(": ");
        page.paragraph(start, style::NORMAL, &places.join(", "));
    }
}

fn style_of(tone: PlaceTone) -> Style {
    match tone {
        PlaceTone::Good => style::GOOD,
        PlaceTone::Doubtful => style::DOUBTFUL,
        PlaceTone::Bad => style::BAD,
        PlaceTone::Neutral => style::DIM,
    }
}
