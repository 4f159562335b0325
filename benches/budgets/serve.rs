//! The cost of a long-running agent, alone and as a fleet: `scripts/bench.sh serve-cpu serve-rounds serve-endpoints
//! serve-fleet`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe_lab::{Lab, LabNetwork, whole_catalog};

use crate::{
    lab_network::{INSTANCE, agent},
    row::Row,
    runs::{largest, median},
};

/// The measurements. Each takes a minute or more.
pub(crate) const NAMES: [&str; 4] = ["serve-cpu", "serve-rounds", "serve-endpoints", "serve-fleet"];

/// Maximum share of one core with the built-in catalog every 60 s, in percent.
const MAX_CPU: f64 = 0.1;
/// Maximum memory of an agent, in megabytes.
const MAX_MEMORY: f64 = 20.0;
/// How much memory may grow between the first third of the rounds and the last, in megabytes.
const MAX_GROWTH: f64 = 0.5;
/// Maximum duration of a scrape, in milliseconds.
const MAX_SCRAPE: f64 = 5.0;
/// Maximum number of series of an agent with the built-in catalog.
const MAX_SERIES: f64 = 800.0;
const ROUNDS: f64 = 10_000.0;
/// How often memory is read during these rounds.
const SAMPLES: u32 = 100;
const ENDPOINTS: u16 = 2_000;
const AGENTS: u32 = 100;
/// Something that grows does not stay the same for this long.
const PATIENCE: Duration = Duration::from_secs(120);
const PROMETHEUS: &str = "127.0.0.1:19090";

/// Runs one of [`NAMES`]; returns whether it was within budget.
pub(crate) fn run(name: &str) -> Result<bool> {
    match name {
        "serve-cpu" => cpu(),
        "serve-rounds" => rounds(),
        "serve-endpoints" => endpoints(),
        "serve-fleet" => fleet(),
        _ => bail!("no measurement is called {name}"),
    }
}

/// The built-in catalog: the cost of a round, and of a scrape.
fn cpu() -> Result<bool> {
    let stage = BenchNetwork::of_builtin()?;
    let agent = stage.serve(&["--interval", "3s"])?;
    agent.until("apim_probe_rounds_total", 2.0)?;
    let (rounds, spent) = (agent.number("apim_probe_rounds_total")?, agent.spent()?);
    thread::sleep(Duration::from_secs(30));
    let rounds = agent.number("apim_probe_rounds_total")? - rounds;
    let each = (agent.spent()? - spent) * 1e3 / rounds;
    let share = Row::new(
        "serve, built-in catalog each 60 s: share of one core",
        each / 600.0,
        "%",
    )
    .at_most(MAX_CPU);
    let mut within = Row::new("  processor time of a round", each, "ms").print() & share.print();

    let began = Instant::now();
    for _ in 0..100 {
        agent.get("/metrics")?;
    }
    let scrape = began.elapsed().as_secs_f64() * 1e3 / 100.0;
    within &= Row::new("  a scrape, from connect to the last byte", scrape, "ms")
        .at_most(MAX_SCRAPE)
        .print();
    let page = agent.get("/metrics")?;
    within &= Row::new("  series", series(&page)?, "").at_most(MAX_SERIES).print();
    within &= Row::new("  page of metrics", f64::from(u32::try_from(page.len())?) / 1e3, "kB").print();
    let resident = agent.number("process_resident_memory_bytes")? / 1e6;
    Ok(within & Row::new("  resident", resident, "MB").at_most(MAX_MEMORY).print())
}

/// Ten thousand rounds, one right after the other: of a small catalog, and of the built-in one with a log.
fn rounds() -> Result<bool> {
    let catalog =
        "- { host: web.example, port: 443, protocol: https }\n- { host: sql.example, port: 1433, protocol: tds }\n";
    let small = BenchNetwork::of_catalog(catalog)?;
    let mut within = flat("a small catalog", &small, &[])?;
    drop(small);
    let whole = BenchNetwork::of_builtin()?;
    let log = whole.lab.folder().join("agent.jsonl").display().to_string();
    within &= flat("the built-in catalog and --log", &whole, &["--log", &log])?;
    let lines = fs::read_to_string(&log)?.lines().count();
    // A heartbeat and a summary each.
    let lines = Row::new("  lines of the log", f64::from(u32::try_from(lines)?), "").at_most(2.0 * ROUNDS + 100.0);
    Ok(within & lines.print())
}

/// Whether memory stays the same over ten thousand rounds.
///
/// Resident memory varies by half a megabyte, because the allocator returns pages with a delay, and serving a page
/// leaves more allocated for a while. So the medians of the first and the last third of the rounds are compared.
fn flat(what: &str, stage: &BenchNetwork, flags: &[&str]) -> Result<bool> {
    let agent = stage.serve(&[&["--interval", "1ms"], flags].concat())?;
    let (began, mut resident) = (Instant::now(), Vec::new());
    println!("  {what}, resident after rounds:");
    for part in 1..=SAMPLES {
        let rounds = ROUNDS * f64::from(part) / f64::from(SAMPLES);
        agent.until("apim_probe_rounds_total", rounds)?;
        let now = agent.number("process_resident_memory_bytes")? / 1e6;
        resident.push(now);
        if part % (SAMPLES / 10) == 0 {
            println!(
                "    {rounds:.0}: {now:.2} MB, after {:.0} s",
                began.elapsed().as_secs_f64()
            );
            for path in ["/", "/report.json"] {
                agent.get(path)?;
            }
        }
    }
    let third = resident.len() / 3;
    let (first, last) = (
        median(resident[..third].to_vec()),
        median(resident[resident.len() - third..].to_vec()),
    );
    let growth = Row::new("serve, growth of memory, first third to last", last - first, "MB").at_most(MAX_GROWTH);
    let most = Row::new("  the most that was resident", largest(resident), "MB").at_most(MAX_MEMORY);
    Ok(growth.print() & most.print())
}

/// Two thousand endpoints every 30 s.
fn endpoints() -> Result<bool> {
    let row = |n| format!("- {{ host: h{n}.example, port: 443, protocol: https }}\n");
    let rows: Vec<String> = (0..ENDPOINTS).map(row).collect();
    let catalog = rows.concat();
    let stage = BenchNetwork::of_catalog(&catalog)?;
    let agent = stage.serve(&["--interval", "30s"])?;
    agent.until("apim_probe_rounds_total", 1.0)?;
    let (rounds, spent) = (agent.number("apim_probe_rounds_total")?, agent.spent()?);
    agent.until("apim_probe_rounds_total", rounds + 2.0)?;
    let each = (agent.spent()? - spent) / 2.0;
    let mut within = Row::new("serve, 2,000 endpoints each 30 s: share of one core", each / 0.3, "%").print();
    for (what, name, scale, unit) in [
        ("  a round", "apim_probe_round_duration_seconds", 1.0, "s"),
        ("  resident", "process_resident_memory_bytes", 1e-6, "MB"),
    ] {
        within &= Row::new(what, agent.number(name)? * scale, unit).print();
    }
    let began = Instant::now();
    let page = agent.get("/metrics")?;
    within &= Row::new("  a scrape", began.elapsed().as_secs_f64() * 1e3, "ms").print();
    Ok(within
        & Row::new("  series", series(&page)?, "")
            .at_most(sample_limit()?)
            .print())
}

/// The samples of a page of metrics.
fn series(page: &str) -> Result<f64> {
    let samples = page.lines().filter(|line| !line.starts_with('#')).count();
    Ok(u32::try_from(samples)?.into())
}

/// The limits of `deploy/prometheus` for one agent: an agent that exceeds them fails every scrape.
fn sample_limit() -> Result<f64> {
    let mut lines = include_str!("../../deploy/prometheus/scrape.yml").lines();
    let limit = lines.find_map(|line| line.trim().strip_prefix("sample_limit: "));
    Ok(limit.context("no sample_limit")?.parse()?)
}

/// A hundred agents on one machine, each with the built-in catalog every 60 s, and one Prometheus that scrapes them and
/// evaluates `deploy/prometheus`.
fn fleet() -> Result<bool> {
    let stage = BenchNetwork::of_builtin()?;
    let agents: Vec<Agent> = (0..AGENTS)
        .map(|_| stage.serve(&["--interval", "60s"]))
        .collect::<Result<_>>()?;
    let folder = stage.lab.folder().join("prometheus");
    fs::create_dir_all(&folder)?;
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/apim-probe.rules.yml");
    let targets: Vec<String> = agents
        .iter()
        .enumerate()
        .map(|(n, agent)| {
            format!(
                "      - {{ targets: ['{}'], labels: {{ instance: spoke-{n} }} }}\n",
                agent.address
            )
        })
        .collect();
    let config = format!(
        "global: {{ scrape_interval: 15s, evaluation_interval: 15s }}\nrule_files: [{rules}]\nscrape_configs:\n  - job_name: \
         apim-probe\n    static_configs:\n{}",
        targets.concat()
    );
    let file = folder.join("prometheus.yml");
    fs::write(&file, config)?;
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .args([&format!("--web.listen-address={PROMETHEUS}"), "--log.level=error"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("prometheus is not installed")?;
    let prometheus = Agent {
        child: prometheus,
        address: PROMETHEUS.parse()?,
    };
    thread::sleep(Duration::from_secs(75));
    let spent = |agents: &[Agent]| agents.iter().map(Agent::spent).sum::<Result<f64>>();
    let (agents_before, prometheus_before, began) = (spent(&agents)?, prometheus.spent()?, Instant::now());
    thread::sleep(Duration::from_secs(120));
    let wall = began.elapsed().as_secs_f64();
    let n = f64::from(AGENTS);
    let share = (spent(&agents)? - agents_before) / wall * 100.0;
    println!("  {AGENTS} agents, built-in catalog each 60 s, scraped every 15 s:");
    let mut within = Row::new("  share of one core of an agent", share / n, "%").print();
    let resident: f64 = agents
        .iter()
        .map(|agent| agent.number("process_resident_memory_bytes"))
        .sum::<Result<f64>>()?;
    within &= Row::new("  resident memory of an agent", resident / n / 1e6, "MB")
        .at_most(MAX_MEMORY)
        .print();
    let own = (prometheus.spent()? - prometheus_before) / wall * 100.0;
    within &= Row::new("  Prometheus: share of one core", own, "%").print();
    for (what, name, scale, unit) in [
        (
            "  Prometheus: resident memory",
            "process_resident_memory_bytes",
            1e-6,
            "MB",
        ),
        ("  Prometheus: series", "prometheus_tsdb_head_series", 1.0, ""),
    ] {
        within &= Row::new(what, prometheus.number(name)? * scale, unit).print();
    }
    let page = prometheus.get("/metrics")?;
    let evaluation: f64 = page
        .lines()
        .filter(|line| line.starts_with("prometheus_rule_group_last_duration_seconds{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    Ok(within & Row::new("  Prometheus: evaluating all rules once", evaluation * 1e3, "ms").print())
}

/// A network in which nothing is wrong.
struct BenchNetwork {
    lab: Lab,
    flags: Vec<String>,
}

impl BenchNetwork {
    fn of_builtin() -> Result<Self> {
        let lab = Lab::enter(&LabNetwork::default())?;
        lab.serve_plan(agent(), INSTANCE, &LabNetwork::default())?;
        Ok(Self {
            lab,
            flags: INSTANCE.map(str::to_owned).to_vec(),
        })
    }

    fn of_catalog(endpoints: &str) -> Result<Self> {
        let lab = Lab::enter(&LabNetwork::default())?;
        let catalog = lab
            .write("probes.yaml", &whole_catalog(endpoints))?
            .display()
            .to_string();
        let flags = ["--no-metadata", "--no-builtin", "--probes", &catalog]
            .map(str::to_owned)
            .to_vec();
        lab.serve_plan(agent(), &flags, &LabNetwork::default())?;
        Ok(Self { lab, flags })
    }

    /// An agent that is listening.
    fn serve(&self, flags: &[&str]) -> Result<Agent> {
        let mut command = self.lab.agent(agent())?;
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(&self.flags)
            .arg("--ca-file")
            .arg(self.lab.ca_file()?)
            .args(flags);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let line = loop {
            let line = lines.next().context("it ended")??;
            if line.contains("listening on ") {
                break line;
            }
        };
        // The rest of its output is ignored, but must not block it.
        thread::spawn(move || lines.count());
        let (_, rest) = line.split_once("://").context("no address")?;
        let address = rest.split(',').next().unwrap_or_default().parse()?;
        Ok(Agent { child, address })
    }
}

/// A program with a page of metrics, an agent or Prometheus.
struct Agent {
    child: Child,
    address: SocketAddr,
}

impl Agent {
    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(10))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: agent\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.contains(" 200 "), "{path}: {head}");
        Ok(body.to_owned())
    }

    /// A sample of its metrics without labels.
    fn number(&self, name: &str) -> Result<f64> {
        let page = self.get("/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.with_context(|| format!("{name} is not there"))?.parse()?)
    }

    fn spent(&self) -> Result<f64> {
        self.number("process_cpu_seconds_total")
    }

    /// Waits until something stops growing.
    fn until(&self, name: &str, least: f64) -> Result<()> {
        let (mut since, mut reached) = (Instant::now(), f64::MIN);
        loop {
            let value = self.number(name)?;
            if value >= least {
                return Ok(());
            }
            if value > reached {
                (since, reached) = (Instant::now(), value);
            }
            ensure!(since.elapsed() < PATIENCE, "{name} stays at {value}");
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
