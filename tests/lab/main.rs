//! The real agent in the lab: the fault matrix, what it guarantees in every network, and `watch`, `serve` and `path`.
//!
//! `cargo test --test lab scenarios/tls/` runs the scenarios of one folder.

mod generated;
mod guarantees;
mod path_command;
mod platform;
mod scenarios;
mod serve;
mod watch;
mod watching_agent;

use std::process::ExitCode;

use anyhow::{Result, bail};
use apim_probe_lab::{self as lab, Forbidden};
use libtest_mimic::{Arguments, Trial};

const AGENT: &str = env!("CARGO_BIN_EXE_apim-probe");

/// A group of tests. Each is named `group/test`, which is also the name of the job that runs it in a separate lab.
struct TestGroup {
    name: &'static str,
    /// How many of them run at once unless the command line sets it.
    threads: usize,
    /// All of them; the argument is why no lab can be created, if so.
    trials: fn(Option<&Forbidden>) -> Vec<Trial>,
    /// Runs the one with this name.
    run: fn(&str) -> Result<()>,
}

const GROUPS: [TestGroup; 7] = [
    TestGroup {
        name: "scenarios",
        // They mostly wait for timeouts.
        threads: 16,
        trials: scenarios::trials,
        run: scenarios::run,
    },
    TestGroup {
        name: "generated",
        threads: 4,
        trials: generated::trials,
        run: generated::run,
    },
    TestGroup {
        name: "guarantees",
        threads: 4,
        trials: guarantees::trials,
        run: guarantees::run,
    },
    TestGroup {
        name: "platform",
        threads: 2,
        trials: platform::trials,
        run: platform::run,
    },
    TestGroup {
        name: "watch",
        threads: 2,
        trials: watch::trials,
        run: watch::run,
    },
    TestGroup {
        name: "serve",
        threads: 2,
        trials: serve::trials,
        run: serve::run,
    },
    TestGroup {
        name: "path",
        threads: 8,
        trials: path_command::trials,
        run: path_command::run,
    },
];

fn main() -> ExitCode {
    if let Some(account) = lab::ResourceUsage::account() {
        return lab::exit_code(account);
    }
    if let Some(job) = lab::job() {
        return lab::exit_code(run(&job));
    }
    let given = Arguments::from_args();
    let forbidden = lab::forbidden();
    let mut failed = false;
    for group in GROUPS {
        let trials = (group.trials)(forbidden.as_ref());
        if trials.iter().all(|trial| given.is_filtered_out(trial)) {
            continue;
        }
        let mut arguments = given.clone();
        arguments.test_threads.get_or_insert(group.threads);
        failed |= libtest_mimic::run(&arguments, trials).has_failed();
    }
    ExitCode::from(u8::from(failed))
}

fn run(job: &str) -> Result<()> {
    for group in GROUPS {
        if let Some(name) = job.strip_prefix(group.name).and_then(|rest| rest.strip_prefix('/')) {
            return (group.run)(name);
        }
    }
    bail!("no test is called {job}")
}

/// A test that runs the job of the same name.
fn trial(name: String, obstacle: Option<&Forbidden>) -> Trial {
    lab::trial(name.clone(), name, obstacle.cloned())
}

/// Why a test that may need nftables cannot run.
fn obstacle(forbidden: Option<&Forbidden>, needs_nft: bool) -> Option<Forbidden> {
    forbidden.cloned().or_else(|| lab::lacks_nft().filter(|_| needs_nft))
}
