//! Rules as lines for the Azure CLI in a shell.

use super::{
    Rules, SecurityRule,
    firewall::{Collection, CollectionGroup, FirewallRule},
    routes::Route,
};
use crate::{model::Transport, text::quote};

/// One command a line. What the user must name stands in variables, and an unset one stops the shell.
pub(super) fn render(rules: &Rules) -> String {
    let mut lines: Vec<String> = rules.remarks().iter().map(|remark| format!("# {remark}")).collect();
    if !rules.is_empty() {
        let target = match rules {
            Rules::Nsg(_) => "NSG to its name",
            Rules::Firewall(_) => "POLICY to the name of the firewall policy",
            Rules::Routes(_) => "TABLE to its name",
        };
        lines.push(format!("# Set RG to the resource group and {target}."));
        if matches!(rules, Rules::Firewall(_)) {
            // Its commands come in an extension, which az asks about before it installs it: that stops a script.
            lines.push("# Needs `az extension add --name azure-firewall`, with az 2.75 or later.".into());
        }
    }
    lines.extend(self::lines(rules));
    lines.join("\n") + "\n"
}

/// A command as it grows.
struct Command(Vec<String>);

impl Command {
    fn new(words: &str, target: &str) -> Self {
        let resource_group = ["--resource-group", "\"${RG:?}\""];
        Self(
            words
                .split(' ')
                .chain(resource_group)
                .chain(target.split(' '))
                .map(str::to_owned)
                .collect(),
        )
    }

    fn with<S: AsRef<str>>(mut self, flag: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.0.push(flag.to_owned());
        self.0.extend(values.into_iter().map(|value| quote(value.as_ref())));
        self
    }

    fn line(&self) -> String {
        self.0.join(" ")
    }
}

/// One line for each rule, after what they stand in.
pub(super) fn lines(rules: &Rules) -> Vec<String> {
    match rules {
        Rules::Nsg(group) => group.rules.iter().map(|rule| security_rule(rule).line()).collect(),
        Rules::Firewall(group) => firewall(group),
        Rules::Routes(routes) => routes.iter().map(|entry| route(entry).line()).collect(),
    }
}

fn security_rule(rule: &SecurityRule) -> Command {
    Command::new("az network nsg rule create", "--nsg-name \"${NSG:?}\"")
        .with("--name", [&rule.name])
        .with("--priority", [rule.priority.to_string()])
        .with("--direction", [if rule.inbound { "Inbound" } else { "Outbound" }])
        .with("--access", ["Allow"])
        .with(
            "--protocol",
            [if rule.transport == Transport::Tcp { "Tcp" } else { "Udp" }],
        )
        .with("--source-address-prefixes", [&rule.source])
        .with("--source-port-ranges", ["*"])
        .with("--destination-address-prefixes", &rule.destination)
        .with("--destination-port-ranges", rule.ports.iter().map(u16::to_string))
        .with("--description", [&rule.description])
}

fn route(route: &Route) -> Command {
    Command::new(
        "az network route-table route create",
        "--route-table-name \"${TABLE:?}\"",
    )
    .with("--name", [&route.name])
    .with("--address-prefix", [&route.prefix])
    .with("--next-hop-type", ["Internet"])
}

/// The group, then each collection with its first rule, then the rules behind it. To create a group that exists empties it,
/// so a group that keeps what it holds is only created where there is none.
fn firewall(group: &CollectionGroup) -> Vec<String> {
    if group.collections.is_empty() {
        return Vec::new();
    }
    let create = of_policy("create")
        .with("--name", [group.name])
        .with("--priority", [group.priority.to_string()])
        .line();
    let create = if group.is_added_to {
        let show = of_policy("show")
            .with("--name", [group.name])
            .with("--output", ["none"])
            .line();
        format!("{show} 2>/dev/null || {create}")
    } else {
        create
    };
    let rules = group
        .collections
        .iter()
        .flat_map(|collection| collection.rules.iter().map(move |rule| (collection, rule)));
    let rules = rules.map(|(collection, rule)| firewall_rule(group, collection, rule).line());
    std::iter::once(create).chain(rules).collect()
}

fn firewall_rule(group: &CollectionGroup, collection: &Collection, rule: &FirewallRule) -> Command {
    let is_first = collection.rules.first() == Some(rule);
    let verb = if is_first {
        "collection add-filter-collection"
    } else {
        "collection rule add"
    };
    let command = of_policy(verb).with("--rule-collection-group-name", [group.name]);
    let command = if is_first {
        command
            .with("--name", [&collection.name])
            .with("--collection-priority", [collection.priority.to_string()])
            .with("--action", ["Allow"])
            .with("--rule-name", [rule.name()])
    } else {
        command
            .with("--collection-name", [&collection.name])
            .with("--name", [rule.name()])
    };
    match rule {
        FirewallRule::Network(rule) => {
            let command = command
                .with("--rule-type", ["NetworkRule"])
                .with("--ip-protocols", [rule.transport.as_str().to_uppercase()])
                .with("--source-addresses", [&rule.source]);
            let command = if rule.fqdns.is_empty() {
                command.with("--destination-addresses", &rule.destinations)
            } else {
                command.with("--destination-fqdns", &rule.fqdns)
            };
            command.with("--destination-ports", rule.ports.iter().map(u16::to_string))
        }
        FirewallRule::Application(rule) => command
            .with("--rule-type", ["ApplicationRule"])
            .with("--source-addresses", [&rule.source])
            .with("--protocols", [format!("{}={}", rule.protocol, rule.port)])
            .with("--target-fqdns", &rule.fqdns),
    }
}

/// A command about the rule collection groups of the policy.
fn of_policy(verb: &str) -> Command {
    Command::new(
        &format!("az network firewall policy rule-collection-group {verb}"),
        "--policy-name \"${POLICY:?}\"",
    )
}
