//! The whole run as findings are drawn from it: every endpoint with its measurements and verdict, and what is left to
//! explain.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;

use super::{
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
        clock::{self, Measured},
        control::Controls,
        trace::{NameTrace, ServerReply},
        traceroute::Way,
    },
    rules::RuleSet,
};

mod link_quality;
mod row;
mod servers;

pub use self::{
    link_quality::{LineQuality, same_class},
    row::{ProbedEndpoint, is_needed, should_work},
    servers::{NameServerView, QueryCounts},
};

/// What is known of the place and the time that a run was made at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The region, as the VM's metadata names it: it makes service tags regional.
    pub region: Option<&'a str>,
    /// The kind of virtual network; `None` where nothing tells.
    pub vnet: Option<Vnet>,
    /// This machine's addresses: an ICMP error from one of them is its own.
    pub addresses: &'a [IpAddr],
    /// When the run started.
    pub started_at: Timestamp,
    /// What the instance says of its own network, where it was asked.
    pub instance: Option<&'a InstanceView>,
    /// What guards this VM and the instance, where the management endpoint told.
    pub subnets: Option<&'a Subnets>,
    /// The rules that the plan needs: those that mend something stand in its fix.
    pub rules: Option<&'a RuleSet<'a>>,
    /// The user's own resources, whose names stand in commands; `None` where nothing tells.
    pub known: Option<&'a KnownResources>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunView<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// When it began, by this machine's clock.
    pub began: Timestamp,
    /// What every name server said of each name.
    pub names: &'a BTreeMap<String, NameTrace>,
    /// What the controls showed.
    pub controls: &'a Controls,
    /// What small TTLs showed of where it stops.
    pub ways: &'a [Way],
    /// What the network's own rules say, where they were given.
    pub predictions: Option<&'a Predictions>,
    /// Where it was made from.
    pub place: Surroundings<'a>,
    /// Whether the platform's name server (168.63.129.16) answered as a control; `None` where it was not asked.
    pub platform_dns: Option<bool>,
    /// What the peers say of this machine's clock; `None` where none said anything.
    pub clock: Option<Measured>,
    /// What the line itself is like.
    pub line: LineQuality,
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
            ways: &run.ways.seen,
            predictions,
            place,
            platform_dns: platform_answers(run),
            clock: clock::measured(run.traces.iter().flatten()),
            line: LineQuality::of(&rows, run.names.values()),
            open: opened(&rows),
            rows,
        }
    }

    /// Rows of which the service was verified.
    pub fn proved(&self) -> impl Iterator<Item = &ProbedEndpoint<'a>> {
        self.rows.iter().filter(|row| row.judgement.verdict.is_proved())
    }

    /// What was said of a row's name in the end: by the server that decided, and by the platform's own, as far as it was
    /// asked.
    pub fn answers(&self, row: &ProbedEndpoint<'a>) -> impl Iterator<Item = &'a ServerReply> + use<'a> {
        let name = self.names.get(&row.endpoint.host);
        let name = name.or_else(|| row.trace?.name.as_ref());
        name.into_iter()
            .flat_map(|name| name.decision().into_iter().chain(name.platform.as_deref()))
    }

    /// Whether an ICMP error comes from this machine itself.
    pub fn is_own(&self, error: &IcmpError) -> bool {
        let is_own = |address: IpAddr| address.is_loopback() || self.place.addresses.contains(&address);
        error.own || error.sender.is_some_and(is_own)
    }

    /// Whether an ICMP error is this machine's own word for a next hop that did not answer, `after` so long.
    pub fn is_dead_next_hop(&self, error: &IcmpError, after: Duration) -> bool {
        self.is_own(error) && socket::is_of_a_dead_next_hop(error, after)
    }

    /// The rows that show something of the network when they fail.
    pub fn needed(&self) -> impl Iterator<Item = &ProbedEndpoint<'a>> {
        self.rows.iter().filter(|row| is_needed(row))
    }

    /// Whether some connections to an address of this row pass and others do not, in a run where that is a finding of its
    /// own or the line's that loses packets.
    pub fn is_divided(&self, row: &ProbedEndpoint<'a>) -> bool {
        let is_split = |row: &ProbedEndpoint<'a>| should_work(row) && self.differing(row).next().is_some();
        let counts = |row: &ProbedEndpoint<'a>| row.endpoint.need != Need::Documented;
        is_split(row) && self.rows.iter().any(|other| counts(other) && is_split(other))
    }

    /// The connections of a row that fail while others to the same address pass, and why. Before any data is sent no
    /// name can be at fault: a lost SYN differs from one to the same address and port that another probe got through.
    pub fn differing(&self, row: &ProbedEndpoint<'a>) -> impl Iterator<Item = (&'a Outcome, Cause)> {
        let outcomes = &row.judgement.outcomes;
        outcomes.iter().filter_map(move |outcome| {
            let AttemptVerdict::Failed(cause) = outcome.standing else {
                return None;
            };
            let passes =
                |other: &Outcome| other.address == outcome.address && !other.control && other.standing.passes();
            let opens = || cause == Cause::TcpTimeout && self.open.contains(&outcome.address);
            (!outcome.control && (outcomes.iter().any(passes) || opens())).then_some((outcome, cause))
        })
    }

    /// What was seen of one name server.
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
    /// This one gets through, and the endpoint's own does not: it goes by the name.
    LetsThrough(&'a str),
    /// This one gets through, and right behind it the endpoint's own does too: it goes by the moment.
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

/// Whether the platform's name server answered as a control; `None` where it was not asked.
fn platform_answers(run: &Run) -> Option<bool> {
    let mut replies = run.names.values().filter_map(|name| name.platform.as_ref()).peekable();
    replies.peek()?;
    Some(replies.any(|reply| reply.answer().is_some()))
}
