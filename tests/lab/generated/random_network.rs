//! A network drawn from a seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use apim_probe::{
    model::{Path, Transport},
    plan::{Plan, PlannedEndpoint, ProbeTarget},
};
use apim_probe_lab::{
    LabNetwork, ROUTER, Random,
    network::{
        Abort, AbortMoment, BlockPage, ConnectionEnd, DnsBehaviour, FaultAction, FaultCondition, Firewall,
        FirewallAction, InjectedFault, NameResolution, NameServer, Nat, NatErrors, PacketDirection, PacketKind,
        PathRouter, ProxyRule, ServerCertificate, ServiceAddress, SimulatedService, TlsSettings, Validity,
    },
};

use super::faults::Broken;

/// A network, and what is broken in it.
pub(super) struct RandomNetwork {
    /// How it differs from a healthy one.
    pub(super) network: LabNetwork,
    seed: u64,
    /// The fault of each endpoint, by its host and port: several dependencies may share it.
    broken: BTreeMap<String, BTreeSet<usize>>,
    faults: Vec<(Broken, String)>,
}

/// The name that name servers are tested with: a fault of this name looks like a fault of the server.
const TESTED: &str = "login.microsoftonline.com:443";

/// A private address without a host.
const PRIVATE: &str = "10.9.9.9";

/// Which endpoints a fault affects.
#[derive(Debug, Clone, Copy)]
enum FaultScope {
    Host,
    Dependency,
    Port,
    TagOnPort,
}

impl FaultScope {
    fn covers(self, chosen: &PlannedEndpoint, other: &PlannedEndpoint) -> bool {
        let same_port = chosen.port == other.port && chosen.transport == other.transport;
        match self {
            Self::Host => chosen.host == other.host && same_port,
            Self::Dependency => chosen.dependency == other.dependency,
            Self::Port => same_port,
            Self::TagOnPort => chosen.service_tag == other.service_tag && same_port,
        }
    }
}

impl RandomNetwork {
    /// The network of this seed.
    pub(super) fn of(seed: u64, plan: &Plan) -> Self {
        let dialled = |endpoint: &&PlannedEndpoint| {
            endpoint.untested.is_none() && !matches!(endpoint.destination, ProbeTarget::NameServer(_))
        };
        let endpoints: Vec<&PlannedEndpoint> = plan.endpoints.iter().filter(dialled).collect();
        let mut drawn = Self {
            network: LabNetwork::default(),
            seed,
            broken: BTreeMap::new(),
            faults: Vec::new(),
        };
        drawn.network.link.seed = seed;
        let mut random = Random::new(seed);
        for _ in 0..=random.below(3) {
            drawn.add(&mut random, &endpoints);
        }
        drawn.drop_faults_without_host();
        // From a separate source, so that a seed's faults stay the same.
        drawn.add_path(&mut Random::new(!seed));
        drawn
    }

    /// Adds up to three routers, some of which do not answer, with a NAT among them in every third network; half of the
    /// drops on the path are at one of them.
    fn add_path(&mut self, random: &mut Random) {
        let line = &mut self.network.link;
        line.record_frames = true;
        for number in 1..=random.below(4) {
            let at = |host: usize| u8::try_from(host).map_or(Ipv4Addr::UNSPECIFIED, |host| [10, 77, host, 2].into());
            let both = [at(number), at(number + 100)];
            let [router, _] = both;
            let hops = [
                PathRouter::Address(router),
                PathRouter::OncePerSecond(router),
                PathRouter::Either(both),
                PathRouter::Silent,
            ];
            line.hops.push(*random.one(&hops));
        }
        let many = line.hops.len();
        if many == 0 {
            return;
        }
        if random.below(3) == 0 {
            let icmp_errors = *random.one(&[NatErrors::Dropped, NatErrors::Untranslated, NatErrors::FromNat]);
            let hop = random.below(many) + 1;
            line.nat = Some(Nat { hop, icmp_errors });
        }
        let is_plain =
            |fault: &&mut InjectedFault| fault.action == FaultAction::Drop && fault.when == FaultCondition::default();
        for fault in self.network.faults.iter_mut().filter(is_plain) {
            if random.below(2) == 0 {
                fault.when.after_hops = Some(random.below(many) + 1);
            }
        }
    }

    /// Why the path in a finding is not the one that its packets take: a hop that does not exist or is behind a NAT.
    pub(super) fn is_elsewhere(&self, path: &Path) -> Option<String> {
        let line = &self.network.link;
        let nat = line.nat.map_or(usize::MAX, |nat| nat.hop);
        path.hops.iter().find_map(|hop| {
            let address: Ipv4Addr = hop.address.as_ref()?.parse().ok()?;
            let number = usize::from(hop.hop);
            let is_there = match number.checked_sub(1).and_then(|at| line.hops.get(at)) {
                Some(PathRouter::Address(router) | PathRouter::OncePerSecond(router)) => *router == address,
                Some(PathRouter::Either(both)) => both.contains(&address),
                Some(PathRouter::Silent) => false,
                // Faults without a hop happen after all routers on the path.
                None => address == ROUTER && number == line.hops.len() + 1,
            };
            if address == ROUTER {
                return (!is_there).then(|| format!("hop {number} is not the last: {line:?}"));
            }
            (!is_there || number > nat).then(|| format!("hop {number} is not {address}: {line:?}"))
        })
    }

    /// The fault of an endpoint.
    pub(super) fn at(&self, id: &str) -> Vec<Broken> {
        let target = match id.split_once('/') {
            Some(("dns", _)) => TESTED,
            Some((_, target)) => target,
            None => id,
        };
        let here = self.broken.get(target).into_iter().flatten();
        let here = here.map(|number| self.faults[*number].0);
        let everywhere = self
            .faults
            .iter()
            .map(|(broken, _)| *broken)
            .filter(|it| it.is_everywhere());
        here.chain(everywhere).collect()
    }

    /// Whether something is broken that may show at any endpoint.
    pub(super) fn is_unsettled(&self) -> bool {
        self.faults.iter().any(|(broken, _)| broken.is_everywhere())
    }

    /// The faults, in words.
    pub(super) fn description(&self) -> String {
        let faults: Vec<&str> = self.faults.iter().map(|(_, words)| words.as_str()).collect();
        format!("network {}: {}", self.seed, faults.join("; "))
    }

    fn note(&mut self, broken: Broken, covered: &[&PlannedEndpoint], words: &str) {
        let number = self.faults.len();
        let example = covered.first().map_or("", |endpoint| endpoint.id.as_str());
        let words = format!("{broken:?} {words} at {} endpoints such as {example}", covered.len());
        self.faults.push((broken, words));
        for endpoint in covered {
            self.broken
                .entry(endpoint.target().to_owned())
                .or_default()
                .insert(number);
        }
    }

    fn add(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint]) {
        let chosen = *random.one(endpoints);
        match random.below(12) {
            0..=3 => self.on_path(random, endpoints, chosen),
            4 => self.in_vm(random, endpoints, chosen),
            5 | 6 => self.at_service(random, endpoints, chosen),
            7 | 8 => self.by_firewall(random, endpoints, chosen),
            9 => self.with_names(random, endpoints, chosen),
            10 => self.at_name_server(random),
            _ => self.on_link(random),
        }
    }

    /// Packets are dropped or refused on the path.
    fn on_path(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        let (broken, action) = *random.one(&[
            (Broken::Dropped, FaultAction::Drop),
            (Broken::Dropped, FaultAction::Drop),
            (Broken::Prohibited, FaultAction::Icmp(13)),
            (Broken::Unreachable, FaultAction::Icmp(1)),
            (Broken::ResetOnPath, FaultAction::Reset),
        ]);
        let scope = *random.one(&[
            FaultScope::Host,
            FaultScope::Dependency,
            FaultScope::Port,
            FaultScope::TagOnPort,
        ]);
        let is_possible =
            |endpoint: &&PlannedEndpoint| action != FaultAction::Reset || endpoint.transport == Transport::Tcp;
        let covered = reached(endpoints, chosen, scope)
            .into_iter()
            .filter(is_possible)
            .collect();
        let covered = self.without_fault(covered);
        self.network.icmp_rate_limit |= random.below(3) == 0;
        self.fault(&covered, action);
        self.note(broken, &covered, "");
    }

    /// This VM itself is at fault.
    fn in_vm(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        let (broken, action) = *random.one(&[
            (Broken::LocalDrop, FaultAction::LocalDrop),
            (Broken::LocalDrop, FaultAction::LocalDrop),
            (Broken::LocalReject, FaultAction::LocalReject),
            (Broken::LocalUnreachable, FaultAction::LocalUnreachable),
            (Broken::LocalProhibit, FaultAction::LocalProhibit),
            (Broken::LocalProhibit, FaultAction::LocalBlackhole),
            (Broken::DeadNextHop, FaultAction::DeadNextHop),
        ]);
        if matches!(action, FaultAction::LocalDrop | FaultAction::LocalReject) {
            let scope = *random.one(&[FaultScope::Host, FaultScope::Dependency, FaultScope::Port]);
            let covered = self.without_fault(reached(endpoints, chosen, scope));
            self.fault(&covered, action);
            self.note(broken, &covered, "");
        } else {
            // A route does not match ports.
            let covered = of_host(endpoints, chosen);
            for host in hosts(chosen) {
                let to = ServiceAddress {
                    port: None,
                    ..ServiceAddress::tcp(host, 0)
                };
                if !self.has_fault(&to) {
                    self.network.faults.push(InjectedFault::always(to, action));
                }
            }
            self.note(broken, &covered, "");
        }
    }

    fn at_service(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        // Faults of services affect one host or dependency, as in practice.
        let scope = *random.one(&[FaultScope::Host, FaultScope::Dependency]);
        let covered = reached(endpoints, chosen, scope);
        let tls: Vec<&PlannedEndpoint> = covered
            .iter()
            .filter(|endpoint| endpoint.protocol.speaks_tls())
            .copied()
            .collect();
        let tcp: Vec<&PlannedEndpoint> = covered
            .iter()
            .filter(|endpoint| endpoint.transport == Transport::Tcp)
            .copied()
            .collect();
        let (broken, covered, service) = match random.below(8) {
            0 => (
                Broken::Closed,
                covered,
                SimulatedService {
                    closed: true,
                    ..SimulatedService::default()
                },
            ),
            1 if !tls.is_empty() => (
                Broken::AbortedAfterHandshake,
                tls,
                abort(AbortMoment::Request, ConnectionEnd::Reset),
            ),
            2 if !tls.is_empty() => (
                Broken::Expired,
                tls,
                presents(ServerCertificate {
                    validity: Validity::Expired,
                    ..ServerCertificate::default()
                }),
            ),
            3 if !tls.is_empty() => (
                Broken::WrongName,
                tls,
                presents(ServerCertificate {
                    names: Some(vec!["elsewhere.example.net".into()]),
                    ..ServerCertificate::default()
                }),
            ),
            _ => {
                let ways = [
                    ConnectionEnd::Reset,
                    ConnectionEnd::Close,
                    ConnectionEnd::Silence,
                    ConnectionEnd::Silence,
                    ConnectionEnd::Silence,
                    ConnectionEnd::Alert(40),
                ];
                let how = random.one(&ways).clone();
                (Broken::AbortedByService, tcp, abort(AbortMoment::FirstBytes, how))
            }
        };
        for endpoint in &covered {
            for at in service_addresses(endpoint) {
                self.network.services.insert(at, service.clone());
            }
        }
        self.note(broken, &covered, &format!("{:?} {}", service.abort, service.closed));
    }

    /// A firewall accepts for any address on a port.
    fn by_firewall(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        let port = chosen.port;
        let taken = self
            .network
            .firewalls
            .iter()
            .any(|firewall| firewall.ports.contains(&port));
        if taken || chosen.transport != Transport::Tcp {
            return self.on_path(random, endpoints, chosen);
        }
        let on_port: Vec<&PlannedEndpoint> = reached(endpoints, chosen, FaultScope::Port);
        let scope = *random.one(&[FaultScope::Host, FaultScope::TagOnPort]);
        let some: Vec<&PlannedEndpoint> = reached(&on_port, chosen, scope);
        let fqdns: Vec<String> = some.iter().map(|endpoint| endpoint.host.to_ascii_lowercase()).collect();
        let how = FirewallAction::End(
            random
                .one(&[ConnectionEnd::Reset, ConnectionEnd::Close, ConnectionEnd::Silence])
                .clone(),
        );
        let reads_names = matches!(port, 80 | 443);
        // If all tried names are cut, it looks as if the port is cut.
        let by_name = if some.len() == on_port.len() {
            Broken::PortBlocked
        } else {
            Broken::FilteredByName
        };
        let (broken, covered, action, default_action) = match random.below(6) {
            0 | 1 if reads_names => (Some(by_name), some, how, FirewallAction::Forward),
            2 if reads_names && port == 443 => (
                Some(Broken::Inspected),
                some,
                FirewallAction::Inspect,
                FirewallAction::Forward,
            ),
            3 if port == 80 => {
                let deny = FirewallAction::Deny(*random.one(&[BlockPage::AzureFirewall, BlockPage::Squid]));
                (Some(Broken::BlockPage), some, deny, FirewallAction::Forward)
            }
            4 => (Some(Broken::PortBlocked), on_port, how.clone(), how),
            _ => (None, Vec::new(), FirewallAction::Forward, FirewallAction::Forward),
        };
        let words = format!("on {port}: {action:?}, otherwise {default_action:?}");
        self.network.firewalls.push(Firewall {
            ports: vec![port],
            after_hops: None,
            rules: vec![ProxyRule { fqdns, action }],
            default_action,
        });
        if let Some(broken) = broken {
            self.note(broken, &covered, &words);
            return;
        }
        // It forwards everything, and a service behind it fails.
        self.at_service(random, endpoints, chosen);
    }

    fn with_names(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        if chosen.destination != ProbeTarget::Name {
            return self.on_path(random, endpoints, chosen);
        }
        let scope = *random.one(&[FaultScope::Host, FaultScope::Dependency]);
        if random.below(5) == 0 {
            return self.with_one_dead_address(random, endpoints, chosen);
        }
        let named: BTreeSet<String> = reached(endpoints, chosen, scope)
            .iter()
            .filter(|endpoint| endpoint.destination == ProbeTarget::Name)
            .map(|endpoint| endpoint.host.to_ascii_lowercase())
            .collect();
        let at = |address: &str| NameResolution {
            addresses: address.parse().into_iter().collect(),
            ..NameResolution::default()
        };
        let (broken, answer) = random
            .one(&[
                (
                    Broken::NxDomain,
                    NameResolution {
                        rcode: 3,
                        ..NameResolution::default()
                    },
                ),
                (
                    Broken::ServFail,
                    NameResolution {
                        rcode: 2,
                        ..NameResolution::default()
                    },
                ),
                (
                    Broken::NoDnsReply,
                    NameResolution {
                        silent: true,
                        ..NameResolution::default()
                    },
                ),
                (Broken::Sinkholed, at("0.0.0.0")),
                (Broken::PrivateAddress, at(PRIVATE)),
            ])
            .clone();
        let covered: Vec<&PlannedEndpoint> = endpoints
            .iter()
            .filter(|endpoint| named.contains(&endpoint.host.to_ascii_lowercase()))
            .copied()
            .collect();
        for name in named {
            self.network.names.insert(name, answer.clone());
        }
        if broken == Broken::PrivateAddress {
            let unassigned = ServiceAddress {
                port: None,
                ..ServiceAddress::tcp(PRIVATE, 0)
            };
            self.network
                .faults
                .push(InjectedFault::always(unassigned, FaultAction::Drop));
        }
        self.note(broken, &covered, "");
    }

    /// A name has two addresses, and the second one has no host.
    fn with_one_dead_address(&mut self, random: &mut Random, endpoints: &[&PlannedEndpoint], chosen: &PlannedEndpoint) {
        let number = random.below(250) + 1;
        let [alive, dead] = [0, 1].map(|third| format!("20.100.{third}.{number}"));
        let addresses = [&alive, &dead]
            .into_iter()
            .filter_map(|address| address.parse().ok())
            .collect();
        let answer = NameResolution {
            addresses,
            ..NameResolution::default()
        };
        self.network.names.insert(chosen.host.to_ascii_lowercase(), answer);
        let to = ServiceAddress {
            port: None,
            ..ServiceAddress::tcp(dead, 0)
        };
        self.network.faults.push(InjectedFault::always(to, FaultAction::Drop));
        let covered = of_host(endpoints, chosen);
        self.note(Broken::OneAddressDead, &covered, "");
    }

    /// A name without its own address has no host there, so no fault can be about it.
    fn drop_faults_without_host(&mut self) {
        let names = &self.network.names;
        let is_nowhere = |at: &ServiceAddress| {
            let answer = names.get(&at.host);
            answer.is_some_and(|answer| {
                answer
                    .addresses
                    .iter()
                    .all(|ip| ip.is_unspecified() || ip.to_string() == PRIVATE)
            })
        };
        self.network.faults.retain(|fault| !is_nowhere(&fault.to));
        self.network.services.retain(|at, _| !is_nowhere(at));
    }

    fn at_name_server(&mut self, random: &mut Random) {
        use DnsBehaviour::{Closed, EveryNth, Good, Rcode, Silent};
        let (udp, tcp) = *random.one(&[
            (Good, Closed),
            (Good, Silent),
            (Silent, Good),
            (Silent, Silent),
            (Closed, Closed),
            (Rcode(5), Rcode(5)),
            (Rcode(2), Rcode(2)),
            (EveryNth(2), Good),
        ]);
        if self.network.name_servers.is_empty() {
            self.network.name_servers.push(NameServer {
                udp,
                tcp,
                ..NameServer::default()
            });
            self.note(Broken::NameServer, &[], &format!("udp {udp:?}, tcp {tcp:?}"));
        }
    }

    fn on_link(&mut self, random: &mut Random) {
        let share = |share| FaultCondition {
            flow_share: Some(share),
            ..FaultCondition::default()
        };
        let after = |flows| FaultCondition {
            after_flows: Some(flows),
            ..FaultCondition::default()
        };
        let loss = |share, way, packets| FaultCondition {
            packet_share: Some(share),
            direction: way,
            packets,
            ..FaultCondition::default()
        };
        let large = FaultCondition {
            larger_than_bytes: Some(1_000),
            direction: Some(PacketDirection::ToVm),
            ..FaultCondition::default()
        };
        // Faults that end: a link that flaps, a NAT or a connection table that is full for a moment, rules that are
        // reloaded.
        let mut moment = |packets, way| {
            let (from, lasts) = (
                *random.one(&[0, 50, 100, 200, 400, 1_000]),
                *random.one(&[400, 1_500, 2_500, 4_500, 60_000]),
            );
            FaultCondition {
                from_ms: Some(from),
                until_ms: Some(from + lasts),
                packets,
                direction: way,
                ..FaultCondition::default()
            }
        };
        let moments = [
            (None, None),
            (Some(PacketKind::Syn), None),
            (None, Some(PacketDirection::ToVm)),
        ]
        .map(|(packets, way)| moment(packets, way));
        let (broken, when) = random
            .one(&[
                (Broken::ShareOfFlows, share(0.5)),
                (Broken::ShareOfFlows, share(0.34)),
                (Broken::PortsExhausted, after(60)),
                (Broken::PortsExhausted, after(20)),
                (Broken::Temporary, moments[0].clone()),
                (Broken::Temporary, moments[1].clone()),
                (Broken::Temporary, moments[2].clone()),
                (Broken::FullSizeLost, large),
                (Broken::PacketLoss, loss(0.03, None, None)),
                (Broken::PacketLoss, loss(0.1, None, None)),
                (Broken::PacketLoss, loss(0.2, None, None)),
                (Broken::PacketLoss, loss(0.2, Some(PacketDirection::ToVm), None)),
                (Broken::PacketLoss, loss(0.3, None, Some(PacketKind::Syn))),
            ])
            .clone();
        let to = ServiceAddress {
            port: None,
            ..ServiceAddress::tcp("*", 0)
        };
        self.network.faults.push(InjectedFault {
            when: when.clone(),
            ..InjectedFault::always(to, FaultAction::Drop)
        });
        self.note(broken, &[], &format!("everywhere, {when:?}"));
    }

    /// Adds a fault to these endpoints, once at each place.
    fn fault(&mut self, covered: &[&PlannedEndpoint], action: FaultAction) {
        for at in covered.iter().flat_map(|endpoint| service_addresses(endpoint)) {
            if !self.has_fault(&at) {
                self.network.faults.push(InjectedFault::always(at, action));
            }
        }
    }

    fn has_fault(&self, at: &ServiceAddress) -> bool {
        self.network.faults.iter().any(|fault| fault.to == *at)
    }

    /// Those of these endpoints without a fault.
    fn without_fault<'a>(&self, covered: Vec<&'a PlannedEndpoint>) -> Vec<&'a PlannedEndpoint> {
        let has_no_fault =
            |endpoint: &&PlannedEndpoint| !service_addresses(endpoint).iter().any(|at| self.has_fault(at));
        covered.into_iter().filter(has_no_fault).collect()
    }
}

fn reached<'a>(
    endpoints: &[&'a PlannedEndpoint],
    chosen: &PlannedEndpoint,
    scope: FaultScope,
) -> Vec<&'a PlannedEndpoint> {
    endpoints
        .iter()
        .filter(|other| scope.covers(chosen, other))
        .copied()
        .collect()
}

fn of_host<'a>(endpoints: &[&'a PlannedEndpoint], chosen: &PlannedEndpoint) -> Vec<&'a PlannedEndpoint> {
    endpoints
        .iter()
        .filter(|other| other.host == chosen.host)
        .copied()
        .collect()
}

/// The place of an endpoint: its name, or each of its addresses.
fn hosts(endpoint: &PlannedEndpoint) -> Vec<String> {
    match &endpoint.destination {
        ProbeTarget::Addresses { addresses, .. } => addresses.iter().map(IpAddr::to_string).collect(),
        _ => vec![endpoint.host.to_ascii_lowercase()],
    }
}

fn service_addresses(endpoint: &PlannedEndpoint) -> Vec<ServiceAddress> {
    let at = |host| match endpoint.transport {
        Transport::Tcp => ServiceAddress::tcp(host, endpoint.port),
        Transport::Udp => ServiceAddress::udp(host, endpoint.port),
    };
    hosts(endpoint).into_iter().map(at).collect()
}

fn abort(after: AbortMoment, with: ConnectionEnd) -> SimulatedService {
    SimulatedService {
        abort: Some(Abort { after, with }),
        ..SimulatedService::default()
    }
}

fn presents(certificate: ServerCertificate) -> SimulatedService {
    SimulatedService {
        tls: TlsSettings {
            certificate,
            ..TlsSettings::default()
        },
        ..SimulatedService::default()
    }
}
