//! What it takes to read and evaluate a network's rules of full size: a public list of service tags (3,000 tags, 4 MB),
//! 500 rules and 60 endpoints.
//!
//! `cargo bench --bench network` makes such documents; `-- FILE` reads a list of service tags from disk in place of the made
//! one. The budget is 150 ms and 60 MB.

use std::{fmt::Write as _, fs};

use nix::sys::resource::{UsageWho, getrusage};

use apim_probe::{
    azure::Cloud,
    catalog::model::Catalog,
    network::{NetworkRules, Standpoint, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    plan::{Plan, Scope, Selection, Values},
};

fn main() {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let tags = file.map_or_else(service_tags, |path| fs::read(path).expect("the list of service tags"));
    let (rules, routes) = (security_rules(), effective_routes());
    let scope = Scope {
        cloud: Cloud::Public,
        region: Some("westeurope".into()),
        vnet: None,
        name_servers: vec!["10.0.0.10:53".parse().expect("an address")],
    };
    let plan = Plan::make(&Catalog::builtin(), &scope, &Values::default(), &Selection::default()).expect("a plan");
    println!(
        "service tags {:.1} MB, rules {:.1} MB, routes {:.1} MB, {ENDPOINTS} endpoints",
        megabytes(tags.len()),
        megabytes(rules.len()),
        megabytes(routes.len()),
    );
    let before = peak();
    let mut times: Vec<(f64, f64)> = (0..20).map(|_| once(&tags, &rules, &routes, &plan)).collect();
    times.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
    let (read, evaluate) = times[times.len() / 2];
    println!(
        "read {read:.1} ms, evaluate {evaluate:.1} ms, together {:.1} ms of processor time (median of 20)",
        read + evaluate
    );
    println!(
        "peak memory {:.1} MB, {:.1} MB of it before the first file was read",
        peak(),
        before
    );
}

/// Endpoints that are evaluated.
const ENDPOINTS: usize = 60;

/// Milliseconds of processor time to read, and to evaluate before any lookup, when whole service tags are decided.
fn once(tags: &[u8], rules: &[u8], routes: &[u8], plan: &Plan) -> (f64, f64) {
    let start = processor();
    let rules = NetworkRules::new(
        Some(SecurityRules::parse(rules).expect("rules")),
        Some(Routes::parse(routes).expect("routes")),
        Some(ServiceTags::parse(tags).expect("service tags")),
    );
    let read = processor();
    let here = ["10.0.1.4".parse().expect("an address")];
    let from = Standpoint {
        region: Some("westeurope"),
        addresses: &here,
    };
    for endpoint in plan.endpoints.iter().take(ENDPOINTS) {
        std::hint::black_box(rules.predict(endpoint, &[], &from));
    }
    (read - start, processor() - read)
}

/// Milliseconds of processor time so far: what other programs do beside it does not count.
#[expect(clippy::cast_precision_loss, reason = "a bench takes seconds, not centuries")]
fn processor() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF)
        .expect("every system counts this")
        .user_time();
    used.tv_sec() as f64 * 1e3 + used.tv_usec() as f64 / 1e3
}

/// Names that rules use, and as many more as fill a public list; prefixes spread over the public space.
fn service_tags() -> Vec<u8> {
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
            None => (format!("Service{}.Region{}", tag / 60, tag % 60), 48),
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
    .into_bytes()
}

/// 500 rules: tags whose addresses are spelled out, tags that are not, prefixes, and the defaults.
fn security_rules() -> Vec<u8> {
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
        .into_bytes()
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

/// A forced tunnel beside a service endpoint with many prefixes.
fn effective_routes() -> Vec<u8> {
    let endpoint: Vec<String> = (0..571)
        .map(|at| format!("\"20.{}.{}.0/{}\"", at % 256, at % 7, 18 + at % 12))
        .collect();
    format!(
        "{{\"value\":[{{\"source\":\"Default\",\"state\":\"Active\",\"addressPrefix\":[\"10.0.0.0/16\"],\"nextHopType\":\"VnetLocal\"}},\
         {{\"source\":\"User\",\"state\":\"Active\",\"addressPrefix\":[\"0.0.0.0/0\"],\"nextHopType\":\"VirtualAppliance\",\"nextHopIpAddress\":[\"10.0.2.4\"]}},\
         {{\"source\":\"Default\",\"state\":\"Active\",\"addressPrefix\":[{}],\"nextHopType\":\"VirtualNetworkServiceEndpoint\"}}]}}",
        endpoint.join(",")
    )
    .into_bytes()
}

/// The largest resident set so far, in megabytes (proc(5), `VmHWM`); nothing where there is no such file.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: f64 = line
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    kilobytes / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files, shown with one digit")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
