//! What another place sees of an endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Verdict};

/// What a report from another place says of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Elsewhere {
    /// The file name of that report.
    pub report: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its cause.
    pub cause: Option<Cause>,
}
