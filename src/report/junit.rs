//! `JUnit` XML, for the test view of a CI service.

use std::{collections::HashMap, time::Duration};

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::{Options, deciding::Deciding, view};
use crate::{
    model::{Cause, EndpointReport, Expect, Finding, Need, Report, Standing, Verdict, json::stamp},
    text::{escape, words},
};

/// The report as `JUnit` XML: one suite per dependency, one case per endpoint.
///
/// An endpoint that makes the exit status 1 according to `--fail-on` is a failure, with its cause as the type. If this
/// machine has no network, there is an error, and also for everything that this machine could not try. What was not
/// tested or not verified is skipped with the reason, and so is everything that does not count. A case contains the
/// finding that explains it, and its fix; a finding's commands are in its first case.
///
/// # Panics
///
/// Never: the document contains no character that XML forbids.
pub fn render(report: &Report, options: &Options) -> String {
    let mut junit = quick_junit::Report::new("apim-probe");
    junit.set_time(duration(report.duration_ms));
    let mut cases = Cases {
        deciding: Deciding::of(report, options.policy),
        no_network: report.vantage.standing == Some(Standing::NoNetwork),
        explained: HashMap::new(),
    };
    for (dependency, endpoints) in view::by_dependency(report) {
        let mut suite = TestSuite::new(escape(dependency));
        suite.add_property(Property::new("title", escape(view::title(&endpoints))));
        suite.add_property(Property::new("started_at", stamp(report.started_at)));
        suite.set_time(duration(endpoints.iter().filter_map(|e| e.duration_ms).sum()));
        suite.add_test_cases(endpoints.into_iter().map(|endpoint| cases.case(endpoint)));
        junit.add_test_suite(suite);
    }
    let mut document = junit.to_string().expect("an XML document in memory can be written");
    document.truncate(document.trim_end().len());
    document.push('\n');
    document
}

/// The data from which the cases of a report are made.
struct Cases<'a> {
    deciding: Deciding<'a>,
    no_network: bool,
    /// The ids of findings, each with the case that contains it completely.
    explained: HashMap<&'a str, &'a str>,
}

impl<'a> Cases<'a> {
    fn case(&mut self, endpoint: &'a EndpointReport) -> TestCase {
        let mut case = TestCase::new(escape(endpoint.target()), self.status(endpoint));
        case.set_classname(escape(&endpoint.dependency));
        case.set_time(duration(endpoint.duration_ms.unwrap_or(0.0)));
        if endpoint.verdict == Verdict::Degraded {
            case.set_system_out(format!("degraded: {}", escape(&endpoint.detail)));
        }
        case
    }

    fn status(&mut self, endpoint: &'a EndpointReport) -> TestCaseStatus {
        if self.deciding.fails(&endpoint.id) {
            let kind = if self.no_network {
                NonSuccessKind::Error
            } else {
                NonSuccessKind::Failure
            };
            return self.failed(endpoint, kind);
        }
        if endpoint.as_expected == Some(true) {
            return TestCaseStatus::success();
        }
        if endpoint.cause == Some(Cause::LocalFault) && self.deciding.is_undecided(&endpoint.id) {
            return self.failed(endpoint, NonSuccessKind::Error);
        }
        let mut status = TestCaseStatus::skipped();
        let why = endpoint.cause.map_or_else(String::new, |cause| format!(" ({cause})"));
        let message = format!(
            "{}{}{why}: {}",
            aside(endpoint),
            endpoint.verdict,
            words::sentences(std::slice::from_ref(&endpoint.detail))
        );
        status.set_message(escape(&message));
        if endpoint.verdict == Verdict::Blocked {
            status.set_description(self.explained(endpoint));
        }
        status
    }

    fn failed(&mut self, endpoint: &'a EndpointReport, kind: NonSuccessKind) -> TestCaseStatus {
        let mut status = TestCaseStatus::non_success(kind);
        let is_open = endpoint.expect == Expect::Blocked;
        let of_type = match endpoint.cause {
            _ if is_open => "unexpectedly-open",
            Some(cause) => cause.as_str(),
            None => endpoint.verdict.as_str(),
        };
        status.set_type(of_type);
        let detail = words::sentences(std::slice::from_ref(&endpoint.detail));
        let message = match self.deciding.finding(&endpoint.id) {
            // Many titles begin with their subject.
            Some(finding) if finding.title.starts_with(&endpoint.title) => {
                format!("{}. Fix: {}", finding.title, finding.fix.summary)
            }
            Some(finding) => format!("{}: {}. Fix: {}", endpoint.title, finding.title, finding.fix.summary),
            None => format!("{}: {detail}", endpoint.title),
        };
        status.set_message(escape(&message));
        status.set_description(self.explained(endpoint));
        status
    }

    /// The evidence for an endpoint, and the finding that explains it.
    fn explained(&mut self, endpoint: &'a EndpointReport) -> String {
        let seen = [&endpoint.detail].into_iter().chain(&endpoint.evidence);
        let mut lines: Vec<String> = seen.map(|sentence| escape(sentence).into_owned()).collect();
        if let Some(finding) = self.deciding.finding(&endpoint.id) {
            lines.push(format!("Finding: {} ({})", escape(&finding.title), escape(&finding.id)));
            lines.push(format!("Impact: {}", escape(&finding.impact)));
            lines.push(format!("Fix: {}", escape(&finding.fix.summary)));
            let commands = commands(finding);
            match self.explained.get(finding.id.as_str()) {
                Some(first) if !commands.is_empty() => {
                    lines.push(format!("The commands are listed under {}.", escape(first)));
                }
                Some(_) => {}
                None => {
                    self.explained.insert(&finding.id, endpoint.target());
                    lines.extend(commands);
                }
            }
        }
        lines.join("\n")
    }
}

/// Why an endpoint that is not reachable is not a failure.
fn aside(endpoint: &EndpointReport) -> &'static str {
    match endpoint.need {
        Need::Documented => "noted only, ",
        Need::Feature if endpoint.verdict == Verdict::Blocked => "optional, ",
        _ => "",
    }
}

/// The commands of a finding's fix, one per line, and the meaning of the placeholders.
fn commands(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    for (label, commands) in view::commands(&finding.fix) {
        lines.push(format!("{label}:"));
        let commands = commands.into_iter().flat_map(view::FixCommand::lines);
        lines.extend(commands.map(|line| format!("  {}", escape(&line))));
    }
    lines.extend(view::open_words(&finding.fix).map(|word| escape(&word).into_owned()));
    lines
}

/// The milliseconds of any report, for a type that takes neither negative values nor more than a century.
fn duration(ms: f64) -> Duration {
    const CENTURY: f64 = 3.2e9;
    Duration::from_secs_f64((ms / 1_000.0).clamp(0.0, CENTURY))
}
