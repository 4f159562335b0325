//! Rules as resources of Terraform's azurerm provider.

use std::fmt::Write as _;

use super::{
    RenderedRules, SecurityRule,
    firewall::{Collection, CollectionGroup, FirewallRule},
    routes::InternetRoute,
};
use crate::model::Transport;

/// Variables for what exists, then one resource per rule, or one for a whole firewall.
pub(super) fn render(rules: &RenderedRules) -> String {
    let mut out = String::new();
    for remark in rules.remarks() {
        let _ = writeln!(out, "# {remark}");
    }
    if rules.is_empty() {
        return out;
    }
    match rules {
        RenderedRules::Nsg(group) => {
            variables(&mut out, &["resource_group_name", "network_security_group_name"]);
            for rule in &group.rules {
                security_rule(&mut out, rule);
            }
        }
        RenderedRules::Firewall(group) => {
            variables(&mut out, &["firewall_policy_id"]);
            collection_group(&mut out, group);
        }
        RenderedRules::Routes(routes) => {
            variables(&mut out, &["resource_group_name", "route_table_name"]);
            for entry in routes {
                route(&mut out, entry);
            }
        }
    }
    out
}

fn variables(out: &mut String, names: &[&str]) {
    for name in names {
        let _ = write!(out, "\nvariable \"{name}\" {{\n  type = string\n}}\n");
    }
}

fn security_rule(out: &mut String, rule: &SecurityRule) {
    let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
    let mut attributes = vec![
        ("name", quoted(&rule.name)),
        ("description", quoted(&rule.description)),
        ("priority", rule.priority.to_string()),
        ("direction", quoted(if rule.inbound { "Inbound" } else { "Outbound" })),
        ("access", quoted("Allow")),
        (
            "protocol",
            quoted(if rule.transport == Transport::Tcp { "Tcp" } else { "Udp" }),
        ),
        ("source_address_prefix", quoted(&rule.source)),
        ("source_port_range", quoted("*")),
    ];
    attributes.push(match &rule.destination[..] {
        [only] => ("destination_address_prefix", quoted(only)),
        many => ("destination_address_prefixes", list(many)),
    });
    attributes.push(("destination_port_ranges", list(&ports)));
    attributes.push(("resource_group_name", "var.resource_group_name".into()));
    attributes.push(("network_security_group_name", "var.network_security_group_name".into()));
    resource(out, "azurerm_network_security_rule", &rule.name, &attributes);
}

fn route(out: &mut String, route: &InternetRoute) {
    let attributes = [
        ("name", quoted(&route.name)),
        ("address_prefix", quoted(&route.prefix)),
        ("next_hop_type", quoted("Internet")),
        ("resource_group_name", "var.resource_group_name".into()),
        ("route_table_name", "var.route_table_name".into()),
    ];
    resource(out, "azurerm_route", &route.name, &attributes);
}

fn collection_group(out: &mut String, group: &CollectionGroup) {
    let _ = writeln!(
        out,
        "\nresource \"azurerm_firewall_policy_rule_collection_group\" \"{}\" {{",
        identifier(group.name)
    );
    let attributes = [
        ("name", quoted(group.name)),
        ("priority", group.priority.to_string()),
        ("firewall_policy_id", "var.firewall_policy_id".into()),
    ];
    write_attributes(out, 1, &attributes);
    for entry in &group.collections {
        collection(out, entry);
    }
    out.push_str("}\n");
}

fn collection(out: &mut String, collection: &Collection) {
    let block = match collection.rules.first() {
        Some(FirewallRule::Application(_)) => "application_rule_collection",
        _ => "network_rule_collection",
    };
    let _ = writeln!(out, "\n  {block} {{");
    let attributes = [
        ("name", quoted(&collection.name)),
        ("priority", collection.priority.to_string()),
        ("action", quoted("Allow")),
    ];
    write_attributes(out, 2, &attributes);
    for rule in &collection.rules {
        out.push_str("\n    rule {\n");
        firewall_rule(out, rule);
        out.push_str("    }\n");
    }
    out.push_str("  }\n");
}

fn firewall_rule(out: &mut String, rule: &FirewallRule) {
    match rule {
        FirewallRule::Network(rule) => {
            let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
            let destination = if rule.fqdns.is_empty() {
                ("destination_addresses", list(&rule.destinations))
            } else {
                ("destination_fqdns", list(&rule.fqdns))
            };
            let attributes = [
                ("name", quoted(&rule.name)),
                ("protocols", list(&[rule.transport.as_str().to_uppercase()])),
                ("source_addresses", list(std::slice::from_ref(&rule.source))),
                destination,
                ("destination_ports", list(&ports)),
            ];
            write_attributes(out, 3, &attributes);
        }
        FirewallRule::Application(rule) => {
            let attributes = [
                ("name", quoted(&rule.name)),
                ("source_addresses", list(std::slice::from_ref(&rule.source))),
                ("destination_fqdns", list(&rule.fqdns)),
            ];
            write_attributes(out, 3, &attributes);
            out.push_str("\n      protocols {\n");
            let protocol = [("type", quoted(rule.protocol)), ("port", rule.port.to_string())];
            write_attributes(out, 4, &protocol);
            out.push_str("      }\n");
        }
    }
}

fn resource(out: &mut String, kind: &str, name: &str, attributes: &[(&str, String)]) {
    let _ = writeln!(out, "\nresource \"{kind}\" \"{}\" {{", identifier(name));
    write_attributes(out, 1, attributes);
    out.push_str("}\n");
}

/// The attributes of a block, with their equals signs aligned as by `terraform fmt`.
fn write_attributes(out: &mut String, depth: usize, attributes: &[(&str, String)]) {
    let width = attributes.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in attributes {
        let _ = writeln!(out, "{}{name:<width$} = {value}", "  ".repeat(depth));
    }
}

fn identifier(name: &str) -> String {
    name.replace(['-', '.'], "_")
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

/// A string of HCL, in which `${` and `%{` would begin a template.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace("${", "$${")
        .replace("%{", "%%{");
    format!(
        "\"{}\"",
        escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
    )
}
