//! The data of a run, without logic: the closed lists, and the records that the JSON schema is made from.
//!
//! Nothing here knows where the data comes from or how it is shown.

/// Displays the values of a closed list as their words, and parses these.
macro_rules! by_word {
    ($list:ident, $what:literal) => {
        impl std::fmt::Display for $list {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $list {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                let mut all = Self::ALL.iter().copied();
                all.find(|value| value.as_str() == word)
                    .ok_or_else(|| format!("{word} is not {}", $what))
            }
        }
    };
}

pub mod json;
pub mod prediction;

mod cause;
mod elsewhere;
mod endpoint;
mod exit_status;
mod finding;
mod finding_kind;
mod from_instance;
mod handover;
mod path;
mod report;
mod summary;
mod terms;
mod tier;
mod verdict;

pub use self::{
    cause::{Basis, Cause, FailureMode},
    elsewhere::Elsewhere,
    endpoint::{DnsStage, EndpointReport, FlowCounts, HelloStage, StageOutcome, StageReports, TcpStage, TlsStage},
    exit_status::ExitStatus,
    finding::{Confidence, Finding, Fix, Placeholder, Suspect},
    finding_kind::FindingKind,
    from_instance::{FromInstance, InstanceHop},
    handover::{Handover, Owner, Query, QueryLanguage, QueryTarget, Request, SeenFlow},
    path::{Hop, HopDoes, Path},
    prediction::Prediction,
    report::{Agent, Imported, Report, SCHEMA, SelectionReport, Standing, VantageReport, VantageSource},
    summary::{DecidingEndpoints, FailOn, Overall, Policy, Summary},
    terms::{Direction, Expect, Need, Protocol, Transport, Vnet},
    tier::Tier,
    verdict::{Stage, Verdict},
};
