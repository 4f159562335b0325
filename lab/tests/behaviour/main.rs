//! The lab behaves as described: every service and every fault, tested from the VM with simple clients.

mod clients;
mod dns;
mod faults;
mod firewalls;
mod relay;
mod services;
mod tls;
mod vm;

use std::process::ExitCode;

use anyhow::{Context, Result};
use apim_probe_lab::{self as lab, Lab, LabNetwork};
use libtest_mimic::Arguments;

/// One test: a network in YAML, and what a client sees in it.
struct LabTest {
    name: &'static str,
    needs_nft: bool,
    network: &'static str,
    check: fn(&Lab) -> Result<()>,
}

const fn test(name: &'static str, network: &'static str, check: fn(&Lab) -> Result<()>) -> LabTest {
    LabTest {
        name,
        needs_nft: false,
        network,
        check,
    }
}

const fn test_with_nft(name: &'static str, network: &'static str, check: fn(&Lab) -> Result<()>) -> LabTest {
    LabTest {
        name,
        needs_nft: true,
        network,
        check,
    }
}

fn tests() -> impl Iterator<Item = &'static LabTest> {
    [
        dns::TESTS,
        faults::TESTS,
        firewalls::TESTS,
        relay::TESTS,
        services::TESTS,
        tls::TESTS,
        vm::TESTS,
    ]
    .into_iter()
    .flatten()
}

fn main() -> ExitCode {
    if let Some(job) = lab::job() {
        return lab::exit_code(keep(&job));
    }
    let mut arguments = Arguments::from_args();
    // The tests mostly wait for timeouts.
    arguments.test_threads.get_or_insert(16);
    let forbidden = lab::forbidden();
    let trials = tests().map(|test| {
        let why = forbidden
            .clone()
            .or_else(|| lab::lacks_nft().filter(|_| test.needs_nft));
        lab::trial(test.name, test.name, why)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn keep(name: &str) -> Result<()> {
    let test = tests().find(|test| test.name == name).context("no such test")?;
    let network: LabNetwork = serde_yaml::from_str(test.network)?;
    let lab = Lab::enter(&network)?;
    lab.serve(&network)?;
    (test.check)(&lab)
}
