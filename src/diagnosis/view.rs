//! The whole run as findings see it: every endpoint with its measurements and verdict, and what is left to explain.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    outage,
    outcome::{AttemptVerdict, Judgement, Outcome},
    socket,
};
use crate::{
    azure::resources::KnownResources,
    import::{subnets::Subnets, view::InstanceView},
    model::{Cause, Need, Vnet},
    net::icmp::IcmpError,
    network::Predictions,
    plan::Plan,
    probe::{
        Run,
        clock::{self, ClockOffset},
        control::Controls,
        own_network::{KernelNextHop, Outage, OutageCoverage, OwnNetwork},
        trace::{NameTrace, ServerReply},
        traceroute::Traceroute,
    },
    rules::RuleSet,
};

mod link_quality;
mod row;
mod servers;

pub use self::{
    link_quality::{LinkQuality, same_class},
    row::{ProbedEndpoint, is_needed, should_work},
    servers::{NameServerView, QueryCounts},
};

/// What is known about the place and the time of a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The region, as the VM's metadata names it: it makes service tags regional.
    pub region: Option<&'a str>,
    /// The kind of virtual network; `None` if it is not known.
    pub vnet: Option<Vnet>,
    /// This machine's addresses: an ICMP error from one of them is its own.
    pub addresses: &'a [IpAddr],
    /// When the run started.
    pub started_at: Timestamp,
    /// The instance's status of its own network, if it was queried.
    pub instance: Option<&'a InstanceView>,
    /// The NSGs and routes of this VM and of the instance, if the management endpoint returned them.
    pub subnets: Option<&'a Subnets>,
    /// The rules that the plan needs: a finding's fix uses these.
    pub rules: Option<&'a RuleSet<'a>>,
    /// The user's own resources, whose names are used in commands; `None` if none are known.
    pub known: Option<&'a KnownResources>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunView<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// When it began, by this machine's clock.
    pub began: Timestamp,
    /// What every name server answered for each name.
    pub names: &'a BTreeMap<String, NameTrace>,
    /// What the controls showed.
    pub controls: &'a Controls,
    /// What SYNs with a low TTL showed about where packets stop.
    pub traceroutes: &'a [Traceroute],
    /// What the given rules and routes predict, if there are any.
    pub predictions: Option<&'a Predictions>,
    /// What this machine's kernel reported about its own network.
    pub own_network: &'a OwnNetwork,
    /// Where it was made from.
    pub place: Surroundings<'a>,
    /// Whether the platform's name server (168.63.129.16) answered as a control; `None` if it was not queried.
    pub platform_dns: Option<bool>,
    /// What the peers' times show about this machine's clock; `None` if there are none.
    pub clock: Option<ClockOffset>,
    /// The quality of the line.
    pub line: LinkQuality,
    /// The addresses and ports at which a connection was accepted.
    pub open: BTreeSet<SocketAddr>,
    /// Every planned endpoint, in the catalog's order.
    pub rows: Vec<ProbedEndpoint<'a>>,
}

impl<'a> RunView<'a> {
    /// Puts plan, traces and judgements side by side.
    pub fn new(
        plan: &'a Plan,
        run: &'a Run,
        judgements: &'a [Judgement],
        predictions: Option<&'a Predictions>,
        place: Surroundings<'a>,
    ) -> Self {
        let judged = plan.endpoints.iter().zip(&run.traces).zip(judgements).enumerate();
        let rows = judged.map(|(index, ((endpoint, trace), judgement))| ProbedEndpoint {
            index,
            endpoint,
            trace: trace.as_ref().filter(|trace| !trace.cut),
            judgement,
            prediction: predictions.and_then(|predictions| predictions.endpoints.get(index)?.as_ref()),
        });
        let rows: Vec<ProbedEndpoint<'_>> = rows.collect();
        Self {
            plan,
            began: run.began,
            names: &run.names,
            controls: &run.controls,
            traceroutes: &run.traceroutes.seen,
            own_network: &run.own_network,
            predictions,
            place,
            platform_dns: platform_answers(run),
            clock: clock::measured(run.traces.iter().flatten()),
            line: LinkQuality::of(&rows, run.names.values()),
            open: opened(&rows),
            rows,
        }
    }

    /// Rows whose service was verified.
    pub fn proved(&self) -> impl Iterator<Item = &ProbedEndpoint<'a>> {
        self.rows.iter().filter(|row| row.judgement.verdict.is_proved())
    }

    /// The final answer for a row's name: from the server that decided, and from the platform's own, if they were
    /// queried.
    pub fn answers(&self, row: &ProbedEndpoint<'a>) -> impl Iterator<Item = &'a ServerReply> + use<'a> {
        let name = self.names.get(&row.endpoint.host);
        let name = name.or_else(|| row.trace?.name.as_ref());
        name.into_iter()
            .flat_map(|name| name.decision().into_iter().chain(name.platform.as_deref()))
    }

    /// The outage of this machine's own network that may explain why a row failed, and how much of that it covers.
    pub fn outage(&self, row: &ProbedEndpoint<'a>) -> Option<(&'a Outage, OutageCoverage)> {
        outage::of(self.own_network, row.trace?, row.judgement)
    }

    /// The next hops to what was silent in a row, as far as they do not answer for their hardware address.
    pub fn unanswered_hops(&self, row: &ProbedEndpoint<'a>) -> impl Iterator<Item = &'a KernelNextHop> + use<'a> {
        let own = self.own_network;
        row.silent_addresses()
            .into_iter()
            .filter_map(|address| own.route_to(address)?.next.as_ref().ok())
            .filter(|hop| hop.unanswered.is_some())
    }

    /// Whether an ICMP error comes from this machine itself.
    pub fn is_own(&self, error: &IcmpError) -> bool {
        let is_own = |address: IpAddr| address.is_loopback() || self.place.addresses.contains(&address);
        error.own || error.sender.is_some_and(is_own)
    }

    /// Whether an ICMP error is this machine's own report of a next hop that did not answer, after the time `after`.
    pub fn is_dead_next_hop(&self, error: &IcmpError, after: Duration) -> bool {
        self.is_own(error) && socket::is_of_a_dead_next_hop(error, after)
    }

    /// Rows whose failure is evidence about the network.
    pub fn needed(&self) -> impl Iterator<Item = &ProbedEndpoint<'a>> {
        self.rows.iter().filter(|row| is_needed(row))
    }

    /// Whether some connections to an address of this row pass and others do not, in a run in which that is a finding
    /// of its own, or is explained by packet loss on the line.
    pub fn is_divided(&self, row: &ProbedEndpoint<'a>) -> bool {
        let is_split = |row: &ProbedEndpoint<'a>| should_work(row) && self.differing(row).next().is_some();
        let counts = |row: &ProbedEndpoint<'a>| row.endpoint.need != Need::Documented;
        is_split(row) && self.rows.iter().any(|other| counts(other) && is_split(other))
    }

    /// The connections of a row that fail while others to the same address pass, with the causes. Before any data is
    /// sent, the name cannot be the reason: this includes a lost SYN, if another probe reached the same address and
    /// port.
    pub fn differing(&self, row: &ProbedEndpoint<'a>) -> impl Iterator<Item = (&'a Outcome, Cause)> {
        let outcomes = &row.judgement.outcomes;
        outcomes.iter().filter_map(move |outcome| {
            let AttemptVerdict::Failed(cause) = outcome.verdict else {
                return None;
            };
            let passes = |other: &Outcome| other.address == outcome.address && !other.control && other.verdict.passes();
            let opens = || cause == Cause::TcpTimeout && self.open.contains(&outcome.address);
            (!outcome.control && (outcomes.iter().any(passes) || opens())).then_some((outcome, cause))
        })
    }

    /// What was observed about one name server.
    pub fn server(&self, address: IpAddr) -> NameServerView {
        NameServerView::of(address, self.names.values(), &self.rows)
    }

    /// What another name showed at the address where a row was cut: that of a control, or that of another endpoint.
    pub fn name_test(&self, row: &ProbedEndpoint<'a>) -> Option<NameTest<'a>> {
        let address = row.decisive()?.address;
        if let Some(control) = self.controls.of_name(&row.endpoint.host, address.port()) {
            return Some(if control.depends_on_name() {
                NameTest::LetsThrough(&control.name)
            } else if control.own.is_some() {
                NameTest::LetsBothThrough(&control.name)
            } else {
                NameTest::CutsAsWell(&control.name)
            });
        }
        let proves_there = |other: &&ProbedEndpoint<'a>| {
            let mut outcomes = other.judgement.outcomes.iter();
            other.endpoint.host != row.endpoint.host
                && outcomes.any(|outcome| outcome.address == address && outcome.proof.is_some())
        };
        let other = self.proved().find(proves_there)?;
        Some(NameTest::LetsThrough(&other.endpoint.host))
    }
}

/// What another name showed at an address where one was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameTest<'a> {
    /// It gets through, and the endpoint's own name does not: the filter matches the name.
    LetsThrough(&'a str),
    /// It gets through, and right after that the endpoint's own name does too: the result depends on the moment.
    LetsBothThrough(&'a str),
    /// This one is cut as well: the filter does not match the name.
    CutsAsWell(&'a str),
}

/// Where a connection of the usual kind was accepted.
fn opened(rows: &[ProbedEndpoint<'_>]) -> BTreeSet<SocketAddr> {
    let outcomes = rows.iter().flat_map(|row| &row.judgement.outcomes);
    let open = outcomes.filter(|outcome| !outcome.control && outcome.tcp == Some(Ok(())));
    open.map(|outcome| outcome.address).collect()
}

/// Whether the platform's name server answered as a control; `None` if it was not queried.
fn platform_answers(run: &Run) -> Option<bool> {
    let mut replies = run.names.values().filter_map(|name| name.platform.as_ref()).peekable();
    replies.peek()?;
    Some(replies.any(|reply| reply.answer().is_some()))
}
