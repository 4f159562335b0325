//! Each name is looked up once in a run, at every configured server; a light run asks the next server only where one
//! fails or stays silent.
//!
//! The first answer decides and the probes go on with it; what the other servers say is collected meanwhile and compared
//! at the end. "First" is the order of the configuration, as a resolver asks: an answer of a later server is used only
//! where the earlier ones failed, or stayed silent for a moment longer.
//!
//! In Azure the platform's own server is asked as a control, for names that the configured ones do not resolve.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, OnceCell, Semaphore},
    task::JoinSet,
};

use super::{
    Depth, Limits,
    trace::{NameTrace, ServerReply},
};
use crate::{model::Transport, net::dns::Question};

/// How long an answer of a later server waits for the servers before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The names of one run.
#[derive(Debug)]
pub struct Lookups {
    servers: Vec<SocketAddr>,
    platform: Option<SocketAddr>,
    depth: Depth,
    limits: Limits,
    end: tokio::time::Instant,
    sockets: Arc<Semaphore>,
    names: Mutex<HashMap<String, Arc<Name>>>,
    asking: Mutex<JoinSet<()>>,
}

/// One name and what is known of it so far.
#[derive(Debug, Default)]
struct Name {
    decision: OnceCell<(Duration, Option<usize>)>,
    replies: Mutex<Vec<Option<ServerReply>>>,
    platform: Mutex<Option<ServerReply>>,
    asked_platform: AtomicBool,
    news: Notify,
}

impl Name {
    fn replies(&self) -> MutexGuard<'_, Vec<Option<ServerReply>>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn platform(&self) -> MutexGuard<'_, Option<ServerReply>> {
        self.platform.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known by now.
    fn trace(&self) -> NameTrace {
        self.decided(self.replies().clone(), self.platform().clone())
    }

    /// What is known in the end; nothing is left behind.
    fn take(&self) -> NameTrace {
        self.decided(mem::take(&mut *self.replies()), self.platform().take())
    }

    fn decided(&self, replies: Vec<Option<ServerReply>>, platform: Option<ServerReply>) -> NameTrace {
        let (duration, decided) = self.decision.get().copied().unwrap_or_default();
        NameTrace {
            duration,
            decided,
            replies,
            platform,
        }
    }
}

impl Lookups {
    /// Names are asked of `servers`, with the run's limits and until its end; `platform` is the control.
    pub fn new(
        servers: Vec<SocketAddr>,
        platform: Option<SocketAddr>,
        depth: Depth,
        limits: Limits,
        end: tokio::time::Instant,
        sockets: Arc<Semaphore>,
    ) -> Self {
        Self {
            platform: platform.filter(|platform| !servers.contains(platform)),
            servers,
            depth,
            limits,
            end,
            sockets,
            names: Mutex::default(),
            asking: Mutex::default(),
        }
    }

    /// What the servers say of `host`, as soon as an answer can be used.
    pub async fn lookup(&self, host: &str) -> NameTrace {
        let name = self.name(host);
        name.decision.get_or_init(|| self.decide(host, &name)).await;
        name.trace()
    }

    /// Asks the platform's server for `host`, once in a run; the answer is there when the run is over.
    ///
    /// Half of a stage's time is left to it where a name server stays silent, so that no run waits longer for it.
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
            *name.platform() = Some(reply);
        });
    }

    fn name(&self, host: &str) -> Arc<Name> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry(host.to_string()).or_default().clone()
    }

    /// Waits for the servers that have not replied yet, until `patience` at the latest, and hands over all there is.
    pub async fn finish(&self, patience: tokio::time::Instant) -> BTreeMap<String, NameTrace> {
        let mut asking = mem::take(&mut *self.asking.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::time::timeout_at(patience, async { while asking.join_next().await.is_some() {} }).await;
        let names = mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        names.into_iter().map(|(host, name)| (host, name.take())).collect()
    }

    async fn decide(&self, host: &str, name: &Arc<Name>) -> (Duration, Option<usize>) {
        let started = Instant::now();
        *name.replies() = vec![None; self.servers.len()];
        let mut asked = match self.depth {
            Depth::Full => self.servers.len(),
            Depth::Light => self.servers.len().min(1),
        };
        for index in 0..asked {
            self.ask(host, index, name);
        }
        let patience = PATIENCE.min(self.limits.timeout / 2);
        let impatient = tokio::time::sleep(patience);
        tokio::pin!(impatient);
        let mut waits = true;
        let decided = loop {
            // Registered before the look, so that no reply slips in between.
            let news = name.news.notified();
            let choice = choose(name.replies().get(..asked).unwrap_or_default(), waits);
            match choice {
                Choice::TooEarly => {}
                Choice::Nobody => break None,
                Choice::Final(index) => break Some(index),
                Choice::Makeshift(index) if asked == self.servers.len() => break Some(index),
                Choice::Makeshift(_) => {
                    self.ask(host, asked, name);
                    asked += 1;
                    continue;
                }
            }
            tokio::select! {
                () = news => {}
                () = &mut impatient, if waits || asked < self.servers.len() => {
                    waits = false;
                    if asked < self.servers.len() {
                        self.ask(host, asked, name);
                        asked += 1;
                        impatient.as_mut().reset(tokio::time::Instant::now() + patience);
                    } else {
                        self.control(host);
                    }
                }
            }
        };
        let has_addresses = |reply: &ServerReply| reply.is_final() && !reply.addresses().is_empty();
        let resolves = |index| matches!(name.replies().get(index), Some(Some(reply)) if has_addresses(reply));
        if !decided.is_some_and(resolves) {
            self.control(host);
        }
        (started.elapsed(), decided)
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
                *slot = Some(reply);
            }
            name.news.notify_one();
        });
    }

    /// The questions for one name to one server, each with a socket of its own; `None` for what is no name.
    fn question(
        &self,
        host: &str,
        server: SocketAddr,
        limit: Duration,
    ) -> Option<impl Future<Output = ServerReply> + use<>> {
        let v4 = Question::new(host, false)?;
        let v6 = Question::new(host, true).filter(|_| self.limits.ipv6);
        let (end, sockets) = (self.end, self.sockets.clone());
        Some(async move {
            let ask = async |question: Question| {
                let permit = tokio::time::timeout_at(end, sockets.acquire()).await;
                let exchange = question.ask(server, Transport::Udp, limit, end, &sockets).await;
                drop(permit);
                exchange
            };
            let (v4, v6) = tokio::join!(ask(v4), async { Some(ask(v6?).await) });
            ServerReply { v4, v6 }
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        // A finished task is kept, all of it, until it is joined.
        while asking.try_join_next().is_some() {}
        asking.spawn(task);
    }
}

/// What can be said of the replies so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// A server that would be asked earlier may still reply.
    TooEarly,
    /// There is no server.
    Nobody,
    /// This one settles the name.
    Final(usize),
    /// Nobody settles it; of all that replied, this one says most.
    Makeshift(usize),
}

fn choose(replies: &[Option<ServerReply>], waits: bool) -> Choice {
    for (index, reply) in replies.iter().enumerate() {
        match reply {
            Some(reply) if reply.is_final() => return Choice::Final(index),
            None if waits => return Choice::TooEarly,
            Some(_) | None => {}
        }
    }
    if replies.is_empty() {
        return Choice::Nobody;
    }
    if replies.iter().any(Option::is_none) {
        return Choice::TooEarly;
    }
    // Nobody has a final answer: an error that was sent says more than silence.
    let answered = |reply: &Option<ServerReply>| reply.as_ref().is_some_and(|reply| reply.answer().is_some());
    Choice::Makeshift(replies.iter().position(answered).unwrap_or_default())
}
