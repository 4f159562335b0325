//! `apim-probe list`: the plan, and nothing probed.

use std::io;

use super::{
    CommandFailure,
    planning::{self, Planned},
    print, print_line, terminal,
};
use crate::{
    azure::PLATFORM_DNS,
    cli::{DocumentFormat, ListArgs},
    model::{Prediction, json},
    plan::{
        document::{self, PlanDocument},
        text,
    },
    probe::{
        control::TEST_NET_1,
        traceroute::{MAX_TARGETS, MAX_TTL},
    },
    vantage::cutoff::Cutoff,
};

/// Shows what would be probed, and why.
pub(super) fn list(arguments: &ListArgs) -> Result<u8, CommandFailure> {
    let planned = planning::plan(
        &arguments.plan,
        None,
        terminal::colour(arguments.color, &io::stderr()),
        &Cutoff::after(planning::FETCH_TIMEOUT),
    )?;
    let vantage = document::PlanVantage {
        cloud: planned.vantage.cloud,
        region: planned.vantage.region.clone(),
        vnet: planned.vantage.vnet,
        source: planned.vantage.source,
    };
    for notice in &planned.vantage.notices {
        print_line("notice", notice);
    }
    let controls = controls(arguments.no_control, &planned);
    let document = PlanDocument::new(&planned.plan, vantage, controls, predictions(&planned));
    match arguments.format {
        DocumentFormat::Json => print(&json::pretty(&document))?,
        DocumentFormat::Text => print(&text::render(&document))?,
    }
    Ok(0)
}

/// The controls that a run may use, in words.
fn controls(off: bool, planned: &Planned) -> Vec<String> {
    if off {
        return Vec::new();
    }
    let platform = planned.vantage.in_azure && !planned.plan.name_servers.contains(&PLATFORM_DNS);
    let dns =
        format!("DNS queries to {PLATFORM_DNS} for planned names that the configured name servers do not resolve");
    let connections = [
        format!("TCP connections to {TEST_NET_1}, a documentation address, on ports that were cut or are unproven"),
        "TLS handshakes or requests with the name of a verified endpoint, to an address that cut another name".into(),
        "one more connection to an endpoint that answered, if another endpoint does not".into(),
        format!(
            "TCP SYNs, and data that was cut, with a TTL from 1 to {MAX_TTL}, to at most {MAX_TARGETS} addresses, if \
             something needed is blocked"
        ),
    ];
    platform.then_some(dns).into_iter().chain(connections).collect()
}

/// What the network's own rules predict for each row, if rules were given.
fn predictions(planned: &Planned) -> Vec<Option<Prediction>> {
    let Some(rules) = &planned.network else {
        return Vec::new();
    };
    let from = planning::origin(&planned.vantage);
    rules.predictions(&planned.plan, &[], &from).endpoints
}
