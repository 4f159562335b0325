//! `--redact`: no host, address or id of the user's in any output.

mod names;
mod service;

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{AgentTest, catalog_of, ids, json, list, text};

/// The user's own words, none of which may remain.
const OWN: [&str; 6] = ["contoso", "tailwind", "orders", "nsg-apim", "rg-net", "0f5a1b2c"];
/// The platform's addresses are the same everywhere.
const PLATFORM: [&str; 2] = ["168.63.129.16", "192.0.2.1"];
const FORMATS: [&str; 12] = [
    "text",
    "json",
    "jsonl",
    "html",
    "markdown",
    "csv",
    "junit",
    "openmetrics",
    "nagios",
    "ticket",
    "brief",
    "github",
];

fn catalog() -> String {
    catalog_of(
        [
            "host: contosostore.blob.core.windows.net, port: 443, protocol: https",
            "host: contosodb.database.windows.net, port: 1433, protocol: tds",
            "host: orders.corp.tailwind.internal, port: 80, protocol: http",
            "host: gone.tailwind.internal, port: 443, protocol: https",
            "host: cut.contoso.com, port: 443, protocol: https",
            "host: contoso-apim.azure-api.net, port: 443, protocol: https",
            "host: time.contoso.com, port: 123, protocol: ntp",
            "host: login.microsoftonline.com, port: 443, protocol: https",
            "address: 10.44.0.9, port: 5000, protocol: tcp",
        ]
        .map(str::to_owned),
    )
}

const NETWORK: &str = "
name_servers: [ { address: 10.77.0.10 } ]
names:
  gone.tailwind.internal: { rcode: 3, soa_zone: tailwind.internal }
  contosostore.blob.core.windows.net: { cnames: [contosostore.privatelink.blob.core.windows.net], addresses: [10.44.0.7] }
firewalls:
  - { ports: [80], default_action: { deny: azure-firewall } }
  - { ports: [443], rules: [ { fqdns: [cut.contoso.com], action: { end: reset } } ], default_action: forward }
faults: [ { to: '*:1433', action: drop }, { to: '*:123/udp', action: drop }, { to: '10.44.0.9:5000', action: prohibited } ]";

/// The rules of an NSG, as the Azure CLI prints them.
const RULES: &str = r#"{ "value": [ {
  "networkSecurityGroup": { "id": "/subscriptions/0f5a1b2c-1111-2222-3333-444455556666/resourceGroups/rg-net/providers/Microsoft.Network/networkSecurityGroups/nsg-apim" },
  "association": { "subnet": { "id": "/subscriptions/0f5a1b2c-1111-2222-3333-444455556666/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/contoso-hub/subnets/orders" } },
  "effectiveSecurityRules": [ {
    "name": "securityRules/tailwind-deny", "protocol": "Tcp", "sourcePortRange": "0-65535", "destinationPortRange": "1433-1433",
    "sourceAddressPrefix": "0.0.0.0/0", "destinationAddressPrefix": "0.0.0.0/0", "access": "Deny", "priority": 400, "direction": "Outbound"
  } ] } ] }"#;

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "redact/every-format-hides-hosts-and-addresses",
        catalog: Some(catalog),
        network: || NETWORK.to_owned(),
        check: |vm| {
            let rules = vm.lab.write("nsg.json", RULES)?.display().to_string();
            let plain = json(&vm.output("run", &flags(&rules, &["--format", "json"]))?)?;
            let own = own(&plain);
            ensure!(own.len() > OWN.len() + 8, "too few words to look for: {own:?}");
            // Every word that is searched for appears in the output without --redact.
            for word in &own {
                ensure!(plain.to_string().to_lowercase().contains(word), "{word} is nowhere");
            }
            let files: Vec<String> = FORMATS
                .iter()
                .map(|format| {
                    let path = vm.lab.folder().join(format!("{format}.out"));
                    format!("{format}:{}", path.display())
                })
                .collect();
            let mut all = vec!["--redact", "--format", "json"];
            for file in &files {
                all.extend(["-o", file.as_str()]);
            }
            let output = vm.output("run", &flags(&rules, &all))?;
            let redacted = json(&output)?;
            ensure!(
                plain["redacted"] == false && redacted["redacted"] == true,
                "{redacted:#}"
            );
            clean("stdout", &text(&output.stdout), &own)?;
            clean("stderr", &text(&output.stderr), &own)?;
            for format in FORMATS {
                let path = vm.lab.folder().join(format!("{format}.out"));
                let written = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                ensure!(!written.is_empty(), "{format} is empty");
                clean(format, &written, &own)?;
            }
            for detail in [&["-v"][..], &["-vv"]] {
                let text_of = vm.output("run", &flags(&rules, &[&["--redact"], detail].concat()))?;
                clean("text", &text(&text_of.stdout), &own)?;
            }
            // Rules for names that replace others would have no effect.
            for (report, is_said) in [(&redacted, true), (&plain, false)] {
                let report = vm.lab.write("report.json", &report.to_string())?.display().to_string();
                let rules = vm.output("rules", &["--kind", "firewall", "--report", &report])?;
                let message = text(&rules.stderr);
                ensure!(rules.status.success(), "{message}");
                ensure!(message.contains("use the original report") == is_said, "{message}");
            }
            still_reads(&redacted)
        },
    },
    names::TEST,
    service::TEST,
    AgentTest {
        name: "redact/watch-hides-hosts-and-addresses",
        catalog: Some(catalog),
        network: || NETWORK.to_owned(),
        check: |vm| {
            let plain = json(&vm.output("run", &["--format", "json", "--timeout", "500ms"])?)?;
            let flags = [
                "--redact",
                "--timeout",
                "500ms",
                "--interval",
                "1s",
                "--for",
                "1s",
                "--format",
                "text",
            ];
            let output = vm.output("watch", &flags)?;
            ensure!(output.status.code() == Some(0), "{}", text(&output.stderr));
            clean("watch", &text(&output.stdout), &own(&plain))
        },
    },
];

fn flags<'a>(rules: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let common = ["--timeout", "1s", "--effective-nsg", rules, "--region", "westeurope"];
    [&common, more].concat()
}

/// Everything that must not remain: the user's words, this machine's name, every observed address.
fn own(report: &Value) -> BTreeSet<String> {
    let mut own: BTreeSet<String> = OWN.map(str::to_owned).into();
    let vantage = &report["vantage"];
    let addresses = list(vantage, "addresses").iter().chain(list(vantage, "resolvers"));
    let mut met: Vec<&str> = addresses.filter_map(Value::as_str).collect();
    for endpoint in list(report, "endpoints") {
        let stages = &endpoint["stages"];
        met.extend(list(&stages["dns"], "addresses").iter().filter_map(Value::as_str));
        for connection in list(stages, "tcp") {
            met.extend(["address", "source"].iter().filter_map(|key| connection[key].as_str()));
        }
    }
    let bare = met
        .into_iter()
        .map(|address| address.split(':').next().unwrap_or(address).to_owned());
    own.extend(bare.filter(|address| !PLATFORM.contains(&address.as_str())));
    own
}

/// Whether a text contains none of it; an address is searched as a whole.
fn clean(what: &str, text: &str, own: &BTreeSet<String>) -> Result<()> {
    let lower = text.to_lowercase();
    for word in own {
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let found = lower.match_indices(word.as_str()).find(|(at, _)| {
            let is_address = word.starts_with(|c: char| c.is_ascii_digit());
            let before = lower[..*at].chars().next_back();
            let behind = lower[at + word.len()..].chars().next();
            !is_address || !(is_digit(before) || is_digit(behind))
        });
        if let Some((at, _)) = found {
            let start = lower[..at].rfind('\n').map_or(0, |at| at + 1);
            let line: String = lower[start..]
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(400)
                .collect();
            anyhow::bail!("{what} holds {word}: {line}");
        }
    }
    Ok(())
}

/// Every host has the same replacement everywhere; public names stay.
fn still_reads(redacted: &Value) -> Result<()> {
    let known = ids(redacted);
    ensure!(
        known.iter().collect::<BTreeSet<_>>().len() == known.len(),
        "two hosts have the same replacement: {known:?}"
    );
    for finding in list(redacted, "findings") {
        for id in list(finding, "endpoints") {
            ensure!(
                known.iter().any(|known| id == known),
                "{id} is no endpoint of {known:?}"
            );
        }
    }
    ensure!(
        known.iter().any(|id| id.ends_with("/login.microsoftonline.com:443")),
        "a public name was redacted: {known:?}"
    );
    ensure!(
        known
            .iter()
            .any(|id| id.ends_with("storage-account-1.blob.core.windows.net:443")),
        "no replacement shows what kind of host it is: {known:?}"
    );
    Ok(())
}
