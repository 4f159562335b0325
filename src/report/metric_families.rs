//! Families of metrics in the text format of Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::Write as _;

use crate::{
    model::{EndpointReport, Need, Report, Verdict},
    text::escape,
};

/// A page of metrics being built.
#[derive(Debug, Default)]
pub(crate) struct Families(String);

impl Families {
    /// Begins a family whose values may rise and fall.
    pub(crate) fn gauge(&mut self, name: &str, help: &str) {
        self.begin(name, help, "gauge");
    }

    /// Begins a family whose values only rise; its name ends in `_total`.
    pub(crate) fn counter(&mut self, name: &str, help: &str) {
        self.begin(name, help, "counter");
    }

    fn begin(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of the family that was begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&'static str, &str)], value: f64) {
        self.0 += name;
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = escape(text).replace('\\', "\\\\").replace('"', "\\\"");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(
            self.0,
            "{} {}",
            if labels.is_empty() { "" } else { "}" },
            rounded(value)
        );
    }

    /// The number of endpoints of a report with each verdict: those that count, which `help` describes, and those that
    /// are only documented.
    pub(crate) fn verdicts(&mut self, help: &str, report: Option<&Report>) {
        let documented = "Endpoints that are only documented (informational), by verdict.";
        for (name, help, is_documented) in [
            ("apim_probe_endpoints", help, false),
            ("apim_probe_documented_endpoints", documented, true),
        ] {
            self.gauge(name, help);
            let Some(report) = report else { continue };
            for verdict in Verdict::ALL {
                let is_so = |e: &&EndpointReport| (e.need == Need::Documented) == is_documented && e.verdict == verdict;
                let n = u32::try_from(report.endpoints.iter().filter(is_so).count()).unwrap_or(u32::MAX);
                self.sample(name, &[("verdict", verdict.as_str())], f64::from(n));
            }
        }
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// A value in microsecond precision, without trailing nines.
fn rounded(value: f64) -> f64 {
    (value * 1_000_000.0).round() / 1_000_000.0
}
