//! What is said of a change, of a round, and of the agent itself.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Line;
use crate::{
    model::{Endpoint, FindingKind, Report, Vnet},
    serve::Fault,
    watch::Change,
};

/// Columns, from an object.
fn columns(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}

/// Whose line it is: what the agent stands for.
fn place(report: &Report) -> Map<String, Value> {
    columns(json!({
        "Cloud": report.vantage.cloud.to_string(),
        "Region": report.vantage.region,
        "Vnet": report.vantage.vnet.map(Vnet::as_str),
        "Host": report.vantage.host,
    }))
}

/// That the agent is alive, before each round; `last` is what stood after the one before.
pub(crate) fn heartbeat(round: u64, last: Option<&Report>) -> Line {
    let mut rest = last.map(place).unwrap_or_default();
    rest.insert("Round".into(), json!(round));
    Line::new("heartbeat", Timestamp::now(), false, rest)
}

/// What a round came to.
pub(crate) fn round(round: u64, report: &Report) -> Line {
    let summary = &report.summary;
    let findings: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    let mut rest = place(report);
    rest.extend(columns(json!({
        "Round": round,
        "Verdict": summary.verdict,
        "Total": summary.total,
        "Counted": summary.counted,
        "Reachable": summary.reachable,
        "Degraded": summary.degraded,
        "Blocked": summary.blocked,
        "Unproven": summary.unproven,
        "NotTested": summary.not_tested,
        "RequiredBlocked": summary.required_blocked,
        "DurationMs": report.duration_ms,
        "Findings": findings,
    })));
    Line::new("round", Timestamp::now(), false, rest)
}

/// A change, with the finding that explains what is now.
pub(crate) fn change(change: &Change, report: &Report) -> Line {
    let endpoint: Option<&Endpoint> = report.endpoints.iter().find(|endpoint| endpoint.id == change.id);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.endpoints.contains(&change.id));
    let mut rest = place(report);
    rest.extend(columns(json!({
        "Round": change.round,
        "Endpoint": change.id,
        "Dependency": endpoint.map(|endpoint| &endpoint.dependency),
        "Need": endpoint.map(|endpoint| endpoint.need.as_str()),
        "FromVerdict": change.from.verdict,
        "FromCause": change.from.cause,
        "ToVerdict": change.to.verdict,
        "ToCause": change.to.cause,
        "LastedSeconds": change.lasted.as_secs(),
        "Detail": endpoint.map(|endpoint| &endpoint.detail),
        "Finding": finding.map(|finding| &finding.id),
        "FindingKind": finding.and_then(|finding| finding.kind.map(FindingKind::as_str)),
        "FindingTitle": finding.map(|finding| &finding.title),
        "Confidence": finding.map(|finding| finding.confidence.as_str()),
        "Fix": finding.map(|finding| &finding.fix.summary),
    })));
    Line::new("change", change.at, true, rest)
}

/// Something that went wrong with the agent itself.
pub(crate) fn fault(fault: Fault, text: &str) -> Line {
    let rest = columns(json!({ "Fault": fault.as_str(), "Detail": text }));
    Line::new("fault", Timestamp::now(), true, rest)
}
