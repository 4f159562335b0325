//! Rules as Azure CLI commands.

use super::{
    RenderedRules, SecurityRule,
    firewall::{Collection, CollectionGroup, FirewallRule},
    routes::InternetRoute,
};
use crate::{
    azure::resources::KnownResources,
    model::Transport,
    text::{Shell, wrap_command},
};

/// How Azure CLI commands are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style<'a> {
    /// The shell that they are for.
    pub shell: Shell,
    /// The user's own resources, as far as they are known.
    pub known: Option<&'a KnownResources>,
    /// Maximum width of a command's lines, with breaks before its options; `None` writes each command on one line.
    pub width: Option<usize>,
}

/// A change, and the command that undoes it.
pub type CommandWithUndo = (String, Option<String>);

/// One command after the other, each followed by a comment with the command that undoes it. Names that the user must
/// provide are variables, and an unset one stops the shell.
pub(super) fn render(rules: &RenderedRules, style: &Style<'_>) -> String {
    let nothing = KnownResources::default();
    let known = style.known.unwrap_or(&nothing);
    let changes = changes(rules, style.shell)
        .into_iter()
        .map(|(change, undo)| {
            let fill = |command: String| known.fill(&command, style.shell);
            (fill(change), undo.map(fill))
        })
        .collect::<Vec<CommandWithUndo>>();
    let mut lines: Vec<String> = rules.remarks().iter().map(|remark| format!("# {remark}")).collect();
    let open = known.open(changes.iter().map(|(change, _)| change.as_str()));
    if !open.is_empty() {
        let open: Vec<String> = open
            .iter()
            .map(|(word, meaning)| format!("{word} to {meaning}"))
            .collect();
        lines.push(format!("# Set {}.", open.join(", ")));
    }
    if matches!(rules, RenderedRules::Firewall(group) if group.len() > 0) {
        // Its commands are in an extension, and az asks before it installs it: that would stop a script.
        lines.push("# Needs `az extension add --name azure-firewall`, with az 2.75 or later.".into());
    }
    if style.shell == Shell::Powershell && !open.is_empty() {
        lines.push("Set-StrictMode -Version 3.0".into());
    }
    for (change, undo) in &changes {
        match style.width {
            Some(width) => lines.extend(wrap_command(change, 0, 4, width, style.shell)),
            None => lines.push(change.clone()),
        }
        lines.extend(undo.as_ref().map(|undo| format!("# undo: {undo}")));
    }
    lines.join("\n") + "\n"
}

/// A command being built.
struct AzCommand {
    shell: Shell,
    words: Vec<String>,
}

impl AzCommand {
    /// A command about a part of the resource after `flag`, by the word for it.
    fn new(shell: Shell, words: &str, flag: &str, target: &str) -> Self {
        let target = [
            "--resource-group".to_owned(),
            shell.variable("RG"),
            flag.to_owned(),
            shell.variable(target),
        ];
        Self {
            shell,
            words: words.split(' ').map(str::to_owned).chain(target).collect(),
        }
    }

    fn with<S: AsRef<str>>(mut self, flag: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.words.push(flag.to_owned());
        let quoted = values.into_iter().map(|value| self.shell.quote(value.as_ref()));
        self.words.extend(quoted.collect::<Vec<_>>());
        self
    }

    fn line(&self) -> String {
        self.words.join(" ")
    }

    /// The change, with the command that undoes it.
    fn undone_by(&self, undo: &Self) -> CommandWithUndo {
        (self.line(), Some(undo.line()))
    }
}

/// One change for each rule, after the resources that contain them.
pub(super) fn changes(rules: &RenderedRules, shell: Shell) -> Vec<CommandWithUndo> {
    match rules {
        RenderedRules::Nsg(group) => group.rules.iter().map(|rule| security_rule(rule, shell)).collect(),
        RenderedRules::Firewall(group) => firewall(group, shell),
        RenderedRules::Routes(routes) => routes.iter().map(|entry| route(entry, shell)).collect(),
    }
}

fn security_rule(rule: &SecurityRule, shell: Shell) -> CommandWithUndo {
    let of_group = |verb: &str| {
        let words = format!("az network nsg rule {verb}");
        AzCommand::new(shell, &words, "--nsg-name", "NSG").with("--name", [&rule.name])
    };
    of_group("create")
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
        .undone_by(&of_group("delete"))
}

fn route(route: &InternetRoute, shell: Shell) -> CommandWithUndo {
    let of_table = |verb: &str| {
        let words = format!("az network route-table route {verb}");
        AzCommand::new(shell, &words, "--route-table-name", "TABLE").with("--name", [&route.name])
    };
    of_table("create")
        .with("--address-prefix", [&route.prefix])
        .with("--next-hop-type", ["Internet"])
        .undone_by(&of_table("delete"))
}

/// The group, then each collection with its first rule, then the other rules. Creating a group that exists empties it,
/// so a group whose contents stay is only created if it does not exist. An empty group allows nothing, and it may have
/// had contents before: no command undoes its creation.
fn firewall(group: &CollectionGroup, shell: Shell) -> Vec<CommandWithUndo> {
    if group.collections.is_empty() {
        return Vec::new();
    }
    let of_group = |verb: &str| of_policy(shell, verb).with("--name", [group.name]);
    let create = of_group("create").with("--priority", [group.priority.to_string()]);
    let create = if group.is_added_to {
        let (show, create) = (of_group("show").with("--output", ["none"]).line(), create.line());
        let line = match shell {
            Shell::Bash => format!("{show} 2>/dev/null || {create}"),
            // PowerShell has `||` only since version 7.
            Shell::Powershell => format!("{show} 2>$null; if ($LASTEXITCODE) {{ {create} }}"),
        };
        (line, None)
    } else {
        let delete = of_policy(shell, "delete").with("--name", [group.name]).line();
        (create.line(), Some(format!("{delete} --yes")))
    };
    let rules = group
        .collections
        .iter()
        .flat_map(|collection| collection.rules.iter().map(move |rule| (collection, rule)));
    let rules = rules.map(|(collection, rule)| {
        let remove = remove(group, collection, rule, shell);
        firewall_rule(group, collection, rule, shell).undone_by(&remove)
    });
    std::iter::once(create).chain(rules).collect()
}

/// A collection is deleted with its only rule; if it has several, each is deleted alone.
fn remove(group: &CollectionGroup, collection: &Collection, rule: &FirewallRule, shell: Shell) -> AzCommand {
    let of_group = |verb: &str| of_policy(shell, verb).with("--rule-collection-group-name", [group.name]);
    if collection.rules.len() == 1 {
        of_group("collection remove").with("--name", [&collection.name])
    } else {
        of_group("collection rule remove")
            .with("--collection-name", [&collection.name])
            .with("--name", [rule.name()])
    }
}

fn firewall_rule(group: &CollectionGroup, collection: &Collection, rule: &FirewallRule, shell: Shell) -> AzCommand {
    let is_first = collection.rules.first() == Some(rule);
    let verb = if is_first {
        "collection add-filter-collection"
    } else {
        "collection rule add"
    };
    let command = of_policy(shell, verb).with("--rule-collection-group-name", [group.name]);
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
fn of_policy(shell: Shell, verb: &str) -> AzCommand {
    let words = format!("az network firewall policy rule-collection-group {verb}");
    AzCommand::new(shell, &words, "--policy-name", "POLICY")
}
