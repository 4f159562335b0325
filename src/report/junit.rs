//! `JUnit` XML, for the test view of a CI service.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::view;
use crate::{
    model::{Cause, Endpoint, Expect, Need, Report, Verdict, json::stamp},
    text::{escape, words},
};

/// The report as `JUnit` XML: one suite a dependency, one case an endpoint.
///
/// Blocked is a failure whose type is the cause, so is what must be blocked and is not; what this machine could not try
/// is an error. What was not tested or not proved is skipped with the reason, and so is everything that does not count.
///
/// # Panics
/// Never: the document holds no character that XML forbids.
pub fn render(report: &Report) -> String {
    let mut junit = quick_junit::Report::new("apim-probe");
    junit.set_time(Duration::from_secs_f64((report.duration_ms / 1_000.0).max(0.0)));
    for (dependency, endpoints) in view::by_dependency(report) {
        let mut suite = TestSuite::new(escape(dependency));
        suite.add_property(Property::new("title", escape(&endpoints[0].title)));
        suite.add_property(Property::new("started_at", stamp(report.started_at)));
        suite.set_time(duration(endpoints.iter().filter_map(|e| e.duration_ms).sum()));
        suite.add_test_cases(endpoints.into_iter().map(case));
        junit.add_test_suite(suite);
    }
    let mut document = junit.to_string().expect("an XML document in memory can be written");
    document.truncate(document.trim_end().len());
    document.push('\n');
    document
}

fn case(endpoint: &Endpoint) -> TestCase {
    let mut case = TestCase::new(escape(endpoint.target()), status(endpoint));
    case.set_classname(escape(&endpoint.dependency));
    case.set_time(duration(endpoint.duration_ms.unwrap_or(0.0)));
    if endpoint.verdict == Verdict::Degraded {
        case.set_system_out(format!("degraded: {}", escape(&endpoint.detail)));
    }
    case
}

fn status(endpoint: &Endpoint) -> TestCaseStatus {
    if endpoint.as_expected == Some(true) {
        return TestCaseStatus::success();
    }
    let cause = endpoint.cause.map(Cause::as_str);
    let counts = endpoint.need != Need::Documented;
    match (endpoint.verdict, endpoint.cause) {
        (Verdict::NotTested, Some(Cause::LocalFault)) => failed(endpoint, NonSuccessKind::Error, "local-fault"),
        (Verdict::Blocked, _) if counts => failed(endpoint, NonSuccessKind::Failure, cause.unwrap_or("blocked")),
        (Verdict::Reachable | Verdict::Degraded, _) if counts && endpoint.expect == Expect::Blocked => {
            failed(endpoint, NonSuccessKind::Failure, "unexpectedly-open")
        }
        (verdict, _) => {
            let mut status = TestCaseStatus::skipped();
            let need = if counts { "" } else { "noted only, " };
            let why = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
            status.set_message(format!("{need}{verdict}{why}: {}", escape(&endpoint.detail)));
            status
        }
    }
}

fn failed(endpoint: &Endpoint, kind: NonSuccessKind, of_type: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of_type);
    status.set_message(escape(&words::sentences(std::slice::from_ref(&endpoint.detail))));
    let evidence: Vec<_> = endpoint.evidence.iter().map(|sentence| escape(sentence)).collect();
    status.set_description(evidence.join("\n"));
    status
}

fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1_000.0).max(0.0))
}
