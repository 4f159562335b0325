//! The report that everything is compared with.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{azure::Cloud, diff::EndpointState, model::Report};

/// What every endpoint was in an earlier report.
#[derive(Debug)]
pub struct Baseline {
    /// When its run began.
    pub started_at: Timestamp,
    /// The cloud that it is about.
    pub cloud: Cloud,
    states: HashMap<String, EndpointState>,
}

impl Baseline {
    /// What a report says of every endpoint.
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

    /// What an endpoint was; `None` for one that the report does not have.
    pub fn state(&self, id: &str) -> Option<EndpointState> {
        self.states.get(id).copied()
    }
}
