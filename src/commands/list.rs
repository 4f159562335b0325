//! `apim-probe list`: the plan, and nothing probed.

use std::io::{self, Write};

use super::{
    Failure,
    planning::{self, Planned},
    print, terminal,
};
use crate::{
    azure::PLATFORM_DNS,
    cli::{DocumentFormat, ListArgs},
    plan::{
        document::{self, Document},
        text,
    },
    probe::control::NOBODY,
    text::escape,
    vantage::until::Until,
};

/// Shows what would be probed, and why.
pub fn list(arguments: &ListArgs) -> Result<u8, Failure> {
    let planned = planning::plan(
        &arguments.plan,
        None,
        terminal::colour(arguments.color, &io::stderr()),
        &Until::after(planning::PATIENCE),
    )?;
    let vantage = document::Vantage {
        cloud: planned.vantage.cloud,
        region: planned.vantage.region.clone(),
        vnet: planned.vantage.vnet,
        source: planned.vantage.source,
    };
    let mut document = Document::new(&planned.plan, vantage, controls(arguments.no_control, &planned));
    predict(&planned, &mut document);
    match arguments.format {
        DocumentFormat::Json => {
            let json = serde_json::to_string_pretty(&document)
                .map_err(|error| Failure::agent(format!("cannot write the plan: {error}")))?;
            print(&format!("{json}\n"))?;
        }
        DocumentFormat::Text => print(&text::render(&document))?,
    }
    Ok(0)
}

/// The controls that a run may use, as people read them.
fn controls(off: bool, planned: &Planned) -> Vec<String> {
    if off {
        return Vec::new();
    }
    let platform = planned.vantage.in_azure && !planned.plan.name_servers.contains(&PLATFORM_DNS);
    let dns = format!("DNS at {PLATFORM_DNS}, for planned names that the configured servers do not resolve");
    let connections = [
        format!("TCP to {NOBODY}, a documentation address, on a port that was cut or is unproven"),
        "a TLS handshake with the name of a proved endpoint, at an address that cut another name".into(),
    ];
    platform.then_some(dns).into_iter().chain(connections).collect()
}

/// Sets beside each row what the network's own rules say, where some were given.
fn predict(planned: &Planned, document: &mut Document) {
    let Some(rules) = &planned.network else { return };
    let from = planning::standpoint(&planned.vantage);
    let predictions = rules.predictions(&planned.plan, &[], &from).endpoints;
    for (row, predicted) in document.endpoints.iter_mut().zip(predictions) {
        row.predicted = predicted;
    }
    for notice in rules.notices(&from) {
        let _ = writeln!(io::stderr(), "notice: {}", escape(&notice));
    }
}
