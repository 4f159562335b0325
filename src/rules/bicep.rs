//! Rules as a Bicep module for existing resources.

use std::fmt::Write as _;

use super::{
    RenderedRules,
    literal::{Literal, resources},
};

/// The API version of the resources. Newer ones change nothing about rules and routes, but subnets created with those
/// after 2026-03-31 have no outbound access by default.
const VERSION: &str = "2024-05-01";

/// A module with one parameter: the name of the resource that gets the rules.
pub(super) fn render(rules: &RenderedRules) -> String {
    let mut out = String::new();
    for remark in rules.remarks() {
        let _ = writeln!(out, "// {remark}");
    }
    let resources = resources(rules);
    if resources.is_empty() {
        return out;
    }
    match rules {
        RenderedRules::Nsg(_) => {
            parent(&mut out, "networkSecurityGroup", "networkSecurityGroups");
            children(
                &mut out,
                "networkSecurityGroup",
                "networkSecurityGroups/securityRules",
                &resources,
            );
        }
        RenderedRules::Routes(_) => {
            parent(&mut out, "routeTable", "routeTables");
            children(&mut out, "routeTable", "routeTables/routes", &resources);
        }
        RenderedRules::Firewall(_) => {
            parent(&mut out, "firewallPolicy", "firewallPolicies");
            for resource in resources {
                let Literal::Object(fields) = resource else { continue };
                let _ = write!(
                    out,
                    "\nresource apimDependencies 'Microsoft.Network/firewallPolicies/ruleCollectionGroups@{VERSION}' = {{\n  parent: firewallPolicy\n"
                );
                for (key, value) in &fields {
                    let _ = writeln!(out, "  {key}: {}", literal(value, 1));
                }
                out.push_str("}\n");
            }
        }
    }
    out
}

/// The existing resource, given by a parameter.
fn parent(out: &mut String, symbol: &str, kind: &str) {
    let _ = write!(
        out,
        "\nparam {symbol}Name string\n\nresource {symbol} 'Microsoft.Network/{kind}@{VERSION}' existing = {{\n  name: {symbol}Name\n}}\n"
    );
}

/// Its new children, from a list.
fn children(out: &mut String, parent: &str, kind: &str, resources: &[Literal]) {
    let list = literal(&Literal::List(resources.to_vec()), 0);
    let _ = write!(
        out,
        "\nvar entries = {list}\n\n// One by one: the parent allows one change at a time.\n@batchSize(1)\nresource created 'Microsoft.Network/{kind}@{VERSION}' = [for entry in entries: {{\n  parent: {parent}\n  name: entry.name\n  properties: entry.properties\n}}]\n"
    );
}

fn literal(value: &Literal, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Literal::Text(text) => quoted(text),
        Literal::Number(number) => number.to_string(),
        Literal::List(items) if items.is_empty() => "[]".into(),
        Literal::List(items) => {
            let items: String = items
                .iter()
                .map(|item| format!("{inner}{}\n", literal(item, depth + 1)))
                .collect::<Vec<_>>()
                .concat();
            format!("[\n{items}{outer}]")
        }
        Literal::Object(fields) => {
            let line = |(key, value): &(&str, Literal)| format!("{inner}{key}: {}\n", literal(value, depth + 1));
            format!("{{\n{}{outer}}}", fields.iter().map(line).collect::<Vec<_>>().concat())
        }
    }
}

/// A string of Bicep, in which `${` would begin an expression.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace("${", "\\${");
    format!(
        "'{}'",
        escaped.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t")
    )
}
