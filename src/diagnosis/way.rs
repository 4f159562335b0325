//! What small times to live say of where it stops: who answers on the way, and who accepts or cuts within so many hops.
//!
//! A hop that answers has seen the packet; one that does not answer says nothing. Who accepts, resets or cuts although the
//! packet cannot have come farther stands within that distance, whatever any router says. Behind a NAT only this second kind is
//! believed.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{attempt, context::Context, outcome::Standing};
use crate::{
    address,
    azure::PLATFORM_DNS,
    model::{Cause, Ending, Hop, HopDoes, Path},
    net::{
        icmp::IcmpError,
        milliseconds,
        tcp::{TcpEnd, TcpTrace},
    },
    plan::Endpoint,
    probe::{
        trace::Attempt,
        way::{self, Way},
    },
};

pub mod account;
pub mod calls;

/// So many connections over one hop have to fare alike before it is the hop's doing.
const ENOUGH: usize = 2;

/// What was seen of one way, and how far it reaches.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    endpoint: &'a Endpoint,
    address: SocketAddr,
    source: Option<IpAddr>,
    /// Whether the address may well be at the first hop: inside a network Azure's fabric takes nothing off a time to live.
    is_near: bool,
    /// The hops before any NAT that said that a SYN ran out there.
    pub hops: Vec<Router>,
    /// From which time to live on every SYN is accepted.
    pub accepts: Option<u8>,
    /// From which one on every SYN is reset.
    pub refuses: Option<u8>,
    /// The least one with which any SYN is accepted or reset; larger ones may have been lost, or gone another way.
    pub nearest: Option<u8>,
    /// Whether every SYN was sent, and none accepted.
    pub none_opens: bool,
    /// From which one on everything that we say is cut, and how.
    pub cuts: Option<(u8, Cause)>,
    /// The largest time to live of words that ran out, where larger ones were met with silence.
    pub reaches: Option<u8>,
    /// Connections by the first hop that they go over.
    pub shares: Vec<Share>,
}

/// A router on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// The time to live that ran out there.
    pub hop: u8,
    /// What it answered.
    pub error: IcmpError,
    /// Its address.
    pub address: IpAddr,
    /// How long that took.
    pub after: Duration,
}

/// What the connections over one first hop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The hop.
    pub hop: IpAddr,
    /// How many proved the service.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
}

impl<'a> Reading<'a> {
    /// What was seen on the way to an endpoint; `has_service_endpoint` where a route is known that leads past every hop.
    pub fn of(way: &'a Way, endpoint: &'a Endpoint, has_service_endpoint: bool) -> Self {
        let address = way.address;
        let mut traces = way.syns.iter().flatten();
        let source = traces.find_map(|trace| Some(trace.source?.ip()));
        let opens = |trace: &TcpTrace| trace.end == TcpEnd::Open;
        Self {
            endpoint,
            address,
            source,
            is_near: address::is_private(address.ip()) || has_service_endpoint || address.ip() == PLATFORM_DNS.ip(),
            hops: routers(way, source),
            accepts: from_on(&way.syns, opens),
            refuses: from_on(&way.syns, is_reset),
            nearest: nearest(&way.syns, |trace| opens(trace) || is_reset(trace)),
            none_opens: way
                .syns
                .iter()
                .all(|trace| trace.as_ref().is_some_and(|trace| !opens(trace))),
            cuts: cuts(way, endpoint),
            reaches: reaches(way, endpoint),
            shares: shares(way, endpoint),
        }
    }

    /// The port and the name of what is dialled, as a picture has room for them.
    fn label(&self) -> String {
        let name = self.endpoint.service_tag.as_deref().unwrap_or(&self.endpoint.host);
        format!("{name} {}", self.endpoint.port)
    }

    /// Whether somebody at the first hop accepts in the place of an address that cannot be there.
    pub fn is_proxied(&self) -> bool {
        !self.is_near && self.accepts == Some(1)
    }

    /// Whether somebody at the first hop resets in the place of an address that cannot be there.
    pub fn is_refused_nearby(&self) -> bool {
        !self.is_near && self.refuses == Some(1)
    }

    /// From which time to live on it is cut, and how, where that is nearer than whoever accepts. Where some SYNs are accepted
    /// and larger ones are not, nothing tells from where on they are.
    pub fn cut_on_the_way(&self) -> Option<(u8, Cause)> {
        let (cut, cause) = self.cuts?;
        let is_nearer = match self.accepts {
            Some(accepts) => cut < accepts,
            None => self.none_opens,
        };
        is_nearer.then_some((cut, cause))
    }

    /// Whether it is cut so much nearer that two ways of different length do not explain it.
    pub fn is_cut_far_apart(&self) -> bool {
        let cut = self.cut_on_the_way();
        cut.is_some_and(|(cut, _)| self.accepts.is_none_or(|accepts| accepts > cut + 1))
    }

    /// Whether some SYNs got as far as somebody who answers them and larger ones did not, so that nothing tells where it stops.
    pub fn is_uneven(&self) -> bool {
        self.nearest.is_some() && self.accepts.is_none() && self.refuses.is_none()
    }

    /// The hop over which nothing passes, and one over which everything does.
    pub fn unequal_hops(&self) -> Option<(Share, Share)> {
        let all = |share: &&Share| share.failed == 0 && share.passed >= ENOUGH;
        let none = |share: &&Share| share.passed == 0 && share.failed >= ENOUGH;
        let is_mixed = self.shares.iter().any(|share| share.passed > 0 && share.failed > 0);
        let (good, bad) = (self.shares.iter().find(all)?, self.shares.iter().find(none)?);
        (!is_mixed).then_some((*bad, *good))
    }

    /// The way to where it stops, where anything of it is known.
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
        } else if let Some((cut, _)) = self.cut_on_the_way() {
            before(cut).collect()
        } else if let Some(reaches) = self.reaches {
            before(reaches + 1).collect()
        } else if self.is_uneven() {
            Vec::new()
        } else {
            before(self.accepts.or(self.refuses).unwrap_or(u8::MAX)).collect()
        };
        (!hops.is_empty()).then(|| Path {
            endpoint: self.endpoint.id.clone(),
            from: self.source.map(|source| source.to_string()),
            to: self.address.to_string(),
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

/// The routers that answered, up to the first NAT: behind it another's address may stand for any of them. A public router on
/// the way of a private source is behind one, and so is an address that has answered before.
fn routers(way: &Way, source: Option<IpAddr>) -> Vec<Router> {
    let is_translated = |sender: IpAddr| {
        source.is_some_and(address::is_private)
            && !address::is_private(way.address.ip())
            && !address::is_private(sender)
    };
    let mut routers: Vec<Router> = Vec::new();
    for (hop, trace) in (1..).zip(&way.syns) {
        let Some(trace) = trace else { continue };
        let Some((error, sender)) = way::ran_out(trace).and_then(|error| Some((error, error.sender?))) else {
            continue;
        };
        if error.own || sender == way.address.ip() {
            continue;
        }
        if is_translated(sender) || routers.iter().any(|router| router.address == sender) {
            break;
        }
        routers.push(Router {
            hop,
            error: error.clone(),
            address: sender,
            after: trace.duration,
        });
    }
    routers
}

/// The least time to live from which on something holds of everything that was tried; `None` where a larger one fails it, or
/// was not tried, since packets of different ports may go different ways.
fn from_on<T>(tried: &[Option<T>], holds: impl Fn(&T) -> bool) -> Option<u8> {
    let holds = |one: &Option<T>| one.as_ref().is_some_and(&holds);
    let first = tried.iter().position(&holds)?;
    tried[first..].iter().all(holds).then(|| u8::try_from(first + 1).ok())?
}

/// The least time to live at which something holds.
fn nearest<T>(tried: &[Option<T>], holds: impl Fn(&T) -> bool) -> Option<u8> {
    let first = tried.iter().position(|one| one.as_ref().is_some_and(&holds))?;
    u8::try_from(first + 1).ok()
}

fn is_reset(trace: &TcpTrace) -> bool {
    matches!(&trace.end, TcpEnd::Failed(failure) if failure.icmp.is_empty() && failure.errno == Some(libc::ECONNREFUSED))
}

/// How one connection ended, in words.
pub fn told(endpoint: &Endpoint, attempt: &Attempt) -> String {
    attempt::judge(endpoint, attempt, &Context::default()).detail
}

/// Why what was said on an open connection failed.
fn failure(endpoint: &Endpoint, attempt: &Attempt) -> Option<Cause> {
    let opened = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    match attempt::judge(endpoint, attempt, &Context::default()).standing {
        Standing::Failed(cause) if opened => Some(cause),
        _ => None,
    }
}

fn cuts(way: &Way, endpoint: &Endpoint) -> Option<(u8, Cause)> {
    let cut = |attempt: &Attempt| failure(endpoint, attempt).filter(|cause| cause.ending() != Ending::Silence);
    let from = from_on(&way.words, |attempt| cut(attempt).is_some())?;
    let cause = way.words.get(usize::from(from - 1))?.as_ref().and_then(cut)?;
    Some((from, cause))
}

fn reaches(way: &Way, endpoint: &Endpoint) -> Option<u8> {
    let is_silent =
        |attempt: &Attempt| failure(endpoint, attempt).is_some_and(|cause| cause.ending() == Ending::Silence);
    if !way.words.iter().flatten().all(is_silent) {
        return None;
    }
    let ran_out = |attempt: &Option<Attempt>| attempt.as_ref().is_some_and(|attempt| attempt.ran_out);
    let last = way.words.iter().rposition(ran_out)?;
    u8::try_from(last + 1).ok()
}

fn shares(way: &Way, endpoint: &Endpoint) -> Vec<Share> {
    let mut shares: BTreeMap<IpAddr, Share> = BTreeMap::new();
    for flow in &way.flows {
        let Some(hop) = flow.hop else { continue };
        let share = shares.entry(hop).or_insert(Share {
            hop,
            passed: 0,
            failed: 0,
        });
        match attempt::judge(endpoint, &flow.whole, &Context::default()).standing {
            standing if standing.passes() => share.passed += 1,
            Standing::Failed(_) => share.failed += 1,
            _ => {}
        }
    }
    shares.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Direction, Expect, Need, Protocol, Suspect, Transport},
        net::SocketFailure,
        plan::Destination,
    };

    /// What became of the SYNs: `.` silence, `+` accepted, `-` reset, `?` not sent, anything else the host of a router in 10.0.0.0/24,
    /// or in 20.0.0.0/24 where it is a capital letter.
    fn way(to: &str, seen: &str) -> Way {
        let trace = |(at, seen): (usize, char)| {
            let ended = |errno, icmp| {
                TcpEnd::Failed(SocketFailure {
                    errno: Some(errno),
                    text: String::new(),
                    straight: false,
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
        Way {
            endpoint: 0,
            address: SocketAddr::new(to.parse().unwrap(), 443),
            syns: seen.chars().enumerate().map(trace).collect(),
            words: Vec::new(),
            flows: Vec::new(),
        }
    }

    fn endpoint() -> Endpoint {
        Endpoint {
            id: "web/web.example:443".into(),
            dependency: "web".into(),
            title: "A page".into(),
            service_tag: None,
            need: Need::Required,
            feature: None,
            impact: String::new(),
            stops_activation: false,
            host: "web.example".into(),
            pattern: None,
            port: 443,
            transport: Transport::Tcp,
            protocol: Protocol::Https,
            destination: Destination::Name,
            names: vec!["web.example".into()],
            path: None,
            note: None,
            expect: Expect::Reachable,
            direction: Direction::Outbound,
            source_tag: None,
            stand_in: None,
            of_instance: None,
            untested: None,
        }
    }

    #[test]
    fn hops_are_believed_up_to_a_nat() {
        let endpoint = endpoint();
        for (seen, hops) in [
            ("ab......", vec![1, 2]),
            ("a.b.....", vec![1, 3]),
            ("........", vec![]),
            // A public router answers a private source only through a NAT.
            ("aAb.....", vec![1]),
            // A NAT puts its own address in the place of those behind it.
            ("aaa.....", vec![1]),
            ("abab....", vec![1, 2]),
        ] {
            let way = way("20.1.2.3", seen);
            let reading = Reading::of(&way, &endpoint, false);
            let known: Vec<u8> = reading.hops.iter().map(|router| router.hop).collect();
            assert_eq!(known, hops, "{seen}");
            assert_eq!(reading.path().is_some(), !hops.is_empty(), "{seen}");
        }
    }

    #[test]
    fn a_proxy_is_one_only_where_nothing_else_can_be_so_near() {
        let endpoint = endpoint();
        for (to, seen, has_service_endpoint, is_proxied) in [
            ("20.1.2.3", "++++++++", false, true),
            ("20.1.2.3", "++++++++", true, false),
            ("10.2.0.4", "++++++++", false, false),
            ("168.63.129.16", "++++++++", false, false),
            ("20.1.2.3", "a+++++++", false, false),
            // Packets of different ports may go different ways.
            ("20.1.2.3", "+.++++++", false, false),
            ("20.1.2.3", "+?++++++", false, false),
        ] {
            let way = way(to, seen);
            let reading = Reading::of(&way, &endpoint, has_service_endpoint);
            assert_eq!(reading.is_proxied(), is_proxied, "{to} {seen}");
        }
        let way = way("20.1.2.3", "--------");
        assert!(Reading::of(&way, &endpoint, false).is_refused_nearby());
        assert!(!Reading::of(&way, &endpoint, true).is_refused_nearby());
    }

    #[test]
    fn what_does_not_answer_says_nothing() {
        let (way, endpoint) = (way("20.1.2.3", "........"), endpoint());
        let reading = Reading::of(&way, &endpoint, false);
        assert!(reading.says().sentences().is_empty());
        assert_eq!(reading.path(), None);
        let mut suspects = vec![Suspect::Nsg, Suspect::Udr];
        account::accuse(&reading, &mut suspects);
        assert_eq!(suspects, [Suspect::Nsg, Suspect::Udr]);
    }

    #[test]
    fn a_hop_that_answers_clears_what_stands_before_it() {
        let endpoint = endpoint();
        for (to, left) in [
            ("20.1.2.3", vec![Suspect::Nva, Suspect::Udr]),
            // At the far end of a private address another NSG may stand.
            ("10.2.0.4", vec![Suspect::Nsg, Suspect::Udr, Suspect::Nva]),
        ] {
            let way = way(to, "a.......");
            let mut suspects = vec![Suspect::Nsg, Suspect::Udr];
            account::accuse(&Reading::of(&way, &endpoint, false), &mut suspects);
            assert_eq!(suspects, left, "{to}");
        }
    }

    #[test]
    fn a_lost_syn_puts_nobody_farther_away() {
        let reset = Some((3, Cause::TlsReset));
        let read = |seen: &str| {
            let endpoint = endpoint();
            let way = way("20.1.2.3", seen);
            let mut reading = Reading::of(&way, &endpoint, false);
            reading.cuts = reset;
            (reading.cut_on_the_way().is_some(), reading.is_cut_far_apart())
        };
        // Accepted as near as it is cut, with one SYN lost behind: the service's own reset.
        assert_eq!(read("..+.++++"), (false, false));
        assert_eq!(read("..++++++"), (false, false));
        // One was never sent, so that none is accepted says nothing.
        assert_eq!(read("..?....."), (false, false));
        assert_eq!(read("...+++++"), (true, false));
        assert_eq!(read(".....+++"), (true, true));
        assert_eq!(read("........"), (true, true));
    }

    #[test]
    fn nothing_is_said_of_the_end_where_larger_times_to_live_fare_worse() {
        let endpoint = endpoint();
        for seen in ["ab+.++++", "ab+.-.+."] {
            let way = way("20.1.2.3", seen);
            let reading = Reading::of(&way, &endpoint, false);
            assert!(reading.is_uneven(), "{seen}");
            assert_eq!(reading.path(), None, "{seen}");
        }
    }
}
