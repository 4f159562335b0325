//! A simulated Azure in network namespaces: real addresses, real ports, real DNS and real timeouts, without root and
//! without the internet.
//!
//! A process that needs a lab starts itself again ([`rerun()`]), because only a process with a single thread can enter
//! a user namespace. The new process is the VM; a second thread, with its own network namespace, is the router and the
//! network behind it, as [`LabNetwork`] describes it:
//!
//! ```text
//!        main thread, and every child                         network thread
//!   ┌───────────────────────────────┐   eth0        wire   ┌──────────────────────────────────────┐
//!   │ VM 10.1.0.4                   ├──────────────────────┤ router 10.1.0.1   faults   firewalls │
//!   │ own resolv.conf, hosts, store │                      │ name servers   services   (any address)│
//!   └───────────────────────────────┘                      └──────────────────────────────────────┘
//! ```
//!
//! If a fault applies to some packets only, a third thread relays every frame between `eth0` and `wire`.
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
//! Where namespaces are not allowed, [`probe`] returns the reason, and nothing may run: outside the lab the agent would
//! contact real hosts.

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

/// The VM, connected to a simulated network. Only the thread that entered it has the VM's network namespace.
pub struct Lab {
    simulated: SimulatedNetwork,
    relay: Option<Relay>,
    files: Files,
    vm: Vm,
    descriptors: u64,
    _not_send: PhantomData<*const ()>,
}

impl Lab {
    /// Turns this process into the VM of this network, and connects it to a simulated network without services.
    ///
    /// The process must have one thread only. This cannot be undone.
    pub fn enter(network: &LabNetwork) -> Result<Self> {
        let descriptors = namespace::raise_descriptor_limit()?;
        let files = namespace::enter(&network.vm, &network.resolv_conf())?;
        let relay = network.is_relayed().then(|| Relay::start(network)).transpose()?;
        let peer = relay
            .as_ref()
            .map_or_else(|| Peer::Vm(std::process::id()), |relay| Peer::Relay(relay.thread));
        let simulated = SimulatedNetwork::start(peer, network.icmp_rate_limit)?;
        if let Some(relay) = &relay {
            relay.connect()?;
        }
        vm_link::vm(network.vm.default_route, relay.is_some())?;
        if network.vm.default_route {
            vm_link::wait()?;
        }
        tools::tool("setpriv").context("setpriv (util-linux) is not installed")?;
        let lab = Self {
            simulated,
            relay,
            files,
            vm: network.vm.clone(),
            descriptors,
            _not_send: PhantomData,
        };
        lab.write_store()?;
        Ok(lab)
    }

    /// Starts name servers, services, firewalls and faults. When it returns, everything listens.
    pub fn serve(&self, network: &LabNetwork) -> Result<()> {
        self.simulated.serve(network)?;
        self.relay(network)?;
        faults::in_vm(network)?;
        self.schedule(&network.vm)
    }

    /// Schedules the VM's events, which start with the agent's first packet.
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
                    eprintln!("an event of the VM failed: {error:#}");
                }
            }
        };
        // The thread inherits the VM's network namespace.
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
        self.simulated.fault(&network)
    }

    /// Removes every fault on the path (those of the VM itself stay).
    pub fn lift_faults(&self) -> Result<()> {
        if let Some(relay) = &self.relay {
            relay.lift();
        }
        self.simulated.lift()
    }

    /// Every TCP connection and every pair of UDP ports so far, in the order of their first packets; empty if no frames
    /// are relayed.
    pub fn flows(&self) -> Vec<RelayedFlow> {
        self.relay.as_ref().map(Relay::flows).unwrap_or_default()
    }

    /// The requests to the platform so far, one per line: `GET /path?query`, and a POST followed by its body.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.simulated.requests.lock().unwrap_or_else(PoisonError::into_inner);
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
        let cross = self.simulated.pki.cross_pem(Authority::CrossSigned);
        self.files
            .write("roots.pem", &(self.roots(&roots) + &cross.unwrap_or_default()))
    }

    /// The SHA-1 thumbprint of the untrusted root, by which Azure names certificates, in hexadecimal.
    pub fn private_thumbprint(&self) -> String {
        let root = self.simulated.pki.root_der(Authority::Private);
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
        // The agent is of no use without this process, so it is killed with it.
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
        roles.iter().map(|role| self.simulated.pki.root_pem(*role)).collect()
    }
}
