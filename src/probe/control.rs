//! Controls: what unmasks a middlebox.
//!
//! They run only once something was cut or stays unproven, beside the probes that are still in flight, and at most once
//! per port and run. No name outside the plan is ever sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;

use super::{flows::course::Course, stages::Stages, trace::Attempt};
use crate::{
    net::tcp::{self, Manner, TcpEnd, TcpTrace},
    plan::{Endpoint, Plan},
};

/// An address that nobody can own (RFC 5737, TEST-NET-1): whoever accepts for it accepts for everybody.
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// How long to wait for nobody. An interceptor answers at once, and silence proves nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a finished attempt calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The service proved itself, or was never reached.
    None,
    /// Somebody accepted, and nothing proves who.
    Unproven,
    /// Somebody accepted, and cut the connection at the ClientHello.
    Cut,
}

/// What the controls showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Controls {
    /// Connections to [`NOBODY`], by port.
    pub nobody: BTreeMap<u16, TcpTrace>,
    /// Handshakes with another name at an address that cut ours, by port.
    pub names: BTreeMap<u16, NameControl>,
}

/// A handshake with another name at an address that cut ours.
#[derive(Debug, Clone, PartialEq)]
pub struct NameControl {
    /// The index of the endpoint that was cut.
    pub endpoint: usize,
    /// The name that was sent instead, of an endpoint already proved in this run.
    pub name: String,
    /// What came of it.
    pub attempt: Attempt,
    /// What came of the endpoint's own name right behind it, where the other one was answered: what was cut at one moment
    /// only is not cut for its name.
    pub own: Option<Attempt>,
}

impl NameControl {
    /// Whether the address answers the other name and cuts the endpoint's own, both at about the same time.
    pub fn tells_names_apart(&self) -> bool {
        answers(&self.attempt) && self.own.as_ref().is_some_and(|own| !answers(own))
    }
}

impl Controls {
    /// Whether none showed anything.
    pub fn is_empty(&self) -> bool {
        self.nobody.is_empty() && self.names.is_empty()
    }

    /// Whether somebody accepted a connection for an address that nobody owns.
    pub fn intercepts(&self, port: u16) -> bool {
        self.nobody.get(&port).is_some_and(|trace| trace.end == TcpEnd::Open)
    }
}

/// Whether a certificate came.
fn answers(attempt: &Attempt) -> bool {
    attempt.tls.as_ref().is_some_and(|tls| tls.chain.is_some())
}

enum Finished {
    Nobody(u16, TcpTrace),
    Name(u16, Box<NameControl>),
}

/// Starts controls when they are called for, and collects them.
pub struct Controller {
    plan: Arc<Plan>,
    stages: Arc<Stages>,
    seen: BTreeSet<u16>,
    cut: BTreeMap<u16, (usize, SocketAddr)>,
    renamed: BTreeSet<u16>,
    proved: BTreeSet<String>,
    running: JoinSet<Option<Finished>>,
    controls: Controls,
}

impl Controller {
    /// Controls for a run of `plan`.
    pub fn new(plan: Arc<Plan>, stages: Arc<Stages>) -> Self {
        Self {
            plan,
            stages,
            seen: BTreeSet::new(),
            cut: BTreeMap::new(),
            renamed: BTreeSet::new(),
            proved: BTreeSet::new(),
            running: JoinSet::new(),
            controls: Controls::default(),
        }
    }

    /// Takes note of a finished attempt, and starts what it calls for.
    pub fn note(&mut self, index: usize, attempt: &Attempt, suspicion: Suspicion) {
        let port = attempt.address.port();
        if suspicion == Suspicion::None {
            self.remember(index, attempt);
        } else if self.seen.insert(port) {
            let stages = self.stages.clone();
            self.running.spawn(async move {
                let _permit = stages.socket().await?;
                let until = stages.end.min(tokio::time::Instant::now() + PATIENCE);
                let (trace, _) = tcp::connect(SocketAddr::new(NOBODY, port), Manner::default(), until).await;
                Some(Finished::Nobody(port, trace))
            });
        }
        if suspicion == Suspicion::Cut {
            self.cut.entry(port).or_insert((index, attempt.address));
        }
        self.rename();
    }

    /// Waits for the controls that are still running, until `patience` at the latest.
    pub async fn finish(mut self, patience: tokio::time::Instant) -> Controls {
        while let Ok(Some(Ok(finished))) = tokio::time::timeout_at(patience, self.running.join_next()).await {
            match finished {
                Some(Finished::Nobody(port, trace)) => drop(self.controls.nobody.insert(port, trace)),
                Some(Finished::Name(port, control)) => drop(self.controls.names.insert(port, *control)),
                None => {}
            }
        }
        self.controls
    }

    /// Remembers a name whose server proved itself by a certificate.
    fn remember(&mut self, index: usize, attempt: &Attempt) {
        let proved = attempt
            .tls
            .as_ref()
            .and_then(|tls| tls.chain.as_ref())
            .is_some_and(super::super::net::tls::chain::ChainFacts::is_the_service);
        let name = self.plan.endpoints[index]
            .names
            .iter()
            .find(|name| !name.starts_with("*."));
        if let Some(name) = name.filter(|_| proved) {
            self.proved.insert(name.clone());
        }
    }

    /// Sends a proved name where another was cut, once both are known.
    fn rename(&mut self) {
        for (port, (index, address)) in &self.cut {
            let (port, index, address) = (*port, *index, *address);
            let own = &self.plan.endpoints[index];
            let Some(name) = self.proved.iter().find(|name| !own.names.contains(name)).cloned() else {
                continue;
            };
            if !self.renamed.insert(port) {
                continue;
            }
            let own = own.clone();
            let other = Endpoint {
                names: vec![name.clone()],
                ..own.clone()
            };
            let stages = self.stages.clone();
            self.running.spawn(async move {
                let _permit = stages.socket().await?;
                let ask = async |endpoint: &Endpoint| {
                    let course = Course::alone(&stages);
                    stages.attempt(endpoint, address, Manner::default(), &course).await
                };
                let mut control = NameControl {
                    endpoint: index,
                    name,
                    attempt: ask(&other).await,
                    own: None,
                };
                if answers(&control.attempt) {
                    control.own = Some(ask(&own).await);
                }
                Some(Finished::Name(port, Box::new(control)))
            });
        }
    }
}
