//! Findings, their confidence and their suspects.

use std::iter;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, FindingKind, Handover, Need, Path};

/// One root cause behind one or many endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `kind/scope`, the same in every run that finds the same.
    pub id: String,
    /// The kind of root cause; null in reports from older agents.
    #[serde(default)]
    pub kind: Option<FindingKind>,
    /// The cause; null if the endpoints have several.
    pub cause: Option<Cause>,
    /// The finding in one line.
    pub title: String,
    /// How certain it is.
    pub confidence: Confidence,
    /// The highest need among its endpoints; null if it lists none.
    #[serde(default)]
    pub need: Option<Need>,
    /// Whether the instance cannot be activated as long as the fault exists.
    #[serde(default)]
    pub stops_activation: bool,
    /// A documentation page.
    #[serde(default)]
    pub docs: Option<String>,
    /// The ids of the endpoints that it explains.
    pub endpoints: Vec<String>,
    /// The evidence, one sentence each.
    pub evidence: Vec<String>,
    /// Where on the path packets stop, as SYNs with a low TTL show for one of the endpoints; null if not known.
    #[serde(default)]
    pub path: Option<Path>,
    /// Where to look, the most likely first.
    pub suspects: Vec<Suspect>,
    /// What the instance cannot do until this is fixed.
    pub impact: String,
    /// What to change.
    pub fix: Fix,
    /// What network teams need to find the traffic in their own logs; null if there is nothing that they could find.
    #[serde(default)]
    pub handover: Option<Handover>,
}

impl Finding {
    /// Whether it is about the line itself: then no rule is missing for its endpoints.
    pub fn is_about_the_link(&self) -> bool {
        self.kind.is_some_and(FindingKind::is_about_the_link)
    }
}

/// What to change, with nothing shortened. Words in capitals in a command are placeholders for names that only the
/// reader knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fix {
    /// The change in one or two sentences.
    pub summary: String,
    /// Commands that make the change. Only these change anything.
    pub change: Vec<String>,
    /// The command that undoes each of these changes, in the same order; null if there is nothing to undo.
    pub undo: Vec<Option<String>>,
    /// Commands that read the current state.
    pub look: Vec<String>,
    /// Commands that test whether it worked.
    pub verify: Vec<String>,
    /// The placeholders that remain in the commands.
    pub placeholders: Vec<Placeholder>,
}

/// A placeholder in commands, for a name that only the reader knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placeholder {
    /// The word, `NSG`.
    pub name: String,
    /// Its meaning.
    pub meaning: String,
}

impl Fix {
    /// A fix in words, to which commands can be added.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// Adds commands that make the change, each with the one that undoes it.
    #[must_use]
    pub fn change(mut self, changes: impl IntoIterator<Item = (impl Into<String>, Option<String>)>) -> Self {
        for (change, undo) in changes {
            self.change.push(change.into());
            self.undo.push(undo);
        }
        self
    }

    /// Each change with the command that undoes it.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let undo = self.undo.iter().map(Option::as_deref).chain(iter::repeat(None));
        self.change.iter().map(String::as_str).zip(undo)
    }

    /// Adds commands that read the current state.
    #[must_use]
    pub fn look(mut self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.look.extend(commands.into_iter().map(Into::into));
        self
    }

    /// Adds commands that test whether it worked.
    #[must_use]
    pub fn verify(mut self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.verify.extend(commands.into_iter().map(Into::into));
        self
    }
}

/// How certain a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// A hint.
    Low,
    /// One explanation among several.
    Medium,
    /// The likely explanation.
    High,
    /// Nothing else explains what was seen.
    Certain,
}

impl Confidence {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Certain => "certain",
        }
    }
}

/// Where to look: what may cause a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Suspect {
    /// A network security group of the subnet, or a security admin rule above it.
    Nsg,
    /// A user-defined route.
    Udr,
    /// The subnet has no outbound access.
    NoOutbound,
    /// A network rule of an Azure Firewall, or its absence.
    FirewallNetworkRule,
    /// An application rule of an Azure Firewall, or its absence.
    FirewallApplicationRule,
    /// A device that decrypts TLS and signs with its own CA.
    TlsInspection,
    /// Another network virtual appliance.
    Nva,
    /// A name server.
    DnsServer,
    /// A private DNS zone linked to the virtual network.
    PrivateDnsZone,
    /// An HTTP proxy.
    Proxy,
    /// A rule on the network interface of this VM only.
    VmNicNsg,
    /// This machine: its firewall, routes, clock or limits.
    LocalHost,
    /// The service itself.
    Service,
    /// The documentation.
    Documentation,
}

impl Suspect {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nsg => "nsg",
            Self::Udr => "udr",
            Self::NoOutbound => "no-outbound",
            Self::FirewallNetworkRule => "firewall-network-rule",
            Self::FirewallApplicationRule => "firewall-application-rule",
            Self::TlsInspection => "tls-inspection",
            Self::Nva => "nva",
            Self::DnsServer => "dns-server",
            Self::PrivateDnsZone => "private-dns-zone",
            Self::Proxy => "proxy",
            Self::VmNicNsg => "vm-nic-nsg",
            Self::LocalHost => "local-host",
            Self::Service => "service",
            Self::Documentation => "documentation",
        }
    }

    /// Whether it is specific to a subnet or a VM, so that other places are not affected.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::Nsg | Self::Udr | Self::NoOutbound | Self::VmNicNsg | Self::LocalHost
        )
    }

    /// Where to look, in words for the reader.
    pub fn label(self) -> &'static str {
        match self {
            Self::Nsg => "NSG outbound rules",
            Self::Udr => "the route table",
            Self::NoOutbound => "the subnet's outbound access",
            Self::FirewallNetworkRule => "the firewall's network rules",
            Self::FirewallApplicationRule => "the firewall's application rules",
            Self::TlsInspection => "TLS inspection",
            Self::Nva => "the appliance at the next hop",
            Self::DnsServer => "the name server",
            Self::PrivateDnsZone => "private DNS zones linked to the network",
            Self::Proxy => "the HTTP proxy",
            Self::VmNicNsg => "the NSG on this VM's own network interface",
            Self::LocalHost => "this VM's own firewall, routes and clock",
            Self::Service => "the service itself",
            Self::Documentation => "the documentation, which may be out of date",
        }
    }
}
