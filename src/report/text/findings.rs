//! Findings: one root cause each, in at most eight lines.

use std::collections::HashMap;

use super::{
    command,
    page::{Line, Page},
};
use crate::{
    model::{Confidence, Endpoint, Finding, Report},
    report::view,
    text::{columns, shorten, style, words, wrap},
};

/// Lines that a finding may take, its title included.
const MOST_LINES: usize = 8;
/// Where the text of a finding begins.
const INDENT: usize = 5;
/// Where the text behind `Without it`, `Look at` and `Fix` begins.
const LABELLED: usize = INDENT + 12;

/// Writes the findings that count, numbered from 1. With `verbose`, all of their evidence and their commands.
pub(super) fn write(page: &mut Page, report: &Report, verbose: bool) {
    let endpoints: HashMap<&str, &Endpoint> = report.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
    let (counting, _) = view::split_findings(report);
    for (finding, number) in counting.iter().zip(1..) {
        page.gap();
        let left = MOST_LINES - title(page, finding, number);
        body(page, finding, &endpoints, if verbose { None } else { Some(left) });
        if verbose {
            for (label, commands) in view::commands(&finding.fix) {
                page.line(Line::at(INDENT).styled(style::QUIET, label));
                for view::FixCommand { line, undo } in commands {
                    command::write(page, INDENT, line);
                    if let Some(undo) = undo {
                        command::write_undo(page, INDENT, undo);
                    }
                }
            }
        }
    }
    if !counting.is_empty() && !verbose {
        page.gap();
        page.line(Line::at(INDENT).styled(
            style::QUIET,
            "All evidence, ready commands and every endpoint: --verbose",
        ));
    }
}

/// Returns how many lines it took: one or two.
fn title(page: &mut Page, finding: &Finding, number: usize) -> usize {
    let confidence = finding.confidence.as_str();
    let start = Line::default().styled(style::BAD, &format!("{number:>3}")).to(INDENT);
    let room = page.measure() - INDENT - columns(confidence) - 2;
    let mut lines = wrap(&finding.title, room);
    lines.truncate(2);
    let style = if finding.confidence == Confidence::Certain {
        style::NORMAL
    } else {
        style::QUIET
    };
    let first = lines.first().map_or("", String::as_str);
    let column = page.measure() - columns(confidence);
    page.line(start.styled(style::HEADING, first).to(column).styled(style, confidence));
    for line in lines.iter().skip(1) {
        page.line(Line::at(INDENT).styled(style::HEADING, line));
    }
    lines.len().max(1)
}

/// The parts below the title, in at most so many lines.
fn body(page: &mut Page, finding: &Finding, endpoints: &HashMap<&str, &Endpoint>, most: Option<usize>) {
    let look_at = look_at(finding, page.measure() - LABELLED, most.is_none());
    let who = who(page, finding, endpoints);
    let all = words::sentences(&finding.evidence);
    let room = page.measure() - INDENT;
    let shares = share(
        most,
        [
            (&who, INDENT),
            (&all, INDENT),
            (&finding.impact, LABELLED),
            (&look_at, LABELLED),
            (&finding.fix.summary, LABELLED),
        ]
        .map(|(text, column)| wrap(text, page.measure() - column).len()),
    );
    let [who_lines, evidence_lines, impact_lines, look_lines, fix_lines] = shares;
    page.paragraph(Line::at(INDENT), style::NORMAL, &who, Some(who_lines));
    let evidence = whole_sentences(&finding.evidence, evidence_lines, room);
    page.paragraph(Line::at(INDENT), style::NORMAL, &evidence, Some(evidence_lines));
    for (label, text, lines) in [
        ("Without it", &finding.impact, impact_lines),
        ("Look at", &look_at, look_lines),
        ("Fix", &finding.fix.summary, fix_lines),
    ] {
        if lines > 0 {
            page.paragraph(
                Line::at(INDENT).styled(style::QUIET, label).to(LABELLED),
                style::NORMAL,
                text,
                Some(lines),
            );
        }
    }
}

/// As many sentences of evidence as so many lines hold, the weightiest first and the first in any case: half a sentence may
/// say the opposite of the whole.
fn whole_sentences(evidence: &[String], lines: usize, room: usize) -> String {
    let fitting = (1..=evidence.len())
        .rev()
        .map(|many| words::sentences(&evidence[..many]))
        .find(|text| wrap(text, room).len() <= lines);
    fitting.unwrap_or_else(|| words::sentences(&evidence[..evidence.len().min(1)]))
}

/// Where to look, the likeliest first: as many places as one line holds, or all.
fn look_at(finding: &Finding, room: usize, all: bool) -> String {
    let mut text = String::new();
    for place in view::places(finding) {
        let joined = format!("{text}{}{}", if text.is_empty() { "" } else { ", then " }, place);
        if columns(&joined) > room && !all && !text.is_empty() {
            break;
        }
        text = joined;
    }
    text
}

/// How many lines each part of a finding gets, of who, evidence, impact, suspects, fix. Every part that has something to
/// say gets one; of what is left the fix comes first, since half a fix is none, then what was seen, then the impact.
fn share(most: Option<usize>, wanted: [usize; 5]) -> [usize; 5] {
    let Some(most) = most else { return wanted };
    let mut given = wanted.map(|lines| lines.min(1));
    let mut left = most.saturating_sub(given.iter().sum());
    for part in [4, 1, 2, 3, 0] {
        let more = left.min(wanted[part] - given[part]);
        given[part] += more;
        left -= more;
    }
    given
}

/// The endpoints behind a finding: as many as one line holds, or their number by dependency.
fn who(page: &Page, finding: &Finding, endpoints: &HashMap<&str, &Endpoint>) -> String {
    let room = page.measure() - INDENT;
    let known: Vec<&Endpoint> = finding
        .endpoints
        .iter()
        .filter_map(|id| endpoints.get(id.as_str()).copied())
        .collect();
    let targets: Vec<&str> = known.iter().map(|e| e.target()).collect();
    if let [only] = targets[..] {
        return if columns(only) > room {
            shorten(only, room, page.ellipsis())
        } else {
            only.to_owned()
        };
    }
    let all = targets.join(", ");
    if columns(&all) <= room {
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
        if columns(&joined) + columns(&tail) > room {
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

#[cfg(test)]
mod tests {
    use super::whole_sentences;

    #[test]
    fn evidence_is_cut_between_sentences() {
        let evidence = [
            "At 20.1.2.3 another name gets through".to_owned(),
            "this one does not, right behind it".to_owned(),
            "a test of the port alone shows it open".to_owned(),
        ];
        for (lines, kept) in [(9, 3), (3, 3), (2, 2), (1, 1)] {
            let text = whole_sentences(&evidence, lines, 42);
            assert!(text.contains(evidence[kept - 1].get(1..).unwrap()), "{lines}: {text}");
            assert_eq!(text.matches(". ").count() + 1, kept, "{lines}: {text}");
        }
        // A first sentence that is too long is cut by the page, and nothing follows.
        assert!(whole_sentences(&evidence, 1, 20).ends_with("gets through."));
        assert_eq!(whole_sentences(&[], 2, 20), "");
    }
}
