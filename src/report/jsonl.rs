//! JSON Lines: one endpoint per line, for a log pipeline.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    azure::Cloud,
    model::{EndpointReport, Report, json},
};

/// An endpoint that can be understood without the other lines.
#[derive(Serialize)]
struct JsonLine<'a> {
    #[serde(serialize_with = "json::to_the_millisecond")]
    started_at: Timestamp,
    cloud: Cloud,
    region: Option<&'a str>,
    vantage_host: Option<&'a str>,
    #[serde(flatten)]
    endpoint: &'a EndpointReport,
}

/// The endpoints as JSON Lines: each with the keys that it has in the report, and when and from where it was probed.
///
/// # Panics
///
/// Never: an endpoint contains nothing that JSON cannot represent.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for endpoint in &report.endpoints {
        let line = JsonLine {
            started_at: report.started_at,
            cloud: report.vantage.cloud,
            region: report.vantage.region.as_deref(),
            vantage_host: report.vantage.host.as_deref(),
            endpoint,
        };
        out += &serde_json::to_string(&line).expect("an endpoint has string keys only");
        out.push('\n');
    }
    json::visible(out)
}
