//! The exit status of a run.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A status and its reason, as in the last line of the text report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExitStatus {
    /// What the process returns.
    #[serde(rename = "status")]
    pub code: u8,
    /// The reason, in words, without a full stop.
    pub reason: String,
}

impl ExitStatus {
    /// Every selected required endpoint is reachable or degraded.
    pub const REACHABLE: u8 = 0;
    /// A required endpoint is blocked, or one that must be blocked is not.
    pub const BLOCKED: u8 = 1;
    /// Bad flags, a bad catalog or a bad input file; nothing was probed.
    pub const USAGE: u8 = 2;
    /// Nothing is blocked, but something required is not verified.
    pub const INCOMPLETE: u8 = 3;
    /// The agent itself failed.
    pub const FAILED: u8 = 4;
    /// Interrupted; the partial report was still written.
    pub const INTERRUPTED: u8 = 130;

    /// A status with its reason.
    pub fn new(code: u8, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}: {}", self.code, self.reason)
    }
}
