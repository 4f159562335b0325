//! Controls, which detect middleboxes.
//!
//! They run only once something was cut, is unproven or gets no reply, while other probes are still in flight: one
//! connection to an unused address for each port; another name for each host and port that was cut, up to `MAX_NAMES`;
//! and one more connection to a host that answered one, repeated at the end of a run if no host has answered since the
//! last missing reply. No name outside the plan is ever sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;

use super::{flows::connection_progress::ConnectionProgress, stages::ProbeContext, trace::Attempt};
use crate::{
    address,
    hello::{
        ExchangeEnd, ProtocolReply,
        http::{denial, foreign_redirect},
    },
    model::{Need, Protocol},
    net::{
        dns::DnsEnd,
        tcp::{ConnectOptions, TcpEnd},
    },
    plan::{Plan, PlannedEndpoint},
};

/// A reserved address (RFC 5737, TEST-NET-1): a device that accepts for it accepts for any address.
pub const TEST_NET_1: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// How long to wait for the unused address. An interceptor answers at once, and a missing reply proves nothing.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum number of hosts for which another name is tried; if more are cut, a single host is not the cause.
const MAX_NAMES: usize = 32;

/// What a finished attempt requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlReason {
    /// The service was verified.
    Proved,
    /// It was never reached, or the answering peer identified itself.
    None,
    /// The connection was accepted, and nothing shows by which device.
    Unproven,
    /// The connection was accepted, and cut after a name was sent: in a ClientHello or in a request.
    Cut,
}

/// The results of the controls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Controls {
    /// Connections to [`TEST_NET_1`], by port, with the same data as for the endpoint that required them.
    pub unused: BTreeMap<u16, Attempt>,
    /// Connections with another name to addresses that cut ours, in the order of the plan.
    pub names: Vec<NameControl>,
    /// Once a host did not reply, one more connection to a host that had answered one before; the last of them, if it
    /// was repeated at the end of the run.
    pub late: Option<LateControl>,
}

/// A connection to an endpoint that had accepted or refused one, made once others did not reply: it shows whether new
/// connections still get through at all.
#[derive(Debug, Clone, PartialEq)]
pub struct LateControl {
    /// The host.
    pub host: String,
    /// Its outcome.
    pub attempt: Attempt,
}

/// Another name at an address that cut ours.
#[derive(Debug, Clone, PartialEq)]
pub struct NameControl {
    /// The index of the endpoint that was cut.
    pub endpoint: usize,
    /// Its host.
    pub host: String,
    /// The other name that was sent, of an endpoint that was verified on the same port in this run.
    pub name: String,
    /// Its outcome.
    pub attempt: Attempt,
    /// The result for the endpoint's own name right after that, if the other one was answered: a cut that happens only
    /// once is not caused by the name.
    pub own: Option<Attempt>,
}

impl NameControl {
    /// Whether the address answers the other name and cuts the endpoint's own, both at about the same time.
    pub fn depends_on_name(&self) -> bool {
        answers(&self.attempt, &self.name) && !self.own_name_passes() && self.own.is_some()
    }

    /// Whether the endpoint's own name was answered right after the other one.
    pub fn own_name_passes(&self) -> bool {
        self.own.as_ref().is_some_and(|own| self.is_answered(own))
    }

    /// Whether the endpoint's own name was answered on a connection.
    pub fn is_answered(&self, attempt: &Attempt) -> bool {
        answers(attempt, &self.host)
    }
}

impl Controls {
    /// Whether none of the controls that detect a middlebox was made.
    pub fn is_empty(&self) -> bool {
        self.unused.is_empty() && self.names.is_empty()
    }

    /// The host that answered a connection, and did not reply when it was tried again.
    pub fn lost_after(&self) -> Option<&str> {
        let late = self.late.as_ref()?;
        late.attempt.is_silent().then_some(late.host.as_str())
    }

    /// Whether a connection to a reserved, unused address was accepted.
    pub fn intercepts(&self, port: u16) -> bool {
        let accepted = |attempt: &Attempt| attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
        self.unused.get(&port).is_some_and(accepted)
    }

    /// The control with another name for a host and a port.
    pub fn of_name(&self, host: &str, port: u16) -> Option<&NameControl> {
        let is_of = |control: &&NameControl| control.host == host && control.attempt.address.port() == port;
        self.names.iter().find(is_of)
    }

    /// Whether any other name got through on this port.
    pub fn passes_for_other_name(&self, port: u16) -> bool {
        let on_port = |control: &&NameControl| control.attempt.address.port() == port;
        let mut controls = self.names.iter().filter(on_port);
        controls.any(|control| answers(&control.attempt, &control.name))
    }
}

/// Whether a certificate came, or a reply to a request that is not a firewall's own.
fn answers(attempt: &Attempt, name: &str) -> bool {
    if let Some(tls) = &attempt.tls {
        return tls.chain.is_some();
    }
    match attempt.hello.as_ref().map(|hello| &hello.greeting.end) {
        Some(ExchangeEnd::Replied(ProtocolReply::Http(reply))) => {
            denial(reply).is_none() && foreign_redirect(reply, name, &[]).is_none()
        }
        _ => false,
    }
}

enum Finished {
    Unused(u16, Box<Attempt>),
    Name(Box<NameControl>),
    Late(Box<LateControl>),
}

/// A host that answered a connection.
#[derive(Debug, Clone, Copy)]
struct AnsweredConnection {
    index: usize,
    address: SocketAddr,
    accepted: bool,
}

impl AnsweredConnection {
    /// Becomes the first, unless the current one is at least as good: best are connections that used a port of a NAT,
    /// then accepted ones.
    fn keep(self, first: &mut Option<Self>) {
        let worth = |it: &Self| (address::uses_snat_port(it.address.ip()), it.accepted);
        if first.as_ref().is_none_or(|first| worth(&self) > worth(first)) {
            *first = Some(self);
        }
    }
}

/// Starts controls when they are needed, and collects their results.
pub struct Controller {
    plan: Arc<Plan>,
    stages: Arc<ProbeContext>,
    seen: BTreeSet<u16>,
    /// Hosts and ports that were cut.
    cut: BTreeSet<(String, u16)>,
    /// Those for which no other name was tried yet.
    waiting: Vec<(usize, SocketAddr)>,
    renamed: usize,
    /// Verified names, by port and by whether TLS was used.
    proved: BTreeMap<(u16, bool), BTreeSet<String>>,
    /// The host that answered a connection first, among the best kind.
    first: Option<AnsweredConnection>,
    /// When the last connections began, relative to the start of the run: the last answered one that used a port of a
    /// NAT, and the last one without a reply.
    last_answered: Option<Duration>,
    last_silent: Option<Duration>,
    /// Whether a host did not reply, and whether that required a late control.
    silence: bool,
    tried_late: bool,
    running: JoinSet<Option<Finished>>,
    controls: Controls,
}

impl Controller {
    /// Controls for a run of `plan`.
    pub fn new(plan: Arc<Plan>, stages: Arc<ProbeContext>) -> Self {
        Self {
            plan,
            stages,
            seen: BTreeSet::new(),
            cut: BTreeSet::new(),
            waiting: Vec::new(),
            renamed: 0,
            proved: BTreeMap::new(),
            first: None,
            last_answered: None,
            last_silent: None,
            silence: false,
            tried_late: false,
            running: JoinSet::new(),
            controls: Controls::default(),
        }
    }

    /// Records a finished attempt, and starts the controls that it requires.
    pub fn note(&mut self, index: usize, attempt: &Attempt, suspicion: ControlReason) {
        let (endpoint, port) = (&self.plan.endpoints[index], attempt.address.port());
        let end = attempt.tcp.as_ref().map(|tcp| &tcp.end);
        // Over TCP 53, a name server may not reply either.
        let end = end.or_else(|| match attempt.dns.as_ref().map(|exchange| &exchange.end) {
            Some(DnsEnd::NotConnected(trace)) => Some(&trace.end).filter(|end| matches!(end, TcpEnd::Silent { .. })),
            _ => None,
        });
        let answer = |accepted| AnsweredConnection {
            index,
            address: attempt.address,
            accepted,
        };
        // A service that is only documented may not be offered, and starts no controls.
        let counts = endpoint.need != Need::Documented;
        if attempt.is_answered() && address::uses_snat_port(attempt.address.ip()) {
            self.last_answered = self.last_answered.max(Some(attempt.started));
        }
        match end.filter(|_| counts) {
            Some(TcpEnd::Silent { .. }) => {
                self.silence = true;
                self.last_silent = self.last_silent.max(Some(attempt.started));
            }
            Some(TcpEnd::Open) => answer(true).keep(&mut self.first),
            Some(TcpEnd::Failed(failure)) if failure.is_reset() => answer(false).keep(&mut self.first),
            _ => {}
        }
        match suspicion {
            ControlReason::Proved => {
                if self.remember(index, attempt) {
                    self.rename();
                }
            }
            ControlReason::None => {}
            ControlReason::Unproven | ControlReason::Cut => {
                if suspicion == ControlReason::Cut && self.cut.insert((endpoint.host.clone(), port)) {
                    // The first ones of a port are tried; if more are cut, a single host is not the cause.
                    let on_port = self.waiting.iter().filter(|(_, other)| other.port() == port);
                    if on_port.count() < MAX_NAMES {
                        self.waiting.push((index, attempt.address));
                        self.rename();
                    }
                }
                if self.seen.insert(port) {
                    self.probe_unused_address(index, port);
                }
            }
        }
        self.try_late();
    }

    /// Waits for running controls, until `until` at the latest.
    pub async fn finish(mut self, until: tokio::time::Instant) -> Controls {
        self.collect(until).await;
        if self.ends_in_silence() && tokio::time::Instant::now() < until {
            self.tried_late = false;
            self.try_late();
            self.collect(until).await;
        }
        self.controls.names.sort_by_key(|control| control.endpoint);
        self.controls
    }

    /// Whether no host answered after the last missing reply. If a late control was lost, that is already clear.
    fn ends_in_silence(&self) -> bool {
        let late = self.controls.late.as_ref().map(|late| &late.attempt);
        let was_lost = late.is_some_and(|late| !late.is_answered());
        let last_answered = self.last_answered.max(late.map(|late| late.started));
        self.last_silent > last_answered && !was_lost
    }

    async fn collect(&mut self, until: tokio::time::Instant) {
        while let Ok(Some(Ok(finished))) = tokio::time::timeout_at(until, self.running.join_next()).await {
            match finished {
                Some(Finished::Unused(port, attempt)) => drop(self.controls.unused.insert(port, *attempt)),
                Some(Finished::Name(control)) => self.controls.names.push(*control),
                Some(Finished::Late(control)) => self.controls.late = Some(*control),
                None => {}
            }
        }
    }

    /// Remembers a name whose server was verified by a certificate, or by a reply over HTTP; returns whether it is new.
    fn remember(&mut self, index: usize, attempt: &Attempt) -> bool {
        let endpoint = &self.plan.endpoints[index];
        let over_tls = attempt.tls.is_some();
        if !over_tls && endpoint.protocol != Protocol::Http {
            return false;
        }
        let name = endpoint.names.iter().find(|name| !name.starts_with("*."));
        name.is_some_and(|name| {
            let names = self.proved.entry((attempt.address.port(), over_tls)).or_default();
            names.insert(name.clone())
        })
    }

    /// Sends the unused address the same data as this endpoint.
    fn probe_unused_address(&mut self, index: usize, port: u16) {
        let (plan, stages) = (self.plan.clone(), self.stages.clone());
        self.running.spawn(async move {
            let _permit = stages.socket().await?;
            let progress = ConnectionProgress::within(&stages, CONTROL_TIMEOUT);
            let attempt = stages.attempt(
                &plan.endpoints[index],
                SocketAddr::new(TEST_NET_1, port),
                ConnectOptions::default(),
                &progress,
            );
            Some(Finished::Unused(port, Box::new(attempt.await)))
        });
    }

    /// Tries a host that answered a connection again, as soon as another did not reply.
    fn try_late(&mut self) {
        // If connections to one address differ, this is already known.
        let is_called_for = self.silence && !self.tried_late && !self.stages.flows.shown().borrow().differ;
        let Some(AnsweredConnection { index, address, .. }) = self.first.filter(|_| is_called_for) else {
            return;
        };
        self.tried_late = true;
        let (plan, stages) = (self.plan.clone(), self.stages.clone());
        self.running.spawn(async move {
            let _permit = stages.socket().await?;
            let (endpoint, progress) = (
                &plan.endpoints[index],
                ConnectionProgress::within(&stages, CONTROL_TIMEOUT),
            );
            let attempt = stages
                .attempt(endpoint, address, ConnectOptions::default(), &progress)
                .await;
            // The run ended before it had enough time: its missing reply shows nothing.
            if attempt.is_silent() && progress.was_shortened() {
                return None;
            }
            let host = endpoint.host.clone();
            Some(Finished::Late(Box::new(LateControl { host, attempt })))
        });
    }

    /// Sends a verified name where another was cut, once both are known.
    fn rename(&mut self) {
        let mut still_waiting = Vec::new();
        for (index, address) in std::mem::take(&mut self.waiting) {
            let own = &self.plan.endpoints[index];
            let key = (address.port(), own.protocol != Protocol::Http);
            let names = self.proved.get(&key).into_iter().flatten();
            let Some(name) = names.into_iter().find(|name| !own.names.contains(name)).cloned() else {
                still_waiting.push((index, address));
                continue;
            };
            if self.renamed < MAX_NAMES {
                self.renamed += 1;
                self.try_name(index, address, name);
            }
        }
        self.waiting = still_waiting;
    }

    fn try_name(&mut self, index: usize, address: SocketAddr, name: String) {
        let own = self.plan.endpoints[index].clone();
        let other = PlannedEndpoint {
            names: vec![name.clone()],
            ..own.clone()
        };
        let stages = self.stages.clone();
        self.running.spawn(async move {
            let _permit = stages.socket().await?;
            let ask = async |endpoint: &PlannedEndpoint| {
                let progress = ConnectionProgress::alone(&stages);
                stages
                    .attempt(endpoint, address, ConnectOptions::default(), &progress)
                    .await
            };
            let mut control = NameControl {
                endpoint: index,
                host: own.host.clone(),
                name,
                attempt: ask(&other).await,
                own: None,
            };
            if answers(&control.attempt, &control.name) {
                control.own = Some(ask(&own).await);
            }
            Some(Finished::Name(Box::new(control)))
        });
    }
}
