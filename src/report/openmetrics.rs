//! Metrics for Prometheus: a file for the textfile collector of its node exporter.
//!
//! Every family is a gauge, so that both the `OpenMetrics` and the older text format understand the file.

use jiff::Timestamp;

use super::{Options, metric_families::Families};
use crate::model::{EndpointReport, Need, Report, Verdict};

/// The run as metrics, ended by `# EOF`.
pub fn render(report: &Report, options: &Options) -> String {
    let mut page = Families::default();
    // Everything shown here may become an alert: rows that decide nothing are only counted.
    let counted = || report.endpoints.iter().filter(|e| e.need != Need::Documented);
    let tried = counted().filter(|e| e.verdict != Verdict::NotTested);

    page.gauge(
        "probe_success",
        "Whether the endpoint is as expected: 1 or 0. Absent if it was not tested or is only documented.",
    );
    for endpoint in tried {
        page.sample(
            "probe_success",
            &labels(endpoint),
            f64::from(u8::from(endpoint.as_expected == Some(true))),
        );
    }
    page.gauge(
        "probe_failure_info",
        "Verdict and cause of each endpoint that is not as expected.",
    );
    for endpoint in counted().filter(|e| e.as_expected != Some(true) && !e.is_set_aside()) {
        let mut labels = labels(endpoint);
        labels.push(("verdict", endpoint.verdict.as_str()));
        labels.push(("cause", endpoint.cause.map_or("", |cause| cause.as_str())));
        page.sample("probe_failure_info", &labels, 1.0);
    }
    page.gauge("probe_duration_seconds", "How long the probe of the endpoint took.");
    for endpoint in counted() {
        if let Some(ms) = endpoint.duration_ms {
            page.sample("probe_duration_seconds", &labels(endpoint), ms / 1_000.0);
        }
    }
    page.gauge(
        "probe_phase_duration_seconds",
        "How long each stage of the probe took; for several connections, the slowest.",
    );
    for endpoint in counted() {
        for (phase, ms) in endpoint.stages.timings() {
            let mut labels = labels(endpoint);
            labels.push(("phase", phase));
            page.sample("probe_phase_duration_seconds", &labels, ms / 1_000.0);
        }
    }
    page.gauge(
        "probe_certificate_not_after_timestamp_seconds",
        "When the endpoint's certificate expires.",
    );
    for endpoint in counted() {
        if let Some(end) = certificate_end(endpoint) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds since 1970 fit a double for the next 285 million years"
            )]
            page.sample(
                "probe_certificate_not_after_timestamp_seconds",
                &labels(endpoint),
                end.as_second() as f64,
            );
        }
    }
    run(&mut page, report, options);
    page.into_text() + "# EOF\n"
}

/// Metrics about the run as a whole.
fn run(page: &mut Families, report: &Report, options: &Options) {
    page.verdicts("Required and feature endpoints of the run, by verdict.", Some(report));
    page.gauge("apim_probe_exit_status", "The exit status of the run.");
    page.sample("apim_probe_exit_status", &[], f64::from(options.exit.code));
    page.gauge("apim_probe_run_duration_seconds", "How long the run took.");
    page.sample("apim_probe_run_duration_seconds", &[], report.duration_ms / 1_000.0);
    page.gauge("apim_probe_run_timestamp_seconds", "When the run started.");
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double")]
    let began = report.started_at.as_millisecond() as f64 / 1_000.0;
    page.sample("apim_probe_run_timestamp_seconds", &[], began);
    page.gauge(
        "apim_probe_build_info",
        "The program's version and the date of the documentation behind its catalog.",
    );
    let documented = report.agent.catalog_documented.as_deref().unwrap_or_default();
    page.sample(
        "apim_probe_build_info",
        &[("version", &report.agent.version), ("documented", documented)],
        1.0,
    );
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

fn labels(endpoint: &EndpointReport) -> Labels<'_> {
    vec![
        ("endpoint", &endpoint.id),
        ("dependency", &endpoint.dependency),
        ("host", &endpoint.host),
        ("protocol", endpoint.protocol.as_str()),
        ("need", endpoint.need.as_str()),
    ]
}

fn certificate_end(endpoint: &EndpointReport) -> Option<Timestamp> {
    endpoint.stages.tls.as_ref()?.not_after
}
