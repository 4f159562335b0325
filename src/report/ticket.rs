//! A text for the people who run the network: what is blocked, from where to where, and what to allow.

use std::{fmt::Write as _, net::IpAddr};

use super::{
    headline::{self, time},
    view,
};
use crate::{
    model::{Endpoint, Finding, Need, Protocol, Report, StageOutcome, Standing, Transport, Verdict},
    text::{escape, quote, words, wrap},
};

/// Columns of prose; commands and host names are never broken.
const WIDTH: usize = 76;
/// Where the text behind a label begins.
const INDENT: usize = 16;
/// Hosts that a finding names one by one.
const MOST_HOSTS: usize = 12;
/// Service tags whose services have firewalls of their own.
const OWN_FIREWALL: [&str; 4] = ["Storage", "Sql", "AzureKeyVault", "EventHub"];

/// The blocked traffic as plain text for a ticket. Nothing of it is secret, and nothing asks for more than a finding's fix.
pub fn render(report: &Report) -> String {
    if report.vantage.standing == Some(Standing::NoNetwork) {
        return "Nothing to ask for: the machine that was to test it has no route to anything, so nothing is known of the network.\n"
            .into();
    }
    let (findings, _) = view::split_findings(report);
    let of = |finding: &Finding| -> Vec<&Endpoint> {
        report
            .endpoints
            .iter()
            .filter(|e| view::status(e) == view::Status::Blocked)
            .filter(|e| finding.endpoints.contains(&e.id))
            .collect()
    };
    let told: Vec<(&Finding, Vec<&Endpoint>)> = findings
        .into_iter()
        .map(|finding| (finding, of(finding)))
        // What is only documented is no reason to ask, but belongs to what is asked for: the fix counts it.
        .filter(|(_, blocked)| blocked.iter().any(|e| e.need != Need::Documented))
        .collect();
    let mut out = opening(report, told.is_empty());
    for (number, (finding, blocked)) in (1..).zip(&told) {
        out += &request(report, finding, blocked, number);
    }
    out += &own_firewalls(report);
    out
}

fn opening(report: &Report, all_well: bool) -> String {
    let place_words = match report.vantage.standing {
        Some(Standing::NotAzure) => "a machine outside Azure",
        Some(Standing::AzureVm) | None => "a VM beside the instance",
        _ => "the subnet of the instance",
    };
    let what = if all_well {
        "No outbound dependency of our Azure API Management instance was found blocked."
    } else {
        "Outbound traffic that our Azure API Management instance depends on is blocked."
    };
    let place = [headline::machine(report), report.vantage.region.clone()]
        .into_iter()
        .flatten();
    let place: Vec<String> = place.chain([headline::cloud(report.vantage.cloud)]).collect();
    let mut out = format!("{what}\n\n");
    label(&mut out, "From", &format!("{place_words}: {}", place.join(", ")));
    label(&mut out, "When", &time(report));
    let how = format!(
        "apim-probe {}, each service tested in its own protocol",
        report.agent.version
    );
    label(&mut out, "How", &how);
    out
}

fn request(report: &Report, finding: &Finding, blocked: &[&Endpoint], number: usize) -> String {
    let mut out = format!("\n{number}. {}\n\n", escape(&finding.title));
    for endpoint in blocked.iter().take(MOST_HOSTS) {
        // Never wrapped: a host name is there to be copied.
        let label = if endpoint.id == blocked[0].id { "To" } else { "" };
        let _ = writeln!(
            out,
            "   {label:<width$}{}",
            escape(&destination(endpoint)),
            width = INDENT - 3
        );
    }
    if blocked.len() > MOST_HOSTS {
        label(&mut out, "", &format!("and {} more", blocked.len() - MOST_HOSTS));
    }
    let tags = words::distinct(blocked.iter().filter_map(|e| e.service_tag.as_deref()));
    label(&mut out, "Service tag", &tags.join(", "));
    label(&mut out, "Seen", &words::sentences(&finding.evidence));
    label(&mut out, "Please", &finding.fix.summary);
    let change = finding.fix.changes();
    let change = change.flat_map(|(line, undo)| view::FixCommand { line, undo }.lines());
    let commands = [
        ("In Azure", change.collect()),
        ("Reproduce", vec![reproduction(report, blocked[0])]),
    ];
    for (label, commands) in &commands {
        for (number, command) in commands.iter().enumerate() {
            // Never wrapped: it is there to be copied.
            let label = if number == 0 { label } else { "" };
            let _ = writeln!(out, "   {label:<width$}{}", escape(command), width = INDENT - 3);
        }
    }
    out
}

/// Writes a label and its text, wrapped; nothing where there is no text.
fn label(out: &mut String, label: &str, text: &str) {
    let mut label = label;
    for line in wrap(text, WIDTH - INDENT) {
        let _ = writeln!(out, "   {label:<width$}{line}", width = INDENT - 3);
        label = "";
    }
}

/// `sql.example (20.1.2.3), TCP 1433`.
fn destination(endpoint: &Endpoint) -> String {
    let addresses = match &endpoint.stages.dns {
        Some(dns) if !dns.addresses.is_empty() => format!(" ({})", words::join(&dns.addresses, ", ")),
        _ => String::new(),
    };
    let transport = endpoint.transport.as_str().to_uppercase();
    format!("{}{addresses}, {transport} {}", endpoint.host, endpoint.port)
}

/// A command that shows the same with a tool that every Linux has.
fn reproduction(report: &Report, endpoint: &Endpoint) -> String {
    let Endpoint { host, port, stages, .. } = endpoint;
    let decided = stages.deciding_address();
    let address = decided.map_or_else(|| quote(host), |address| address.to_string());
    // An IPv6 address as it stands before a port.
    let bracketed = match decided {
        Some(IpAddr::V6(address)) => format!("[{address}]"),
        _ => address.clone(),
    };
    let name = quote(host);
    if endpoint.protocol == Protocol::Dns {
        let tcp = if endpoint.transport == Transport::Tcp {
            " -vc"
        } else {
            ""
        };
        let vantage = &report.vantage;
        let asked = vantage.control_name.as_deref().unwrap_or(vantage.cloud.login_host());
        return format!("nslookup{tcp} -port={port} {} {address}", quote(asked));
    }
    if let Some(dns) = stages.dns.as_ref().filter(|dns| dns.outcome != StageOutcome::Ok) {
        let server = dns.server.map(|server| format!(" {}", server.ip())).unwrap_or_default();
        return format!("nslookup {name}{server}");
    }
    match endpoint.protocol {
        Protocol::Https | Protocol::Tls | Protocol::Amqps | Protocol::Redis => {
            format!("openssl s_client -connect {bracketed}:{port} -servername {name} </dev/null")
        }
        Protocol::Http => format!("curl -v --resolve {name}:{port}:{bracketed} http://{name}:{port}/"),
        Protocol::Ntp => format!("ntpdate -q {address}"),
        _ if stages.tcp.iter().any(|t| t.outcome == StageOutcome::Ok) => {
            format!("nc -vz -w 5 {address} {port}    # is accepted, but the service never answers")
        }
        _ => format!("nc -vz -w 5 {address} {port}"),
    }
}

/// What an open network does not promise.
fn own_firewalls(report: &Report) -> String {
    let has_firewall = |e: &&Endpoint| {
        let tag = e.service_tag.as_deref().unwrap_or_default();
        OWN_FIREWALL.contains(&tag.split('.').next().unwrap_or(tag))
    };
    let reached = report
        .endpoints
        .iter()
        .filter(|e| e.verdict == Verdict::Reachable)
        .filter(has_firewall);
    let titles = words::distinct(reached.map(|e| e.title.as_str()));
    if titles.is_empty() {
        return String::new();
    }
    let (verb, own, firewall) = if titles.len() == 1 {
        ("is", "its", "firewall")
    } else {
        ("are", "their", "firewalls")
    };
    let sentence = format!(
        "{} {verb} reachable over the network; {own} own {firewall} may still refuse the instance.",
        words::list(&titles, titles.len())
    );
    format!("\n{}\n", wrap(&sentence, WIDTH).join("\n"))
}
