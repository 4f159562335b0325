//! The log lines about a change, a round, and the agent itself.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::LogLine;
use crate::{
    azure::Cloud,
    model::{EndpointReport, FindingKind, Need, Report, Vnet},
    serve::{ServeFault, metrics},
    watch::Change,
};

/// Columns, from an object.
fn columns(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(columns) => columns,
        _ => Map::new(),
    }
}

/// The columns that describe where the agent runs.
#[derive(Debug, Clone)]
pub(crate) struct LoggedPlace {
    /// The cloud.
    pub cloud: Cloud,
    /// The region, where it is known.
    pub region: Option<String>,
    /// The network mode of the instance, if it is known.
    pub vnet: Option<Vnet>,
    /// The name of this machine.
    pub host: Option<String>,
}

impl LoggedPlace {
    fn of(report: &Report) -> Self {
        let vantage = &report.vantage;
        Self {
            cloud: vantage.cloud,
            region: vantage.region.clone(),
            vnet: vantage.vnet,
            host: vantage.host.clone(),
        }
    }

    fn columns(&self) -> Map<String, Value> {
        columns(json!({
            "Cloud": self.cloud.to_string(),
            "Region": self.region,
            "Vnet": self.vnet.map(Vnet::as_str),
            "Host": self.host,
        }))
    }
}

/// A heartbeat, before each round.
pub(crate) fn heartbeat(round: u64, place: &LoggedPlace) -> LogLine {
    let mut rest = place.columns();
    rest.insert("Round".into(), json!(round));
    LogLine::new("heartbeat", Timestamp::now(), false, rest)
}

/// The result of a round.
pub(crate) fn round(round: u64, report: &Report) -> LogLine {
    let summary = &report.summary;
    let findings: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    let kinds = metrics::findings(Some(report));
    let kinds: Vec<String> = kinds.iter().map(|(kind, need)| format!("{kind}/{need}")).collect();
    let untried = report
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.need == Need::Required && endpoint.was_not_tried());
    let mut rest = LoggedPlace::of(report).columns();
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
        "RequiredUntried": untried.count(),
        "DurationMs": report.duration_ms,
        "Findings": findings,
        "FindingKinds": kinds,
    })));
    LogLine::new("round", Timestamp::now(), false, rest)
}

/// A change, with the finding that explains the new state.
pub(crate) fn change(change: &Change, report: &Report) -> LogLine {
    let endpoint: Option<&EndpointReport> = report.endpoints.iter().find(|endpoint| endpoint.id == change.id);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.endpoints.contains(&change.id));
    let mut rest = LoggedPlace::of(report).columns();
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
    LogLine::new("change", change.at, true, rest)
}

/// A fault of the agent itself.
pub(crate) fn fault(fault: ServeFault, text: &str) -> LogLine {
    let rest = columns(json!({ "Fault": fault.as_str(), "Detail": text }));
    LogLine::new("fault", Timestamp::now(), true, rest)
}
