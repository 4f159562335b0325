//! What a JSON document of Azure is, told from its keys.

use super::document::{Node, Object};

/// A document that people have at hand when they look for one of these files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The effective rules of a network interface.
    EffectiveNsg,
    /// The effective routes of a network interface.
    EffectiveRoutes,
    /// Service tags and their prefixes.
    ServiceTags,
    /// A network security group itself.
    SecurityGroup,
    /// A route table itself.
    RouteTable,
    /// The network status of an instance.
    NetworkStatus,
    /// The outbound dependencies of an instance.
    Dependencies,
    /// A document of this program: its schema.
    Own(String),
    /// An error of Azure: its code or message.
    Error(String),
}

impl Kind {
    /// Tells from the keys of a document and of its entries.
    pub fn of(root: Node<'_>, entries: &[Object<'_>]) -> Option<Self> {
        if let Some(root) = root.object() {
            if let Some(schema) = root.text("schema").filter(|schema| schema.starts_with("apim-probe/")) {
                return Some(Self::Own(schema.into_owned()));
            }
            if let Some(error) = root.get("error").and_then(Node::object) {
                let said = error.text("message").or_else(|| error.text("code")).unwrap_or_default();
                return Some(Self::Error(said.into_owned()));
            }
        }
        let first = entries.first()?;
        let properties = first.get("properties").and_then(Node::object);
        let has = |key: &str| first.has(key) || properties.as_ref().is_some_and(|inner| inner.has(key));
        if has("effectiveSecurityRules") {
            Some(Self::EffectiveNsg)
        } else if has("nextHopType") && has("state") {
            Some(Self::EffectiveRoutes)
        } else if has("addressPrefixes") && first.has("name") && properties.is_some() {
            Some(Self::ServiceTags)
        } else if has("securityRules") || has("defaultSecurityRules") {
            Some(Self::SecurityGroup)
        } else if has("routes") || has("nextHopType") {
            Some(Self::RouteTable)
        } else if has("networkStatus") || has("connectivityStatus") {
            Some(Self::NetworkStatus)
        } else if has("category") && has("endpoints") {
            Some(Self::Dependencies)
        } else {
            None
        }
    }

    /// What it is, and where it comes from.
    pub fn describe(&self) -> String {
        match self {
            Self::EffectiveNsg => "effective security rules (az network nic list-effective-nsg)".into(),
            Self::EffectiveRoutes => "effective routes (az network nic show-effective-route-table)".into(),
            Self::ServiceTags => "service tags (az network list-service-tags, or Microsoft's download)".into(),
            Self::SecurityGroup => "a network security group itself (az network nsg show)".into(),
            Self::RouteTable => "a route table itself (az network route-table show)".into(),
            Self::NetworkStatus => "an instance's network status".into(),
            Self::Dependencies => "an instance's outbound dependencies".into(),
            Self::Own(schema) => format!("a document of this program ({schema})"),
            Self::Error(said) if said.is_empty() => "an error of Azure".into(),
            Self::Error(said) => format!("an error of Azure ({said})"),
        }
    }

    /// The flag that takes it.
    pub fn flag(&self) -> Option<&'static str> {
        match self {
            Self::EffectiveNsg => Some("--effective-nsg"),
            Self::EffectiveRoutes => Some("--effective-routes"),
            Self::ServiceTags => Some("--service-tags"),
            Self::NetworkStatus => Some("--network-status"),
            Self::Dependencies => Some("--dependencies"),
            Self::Own(schema) if schema.contains("/report/") => Some("--report of rules"),
            Self::SecurityGroup | Self::RouteTable | Self::Own(_) | Self::Error(_) => None,
        }
    }
}
