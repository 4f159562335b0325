//! Rules as lines for the Azure CLI in a shell.

use super::{
    Rules,
    firewall::{APPLICATION, CollectionGroup, NETWORK},
};
use crate::{model::Transport, text::quote};

/// One command a line. What the user must name stands in variables, and an unset one stops the shell.
pub fn render(rules: &Rules) -> String {
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
    lines.extend(commands(rules).iter().map(Command::line));
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

fn commands(rules: &Rules) -> Vec<Command> {
    match rules {
        Rules::Nsg(group) => group
            .rules
            .iter()
            .map(|rule| {
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
            })
            .collect(),
        Rules::Firewall(group) => firewall(group),
        Rules::Routes(routes) => routes
            .iter()
            .map(|route| {
                Command::new(
                    "az network route-table route create",
                    "--route-table-name \"${TABLE:?}\"",
                )
                .with("--name", [&route.name])
                .with("--address-prefix", [&route.prefix])
                .with("--next-hop-type", ["Internet"])
            })
            .collect(),
    }
}

/// The group, then each collection with its first rule, then the rules behind it.
fn firewall(group: &CollectionGroup) -> Vec<Command> {
    const GROUP: &str = "az network firewall policy rule-collection-group";
    const POLICY: &str = "--policy-name \"${POLICY:?}\"";
    let network = group.network.iter().map(|rule| {
        let parts = |command: Command| {
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
        };
        (&rule.name, Box::new(parts) as Box<dyn Fn(Command) -> Command>)
    });
    let application = group.application.iter().map(|rule| {
        let parts = |command: Command| {
            command
                .with("--rule-type", ["ApplicationRule"])
                .with("--source-addresses", [&rule.source])
                .with("--protocols", [format!("{}={}", rule.protocol, rule.port)])
                .with("--target-fqdns", &rule.fqdns)
        };
        (&rule.name, Box::new(parts) as Box<dyn Fn(Command) -> Command>)
    });
    let mut commands = Vec::new();
    let collections = [
        (NETWORK, network.collect::<Vec<_>>()),
        (APPLICATION, application.collect()),
    ];
    for ((collection, priority), rules) in collections {
        for (at, (name, parts)) in rules.into_iter().enumerate() {
            let command = if at == 0 {
                Command::new(&format!("{GROUP} collection add-filter-collection"), POLICY)
                    .with("--rule-collection-group-name", [group.name])
                    .with("--name", [collection])
                    .with("--collection-priority", [priority.to_string()])
                    .with("--action", ["Allow"])
                    .with("--rule-name", [name])
            } else {
                Command::new(&format!("{GROUP} collection rule add"), POLICY)
                    .with("--rule-collection-group-name", [group.name])
                    .with("--collection-name", [collection])
                    .with("--name", [name])
            };
            commands.push(parts(command));
        }
    }
    if !commands.is_empty() {
        let create = Command::new(&format!("{GROUP} create"), POLICY)
            .with("--name", [group.name])
            .with("--priority", [group.priority.to_string()]);
        commands.insert(0, create);
    }
    commands
}
