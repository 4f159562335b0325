//! The report that rounds are compared with.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{azure::Cloud, diff::EndpointState, model::Report};

/// The state of every endpoint in an earlier report.
#[derive(Debug)]
pub struct Baseline {
    /// When its run began.
    pub started_at: Timestamp,
    /// Its cloud.
    pub cloud: Cloud,
    states: HashMap<String, EndpointState>,
}

impl Baseline {
    /// The state of every endpoint in a report.
    pub fn of(report: &Report) -> Self {
        Self {
            started_at: report.started_at,
            cloud: report.vantage.cloud,
            states: report
                .endpoints
                .iter()
                .map(|endpoint| (endpoint.id.clone(), EndpointState::of(endpoint)))
                .collect(),
        }
    }

    /// The state of an endpoint; `None` if the report does not contain it.
    pub fn state(&self, id: &str) -> Option<EndpointState> {
        self.states.get(id).copied()
    }
}
