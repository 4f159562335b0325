//! `/metrics`: what Prometheus scrapes.
//!
//! Names match those of the blackbox exporter if the meaning is the same. Labels contain words from closed lists, ids
//! of endpoints and names of dependencies, and no data from peers: the plan limits their number.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{ReloadedPart, ServeFault, ServeState, log::Log, pages, process, state::StateInner, stderr};
use crate::{
    model::{EndpointReport, ExitStatus, FindingKind, Need, Report, Verdict},
    report::metric_families::Families,
};

/// The type of the page: the text format of Prometheus.
pub(crate) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The whole page.
pub(crate) fn page(serve_state: &ServeState) -> String {
    let (shown, mut page) = {
        let state = serve_state.read();
        let mut page = Families::default();
        let is_up = state.shown.is_some() && !state.is_stuck();
        let tried = |report: &Report| pages::status(report).code != ExitStatus::FAILED;
        let is_up = is_up && state.shown.as_ref().is_some_and(|shown| tried(&shown.report));
        page.gauge(
            "apim_probe_up",
            "Whether the last round could probe anything: 1 or 0; also 0 before the first round and when rounds no \
             longer finish.",
        );
        page.sample("apim_probe_up", &[], f64::from(u8::from(is_up)));
        counter(
            &mut page,
            "apim_probe_rounds_total",
            "Rounds that have finished.",
            state.rounds,
        );
        counter(
            &mut page,
            "apim_probe_changes_total",
            "Changes of verdict or cause, over all endpoints.",
            state.changes,
        );
        page.gauge("apim_probe_round_duration_seconds", "How long the last round took.");
        if state.rounds > 0 {
            page.sample("apim_probe_round_duration_seconds", &[], state.duration.as_secs_f64());
        }
        page.gauge("apim_probe_round_timestamp_seconds", "When the last round finished.");
        if let Some(ended_at) = state.ended_at {
            page.sample("apim_probe_round_timestamp_seconds", &[], seconds(ended_at));
        }
        of_reading(&mut page, &state);
        page.counter("apim_probe_faults_total", "Faults of the agent itself, by kind.");
        for fault in ServeFault::ALL {
            let n = to_float(state.faults.count(fault));
            page.sample("apim_probe_faults_total", &[("kind", fault.as_str())], n);
        }
        page.gauge("apim_probe_connections", "Open connections to this server.");
        page.sample("apim_probe_connections", &[], to_float(state.connections as u64));
        let log = serve_state.log().map(Log::state);
        page.gauge(
            "apim_probe_log_waiting_lines",
            "Log lines that are waiting to be written.",
        );
        if let Some((waiting, _)) = log {
            page.sample("apim_probe_log_waiting_lines", &[], to_float(waiting as u64));
        }
        page.counter(
            "apim_probe_log_lost_lines_total",
            "Log lines that were dropped because too many were waiting.",
        );
        if let Some((_, lost)) = log {
            page.sample("apim_probe_log_lost_lines_total", &[], to_float(lost));
        }
        counter(
            &mut page,
            "apim_probe_stderr_lost_lines_total",
            "Lines for stderr that were dropped because it could not be written to.",
            stderr::lost(),
        );
        page.gauge("process_start_time_seconds", "When the agent started.");
        page.sample("process_start_time_seconds", &[], seconds(state.started_at()));
        (state.shown.clone(), page)
    };
    process::render(&mut page);
    page.gauge("apim_probe_build_info", "The program.");
    page.sample("apim_probe_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    page.into_text() + &shown.map_or_else(|| of_round(None), |shown| shown.metrics().to_owned())
}

/// The results of the last reloads.
fn of_reading(page: &mut Families, state: &StateInner) {
    page.gauge(
        "apim_probe_config_last_reload_successful",
        "Whether the last reload of catalog, documents and certificates succeeded: 1 or 0.",
    );
    page.sample(
        "apim_probe_config_last_reload_successful",
        &[],
        f64::from(u8::from(state.is_reloaded())),
    );
    page.gauge(
        "apim_probe_config_part_last_reload_successful",
        "Whether the last reload of each part succeeded: 1 or 0.",
    );
    for part in ReloadedPart::ALL {
        page.sample(
            "apim_probe_config_part_last_reload_successful",
            &[("part", part.as_str())],
            f64::from(u8::from(state.is_current(part))),
        );
    }
    page.gauge(
        "apim_probe_config_last_reload_success_timestamp_seconds",
        "When catalog, documents and certificates were last reloaded successfully.",
    );
    page.sample(
        "apim_probe_config_last_reload_success_timestamp_seconds",
        &[],
        seconds(state.reloaded_at),
    );
}

/// Metrics about a round.
pub(super) fn of_round(report: Option<&Report>) -> String {
    let mut page = Families::default();
    let endpoints = report.map_or(&[][..], |report| &report.endpoints);
    // Everything shown here may become an alert: rows that decide nothing are only counted.
    let counted: Vec<&EndpointReport> = endpoints.iter().filter(|e| e.need != Need::Documented).collect();
    of_place(&mut page, report);
    page.verdicts("Required and feature endpoints, by verdict.", report);
    of_endpoints(&mut page, &counted);
    page.gauge(
        "apim_probe_failure_info",
        "Cause of each endpoint that fails or is degraded; none if there is no cause.",
    );
    for endpoint in counted.into_iter().filter(|endpoint| fails(endpoint)) {
        let cause = endpoint.cause.map_or("none", |cause| cause.as_str());
        page.sample(
            "apim_probe_failure_info",
            &[("id", &endpoint.id), ("cause", cause)],
            1.0,
        );
    }
    page.gauge(
        "apim_probe_finding_info",
        "Kinds of findings, with the highest need that each affects; none if it concerns no endpoint.",
    );
    for (kind, need) in findings(report) {
        page.sample("apim_probe_finding_info", &[("kind", kind), ("need", need)], 1.0);
    }
    page.into_text()
}

/// Where the agent runs, and what it probes.
fn of_place(page: &mut Families, report: Option<&Report>) {
    page.gauge("apim_probe_place_info", "Where the agent runs, and what it probes for.");
    if let Some(report) = report {
        let vantage = &report.vantage;
        let standing = serde_json::to_value(vantage.standing).unwrap_or_default();
        let cloud = vantage.cloud.to_string();
        let labels = [
            ("cloud", cloud.as_str()),
            ("region", vantage.region.as_deref().unwrap_or("unknown")),
            ("vnet", vantage.vnet.map_or("unknown", |vnet| vnet.as_str())),
            ("standing", standing.as_str().unwrap_or("unknown")),
            ("tier", report.agent.tier.as_str()),
            (
                "documented",
                report.agent.catalog_documented.as_deref().unwrap_or("unknown"),
            ),
        ];
        page.sample("apim_probe_place_info", &labels, 1.0);
    }
}

fn of_endpoints(page: &mut Families, counted: &[&EndpointReport]) {
    page.gauge(
        "probe_success",
        "Whether the endpoint is as expected: 1 or 0. Absent if it was not tested or is only documented.",
    );
    for endpoint in counted.iter().filter(|e| e.verdict != Verdict::NotTested) {
        let labels = [
            ("id", endpoint.id.as_str()),
            ("dependency", &endpoint.dependency),
            ("need", endpoint.need.as_str()),
        ];
        let is_well = endpoint.as_expected == Some(true);
        page.sample("probe_success", &labels, f64::from(u8::from(is_well)));
    }
    page.gauge("probe_duration_seconds", "How long the probe of the endpoint took.");
    for endpoint in counted {
        if let Some(ms) = endpoint.duration_ms {
            page.sample("probe_duration_seconds", &[("id", &endpoint.id)], ms / 1_000.0);
        }
    }
    page.gauge(
        "probe_ssl_earliest_cert_expiry",
        "When the first certificate of the chain that the endpoint sent expires, in seconds since 1970.",
    );
    for endpoint in counted {
        if let Some(end) = endpoint.stages.tls.as_ref().and_then(|tls| tls.chain_not_after) {
            page.sample("probe_ssl_earliest_cert_expiry", &[("id", &endpoint.id)], seconds(end));
        }
    }
}

/// Whether part of an endpoint fails: even if other addresses or connections of it work, or if it could not be tried
/// although it should have been.
fn fails(endpoint: &EndpointReport) -> bool {
    match endpoint.verdict {
        Verdict::Reachable => endpoint.as_expected == Some(false),
        Verdict::Degraded | Verdict::Unproven => true,
        Verdict::Blocked => endpoint.as_expected != Some(true),
        Verdict::NotTested => !endpoint.is_set_aside(),
    }
}

/// The kinds of the findings, each once for each need.
pub(super) fn findings(report: Option<&Report>) -> BTreeSet<(&'static str, &'static str)> {
    let findings = report.map_or(&[][..], |report| &report.findings);
    let need = |need: Option<Need>| need.map_or("none", Need::as_str);
    let kinds = findings
        .iter()
        .map(|finding| (finding.kind.map_or("none", FindingKind::as_str), need(finding.need)));
    kinds.collect()
}

fn counter(page: &mut Families, name: &str, help: &str, n: u64) {
    page.counter(name, help);
    page.sample(name, &[], to_float(n));
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is counted beyond 2^53")]
fn to_float(n: u64) -> f64 {
    n as f64
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    let time = SystemTime::from(time);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ServeState, page};

    #[test]
    fn every_documented_metric_family_is_present_from_the_start() {
        let page = page(&ServeState::new(Duration::from_secs(60)));
        let documented = include_str!("../../docs/serve.md");
        let table = documented.split("| family | what |").nth(1).unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
        let mut n = 0;
        for cell in rows.filter_map(|row| row.split('|').nth(1)) {
            for family in cell.split('`').skip(1).step_by(2) {
                let name = family.split('{').next().unwrap_or_default();
                for kind in ["HELP", "TYPE"] {
                    assert!(page.contains(&format!("# {kind} {name} ")), "{kind} of {name}");
                }
                n += 1;
            }
        }
        assert!(n >= 20, "{n} families");
    }
}
