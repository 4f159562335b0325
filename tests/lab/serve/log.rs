//! `--log`: events as one JSON object per line.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use super::{SQL_SILENT, TestNetwork, WEB_AND_SQL, serve};

const BICEP: &str = include_str!("../../../deploy/azure/log-analytics.bicep");

/// The keys that Log Analytics reserves.
const RESERVED: [&str; 10] = [
    "id",
    "billedsize",
    "isbillable",
    "invalidtimegenerated",
    "tenantid",
    "title",
    "type",
    "uniqueid",
    "computer",
    "filepath",
];

fn lines(path: &Path) -> Result<Vec<Map<String, Value>>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    ensure!(text.is_empty() || text.ends_with('\n'), "the last line is incomplete");
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn of<'a>(lines: &'a [Map<String, Value>], event: &str) -> Vec<&'a Map<String, Value>> {
    lines.iter().filter(|line| line["Event"] == event).collect()
}

pub(super) fn has_every_event() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let pattern = network.path("agent-{day}.jsonl");
    let old = network.write("agent-2020-01-01.jsonl", "{}\n")?;
    let mut served = serve(
        &network,
        &["--interval", "300ms", "--timeout", "1500ms", "--log", &pattern],
    )?;
    served.rounds(2.0)?;
    network.fault(SQL_SILENT)?;
    served.expect(&["reachable -> blocked tcp-timeout"])?;
    served.say(b"nonsense\r\n\r\n")?;
    served.expect(&["bad request from"])?;
    served.rounds(2.0)?;
    let (status, took) = served.terminate()?;
    ensure!(status == Some(0) && took.as_secs() < 1, "{status:?} after {took:?}");
    ensure!(!Path::new(&old).exists(), "an old log file was not deleted");

    let today = jiff::Timestamp::now().to_string();
    let path = pattern.replace("{day}", today.split('T').next().unwrap_or_default());
    let lines = lines(Path::new(&path))?;
    let (rounds, heartbeats) = (of(&lines, "round"), of(&lines, "heartbeat"));
    ensure!(
        rounds.len() >= 4 && heartbeats.len() >= rounds.len(),
        "{} and {}",
        rounds.len(),
        heartbeats.len()
    );
    ensure!(
        rounds[0]["Verdict"] == "reachable" && rounds[0]["Counted"] == 2,
        "{:?}",
        rounds[0]
    );
    let changes = of(&lines, "change");
    ensure!(changes.len() == 1, "{changes:?}");
    for (key, value) in [
        ("Endpoint", "service/sql.example:1433"),
        ("FromVerdict", "reachable"),
        ("ToVerdict", "blocked"),
        ("ToCause", "tcp-timeout"),
        ("Need", "required"),
        ("Finding", "silence/tcp-1433"),
        ("FindingKind", "silence"),
    ] {
        ensure!(
            changes[0].get(key).is_some_and(|it| it == value),
            "{key}: {:?}",
            changes[0]
        );
    }
    let last = rounds.last().context("no round")?;
    ensure!(
        last["FindingKinds"] == serde_json::json!(["silence/required"]) && last["RequiredUntried"] == 0,
        "{last:?}"
    );
    let faults = of(&lines, "fault");
    ensure!(faults.iter().any(|line| line["Fault"] == "request"), "{faults:?}");
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in &lines {
        let time = line["TimeGenerated"].as_str().unwrap_or_default();
        ensure!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 27, "{time}");
        for (key, value) in line {
            let is_name = key.len() <= 45
                && key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            ensure!(
                is_name && key.len() >= 2 && !RESERVED.contains(&key.to_lowercase().as_str()),
                "{key}"
            );
            let kind = match value {
                Value::String(_) => "string",
                Value::Number(_) => "number",
                Value::Array(_) => "dynamic",
                _ => "another",
            };
            kinds.entry(key).or_default().insert(kind);
        }
    }
    // The table and the data collection rule have each key, with its type.
    for (key, kinds) in kinds.iter().filter(|(key, _)| **key != "TimeGenerated") {
        let has = |kind: &str| BICEP.contains(&format!("{{ name: '{key}', type: '{kind}' }}"));
        let is_known = kinds.iter().all(|kind| match *kind {
            "number" => has("long") || has("real"),
            kind => has(kind),
        });
        ensure!(is_known, "{key} {kinds:?} is no column of deploy/azure");
    }
    let mixed: Vec<_> = kinds
        .iter()
        .filter(|(_, kinds)| kinds.len() != 1 || kinds.contains("another"))
        .collect();
    ensure!(mixed.is_empty(), "{mixed:?}");
    Ok(())
}

/// A change is logged even if the full round after it, which would name the cause, is interrupted.
pub(super) fn has_the_last_change() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let log = network.path("agent.jsonl");
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "5s", "--log", &log])?;
    served.rounds(2.0)?;
    network.fault(SQL_SILENT)?;
    served.expect(&["reachable -> blocked tcp-timeout"])?;
    // The full round now waits for a reply.
    let (status, _) = served.terminate()?;
    ensure!(status == Some(0), "{status:?}");
    let lines = lines(Path::new(&log))?;
    let changes = of(&lines, "change");
    ensure!(
        changes.len() == 1 && changes[0]["ToVerdict"] == "blocked",
        "{changes:?}"
    );
    ensure!(
        of(&lines, "round").last().is_some_and(|round| round["Blocked"] == 1),
        "the round with the change is not in the log"
    );
    Ok(())
}

/// Lines that could not be written until the end are reported.
pub(super) fn reports_lost_lines() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let folder = network.path("logs");
    fs::create_dir(&folder)?;
    let log = format!("{folder}/agent.jsonl");
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1500ms", "--log", &log])?;
    served.rounds(2.0)?;
    fs::rename(&folder, network.path("elsewhere"))?;
    served.expect(&["cannot write to", "agent.jsonl"])?;
    served.rounds(2.0)?;
    served.signal("TERM")?;
    served.expect(&["lines of the log that could not be written"])?;
    served.expect(&["ended by a signal"])?;
    Ok(())
}

/// All heartbeats, including the first, name the host and cloud, and the count continues after a reload.
pub(super) fn continues_heartbeats() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let log = network.path("agent.jsonl");
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1500ms", "--log", &log])?;
    for _ in 0..2 {
        served.rounds(3.0)?;
        served.signal("HUP")?;
        served.expect(&["reloaded catalog and documents"])?;
    }
    served.rounds(2.0)?;
    served.signal("TERM")?;
    served.expect(&["ended by a signal"])?;
    let lines = lines(Path::new(&log))?;
    let heartbeats = of(&lines, "heartbeat");
    let rounds: Vec<u64> = heartbeats.iter().filter_map(|line| line["Round"].as_u64()).collect();
    ensure!(
        rounds.first() == Some(&1) && rounds.len() > 7 && rounds.is_sorted(),
        "{rounds:?}"
    );
    for line in heartbeats {
        ensure!(line.contains_key("Host") && line["Cloud"] == "public", "{line:?}");
    }
    Ok(())
}

/// A round in which an endpoint was not tested reports that, and does not count as a success.
pub(super) fn has_untried_endpoints() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let log = network.path("agent.jsonl");
    let served = serve(
        &network,
        &[
            "--interval",
            "500ms",
            "--timeout",
            "5s",
            "--deadline",
            "1s",
            "--log",
            &log,
        ],
    )?;
    served.rounds(2.0)?;
    network.fault(SQL_SILENT)?;
    let untried = "apim_probe_failure_info{id=\"service/sql.example:1433\",cause=\"deadline\"}";
    served.until_metric(untried, 1.0)?;
    let success = "probe_success{id=\"service/sql.example:1433\",dependency=\"service\",need=\"required\"}";
    ensure!(served.metric(success)?.is_none(), "it was not tried");
    served.until("the log reports it", |_| {
        let lines = lines(Path::new(&log))?;
        Ok(of(&lines, "round")
            .iter()
            .any(|round| round["RequiredUntried"] == 1 && round["RequiredBlocked"] == 0))
    })?;
    Ok(())
}

pub(super) fn waits_for_its_folder() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let folder = network.path("logs");
    fs::create_dir(&folder)?;
    let path = Path::new(&folder).join("agent.jsonl");
    let log = path.display().to_string();
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1500ms", "--log", &log])?;
    served.rounds(2.0)?;
    // The folder disappears, and an endpoint changes meanwhile.
    fs::rename(&folder, network.path("elsewhere"))?;
    network.fault(SQL_SILENT)?;
    served.expect(&["cannot write to", "agent.jsonl"])?;
    served.until_metric(
        "apim_probe_failure_info{id=\"service/sql.example:1433\",cause=\"tcp-timeout\"}",
        1.0,
    )?;
    served.rounds(2.0)?;
    ensure!(
        served.metric("apim_probe_log_waiting_lines")?.is_some_and(|n| n >= 4.0),
        "no log line is waiting"
    );
    ensure!(
        served
            .metric("apim_probe_faults_total{kind=\"log\"}")?
            .is_some_and(|n| n >= 1.0),
        "no fault"
    );
    fs::create_dir(&folder)?;
    served.until_metric("apim_probe_log_waiting_lines", 0.0)?;
    let late = lines(&path)?;
    ensure!(
        of(&late, "change").len() == 1 && !of(&late, "fault").is_empty(),
        "{late:?}"
    );
    let early = lines(&Path::new(&network.path("elsewhere")).join("agent.jsonl"))?;
    let rounds: Vec<u64> = [early, late]
        .concat()
        .iter()
        .filter(|line| line["Event"] == "round")
        .filter_map(|line| line["Round"].as_u64())
        .collect();
    ensure!(rounds.is_sorted() && rounds.len() >= 4, "{rounds:?}");
    ensure!(
        rounds[0] <= 1 && rounds.iter().zip(&rounds[1..]).all(|(one, next)| next - one <= 2),
        "{rounds:?}"
    );

    // Log rotation renames the file, and then sends the signal.
    fs::rename(&path, path.with_extension("old"))?;
    served.signal("HUP")?;
    served.until("a new file", |_| Ok(path.exists() && !lines(&path)?.is_empty()))?;
    let (status, _) = served.terminate()?;
    ensure!(status == Some(0), "{status:?}");

    let nowhere = network.path("nowhere/agent.jsonl");
    for (log, status) in [
        (nowhere.as_str(), 4),
        ("/tmp/{day}/{day}.jsonl", 2),
        ("/tmp/{date}.jsonl", 2),
    ] {
        let output = network.command("serve", &["--log", log])?.output()?;
        ensure!(output.status.code() == Some(status), "{log}: {:?}", output.status);
    }
    Ok(())
}
