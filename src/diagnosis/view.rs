//! The whole run as findings are drawn from it: every endpoint with what was seen and said of it, and what is left to
//! explain.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;

use super::outcome::Judgement;
use crate::{
    import::view::InstanceView,
    model::Vnet,
    net::icmp::IcmpError,
    network::Predictions,
    plan::Plan,
    probe::{
        Run,
        clock::{self, Measured},
        control::Controls,
        trace::{NameTrace, ServerReply},
    },
    rules::RuleSet,
};

mod line;
mod row;

pub use self::{
    line::{Line, alike, differing},
    row::{Row, is_tcp, should_work},
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
    /// When the run began.
    pub started_at: Timestamp,
    /// What the instance says of its own network, where it was asked.
    pub instance: Option<&'a InstanceView>,
    /// The rules that the plan needs: those that mend something stand in its fix.
    pub rules: Option<&'a RuleSet<'a>>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunView<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// What every name server said of each name.
    pub names: &'a BTreeMap<String, NameTrace>,
    /// What the controls showed.
    pub controls: &'a Controls,
    /// What the network's own rules say, where they were given.
    pub predictions: Option<&'a Predictions>,
    /// Where it was made from.
    pub place: Surroundings<'a>,
    /// Whether the platform's name server (168.63.129.16) answered as a control; `None` where it was not asked.
    pub platform_dns: Option<bool>,
    /// What the peers say of this machine's clock; `None` where none said anything.
    pub clock: Option<Measured>,
    /// What the line itself is like.
    pub line: Line,
    /// Every planned endpoint, in the catalog's order.
    pub rows: Vec<Row<'a>>,
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
        let rows = judged.map(|(index, ((endpoint, trace), judgement))| Row {
            index,
            endpoint,
            trace: trace.as_ref().filter(|trace| !trace.cut),
            judgement,
            prediction: predictions.and_then(|predictions| predictions.endpoints.get(index)?.as_ref()),
        });
        let rows: Vec<Row<'_>> = rows.collect();
        Self {
            plan,
            names: &run.names,
            controls: &run.controls,
            predictions,
            place,
            platform_dns: platform_answers(run),
            clock: clock::measured(run.traces.iter().flatten()),
            line: Line::of(&rows, run.names.values()),
            rows,
        }
    }

    /// Rows of which the service proved itself.
    pub fn proved(&self) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter().filter(|row| row.judgement.verdict.is_proved())
    }

    /// What was said of a row's name in the end: by the server that decided, and by the platform's own, as far as it was
    /// asked.
    pub fn answers(&self, row: &Row<'a>) -> impl Iterator<Item = &'a ServerReply> + use<'a> {
        let name = self.names.get(&row.endpoint.host);
        let name = name.or_else(|| row.trace?.name.as_ref());
        name.into_iter()
            .flat_map(|name| name.decision().into_iter().chain(&name.platform))
    }

    /// Whether an ICMP error comes from this machine itself.
    pub fn is_own(&self, error: &IcmpError) -> bool {
        let is_own = |address: IpAddr| address.is_loopback() || self.place.addresses.contains(&address);
        error.own || error.sender.is_some_and(is_own)
    }
}

/// Whether the platform's name server answered as a control; `None` where it was not asked.
fn platform_answers(run: &Run) -> Option<bool> {
    let mut replies = run.names.values().filter_map(|name| name.platform.as_ref()).peekable();
    replies.peek()?;
    Some(replies.any(|reply| reply.answer().is_some()))
}

/// Rows that are not as they should be and that nothing explains yet.
#[derive(Debug)]
pub struct Pool<'a>(Vec<Row<'a>>);

impl<'a> Pool<'a> {
    /// All that is not as it should be.
    pub fn new(view: &RunView<'a>) -> Self {
        Self(view.rows.iter().copied().filter(Row::is_amiss).collect())
    }

    /// Whether a row like this is left.
    pub fn has(&self, test: impl Fn(&Row<'a>) -> bool) -> bool {
        self.0.iter().any(test)
    }

    /// What is left.
    pub fn iter(&self) -> impl Iterator<Item = &Row<'a>> {
        self.0.iter()
    }

    /// Takes out the rows that are explained now, in order.
    pub fn take(&mut self, test: impl Fn(&Row<'a>) -> bool) -> Vec<Row<'a>> {
        self.0.extract_if(.., |row| test(row)).collect()
    }

    /// Takes out the rows that a key can be found for, by that key, in the order in which keys first appear.
    pub fn take_by<K: PartialEq>(&mut self, key: impl Fn(&Row<'a>) -> Option<K>) -> Vec<(K, Vec<Row<'a>>)> {
        let mut groups: Vec<(K, Vec<Row<'a>>)> = Vec::new();
        for row in self.take(|row| key(row).is_some()) {
            let Some(key) = key(&row) else { continue };
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, rows)) => rows.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        groups
    }
}
