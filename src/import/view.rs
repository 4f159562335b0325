//! The instance's own status of its network.

use jiff::Timestamp;

/// The status, region by region; empty if it was not queried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstanceView {
    /// One for each region that the instance runs in.
    pub locations: Vec<Location>,
    /// The instance's results for single hosts, in any region.
    pub remarks: Vec<Remark>,
}

/// The instance's own result for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The host, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The result, without a full stop.
    pub sentence: String,
}

/// The instance's status in one region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Location {
    /// The region, as the VM's metadata names regions; `None` if the document omits it.
    pub region: Option<String>,
    /// The name servers that the instance uses.
    pub name_servers: Vec<String>,
    /// Its status of each thing that it needs.
    pub statuses: Vec<ReportedStatus>,
}

/// The instance's status of one thing that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedStatus {
    /// Its name, as in the instance's document.
    pub name: String,
    /// What it is about, for comparison with a machine in the subnet.
    pub subject: StatusSubject,
    /// Its state.
    pub state: StatusState,
    /// The instance's own message about a failure.
    pub error: Option<String>,
    /// When the instance last checked.
    pub updated: Option<Timestamp>,
    /// Since when it has had this state.
    pub since: Option<Timestamp>,
    /// Whether the instance has stopped checking: it checks every 15 minutes as long as it has a connection.
    pub is_stale: bool,
}

/// The subject of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusSubject {
    /// A host, or an address, that the instance connects to.
    Outbound {
        /// The host, in lower case.
        host: String,
        /// The port, where it is known.
        port: Option<u16>,
    },
    /// A port on which clients connect to the instance.
    Inbound {
        /// The port.
        port: Option<u16>,
    },
    /// A part of the instance itself.
    Internal,
}

/// The state of a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusState {
    /// It works.
    Success,
    /// It fails.
    Failure,
    /// The instance has not checked yet.
    Initializing,
    /// A word that this program does not know.
    Other(String),
}

impl InstanceView {
    /// The instance's status in this region, or in all if it has none for this region.
    pub fn seen_from(&self, region: Option<&str>) -> Vec<&Location> {
        let here: Vec<&Location> = self
            .locations
            .iter()
            .filter(|location| region.is_some() && location.region.as_deref() == region)
            .collect();
        if here.is_empty() {
            self.locations.iter().collect()
        } else {
            here
        }
    }
}

impl StatusState {
    /// Azure's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Initializing => "initializing",
            Self::Other(word) => word,
        }
    }
}
