//! The only part that uses the network: from a plan to traces.
//!
//! Each address of a name is tried separately, and every stage uses the connection of the stage before. What fails is
//! tried again over further connections, which are all recorded ([`flows`]). Nothing here judges; [`crate::diagnosis`]
//! does.

use std::{
    collections::BTreeMap,
    future::Future,
    iter,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{sync::Semaphore, task::JoinSet};

pub mod clock;
pub mod control;
pub mod flows;
pub mod lookup;
pub mod own_network;
mod queue;
pub mod stages;
pub mod threads;
pub mod trace;
pub mod traceroute;
mod ttl_stream;

use self::{
    control::{ControlReason, Controller, Controls},
    flows::{ConnectionResult, FlowDepth, Flows},
    lookup::Lookups,
    own_network::{OwnNetwork, OwnNetworkWatch},
    queue::{Job, ProbeQueue},
    stages::ProbeContext,
    threads::ThreadPool,
    trace::{Attempt, NameTrace, Trace},
    traceroute::{TraceTarget, Traceroute, Traceroutes},
};
use crate::{
    net::tls::TlsClient,
    plan::{Plan, PlannedEndpoint},
};

/// How long past the deadline a probe may take to notice it before it is aborted.
const GRACE: Duration = Duration::from_millis(100);

/// How long results wait to be collected together. Each collection costs two switches between threads: on a single core,
/// 2,000 endpoints take 1,700 of them with 1 ms, and 1,000 with 5 ms.
const GATHERING: Duration = Duration::from_millis(5);

/// The limits of a run.
#[derive(Debug, Clone, Copy)]
pub struct RunLimits {
    /// For each stage of each address.
    pub timeout: Duration,
    /// For the whole run.
    pub deadline: Duration,
    /// Maximum number of probes at the same time, and connections beyond the first to an address.
    pub concurrency: usize,
    /// Sockets open at once, over all probes.
    pub sockets: usize,
    /// Look up and probe IPv6 addresses as well.
    pub ipv6: bool,
}

/// How much a run queries in addition to its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeDepth {
    /// Every name server is queried for every name, and controls are used as far as they are allowed.
    Full,
    /// Only the endpoints: names are queried as a resolver does, the next server only if one fails.
    Light,
}

/// Which controls a run may use.
#[derive(Debug, Clone)]
pub struct ControlPolicy {
    /// Whether every name server is queried, or only as many as needed; [`ProbeDepth::Light`] also skips the controls.
    pub depth: ProbeDepth,
    /// The platform's own name server, queried if the configured ones do not resolve a name; Azure only.
    pub platform: Option<SocketAddr>,
    /// Whether connections may be made to detect middleboxes.
    pub connections: bool,
    /// What a finished attempt requires next.
    pub suspect: fn(&PlannedEndpoint, &Attempt) -> ControlReason,
    /// How many connections are made to an address that is not verified.
    pub reach: FlowDepth,
    /// What a finished connection showed.
    pub showing: fn(&PlannedEndpoint, &Attempt) -> ConnectionResult,
}

/// Something that happened to the endpoint at this index of the plan.
#[derive(Debug)]
pub enum ProbeEvent<'a> {
    /// Its probe began.
    Started(usize),
    /// Its probe has ended.
    Finished(usize, &'a Trace),
}

/// All results of a run.
#[derive(Debug)]
pub struct Run {
    /// When it began, by this machine's clock: times in its traces are relative to this.
    pub began: Timestamp,
    /// One trace for each endpoint of the plan, in its order; `None` if the probe never ended.
    pub traces: Vec<Option<Trace>>,
    /// Every name server's answers, by host.
    pub names: BTreeMap<String, NameTrace>,
    /// The results of the controls.
    pub controls: Controls,
    /// Where on the path packets stop, as far as that was traced.
    pub traceroutes: Traceroutes,
    /// What this machine's kernel reported about its own network.
    pub own_network: OwnNetwork,
    /// How long the run took.
    pub duration: Duration,
    /// Whether `interrupted` ended it.
    pub interrupted: bool,
}

impl Run {
    /// This run, with newer results from `second` for the endpoints with these indices.
    #[must_use]
    pub fn followed_by(mut self, second: Self, indices: &[usize]) -> Self {
        let later = Duration::try_from(second.began.duration_since(self.began)).unwrap_or_default();
        for (index, trace) in indices.iter().zip(second.traces) {
            // Results that the deadline cut short are worth less than the first ones.
            if let Some(mut trace) = trace.filter(|trace| !trace.cut) {
                trace.delay(later);
                self.traces[*index] = Some(trace);
            }
        }
        self.names.extend(second.names);
        Self {
            duration: self.duration + second.duration,
            interrupted: self.interrupted || second.interrupted,
            ..self
        }
    }
}

/// Probes every testable endpoint of `plan` on `threads`, until `interrupted` completes or the deadline passes.
pub async fn run(
    plan: Arc<Plan>,
    threads: &ThreadPool,
    tls: TlsClient,
    limits: RunLimits,
    policy: ControlPolicy,
    interrupted: impl Future<Output = ()>,
    mut on_event: impl FnMut(ProbeEvent<'_>),
) -> Run {
    let (began, started) = (Timestamp::now(), Instant::now());
    let end = tokio::time::Instant::now() + limits.deadline;
    let controls = policy.connections && policy.depth == ProbeDepth::Full;
    let stages = Arc::new(stages(&plan, tls, limits, &policy, started, end));
    let lookups = stages.lookups.clone();

    let mut rounds = ProbeQueue::new(plan.clone(), stages.clone());
    let mut controller = controls.then(|| Controller::new(plan.clone(), stages.clone()));
    let mut own_network = OwnNetworkWatch::begin(&plan.name_servers, started);
    let mut in_flight = JoinSet::new();
    let mut updates = stages.flows.shown();
    let mut was_interrupted = false;
    let overdue = tokio::time::sleep_until(end + GRACE);
    tokio::pin!(interrupted, overdue);
    loop {
        let may_start = rounds.has_jobs() && tokio::time::Instant::now() < end;
        if in_flight.is_empty() && !may_start {
            break;
        }
        tokio::select! {
            // Only what is in flight is spawned: a waiting task costs memory and does nothing.
            Some(permit) = stages.flows.slot(), if may_start => {
                let Some(job) = rounds.next() else { continue };
                if let Job::Probe(index) = job {
                    on_event(ProbeEvent::Started(index));
                }
                let work = rounds.work(job);
                // The permit is returned with the result: released separately, it would wake this thread once more.
                let work = async move { (work.await, permit) };
                in_flight.spawn_on(work, &threads.next());
            }
            Some(first) = in_flight.join_next() => {
                tokio::time::sleep(GATHERING).await;
                for joined in iter::once(first).chain(iter::from_fn(|| in_flight.try_join_next())) {
                    // A probe that panicked has no trace, and its endpoint is reported as not tested.
                    let Ok(((index, seen), permit)) = joined else { continue };
                    drop(permit);
                    if let Some(controller) = &mut controller {
                        let endpoint = &plan.endpoints[index];
                        // Connections with small segments do not show what passes with the usual ones.
                        for attempt in seen.attempts().iter().filter(|attempt| attempt.segment.is_none()) {
                            controller.note(index, attempt, (policy.suspect)(endpoint, attempt));
                        }
                    }
                    if let Some(trace) = rounds.finish_job(index, seen) {
                        on_event(ProbeEvent::Finished(index, trace));
                    }
                }
            }
            _ = updates.changed() => rounds.queue_all(),
            () = own_network.changed() => {}
            () = &mut overdue => break,
            () = &mut interrupted => {
                was_interrupted = true;
                break;
            }
        }
    }
    in_flight.abort_all();
    let grace = if was_interrupted {
        tokio::time::Instant::now()
    } else {
        end + GRACE
    };
    let controls = match controller {
        Some(controller) => controller.finish(grace).await,
        None => Controls::default(),
    };
    let names = lookups.finish(grace).await;
    let mut traces = rounds.traces();
    add_what_got_through(&mut traces, &controls);
    let own_network = own_network.finish(traces.iter().flatten(), &names);
    Run {
        began,
        traces,
        names,
        own_network,
        controls,
        traceroutes: Traceroutes::default(),
        duration: started.elapsed(),
        interrupted: was_interrupted,
    }
}

/// Traces the path to some addresses of `plan`; returns nothing if `interrupted` completes first.
pub async fn run_traceroutes(
    plan: &Plan,
    tls: TlsClient,
    limits: RunLimits,
    policy: &ControlPolicy,
    calls: &[TraceTarget],
    interrupted: impl Future<Output = ()>,
) -> Vec<Traceroute> {
    let end = tokio::time::Instant::now() + limits.deadline.min(traceroute::MAX_TIME);
    let stages = stages(plan, tls, limits, policy, Instant::now(), end);
    tokio::select! {
        // After a signal, not even the first packet is sent.
        biased;
        () = interrupted => Vec::new(),
        seen = traceroute::trace_all(&stages, plan, calls) => seen,
        () = tokio::time::sleep_until(end + GRACE) => Vec::new(),
    }
}

/// What the probes of a run need until its end.
fn stages(
    plan: &Plan,
    tls: TlsClient,
    limits: RunLimits,
    policy: &ControlPolicy,
    began: Instant,
    end: tokio::time::Instant,
) -> ProbeContext {
    let sockets = Arc::new(Semaphore::new(limits.sockets.max(1)));
    let lookups = Lookups::new(
        plan.name_servers.clone(),
        policy.platform.filter(|_| policy.depth == ProbeDepth::Full),
        policy.depth,
        limits,
        began,
        end,
        sockets.clone(),
    );
    let flows = Flows::new(
        &policy.reach,
        policy.connections && policy.depth == ProbeDepth::Full,
        policy.showing,
        limits.concurrency,
        limits.timeout,
    );
    ProbeContext {
        tls,
        limits,
        began,
        end,
        sockets,
        lookups: Arc::new(lookups),
        flows,
        control: plan.control_name.clone(),
    }
}

/// If a later connection for a control is the first that gets through, it is added to the endpoint's trace.
fn add_what_got_through(traces: &mut [Option<Trace>], controls: &Controls) {
    for control in controls.names.iter().filter(|control| control.own_name_passes()) {
        if let Some(Some(trace)) = traces.get_mut(control.endpoint)
            && !trace.attempts.iter().any(|attempt| control.is_answered(attempt))
        {
            trace.add(control.own.iter().cloned().collect());
        }
    }
}
