//! Each name is looked up once in a run, at every configured server; a light run queries the next server only if one
//! fails or does not reply.
//!
//! The first answer decides and the probes continue with it; the other servers' answers are collected meanwhile and
//! compared at the end. "First" is the order of the configuration, as in a resolver: an answer of a later server is
//! used only if the earlier ones failed, or did not reply for a moment longer.
//!
//! A name without a final answer, in a zone in which other names resolve, is queried once more before it counts as
//! unresolvable: a short failure of a server or its forwarder is not a missing name.
//!
//! In Azure, the platform's own server is queried as a control, for names that the configured ones do not resolve.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, OnceCell, Semaphore},
    task::JoinSet,
};

use super::{
    ProbeDepth, RunLimits,
    trace::{NameTrace, ServerReply},
};
use crate::net::dns::DnsQuestion;

/// How long an answer of a later server waits for the servers before it.
const SERVER_GRACE: Duration = Duration::from_secs(1);
/// How long a second query waits for its answer, at most; if that is less, a share of the time limit.
const SECOND_QUERY_TIMEOUT: Duration = Duration::from_secs(1);
const SECOND_SHARE: u32 = 5;
/// How long an error waits for other names of its zone.
const NEIGHBOURS: Duration = Duration::from_millis(200);
/// How often it checks whether they resolve.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The names of one run.
#[derive(Debug)]
pub struct Lookups {
    servers: Vec<SocketAddr>,
    platform: Option<SocketAddr>,
    depth: ProbeDepth,
    limits: RunLimits,
    began: Instant,
    end: tokio::time::Instant,
    sockets: Arc<Semaphore>,
    names: Mutex<HashMap<String, Arc<Name>>>,
    /// The domains in which names resolved.
    resolved: Mutex<HashSet<String>>,
    asking: Mutex<JoinSet<()>>,
}

/// One name and its answers so far.
#[derive(Debug, Default)]
struct Name {
    decision: OnceCell<DecidingReply>,
    replies: Mutex<Vec<Option<Arc<ServerReply>>>>,
    platform: Mutex<Option<Box<ServerReply>>>,
    asked_platform: AtomicBool,
    again: AtomicBool,
    reply_arrived: Notify,
}

/// Which reply decided, and when.
#[derive(Debug, Clone, Copy, Default)]
struct DecidingReply {
    /// Relative to the start of the run.
    started: Duration,
    duration: Duration,
    decided: Option<usize>,
}

impl Name {
    fn replies(&self) -> MutexGuard<'_, Vec<Option<Arc<ServerReply>>>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn platform(&self) -> MutexGuard<'_, Option<Box<ServerReply>>> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers so far.
    fn trace(&self) -> NameTrace {
        self.decided(self.replies().clone(), self.platform().clone())
    }

    /// The answers at the end; nothing is left running.
    fn take(&self) -> NameTrace {
        self.decided(mem::take(&mut *self.replies()), self.platform().take())
    }

    fn decided(&self, replies: Vec<Option<Arc<ServerReply>>>, platform: Option<Box<ServerReply>>) -> NameTrace {
        let decision = self.decision.get().copied().unwrap_or_default();
        NameTrace {
            started: decision.started,
            duration: decision.duration,
            decided: decision.decided,
            replies,
            again: self.again.load(Ordering::Relaxed),
            platform,
        }
    }
}

impl Lookups {
    /// Names are queried at `servers`, with the run's limits and until its end; `platform` is the control.
    pub fn new(
        servers: Vec<SocketAddr>,
        platform: Option<SocketAddr>,
        depth: ProbeDepth,
        limits: RunLimits,
        began: Instant,
        end: tokio::time::Instant,
        sockets: Arc<Semaphore>,
    ) -> Self {
        Self {
            platform: platform.filter(|platform| !servers.contains(platform)),
            servers,
            depth,
            limits,
            began,
            end,
            sockets,
            names: Mutex::default(),
            resolved: Mutex::default(),
            asking: Mutex::default(),
        }
    }

    /// The servers' answers for `host`, as soon as one can be used.
    pub async fn lookup(&self, host: &str) -> NameTrace {
        let name = self.name(host);
        name.decision.get_or_init(|| self.decide(host, &name)).await;
        name.trace()
    }

    /// Queries the platform's server for `host`, once in a run; the answer is available when the run has ended.
    ///
    /// It has half of a stage's time after a name server did not reply, so that no run waits longer for it.
    pub fn control(&self, host: &str) {
        let name = self.name(host);
        let Some(platform) = self.platform else { return };
        if name.asked_platform.swap(true, Ordering::Relaxed) {
            return;
        }
        let Some(asking) = self.question(host, platform, self.limits.timeout / 2) else {
            return;
        };
        self.spawn(async move {
            let reply = asking.await;
            *name.platform() = Some(Box::new(reply));
        });
    }

    fn name(&self, host: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry(host.to_string()).or_default().clone()
    }

    /// Waits for the servers that have not replied yet, until `until` at the latest, and returns all answers.
    pub async fn finish(&self, until: tokio::time::Instant) -> BTreeMap<String, NameTrace> {
        let mut asking = mem::take(&mut *self.asking.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::time::timeout_at(until, async { while asking.join_next().await.is_some() {} }).await;
        let names = mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        names.into_iter().map(|(host, name)| (host, name.take())).collect()
    }

    async fn decide(&self, host: &str, name: &Arc<Name>) -> DecidingReply {
        let started = Instant::now();
        *name.replies() = vec![None; self.servers.len()];
        let mut asked = match self.depth {
            ProbeDepth::Full => self.servers.len(),
            ProbeDepth::Light => self.servers.len().min(1),
        };
        for index in 0..asked {
            self.ask(host, index, name);
        }
        let grace = SERVER_GRACE.min(self.limits.timeout / 2);
        let timer = tokio::time::sleep(grace);
        tokio::pin!(timer);
        let mut waits = true;
        let decided = loop {
            // Registered before the check, so that no reply is missed in between.
            let reply_arrived = name.reply_arrived.notified();
            let choice = choose(name.replies().get(..asked).unwrap_or_default(), waits);
            match choice {
                ReplyChoice::TooEarly => {}
                ReplyChoice::None => break None,
                ReplyChoice::Final(index) => break Some(index),
                ReplyChoice::BestEffort(index) if asked == self.servers.len() => break Some(index),
                ReplyChoice::BestEffort(_) => {
                    self.ask(host, asked, name);
                    asked += 1;
                    continue;
                }
            }
            tokio::select! {
                () = reply_arrived => {}
                () = &mut timer, if waits || asked < self.servers.len() => {
                    waits = false;
                    if asked < self.servers.len() {
                        self.ask(host, asked, name);
                        asked += 1;
                        timer.as_mut().reset(tokio::time::Instant::now() + grace);
                    } else {
                        self.control(host);
                    }
                }
            }
        };
        let decided = match decided {
            Some(index) => Some(self.once_more(host, index, name).await),
            None => None,
        };
        let has_addresses = |reply: &Arc<ServerReply>| reply.is_final() && !reply.addresses().is_empty();
        let resolves = |index| matches!(name.replies().get(index), Some(Some(reply)) if has_addresses(reply));
        if decided.is_some_and(resolves) {
            self.resolved().insert(domain(host).to_owned());
        } else {
            self.control(host);
        }
        DecidingReply {
            started: started.duration_since(self.began),
            duration: started.elapsed(),
            decided,
        }
    }

    /// Queries every server once more if the reply at this index settles nothing and other names in the zone resolve;
    /// returns the index of the reply that then decides.
    async fn once_more(&self, host: &str, index: usize, name: &Name) -> usize {
        let settles_nothing = |reply: &Option<Arc<ServerReply>>| {
            let reply = reply.as_ref();
            reply.is_some_and(|reply| !reply.is_final() && !reply.failure().is_some_and(|failure| failure.immediate))
        };
        if !name.replies().get(index).is_some_and(settles_nothing) || !self.has_neighbours(host).await {
            return index;
        }
        name.again.store(true, Ordering::Relaxed);
        let limit = (self.limits.timeout / SECOND_SHARE).min(SECOND_QUERY_TIMEOUT);
        let ask = |(index, server): (usize, &SocketAddr)| {
            let question = self.question(host, *server, limit);
            async move { Some((index, question?.await)) }
        };
        let mut asking: FuturesUnordered<_> = self.servers.iter().enumerate().map(ask).collect();
        while let Some(answered) = asking.next().await {
            if let Some((index, mut reply)) = answered
                && reply.is_final()
                && let Some(slot) = name.replies().get_mut(index)
            {
                reply.v4.sent += slot.as_ref().map_or(0, |earlier| earlier.v4.sent);
                *slot = Some(Arc::new(reply));
                return index;
            }
        }
        index
    }

    /// Whether other names of the zone resolve, now or in a moment.
    async fn has_neighbours(&self, host: &str) -> bool {
        let until = self
            .end
            .min(tokio::time::Instant::now() + NEIGHBOURS.min(self.limits.timeout / 25));
        loop {
            if self.resolved().contains(domain(host)) {
                return true;
            }
            if tokio::time::Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn resolved(&self) -> MutexGuard<'_, HashSet<String>> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, host: &str, index: usize, name: &Arc<Name>) {
        let asking = self
            .servers
            .get(index)
            .and_then(|server| self.question(host, *server, self.limits.timeout));
        let Some(asking) = asking else { return };
        let name = name.clone();
        self.spawn(async move {
            let reply = asking.await;
            if let Some(slot) = name.replies().get_mut(index) {
                *slot = Some(Arc::new(reply));
            }
            name.reply_arrived.notify_one();
        });
    }

    /// The queries for one name to one server, each with a separate socket; `None` for an invalid name.
    fn question(
        &self,
        host: &str,
        server: SocketAddr,
        limit: Duration,
    ) -> Option<impl Future<Output = ServerReply> + use<>> {
        let v4 = DnsQuestion::new(host, false)?;
        let v6 = DnsQuestion::new(host, true).filter(|_| self.limits.ipv6);
        let (end, sockets) = (self.end, self.sockets.clone());
        Some(async move {
            let ask = async |question: DnsQuestion| {
                let permit = tokio::time::timeout_at(end, sockets.acquire()).await;
                // Boxed: the task is moved before it starts and after it has ended, with all the memory that it may
                // need.
                let exchange = Box::pin(question.ask(server, limit, end, &sockets)).await;
                drop(permit);
                exchange
            };
            let (v4, v6) = tokio::join!(ask(v4), async { Some(ask(v6?).await) });
            ServerReply {
                v4,
                v6: v6.map(Box::new),
            }
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // A finished task is kept completely until it is joined.
        while asking.try_join_next().is_some() {}
        asking.spawn(task);
    }
}

/// The last two labels of a name: the zone, or one that contains it.
fn domain(host: &str) -> &str {
    let end = host.trim_end_matches('.');
    let dot = end.rmatch_indices('.').nth(1);
    dot.map_or(end, |(at, _)| end.get(at + 1..).unwrap_or(end))
}

/// The state of the replies so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplyChoice {
    /// A server that precedes in the order may still reply.
    TooEarly,
    /// There is no server.
    None,
    /// This one settles the name.
    Final(usize),
    /// No server has a final answer; this is the most informative reply.
    BestEffort(usize),
}

fn choose(replies: &[Option<Arc<ServerReply>>], waits: bool) -> ReplyChoice {
    for (index, reply) in replies.iter().enumerate() {
        match reply {
            Some(reply) if reply.is_final() => return ReplyChoice::Final(index),
            None if waits => return ReplyChoice::TooEarly,
            Some(_) | None => {}
        }
    }
    if replies.is_empty() {
        return ReplyChoice::None;
    }
    if replies.iter().any(Option::is_none) {
        return ReplyChoice::TooEarly;
    }
    // No server has a final answer: an error is more informative than a missing reply.
    let answered = |reply: &Option<Arc<ServerReply>>| reply.as_ref().is_some_and(|reply| reply.answer().is_some());
    ReplyChoice::BestEffort(replies.iter().position(answered).unwrap_or_default())
}
