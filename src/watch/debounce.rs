//! Endpoints whose connections differ, between the rounds that make several.
//!
//! A single connection to such an endpoint passes or fails at random, so it shows nothing new: the result of several
//! connections is kept. Only if one connection per round has the same result many times in a row may the endpoint have
//! changed.

use std::collections::BTreeMap;

use crate::{
    model::{EndpointReport, Verdict},
    probe::trace::Trace,
};

/// This many single connections in a row seldom have the same result at random if half of them pass: 1 in 32.
const IN_A_ROW: u32 = 6;

/// The results of several connections for endpoints of which some passed and some did not, by index in the plan.
#[derive(Debug, Default)]
pub struct DebouncedFlows(BTreeMap<usize, Entry>);

#[derive(Debug)]
struct Entry {
    trace: Trace,
    /// The result of single connections since, and how often in a row.
    passed: bool,
    in_a_row: u32,
}

impl DebouncedFlows {
    /// Records the result of a round for an endpoint.
    pub fn note(&mut self, index: usize, endpoint: &EndpointReport, trace: Option<&Trace>) {
        let differs = endpoint
            .flows
            .is_some_and(|flows| flows.passed > 0 && flows.passed < flows.tried);
        let Some(trace) = trace.filter(|_| differs && endpoint.verdict == Verdict::Degraded) else {
            self.0.remove(&index);
            return;
        };
        // A result that was only kept is not new.
        let is_known = self.0.get(&index).is_some_and(|entry| entry.trace == *trace);
        if !is_known {
            let entry = Entry {
                trace: trace.clone(),
                passed: false,
                in_a_row: 0,
            };
            self.0.insert(index, entry);
        }
    }

    /// Records the result of one connection to an endpoint, and returns that of several.
    pub fn record_one(&mut self, index: usize, endpoint: &EndpointReport) -> Option<Trace> {
        let entry = self.0.get_mut(&index)?;
        let passed = endpoint.verdict.is_proved();
        entry.in_a_row = if passed == entry.passed { entry.in_a_row + 1 } else { 1 };
        entry.passed = passed;
        Some(entry.trace.clone())
    }

    /// Whether single connections to any of them have had the same result for so long that several should be made.
    pub fn is_doubtful(&self) -> bool {
        self.0.values().any(|entry| entry.in_a_row >= IN_A_ROW)
    }

    /// Whether an endpoint is one of them.
    pub fn holds(&self, index: usize) -> bool {
        self.0.contains_key(&index)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub fn indices(&self) -> Vec<usize> {
        self.0.keys().copied().collect()
    }
}
