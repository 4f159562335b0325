//! Resources in the shape of Azure Resource Manager, before they become JSON or Bicep.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::{
    RenderedRules, SecurityRule,
    firewall::{ApplicationRule, Collection, CollectionGroup, FirewallRule, NetworkRule},
    routes::InternetRoute,
};
use crate::model::Transport;

/// A value whose keys keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    /// Text.
    Text(String),
    /// A whole number.
    Number(u16),
    /// A list.
    List(Vec<Literal>),
    /// An object.
    Object(Vec<(&'static str, Literal)>),
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u16(*number),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// Each resource as `{name, properties}`.
pub(super) fn resources(rules: &RenderedRules) -> Vec<Literal> {
    match rules {
        RenderedRules::Nsg(group) => group
            .rules
            .iter()
            .map(|rule| resource(&rule.name, security_rule(rule)))
            .collect(),
        RenderedRules::Firewall(_) if rules.is_empty() => Vec::new(),
        RenderedRules::Firewall(group) => vec![resource(group.name, collection_group(group))],
        RenderedRules::Routes(routes) => routes.iter().map(|entry| resource(&entry.name, route(entry))).collect(),
    }
}

fn resource(name: &str, properties: Vec<(&'static str, Literal)>) -> Literal {
    Literal::Object(vec![("name", text(name)), ("properties", Literal::Object(properties))])
}

fn security_rule(rule: &SecurityRule) -> Vec<(&'static str, Literal)> {
    let direction = if rule.inbound { "Inbound" } else { "Outbound" };
    let protocol = if rule.transport == Transport::Tcp { "Tcp" } else { "Udp" };
    let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
    vec![
        ("description", text(&rule.description)),
        ("priority", Literal::Number(rule.priority)),
        ("direction", text(direction)),
        ("access", text("Allow")),
        ("protocol", text(protocol)),
        ("sourceAddressPrefix", text(&rule.source)),
        ("sourcePortRange", text("*")),
        one_or_many(
            ("destinationAddressPrefix", "destinationAddressPrefixes"),
            &rule.destination,
        ),
        one_or_many(("destinationPortRange", "destinationPortRanges"), &ports),
    ]
}

fn collection_group(group: &CollectionGroup) -> Vec<(&'static str, Literal)> {
    vec![
        ("priority", Literal::Number(group.priority)),
        (
            "ruleCollections",
            Literal::List(group.collections.iter().map(collection).collect()),
        ),
    ]
}

fn collection(collection: &Collection) -> Literal {
    let rule = |rule: &FirewallRule| match rule {
        FirewallRule::Network(rule) => network_rule(rule),
        FirewallRule::Application(rule) => application_rule(rule),
    };
    Literal::Object(vec![
        ("ruleCollectionType", text("FirewallPolicyFilterRuleCollection")),
        ("name", text(&collection.name)),
        ("priority", Literal::Number(collection.priority)),
        ("action", Literal::Object(vec![("type", text("Allow"))])),
        ("rules", Literal::List(collection.rules.iter().map(rule).collect())),
    ])
}

fn network_rule(rule: &NetworkRule) -> Literal {
    let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
    let destination = if rule.fqdns.is_empty() {
        ("destinationAddresses", texts(&rule.destinations))
    } else {
        ("destinationFqdns", texts(&rule.fqdns))
    };
    Literal::Object(vec![
        ("ruleType", text("NetworkRule")),
        ("name", text(&rule.name)),
        ("ipProtocols", texts(&[rule.transport.as_str().to_uppercase()])),
        ("sourceAddresses", texts(std::slice::from_ref(&rule.source))),
        destination,
        ("destinationPorts", texts(&ports)),
    ])
}

fn application_rule(rule: &ApplicationRule) -> Literal {
    let protocol = Literal::Object(vec![
        ("protocolType", text(rule.protocol)),
        ("port", Literal::Number(rule.port)),
    ]);
    Literal::Object(vec![
        ("ruleType", text("ApplicationRule")),
        ("name", text(&rule.name)),
        ("protocols", Literal::List(vec![protocol])),
        ("sourceAddresses", texts(std::slice::from_ref(&rule.source))),
        ("targetFqdns", texts(&rule.fqdns)),
    ])
}

fn route(route: &InternetRoute) -> Vec<(&'static str, Literal)> {
    vec![
        ("addressPrefix", text(&route.prefix)),
        ("nextHopType", text("Internet")),
    ]
}

fn one_or_many((one, many): (&'static str, &'static str), values: &[String]) -> (&'static str, Literal) {
    match values {
        [only] => (one, text(only)),
        _ => (many, texts(values)),
    }
}

fn text(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn texts(values: &[String]) -> Literal {
    Literal::List(values.iter().map(|value| text(value)).collect())
}
