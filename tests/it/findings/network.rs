//! Simulated networks: the built-in catalog, and a network that is healthy except for the given faults.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::LazyLock,
    time::Duration,
};

use apim_probe::{
    azure::Cloud,
    catalog::{Catalog, CatalogFile, load},
    diagnosis::{
        Diagnosis, diagnose,
        findings::root_causes,
        view::{RunView, Surroundings},
    },
    import::{Imports, instance::Instance, subnets::Subnets, view::InstanceView},
    model::{Finding, Protocol, Tier, Vnet},
    network::{NetworkRules, Origin, Predictions, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    plan::{Plan, PlanScope, PlannedEndpoint, ProbeTarget, Selection, Values},
    probe::{
        Run,
        clock::ClockOffset,
        control::{Controls, LateControl, NameControl, TEST_NET_1},
        own_network::{Lost, Outage, OwnNetwork},
        trace::{Attempt, NameTrace, Trace},
        traceroute::Traceroutes,
    },
    rules::{Requirement, RuleBasis, RuleSet},
};
use jiff::{SignedDuration, Timestamp};

mod evidence;

pub(super) use evidence::{Fault, Server, addresses};

/// A network with its faults. Later faults take precedence over earlier ones.
#[derive(Debug, Clone)]
pub(super) struct Network {
    catalog: Catalog,
    cloud: Cloud,
    region: Option<&'static str>,
    servers: Vec<(SocketAddr, Server)>,
    selection: Selection,
    named: bool,
    faults: BTreeMap<String, Fault>,
    shared: Vec<(&'static str, &'static str)>,
    cutters: BTreeMap<String, Cutter>,
    /// Whether a connection that is made once more, late in the run, still gets through; `None` if none is made.
    late: Option<bool>,
    /// When the hosts without a reply were tried; all others are tried at the start.
    silent_hosts_tried_after: Duration,
    kernel: OwnNetwork,
    platform_dns: Option<bool>,
    platform_answers_every_name: bool,
    instance: Option<InstanceView>,
    subnets: Option<Subnets>,
    clock: Option<ClockOffset>,
    resolutions: Vec<(String, IpAddr)>,
    rules: Option<NetworkRules>,
    vnet: Option<Vnet>,
    plan: Plan,
}

impl Network {
    /// Nothing is wrong; the names of the instance are known.
    pub(super) fn healthy() -> Self {
        Self::with_name_servers(&[("168.63.129.16", Server::Working)])
    }

    /// Nothing is wrong except for the behaviour of these name servers.
    pub(super) fn with_name_servers(servers: &[(&str, Server)]) -> Self {
        static BUILTIN: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);
        let catalog = BUILTIN.clone();
        let mut network = Self {
            plan: Plan {
                cloud: Cloud::Public,
                endpoints: Vec::new(),
                name_servers: Vec::new(),
                control_name: String::new(),
            },
            catalog,
            cloud: Cloud::Public,
            region: Some("westeurope"),
            servers: socket_addresses(servers),
            selection: Selection::default(),
            named: true,
            faults: BTreeMap::new(),
            shared: Vec::new(),
            cutters: BTreeMap::new(),
            late: None,
            silent_hosts_tried_after: Duration::ZERO,
            kernel: OwnNetwork::default(),
            platform_dns: None,
            platform_answers_every_name: false,
            instance: None,
            subnets: None,
            clock: None,
            resolutions: Vec::new(),
            rules: None,
            vnet: None,
        };
        network.build();
        network
    }

    fn build(&mut self) {
        let mut values = Values::default();
        for (name, value) in [
            ("storage_account", "apimst1"),
            ("sql_server", "apirpsql1"),
            ("key_vault", "apikv-1"),
            ("event_hub_namespace", "apimeh1"),
            ("redis_host", "cache.example.net"),
            ("diagnostics_host", "diagnostics.example.net"),
        ] {
            if self.named {
                values.add(name, [value.to_string()]);
            }
        }
        let scope = PlanScope {
            cloud: self.cloud,
            region: self.region.map(str::to_string),
            vnet: None,
            name_servers: self.servers.iter().map(|(address, _)| *address).collect(),
        };
        self.plan = Plan::make(&self.catalog, &scope, &values, &self.selection).unwrap();
    }

    /// In another cloud.
    pub(super) fn in_cloud(mut self, cloud: Cloud, region: &'static str) -> Self {
        (self.cloud, self.region) = (cloud, Some(region));
        self.build();
        self
    }

    /// With other name servers.
    pub(super) fn name_servers(mut self, servers: &[(&str, Server)]) -> Self {
        self.servers = socket_addresses(servers);
        self.build();
        self
    }

    /// Without the names of an instance.
    pub(super) fn without_instance_names(mut self) -> Self {
        self.named = false;
        self.build();
        self
    }

    /// With more entries in the catalog.
    pub(super) fn catalog_overlay(mut self, yaml: &str) -> Self {
        let file = CatalogFile {
            name: "overlay".into(),
            bytes: yaml.as_bytes().to_vec(),
        };
        self.catalog = load(Tier::Classic, true, &[file]).unwrap();
        self.build();
        self
    }

    /// With hosts from a document of the instance.
    pub(super) fn instance_document(mut self, document: &str) -> Self {
        let loaded = Instance::read(document, "instance.json").unwrap();
        let imports = Imports::gather(loaded.documents).of(loaded.instance);
        let joined = imports.join(self.catalog.clone(), &Values::default(), self.cloud, self.region);
        self.catalog = joined.unwrap().catalog;
        self.build();
        self
    }

    /// With these dependencies only.
    pub(super) fn only(mut self, ids: &[&str]) -> Self {
        self.selection.only = ids.iter().map(ToString::to_string).collect();
        self.build();
        self
    }

    /// With a fault at every endpoint that `where_` selects.
    pub(super) fn fault(mut self, where_: impl Fn(&PlannedEndpoint) -> bool, fault: &Fault) -> Self {
        let chosen: Vec<&PlannedEndpoint> = self.plan.endpoints.iter().filter(|endpoint| where_(endpoint)).collect();
        // A SYN does not depend on the dependency: what is dropped for one endpoint is dropped for all with the same
        // host and port.
        let is_there = |endpoint: &&PlannedEndpoint| {
            let same = |other: &&PlannedEndpoint| other.host == endpoint.host && other.port == endpoint.port;
            where_(endpoint) || (matches!(fault, Fault::Silent) && chosen.iter().any(same))
        };
        for endpoint in self.plan.endpoints.iter().filter(is_there) {
            self.faults.insert(endpoint.id.clone(), fault.clone());
        }
        self
    }

    /// With controls that show which device cuts connections.
    pub(super) fn cut_by(self, cutter: Cutter) -> Self {
        self.cut_at(|_| true, cutter)
    }

    /// This machine's own network interface goes down as the run begins, and stays down.
    pub(super) fn interface_down_from_the_start(mut self) -> Self {
        self.kernel.outages.push(Outage {
            lost: Lost::Link,
            interface: "eth0".into(),
            from: Some(Duration::from_millis(1)),
            until: None,
        });
        self
    }

    /// Hosts without a reply are tried this late.
    pub(super) fn silent_hosts_tried_after(mut self, moment: Duration) -> Self {
        self.silent_hosts_tried_after = moment;
        self
    }

    /// With a connection to a verified host, repeated late in the run.
    pub(super) fn late_connection(mut self, passes: bool) -> Self {
        self.late = Some(passes);
        self
    }

    /// With controls that show which device cuts these connections.
    pub(super) fn cut_at(mut self, where_: impl Fn(&PlannedEndpoint) -> bool, cutter: Cutter) -> Self {
        for endpoint in self.plan.endpoints.iter().filter(|endpoint| where_(endpoint)) {
            self.cutters.insert(endpoint.id.clone(), cutter);
        }
        self
    }

    /// With both hosts at the same addresses.
    pub(super) fn sharing_addresses(mut self, host: &'static str, other: &'static str) -> Self {
        self.shared.push((host, other));
        self
    }

    /// With every name of these endpoints at one address.
    pub(super) fn resolving_to(mut self, where_: impl Fn(&PlannedEndpoint) -> bool, address: &str) -> Self {
        let hosts = self.plan.endpoints.iter().filter(|endpoint| where_(endpoint));
        let resolutions = hosts.map(|endpoint| (endpoint.host.clone(), address.parse().unwrap()));
        self.resolutions.extend(resolutions);
        self
    }

    /// With its own rules, from effective NSG rules, effective routes and service tags as exported by Azure.
    pub(super) fn effective_rules(mut self, nsg: Option<&[u8]>, routes: &[u8], tags: &[u8]) -> Self {
        self.rules = Some(NetworkRules::new(
            nsg.map(|nsg| SecurityRules::parse(nsg).unwrap()),
            Some(Routes::parse(routes).unwrap()),
            Some(ServiceTags::parse(tags).unwrap()),
        ));
        self
    }

    /// With this kind of virtual network.
    pub(super) fn in_vnet(mut self, vnet: Vnet) -> Self {
        self.vnet = Some(vnet);
        self
    }

    /// With the platform's name server's answers as a control.
    pub(super) fn platform_dns(mut self, answers: bool) -> Self {
        self.platform_dns = Some(answers);
        self
    }

    /// With the platform's name server as a control that answers for every name.
    pub(super) fn platform_answers_every_name(mut self) -> Self {
        self.platform_answers_every_name = true;
        self
    }

    /// With the NSGs and routes of this VM and of the instance.
    pub(super) fn with_subnets(mut self, subnets: Subnets) -> Self {
        self.subnets = Some(subnets);
        self
    }

    /// With the instance's own status of its network.
    pub(super) fn instance_view(mut self, instance: InstanceView) -> Self {
        self.instance = Some(instance);
        self
    }

    /// With a clock that is this far ahead, according to verified or other peers.
    pub(super) fn clock_ahead(mut self, ahead: SignedDuration, signed: bool) -> Self {
        self.clock = Some(ClockOffset { ahead, signed });
        self
    }

    /// The plan.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn fault_of(&self, endpoint: &PlannedEndpoint) -> Option<&Fault> {
        let same_host = self.plan.endpoints.iter().filter(|other| other.host == endpoint.host);
        let of_the_name = same_host
            .filter_map(|other| self.faults.get(&other.id))
            .find(|fault| fault.concerns_the_name());
        of_the_name.or_else(|| self.faults.get(&endpoint.id))
    }

    fn run(&self) -> Run {
        let mut names: BTreeMap<String, NameTrace> = BTreeMap::new();
        let mut traces = Vec::new();
        for endpoint in &self.plan.endpoints {
            if endpoint.untested.is_some() {
                traces.push(None);
                continue;
            }
            let fault = self.fault_of(endpoint);
            let by_name = endpoint.destination == ProbeTarget::Name;
            let host = self
                .shared
                .iter()
                .find(|(host, _)| *host == endpoint.host)
                .map_or(endpoint.host.as_str(), |(_, at)| at);
            let resolutions = self
                .resolutions
                .iter()
                .find(|(resolutions, _)| *resolutions == endpoint.host);
            let at = resolutions.map_or_else(|| evidence::addresses(host).to_vec(), |(_, address)| vec![*address]);
            let mut name = by_name.then(|| evidence::name(&at, &self.servers, fault));
            if let Some(name) = name.as_mut().filter(|_| self.platform_answers_every_name) {
                name.platform = Some(Box::new(evidence::platform(&at)));
            }
            let mut attempts = evidence::attempts(endpoint, name.as_ref(), &self.servers, fault);
            for attempt in attempts.iter_mut().filter(|attempt| attempt.is_silent()) {
                attempt.started = self.silent_hosts_tried_after;
            }
            if let Some(name) = &name {
                names.insert(endpoint.host.clone(), name.clone());
            }
            traces.push(Some(Trace {
                duration: Duration::from_millis(20),
                name,
                attempts,
                cut: false,
            }));
        }
        Run {
            began: Timestamp::UNIX_EPOCH,
            controls: self.controls(&traces),
            traceroutes: Traceroutes::default(),
            traces,
            names,
            own_network: self.kernel.clone(),
            duration: Duration::from_secs(5),
            interrupted: false,
        }
    }

    /// The results of the controls, if there are any: one connection for each port on which something was cut, and
    /// another name at the first address of each host that was cut after its own name was sent.
    fn controls(&self, traces: &[Option<Trace>]) -> Controls {
        let mut controls = Controls {
            late: self.late_control(),
            ..Controls::default()
        };
        for (index, (endpoint, trace)) in self.plan.endpoints.iter().zip(traces).enumerate() {
            let cut = self.fault_of(endpoint).filter(|fault| fault.is_cut());
            let Some((fault, attempt)) = cut.zip(trace.as_ref().and_then(|trace| trace.attempts.first())) else {
                continue;
            };
            let Some(cutter) = self.cutters.get(&endpoint.id).copied() else {
                continue;
            };
            let port = attempt.address.port();
            if cutter != Cutter::Service || !controls.unused.contains_key(&port) {
                let unused = SocketAddr::new(TEST_NET_1, port);
                let does = match cutter {
                    Cutter::NameFilter | Cutter::PortFilter => fault,
                    Cutter::Service => &Fault::Silent,
                    Cutter::ServiceBehindProxy => &Fault::CutSilent,
                };
                controls
                    .unused
                    .insert(port, evidence::tried(endpoint, unused, Some(does)));
            }
            let is_read = attempt.tls.is_some() || endpoint.protocol == Protocol::Http;
            let has_control = controls.of_name(&endpoint.host, port).is_some();
            if is_read && !has_control && controls.names.len() < 32 && self.another_host_works_on(endpoint) {
                let passes = cutter == Cutter::NameFilter;
                controls.names.push(NameControl {
                    endpoint: index,
                    host: endpoint.host.clone(),
                    name: "passes.example.net".into(),
                    attempt: evidence::tried(endpoint, attempt.address, Some(fault).filter(|_| !passes)),
                    own: passes.then(|| evidence::tried(endpoint, attempt.address, Some(fault))),
                });
            }
        }
        controls
    }

    fn late_control(&self) -> Option<LateControl> {
        let passes = self.late?;
        let is_well = |endpoint: &&PlannedEndpoint| {
            endpoint.untested.is_none() && endpoint.protocol == Protocol::Https && self.fault_of(endpoint).is_none()
        };
        let endpoint = self.plan.endpoints.iter().find(is_well)?;
        let address = SocketAddr::new(addresses(&endpoint.host)[0], endpoint.port);
        let attempt = evidence::tried(endpoint, address, (!passes).then_some(&Fault::Silent));
        Some(LateControl {
            host: endpoint.host.clone(),
            attempt: Attempt {
                started: self.silent_hosts_tried_after + attempt.started,
                ..attempt
            },
        })
    }

    /// Whether another host works in the same way on the same port.
    fn another_host_works_on(&self, endpoint: &PlannedEndpoint) -> bool {
        let is_akin = |other: &&PlannedEndpoint| {
            other.port == endpoint.port && other.protocol.speaks_tls() == endpoint.protocol.speaks_tls()
        };
        let mut akin = self.plan.endpoints.iter().filter(is_akin);
        akin.any(|other| other.untested.is_none() && other.host != endpoint.host && self.fault_of(other).is_none())
    }

    /// The complete diagnosis of the run.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        let run = self.run();
        let (predictions, rules) = (self.predictions(&run), self.rule_set());
        diagnose(&self.plan, &run, predictions.as_ref(), self.place(&rules))
    }

    /// The root causes.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let run = self.run();
        let (predictions, rules) = (self.predictions(&run), self.rule_set());
        let judgements = diagnose(&self.plan, &run, None, self.place(&rules)).judgements;
        root_causes(&RunView {
            platform_dns: self.platform_dns,
            clock: self.clock,
            ..RunView::new(&self.plan, &run, &judgements, predictions.as_ref(), self.place(&rules))
        })
    }

    /// The rules that fix it.
    pub(super) fn rule_set(&self) -> RuleSet<'_> {
        let basis = RuleBasis {
            catalog: &self.catalog,
            cloud: self.cloud,
            from: self.origin(),
            is_forced: self.rules.as_ref().and_then(NetworkRules::is_forced),
            network: self.rules.as_ref(),
            first_priority: None,
            own_servers: false,
            subnet: "10.1.0.0/24",
        };
        RuleSet::new(basis, Requirement::of_plan(&self.plan))
    }

    fn predictions(&self, run: &Run) -> Option<Predictions> {
        let rules = self.rules.as_ref()?;
        Some(rules.predictions(&self.plan, &run.traces, &self.origin()))
    }

    fn origin(&self) -> Origin<'static> {
        Origin {
            region: self.region,
            addresses: &[OWN_ADDRESS],
        }
    }

    fn place<'a>(&'a self, rules: &'a RuleSet<'a>) -> Surroundings<'a> {
        Surroundings {
            instance: self.instance.as_ref(),
            subnets: self.subnets.as_ref(),
            region: self.region,
            vnet: self.vnet,
            addresses: &[OWN_ADDRESS],
            started_at: "2026-11-21T20:00:00Z".parse().unwrap(),
            rules: Some(rules),
            known: None,
        }
    }
}

/// The device that cuts the connections of a simulated network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cutter {
    /// A firewall that accepts for any address and lets some names through.
    NameFilter,
    /// A firewall that accepts for any address and lets no name through.
    PortFilter,
    /// The services themselves.
    Service,
    /// The services themselves, behind a device that accepts for any address and forwards everything.
    ServiceBehindProxy,
}

/// This machine.
const OWN_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 4));

fn socket_addresses(servers: &[(&str, Server)]) -> Vec<(SocketAddr, Server)> {
    servers
        .iter()
        .map(|(ip, does)| ((ip.parse::<IpAddr>().unwrap(), 53).into(), *does))
        .collect()
}
