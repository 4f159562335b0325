//! Findings in full: evidence, impact, and the commands of the fix.

use std::collections::HashMap;

use super::{
    command,
    page::{StyledLine, TextPage},
};
use crate::{
    model::{Confidence, EndpointReport, Finding, Report},
    report::{path, view},
    text::{columns, style, words, wrap},
};

/// Column of a finding's text.
const INDENT: usize = 5;
/// Column of the text after `Impact`, `Look at` and `Fix`.
const LABELLED: usize = INDENT + 12;

/// Writes the findings that count, numbered from 1, with all of their evidence and their commands.
pub(super) fn write(page: &mut TextPage, report: &Report) {
    let endpoints: HashMap<&str, &EndpointReport> = report.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
    let (counting, _) = view::split_findings(report);
    for (finding, number) in counting.iter().zip(1..) {
        page.gap();
        title(page, finding, number);
        body(page, finding, &endpoints);
        commands(page, finding);
    }
}

fn title(page: &mut TextPage, finding: &Finding, number: usize) {
    let confidence = finding.confidence.as_str();
    let available = page.measure() - INDENT - columns(confidence) - 2;
    let style = if finding.confidence == Confidence::Certain {
        style::NORMAL
    } else {
        style::DIM
    };
    let column = page.measure() - columns(confidence);
    for (at, line) in wrap(&finding.title, available).iter().enumerate() {
        if at == 0 {
            let start = StyledLine::default()
                .styled(style::BAD, &format!("{number:>3}"))
                .to(INDENT);
            page.line(start.styled(style::HEADING, line).to(column).styled(style, confidence));
        } else {
            page.line(StyledLine::at(INDENT).styled(style::HEADING, line));
        }
    }
}

fn body(page: &mut TextPage, finding: &Finding, endpoints: &HashMap<&str, &EndpointReport>) {
    page.paragraph(StyledLine::at(INDENT), style::NORMAL, &who(page, finding, endpoints));
    page.paragraph(
        StyledLine::at(INDENT),
        style::NORMAL,
        &words::sentences(&finding.evidence),
    );
    way(page, finding);
    let cause = finding
        .cause
        .map(|cause| format!("{cause}: apim-probe explain {cause}"));
    let parts = [
        ("Cause", cause.unwrap_or_default()),
        ("Impact", finding.impact.clone()),
        ("Look at", view::places(finding).join(", then ")),
        ("Fix", finding.fix.summary.clone()),
    ];
    let labelled = |label| StyledLine::at(INDENT).styled(style::DIM, label).to(LABELLED);
    for (label, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
        page.paragraph(labelled(label), style::NORMAL, text);
    }
    if let Some(docs) = &finding.docs {
        page.url(labelled("More"), docs);
    }
}

/// The path to where it stops, drawn in one line.
pub(super) fn way(page: &mut TextPage, finding: &Finding) {
    if let Some(path) = &finding.path {
        let drawn = path::draw(path, page.measure() - INDENT, page.unicode());
        page.paragraph(StyledLine::at(INDENT), style::NORMAL, &drawn);
    }
}

fn commands(page: &mut TextPage, finding: &Finding) {
    for (label, commands) in view::commands(&finding.fix) {
        page.line(StyledLine::at(INDENT).styled(style::DIM, label));
        for view::FixCommand { line, undo } in commands {
            command::write(page, INDENT, line);
            if let Some(undo) = undo {
                command::write_undo(page, INDENT, undo);
            }
        }
    }
    for word in view::open_words(&finding.fix) {
        page.paragraph(StyledLine::at(INDENT), style::DIM, &word);
    }
}

/// The endpoints behind a finding: as many as one line holds, or their number by dependency.
fn who(page: &TextPage, finding: &Finding, endpoints: &HashMap<&str, &EndpointReport>) -> String {
    let available = page.measure() - INDENT;
    let known: Vec<&EndpointReport> = finding
        .endpoints
        .iter()
        .filter_map(|id| endpoints.get(id.as_str()).copied())
        .collect();
    let targets: Vec<&str> = known.iter().map(|e| e.target()).collect();
    if let [only] = targets[..] {
        return only.to_owned();
    }
    let all = targets.join(", ");
    if columns(&all) <= available {
        return all;
    }
    let mut text = words::count(targets.len(), "endpoint");
    for (at, target) in targets.iter().enumerate() {
        let more = targets.len() - at - 1;
        let tail = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let joined = format!("{text}{} {target}", if at == 0 { ":" } else { "," });
        if columns(&joined) + columns(&tail) > available {
            return if at == 0 {
                text
            } else {
                format!("{text} and {} more", more + 1)
            };
        }
        text = joined;
    }
    text
}
