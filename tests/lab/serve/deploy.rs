//! The files of `deploy/`, compared with the metrics of a real agent.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    SQL_SILENT, TestNetwork, WEB_AND_SQL,
    access::TestCa,
    serve,
    serving_agent::{Answer, Served, say},
};

const RULES: &str = include_str!("../../../deploy/prometheus/apim-probe.rules.yml");
const SCRAPE: &str = include_str!("../../../deploy/prometheus/scrape.yml");
const BOARD: &str = include_str!("../../../deploy/grafana/apim-probe.json");
const DOCS: &str = include_str!("../../../docs/serve.md");

/// `serve` after its first round, in a network in which SQL does not reply. It writes a log, so that all metrics exist.
fn served() -> Result<(TestNetwork, Served)> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    network.fault(SQL_SILENT)?;
    let log = network.path("agent.jsonl");
    let served = serve(&network, &["--interval", "1s", "--timeout", "1s", "--log", &log])?;
    served.until("the first round is over", |it| Ok(it.get("/-/ready")?.status == 200))?;
    Ok((network, served))
}

/// The words in a text that look like metric names.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    text.split(|c| !is_part(c))
        .filter(|word| {
            ["probe_", "apim_probe", "process_"]
                .iter()
                .any(|start| word.starts_with(start))
        })
        .filter(|word| !word.ends_with('_') && word.len() > "apim_probe".len())
        .collect()
}

pub(super) fn series() -> Result<()> {
    let (_stage, served) = served()?;
    let page = served.get("/metrics")?.body;
    let shown: BTreeSet<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    ensure!(shown.len() > 20, "{shown:?}");
    let recorded: BTreeSet<&str> = RULES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    let board: Value = serde_json::from_str(BOARD)?;
    let mut queries = Vec::new();
    expressions(&board, &mut queries);
    ensure!(queries.len() > 10, "{queries:?}");
    for (what, text) in [
        ("the rules", RULES),
        ("the board", &queries.join("\n")),
        ("docs/serve.md", DOCS),
    ] {
        for name in names(text) {
            let is_there = shown.contains(name) || recorded.contains(name);
            ensure!(is_there, "{what}: {name} is not a metric of\n{page}");
        }
    }
    let documented = names(DOCS);
    let unsaid: Vec<_> = shown.iter().filter(|name| !documented.contains(*name)).collect();
    ensure!(unsaid.is_empty(), "docs/serve.md does not mention {unsaid:?}");
    Ok(())
}

fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(["expr", "query"].iter().filter_map(|key| map.get(*key)?.as_str()));
            map.values().for_each(|value| expressions(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

pub(super) fn promtool() -> Result<()> {
    let (_stage, served) = served()?;
    let page = served.get("/metrics")?.body;
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    tool.stdin
        .take()
        .context("stdin is piped")?
        .write_all(page.as_bytes())?;
    let output = tool.wait_with_output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success() && said.is_empty(), "{said}\n{page}");
    Ok(())
}

/// A program that is killed when this value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `serve` as deploy/prometheus/scrape.yml scrapes it: over TLS, with a password hash of the usual cost.
fn served_over_tls(network: &TestNetwork) -> Result<Served> {
    let authority = TestCa::new()?;
    let (chain, key) = authority.issue("127.0.0.1")?;
    network.write("ca.pem", &authority.pem())?;
    network.write("agent.pem", &chain)?;
    network.write("agent.key", &key)?;
    network.write("password", "secret\n")?;
    let hash = bcrypt::hash("secret", 10)?;
    let config = network.write(
        "web.yml",
        &format!(
            "tls_server_config: {{ cert_file: agent.pem, key_file: agent.key }}\nbasic_auth_users: {{ prometheus: {hash} }}\n"
        ),
    )?;
    serve(
        network,
        &["--interval", "1s", "--timeout", "1s", "--web-config", &config],
    )
}

pub(super) fn prometheus() -> Result<()> {
    let (network, served) = served()?;
    let served_over_tls = served_over_tls(&network)?;
    let folder = network.path("prometheus");
    fs::create_dir(&folder)?;
    fs::write(format!("{folder}/apim-probe.rules.yml"), RULES)?;
    let mut config: String = SCRAPE
        .lines()
        .filter(|line| !line.contains("10.2.0.4"))
        .flat_map(|line| [line, "\n"])
        .collect();
    for (of, here) in [
        ("evaluation_interval: 1m", "evaluation_interval: 1s"),
        ("scrape_interval: 60s", "scrape_interval: 1s"),
        ("/etc/prometheus/apim-probe-ca.pem", &network.path("ca.pem")),
        ("/etc/prometheus/apim-probe.password", &network.path("password")),
        ("\"10.1.0.4:9733\"", &format!("\"{}\"", served_over_tls.address)),
    ] {
        ensure!(config.contains(of), "{of} is not in\n{config}");
        config = config.replace(of, here);
    }
    let file = format!("{folder}/prometheus.yml");
    fs::write(&file, config)?;
    let child = Command::new("prometheus")
        .arg(format!("--config.file={file}"))
        .arg(format!("--storage.tsdb.path={folder}/data"))
        .args(["--web.listen-address=127.0.0.1:19090", "--log.level=error"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let _running = Running(child);
    let ask = |query: &str| -> Result<Vec<Value>> {
        let query: String = query
            .bytes()
            .flat_map(|byte| ["%".to_owned(), format!("{byte:02x}")])
            .collect();
        let text = say(
            ([127, 0, 0, 1], 19_090).into(),
            format!("GET /api/v1/query?query={query} HTTP/1.0\r\nHost: prometheus\r\n\r\n").as_bytes(),
        )?;
        let answer: Value = serde_json::from_str(&Answer::read(&text)?.body)?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    };
    for (query, samples) in [
        ("up{job=\"apim-probe\"} == 1", 1),
        (
            "apim_probe_failure_info{cause=\"tcp-timeout\", instance=\"spoke-a\"}",
            1,
        ),
        ("apim_probe:required_failing:count == 1", 1),
        ("apim_probe:finding_agents:count{kind=\"silence\"} == 1", 1),
        (
            "ALERTS{alertname=\"ApimProbeRequiredBlocked\", alertstate=\"pending\"}",
            1,
        ),
        ("scrape_duration_seconds < 1", 1),
    ] {
        served.until(query, |_| Ok(ask(query).is_ok_and(|found| found.len() == samples)))?;
    }
    network.repair()?;
    for query in [
        "apim_probe:required_failing:count == 0",
        "probe_success{dependency=\"service\"} == 1",
    ] {
        served.until(query, |_| Ok(ask(query).is_ok_and(|found| !found.is_empty())))?;
    }
    served.until("no alert is left", |_| {
        Ok(ask("ALERTS{alertname!=\"ApimProbeFaults\"}").is_ok_and(|found| found.is_empty()))
    })?;
    Ok(())
}
