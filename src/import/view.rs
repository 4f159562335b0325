//! What the instance says of its own network.

use jiff::Timestamp;

/// What the instance says, region by region; empty where it was not asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstanceView {
    /// One for each region that the instance runs in.
    pub locations: Vec<Location>,
    /// What it says of single hosts beside that, wherever it runs.
    pub remarks: Vec<Remark>,
}

/// Something that the instance says of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The host, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What it says, without a full stop.
    pub sentence: String,
}

/// What the instance says in one region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Location {
    /// The region, as the VM's metadata names regions; `None` where the document leaves it out.
    pub region: Option<String>,
    /// The name servers that the instance asks.
    pub name_servers: Vec<String>,
    /// What it says of each thing that it needs.
    pub statuses: Vec<ReportedStatus>,
}

/// What the instance says of one thing that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedStatus {
    /// Its name, as the instance writes it.
    pub name: String,
    /// What a machine in the subnet can compare it with.
    pub subject: StatusSubject,
    /// How it stands.
    pub state: StatusState,
    /// The instance's own words about a failure.
    pub error: Option<String>,
    /// When the instance last looked.
    pub updated: Option<Timestamp>,
    /// Since when it stands like this.
    pub since: Option<Timestamp>,
    /// Whether the instance has stopped looking: it does so every 15 minutes as long as it has a connection.
    pub is_stale: bool,
}

/// What a status is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusSubject {
    /// A host, or an address, that the instance talks to.
    Outbound {
        /// The host, in lower case.
        host: String,
        /// The port, where it is known.
        port: Option<u16>,
    },
    /// A port on which clients talk to the instance.
    Inbound {
        /// The port.
        port: Option<u16>,
    },
    /// A part of the instance itself.
    Internal,
}

/// How a thing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusState {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// The instance has not looked yet.
    Initializing,
    /// A word that this program does not know.
    Other(String),
}

impl InstanceView {
    /// What the instance says in this region, or everywhere where it shows nothing about the region in particular.
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
    /// The word of Azure.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Initializing => "initializing",
            Self::Other(word) => word,
        }
    }
}
