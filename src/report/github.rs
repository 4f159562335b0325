//! Annotations of GitHub Actions, as workflow commands on stdout.
//!
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::fmt::Write as _;

use super::{
    Options,
    deciding::Deciding,
    headline::{self, Headline},
    view,
};
use crate::{
    model::{Confidence, EndpointReport, ExitStatus, Finding, Report},
    text::{escape, words},
};

/// A step may have ten annotations of each level (the documentation of actions/toolkit, "Problem Matchers"); one error
/// is GitHub's own, about the exit status, and one notice is the headline.
const MAX_ANNOTATIONS: usize = 9;
/// The runner truncates a longer message, in units of UTF-16 (`_maxIssueMessageLength` in actions/runner).
const MAX_MESSAGE: usize = 4_096;
/// Space for the number of lines omitted from a message.
const RESERVED: usize = 128;

/// The levels of annotations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// The report as annotations, one per line: the headline, then each finding. A finding that makes the exit status 1 is
/// an error, another one a warning, and a hint a notice. Annotations beyond GitHub's limits are counted, and no command
/// is truncated.
pub fn render(report: &Report, options: &Options) -> String {
    let deciding = Deciding::of(report, options.policy);
    let headline = Headline::of(report);
    let mut about = vec![format!("{}.", options.exit)];
    about.push(headline::vantage(report).join(", "));
    about.push(headline::run(report).join(", "));
    about.extend(report.vantage.notices.iter().cloned());
    let title = format!("{}: {}", headline.word, headline.sentence);
    let mut out = annotation(Level::Notice, &title, &about);

    let (findings, _) = view::split_findings(report);
    let (grave, other): (Vec<&Finding>, Vec<&Finding>) = findings
        .into_iter()
        .partition(|finding| finding.endpoints.iter().any(|id| deciding.fails(id)));
    let (hints, other): (Vec<&Finding>, Vec<&Finding>) = other
        .into_iter()
        .partition(|finding| finding.confidence == Confidence::Low);
    let unexplained = report
        .endpoints
        .iter()
        .filter(|e| deciding.fails(&e.id) && deciding.finding(&e.id).is_none());
    let serious = grave.into_iter().map(of_finding).chain(unexplained.map(of_endpoint));
    let open = (options.exit.code == ExitStatus::INCOMPLETE).then(|| {
        let title = "Not every required endpoint was tested and verified".to_owned();
        (title, vec![options.exit.reason.clone()])
    });
    let other = open.into_iter().chain(other.into_iter().map(of_finding));
    for (level, items) in [
        (Level::Error, serious.collect::<Vec<_>>()),
        (Level::Warning, other.collect()),
        (Level::Notice, hints.into_iter().map(of_finding).collect()),
    ] {
        let shown = if items.len() > MAX_ANNOTATIONS {
            MAX_ANNOTATIONS - 1
        } else {
            items.len()
        };
        for (title, lines) in &items[..shown] {
            out += &annotation(level, title, lines);
        }
        if items.len() > shown {
            let title = format!("{} more", words::count(items.len() - shown, "finding"));
            let rest = items[shown..].iter().map(|(title, _)| title.clone());
            out += &annotation(level, &title, &rest.collect::<Vec<_>>());
        }
    }
    out
}

/// A title, and the lines below it.
type Item = (String, Vec<String>);

fn of_finding(finding: &Finding) -> Item {
    let mut lines = vec![
        words::sentences(&finding.evidence),
        format!("Impact: {}", finding.impact),
        format!("Fix: {}", finding.fix.summary),
    ];
    for (label, commands) in view::commands(&finding.fix) {
        lines.push(format!("{label}:"));
        lines.extend(commands.into_iter().flat_map(view::FixCommand::lines));
    }
    lines.extend(view::open_words(&finding.fix));
    let weight = view::weight(finding).collect::<Vec<_>>().join(", ");
    let weight = if weight.is_empty() {
        weight
    } else {
        format!(" ({weight})")
    };
    (format!("{}{weight}", finding.title), lines)
}

fn of_endpoint(endpoint: &EndpointReport) -> Item {
    let title = format!("{}: {} is {}", endpoint.title, endpoint.target(), endpoint.verdict);
    let lines = [&endpoint.detail].into_iter().chain(&endpoint.evidence);
    (title, lines.cloned().collect())
}

/// One workflow command. Lines that do not fit are omitted completely, and counted.
fn annotation(level: Level, title: &str, lines: &[String]) -> String {
    let mut message = String::new();
    let mut length = 0;
    let mut left_out = 0;
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let line = escape(line);
        let units = line.encode_utf16().count() + 1;
        if left_out > 0 || length + units > MAX_MESSAGE - RESERVED {
            left_out += 1;
            continue;
        }
        length += units;
        if !message.is_empty() {
            message.push('\n');
        }
        message += &line;
    }
    if left_out > 0 {
        let _ = write!(message, "\n({} more in the report)", words::count(left_out, "line"));
    }
    format!(
        "::{} title={}::{}\n",
        level.as_str(),
        property(&escape(title)),
        data(&message)
    )
}

/// The text after the command (`escapeData` in actions/toolkit).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property (`escapeProperty` in actions/toolkit).
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
