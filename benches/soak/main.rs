//! The whole catalog, hundreds of times, over lines that lose packets and in networks that lose every second flow:
//! which endpoints are called blocked although nothing blocks them, and which statements are confident.
//!
//! `cargo bench --bench soak` runs everything, with hours of waiting and minutes of computing; `-- loss-2 half` selects
//! networks, `--runs 20` and `--jobs 8` set how often and how many at once. Each run is in a separate lab, whose random
//! choices are drawn from the number of the run: the same number gives the same losses, as long as the agent sends the
//! same packets. `APIM_PROBE=FILE` measures another binary. The exit status is 1 if there are more errors than allowed.

mod false_alarms;

use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe_lab::{
    self as lab, Lab, LabNetwork,
    network::{FaultAction, FaultCondition, InjectedFault, ServiceAddress},
};

use self::false_alarms::{Statements, Sum};

/// Names for the parts of an instance, so that nothing in the catalog is skipped because a name is missing.
const PLAN: [&str; 11] = [
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

/// A network in which everything is allowed, and the permitted errors.
struct NetworkKind {
    name: &'static str,
    what: &'static str,
    runs: u64,
    /// The share of packets that are lost, in each direction.
    loss: f64,
    /// The share of flows that are lost.
    flows: f64,
    /// How many of a hundred endpoints may be called blocked without a finding that explains it by the line.
    most_blocked: f64,
}

const NETWORKS: [NetworkKind; 6] = [
    kind("loss-0", "nothing is lost", 200, 0.0, 0.0, 0.0),
    kind("loss-2", "2 % of the packets, each way", 200, 0.02, 0.0, 0.0),
    kind("loss-5", "5 % of the packets, each way", 200, 0.05, 0.0, 0.5),
    kind("half", "half of the flows", 200, 0.0, 0.5, 0.0),
    kind("loss-10", "10 % of the packets, each way", 50, 0.10, 0.0, 1.0),
    kind("loss-20", "20 % of the packets, each way", 50, 0.20, 0.0, 100.0 / 60.0),
];

const fn kind(
    name: &'static str,
    what: &'static str,
    runs: u64,
    loss: f64,
    flows: f64,
    most_blocked: f64,
) -> NetworkKind {
    NetworkKind {
        name,
        what,
        runs,
        loss,
        flows,
        most_blocked,
    }
}

fn main() -> ExitCode {
    if let Some(job) = lab::job() {
        return lab::exit_code(one_run(&job));
    }
    lab::exit_code(all().map(|is_well| ExitCode::from(u8::from(!is_well))))
}

/// One run in a separate lab; prints the results on stdout. The job is named like `loss-2/17`.
fn one_run(job: &str) -> Result<()> {
    let (name, number) = job.split_once('/').context("no number")?;
    let kind = NETWORKS
        .iter()
        .find(|kind| kind.name == name)
        .context("no such network")?;
    let network = kind.network(number.parse()?);
    let agent = agent();
    let lab = Lab::enter(&network)?;
    lab.serve_plan(&agent, PLAN, &network)?;
    let mut run = lab.agent(&agent)?;
    run.args(["run", "--format", "json", "--quiet"])
        .args(PLAN)
        .arg("--ca-file")
        .arg(lab.ca_file()?);
    let output = run.output()?;
    let seen = Statements::of(&output.stdout)
        .with_context(|| format!("{job}: {}", String::from_utf8_lossy(&output.stderr)))?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

impl NetworkKind {
    fn network(&self, seed: u64) -> LabNetwork {
        let mut network = LabNetwork::default();
        network.link.seed = seed;
        network.link.count_flows = true;
        let everybody = || ServiceAddress {
            port: None,
            ..ServiceAddress::tcp("*", 0)
        };
        let mut lose = |when| {
            network.faults.push(InjectedFault {
                when,
                ..InjectedFault::always(everybody(), FaultAction::Drop)
            });
        };
        if self.loss > 0.0 {
            lose(FaultCondition {
                packet_share: Some(self.loss),
                ..FaultCondition::default()
            });
        }
        if self.flows > 0.0 {
            lose(FaultCondition {
                flow_share: Some(self.flows),
                ..FaultCondition::default()
            });
        }
        network
    }

    /// Runs it this often, with this many at once; returns whether everything is as allowed.
    fn soak(&self, runs: u64, jobs: u64) -> Result<bool> {
        let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
        let work = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return Ok(());
                }
                let job = format!("{}/{number}", self.name);
                let output = lab::rerun(&job)?.output()?;
                ensure!(
                    output.status.success(),
                    "{job}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                let seen = serde_json::from_slice(&output.stdout).with_context(|| job.clone())?;
                sum.lock().expect("nobody panics with it").add(&job, seen);
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(done) => done,
                Err(_) => bail!("a worker panicked"),
            })
        })?;
        let sum = sum.into_inner().expect("nobody panics with it");
        println!("{}", sum.row(self.what));
        for line in sum.remarks() {
            println!("    {line}");
        }
        Ok(sum.blocked_in_a_hundred() <= self.most_blocked && sum.is_honest())
    }
}

/// Every selected network, one row each.
fn all() -> Result<bool> {
    lab::probe()?;
    let mut arguments = env::args().skip(1);
    let (mut runs, mut jobs, mut wanted) = (None, 4, Vec::new());
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64> {
            let text = arguments.next().with_context(|| format!("{argument} takes a number"))?;
            Ok(text.parse()?)
        };
        match argument.as_str() {
            "--runs" => runs = Some(number()?),
            "--jobs" => jobs = number()?,
            // Cargo adds a flag.
            flag if flag.starts_with("--") => {}
            name => wanted.push(name.to_owned()),
        }
    }
    println!("{}", agent().display());
    println!("{}", Sum::HEAD);
    let mut is_well = true;
    for kind in NETWORKS
        .iter()
        .filter(|kind| wanted.is_empty() || wanted.iter().any(|name| name == kind.name))
    {
        is_well &= kind.soak(runs.unwrap_or(kind.runs), jobs)?;
    }
    Ok(is_well)
}

/// The program under measurement.
fn agent() -> PathBuf {
    env::var_os("APIM_PROBE")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_apim-probe").into())
        .into()
}
