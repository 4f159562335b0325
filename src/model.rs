//! What a run says, as plain data: the closed lists, and the records that the JSON schema is made from.
//!
//! Nothing here knows where the data comes from or how it is shown.

pub mod json;
pub mod prediction;

mod cause;
mod endpoint;
mod exit_status;
mod finding;
mod finding_kind;
mod from_instance;
mod report;
mod summary;
mod terms;
mod tier;
mod verdict;

pub use self::{
    cause::{Basis, Cause, Ending},
    endpoint::{DnsStage, Endpoint, Flows, HelloStage, StageOutcome, Stages, TcpStage, TlsStage},
    exit_status::ExitStatus,
    finding::{Confidence, Finding, Fix, Placeholder, Suspect},
    finding_kind::FindingKind,
    from_instance::{FromInstance, InstanceHop},
    prediction::Prediction,
    report::{Agent, Imported, Report, SCHEMA, Vantage, VantageSource},
    summary::{Decision, FailOn, Overall, Policy, Summary},
    terms::{Direction, Expect, Need, Protocol, Transport, Vnet},
    tier::Tier,
    verdict::{Stage, Verdict},
};
