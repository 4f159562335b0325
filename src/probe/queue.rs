//! The jobs of a run, in their order.

use std::{
    collections::VecDeque,
    mem,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    stages::ProbeContext,
    trace::{Attempt, Trace},
};
use crate::plan::Plan;

/// A job to do.
pub(super) enum Job {
    /// An endpoint that was not probed yet.
    Probe(usize),
    /// A probed endpoint, at the addresses that need further connections.
    Again(usize, Vec<SocketAddr>),
}

/// The outcome of a job.
pub(super) enum JobOutput {
    Probe(Box<Trace>),
    Again(Duration, Vec<Attempt>),
}

impl JobOutput {
    /// The connections that were made.
    pub(super) fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Probe(trace) => &trace.attempts,
            Self::Again(_, attempts) => attempts,
        }
    }
}

/// The jobs of a run, and their results. An endpoint that was probed before it was known that the connections of this
/// run differ, or without a permit for a second connection, is probed again after all others.
pub(super) struct ProbeQueue {
    plan: Arc<Plan>,
    stages: Arc<ProbeContext>,
    jobs: VecDeque<Job>,
    traces: Vec<Option<Trace>>,
    /// How often each endpoint was probed again.
    again: Vec<u8>,
    busy: Vec<bool>,
}

impl ProbeQueue {
    /// An endpoint is probed again for a second connection, and for those of a run in which they differ.
    const MAX_SECOND_PROBES: u8 = 2;

    /// Every testable endpoint of a plan, in order.
    pub(super) fn new(plan: Arc<Plan>, stages: Arc<ProbeContext>) -> Self {
        let testable = (0..plan.endpoints.len()).filter(|index| plan.endpoints[*index].untested.is_none());
        Self {
            jobs: testable.map(Job::Probe).collect(),
            traces: plan.endpoints.iter().map(|_| None).collect(),
            again: vec![0; plan.endpoints.len()],
            busy: vec![false; plan.endpoints.len()],
            plan,
            stages,
        }
    }

    /// Whether anything is left to do.
    pub(super) fn has_jobs(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// The next job.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// Performs a job.
    pub(super) fn work(&self, job: Job) -> impl Future<Output = (usize, JobOutput)> + use<> {
        let (plan, stages) = (self.plan.clone(), self.stages.clone());
        let earlier = match &job {
            Job::Probe(_) => Vec::new(),
            Job::Again(index, _) => self.traces[*index]
                .iter()
                .flat_map(|trace| trace.attempts.clone())
                .collect(),
        };
        async move {
            match job {
                Job::Probe(index) => (
                    index,
                    JobOutput::Probe(Box::new(stages.probe(&plan.endpoints[index]).await)),
                ),
                Job::Again(index, addresses) => {
                    let began = Instant::now();
                    let attempts = stages.again(&plan.endpoints[index], &addresses, &earlier).await;
                    (index, JobOutput::Again(began.elapsed(), attempts))
                }
            }
        }
    }

    /// Stores the results for an endpoint; returns its trace if these are the first.
    pub(super) fn finish_job(&mut self, index: usize, seen: JobOutput) -> Option<&Trace> {
        self.busy[index] = false;
        match seen {
            JobOutput::Probe(trace) => {
                self.traces[index] = Some(*trace);
                self.queue(index);
                self.traces[index].as_ref()
            }
            JobOutput::Again(duration, attempts) => {
                if let Some(trace) = &mut self.traces[index] {
                    trace.duration += duration;
                    trace.add(attempts);
                }
                self.queue(index);
                None
            }
        }
    }

    /// Checks all endpoints that were probed.
    pub(super) fn queue_all(&mut self) {
        for index in 0..self.traces.len() {
            self.queue(index);
        }
    }

    fn queue(&mut self, index: usize) {
        let Some(trace) = self.traces[index].as_ref().filter(|trace| !trace.cut) else {
            return;
        };
        if self.again[index] >= Self::MAX_SECOND_PROBES || self.busy[index] {
            return;
        }
        let owed = self
            .stages
            .flows
            .addresses_to_retry(&self.plan.endpoints[index], &trace.attempts);
        if !owed.is_empty() {
            self.again[index] += 1;
            self.busy[index] = true;
            self.jobs.push_back(Job::Again(index, owed));
        }
    }

    /// The trace of each endpoint; `None` if its probe never ended.
    pub(super) fn traces(&mut self) -> Vec<Option<Trace>> {
        mem::take(&mut self.traces)
    }
}
