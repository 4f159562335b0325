//! The agent's budgets, measured in the lab: `scripts/bench.sh` builds the static binary and runs this on it.
//!
//! `cargo bench` alone measures the binary that cargo builds with it, `APIM_PROBE=FILE cargo bench` any other. Further
//! arguments select the measurements: `cargo bench -- healthy`. The exit status is 1 if a budget is exceeded; on a
//! machine that is not idle, wall clock and ratios mean little.

mod baseline_loop;
mod blackbox;
mod lab_network;
mod row;
mod rules;
mod runs;
mod serve;
mod watch;

use std::{
    env, fs,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{self as lab, ResourceUsage};

use self::{lab_network::agent, row::Row, runs::median};

// As in the agent, so that the ratio to the bare loop shows what the agent does with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Maximum size of the binary in bytes: it must be copied into locked networks.
const MAX_BYTES: f64 = 11e6;
/// Maximum time to start, in milliseconds.
const MAX_START: f64 = 10.0;

fn main() -> ExitCode {
    if let Some(account) = ResourceUsage::account() {
        return lab::exit_code(account);
    }
    let role = env::args().nth(1).unwrap_or_default();
    let within = match (role.as_str(), lab::job()) {
        (baseline_loop::BARE, _) => baseline_loop::visit_arguments().map(|()| true),
        (_, Some(job)) if watch::NAMES.contains(&job.as_str()) => watch::run(&job),
        (_, Some(job)) if serve::NAMES.contains(&job.as_str()) => serve::run(&job),
        (_, Some(job)) => runs::run(&job, &agent()),
        (_, None) => all(),
    };
    lab::exit_code(within.map(|within| ExitCode::from(u8::from(!within))))
}

/// One lab for each measurement; returns whether everything was within budget.
fn all() -> Result<bool> {
    lab::probe()?;
    // Cargo adds a flag.
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    println!("{}", agent().display());
    let mut within = true;
    if is_wanted("binary") {
        within &= binary()?;
    }
    if is_wanted("rules") {
        within &= rules::all(&agent())?;
    }
    // Minutes of watching are only run on request.
    let watches = watch::NAMES
        .into_iter()
        .chain(serve::NAMES)
        .filter(|name| wanted.iter().any(|word| word == name));
    for name in runs::NAMES.into_iter().filter(|name| is_wanted(name)).chain(watches) {
        within &= lab::rerun(name)?.status()?.success();
    }
    Ok(within)
}

/// What can be seen without a network.
fn binary() -> Result<bool> {
    let agent = agent();
    let meta = fs::metadata(&agent).with_context(|| agent.display().to_string())?;
    let bytes = u32::try_from(meta.len()).context("a binary of gigabytes")?;
    let mut starts = Vec::new();
    for _ in 0..20 {
        let mut version = Command::new(&agent);
        version.arg("--version");
        let cost = ResourceUsage::of(Command::new(env::current_exe()?), &version)?;
        ensure!(cost.status == Some(0), "--version ended with {:?}", cost.status);
        starts.push(cost.wall_ms);
    }
    let size = Row::new("size of the binary", f64::from(bytes) / 1e6, "MB").at_most(MAX_BYTES / 1e6);
    let start = Row::new("start, until --version has ended", median(starts), "ms").at_most(MAX_START);
    Ok(size.print() & start.print())
}
