//! The cost of a watch that runs for days: `scripts/bench.sh watch-cpu watch-memory`.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe_lab::{Lab, LabNetwork};

use crate::{
    lab_network::{INSTANCE, agent},
    row::Row,
};

/// The interval of a watch, how long it is measured, and the maximum share of one core, in percent.
const SHARES: [(&str, Duration, f64); 2] = [
    // By default.
    ("5s", Duration::from_secs(60), 1.0),
    ("60s", Duration::from_secs(180), 0.1),
];
/// How much memory may grow between the first tenth of the rounds and the last round, in megabytes: a few pages of
/// heap.
const MAX_GROWTH: f64 = 0.5;
/// How many rounds are needed for that.
const ROUNDS: u32 = 1_000;
const PARTS: u32 = 10;
const PART: Duration = Duration::from_secs(10);

/// The measurements. Each takes a minute or more.
pub(crate) const NAMES: [&str; 2] = ["watch-cpu", "watch-memory"];

/// Runs one of [`NAMES`]; returns whether it was within budget.
pub(crate) fn run(name: &str) -> Result<bool> {
    match name {
        "watch-cpu" => cpu(),
        "watch-memory" => memory(),
        _ => bail!("no measurement is called {name}"),
    }
}

/// Minutes of it, starting with the first round.
fn cpu() -> Result<bool> {
    let stage = BenchNetwork::set()?;
    let mut within = true;
    for (interval, duration, most) in SHARES {
        let mut watch = stage.watch(&["--interval", interval])?;
        let (started, before) = (Instant::now(), processor_time(&watch)?);
        thread::sleep(duration);
        let (wall, spent) = (started.elapsed(), processor_time(&watch)?.saturating_sub(before));
        let rounds = interrupt(&mut watch)?;
        ensure!(rounds >= 3, "{rounds} rounds in {wall:?}");
        let share = 100.0 * spent.as_secs_f64() / wall.as_secs_f64();
        let what = format!("watch, built-in catalog, every {interval}: share of one core");
        within &= Row::new(what, share, "%").at_most(most).print();
        Row::new("  processor time of a round", per(spent, rounds - 1), "ms").print();
    }
    Ok(within)
}

/// More than a thousand rounds, one right after the other.
fn memory() -> Result<bool> {
    let stage = BenchNetwork::set()?;
    let mut watch = stage.watch(&["--interval", "1ms"])?;
    let mut resident = Vec::new();
    for _ in 0..PARTS {
        thread::sleep(PART);
        resident.push(resident_mb(&watch)?);
    }
    let rounds = interrupt(&mut watch)?;
    ensure!(
        rounds >= ROUNDS,
        "this machine is too busy: {rounds} rounds in {:?}",
        PART * PARTS
    );
    println!("  resident after each tenth of {rounds} rounds, MB: {resident:.2?}");
    let (first, last) = (resident[0], resident[resident.len() - 1]);
    let what = "watch, growth of memory over nine tenths of them";
    let growth = Row::new(what, last - first, "MB").at_most(MAX_GROWTH);
    Ok(growth.print() & Row::new("  its memory at the end", last, "MB").print())
}

/// A network in which nothing is wrong.
struct BenchNetwork(Lab);

impl BenchNetwork {
    fn set() -> Result<Self> {
        let lab = Lab::enter(&LabNetwork::default())?;
        lab.serve_plan(agent(), INSTANCE, &LabNetwork::default())?;
        Ok(Self(lab))
    }

    /// A watch after its first round.
    fn watch(&self, flags: &[&str]) -> Result<Child> {
        let mut command = self.0.agent(agent())?;
        command
            .arg("watch")
            .args(INSTANCE)
            .arg("--ca-file")
            .arg(self.0.ca_file()?);
        let mut child = command.args(flags).arg("--quiet").stdout(Stdio::piped()).spawn()?;
        let mut opening = [0];
        child.stdout.as_mut().context("no stdout")?.read_exact(&mut opening)?;
        Ok(child)
    }
}

/// Ends a watch like Ctrl-C; returns the number of its rounds. Nothing may have changed.
fn interrupt(watch: &mut Child) -> Result<u32> {
    let done = Command::new("kill").args(["-INT", &watch.id().to_string()]).status()?;
    ensure!(done.success(), "kill -INT");
    let stdout = BufReader::new(watch.stdout.take().context("no stdout")?);
    let lines: Vec<String> = stdout.lines().collect::<Result<_, _>>()?;
    watch.wait()?;
    let summary = lines.iter().find(|line| line.starts_with("watched for "));
    let summary = summary.with_context(|| lines.join("\n"))?;
    ensure!(summary.ends_with(": 0 changes"), "{}", lines.join("\n"));
    let rounds = summary.split(" in ").nth(1).and_then(|rest| rest.split(' ').next());
    rounds
        .and_then(|rounds| rounds.parse().ok())
        .context("no rounds in the summary")
}

/// User and system time: the 14th and 15th field of `/proc/PID/stat` (proc(5)), in hundredths of a second.
pub(crate) fn processor_time(watch: &Child) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", watch.id()))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name in the stat file")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn resident_mb(watch: &Child) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", watch.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u32 = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kilobytes) * 1024.0 / 1e6)
}

fn per(time: Duration, rounds: u32) -> f64 {
    time.as_secs_f64() * 1e3 / f64::from(rounds)
}
