//! Generated networks: one to three faults at once, anywhere in the catalog. Every finding of high confidence is
//! compared with what is really broken.
//!
//! Ten of them are run; `LAB_NETWORKS=100 cargo test --test lab generated/` runs more, `LAB_NETWORKS=100..200` those
//! after them. The name of a test is its seed, and the same seed makes the same network.

mod false_findings;
mod faults;
mod low_ttl_packets;
mod random_network;

use std::{env, ops::Range};

use anyhow::{Context, Result, ensure};
use apim_probe::{
    azure::Cloud,
    catalog::Catalog,
    model::Report,
    plan::{Plan, PlanScope, Selection, Values},
};
use apim_probe_lab::{Forbidden, Lab};
use libtest_mimic::Trial;

use self::random_network::RandomNetwork;
use super::{AGENT, obstacle, trial};

/// How many networks by default.
const NETWORKS: u64 = 10;
/// Sets how many, or which seeds.
const HOW_MANY: &str = "LAB_NETWORKS";

/// Names for the parts of an instance, so that nothing in the catalog is skipped because a name is missing.
const NAMED: [(&str, &str); 5] = [
    ("storage_account", "apimst"),
    ("sql_server", "apirpsql"),
    ("key_vault", "vault"),
    ("event_hub_namespace", "hubs"),
    ("redis_host", "cache.example.net"),
];

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    let asked = env::var(HOW_MANY).ok();
    let of = |seed| trial(format!("generated/{seed}"), obstacle(forbidden, true).as_ref());
    seeds(asked.as_deref()).map(of).collect()
}

/// `100`: the first hundred; `100..200`: those after them.
fn seeds(asked: Option<&str>) -> Range<u64> {
    let number = |text: &str| text.parse().unwrap_or(NETWORKS);
    match asked.and_then(|asked| asked.split_once("..")) {
        Some((first, end)) => number(first)..number(end),
        None => 0..asked.map_or(NETWORKS, number),
    }
}

pub(crate) fn run(name: &str) -> Result<()> {
    let drawn = RandomNetwork::of(name.parse()?, &plan()?);
    let lab = Lab::enter(&drawn.network)?;
    lab.serve_plan(AGENT, flags(), &drawn.network)?;
    let report = report(&lab, &[])?;
    let sent = lab.sent();
    let mut wrong = false_findings::false_findings(&drawn, &report);
    wrong.extend(low_ttl_packets::violations(&sent, low_ttl_packets::may_trace(&report)));
    self::report(&lab, &["--no-control"])?;
    wrong.extend(low_ttl_packets::violations(&lab.sent()[sent.len()..], false));
    ensure!(wrong.is_empty(), "{}\n\n{}", drawn.description(), wrong.join("\n"));
    Ok(())
}

/// The report of a run.
fn report(lab: &Lab, further: &[&str]) -> Result<Report> {
    let mut run = lab.agent(AGENT)?;
    run.args(["run", "--format", "json", "--quiet", "--timeout", "2s", "--ca-file"]);
    run.arg(lab.ca_file()?).args(flags()).args(further);
    let output = run.output()?;
    serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn flags() -> Vec<String> {
    let mut flags: Vec<String> = ["--no-metadata", "--region", "westeurope"].map(String::from).into();
    for (name, value) in NAMED {
        flags.extend(["--set".into(), format!("{name}={value}")]);
    }
    flags
}

/// What the agent plans with these flags.
fn plan() -> Result<Plan> {
    let mut values = Values::default();
    for (name, value) in NAMED {
        values.add(name, [value.to_string()]);
    }
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: Some("westeurope".into()),
        vnet: None,
        name_servers: vec![(apim_probe_lab::network::PLATFORM_DNS, 53).into()],
    };
    Plan::make(&Catalog::builtin(), &scope, &values, &Selection::default()).map_err(anyhow::Error::msg)
}
