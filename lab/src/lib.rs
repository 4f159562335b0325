//! A simulated Azure in network namespaces: real addresses, real ports, real DNS, real silence, without root and without
//! the internet.
//!
//! A process that wants a lab starts itself again ([`rerun()`]), because a namespace of one's own can only be entered
//! while the process has one thread. The new process is the VM; a second thread with a network namespace of its own is
//! the router and the whole world behind it ([`LabNetwork`] says what that is like):
//!
//! ```text
//!        main thread, and every child                          world thread
//!   ┌───────────────────────────────┐   eth0        wire   ┌──────────────────────────────────────┐
//!   │ VM 10.1.0.4                   ├──────────────────────┤ router 10.1.0.1   faults   firewalls │
//!   │ own resolv.conf, hosts, store │                      │ name servers   services   (any address)│
//!   └───────────────────────────────┘                      └──────────────────────────────────────┘
//! ```
//!
//! Where some packets fare otherwise than others, a third thread relays every frame between `eth0` and `wire`.
//!
//! ```no_run
//! fn main() -> anyhow::Result<()> {
//!     if lab::job().is_none() {
//!         lab::probe()?;
//!         lab::rerun("demo")?.status()?;
//!         return Ok(());
//!     }
//!     let network = lab::LabNetwork::default();
//!     let lab = lab::Lab::enter(&network)?;
//!     lab.serve(&network)?;
//!     lab.agent("apim-probe")?.arg("run").status()?;
//!     Ok(())
//! }
//! # use apim_probe_lab as lab;
//! ```
//!
//! Where namespaces are forbidden, [`probe`] says so in one sentence, and nothing may run: outside the lab a probe would
//! reach for real hosts.

mod dns;
pub mod expect;
mod faults;
mod faulty_stream;
mod firewall;
mod healthy;
pub mod management;
mod namespace;
pub mod network;
mod random;
mod reexec;
mod relay;
mod resolver;
mod resource_usage;
mod scenario;
mod services;
mod simulated_network;
mod tls;
mod tools;
mod trial;
mod vm_link;

use std::{
    ffi::OsStr,
    marker::PhantomData,
    path::PathBuf,
    process::Command,
    sync::PoisonError,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

pub use self::{
    faults::has_nft,
    healthy::healthy,
    network::LabNetwork,
    random::Random,
    reexec::{Forbidden, do_job, exit_code, job, lacks, lacks_nft, probe, rerun},
    relay::RelayedFlow,
    resolver::ResolverWatch,
    resource_usage::ResourceUsage,
    scenario::{Scenario, whole_catalog},
    trial::{forbidden, trial},
    vm_link::{DEAD_HOP, DOCUMENTATION, ROUTER, VM},
};
use self::{
    namespace::Files,
    network::{Authority, InjectedFault, Vm},
    relay::Relay,
    simulated_network::SimulatedNetwork,
    vm_link::Peer,
};

/// The VM, connected to a world. It belongs to the thread that entered it: only there is the network the VM's.
pub struct Lab {
    world: SimulatedNetwork,
    relay: Option<Relay>,
    files: Files,
    vm: Vm,
    descriptors: u64,
    _not_send: PhantomData<*const ()>,
}

impl Lab {
    /// Turns this process into the VM of this network, and connects it to a world that has no services yet.
    ///
    /// The process must have one thread only. This cannot be undone.
    pub fn enter(network: &LabNetwork) -> Result<Self> {
        let descriptors = namespace::raise_descriptor_limit()?;
        let files = namespace::enter(&network.vm, &network.resolv_conf())?;
        let relay = network.is_relayed().then(|| Relay::start(network)).transpose()?;
        let peer = relay
            .as_ref()
            .map_or_else(|| Peer::Vm(std::process::id()), |relay| Peer::Relay(relay.thread));
        let world = SimulatedNetwork::start(peer, network.icmp_rate_limit)?;
        if let Some(relay) = &relay {
            relay.connect()?;
        }
        vm_link::vm(network.vm.default_route, relay.is_some())?;
        if network.vm.default_route {
            vm_link::wait()?;
        }
        tools::tool("setpriv").context("setpriv (util-linux) is not installed")?;
        let lab = Self {
            world,
            relay,
            files,
            vm: network.vm.clone(),
            descriptors,
            _not_send: PhantomData,
        };
        lab.write_store()?;
        Ok(lab)
    }

    /// Starts everything in the network: name servers, services, firewalls, faults. Once it returns, all of it listens.
    pub fn serve(&self, network: &LabNetwork) -> Result<()> {
        self.world.serve(network)?;
        self.relay(network)?;
        faults::in_vm(network)?;
        self.schedule(&network.vm)
    }

    /// Sees to it that what happens to the VM later does, once the agent has sent its first packet.
    fn schedule(&self, vm: &Vm) -> Result<()> {
        let Some(relay) = self.relay.clone().filter(|_| !vm.events.is_empty()) else {
            return Ok(());
        };
        let mut events = vm.events.clone();
        events.sort_by_key(|event| event.after_ms);
        let happen = move || {
            let first = loop {
                match relay.first_packet() {
                    Some(first) => break first,
                    None => thread::sleep(Duration::from_millis(2)),
                }
            };
            for event in events {
                let due = first + Duration::from_millis(event.after_ms);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if let Err(error) = tools::ip(&event.ip_commands) {
                    eprintln!("what should happen to the VM did not: {error:#}");
                }
            }
        };
        // A thread of this one's has its network, the VM's.
        thread::Builder::new().name("events".into()).spawn(happen)?;
        Ok(())
    }

    /// Serves everything that an agent plans with these flags, without faults except for the deviations; returns the
    /// whole network.
    pub fn serve_plan<F>(
        &self,
        agent: impl AsRef<OsStr>,
        flags: impl IntoIterator<Item = F>,
        deviations: &LabNetwork,
    ) -> Result<LabNetwork>
    where
        F: AsRef<OsStr>,
    {
        let list = self
            .agent(agent)?
            .args(["list", "--format", "json"])
            .args(flags)
            .output()?;
        ensure!(list.status.success(), "list: {}", String::from_utf8_lossy(&list.stderr));
        let network = healthy(&String::from_utf8(list.stdout)?, deviations)?;
        self.serve(&network)?;
        Ok(network)
    }

    /// Adds faults while everything is running; names are those of `network`.
    pub fn fault(&self, network: &LabNetwork, faults: Vec<InjectedFault>) -> Result<()> {
        let network = LabNetwork {
            faults,
            ..network.clone()
        };
        self.relay(&network)?;
        self.world.fault(&network)
    }

    /// Removes every fault on the path (those of the VM itself stay).
    pub fn lift_faults(&self) -> Result<()> {
        if let Some(relay) = &self.relay {
            relay.lift();
        }
        self.world.lift()
    }

    /// Every TCP connection and every pair of UDP ports so far, in the order of their first packets; empty if no frames
    /// are relayed.
    pub fn flows(&self) -> Vec<RelayedFlow> {
        self.relay.as_ref().map(Relay::flows).unwrap_or_default()
    }

    /// The requests to the platform so far, one per line: `GET /path?query`, and a POST followed by its body.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.world.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }

    /// Every frame that the VM has sent so far (IEEE 802.3, without the checksum), including lost ones; empty if the
    /// link has no `record_frames`.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.relay.as_ref().map(Relay::sent).unwrap_or_default()
    }

    /// Passes to the relay those faults that match some packets only.
    fn relay(&self, network: &LabNetwork) -> Result<()> {
        match &self.relay {
            Some(relay) => relay.fault(network),
            None if network.faults.iter().any(InjectedFault::is_relayed) => {
                bail!(
                    "a fault for some packets only, in a network without a relay: set `link: {{ count_flows: true }}`"
                )
            }
            None => Ok(()),
        }
    }

    /// A file with the roots that an instance trusts: the public ones, and those that represent the few of Windows. It
    /// also contains the cross-signed certificate that an instance fetches if a server omits it.
    pub fn ca_file(&self) -> Result<PathBuf> {
        let roots = [Authority::Public, Authority::Microsoft, Authority::Digicert];
        let cross = self.world.pki.cross_pem(Authority::CrossSigned);
        self.files
            .write("roots.pem", &(self.roots(&roots) + &cross.unwrap_or_default()))
    }

    /// The SHA-1 thumbprint of the untrusted root, by which Azure names certificates, in hexadecimal.
    pub fn private_thumbprint(&self) -> String {
        let root = self.world.pki.root_der(Authority::Private);
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &root);
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .concat()
    }

    /// A command that runs a program on the VM as an ordinary user would: without any capability, with the usual number
    /// of descriptors, and with the VM's own certificate store.
    pub fn agent(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new(tools::tool("setpriv").context("setpriv (util-linux) is not installed")?);
        // Without its world the agent has nothing to do: it ends when this process does.
        command.args([
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--ambient-caps=-all",
            "--pdeathsig=KILL",
        ]);
        let descriptors = self.vm.max_descriptors.unwrap_or(self.descriptors);
        // A test started with nohup(1) passes on an ignored SIGHUP, which the agent would respect.
        let script = format!("ulimit -n {descriptors} && exec env --default-signal=HUP \"$@\"");
        command.args(["sh", "-c", &script, "sh"]);
        command
            .arg(program)
            .envs(&self.vm.env)
            .env("SSL_CERT_FILE", self.store())
            .env_remove("SSL_CERT_DIR");
        Ok(command)
    }

    /// A file on the VM, deleted together with it.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.files.write(name, text)
    }

    /// The folder of the files that [`Self::write`] writes.
    pub fn folder(&self) -> PathBuf {
        self.files.path("")
    }

    fn store(&self) -> PathBuf {
        self.files.path("store.pem")
    }

    /// The VM's own store: the public roots, and those that its owner added.
    fn write_store(&self) -> Result<()> {
        let mut roots = vec![Authority::Public];
        roots.extend(&self.vm.trusted_cas);
        self.files.write("store.pem", &self.roots(&roots)).map(drop)
    }

    fn roots(&self, roles: &[Authority]) -> String {
        roles.iter().map(|role| self.world.pki.root_pem(*role)).collect()
    }
}
