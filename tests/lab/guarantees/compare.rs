//! What reports from several places show in combination.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json as value};

use super::{AGENT, AgentTest, TestVm, catalog_of, ensure_status, json, list};

/// Two required services, of which one does not reply until the faults are lifted.
fn services() -> String {
    catalog_of([
        "host: sql.example, port: 1433, protocol: tds".to_owned(),
        "host: web.example, port: 443, protocol: https".to_owned(),
        "host: crl.example, port: 80, protocol: http, path: /root.crl".to_owned(),
    ])
}

/// `crl.example` is always denied, and `sql.example` does not reply until the faults are lifted.
const SPOKE: &str = "
firewalls: [ { ports: [80], default_action: { deny: azure-firewall } } ]
faults: [ { to: 'sql.example:1433', action: drop } ]";

/// Runs, and returns the path of the report.
fn run(vm: &TestVm, name: &str) -> Result<String> {
    let path = vm.lab.folder().join(name).display().to_string();
    vm.output("run", &["--timeout", "1s", "--quiet", "-o", &path])?;
    Ok(path)
}

/// The comparison of some reports, which needs no network.
fn compare(arguments: &[String], status: i32) -> Result<Value> {
    let mut compare = Command::new(AGENT);
    compare.arg("compare").args(arguments).args(["--format", "json"]);
    let output = compare.output().context("starting the agent")?;
    ensure_status(&output, status)?;
    json(&output)
}

/// The conclusions for endpoints with this word in their id: the kind and the places.
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

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "compare/separates-faults-of-one-place-from-faults-everywhere",
        catalog: Some(services),
        network: || SPOKE.to_owned(),
        check: |vm| {
            let spoke = run(vm, "spoke.json")?;
            vm.lab.lift_faults()?;
            let hub = run(vm, "hub.json")?;
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

            let again = run(vm, "again.json")?;
            let three = compare(&[format!("a={spoke}"), format!("b={hub}"), format!("c={again}")], 1)?;
            let sql = concluded(&three, "sql.example");
            ensure!(sql == [(value!("only-here"), value!(["a"]))], "{three:#}");
            ensure_status(&Command::new(AGENT).args(["compare", &hub, &hub]).output()?, 2)
        },
    },
    AgentTest {
        name: "elsewhere/report-from-another-vm-is-used-as-evidence",
        catalog: Some(services),
        network: || SPOKE.replace("drop", "reset"),
        check: elsewhere,
    },
];

/// A change to a report and to one of its rows.
type ReportEdit = fn(&mut Value, usize);

/// Another machine, where only the firewall's block page is in the way; `change` modifies the rest of its report, given
/// that and the row of the service that works there.
fn hub_report(vm: &TestVm, spoke: &str, change: ReportEdit) -> Result<String> {
    let mut hub: Value = serde_json::from_str(&std::fs::read_to_string(spoke)?)?;
    hub["vantage"]["host"] = value!("hub-vm");
    let sql = list(&hub, "endpoints")
        .iter()
        .position(|endpoint| endpoint["id"] == "service/sql.example:1433")
        .context("no endpoint")?;
    hub["endpoints"][sql]["verdict"] = value!("reachable");
    hub["endpoints"][sql]["cause"] = Value::Null;
    change(&mut hub, sql);
    Ok(vm.lab.write("hub.json", &hub.to_string())?.display().to_string())
}

fn is_about(id: &Value, word: &str) -> bool {
    id.as_str().is_some_and(|id| id.contains(word))
}

fn elsewhere(vm: &TestVm) -> Result<()> {
    let spoke = run(vm, "spoke.json")?;
    let hub = hub_report(vm, &spoke, |_, _| {})?;
    let run_with =
        |other: &str| json(&vm.output("run", &["--timeout", "1s", "--format", "json", "--elsewhere", other])?);
    let report = run_with(&hub)?;
    let suspects = |report: &Value| {
        let about = |it: &&Value| list(it, "endpoints").iter().any(|id| is_about(id, "sql.example"));
        let finding = list(report, "findings").iter().find(about);
        finding.map(|finding| finding["suspects"].to_string())
    };
    let cleared = suspects(&report).context("no finding")?;
    ensure!(!cleared.contains("\"service\""), "{cleared}");
    for (word, there, says) in [
        (
            "sql.example",
            value!({ "report": "hub.json", "verdict": "reachable", "cause": null }),
            "reaches it",
        ),
        (
            "crl.example",
            value!({ "report": "hub.json", "verdict": "blocked", "cause": "http-denied" }),
            "does not reach it either (http-denied)",
        ),
    ] {
        let row = list(&report, "endpoints").iter().find(|row| is_about(&row["id"], word));
        ensure!(row.context("no row")?["elsewhere"] == there, "{report:#}");
        let about = |it: &&Value| list(it, "endpoints").iter().any(|id| is_about(id, word));
        let finding = list(&report, "findings").iter().find(about).context("no finding")?;
        let says = format!("hub.json, from another place, {says}");
        ensure!(finding["evidence"].to_string().contains(&says), "{finding:#}");
    }
    // The short report shows it as well, below the fix.
    let text = vm.output("run", &["--timeout", "1s", "--elsewhere", &hub])?;
    let text = String::from_utf8(text.stdout)?;
    let (_, verdict) = text.split_once("\nBLOCKED").context("no verdict")?;
    let words: Vec<&str> = verdict.split_whitespace().collect();
    ensure!(
        words.join(" ").contains("hub.json, from another place, reaches it"),
        "{text}"
    );
    // Results from another place at another time, at another address or in part do not show that the service works.
    let doubts: [(&str, ReportEdit); 3] = [
        ("at another time", |hub, _| {
            hub["started_at"] = value!("2026-01-01T00:00:00Z");
        }),
        ("at an address that was not tried from here", |hub, sql| {
            for connection in hub["endpoints"][sql]["stages"]["tcp"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                connection["address"] = value!("10.99.0.9");
            }
        }),
        ("though not every time", |hub, sql| {
            hub["endpoints"][sql]["verdict"] = value!("degraded");
        }),
    ];
    for (doubt, change) in doubts {
        let report = run_with(&hub_report(vm, &spoke, change)?)?;
        let says = format!("hub.json, from another place, reaches it: it answered there, {doubt}.");
        ensure!(report["findings"].to_string().contains(&says), "{says}: {report:#}");
        let suspects = suspects(&report).context("no finding")?;
        ensure!(suspects.contains("\"service\""), "{doubt}: {suspects}");
    }
    // A redacted report shows nothing about the user's own hosts.
    let report = run_with(&hub_report(vm, &spoke, |hub, _| hub["redacted"] = value!(true))?)?;
    let notices = report["vantage"]["notices"].to_string();
    ensure!(notices.contains("made with --redact"), "{notices}");
    ensure!(
        list(&report, "endpoints").iter().all(|row| row["elsewhere"].is_null()),
        "{report:#}"
    );
    // A report from the same machine is not from another place.
    let report = run_with(&spoke)?;
    let notices = report["vantage"]["notices"].to_string();
    ensure!(notices.contains("it is not another place"), "{notices}");
    ensure!(
        list(&report, "endpoints").iter().all(|row| row["elsewhere"].is_null()),
        "{report:#}"
    );
    let missing = vm.output("run", &["--elsewhere", "/nowhere.json"])?;
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    ensure!(said.contains("--elsewhere: cannot read /nowhere.json"), "{said}");
    ensure_status(&missing, 2)
}
