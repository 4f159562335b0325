//! The history of one endpoint: limited in size, however often it changes.

use std::{collections::VecDeque, time::Duration};

use jiff::Timestamp;

use crate::{diff::EndpointState, model::Verdict};

/// How many states are kept; of older ones only the totals.
pub const MAX_TRANSITIONS: usize = 20;

/// The consecutive states of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The latest states, the oldest first. Never empty: the last one is the current state.
    transitions: VecDeque<Transition>,
    dropped: u64,
    blocked: Duration,
}

/// A state and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// When it was first seen.
    pub at: Timestamp,
    /// The state.
    pub state: EndpointState,
}

impl Timeline {
    /// The first state.
    pub fn begin(state: EndpointState, at: Timestamp) -> Self {
        Self {
            transitions: VecDeque::from([Transition { at, state }]),
            dropped: 0,
            blocked: Duration::ZERO,
        }
    }

    /// The current state.
    pub fn state(&self) -> EndpointState {
        self.current().state
    }

    /// Since when it has had this state.
    pub fn since(&self) -> Timestamp {
        self.current().at
    }

    /// Records a new state from `at` on; returns how long the previous one lasted.
    pub fn record(&mut self, state: EndpointState, at: Timestamp) -> Duration {
        let lasted = between(self.since(), at);
        if self.state().verdict == Verdict::Blocked {
            self.blocked += lasted;
        }
        if self.transitions.len() == MAX_TRANSITIONS {
            self.transitions.pop_front();
            self.dropped += 1;
        }
        self.transitions.push_back(Transition { at, state });
        lasted
    }

    /// How long it was blocked in total, until `now`.
    pub fn blocked(&self, now: Timestamp) -> Duration {
        match self.state().verdict {
            Verdict::Blocked => self.blocked + between(self.since(), now),
            _ => self.blocked,
        }
    }

    /// How often it changed.
    pub fn changes(&self) -> u64 {
        self.dropped + self.transitions.len() as u64 - 1
    }

    /// How many states are no longer kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The latest states, the oldest first.
    pub fn transitions(&self) -> impl Iterator<Item = &Transition> {
        self.transitions.iter()
    }

    fn current(&self) -> Transition {
        *self
            .transitions
            .back()
            .expect("a timeline begins with a turn and keeps the last one")
    }
}

/// The time between two readings of a clock that may be set back.
pub fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}
