//! The cost of a program: wall clock, processor time, memory.
//!
//! A child's peak memory starts at its parent's size when it forked, and the lab is large. So a small process runs in
//! between: this program is started again only to start the measured one and read the kernel's figures about it.

use std::{
    env,
    ffi::OsString,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde::{Deserialize, Serialize};

/// The first argument of the process in between; the rest is the command that it measures.
const MEASURE: &str = "--measure";

/// What one run of a program cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResourceUsage {
    /// From start to end, in milliseconds.
    pub wall_ms: f64,
    /// Processor time, including the kernel's, in milliseconds.
    pub cpu_ms: f64,
    /// Peak resident memory, in megabytes.
    pub peak_mb: f64,
    /// The exit status; `None` after a signal.
    pub status: Option<i32>,
    /// What it wrote to stderr.
    #[serde(skip)]
    pub said: String,
}

impl ResourceUsage {
    /// Runs a program with its arguments. `between` starts this program again, for example on the lab's VM; its `main`
    /// must begin with [`ResourceUsage::account`].
    pub fn of(mut between: Command, program: &Command) -> Result<Self> {
        between.arg(MEASURE).arg(program.get_program()).args(program.get_args());
        let output = between.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{program:?} could not be measured: {said}");
        let cost: Self = serde_json::from_slice(&output.stdout).context("the account of the process in between")?;
        Ok(Self { said, ..cost })
    }

    /// The process in between: runs the command in its arguments, and prints the cost. `None` in any other process.
    pub fn account() -> Option<Result<()>> {
        let mut arguments = env::args_os().skip(1);
        (arguments.next()? == MEASURE).then(|| print_cost(arguments))
    }
}

fn print_cost(mut arguments: impl Iterator<Item = OsString>) -> Result<()> {
    let mut command = Command::new(arguments.next().context("nothing to measure")?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = usage.user_time() + usage.system_time();
    let cost = ResourceUsage {
        wall_ms: wall.as_secs_f64() * 1e3,
        cpu_ms: float(cpu.num_microseconds()) / 1e3,
        peak_mb: float(usage.max_rss()) * 1024.0 / 1e6,
        status: status.code(),
        said: String::new(),
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "microseconds and kilobytes are far from 2^53")]
fn float(count: i64) -> f64 {
    count as f64
}
