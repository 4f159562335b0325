//! The plan as a JSON document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Plan;
use crate::{
    azure::Cloud,
    model::{Cause, Need, Prediction, Protocol, Transport, VantageSource, Vnet},
};
use std::iter;

/// The `schema` of a plan document.
pub const SCHEMA: &str = "apim-probe/plan/v1";

/// What would be probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Document")]
pub struct PlanDocument {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the plan is for.
    pub vantage: PlanVantage,
    /// Every planned endpoint, in the order of the catalog.
    pub endpoints: Vec<PlanEntry>,
    /// Queries and connections in addition to the endpoints, made only if something is cut, unproven or unanswered.
    pub controls: Vec<String>,
}

/// What the plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Vantage")]
pub struct PlanVantage {
    /// The cloud.
    pub cloud: Cloud,
    /// The region.
    pub region: Option<String>,
    /// The network mode; null plans for both.
    pub vnet: Option<Vnet>,
    /// Where cloud and region are from.
    pub source: VantageSource,
}

/// One planned endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub struct PlanEntry {
    /// `dependency/host:port`, followed by `/udp` for UDP.
    pub id: String,
    /// The id of its dependency.
    pub dependency: String,
    /// The title of its dependency.
    pub title: String,
    /// The service tag of the documented rule.
    pub service_tag: Option<String>,
    /// How much it counts.
    pub need: Need,
    /// Who needs it, for a feature's endpoint.
    pub feature: Option<String>,
    /// The host, or the first address.
    pub host: String,
    /// The wildcard that it stands for.
    pub pattern: Option<String>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// The protocol.
    pub protocol: Protocol,
    /// Whether it would be probed.
    pub testable: bool,
    /// Why not.
    pub cause: Option<Cause>,
    /// How to change that, or the catalog's remark.
    pub detail: Option<String>,
    /// What the network's own rules predict; absent if none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Prediction>,
}

impl PlanDocument {
    /// The document of a plan; `predictions` are what the network's own rules predict for its endpoints, in their
    /// order.
    pub fn new(plan: &Plan, vantage: PlanVantage, controls: Vec<String>, predictions: Vec<Option<Prediction>>) -> Self {
        let predictions = predictions.into_iter().chain(iter::repeat(None));
        let endpoints = plan
            .endpoints
            .iter()
            .zip(predictions)
            .map(|(endpoint, predicted)| PlanEntry {
                id: endpoint.id.clone(),
                dependency: endpoint.dependency.clone(),
                title: endpoint.title.clone(),
                service_tag: endpoint.service_tag.clone(),
                need: endpoint.need,
                feature: endpoint.feature.clone(),
                host: endpoint.host.clone(),
                pattern: endpoint.pattern.clone(),
                port: endpoint.port,
                transport: endpoint.transport,
                protocol: endpoint.protocol,
                testable: endpoint.untested.is_none(),
                cause: endpoint.untested.as_ref().map(|untested| untested.cause),
                detail: endpoint
                    .untested
                    .as_ref()
                    .map(|untested| untested.detail.clone())
                    .or_else(|| endpoint.note.clone()),
                predicted,
            })
            .collect();
        Self {
            schema: SCHEMA.into(),
            vantage,
            endpoints,
            controls,
        }
    }
}
