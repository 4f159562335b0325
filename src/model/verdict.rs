//! The verdict on an endpoint, and the stages of a probe.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict on an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The real service answered correctly at protocol depth, on every address tried.
    Reachable,
    /// It works, but something that affects the instance was seen.
    Degraded,
    /// A stage failed on every address tried.
    Blocked,
    /// Something answered, but not in a way that proves the service.
    Unproven,
    /// Nothing was tried, or not completely: never a pass.
    NotTested,
}

impl Verdict {
    /// Every verdict, the best first.
    pub const ALL: [Self; 5] = [
        Self::Reachable,
        Self::Degraded,
        Self::Blocked,
        Self::Unproven,
        Self::NotTested,
    ];

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Degraded => "degraded",
            Self::Blocked => "blocked",
            Self::Unproven => "unproven",
            Self::NotTested => "not-tested",
        }
    }

    /// Whether the service was verified.
    pub fn is_proved(self) -> bool {
        matches!(self, Self::Reachable | Self::Degraded)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The stages, each based on the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The name.
    Dns,
    /// The connection.
    Tcp,
    /// What is exchanged before TLS; part of the hello in reports.
    Prelude,
    /// The handshake.
    Tls,
    /// The exchange in the service's protocol.
    Hello,
}
