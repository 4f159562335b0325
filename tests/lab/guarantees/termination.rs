//! How a run ends: at its deadline, with Ctrl-C, or without descriptors.

use std::{
    fmt::Write as _,
    io::Read,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{AgentTest, TestVm, catalog_of, ensure_status, ids, json, list, text};

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "deadline/is-kept-with-500-names-of-8-addresses",
        catalog: Some(|| catalog_of((0..500).map(|n| format!("host: h{n}.example, port: 443, protocol: https")))),
        network: names_without_reply,
        check: |vm| {
            let planned = vm.planned()?;
            for concurrency in ["7", "128", "2000"] {
                let flags = [
                    "--format",
                    "json",
                    "--deadline",
                    "2s",
                    "--timeout",
                    "1500ms",
                    "--concurrency",
                    concurrency,
                ];
                let started = Instant::now();
                let output = vm.output("run", &flags)?;
                let elapsed = started.elapsed();
                let report = json(&output)?;
                ensure!(ids(&report) == planned, "endpoints are lost or out of order");
                // The time before and after the run depends on the build and the machine, so the limit only detects a
                // hang.
                let duration = report["duration_ms"].as_f64().unwrap_or(f64::MAX);
                ensure!(
                    duration < 2_250.0 && elapsed < Duration::from_secs(10),
                    "{duration} ms, {elapsed:?} in all, with {concurrency} in flight"
                );
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/ctrl-c-at-any-moment-leaves-every-endpoint-in-the-report",
        catalog: Some(many),
        network: || {
            "
name_servers: [ { address: 10.2.0.10 }, { address: 10.2.0.11, udp: { delayed: 300 } } ]
faults: [ { to: '*:1433', action: drop } ]
services: { '*:443': { pacing: { segment_bytes: 400, interval_ms: 150 } } }"
                .to_owned()
        },
        check: |vm| {
            let planned = vm.planned()?;
            for milliseconds in [0, 5, 30, 90, 150, 250, 400, 700, 1100] {
                let output = interrupted(vm, milliseconds)?;
                ensure_status(&output, 130).with_context(|| format!("after {milliseconds} ms"))?;
                let report = json(&output)?;
                ensure!(report["complete"] == false, "the report claims to be complete");
                ensure!(ids(&report) == planned, "endpoints are lost or out of order");
                let late = |row: &&Value| row["verdict"] == "not-tested" && row["cause"] == "deadline";
                ensure!(
                    list(&report, "endpoints").iter().any(|row| late(&row)),
                    "every endpoint was tested"
                );
            }
            Ok(())
        },
    },
    AgentTest {
        name: "descriptors/any-limit-gives-a-report-or-exit-4",
        catalog: Some(many),
        network: || "name_servers: [ { address: 10.2.0.10 }, { address: 10.2.0.11 } ]".to_owned(),
        check: |vm| {
            let planned = vm.planned()?;
            for limit in [3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 23, 24, 25, 30, 64] {
                let script = format!("ulimit -n {limit} && exec \"$@\"");
                let output = vm.shell(&script, &["--format", "json", "--timeout", "3s"])?;
                let said = format!("{limit} descriptors: {}", text(&output.stderr));
                ensure!(!said.contains("panicked"), "{said}");
                if output.stdout.is_empty() {
                    ensure_status(&output, if limit < 4 { 127 } else { 4 })
                        .or_else(|_| ensure_status(&output, 4))
                        .context(said.clone())?;
                    ensure!(!output.stderr.is_empty(), "{said}");
                    continue;
                }
                let report = json(&output)?;
                ensure!(ids(&report) == planned, "{said}: endpoints are lost");
                for row in list(&report, "endpoints") {
                    ensure!(
                        row["verdict"] == "reachable"
                            || row["verdict"] == "not-tested" && row["cause"] == "local-fault",
                        "{said}: {} is {} {} {}",
                        row["id"],
                        row["verdict"],
                        row["cause"],
                        row["detail"]
                    );
                }
            }
            Ok(())
        },
    },
    AgentTest {
        name: "descriptors/verdicts-stay-right-with-a-limit-of-24",
        catalog: Some(|| {
            catalog_of((0..60).map(|n| format!("host: h{n}.example, port: {}, protocol: https", 8000 + n)))
        }),
        network: || {
            "services: { 'h3.example:8003': { abort: { after: first-bytes, with: reset } }, 'h9.example:8009': { abort: { after: first-bytes, with: reset } }, 'h40.example:8040': { abort: { after: first-bytes, with: reset } } }".to_owned()
        },
        check: |vm| {
            let output = vm.shell("ulimit -n 24 && exec \"$@\"", &["--format", "json", "--timeout", "3s"])?;
            let report = json(&output)?;
            for row in list(&report, "endpoints") {
                let wanted = ["h3.example", "h9.example", "h40.example"]
                    .iter()
                    .any(|host| row["host"] == *host);
                let wanted = if wanted { "blocked" } else { "reachable" };
                ensure!(
                    row["verdict"] == wanted,
                    "{} is {} {}",
                    row["id"],
                    row["verdict"],
                    row["detail"]
                );
            }
            Ok(())
        },
    },
];

/// 500 names with eight addresses each, none of which replies.
fn names_without_reply() -> String {
    let mut network = "faults: [ { to: '*:443', action: drop } ]\nnames:\n".to_owned();
    for n in 0..500 {
        let addresses: Vec<String> = (0..8)
            .map(|a| format!("20.{a}.{}.{}", 1 + n / 250, 1 + n % 250))
            .collect();
        let _ = writeln!(network, "  h{n}.example: {{ addresses: [{}] }}", addresses.join(", "));
    }
    network
}

/// 60 endpoints of three protocols.
fn many() -> String {
    catalog_of((0..20).flat_map(|n| {
        [
            format!("host: h{n}.example, port: 443, protocol: https"),
            format!("host: h{n}.example, port: 80, protocol: http"),
            format!("host: h{n}.example, port: 1433, protocol: tds"),
        ]
    }))
}

/// Sends SIGINT this many milliseconds after the first output.
fn interrupted(vm: &TestVm, milliseconds: u64) -> Result<std::process::Output> {
    let mut child = vm.agent("run", &["--format", "json"])?.spawn()?;
    let id = child.id().to_string();
    // Its first output shows that it has started, which may take time on a busy machine.
    child.stderr.as_mut().context("no stderr")?.read_exact(&mut [0; 7])?;
    thread::sleep(Duration::from_millis(milliseconds));
    let killed = Command::new("kill").args(["-INT", &id]).status()?;
    ensure!(killed.success(), "the run was over after {milliseconds} ms");
    child.wait_with_output().context("waiting for the agent")
}
