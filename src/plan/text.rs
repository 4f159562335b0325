//! The plan for people: what would be probed, by need and dependency, and what would not, and why.

use std::fmt::Write as _;

use super::document::{Document, Endpoint};
use crate::{
    catalog::model::{Need, Transport},
    plain::plain,
};

/// The column in which the protocol stands.
const PROTOCOL: usize = 60;

/// Renders a plan, 80 columns wide as far as host names allow.
pub fn render(plan: &Document) -> String {
    let mut page = String::new();
    let testable = plan.endpoints.iter().filter(|endpoint| endpoint.testable).count();
    let region = plan.vantage.region.as_deref().unwrap_or("region not known");
    line(
        &mut page,
        &format!(
            "{} cloud, {region}: {testable} of {} endpoints would be probed",
            plan.vantage.cloud,
            plan.endpoints.len()
        ),
    );
    let sections = [
        (Need::Required, "REQUIRED"),
        (Need::Feature, "OPTIONAL, needed by who uses the feature"),
        (
            Need::Documented,
            "DOCUMENTED, but not known to be offered; never decides the exit status",
        ),
    ];
    for (need, heading) in sections {
        let endpoints: Vec<&Endpoint> = plan
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.testable && endpoint.need == need)
            .collect();
        if !endpoints.is_empty() {
            line(&mut page, &format!("\n{heading}"));
            section(&mut page, &endpoints, |endpoint| endpoint.protocol.as_str().to_string());
        }
    }
    let untestable: Vec<&Endpoint> = plan.endpoints.iter().filter(|endpoint| !endpoint.testable).collect();
    if !untestable.is_empty() {
        line(&mut page, "\nNOT TESTED");
        section(&mut page, &untestable, |endpoint| {
            endpoint.cause.map(|cause| cause.to_string()).unwrap_or_default()
        });
    }
    if !plan.controls.is_empty() {
        line(
            &mut page,
            "\nCONTROLS, only where something is cut, unproven or unanswered",
        );
        for control in &plan.controls {
            line(&mut page, &format!("    {}", plain(control)));
        }
    }
    page
}

fn section(page: &mut String, endpoints: &[&Endpoint], last: impl Fn(&Endpoint) -> String) {
    let mut dependency = None;
    for endpoint in endpoints {
        if dependency != Some(&endpoint.dependency) {
            dependency = Some(&endpoint.dependency);
            let tag = endpoint
                .service_tag
                .as_ref()
                .map(|tag| format!(", tag {tag}"))
                .unwrap_or_default();
            line(
                page,
                &format!("  {} ({}{tag})", plain(&endpoint.title), endpoint.dependency),
            );
        }
        let udp = if endpoint.transport == Transport::Udp {
            "/udp"
        } else {
            ""
        };
        let target = plain(&format!("{}:{}{udp}", endpoint.host, endpoint.port)).into_owned();
        line(
            page,
            &format!("    {target:<width$} {}", last(endpoint), width = PROTOCOL - 4),
        );
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(page, "{}", text.trim_end());
}
