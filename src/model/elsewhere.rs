//! The result for an endpoint in another place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Verdict};

/// The result for an endpoint in a report from another place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Elsewhere {
    /// The file name of that report.
    pub report: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its cause.
    pub cause: Option<Cause>,
}
