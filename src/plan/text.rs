//! The plan for people: what would be probed, by need and dependency, and what would not, and why.

use std::fmt::Write as _;

use super::document::{PlanDocument, PlanEntry};
use crate::{
    catalog,
    model::{Cause, Need, Transport, prediction::Expected},
    text::{
        escape,
        words::{self, distinct},
        wrap,
    },
};

/// The column of the protocol.
const PROTOCOL: usize = 60;

/// The width of the page, and the column at which predictions begin.
const WIDTH: usize = 78;
const PREDICTED: usize = 6;

/// Renders a plan, 80 columns wide as far as host names allow.
pub fn render(plan: &PlanDocument) -> String {
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
    for part in missing(plan).iter().flat_map(|text| wrap(text, WIDTH)) {
        line(&mut page, &part);
    }
    let predicted = |verdict| {
        let has = |endpoint: &&PlanEntry| {
            endpoint
                .predicted
                .as_ref()
                .is_some_and(|found| found.verdict == verdict)
        };
        plan.endpoints.iter().filter(has).count()
    };
    if plan.endpoints.iter().any(|endpoint| endpoint.predicted.is_some()) {
        let [allow, deny, unknown] = [Expected::Allow, Expected::Deny, Expected::Unknown].map(predicted);
        line(
            &mut page,
            &format!("the network's rules allow {allow} and deny {deny}; {unknown} not decided"),
        );
    }
    let sections = [
        (Need::Required, "REQUIRED"),
        (Need::Feature, "OPTIONAL, needed only for the feature"),
        (
            Need::Documented,
            "DOCUMENTED, but not known to be used; never decides the exit status",
        ),
    ];
    for (need, heading) in sections {
        let endpoints: Vec<&PlanEntry> = plan
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.testable && endpoint.need == need)
            .collect();
        if !endpoints.is_empty() {
            line(&mut page, &format!("\n{heading}"));
            section(&mut page, &endpoints, |endpoint| endpoint.protocol.as_str().to_string());
        }
    }
    let untestable: Vec<&PlanEntry> = plan.endpoints.iter().filter(|endpoint| !endpoint.testable).collect();
    if !untestable.is_empty() {
        line(&mut page, "\nNOT TESTED");
        section(&mut page, &untestable, |endpoint| {
            endpoint.cause.map(|cause| cause.to_string()).unwrap_or_default()
        });
    }
    if !plan.controls.is_empty() {
        line(
            &mut page,
            "\nCONTROLS, used only if something is cut, unproven or gets no reply",
        );
        for control in &plan.controls {
            line(&mut page, &format!("    {}", escape(control)));
        }
    }
    page
}

/// The missing values, and how to provide them.
fn missing(plan: &PlanDocument) -> Vec<String> {
    let nameless = plan
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.cause == Some(Cause::NeedsValue) && endpoint.need != Need::Documented);
    let (hidden, nameless): (Vec<&PlanEntry>, Vec<&PlanEntry>) =
        nameless.partition(|endpoint| catalog::is_hidden(&endpoint.host));
    let names = distinct(nameless.iter().flat_map(|endpoint| catalog::missing(&endpoint.host)));
    let flags = names.iter().map(|name| match *name {
        catalog::REGION => "--region NAME".to_owned(),
        catalog::NAME_SERVER => "--dns-server IP".to_owned(),
        name => format!("--set {name}=NAME"),
    });
    let by_flags = (!nameless.is_empty()).then(|| {
        format!(
            "{} would not be probed because a value is needed: pass {}, or --network-status FILE, --dependencies FILE \
             or --service ID",
            words::count(nameless.len(), "endpoint"),
            words::join(flags, ", ")
        )
    });
    let by_catalog = (!hidden.is_empty()).then(|| {
        format!(
            "{} would not be probed because the host is hidden in a named value: pass it with --probes",
            words::count(hidden.len(), "endpoint")
        )
    });
    by_flags.into_iter().chain(by_catalog).collect()
}

fn section(page: &mut String, endpoints: &[&PlanEntry], last: impl Fn(&PlanEntry) -> String) {
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
                &format!("  {} ({}{tag})", escape(&endpoint.title), endpoint.dependency),
            );
        }
        let udp = if endpoint.transport == Transport::Udp {
            "/udp"
        } else {
            ""
        };
        let target = escape(&format!("{}:{}{udp}", endpoint.host, endpoint.port)).into_owned();
        line(
            page,
            &format!("    {target:<width$} {}", last(endpoint), width = PROTOCOL - 4),
        );
        if let Some(predicted) = &endpoint.predicted {
            let text = format!("{}: {}", predicted.verdict.as_str(), predicted.words);
            for (at, part) in wrap(&text, WIDTH - PREDICTED).iter().enumerate() {
                let more = if at == 0 { 0 } else { 2 };
                line(page, &format!("{:indent$}{part}", "", indent = PREDICTED + more));
            }
        }
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{}", text.trim_end());
}
