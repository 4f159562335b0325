//! The measurements that need a network, each in a separate lab.

use std::{
    env,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};
use apim_probe_lab::{
    Lab, LabNetwork, ResolverWatch, ResourceUsage,
    network::{
        DnsBehaviour, FaultAction, InjectedFault, NameResolution, NameServer, PLATFORM_DNS, Pacing, ServiceAddress,
        SimulatedService,
    },
    whole_catalog,
};

use crate::{
    baseline_loop::{BARE, WILDCARD, host},
    blackbox::Blackbox,
    lab_network::INSTANCE,
    row::Row,
};

/// The measurements, in the order of the result.
pub(crate) const NAMES: [&str; 7] = [
    "silent",
    "no-dns",
    "healthy",
    "deadline",
    "endpoints",
    "own-certificates",
    "resolver",
];

const TIMEOUT_MS: f64 = 5000.0;
/// What a run may take in addition to one timeout if nothing replies, in milliseconds.
const MAX_BEYOND_TIMEOUT: f64 = 1_000.0;
/// Maximum duration of a run in which every host answers, in milliseconds.
const MAX_HEALTHY: f64 = 1500.0;
/// Maximum peak memory of either, in megabytes.
const MAX_MEMORY: f64 = 14.0;
/// How far a run may exceed its deadline, in milliseconds.
const MAX_OVERSHOOT: f64 = 250.0;
/// Processor time for an https endpoint, as a ratio to the bare loop's, and to that of `blackbox_exporter`.
const MAX_RATIO: f64 = 1.15;
const MAX_RATIO_TO_BLACKBOX: f64 = 0.25;
/// Maximum peak memory with this many, in megabytes.
const MAX_MEMORY_OF_MANY: f64 = 20.0;
const ENDPOINTS: u16 = 2000;
const SHARED_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(20, 0, 0, 1));
/// How often each of them is run.
const TURNS: usize = 15;

/// Runs one of [`NAMES`]; returns whether it was within budget.
pub(crate) fn run(name: &str, agent: &Path) -> Result<bool> {
    match name {
        "silent" => silence("built-in catalog, every service silent", NameServer::default(), agent),
        "no-dns" => {
            let mute = NameServer {
                udp: DnsBehaviour::Silent,
                tcp: DnsBehaviour::Silent,
                ..NameServer::default()
            };
            silence("built-in catalog, name servers silent too", mute, agent)
        }
        "healthy" => all_healthy(agent),
        "deadline" => deadline(agent),
        "endpoints" => endpoints(agent),
        "own-certificates" => own_certificates(agent),
        "resolver" => resolver(agent),
        _ => bail!("no measurement is called {name}"),
    }
}

/// The agent on the lab's VM, with a plan and the network made for it.
struct Bench {
    lab: Lab,
    agent: PathBuf,
    plan: Vec<String>,
}

impl Bench {
    fn new(agent: &Path, plan: &[&str], deviations: &LabNetwork) -> Result<Self> {
        let lab = Lab::enter(deviations)?;
        let bench = Self {
            lab,
            agent: agent.to_owned(),
            plan: plan.iter().map(ToString::to_string).collect(),
        };
        bench.serve(deviations)?;
        Ok(bench)
    }

    fn serve(&self, deviations: &LabNetwork) -> Result<()> {
        self.lab.serve_plan(&self.agent, &self.plan, deviations).map(drop)
    }

    /// Runs the agent; it must end with this status.
    fn run(&self, flags: &[&str], status: i32) -> Result<ResourceUsage> {
        let mut run = Command::new(&self.agent);
        run.arg("run")
            .arg("--quiet")
            .args(&self.plan)
            .args(flags)
            .arg("--ca-file")
            .arg(self.lab.ca_file()?);
        self.cost(&run, status)
    }

    fn cost(&self, program: &Command, status: i32) -> Result<ResourceUsage> {
        let cost = ResourceUsage::of(self.lab.agent(env::current_exe()?)?, program)?;
        ensure!(
            cost.status == Some(status),
            "ended with {:?}, not with {status}: {program:?}",
            cost.status
        );
        Ok(cost)
    }
}

fn silence(what: &str, server: NameServer, agent: &Path) -> Result<bool> {
    let everybody = ServiceAddress {
        host: "20.0.0.0/8".into(),
        ..ServiceAddress::tcp("", 0)
    };
    let network = LabNetwork {
        name_servers: vec![server],
        faults: vec![InjectedFault::always(
            ServiceAddress {
                port: None,
                ..everybody
            },
            FaultAction::Drop,
        )],
        ..LabNetwork::default()
    };
    let bench = Bench::new(agent, &INSTANCE, &network)?;
    let costs = repeat(3, || bench.run(&[], 1))?;
    let slowest = largest(costs.iter().map(|cost| cost.wall_ms));
    let peak = largest(costs.iter().map(|cost| cost.peak_mb));
    let time = Row::new(what, slowest, "ms").at_most(TIMEOUT_MS + MAX_BEYOND_TIMEOUT);
    Ok(time.print() & Row::new("  its peak memory", peak, "MB").at_most(MAX_MEMORY).print())
}

fn all_healthy(agent: &Path) -> Result<bool> {
    let bench = Bench::new(agent, &INSTANCE, &LabNetwork::default())?;
    let costs = repeat(5, || bench.run(&[], 0))?;
    let slowest = largest(costs.iter().map(|cost| cost.wall_ms));
    let peak = largest(costs.iter().map(|cost| cost.peak_mb));
    let time = Row::new("built-in catalog, everything healthy", slowest, "ms").at_most(MAX_HEALTHY);
    Ok(time.print() & Row::new("  its peak memory", peak, "MB").at_most(MAX_MEMORY).print())
}

/// Every service sends a byte every half second, so no single read ever takes long.
fn deadline(agent: &Path) -> Result<bool> {
    let dripping = SimulatedService {
        pacing: Some(Pacing {
            interval_ms: 500,
            ..Pacing::default()
        }),
        ..SimulatedService::default()
    };
    let ports = [80, 443, 445, 1433, 1688, 1886, 5671, 5672];
    let services = ports.map(|port| (ServiceAddress::tcp("*", port), dripping.clone()));
    let network = LabNetwork {
        services: services.into(),
        ..LabNetwork::default()
    };
    let bench = Bench::new(agent, &INSTANCE, &network)?;
    let mut overshoots = Vec::new();
    for seconds in [1, 2, 3] {
        let cost = bench.run(&["--timeout", "60s", "--deadline", &format!("{seconds}s")], 3)?;
        overshoots.push(cost.wall_ms - f64::from(seconds) * 1e3);
    }
    Ok(
        Row::new("--deadline overshot, all peers dripping", largest(overshoots), "ms")
            .at_most(MAX_OVERSHOOT)
            .print(),
    )
}

/// Hosts with the same address and the same wildcard certificate, as storage accounts of one region can have.
fn endpoints(agent: &Path) -> Result<bool> {
    let mut service = SimulatedService::default();
    service.tls.certificate.names = Some(vec![WILDCARD.into()]);
    let resolution = NameResolution {
        addresses: vec![SHARED_ADDRESS],
        ..NameResolution::default()
    };
    let network = LabNetwork {
        names: (0..ENDPOINTS)
            .map(|number| (host(number), resolution.clone()))
            .collect(),
        services: [(ServiceAddress::tcp("*", 443), service)].into(),
        ..LabNetwork::default()
    };
    let costs = EndpointCosts::measure(agent, &network)?;
    let memory =
        Row::new("2,000 https endpoints, peak memory, the median", costs.peak(), "MB").at_most(MAX_MEMORY_OF_MANY);
    let mut within = memory.print();
    Row::new(
        "  the bare loop's",
        largest(costs.bare.iter().map(|cost| cost.peak_mb)),
        "MB",
    )
    .print();
    Row::new("  processor time for each, the median", each(&costs.agent), "ms").print();
    Row::new("  the bare loop's", each(&costs.bare), "ms").print();
    let ratio = Row::new("  ratio of processor time, the median", costs.ratio(), "x");
    within &= ratio.at_most(MAX_RATIO).print();
    let Some(ratio) = costs.ratio_to_blackbox() else {
        println!("  blackbox_exporter is not installed, and not compared with");
        return Ok(within);
    };
    let ratio = Row::new("  ratio to blackbox_exporter's, the median", ratio, "x");
    Ok(ratio.at_most(MAX_RATIO_TO_BLACKBOX).print() && within)
}

/// The same with an address and a certificate for each host: none of their signatures has been verified before. There are
/// no limits.
fn own_certificates(agent: &Path) -> Result<bool> {
    let costs = EndpointCosts::measure(agent, &LabNetwork::default())?;
    Row::new(
        "2,000 addresses and certificates, peak memory, the median",
        costs.peak(),
        "MB",
    )
    .print();
    Row::new("  ratio of processor time to the bare loop's", costs.ratio(), "x").print();
    if let Some(ratio) = costs.ratio_to_blackbox() {
        Row::new("  ratio to blackbox_exporter's", ratio, "x").print();
    }
    Ok(true)
}

/// The costs of agent, loop and `blackbox_exporter`, which take turns.
struct EndpointCosts {
    agent: Vec<ResourceUsage>,
    bare: Vec<ResourceUsage>,
    /// Processor time in milliseconds; empty if it is not installed.
    blackbox: Vec<f64>,
}

impl EndpointCosts {
    /// Measures them in turns, so that the machine's state is the same for all, each on one core.
    fn measure(agent: &Path, network: &LabNetwork) -> Result<Self> {
        let lab = Lab::enter(network)?;
        let catalog = lab.write("probes.yaml", &catalog())?;
        let plan = ["--no-builtin", "--no-metadata", "--probes"].map(String::from);
        let plan = plan.into_iter().chain([catalog.display().to_string()]).collect();
        let bench = Bench {
            lab,
            agent: agent.to_owned(),
            plan,
        };
        bench.serve(network)?;

        let mut bare = on_one_core(&env::current_exe()?);
        bare.arg(BARE)
            .arg(bench.lab.ca_file()?)
            .arg(format!("{PLATFORM_DNS}:53"))
            .arg(ENDPOINTS.to_string());
        // The lab makes its certificates on the first connection.
        bench.cost(&bare, 0)?;
        let mut agent = on_one_core(&bench.agent);
        agent.args(["run", "--quiet", "--format", "json"]).args(&bench.plan);
        agent.arg("--ca-file").arg(bench.lab.ca_file()?);
        let blackbox = Blackbox::start(&bench.lab)?;
        let mut costs = Self {
            agent: Vec::new(),
            bare: Vec::new(),
            blackbox: Vec::new(),
        };
        for _ in 0..TURNS {
            costs.agent.push(bench.cost(&agent, 0)?);
            costs.bare.push(bench.cost(&bare, 0)?);
            if let Some(blackbox) = &blackbox {
                costs.blackbox.push(blackbox.visit(ENDPOINTS)?.as_secs_f64() * 1e3);
            }
        }
        Ok(costs)
    }

    /// The median of the agent's peak memory, in megabytes: how much the allocator has returned when the report begins
    /// depends on the moment.
    fn peak(&self) -> f64 {
        median(self.agent.iter().map(|cost| cost.peak_mb).collect())
    }

    /// The median ratio to the loop's processor time, of neighbours: a machine's speed varies over time.
    fn ratio(&self) -> f64 {
        let pairs = self.agent.iter().zip(&self.bare);
        median(pairs.map(|(agent, bare)| agent.cpu_ms / bare.cpu_ms).collect())
    }

    /// The same for `blackbox_exporter`, if it is installed.
    fn ratio_to_blackbox(&self) -> Option<f64> {
        let pairs = self.agent.iter().zip(&self.blackbox);
        let ratios: Vec<f64> = pairs.map(|(agent, other)| agent.cpu_ms / other).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

/// The median processor time for one endpoint, in milliseconds.
fn each(costs: &[ResourceUsage]) -> f64 {
    median(costs.iter().map(|cost| cost.cpu_ms / f64::from(ENDPOINTS)).collect())
}

/// A single-threaded program uses no other core, so all of them have only one.
fn on_one_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

fn catalog() -> String {
    let line = |number| format!("- {{ host: {}, port: 443, protocol: https }}\n", host(number));
    whole_catalog(&(0..ENDPOINTS).map(line).collect::<String>())
}

fn resolver(agent: &Path) -> Result<bool> {
    let bench = Bench::new(agent, &INSTANCE, &LabNetwork::default())?;
    let Some(watch) = ResolverWatch::begin(&bench.lab)? else {
        println!("  the system has no nsswitch.conf, so nobody can be seen reading it");
        return Ok(true);
    };
    bench.run(&[], 0)?;
    let openings = u32::try_from(watch.openings()?)?;
    Ok(
        Row::new("times that the system's resolver was asked", f64::from(openings), "")
            .at_most(0.0)
            .print(),
    )
}

fn repeat<T>(times: usize, mut measure: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    (0..times).map(|_| measure()).collect()
}

/// The median; not a number if there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The largest.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::NEG_INFINITY, f64::max)
}
