//! What a watch costs that goes on for days, measured in the lab: `cargo bench --bench watch`, or `APIM_PROBE=FILE` in
//! front of it for another binary than cargo's. The exit status is 1 if a budget is exceeded.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{self as lab, Lab, Network, healthy};

/// Names the program to be measured.
const AGENT: &str = "APIM_PROBE";
/// What names the parts of an instance, so that nothing of the catalog is left out for want of a name.
const INSTANCE: [&str; 11] = [
    "--no-metadata",
    "--region",
    "westeurope",
    "--set",
    "storage_account=apimst",
    "--set",
    "sql_server=apirpsql",
    "--set",
    "key_vault=vault",
    "--set",
    "event_hub_namespace=hubs",
];
/// The largest share of one core at the default interval, in percent.
const MAX_CPU: f64 = 1.0;
/// What memory may grow by between the tenth part of the rounds and the last, in megabytes: one page of a heap here, one
/// there.
const MAX_GROWTH: f64 = 0.5;
/// How many rounds that takes.
const ROUNDS: u32 = 1_000;
const PARTS: u32 = 10;
const PART: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let within = match lab::job() {
        Some(job) if job == "cpu" => cpu(),
        Some(_) => memory(),
        None => all(),
    };
    lab::exit_code(within.map(|within| ExitCode::from(u8::from(!within))))
}

/// One lab for each measurement.
fn all() -> Result<bool> {
    lab::probe()?;
    let mut within = true;
    for job in ["cpu", "memory"] {
        within &= lab::rerun(job)?.status()?.success();
    }
    Ok(within)
}

/// At the default interval, from the first round on: a minute of it.
fn cpu() -> Result<bool> {
    let stage = Stage::set()?;
    let mut watch = stage.watch(&[])?;
    let (started, before) = (Instant::now(), processor_time(&watch)?);
    thread::sleep(Duration::from_secs(60));
    let (wall, spent) = (started.elapsed(), processor_time(&watch)?.saturating_sub(before));
    let rounds = interrupt(&mut watch)?;
    ensure!(rounds >= 12, "{rounds} rounds in {wall:?}");
    let share = 100.0 * spent.as_secs_f64() / wall.as_secs_f64();
    let what = "watch, built-in catalog, every 5 s: share of one core";
    Ok(row(what, share, "%", Some(MAX_CPU)) & row("  processor time of a round", per(spent, rounds), "ms", None))
}

/// More than a thousand rounds, one right after the other.
fn memory() -> Result<bool> {
    let stage = Stage::set()?;
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
    Ok(row(what, last - first, "MB", Some(MAX_GROWTH)) & row("  its memory at the end", last, "MB", None))
}

/// A network in which nothing is wrong.
struct Stage(Lab);

impl Stage {
    fn set() -> Result<Self> {
        let lab = Lab::enter(&Network::default())?;
        let list = lab
            .agent(agent())?
            .args(["list", "--format", "json"])
            .args(INSTANCE)
            .output()?;
        ensure!(list.status.success(), "list: {}", String::from_utf8_lossy(&list.stderr));
        lab.serve(&healthy(&String::from_utf8(list.stdout)?, &Network::default())?)?;
        Ok(Self(lab))
    }

    /// A watch that has its first round behind it.
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

fn agent() -> OsString {
    env::var_os(AGENT).unwrap_or_else(|| env!("CARGO_BIN_EXE_apim-probe").into())
}

/// Ends a watch as Ctrl-C does; gives the number of its rounds. Nothing may have changed.
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
fn processor_time(watch: &Child) -> Result<Duration> {
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

/// Prints a figure; says whether it is within its budget.
fn row(what: &str, measured: f64, unit: &str, budget: Option<f64>) -> bool {
    let limit = budget.map_or_else(String::new, |budget| {
        let word = if measured <= budget { "ok" } else { "OVER" };
        format!("  of {budget:>7.2}  {word}")
    });
    println!("  {what:<56} {measured:>8.2} {unit:<2}{limit}");
    budget.is_none_or(|budget| measured <= budget)
}
