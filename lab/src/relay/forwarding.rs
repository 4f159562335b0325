//! What happens to each frame on the link: decisions without I/O, from the description, a seed and the previous frames.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use super::{
    frame::{self, View},
    seeded_random,
};
use crate::{
    faults::{self, FaultTarget},
    network::{
        FaultAction, FaultCondition, InjectedFault, IpProtocol, LabNetwork, Nat, NatErrors, PacketDirection,
        PacketKind, PathRouter, SimulatedLink,
    },
    vm_link::{self, ECHO, OTHER_ROUTER, ROUTER},
};

/// Size of the queue if the rate is limited and nothing else is given.
const QUEUE: u64 = 64 * 1024;

/// A frame that is forwarded, or sent in reply to one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DelayedFrame {
    /// When it arrives.
    pub(super) due: Instant,
    /// In which direction.
    pub(super) direction: PacketDirection,
    pub(super) frame: Vec<u8>,
}

/// One TCP connection, or all datagrams between two ports, as the relay has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedFlow {
    /// TCP or UDP.
    pub transport: IpProtocol,
    /// The port on the VM.
    pub source: u16,
    /// The remote address and port.
    pub destination: (Ipv4Addr, u16),
    /// Its number among all flows to the same destination, from 1.
    pub nth: u32,
    /// Whether any of its packets had a TTL that reaches the first hops only.
    pub low_ttl: bool,
    /// Packets from the VM, including lost ones.
    pub out: u32,
    /// Packets to the VM, including lost ones.
    pub back: u32,
}

/// The ports and addresses of a flow, as the VM sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FlowTuple {
    transport: IpProtocol,
    source: u16,
    destination: (Ipv4Addr, u16),
}

/// What decisions about a flow are based on.
#[derive(Debug)]
struct FlowState {
    flow: RelayedFlow,
    began: Instant,
    /// A fault has ended it, and none of its packets pass any more.
    ended: bool,
}

/// A fault that matches only some packets.
#[derive(Debug)]
struct FaultRule {
    places: Vec<FaultTarget>,
    action: FaultAction,
    when: FaultCondition,
    /// The flows that match its other conditions, in the order of their first packets.
    flows: Vec<FlowTuple>,
}

/// One direction of a link with a limited rate.
#[derive(Debug, Default)]
struct LinkQueue {
    free: Option<Instant>,
}

/// The link between the VM and the simulated network.
#[derive(Debug)]
pub(super) struct Forwarder {
    link: SimulatedLink,
    /// The ports that a firewall intercepts, and after how many hops; after all of them if there are fewer.
    gates: Vec<(u16, usize)>,
    /// When each rate-limited hop last answered.
    answered: HashMap<usize, Instant>,
    rules: Vec<FaultRule>,
    flows: HashMap<FlowTuple, FlowState>,
    /// The flows in the order of their first packets.
    order: Vec<FlowTuple>,
    numbers: HashMap<(IpProtocol, Ipv4Addr, u16), u32>,
    began: Option<Instant>,
    queues: HashMap<PacketDirection, LinkQueue>,
    /// The number of packets without a flow, which the random decision about each depends on.
    strays: u64,
    /// The frames that left the VM, if they are recorded.
    sent: Vec<Vec<u8>>,
}

/// What happens to a frame at one hop.
enum FrameOutcome {
    Passes,
    Lost,
    /// It is dropped, and these are sent instead.
    Answered(Vec<(PacketDirection, Vec<u8>)>),
}

impl Forwarder {
    pub(super) fn new(network: &LabNetwork) -> Self {
        let gates = network
            .firewalls
            .iter()
            .flat_map(|firewall| firewall.ports.iter().map(|port| (*port, firewall.after_hops)));
        Self {
            link: network.link.clone(),
            gates: gates.map(|(port, hop)| (port, hop.unwrap_or(usize::MAX))).collect(),
            answered: HashMap::new(),
            rules: Vec::new(),
            flows: HashMap::new(),
            order: Vec::new(),
            numbers: HashMap::new(),
            began: None,
            queues: HashMap::new(),
            strays: 0,
            sent: Vec::new(),
        }
    }

    /// Applies the network's faults that the relay implements.
    pub(super) fn add(&mut self, network: &LabNetwork) -> anyhow::Result<()> {
        for fault in network.faults.iter().filter(|fault| fault.is_relayed()) {
            let InjectedFault { to, action, when } = fault;
            self.rules.push(FaultRule {
                places: faults::places(network, to)?,
                action: *action,
                when: when.clone(),
                flows: Vec::new(),
            });
        }
        Ok(())
    }

    /// Removes every fault.
    pub(super) fn lift(&mut self) {
        self.rules.clear();
    }

    /// When the first packet arrived, other than the lab's own echo requests.
    pub(super) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Every flow so far, in the order of their first packets.
    pub(super) fn flows(&self) -> Vec<RelayedFlow> {
        let known = self.order.iter().filter_map(|key| self.flows.get(key));
        known.map(|known| known.flow.clone()).collect()
    }

    /// Every frame that has left the VM so far, including dropped ones, except for the lab's own echo requests; none
    /// unless frames are recorded.
    pub(super) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.clone()
    }

    /// What happens to a frame that enters the link in this direction.
    pub(super) fn treat(&mut self, direction: PacketDirection, mut frame: Vec<u8>, now: Instant) -> Vec<DelayedFrame> {
        let view = frame::view(&frame);
        let key = view.as_ref().and_then(|view| key(direction, view));
        let is_echo = key.is_some_and(|key| key.transport == IpProtocol::Udp && ECHO == key.destination.into());
        if self.link.record_frames && direction == PacketDirection::FromVm && !is_echo {
            self.sent.push(frame.clone());
        }
        let Some(view) = view else {
            return vec![DelayedFrame {
                due: now,
                direction,
                frame,
            }];
        };
        frame::mend(&mut frame, &view);
        if is_echo {
            return vec![DelayedFrame {
                due: now,
                direction,
                frame,
            }];
        }
        // ICMP errors about the lab's own echo requests may arrive before the agent starts.
        if let Some(key) = key {
            self.began.get_or_insert(now);
            self.count(key, direction, view.ttl <= vm_link::NEAR, now);
        }
        let answers = match self.travel(direction, &mut frame, key, now) {
            FrameOutcome::Passes => vec![(direction, frame)],
            FrameOutcome::Lost => Vec::new(),
            FrameOutcome::Answered(answers) => answers,
        };
        answers
            .into_iter()
            .filter_map(|(direction, frame)| self.send(direction, frame, now))
            .collect()
    }

    fn count(&mut self, key: FlowTuple, direction: PacketDirection, low_ttl: bool, now: Instant) {
        let place = (key.transport, key.destination.0, key.destination.1);
        let known = self.flows.entry(key).or_insert_with(|| {
            let nth = self.numbers.entry(place).or_default();
            *nth += 1;
            self.order.push(key);
            FlowState {
                flow: RelayedFlow {
                    transport: key.transport,
                    source: key.source,
                    destination: key.destination,
                    nth: *nth,
                    low_ttl: false,
                    out: 0,
                    back: 0,
                },
                began: now,
                ended: false,
            }
        });
        known.flow.low_ttl |= low_ttl && direction == PacketDirection::FromVm;
        match direction {
            PacketDirection::FromVm => known.flow.out += 1,
            PacketDirection::ToVm => known.flow.back += 1,
        }
    }

    /// Passes a frame through the faults and routers on the path, in order.
    fn travel(
        &mut self,
        direction: PacketDirection,
        frame: &mut [u8],
        key: Option<FlowTuple>,
        now: Instant,
    ) -> FrameOutcome {
        if direction == PacketDirection::FromVm && self.is_too_far(frame, key) {
            return FrameOutcome::Lost;
        }
        let distance = key.map_or(self.link.hops.len(), |key| self.distance(key));
        let places: Vec<usize> = match direction {
            PacketDirection::FromVm => (0..=distance).collect(),
            PacketDirection::ToVm => (0..=distance).rev().collect(),
        };
        for place in places {
            // A router checks the TTL before the faults at its hop apply to the packet; on the return path afterwards.
            if direction == PacketDirection::FromVm
                && place > 0
                && let outcome @ (FrameOutcome::Lost | FrameOutcome::Answered(_)) =
                    self.pass_hop(direction, frame, key, place, now)
            {
                return outcome;
            }
            if let outcome @ (FrameOutcome::Lost | FrameOutcome::Answered(_)) =
                self.pass_faults(direction, frame, key, place, now)
            {
                return outcome;
            }
            if direction == PacketDirection::ToVm
                && place > 0
                && let outcome @ (FrameOutcome::Lost | FrameOutcome::Answered(_)) =
                    self.pass_hop(direction, frame, key, place, now)
            {
                return outcome;
            }
        }
        FrameOutcome::Passes
    }

    /// Whether a packet's TTL expires on a path whose hops are not described.
    fn is_too_far(&self, frame: &[u8], key: Option<FlowTuple>) -> bool {
        let Some(view) = frame::view(frame) else { return false };
        self.link.hops.is_empty()
            && vm_link::is_far(view.destination)
            && view.ttl <= vm_link::NEAR
            && key.is_none_or(|key| self.gate(key).is_none())
    }

    /// After how many hops a firewall intercepts a flow, if one does.
    fn gate(&self, key: FlowTuple) -> Option<usize> {
        let takes = |(port, _): &&(u16, _)| key.transport == IpProtocol::Tcp && *port == key.destination.1;
        self.gates.iter().find(takes).map(|(_, hop)| *hop)
    }

    /// How many routers there are before the device that answers, which can be a firewall in front of the service.
    fn distance(&self, key: FlowTuple) -> usize {
        let all = self.link.hops.len();
        self.gate(key).map_or(all, |hop| hop.min(all))
    }

    fn pass_hop(
        &mut self,
        direction: PacketDirection,
        frame: &mut [u8],
        key: Option<FlowTuple>,
        place: usize,
        now: Instant,
    ) -> FrameOutcome {
        let Some(view) = frame::view(frame) else {
            return FrameOutcome::Passes;
        };
        if view.ttl > 1 {
            frame::step(frame, &view);
            return FrameOutcome::Passes;
        }
        let Some(router) = self.sender(key, place, now) else {
            return FrameOutcome::Lost;
        };
        let nat = self
            .link
            .nat
            .filter(|nat| direction == PacketDirection::FromVm && place > nat.hop);
        let from = match nat {
            None => router,
            Some(Nat {
                icmp_errors: NatErrors::Dropped,
                ..
            }) => return FrameOutcome::Lost,
            Some(Nat {
                icmp_errors: NatErrors::FromNat,
                hop,
            }) => match self.sender(key, hop, now) {
                Some(own) => own,
                None => return FrameOutcome::Lost,
            },
            Some(Nat {
                icmp_errors: NatErrors::Untranslated,
                ..
            }) => {
                frame::translate(frame, &view);
                router
            }
        };
        FrameOutcome::Answered(vec![(
            direction.reversed(),
            frame::icmp_error(frame, &view, from, 11, 0, 0),
        )])
    }

    /// The address from which the router at a hop answers, if it answers now.
    fn sender(&mut self, key: Option<FlowTuple>, place: usize, now: Instant) -> Option<Ipv4Addr> {
        match *self.link.hops.get(place.checked_sub(1)?)? {
            PathRouter::Silent => None,
            PathRouter::Address(router) => Some(router),
            PathRouter::Either(both) => {
                let is_other = key.is_some_and(|key| key.source % 2 == 0);
                Some(both[usize::from(is_other)])
            }
            PathRouter::OncePerSecond(router) => {
                let last = self.answered.get(&place);
                if last.is_some_and(|last| now.duration_since(*last) < Duration::from_secs(1)) {
                    return None;
                }
                self.answered.insert(place, now);
                Some(router)
            }
        }
    }

    fn pass_faults(
        &mut self,
        direction: PacketDirection,
        frame: &[u8],
        key: Option<FlowTuple>,
        place: usize,
        now: Instant,
    ) -> FrameOutcome {
        if key.is_some_and(|key| self.flows.get(&key).is_some_and(|known| known.ended)) {
            return FrameOutcome::Lost;
        }
        let Some(view) = frame::view(frame) else {
            return FrameOutcome::Passes;
        };
        self.strays += u64::from(key.is_none());
        for index in 0..self.rules.len() {
            if self.rules[index].when.after_hops.unwrap_or(0) != place
                || !self.applies(index, direction, &view, key, now)
            {
                continue;
            }
            let outcome = self.answer(index, direction, frame, &view);
            if matches!(self.rules[index].action, FaultAction::Reset | FaultAction::Close)
                && let Some(known) = key.and_then(|key| self.flows.get_mut(&key))
            {
                known.ended = true;
            }
            return outcome;
        }
        FrameOutcome::Passes
    }

    /// Whether a fault matches this packet.
    fn applies(
        &mut self,
        index: usize,
        direction: PacketDirection,
        view: &View,
        key: Option<FlowTuple>,
        now: Instant,
    ) -> bool {
        let far = match direction {
            PacketDirection::FromVm => view.destination,
            PacketDirection::ToVm => view.source,
        };
        let port = key.map(|key| (key.transport, key.destination.1));
        let rule = &self.rules[index];
        if !rule.places.iter().any(|place| place.covers(far, port)) {
            return false;
        }
        let when = &rule.when;
        let since = self.began.map_or(Duration::ZERO, |began| now.duration_since(began));
        let kind = match when.packets {
            None => true,
            Some(PacketKind::Syn) => view.is_syn,
            Some(PacketKind::Data) => view.payload > 0,
        };
        let passes = kind
            && (!when.even_source_ports || key.is_some_and(|key| key.source % 2 == 0))
            && when.direction.is_none_or(|only| only == direction)
            && when.larger_than_bytes.is_none_or(|limit| view.length > limit)
            && when.from_ms.is_none_or(|from| since >= Duration::from_millis(from))
            && when.until_ms.is_none_or(|until| since < Duration::from_millis(until));
        passes && self.is_of_the_flows(index, key, now) && self.draws(index, direction, key)
    }

    /// Whether a fault matches the packet's flow.
    fn is_of_the_flows(&mut self, index: usize, key: Option<FlowTuple>, now: Instant) -> bool {
        let rule = &mut self.rules[index];
        let when = &rule.when;
        let is_about_flows = when.flow_share.is_some()
            || !when.nth_flow.is_empty()
            || when.after_flows.is_some()
            || when.flow_older_than_ms.is_some();
        if !is_about_flows {
            return true;
        }
        let Some((key, known)) = key.and_then(|key| Some((key, self.flows.get(&key)?))) else {
            return false;
        };
        let at = rule.flows.iter().position(|flow| *flow == key).unwrap_or_else(|| {
            rule.flows.push(key);
            rule.flows.len() - 1
        });
        let age = now.duration_since(known.began);
        when.flow_share
            .is_none_or(|share| seeded_random::draw(self.link.seed, &hashed(key)) < share)
            && (when.nth_flow.is_empty() || when.nth_flow.contains(&known.flow.nth))
            && when.after_flows.is_none_or(|limit| at >= limit as usize)
            && when
                .flow_older_than_ms
                .is_none_or(|limit| age > Duration::from_millis(limit))
    }

    /// The random decision. It depends on the packet's place in its flow, not on time: the n-th packet of the n-th flow
    /// to a destination always gets the same one.
    fn draws(&self, index: usize, direction: PacketDirection, key: Option<FlowTuple>) -> bool {
        let Some(share) = self.rules[index].when.packet_share else {
            return true;
        };
        let rule = index as u64;
        let is_back = u64::from(direction == PacketDirection::ToVm);
        let parts = match key.and_then(|key| self.flows.get(&key)) {
            Some(FlowState { flow, .. }) => {
                let ordinal = match direction {
                    PacketDirection::FromVm => flow.out,
                    PacketDirection::ToVm => flow.back,
                };
                let (address, port) = flow.destination;
                let place = u64::from(u32::from(address)) << 16 | u64::from(port);
                [rule, is_back, place, u64::from(flow.nth), u64::from(ordinal)]
            }
            None => [rule, is_back, 0, 0, self.strays],
        };
        seeded_random::draw(self.link.seed, &parts) < share
    }

    /// What is sent instead of a packet that a fault matches.
    fn answer(&self, index: usize, direction: PacketDirection, frame: &[u8], view: &View) -> FrameOutcome {
        let rule = &self.rules[index];
        let icmp = |kind, code, rest| {
            let router = match rule
                .when
                .after_hops
                .and_then(|hop| self.link.hops.get(hop.checked_sub(1)?))
            {
                Some(
                    PathRouter::Address(router) | PathRouter::OncePerSecond(router) | PathRouter::Either([router, _]),
                ) => *router,
                Some(PathRouter::Silent) => return FrameOutcome::Lost,
                None if direction == PacketDirection::ToVm => OTHER_ROUTER,
                None => ROUTER,
            };
            let error = frame::icmp_error(frame, view, router, kind, code, rest);
            FrameOutcome::Answered(vec![(direction.reversed(), error)])
        };
        let end = |answer: Option<Vec<u8>>| {
            let answers = [
                answer.map(|frame| (direction.reversed(), frame)),
                frame::abandon(frame).map(|frame| (direction, frame)),
            ];
            FrameOutcome::Answered(answers.into_iter().flatten().collect())
        };
        match rule.action {
            FaultAction::Prohibited => icmp(3, 13, 0),
            FaultAction::Unreachable => icmp(3, 0, 0),
            // The MTU of the next hop (RFC 1191 §4): the largest packet that would have passed.
            FaultAction::Icmp(4) => icmp(3, 4, rule.when.larger_than_bytes.unwrap_or(view.length)),
            FaultAction::Icmp(code) => icmp(3, code, 0),
            FaultAction::TtlExceeded => icmp(11, 0, 0),
            FaultAction::Reset => end(frame::reset(frame)),
            FaultAction::Close => end(frame::fin(frame)),
            // Faults of the VM itself never reach the relay.
            _ => FrameOutcome::Lost,
        }
    }

    /// Sends a frame over the link: rate and delay determine when it arrives; if the queue is full, it is dropped.
    fn send(&mut self, direction: PacketDirection, frame: Vec<u8>, now: Instant) -> Option<DelayedFrame> {
        let mut due = now;
        if let Some(kbit) = self.link.rate_kbit.filter(|kbit| *kbit > 0) {
            let lane = self.queues.entry(direction).or_default();
            let free = lane.free.unwrap_or(now).max(now);
            let waits = (free - now).as_micros();
            let queue = u128::from(self.link.queue_bytes.unwrap_or(QUEUE));
            if waits * u128::from(kbit) / 8_000 > queue {
                return None;
            }
            due = free + Duration::from_micros(frame.len() as u64 * 8_000 / kbit);
            lane.free = Some(due);
        }
        Some(DelayedFrame {
            due: due + Duration::from_millis(self.link.delay_ms),
            direction,
            frame,
        })
    }
}

/// The flow of a packet, as the VM sees it.
fn key(direction: PacketDirection, view: &View) -> Option<FlowTuple> {
    let (transport, from, to) = view.ports?;
    Some(match direction {
        PacketDirection::FromVm => FlowTuple {
            transport,
            source: from,
            destination: (view.destination, to),
        },
        PacketDirection::ToVm => FlowTuple {
            transport,
            source: to,
            destination: (view.source, from),
        },
    })
}

/// The input for a hash of both addresses and ports; the VM's address is always the same.
fn hashed(key: FlowTuple) -> [u64; 3] {
    let (address, port) = key.destination;
    [
        key.transport as u64,
        u64::from(u32::from(address)) << 16 | u64::from(port),
        u64::from(key.source),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ServiceAddress;

    const FAR: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 1);

    fn forwarder(network: &str) -> Forwarder {
        let network: LabNetwork = serde_yaml::from_str(network).unwrap();
        let mut forwarder = Forwarder::new(&network);
        forwarder.add(&network).unwrap();
        forwarder
    }

    /// Which of some connections get their SYN through.
    fn passing(forwarder: &mut Forwarder, now: Instant, sources: impl Iterator<Item = u16>) -> Vec<u16> {
        let passes = |source: &u16| {
            let syn = frame::tests_support::syn(FAR, *source, 443, 64);
            let parcels = forwarder.treat(PacketDirection::FromVm, syn, now);
            parcels.iter().any(|parcel| parcel.direction == PacketDirection::FromVm)
        };
        sources.filter(passes).collect()
    }

    #[test]
    fn flow_share_selects_the_same_flows_for_the_same_seed() {
        let network = "{ link: { seed: 1 }, faults: [ { to: '*', action: drop, when: { flow_share: 0.5 } } ] }";
        let now = Instant::now();
        let first = passing(&mut forwarder(network), now, 40_000..42_000);
        assert!((900..1_100).contains(&first.len()), "{}", first.len());
        assert_eq!(first, passing(&mut forwarder(network), now, 40_000..42_000));
        let other = network.replace("seed: 1", "seed: 2");
        assert_ne!(first, passing(&mut forwarder(&other), now, 40_000..42_000));
    }

    #[test]
    fn flows_are_numbered_per_destination() {
        let mut second = forwarder("faults: [ { to: '*', action: drop, when: { nth_flow: [2] } } ]");
        let now = Instant::now();
        assert_eq!(passing(&mut second, now, 1..5), [1, 3, 4]);
        let mut full = forwarder("faults: [ { to: '*', action: drop, when: { after_flows: 2 } } ]");
        assert_eq!(passing(&mut full, now, 1..5), [1, 2]);
        assert_eq!(passing(&mut full, now, 1..5), [1, 2], "an old flow goes on");
    }

    #[test]
    fn packet_share_drops_its_share_and_the_same_packets_for_the_same_seed() {
        let network = "faults: [ { to: '*', action: drop, when: { packet_share: 0.2 } } ]";
        let now = Instant::now();
        let first = passing(&mut forwarder(network), now, 1..2_001);
        assert!((1_500..1_700).contains(&first.len()), "{}", first.len());
        assert_eq!(first, passing(&mut forwarder(network), now, 1..2_001));
    }

    #[test]
    fn fault_applies_from_ms_until_ms_only() {
        let mut flap = forwarder("faults: [ { to: '*', action: drop, when: { from_ms: 100, until_ms: 200 } } ]");
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let passed: Vec<u64> = [0, 99, 100, 199, 200]
            .into_iter()
            .filter(|ms| !passing(&mut flap, at(*ms), 1..2).is_empty())
            .collect();
        assert_eq!(passed, [0, 99, 200]);
    }

    #[test]
    fn rate_limit_delays_frames_and_drops_beyond_the_queue() {
        let mut slow = forwarder("link: { delay_ms: 750, rate_kbit: 8, queue_bytes: 110 }");
        let now = Instant::now();
        let arrivals: Vec<Vec<Duration>> = (1..5)
            .map(|source| {
                let syn = frame::tests_support::syn(FAR, source, 443, 64);
                let parcels = slow.treat(PacketDirection::FromVm, syn, now);
                parcels.iter().map(|parcel| parcel.due - now).collect()
            })
            .collect();
        // 54 bytes take 54 ms at one kilobyte per second; two wait, and the next finds the queue full.
        let ms = Duration::from_millis;
        assert_eq!(arrivals, [vec![ms(804)], vec![ms(858)], vec![ms(912)], vec![]]);
    }

    #[test]
    fn ttl_expires_at_its_hop_and_a_firewall_answers_before_the_service() {
        let mut hops = forwarder(
            "{ link: { hops: [10.1.0.1, silent, 10.9.0.3] }, firewalls: [ { ports: [80], after_hops: 1, default_action: forward } ] }",
        );
        let now = Instant::now();
        let mut seen = |ttl, port| -> Vec<(PacketDirection, Ipv4Addr)> {
            let syn = frame::tests_support::syn(FAR, 1, port, ttl);
            let parcels = hops.treat(PacketDirection::FromVm, syn, now);
            let source = |parcel: &DelayedFrame| (parcel.direction, frame::view(&parcel.frame).unwrap().source);
            parcels.iter().map(source).collect()
        };
        let vm = crate::vm_link::VM;
        assert_eq!(seen(1, 443), [(PacketDirection::ToVm, Ipv4Addr::new(10, 1, 0, 1))]);
        assert_eq!(seen(2, 443), []);
        assert_eq!(seen(3, 443), [(PacketDirection::ToVm, Ipv4Addr::new(10, 9, 0, 3))]);
        assert_eq!(seen(4, 443), [(PacketDirection::FromVm, vm)]);
        assert_eq!(seen(2, 80), [(PacketDirection::FromVm, vm)]);
    }

    /// Which hop answers a SYN from this port with this TTL, and whether it quotes the VM.
    fn hears(forwarder: &mut Forwarder, now: Instant, source: u16, ttl: u8) -> Option<(Ipv4Addr, bool)> {
        let parcels = forwarder.treat(
            PacketDirection::FromVm,
            frame::tests_support::syn(FAR, source, 443, ttl),
            now,
        );
        let back = parcels
            .iter()
            .find(|parcel| parcel.direction == PacketDirection::ToVm)?;
        let quoted = &back.frame[14 + 20 + 8..];
        Some((
            frame::view(&back.frame)?.source,
            quoted[12..16] == crate::vm_link::VM.octets(),
        ))
    }

    #[test]
    fn hop_can_be_rate_limited_or_shared_by_two_routers() {
        let mut seldom = forwarder("link: { hops: [ 10.1.9.4 once per second ] }");
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let answered = [now, now, later].map(|now| hears(&mut seldom, now, 1, 1).is_some());
        assert_eq!(answered, [true, false, true]);

        let network = "{ link: { hops: [ 10.0.2.5 or 10.0.2.6 ] }, faults: [ { to: '*', action: drop, when: { after_hops: 1, even_source_ports: true } } ] }";
        let mut pair = forwarder(network);
        let passing = passing(&mut forwarder(network), now, 40_000..40_050);
        for port in 40_000..40_050 {
            let dead = Ipv4Addr::new(10, 0, 2, 6);
            let (hop, _) = hears(&mut pair, now, port, 1).unwrap();
            assert_eq!(passing.contains(&port), hop != dead, "{port}");
        }
        assert_eq!(passing.len(), 25);
    }

    #[test]
    fn nat_drops_or_rewrites_icmp_errors() {
        let hops = "hops: [10.1.9.4, 20.9.0.1, 20.9.0.2]";
        let now = Instant::now();
        let nat = Ipv4Addr::new(10, 1, 9, 4);
        for (errors, second) in [
            ("dropped", None),
            ("from-nat", Some((nat, true))),
            ("untranslated", Some((Ipv4Addr::new(20, 9, 0, 1), false))),
        ] {
            let mut forwarder = forwarder(&format!("link: {{ {hops}, nat: {{ hop: 1, icmp_errors: {errors} }} }}"));
            assert_eq!(hears(&mut forwarder, now, 1, 1), Some((nat, true)), "{errors}");
            assert_eq!(hears(&mut forwarder, now, 1, 2), second, "{errors}");
        }
    }

    #[test]
    fn public_address_is_beyond_a_low_ttl_without_hops() {
        let mut plain = forwarder("firewalls: [ { ports: [80], default_action: forward } ]");
        let now = Instant::now();
        let mut passes = |to: Ipv4Addr, port, ttl| {
            let syn = frame::tests_support::syn(to, 1, port, ttl);
            !plain.treat(PacketDirection::FromVm, syn, now).is_empty()
        };
        assert!(!passes(FAR, 443, 1));
        assert!(passes(FAR, 443, 64));
        assert!(passes(FAR, 80, 1));
        assert!(passes(Ipv4Addr::new(10, 2, 0, 4), 443, 1));
    }

    #[test]
    fn fault_behind_a_hop_does_not_affect_packets_that_expire_before_it() {
        let mut hops = forwarder(
            "{ link: { hops: [10.1.0.1, 10.9.0.2] }, faults: [ { to: '*', action: drop, when: { after_hops: 1 } } ] }",
        );
        let now = Instant::now();
        let mut answers = |ttl| {
            let syn = frame::tests_support::syn(FAR, 1, 443, ttl);
            hops.treat(PacketDirection::FromVm, syn, now).len()
        };
        assert_eq!([answers(1), answers(2), answers(64)], [1, 0, 0]);
    }

    #[test]
    fn flows_count_their_packets_in_each_direction() {
        let mut counted = forwarder("link: { count_flows: true }");
        let now = Instant::now();
        for _ in 0..3 {
            passing(&mut counted, now, 7..8);
        }
        let expected = RelayedFlow {
            transport: ServiceAddress::tcp("x", 443).transport,
            source: 7,
            destination: (FAR, 443),
            nth: 1,
            low_ttl: false,
            out: 3,
            back: 0,
        };
        assert_eq!(counted.flows(), [expected]);
    }
}
