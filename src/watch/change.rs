//! One change, as a document.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::WatchedEndpoint;
use crate::{
    diff::EndpointState,
    model::{Need, json},
};

/// The `schema` of a change document.
pub const SCHEMA: &str = "apim-probe/change/v1";

/// One endpoint that changed since the last round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When the round that showed the change ended, UTC.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The number of that round; the first one is 1.
    pub round: u64,
    /// The endpoint's id.
    pub id: String,
    /// The previous state.
    pub from: EndpointState,
    /// The new state.
    pub to: EndpointState,
    /// `host:port`, for people.
    #[serde(skip)]
    pub label: String,
    /// Whether the instance requires the endpoint.
    #[serde(skip)]
    pub is_required: bool,
    /// How long it had the previous state.
    #[serde(skip)]
    pub lasted: Duration,
}

impl Change {
    /// The latest change of an endpoint.
    pub(super) fn new(row: &WatchedEndpoint, round: u64, at: Timestamp, from: EndpointState, lasted: Duration) -> Self {
        Self {
            schema: SCHEMA.into(),
            at,
            round,
            id: row.id.clone(),
            from,
            to: row.timeline.state(),
            label: row.label.clone(),
            is_required: row.need == Need::Required,
            lasted,
        }
    }

    /// The document on one line, with a line feed at its end.
    ///
    /// # Panics
    ///
    /// Never: a change contains nothing that JSON cannot represent.
    pub fn to_jsonl(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a change has string keys only");
        line.push('\n');
        json::visible(line)
    }
}
