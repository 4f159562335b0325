//! The agent with hostile name servers and services, and with huge system files: memory is limited, the deadline is
//! kept, and nothing passes falsely.
//!
//! To test another attack, add a network and what must be true.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{AgentTest, TestVm, catalog_of, list, text};

/// How much more memory than `list` a run may use, in megabytes. The test build is not optimised: the program alone
/// uses half of that.
const MAX_MEMORY: f64 = 40.0;
/// How much more it may use per endpoint, in megabytes: sixteen addresses with their results. Memory grows with the
/// plan, never with the answers.
const MAX_MEMORY_OF_AN_ENDPOINT: f64 = 0.016;
/// How far a run may exceed its deadline, in milliseconds: a quarter of a second is promised, which the benchmark
/// checks on an otherwise idle machine.
const MAX_OVERSHOOT: f64 = 1_500.0;

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "budgets-under-attack/4000-addresses-per-name",
        catalog: None,
        network: || "name_servers: [ { address: 10.2.0.10, any_name: { extra_addresses: 4000 } } ]".to_owned(),
        check: |vm| false_dns_answers(vm, 8_000),
    },
    AgentTest {
        name: "budgets-under-attack/4000-unreachable-addresses-per-name",
        catalog: None,
        network: || {
            "name_servers: [ { address: 10.2.0.10, any_name: { extra_addresses: 4000 } } ]
faults: [ { to: '20.200.0.0/16', action: drop } ]"
                .to_owned()
        },
        check: |vm| false_dns_answers(vm, 4_000),
    },
    AgentTest {
        name: "budgets-under-attack/endless-cname-chain",
        catalog: None,
        network: || {
            let aliases: Vec<String> = (0..1_300).map(|n| format!("a{n}.alias.example")).collect();
            format!(
                "name_servers: [ {{ address: 10.2.0.10, any_name: {{ cnames: [{}] }} }}, \
                 {{ address: 10.2.0.11, any_name: {{ cnames: [on.and.on.example] }} }} ]",
                aliases.join(", ")
            )
        },
        check: |vm| false_dns_answers(vm, 8_000),
    },
    AgentTest {
        name: "budgets-under-attack/endless-dns-replies",
        catalog: None,
        network: || {
            "name_servers:
  - { address: 10.2.0.10, udp: endless, tcp: endless }
  - { address: 10.2.0.11, udp: truncated, tcp: trickle }"
                .to_owned()
        },
        check: |vm| false_dns_answers(vm, 6_000),
    },
    AgentTest {
        name: "budgets-under-attack/oversized-dns-replies",
        catalog: None,
        network: || {
            "name_servers:
  - { address: 10.2.0.10, udp: truncated, tcp: oversized }
  - { address: 10.2.0.11, udp: oversized, tcp: oversized }"
                .to_owned()
        },
        check: |vm| false_dns_answers(vm, 6_000),
    },
    AgentTest {
        name: "budgets-under-attack/services-that-send-one-byte-at-a-time",
        catalog: None,
        network: || {
            "services:
  '*:443': { http: { endless_headers: true }, pacing: { segment_bytes: 1, interval_ms: 200 } }
  '*:80': { http: { body_bytes: 1000000000 }, pacing: { segment_bytes: 1, interval_ms: 200 } }
  '*:1433': { script: [ read, { repeat: [ 100000000, x ] } ], pacing: { segment_bytes: 1, interval_ms: 200 } }
  '*:445': { script: [ { repeat: [ 100000000, x ] } ], pacing: { segment_bytes: 1, interval_ms: 200 } }
  '*:5671': { pacing: { segment_bytes: 1, interval_ms: 200 } }
  '*:5672': { pacing: { segment_bytes: 1, interval_ms: 200 } }"
                .to_owned()
        },
        // A certificate that arrives byte by byte, but in time, is valid.
        check: |vm| hostile_run(vm, 5_000, |row| row["stages"]["tls"].is_null() && row["port"] == 1433).map(drop),
    },
    AgentTest {
        name: "budgets-under-attack/10000-endpoints-with-4000-addresses-each",
        catalog: Some(|| catalog_of((0..10_000).map(|n| format!("host: h{n}.example, port: 443, protocol: https")))),
        network: || "name_servers: [ { address: 10.2.0.10, any_name: { extra_addresses: 4000 } } ]".to_owned(),
        check: |vm| false_dns_answers(vm, 8_000),
    },
    AgentTest {
        name: "budgets-under-attack/5000-unreachable-backends",
        catalog: Some(|| catalog_of(["host: a.example, port: 443, protocol: https".to_owned()])),
        network: || {
            "name_servers: [ { address: 10.2.0.10, any_name: { extra_addresses: 1 } } ]
faults: [ { to: '20.200.0.0/16', action: drop } ]"
                .to_owned()
        },
        check: |vm| {
            let backends: Vec<Value> = (0..5_000)
                .map(|n| json!({ "name": format!("b{n}"), "properties": { "url": format!("https://b{n}.example/{n}") } }))
                .collect();
            let file = vm
                .lab
                .write("instance.json", &json!({ "backends": backends }).to_string())?;
            let (instance, report) = (file.display().to_string(), vm.lab.folder().join("report.json"));
            let flags = ["--timeout", "1s", "--deadline", "6s", "--instance", &instance];
            let said = vm.output("run", &[&flags[..], &["-o", &report.display().to_string()]].concat())?;
            let report: Value = serde_json::from_slice(&fs::read(&report).with_context(|| text(&said.stderr))?)?;
            let duration = report["duration_ms"].as_f64().unwrap_or(f64::MAX);
            ensure!(duration < 6_000.0 + MAX_OVERSHOOT, "it took {duration} ms of 6000");
            let ids: HashSet<String> = super::ids(&report).into_iter().collect();
            let rows = list(&report, "endpoints");
            ensure!(
                rows.len() == 5_001 && ids.len() == 5_001,
                "{} rows, {} ids",
                rows.len(),
                ids.len()
            );
            let late = rows.iter().filter(|row| row["cause"] == "deadline").count();
            ensure!(late > 0 && late < 5_000, "{late} had no time");
            let notices = report["vantage"]["notices"].to_string();
            ensure!(notices.contains("has 5000 backends"), "{notices}");
            Ok(())
        },
    },
    AgentTest {
        name: "budgets-under-attack/services-that-send-endless-data",
        catalog: None,
        network: || {
            "services:
  '*:443': { http: { endless_headers: true } }
  '*:80': { http: { body_bytes: 1000000000 } }
  '*:1433': { script: [ read, { repeat: [ 100000000, 'no end ' ] } ] }
  '*:445': { script: [ { repeat: [ 100000000, 'no end ' ] } ] }
  '*:5671': { script: [ read, { repeat: [ 100000000, 'no end ' ] } ] }
  '*:5672': { script: [ read, { repeat: [ 100000000, 'no end ' ] } ] }
  '*:1688': { script: [ read, { repeat: [ 100000000, 'no end ' ] } ] }"
                .to_owned()
        },
        check: |vm| {
            // Excluded: endpoints with a verified certificate, plain HTTP, which is verified by the response header,
            // UDP services and the name server, which are healthy.
            let hostile = |row: &Value| {
                row["stages"]["tls"].is_null() && row["transport"] == "tcp" && row["port"] != 53 && row["port"] != 80
            };
            hostile_run(vm, 4_000, hostile).map(drop)
        },
    },
    AgentTest {
        name: "budgets-under-attack/system-files-of-1-gb",
        catalog: Some(|| catalog_of(["host: a.example, port: 443, protocol: https".to_owned()])),
        network: || "vm: { hosts_file: '' }".to_owned(),
        check: |vm| {
            for (file, said) in [
                ("hosts", "/etc/hosts is larger"),
                ("resolv.conf", "/etc/resolv.conf is larger"),
            ] {
                OpenOptions::new()
                    .write(true)
                    .open(vm.lab.folder().join(file))?
                    .set_len(1 << 30)?;
                let cost = within_memory(vm, "run", &["--timeout", "1s"])?;
                ensure!(cost.said.contains(said), "{}", cost.said);
            }
            Ok(())
        },
    },
];

/// A run with name servers that give false answers only.
fn false_dns_answers(vm: &TestVm, deadline_ms: u32) -> Result<()> {
    let report = hostile_run(vm, deadline_ms, |row| !row["stages"]["dns"].is_null())?;
    let requests = list(&report, "endpoints")
        .iter()
        .filter(|row| row["cause"] != "needs-value");
    ensure!(requests.count() > 20, "nothing was queried");
    Ok(())
}

/// Runs the agent, and checks its deadline and memory, and that no endpoint passes for which `may_not_pass` is true.
fn hostile_run(vm: &TestVm, deadline_ms: u32, may_not_pass: fn(&Value) -> bool) -> Result<Value> {
    let file = vm.lab.folder().join("report.json");
    let (shown, deadline) = (file.display().to_string(), format!("{deadline_ms}ms"));
    let flags = ["--quiet", "--timeout", "2s", "--deadline", &deadline, "-o", &shown];
    let cost = within_memory(vm, "run", &flags)?;
    let report: Value = serde_json::from_slice(&fs::read(&file).with_context(|| cost.said.clone())?)?;
    let duration = report["duration_ms"].as_f64().unwrap_or(f64::MAX);
    ensure!(
        duration < f64::from(deadline_ms) + MAX_OVERSHOOT,
        "it took {duration} ms of {deadline_ms}"
    );
    println!("{duration} ms of {deadline_ms}");
    let mut rows = list(&report, "endpoints").iter();
    if let Some(row) = rows.find(|row| may_not_pass(row) && row["verdict"] == "reachable") {
        anyhow::bail!("a false pass: {row}");
    }
    Ok(report)
}

/// Runs the agent, and checks its memory.
fn within_memory(vm: &TestVm, command: &str, flags: &[&str]) -> Result<super::ResourceUsage> {
    let listed = vm.cost("list", &[])?;
    let endpoints = u32::try_from(vm.planned()?.len())?;
    let allowed = listed.peak_mb + MAX_MEMORY + f64::from(endpoints) * MAX_MEMORY_OF_AN_ENDPOINT;
    let cost = vm.cost(command, flags)?;
    // Printed if the test fails.
    println!("{command}: {:.1} MB, {:.0} ms", cost.peak_mb, cost.wall_ms);
    ensure!(
        cost.peak_mb <= allowed,
        "{command} {flags:?} took {:.1} MB, and listing the plan {:.1} MB",
        cost.peak_mb,
        listed.peak_mb
    );
    Ok(cost)
}
