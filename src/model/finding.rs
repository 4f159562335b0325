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
    /// What kind of root cause it is; null in reports of agents that named none.
    #[serde(default)]
    pub kind: Option<FindingKind>,
    /// The cause; null where several causes have one root.
    pub cause: Option<Cause>,
    /// The finding in one line.
    pub title: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// The most that it concerns; null where it names no endpoint.
    #[serde(default)]
    pub need: Option<Need>,
    /// Whether the instance cannot be activated while it lasts.
    #[serde(default)]
    pub stops_activation: bool,
    /// A page about the matter.
    #[serde(default)]
    pub docs: Option<String>,
    /// The ids of the endpoints that it explains.
    pub endpoints: Vec<String>,
    /// What was seen, one sentence each.
    pub evidence: Vec<String>,
    /// Where on the path it stops, as small TTLs show it for one of the endpoints; null where nothing does.
    #[serde(default)]
    pub path: Option<Path>,
    /// Where to look, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// What the instance cannot do meanwhile.
    pub impact: String,
    /// What to change.
    pub fix: Fix,
    /// What those who run the network need to find it in their own logs; null where nothing was seen that they could find.
    #[serde(default)]
    pub handover: Option<Handover>,
}

impl Finding {
    /// Whether it is about the line itself: no rule is missing for what it explains.
    pub fn is_about_the_line(&self) -> bool {
        self.kind.is_some_and(FindingKind::is_about_the_line)
    }
}

/// What to change. Words in capitals in a command stand for what only the reader knows; nothing in it is shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fix {
    /// The change in one or two sentences.
    pub summary: String,
    /// Commands that make it. These alone change anything.
    pub change: Vec<String>,
    /// What takes each of these changes back, in their order; null where nothing needs to be.
    pub undo: Vec<Option<String>>,
    /// Commands that read how it is now.
    pub look: Vec<String>,
    /// Commands that test whether it worked.
    pub verify: Vec<String>,
    /// The words in capitals that are left in the commands.
    pub placeholders: Vec<Placeholder>,
}

/// A word in commands that stands for what only the reader knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Placeholder {
    /// The word, `NSG`.
    pub name: String,
    /// What it stands for.
    pub meaning: String,
}

impl Fix {
    /// A fix in words, to which commands may be added.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// With commands that make the change, each with the one that takes it back.
    #[must_use]
    pub fn change(mut self, changes: impl IntoIterator<Item = (impl Into<String>, Option<String>)>) -> Self {
        for (change, undo) in changes {
            self.change.push(change.into());
            self.undo.push(undo);
        }
        self
    }

    /// Each change with what takes it back.
    pub fn changes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let undo = self.undo.iter().map(Option::as_deref).chain(iter::repeat(None));
        self.change.iter().map(String::as_str).zip(undo)
    }

    /// With commands that read how it is.
    #[must_use]
    pub fn look(mut self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.look.extend(commands.into_iter().map(Into::into));
        self
    }

    /// With commands that test whether it worked.
    #[must_use]
    pub fn verify(mut self, commands: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.verify.extend(commands.into_iter().map(Into::into));
        self
    }
}

/// How sure a finding is.
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

    /// Whether a subnet or a VM has it to itself: other places do not meet it.
    pub fn is_local(self) -> bool {
        matches!(
            self,
            Self::Nsg | Self::Udr | Self::NoOutbound | Self::VmNicNsg | Self::LocalHost
        )
    }

    /// Where to look, in the reader's words.
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
