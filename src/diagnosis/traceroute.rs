//! What low TTLs show about where packets stop: which hops answer on the path, and what accepts or cuts within a number
//! of hops.
//!
//! A hop that answers has seen the packet; one that does not answer shows nothing. A device that accepts, resets or
//! cuts although the packet cannot have travelled farther is within that distance, whatever routers report. Behind a
//! NAT only this second kind of result counts.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{attempt, context::Context, outcome::AttemptVerdict};
use crate::{
    address,
    azure::{NextHop, PLATFORM_DNS},
    model::{Cause, FailureMode, Hop, HopDoes, Path, prediction::RouteMatch},
    net::{
        icmp::IcmpError,
        milliseconds,
        tcp::{TcpEnd, TcpTrace},
    },
    plan::PlannedEndpoint,
    probe::{
        trace::Attempt,
        traceroute::{self, Traceroute},
    },
};

pub mod evidence;
pub mod targets;

/// This many connections over one hop must have the same outcome before the hop is the cause.
const MIN_CONNECTIONS: usize = 3;

/// What is known about the route to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AzureRoute {
    /// No route was given.
    Unidentified,
    /// It leads over hops.
    Hops,
    /// It leads only through Azure's fabric: within the network, or through a service endpoint.
    PastEveryHop,
}

impl AzureRoute {
    /// Details of the deciding route, if one was given.
    pub fn of(route: Option<&RouteMatch>) -> Self {
        match route.map(|route| &route.next_hop_type) {
            None => Self::Unidentified,
            Some(NextHop::ServiceEndpoint | NextHop::Network(_)) => Self::PastEveryHop,
            Some(_) => Self::Hops,
        }
    }
}

/// The results for one path, and how far it was traced.
#[derive(Debug, Clone)]
pub struct TracerouteReading<'a> {
    traced: &'a Traceroute,
    endpoint: &'a PlannedEndpoint,
    source: Option<IpAddr>,
    lead: AzureRoute,
    /// Whether the address may be at the first hop: inside a network, Azure's fabric does not decrement the TTL.
    is_near: bool,
    /// The hops before any NAT that reported that a SYN's TTL expired there.
    pub hops: Vec<Router>,
    /// The lowest TTL at which something answers through a NAT, which identifies no hop.
    pub nat: Option<u8>,
    /// The lowest TTL from which every SYN is accepted.
    pub accepts: Option<u8>,
    /// The lowest TTL from which every SYN is reset.
    pub refuses: Option<u8>,
    /// The lowest TTL from which all our data is cut, and how.
    pub cuts: Option<(u8, Cause)>,
    /// The largest TTL at which data expired, if data with larger ones got no reply, and the hop at that distance is
    /// known: on an open connection the kernel does not report the sender.
    pub reaches: Option<u8>,
    /// Connections, grouped by their first hop.
    pub shares: Vec<FirstHopShare>,
}

/// A router on the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// The TTL that expired there.
    pub hop: u8,
    /// What it answered.
    pub error: IcmpError,
    /// Its address.
    pub address: IpAddr,
    /// The round-trip time.
    pub after: Duration,
}

/// The results of the connections over one first hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstHopShare {
    /// The hop.
    pub hop: IpAddr,
    /// How many verified the service.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
}

impl<'a> TracerouteReading<'a> {
    /// The observations on the path to an endpoint.
    pub fn of(traced: &'a Traceroute, endpoint: &'a PlannedEndpoint, lead: AzureRoute) -> Self {
        let address = traced.address.ip();
        let flows = traced.flows.iter().filter_map(|flow| flow.whole.tcp.as_ref());
        let source = (traced.syns.iter().flatten().chain(flows)).find_map(|trace| Some(trace.source?.ip()));
        let (hops, nat) = routers(traced, source);
        Self {
            traced,
            endpoint,
            source,
            lead,
            is_near: address::is_private(address)
                || lead == AzureRoute::PastEveryHop
                || address == PLATFORM_DNS.ip()
                // This machine itself.
                || source.is_some_and(|source| source.is_loopback() || source == address),
            nat,
            accepts: from_on(&traced.syns, opens),
            refuses: from_on(&traced.syns, is_reset),
            cuts: cuts(traced, endpoint),
            reaches: reaches(traced, endpoint, &hops),
            shares: shares(traced, endpoint),
            hops,
        }
    }

    /// The port and name of the target, short enough for a diagram.
    fn label(&self) -> String {
        let name = self.endpoint.service_tag.as_deref().unwrap_or(&self.endpoint.host);
        format!("{name} {}", self.endpoint.port)
    }

    /// Whether a device accepts for an address that cannot be this near: on this machine, or at the first hop.
    pub fn is_proxied(&self) -> bool {
        !self.is_near && self.accepts == Some(1)
    }

    /// Whether a device resets for an address that cannot be this near.
    pub fn is_refused_nearby(&self) -> bool {
        !self.is_near && self.refuses == Some(1)
    }

    /// The lowest TTL from which it is cut, and how, if that is nearer than the device that accepts. If some SYNs are
    /// accepted and SYNs with larger TTLs are not, the distance of that device is not known.
    pub fn cut_on_the_way(&self) -> Option<(u8, Cause)> {
        let (cut, cause) = self.cuts?;
        let is_nearer = match self.accepts {
            Some(accepts) => cut < accepts,
            // A SYN that was never sent might have been accepted.
            None => (self.traced.syns.iter()).all(|trace| trace.as_ref().is_some_and(|trace| !opens(trace))),
        };
        is_nearer.then_some((cut, cause))
    }

    /// Whether it is cut so much nearer that two paths of different lengths do not explain it.
    pub fn is_cut_far_apart(&self) -> bool {
        let cut = self.cut_on_the_way();
        cut.is_some_and(|(cut, _)| self.accepts.is_none_or(|accepts| accepts > cut + 1))
    }

    /// Whether some SYNs reached a device that answers and those with larger TTLs did not, so that it is not known
    /// where they stop.
    pub fn is_uneven(&self) -> bool {
        let is_answered = self
            .traced
            .syns
            .iter()
            .flatten()
            .any(|trace| opens(trace) || is_reset(trace));
        is_answered && self.accepts.is_none() && self.refuses.is_none()
    }

    /// The hop over which nothing passes, and one over which everything does.
    pub fn unequal_hops(&self) -> Option<(FirstHopShare, FirstHopShare)> {
        let all = |share: &&FirstHopShare| share.failed == 0 && share.passed >= MIN_CONNECTIONS;
        let none = |share: &&FirstHopShare| share.passed == 0 && share.failed >= MIN_CONNECTIONS;
        let is_mixed = self.shares.iter().any(|share| share.passed > 0 && share.failed > 0);
        let (good, bad) = (self.shares.iter().find(all)?, self.shares.iter().find(none)?);
        (!is_mixed).then_some((*bad, *good))
    }

    /// The path to where it stops, if anything about it is known.
    pub fn path(&self) -> Option<Path> {
        let silent_hop = |does| Hop {
            hop: 1,
            does,
            address: None,
            icmp_type: None,
            icmp_code: None,
            rtt_ms: None,
        };
        let before = |ttl: u8| self.hops.iter().filter(move |router| router.hop < ttl).map(Router::hop);
        let hops: Vec<Hop> = if let Some((bad, _)) = self.unequal_hops() {
            vec![Hop {
                address: Some(bad.hop.to_string()),
                ..silent_hop(HopDoes::Forwards)
            }]
        } else if self.is_proxied() {
            vec![silent_hop(HopDoes::Accepts)]
        } else if self.is_refused_nearby() {
            vec![silent_hop(HopDoes::Refuses)]
        } else if let Some((cut, _)) = self.cuts {
            before(cut).collect()
        } else if let Some(reaches) = self.reaches {
            before(reaches + 1).collect()
        } else if self.is_uneven() || !self.traced.words.is_empty() {
            // A connection was opened, and it is not known where the data on it stops.
            Vec::new()
        } else {
            before(self.accepts.or(self.refuses).unwrap_or(u8::MAX)).collect()
        };
        (!hops.is_empty()).then(|| Path {
            endpoint: self.endpoint.id.clone(),
            from: self.source.map(|source| source.to_string()),
            to: self.traced.address.to_string(),
            label: self.label(),
            hops,
        })
    }
}

impl Router {
    fn hop(&self) -> Hop {
        Hop {
            hop: self.hop,
            does: HopDoes::Forwards,
            address: Some(self.address.to_string()),
            icmp_type: Some(self.error.kind),
            icmp_code: Some(self.error.code),
            rtt_ms: Some(milliseconds(self.after)),
        }
    }
}

/// The routers that answered, up to the first NAT: after it, another device's address may appear for any of them. A
/// public router on the path of a private source is behind one, and so is an address that has answered before. The
/// second value is the TTL of the first answer from there.
fn routers(traced: &Traceroute, source: Option<IpAddr>) -> (Vec<Router>, Option<u8>) {
    let is_translated = |sender: IpAddr| {
        source.is_some_and(address::is_private)
            && !address::is_private(traced.address.ip())
            && !address::is_private(sender)
    };
    let mut routers: Vec<Router> = Vec::new();
    for (hop, trace) in (1..).zip(&traced.syns) {
        let Some(trace) = trace else { continue };
        let Some((error, sender)) = traceroute::ran_out(trace).and_then(|error| Some((error, error.sender?))) else {
            continue;
        };
        if error.own || sender == traced.address.ip() {
            continue;
        }
        if is_translated(sender) || routers.iter().any(|router| router.address == sender) {
            return (routers, Some(hop));
        }
        routers.push(Router {
            hop,
            error: error.clone(),
            address: sender,
            after: trace.duration,
        });
    }
    (routers, None)
}

/// The lowest TTL from which something is true of everything that was tried; `None` if a larger one contradicts it or
/// was not tried, since packets with different ports may take different paths.
fn from_on<T>(tried: &[Option<T>], holds: impl Fn(&T) -> bool) -> Option<u8> {
    let holds = |one: &Option<T>| one.as_ref().is_some_and(&holds);
    let first = tried.iter().position(&holds)?;
    tried[first..].iter().all(holds).then(|| u8::try_from(first + 1).ok())?
}

fn opens(trace: &TcpTrace) -> bool {
    trace.end == TcpEnd::Open
}

fn is_reset(trace: &TcpTrace) -> bool {
    matches!(&trace.end, TcpEnd::Failed(failure) if failure.icmp.is_empty() && failure.errno == Some(libc::ECONNREFUSED))
}

/// How one connection ended, in words.
pub fn answer_text(endpoint: &PlannedEndpoint, attempt: &Attempt) -> String {
    attempt::judge(endpoint, attempt, &Context::default()).detail
}

/// Why the data on an open connection failed.
fn failure(endpoint: &PlannedEndpoint, attempt: &Attempt) -> Option<Cause> {
    let opened = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    match attempt::judge(endpoint, attempt, &Context::default()).verdict {
        AttemptVerdict::Failed(cause) if opened => Some(cause),
        _ => None,
    }
}

fn cuts(traced: &Traceroute, endpoint: &PlannedEndpoint) -> Option<(u8, Cause)> {
    let cut = |attempt: &Attempt| failure(endpoint, attempt).filter(|cause| cause.ending() != FailureMode::Silence);
    let from = from_on(&traced.words, |attempt| cut(attempt).is_some())?;
    let cause = traced.words.get(usize::from(from - 1))?.as_ref().and_then(cut)?;
    Some((from, cause))
}

/// Anything else that ends in "no route to host", such as a firewall's rejection, has the same result at every larger
/// TTL.
fn reaches(traced: &Traceroute, endpoint: &PlannedEndpoint, hops: &[Router]) -> Option<u8> {
    let is_silent =
        |attempt: &Attempt| failure(endpoint, attempt).is_some_and(|cause| cause.ending() == FailureMode::Silence);
    if !traced.words.iter().flatten().all(is_silent) {
        return None;
    }
    let ran_out = |attempt: &Option<Attempt>| attempt.as_ref().is_some_and(|attempt| attempt.ran_out);
    let last = traced.words.iter().rposition(ran_out)? + 1;
    let hop = hops.iter().find(|router| usize::from(router.hop) == last)?.hop;
    (last < traced.words.len()).then_some(hop)
}

fn shares(traced: &Traceroute, endpoint: &PlannedEndpoint) -> Vec<FirstHopShare> {
    let mut shares: BTreeMap<IpAddr, FirstHopShare> = BTreeMap::new();
    for flow in &traced.flows {
        let Some(hop) = flow.hop else { continue };
        let share = shares.entry(hop).or_insert(FirstHopShare {
            hop,
            passed: 0,
            failed: 0,
        });
        match attempt::judge(endpoint, &flow.whole, &Context::default()).verdict {
            verdict if verdict.passes() => share.passed += 1,
            AttemptVerdict::Failed(_) => share.failed += 1,
            _ => {}
        }
    }
    shares.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::{
        hello::{ExchangeEnd, Greeting},
        model::{Protocol, Suspect},
        net::SocketFailure,
        probe::trace::HelloTrace,
    };

    /// The results of the SYNs: `.` no reply, `+` accepted, `-` reset, `?` not sent; any other character is the last
    /// octet of a router in 10.0.0.0/24, or in 20.0.0.0/24 for a capital letter.
    fn traceroute(to: &str, seen: &str) -> Traceroute {
        let trace = |(at, seen): (usize, char)| {
            let ended = |errno, icmp| {
                TcpEnd::Failed(SocketFailure {
                    errno: Some(errno),
                    text: String::new(),
                    immediate: false,
                    icmp,
                })
            };
            let end = match seen {
                '?' => return None,
                '.' => TcpEnd::Silent {
                    syns: Some(1),
                    kept_here: false,
                },
                '+' => TcpEnd::Open,
                '-' => ended(libc::ECONNREFUSED, Vec::new()),
                router => {
                    let net = if router.is_uppercase() { 20 } else { 10 };
                    let host = u8::try_from(router.to_ascii_lowercase()).unwrap();
                    ended(
                        libc::EHOSTUNREACH,
                        vec![IcmpError {
                            kind: 11,
                            code: 0,
                            v6: false,
                            sender: Some([net, 0, 0, host].into()),
                            own: false,
                        }],
                    )
                }
            };
            Some(TcpTrace {
                duration: Duration::from_millis(1),
                end,
                source: Some(SocketAddr::new(
                    [10, 1, 0, 4].into(),
                    50_000 + u16::try_from(at).unwrap(),
                )),
            })
        };
        Traceroute {
            endpoint: 0,
            address: SocketAddr::new(to.parse().unwrap(), 443),
            syns: seen.chars().enumerate().map(trace).collect(),
            words: Vec::new(),
            flows: Vec::new(),
        }
    }

    const OWN_ADDRESS: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::new(10, 1, 0, 4))];

    fn endpoint() -> PlannedEndpoint {
        PlannedEndpoint::unplanned("web.example", 443, Protocol::Https)
    }

    #[test]
    fn hops_behind_a_nat_are_ignored() {
        let endpoint = endpoint();
        for (seen, hops, is_behind_a_nat) in [
            ("ab......", vec![1, 2], false),
            ("a.b.....", vec![1, 3], false),
            ("........", vec![], false),
            // A public router answers a private source only through a NAT.
            ("aAb.....", vec![1], true),
            // A NAT replaces the addresses behind it with its own.
            ("aaa.....", vec![1], true),
            ("abab....", vec![1, 2], true),
        ] {
            let traced = traceroute("20.1.2.3", seen);
            let reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
            let known: Vec<u8> = reading.hops.iter().map(|router| router.hop).collect();
            assert_eq!(known, hops, "{seen}");
            assert_eq!(reading.nat.is_some(), is_behind_a_nat, "{seen}");
            let text = reading.grounds().sentences().join(" ");
            assert_eq!(
                text.contains("a NAT hides which device answers"),
                is_behind_a_nat,
                "{text}"
            );
            assert_eq!(reading.path().is_some(), !hops.is_empty(), "{seen}");
        }
    }

    #[test]
    fn accept_at_first_hop_is_a_proxy_only_for_public_addresses() {
        let endpoint = endpoint();
        for (to, seen, lead, is_proxied) in [
            ("20.1.2.3", "++++++++", AzureRoute::Hops, true),
            ("20.1.2.3", "++++++++", AzureRoute::PastEveryHop, false),
            ("10.2.0.4", "++++++++", AzureRoute::Hops, false),
            ("168.63.129.16", "++++++++", AzureRoute::Hops, false),
            ("20.1.2.3", "a+++++++", AzureRoute::Hops, false),
            // Packets with different ports may take different paths.
            ("20.1.2.3", "+.++++++", AzureRoute::Hops, false),
            ("20.1.2.3", "+?++++++", AzureRoute::Hops, false),
        ] {
            let traced = traceroute(to, seen);
            let reading = TracerouteReading::of(&traced, &endpoint, lead);
            assert_eq!(reading.is_proxied(), is_proxied, "{to} {seen}");
        }
        let proxied = traceroute("20.1.2.3", "++++++++");
        let text = |lead| {
            TracerouteReading::of(&proxied, &endpoint, lead)
                .grounds()
                .sentences()
                .join(" ")
        };
        assert!(text(AzureRoute::Hops).contains("on this machine or at the first hop answers"));
        assert!(text(AzureRoute::Hops).contains("the given routes"));
        assert!(text(AzureRoute::Unidentified).contains("no routes were given"));
        let traced = traceroute("20.1.2.3", "--------");
        assert!(TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops).is_refused_nearby());
        assert!(!TracerouteReading::of(&traced, &endpoint, AzureRoute::PastEveryHop).is_refused_nearby());
    }

    #[test]
    fn silent_hops_give_no_evidence() {
        let (traced, endpoint) = (traceroute("20.1.2.3", "........"), endpoint());
        let reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
        assert!(reading.grounds().sentences().is_empty());
        assert_eq!(reading.path(), None);
        let mut suspects = vec![Suspect::Nsg, Suspect::Udr];
        evidence::add_suspects(&reading, &OWN_ADDRESS, &mut suspects);
        assert_eq!(suspects, [Suspect::Nsg, Suspect::Udr]);
    }

    #[test]
    fn answering_hop_clears_suspects_before_it() {
        let endpoint = endpoint();
        for (to, left) in [
            ("20.1.2.3", vec![Suspect::Nva, Suspect::Udr]),
            // Another NSG may apply at the far end of a private address.
            ("10.2.0.4", vec![Suspect::Nsg, Suspect::Udr, Suspect::Nva]),
        ] {
            let traced = traceroute(to, "a.......");
            let mut suspects = vec![Suspect::Nsg, Suspect::Udr];
            evidence::add_suspects(
                &TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops),
                &OWN_ADDRESS,
                &mut suspects,
            );
            assert_eq!(suspects, left, "{to}");
        }
    }

    #[test]
    fn answer_within_one_hop_suspects_a_proxy_or_nva() {
        let endpoint = endpoint();
        for (seen, lead, left) in [
            ("++++++++", AzureRoute::Hops, "nsg local-host service proxy nva"),
            ("--------", AzureRoute::Hops, "nva nsg local-host"),
            // Without routes it may be the service, through a service endpoint.
            ("--------", AzureRoute::Unidentified, "nva nsg local-host service"),
        ] {
            let traced = traceroute("20.1.2.3", seen);
            let mut suspects = vec![Suspect::Nsg, Suspect::LocalHost, Suspect::Service];
            evidence::add_suspects(
                &TracerouteReading::of(&traced, &endpoint, lead),
                &OWN_ADDRESS,
                &mut suspects,
            );
            let words: Vec<&str> = suspects.iter().map(|suspect| suspect.as_str()).collect();
            assert_eq!(words.join(" "), left, "{seen} {lead:?}");
        }
    }

    #[test]
    fn first_hop_of_a_container_is_its_host() {
        let (traced, endpoint) = (traceroute("20.1.2.3", "a......."), endpoint());
        let mut suspects = vec![Suspect::Nsg, Suspect::Udr];
        let network_knows: [IpAddr; 1] = [[10, 9, 9, 9].into()];
        evidence::add_suspects(
            &TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops),
            &network_knows,
            &mut suspects,
        );
        assert_eq!(suspects, [Suspect::Nva, Suspect::Nsg, Suspect::Udr]);
    }

    /// Data without a reply: `x` where a hop reports that its TTL expired.
    fn words(traced: &mut Traceroute, seen: &str) {
        let text = |seen: char| {
            let greeting = Greeting {
                end: ExchangeEnd::TimedOut,
                received: Vec::new(),
            };
            Some(Attempt {
                tcp: Some(TcpTrace {
                    duration: Duration::from_millis(1),
                    end: TcpEnd::Open,
                    source: None,
                }),
                hello: Some(Box::new(HelloTrace {
                    duration: Duration::from_millis(400),
                    greeting,
                })),
                ran_out: seen == 'x',
                ..Attempt::new(traced.address)
            })
        };
        traced.words = seen.chars().map(text).collect();
    }

    #[test]
    fn ttl_expiry_of_data_shows_the_last_hop_it_reached() {
        let endpoint = PlannedEndpoint {
            protocol: Protocol::Tds,
            ..endpoint()
        };
        for (syns, seen, reaches) in [
            ("ab.+++++", "xx......", Some(2)),
            ("ab.+++++", "x.......", Some(1)),
            // Behind a NAT, and with a firewall that rejects whatever reaches it.
            ("aAA+++++", "xxx.....", None),
            ("ab.+++++", "xxxxxxxx", None),
            ("abcdefgh", "xxxxxxxx", None),
            ("ab.+++++", "........", None),
        ] {
            let mut traced = traceroute("20.1.2.3", syns);
            words(&mut traced, seen);
            let reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
            assert_eq!(reading.reaches, reaches, "{syns} {seen}");
            let path = reading.path().map(|path| path.hops.len());
            assert_eq!(path, reaches.map(usize::from), "{syns} {seen}");
        }
        // The connection was opened, so SYNs are not what is dropped.
        let mut traced = traceroute("20.1.2.3", "aA......");
        words(&mut traced, "xx......");
        let reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
        assert!(
            reading.grounds().sentences().is_empty(),
            "{:?}",
            reading.grounds().sentences()
        );
    }

    #[test]
    fn three_flows_per_hop_are_needed_to_compare_hops() {
        let endpoint = endpoint();
        let traced = traceroute("20.1.2.3", "a.......");
        for (passed, failed, is_unequal) in [(2, 2, false), (3, 2, false), (2, 3, false), (3, 3, true)] {
            let mut reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
            let share = |host, passed, failed| FirstHopShare {
                hop: [10, 0, 2, host].into(),
                passed,
                failed,
            };
            reading.shares = vec![share(5, passed, 0), share(6, 0, failed)];
            assert_eq!(reading.unequal_hops().is_some(), is_unequal, "{passed} {failed}");
        }
    }

    #[test]
    fn lost_syn_does_not_change_the_distance() {
        let reset = Some((3, Cause::TlsReset));
        let read = |seen: &str| {
            let endpoint = endpoint();
            let traced = traceroute("20.1.2.3", seen);
            let mut reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
            reading.cuts = reset;
            (reading.cut_on_the_way().is_some(), reading.is_cut_far_apart())
        };
        // Accepted as near as it is cut, with one later SYN lost: the service's own reset.
        assert_eq!(read("..+.++++"), (false, false));
        assert_eq!(read("..++++++"), (false, false));
        // One SYN was never sent, so it shows nothing that none was accepted.
        assert_eq!(read("..?....."), (false, false));
        assert_eq!(read("...+++++"), (true, false));
        assert_eq!(read(".....+++"), (true, true));
        assert_eq!(read("........"), (true, true));
    }

    #[test]
    fn uneven_traceroute_gives_no_path() {
        let endpoint = endpoint();
        for seen in ["ab+.++++", "ab+.-.+."] {
            let traced = traceroute("20.1.2.3", seen);
            let reading = TracerouteReading::of(&traced, &endpoint, AzureRoute::Hops);
            assert!(reading.is_uneven(), "{seen}");
            assert_eq!(reading.path(), None, "{seen}");
        }
    }
}
