//! The lab behaves as described: every service and every fault, tested on the wire from the VM, with the simplest
//! clients.

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
use apim_probe_lab::{self as lab, Lab, Network};
use libtest_mimic::Arguments;

/// One promise: a network in YAML, and what a client sees in it.
struct Promise {
    name: &'static str,
    needs_nft: bool,
    network: &'static str,
    check: fn(&Lab) -> Result<()>,
}

const fn promise(name: &'static str, network: &'static str, check: fn(&Lab) -> Result<()>) -> Promise {
    Promise {
        name,
        needs_nft: false,
        network,
        check,
    }
}

const fn promise_of_nft(name: &'static str, network: &'static str, check: fn(&Lab) -> Result<()>) -> Promise {
    Promise {
        name,
        needs_nft: true,
        network,
        check,
    }
}

fn promises() -> impl Iterator<Item = &'static Promise> {
    [
        dns::PROMISES,
        faults::PROMISES,
        firewalls::PROMISES,
        relay::PROMISES,
        services::PROMISES,
        tls::PROMISES,
        vm::PROMISES,
    ]
    .into_iter()
    .flatten()
}

fn main() -> ExitCode {
    if let Some(job) = lab::job() {
        return lab::exit_code(keep(&job));
    }
    let mut arguments = Arguments::from_args();
    // The promises mostly wait.
    arguments.test_threads.get_or_insert(16);
    let forbidden = lab::forbidden();
    let trials = promises().map(|promise| {
        let why = forbidden
            .clone()
            .or_else(|| lab::lacks_nft().filter(|_| promise.needs_nft));
        lab::trial(promise.name, promise.name, why)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn keep(name: &str) -> Result<()> {
    let promise = promises()
        .find(|promise| promise.name == name)
        .context("no such promise")?;
    let network: Network = serde_yaml::from_str(promise.network)?;
    let lab = Lab::enter(&network)?;
    lab.serve(&network)?;
    (promise.check)(&lab)
}
