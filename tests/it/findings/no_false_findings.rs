//! Confident statements are true: faulty networks with one to three faults at once, in which every confident finding
//! must be true. Two faults at once are the normal case, and neither may be attributed to the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use apim_probe::{
    model::{Confidence, Finding, FindingKind},
    plan::{PlannedEndpoint, ProbeTarget},
};
use apim_probe_lab::Random;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::{
    cases::{AZURE_FIREWALL_DENY, CONTOSO_INSPECTION, CUSTOM_DNS, icmp},
    network::{Cutter, Fault, Network, Server, addresses},
};

/// How many networks.
const NETWORKS: u64 = 600;

/// The endpoints of a fault.
#[derive(Debug, Clone, Copy)]
enum FaultScope {
    Host,
    Dependency,
    Port,
    Tag,
    TagOnPort,
}

impl FaultScope {
    fn covers(self, chosen: &PlannedEndpoint, other: &PlannedEndpoint) -> bool {
        let same_port = chosen.port == other.port && chosen.transport == other.transport;
        match self {
            Self::Host => chosen.host == other.host && same_port,
            Self::Dependency => chosen.dependency == other.dependency,
            Self::Port => same_port,
            Self::Tag => chosen.service_tag == other.service_tag,
            Self::TagOnPort => chosen.service_tag == other.service_tag && same_port,
        }
    }
}

/// One network, and what is broken in it.
struct FaultyNetwork {
    network: Network,
    /// For each endpoint: its fault, the device that cuts if it is a cut, and the fault's index in the list.
    faults: BTreeMap<String, (Fault, Option<Cutter>, usize)>,
    server: Server,
    is_clock_wrong: bool,
    description: String,
}

fn faulty_network(seed: u64) -> FaultyNetwork {
    static HEALTHY: LazyLock<Network> = LazyLock::new(Network::healthy);
    let mut chances = Random::new(seed);
    let server = match chances.below(12) {
        0 => *chances.one(&Server::FAILING),
        _ => Server::Working,
    };
    let mut network = HEALTHY.clone();
    if chances.below(2) == 0 || server != Server::Working {
        network = network.name_servers(&[(CUSTOM_DNS, server)]).platform_dns(true);
    }
    let is_clock_wrong = chances.below(20) == 0;
    let mut faults = BTreeMap::new();
    let mut description = vec![format!("seed {seed}, name server {server:?}")];
    let tried = |endpoint: &&PlannedEndpoint| {
        endpoint.untested.is_none() && !matches!(endpoint.destination, ProbeTarget::NameServer(_))
    };
    let endpoints: Vec<PlannedEndpoint> = network.plan().endpoints.iter().filter(tried).cloned().collect();
    for number in 0..=chances.below(3) {
        let fault = fault(&mut chances);
        let scope = *chances.one(&[
            FaultScope::Host,
            FaultScope::Dependency,
            FaultScope::Port,
            FaultScope::Tag,
            FaultScope::TagOnPort,
        ]);
        let chosen = chances.one(&endpoints).clone();
        // Services of many owners do not all fail at once.
        let cutter = fault.is_cut().then(|| match (chances.below(3), scope) {
            (0, FaultScope::Host | FaultScope::Dependency) => Cutter::Service,
            (1, FaultScope::Host | FaultScope::Dependency) => Cutter::ServiceBehindProxy,
            (_, FaultScope::Port) => Cutter::PortFilter,
            _ if matches!(chosen.port, 80 | 443) => Cutter::NameFilter,
            _ => Cutter::PortFilter,
        });
        // A service's behaviour only shows if nothing on the path prevents it.
        let is_behind = matches!(cutter, Some(Cutter::Service | Cutter::ServiceBehindProxy));
        let taken: BTreeSet<String> = if is_behind {
            faults.keys().cloned().collect()
        } else {
            BTreeSet::new()
        };
        // Several dependencies may share a host and port: a fault there affects all of them.
        let covered = endpoints.iter().filter(|other| scope.covers(&chosen, other));
        let places: BTreeSet<String> = covered.map(|other| other.target().to_owned()).collect();
        let reached = |other: &PlannedEndpoint| places.contains(other.target()) && !taken.contains(&other.id);
        description.push(format!("{fault:?} by {cutter:?} for {scope:?} of {}", chosen.id));
        for endpoint in endpoints.iter().filter(|other| reached(other)) {
            faults.insert(endpoint.id.clone(), (fault.clone(), cutter, number));
        }
        network = network.fault(|other| tried(&other) && reached(other), &fault);
        if let Some(cutter) = cutter {
            network = network.cut_at(reached, cutter);
        }
    }
    let ahead = if is_clock_wrong {
        let out_of_time = |endpoint: &PlannedEndpoint| endpoint.protocol.speaks_tls();
        for endpoint in endpoints.iter().filter(|endpoint| out_of_time(endpoint)) {
            faults.insert(endpoint.id.clone(), (Fault::Expired, None, 9));
        }
        network = network.fault(out_of_time, &Fault::Expired);
        SignedDuration::from_hours(24 * 365)
    } else {
        SignedDuration::ZERO
    };
    FaultyNetwork {
        network: network.clock_ahead(ahead, true),
        faults,
        server,
        is_clock_wrong,
        description: description.join("; "),
    }
}

fn fault(chances: &mut Random) -> Fault {
    let public = Fault::Nxdomain {
        authority: None,
        alias: None,
    };
    let private = Fault::Nxdomain {
        authority: Some("azureprivatedns.net"),
        alias: None,
    };
    chances
        .one(&[
            Fault::Silent,
            Fault::Silent,
            Fault::Silent,
            Fault::OneAddressSilent,
            Fault::Refused,
            icmp(13),
            icmp(3),
            icmp(1),
            Fault::DeadNextHop,
            Fault::LocalFirewallRejects,
            Fault::LocalFirewallDrops,
            Fault::NoRoute,
            Fault::NotPermitted,
            Fault::CutReset,
            Fault::CutReset,
            Fault::CutClosed,
            Fault::CutSilent,
            Fault::CutSilent,
            Fault::Alert,
            CONTOSO_INSPECTION,
            Fault::WrongName("example.net"),
            Fault::Expired,
            AZURE_FIREWALL_DENY,
            Fault::Redirect("http://portal.example.net/"),
            Fault::Foreign,
            Fault::CutAfterTls,
            Fault::EverySecondConnectionLost,
            Fault::FullSizePacketsLost,
            public,
            private,
            Fault::Servfail,
            Fault::ResolvesTo("0.0.0.0"),
            Fault::ResolvesTo("10.9.9.9"),
        ])
        .clone()
}

/// Why a confident finding is false; `None` if it is true.
fn false_finding(faulty: &FaultyNetwork, finding: &Finding) -> Option<String> {
    use FindingKind as Kind;
    let kind = finding.kind.expect("a kind");
    for id in &finding.endpoints {
        let of_it = |endpoint: &&PlannedEndpoint| endpoint.id == *id;
        let endpoint = faulty.network.plan().endpoints.iter().find(of_it).unwrap();
        let is_server = matches!(endpoint.destination, ProbeTarget::NameServer(_));
        let fault = faulty.fault_of(endpoint);
        let cutter = faulty.faults.get(id).and_then(|(_, cutter, _)| *cutter);
        let is_true = match (kind, fault) {
            _ if is_server || matches!(kind, Kind::NoNames | Kind::NameServer) => faulty.server != Server::Working,
            (Kind::Silence | Kind::KmsSilence | Kind::NoOutbound | Kind::WayOut, Some(Fault::Silent))
            | (Kind::Reset, Some(Fault::Refused))
            | (Kind::DeadNextHop, Some(Fault::DeadNextHop))
            | (Kind::LocalFirewall, Some(Fault::LocalFirewallRejects | Fault::LocalFirewallDrops))
            | (Kind::NoRoute, Some(Fault::NoRoute))
            | (Kind::LocalLimits, Some(Fault::NotPermitted))
            | (Kind::Inspection, Some(Fault::Inspected { .. }))
            | (Kind::WrongName, Some(Fault::WrongName(_)))
            | (Kind::DenyPage, Some(Fault::Page { .. } | Fault::Redirect(_)))
            | (Kind::PacketSize, Some(Fault::FullSizePacketsLost))
            | (Kind::Flows, Some(Fault::EverySecondConnectionLost))
            | (Kind::NamePolicy | Kind::MissingName, Some(Fault::Nxdomain { .. }))
            | (Kind::Sinkhole | Kind::PrivateAddress, Some(Fault::ResolvesTo(_)))
            | (Kind::DnsPolicy | Kind::SomeNames, Some(Fault::Servfail)) => true,
            // A server that truncates every reply and refuses TCP fails for all names, visibly.
            (Kind::SomeNames, _) if faulty.server == Server::Truncates => finding.title.contains(faulty.behaviour()),
            (Kind::IcmpRefusal, Some(Fault::Icmp { code, .. })) => *code != 1,
            (Kind::IcmpUnreachable, Some(Fault::Icmp { code, .. })) => *code == 1,
            (Kind::NameFilter, Some(fault)) => fault.is_cut() && cutter == Some(Cutter::NameFilter),
            (Kind::CutPort, Some(fault)) => {
                fault.is_cut() && matches!(cutter, Some(Cutter::NameFilter | Cutter::PortFilter))
            }
            (Kind::Clock, Some(Fault::Expired)) => faulty.is_clock_wrong,
            (Kind::PrivateZone, Some(Fault::Nxdomain { authority, .. })) => authority.is_some(),
            _ => false,
        };
        if !is_true {
            return Some(format!("{id} has {fault:?} by {cutter:?}"));
        }
    }
    let is_behaviour = matches!(kind, Kind::NoNames | Kind::NameServer);
    if is_behaviour && !finding.title.contains(faulty.behaviour()) {
        return Some(format!("the server is {:?}", faulty.server));
    }
    missing_in_the_fix(faulty, finding)
}

/// What a confident finding's own change does not fix.
fn missing_in_the_fix(faulty: &FaultyNetwork, finding: &Finding) -> Option<String> {
    use FindingKind as Kind;
    let change = finding.fix.change.join("\n");
    let endpoints = faulty.network.plan().endpoints.iter();
    for endpoint in endpoints.filter(|endpoint| finding.endpoints.contains(&endpoint.id)) {
        let missing = match finding.kind.expect("a kind") {
            Kind::Silence | Kind::IcmpRefusal => (!change.contains(&endpoint.port.to_string())).then_some("port"),
            Kind::NameFilter | Kind::DenyPage => {
                let name = endpoint.pattern.as_ref().unwrap_or(&endpoint.host);
                let at = addresses(&endpoint.host).map(|address| address.to_string());
                let by_address = !endpoint.protocol.speaks_tls() && endpoint.port != 80;
                let is_named =
                    change.contains(name.as_str()) || (by_address && change.contains(&endpoint.port.to_string()));
                (!is_named && !at.iter().any(|address| change.contains(address))).then_some("name")
            }
            // An NSG never resets, and no NSG rule fixes a reset.
            Kind::Reset => change.contains("az network nsg").then_some("reset"),
            _ => None,
        };
        if let Some(what) = missing {
            return Some(format!(
                "the change does not mend the {what} of {}: {change}",
                endpoint.id
            ));
        }
    }
    None
}

impl FaultyNetwork {
    /// The fault of an endpoint: a fault of its name counts for every port.
    fn fault_of(&self, endpoint: &PlannedEndpoint) -> Option<&Fault> {
        let same_host = self
            .network
            .plan()
            .endpoints
            .iter()
            .filter(|other| other.host == endpoint.host);
        let of_the_name = same_host
            .filter_map(|other| self.faults.get(&other.id))
            .map(|(fault, ..)| fault)
            .find(|fault| fault.concerns_the_name());
        of_the_name.or_else(|| self.faults.get(&endpoint.id).map(|(fault, ..)| fault))
    }

    /// The expected result for the name server.
    fn behaviour(&self) -> &'static str {
        match self.server {
            Server::Working => "?",
            Server::Silent => "does not reply",
            Server::TcpOnly => "answers over TCP 53 but not over UDP 53",
            Server::UdpOnly => "answers over UDP 53 but not over TCP 53",
            Server::AnswersRefused => "refuses to answer",
            Server::AnswersServfail => "answers SERVFAIL",
            Server::AnswersNxdomain => "denies names that exist",
            Server::NotListening => "nothing listens on port 53",
            Server::AcceptsTcpNeverAnswers => "accepts TCP 53 but never answers",
            Server::NoAnswerOverTcp => "accepts TCP 53 but does not answer over it",
            Server::Truncates => "answers over UDP 53 but refuses TCP 53",
        }
    }
}

#[test]
fn confident_findings_are_true_and_their_fix_works() {
    let mut false_ones = Vec::new();
    let mut sure = 0;
    for seed in 0..NETWORKS {
        let faulty = faulty_network(seed);
        for finding in faulty.network.findings() {
            if finding.confidence < Confidence::High {
                continue;
            }
            sure += 1;
            if let Some(why) = false_finding(&faulty, &finding) {
                let (id, title, confidence) = (&finding.id, &finding.title, finding.confidence.as_str());
                false_ones.push(format!(
                    "{id} ({confidence}): {title}\n    {why}\n    {}",
                    faulty.description
                ));
            }
        }
    }
    assert!(sure > 600, "only {sure} sure findings");
    assert!(
        false_ones.is_empty(),
        "{} of {sure} sure findings are false:\n{}",
        false_ones.len(),
        false_ones.join("\n")
    );
}

/// If a broken name resolved to its true addresses here, true findings would count as false.
#[test]
fn fault_of_a_name_applies_at_every_name_server() {
    for server in [Server::Working, Server::UdpOnly, Server::NoAnswerOverTcp] {
        let network = Network::with_name_servers(&[(CUSTOM_DNS, server)]).fault(
            |endpoint| endpoint.host == "cacerts.digicert.com",
            &Fault::ResolvesTo("10.9.9.9"),
        );
        let mut findings = network.findings().into_iter();
        let led = findings.any(|finding| finding.id == "private-address/10.9.9.9");
        assert!(led, "{server:?}");
    }
    // Port 80 gets no reply anywhere, except for this name.
    let faulty = faulty_network(9_231_060_216_932_017_389);
    for finding in faulty.network.findings() {
        let is_sure = finding.confidence >= Confidence::High;
        let why = false_finding(&faulty, &finding).filter(|_| is_sure);
        assert!(why.is_none(), "{}: {why:?}: {}", finding.id, faulty.description);
    }
}

/// The kinds that a control can refute.
const REFUTABLE: [FindingKind; 4] = [
    FindingKind::NameFilter,
    FindingKind::CutPort,
    FindingKind::Silence,
    FindingKind::KmsSilence,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn refuting_control_never_raises_confidence(seed in any::<u64>(), cuts_every_name in any::<bool>()) {
        let faulty = faulty_network(seed);
        let before = faulty.network.findings();
        // Another name is cut at the same address as well, the unused address is in use, and new connections are lost
        // regardless of their destination.
        let refuted = faulty.network.clone().late_connection(false);
        let refuted = if cuts_every_name { refuted } else { refuted.cut_by(Cutter::Service) };
        for after in refuted.findings() {
            let kind = after.kind.expect("a kind");
            let same = before.iter().find(|finding| finding.id == after.id);
            if let Some(same) = same.filter(|_| REFUTABLE.contains(&kind)) {
                prop_assert!(after.confidence <= same.confidence, "{}: {}", after.id, faulty.description);
            }
        }
    }

    #[test]
    fn confident_findings_are_true_for_random_seeds(seed in any::<u64>()) {
        let faulty = faulty_network(seed);
        for finding in faulty.network.findings() {
            if finding.confidence >= Confidence::High {
                let why = false_finding(&faulty, &finding);
                prop_assert!(why.is_none(), "{}: {why:?}: {}", finding.id, faulty.description);
            }
        }
    }
}
