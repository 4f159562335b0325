//! The cost of reading and evaluating a network's rules at full size: a public list of service tags (3,000 tags, 70,000
//! prefixes), 500 rules, and routes, for 100 endpoints.

use std::{env, fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use apim_probe_lab::{ResourceUsage, whole_catalog};

use crate::{
    row::Row,
    runs::{largest, median},
};

/// Maximum processor time, in milliseconds.
const MAX_CPU: f64 = 100.0;
/// Maximum peak memory, in megabytes.
const MAX_MEMORY: f64 = 20.0;
const TURNS: usize = 15;

/// Lists the rules' predictions for each endpoint, including start and end of the program; returns whether it was
/// within budget.
pub(crate) fn all(agent: &Path) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).map(|()| path)
    };
    let mut list = Command::new(agent);
    list.args([
        "list",
        "--no-metadata",
        "--region",
        "westeurope",
        "--no-builtin",
        "--format",
        "json",
    ]);
    list.arg("--probes").arg(file("probes.yaml", catalog())?);
    list.arg("--service-tags").arg(file("tags.json", service_tags())?);
    list.arg("--effective-nsg").arg(file("nsg.json", security_rules())?);
    list.arg("--effective-routes")
        .arg(file("routes.json", effective_routes())?);
    let mut costs = Vec::new();
    for _ in 0..TURNS {
        let cost = ResourceUsage::of(Command::new(env::current_exe()?), &list)?;
        ensure!(cost.status == Some(0), "{list:?} ended with {:?}", cost.status);
        costs.push(cost);
    }
    let cpu = median(costs.iter().map(|cost| cost.cpu_ms).collect());
    let peak = largest(costs.iter().map(|cost| cost.peak_mb));
    let time = Row::new("rules of full size, 100 endpoints, processor time", cpu, "ms").at_most(MAX_CPU);
    Ok(time.print() & Row::new("  its peak memory", peak, "MB").at_most(MAX_MEMORY).print())
}

fn catalog() -> String {
    let line = |number| format!("- {{ host: h{number:04}.bench.example, port: 443, protocol: https }}\n");
    whole_catalog(&(0..100).map(line).collect::<String>())
}

/// Tags that rules use, and as many more as in a public list; prefixes spread over the public address space.
fn service_tags() -> String {
    let named = [
        "Storage",
        "Sql",
        "AzureKeyVault",
        "EventHub",
        "AzureMonitor",
        "AzureActiveDirectory",
        "AzureConnectors",
    ];
    let mut values = Vec::new();
    let mut next = 0_u32;
    for tag in 0..3_000 {
        let (name, count) = match named.get(tag) {
            Some(name) => ((*name).to_owned(), 2_400),
            None if tag == named.len() => ("AzureCloud".to_owned(), 12_400),
            None => (format!("Service{}.Region{}", tag / 60, tag % 60), 14),
        };
        let prefixes: Vec<String> = (0..count)
            .map(|_| {
                next = next.wrapping_add(0x9E37_79B9);
                let [_, b, c, d] = next.to_be_bytes();
                format!("\"{}.{b}.{c}.{}/28\"", 13 + next % 90, d & 0xf0)
            })
            .collect();
        values.push(format!(
            "{{\"name\":\"{name}\",\"id\":\"{name}\",\"properties\":{{\"changeNumber\":1,\"region\":\"\",\"platform\":\"Azure\",\"addressPrefixes\":[\n{}]}}}}",
            prefixes.join(",\n")
        ));
    }
    format!(
        "{{\"changeNumber\":1,\"cloud\":\"Public\",\"values\":[{}]}}",
        values.join(",\n")
    )
}

/// 500 rules: tags with and without their addresses, prefixes, and the defaults.
fn security_rules() -> String {
    let mut rules = String::new();
    let tags = [
        "Storage",
        "Sql",
        "AzureKeyVault",
        "EventHub",
        "AzureMonitor",
        "AzureCloud",
    ];
    for number in 0..496_usize {
        let (destination, expanded) = match number % 4 {
            0 => (tags[number % tags.len()].to_owned(), "null".to_owned()),
            1 => {
                let list: Vec<String> = (0..200)
                    .map(|at| format!("\"20.{at}.{}.0/24\"", number % 256))
                    .collect();
                (format!("Service{number}"), format!("[{}]", list.join(",")))
            }
            2 => (format!("52.{}.0.0/16", number % 256), "[]".to_owned()),
            _ => ("VirtualNetwork".to_owned(), "null".to_owned()),
        };
        let ports = if number % 3 == 0 { "443-443" } else { "0-65535" };
        let access = if number % 5 == 0 { "Deny" } else { "Allow" };
        let _ = write!(
            rules,
            "{},",
            rule(
                &format!("Rule{number}"),
                100 + number,
                "Outbound",
                access,
                &destination,
                &expanded,
                ports
            )
        );
    }
    for (at, direction) in ["Outbound", "Inbound"].into_iter().enumerate() {
        let comma = if at == 0 { "," } else { "" };
        let _ = write!(
            rules,
            "{},",
            rule(
                "AllowVnet",
                65_000,
                direction,
                "Allow",
                "VirtualNetwork",
                "[\"10.0.0.0/16\"]",
                "0-65535"
            )
        );
        let _ = write!(
            rules,
            "{}{comma}",
            rule("DenyAll", 65_500, direction, "Deny", "0.0.0.0/0", "null", "0-65535")
        );
    }
    format!("{{\"value\":[{{\"association\":{{\"subnet\":{{\"id\":\"s\"}}}},\"effectiveSecurityRules\":[{rules}]}}]}}")
}

fn rule(
    name: &str,
    priority: usize,
    direction: &str,
    access: &str,
    destination: &str,
    expanded: &str,
    ports: &str,
) -> String {
    format!(
        "{{\"name\":\"securityRules/{name}\",\"protocol\":\"All\",\"sourcePortRange\":\"0-65535\",\"destinationPortRange\":\"{ports}\",\"sourceAddressPrefix\":\"0.0.0.0/0\",\"destinationAddressPrefix\":\"{destination}\",\"expandedDestinationAddressPrefix\":{expanded},\"access\":\"{access}\",\"priority\":{priority},\"direction\":\"{direction}\"}}"
    )
}

/// Forced tunnelling together with a service endpoint with many prefixes.
fn effective_routes() -> String {
    let endpoint: Vec<String> = (0..571)
        .map(|at| format!("\"20.{}.{}.0/{}\"", at % 256, at % 7, 18 + at % 12))
        .collect();
    format!(
        "{{\"value\":[{{\"source\":\"Default\",\"state\":\"Active\",\"addressPrefix\":[\"10.0.0.0/16\"],\"nextHopType\":\"VnetLocal\"}},\
         {{\"source\":\"User\",\"state\":\"Active\",\"addressPrefix\":[\"0.0.0.0/0\"],\"nextHopType\":\"VirtualAppliance\",\"nextHopIpAddress\":[\"10.0.2.4\"]}},\
         {{\"source\":\"Default\",\"state\":\"Active\",\"addressPrefix\":[{}],\"nextHopType\":\"VirtualNetworkServiceEndpoint\"}}]}}",
        endpoint.join(",")
    )
}
