//! The answer in at most 4,000 bytes: `az vm run-command` keeps no more than 4 KB of what a command prints.

use std::fmt::Write as _;

use super::{
    Options,
    headline::{self, Headline},
    view::{self, GroupStatus},
};
use crate::{
    model::{Need, Report},
    text::{columns, shorten, words, wrap},
};

/// Maximum size of the text, in bytes; the rest of the 4,096 is for what the caller adds.
const MAX_BYTES: usize = 4_000;
/// Bytes reserved for the exit status and the number of omitted items.
const RESERVED: usize = 700;
/// Maximum width of a line.
const WIDTH: usize = 130;

/// The run, in ASCII except for data: headline, findings with their fixes, every endpoint that is not reachable, what
/// to pass, and the exit status; what does not fit is counted.
pub fn render(report: &Report, options: &Options) -> String {
    let headline = Headline::of(report);
    let mut page = Bounded::default();
    page.line(&headline::vantage(report).join(", "));
    page.line(&headline::run(report).join(", "));
    page.whole(&format!("{}: {}", headline.word, headline.sentence));

    let (findings, _) = view::split_findings(report);
    let lines = findings.iter().zip(1..).map(|(finding, number)| {
        let weight = words::join(view::weight(finding), ", ");
        let parts = [weight.as_str(), finding.confidence.as_str()].into_iter();
        let marks = format!("({})", words::join(parts.filter(|part| !part.is_empty()), "; "));
        let title = shorten(&finding.title, WIDTH - 6 - columns(&marks), "...");
        // A fix is complete or omitted.
        let mut lines = vec![format!("{number}. {title} {marks}")];
        let fix = wrap(&finding.fix.summary, WIDTH - 3);
        lines.extend(fix.iter().map(|line| format!("   {line}")));
        lines.join("\n")
    });
    page.lines(lines.collect(), "finding");

    let failing = report.endpoints.iter().filter(|e| e.need != Need::Documented);
    let unwell = failing.filter(|e| !matches!(view::status(e), GroupStatus::Ok | GroupStatus::NotTested));
    let lines = unwell.map(|endpoint| {
        let cause = endpoint.cause.map_or_else(String::new, |cause| format!(" {cause}"));
        let status = view::status(endpoint).as_str();
        format!("{status}{cause} {}", shorten(&endpoint.id, 100, "..."))
    });
    page.lines(lines.collect(), "endpoint");
    let untested = view::untested(report).into_iter().filter_map(|(cause, endpoints)| {
        Some(format!(
            "not tested: {} {}",
            words::count(endpoints.len(), "endpoint"),
            cause?
        ))
    });
    page.lines(untested.collect(), "cause");

    page.whole(&options.exit.to_string());
    page.0
}

#[derive(Default)]
struct Bounded(String);

impl Bounded {
    fn line(&mut self, text: &str) {
        self.0 += &shorten(text, WIDTH, "...");
        self.0.push('\n');
    }

    /// Adds a text of which nothing is cut, unless names of a catalog's make it longer than any sentence.
    fn whole(&mut self, text: &str) {
        for line in wrap(&shorten(text, RESERVED - WIDTH, "..."), WIDTH) {
            self.0 += &line;
            self.0.push('\n');
        }
    }

    /// Adds as many items as fit and counts the others.
    fn lines(&mut self, items: Vec<String>, noun: &str) {
        let all = items.len();
        for (done, item) in items.into_iter().enumerate() {
            if self.0.len() + item.len() + 1 > MAX_BYTES - RESERVED {
                let _ = writeln!(self.0, "... {} more", words::count(all - done, noun));
                return;
            }
            self.0 += &item;
            self.0.push('\n');
        }
    }
}
