//! What several places say together.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json as value};

use super::{AGENT, Promise, World, catalog_of, ensure_status, json, list};

/// Two services that are required, of which one is silent until the faults are lifted.
fn services() -> String {
    catalog_of([
        "host: sql.example, port: 1433, protocol: tds".to_owned(),
        "host: web.example, port: 443, protocol: https".to_owned(),
        "host: crl.example, port: 80, protocol: http, path: /root.crl".to_owned(),
    ])
}

/// Where `crl.example` is denied for good, and `sql.example` is silent until the faults are lifted.
const SPOKE: &str = "
firewalls: [ { ports: [80], otherwise: { deny: azure-firewall } } ]
faults: [ { to: 'sql.example:1433', does: silence } ]";

/// Runs, and gives the path of the report.
fn run(world: &World, name: &str) -> Result<String> {
    let path = world.lab.folder().join(name).display().to_string();
    world.output("run", &["--timeout", "1s", "--quiet", "-o", &path])?;
    Ok(path)
}

/// The comparison of some reports, which takes no network.
fn compare(arguments: &[String], status: i32) -> Result<Value> {
    let mut compare = Command::new(AGENT);
    compare.arg("compare").args(arguments).args(["--format", "json"]);
    let output = compare.output().context("starting the agent")?;
    ensure_status(&output, status)?;
    json(&output)
}

/// What is concluded of the endpoints with this word in their id: the kind and the places.
fn concluded(comparison: &Value, word: &str) -> Vec<(Value, Value)> {
    let about = |it: &&Value| {
        list(it, "endpoints")
            .iter()
            .any(|id| id.as_str().is_some_and(|id| id.contains(word)))
    };
    let conclusions = list(comparison, "conclusions").iter().filter(about);
    conclusions
        .map(|it| (it["kind"].clone(), it["vantages"].clone()))
        .collect()
}

pub(super) const PROMISES: &[Promise] = &[Promise {
    name: "vantages/compare",
    catalog: Some(services),
    network: || SPOKE.to_owned(),
    check: |world| {
        let spoke = run(world, "spoke.json")?;
        world.lab.lift_faults()?;
        let hub = run(world, "hub.json")?;
        let comparison = compare(&[spoke.clone(), hub.clone()], 1)?;
        ensure!(
            comparison["schema"] == "apim-probe/compare/v1" && comparison["vantages"][0]["name"] == "spoke",
            "{comparison:#}"
        );
        let sql = concluded(&comparison, "sql.example");
        ensure!(sql == [(value!("only-here"), value!(["spoke"]))], "{comparison:#}");
        let crl = concluded(&comparison, "crl.example");
        ensure!(
            crl == [(value!("everywhere"), value!(["spoke", "hub"]))],
            "{comparison:#}"
        );
        ensure!(concluded(&comparison, "web.example").is_empty(), "{comparison:#}");

        let again = run(world, "again.json")?;
        let three = compare(&[format!("a={spoke}"), format!("b={hub}"), format!("c={again}")], 1)?;
        let sql = concluded(&three, "sql.example");
        ensure!(sql == [(value!("only-here"), value!(["a"]))], "{three:#}");
        ensure_status(&Command::new(AGENT).args(["compare", &hub, &hub]).output()?, 2)
    },
}];
