//! A text for network teams: a block for each team that may have to act, each of which can be forwarded alone.

use std::fmt::Write as _;

use super::{
    handover,
    headline::{self, time},
    view,
};
use crate::{
    model::{EndpointReport, Finding, Handover, Need, Owner, Report, Request, Standing, Verdict},
    text::{escape, words, wrap},
};

/// Maximum width of prose; commands, queries and host names are never broken.
const WIDTH: usize = 76;
/// Column of the text after a label.
const INDENT: usize = 16;
/// Maximum number of hosts that a finding lists.
const MAX_HOSTS: usize = 12;
/// Maximum number of connections that a finding lists.
const MAX_FLOWS: usize = 12;
/// Service tags whose services have firewalls of their own.
const OWN_FIREWALL: [&str; 4] = ["Storage", "Sql", "AzureKeyVault", "EventHub"];

/// A finding that requests something, under the same number in every block.
struct NumberedFinding<'a> {
    number: usize,
    finding: &'a Finding,
    blocked: Vec<&'a EndpointReport>,
}

/// The blocked traffic as plain text for a ticket. Nothing in it is secret, and nothing requests more than a finding's
/// fix.
pub fn render(report: &Report) -> String {
    if report.vantage.standing == Some(Standing::NoNetwork) {
        return "Nothing to request: the machine that ran the test has no route to anything, so nothing is known about the network.\n"
            .into();
    }
    let numbered = numbered_findings(report);
    let mut out = opening(report, numbered.is_empty());
    for owner in owners(&numbered) {
        out += &heading(&format!("For the team that runs {}", whose(owner)));
        for numbered in &numbered {
            if let Some((handover, request)) = asked(numbered.finding, owner) {
                out += &numbered.opening();
                out += &request_of(numbered.finding, handover, request);
            }
        }
    }
    let others: Vec<&NumberedFinding<'_>> = numbered
        .iter()
        .filter(|numbered| numbered.finding.handover.is_none())
        .collect();
    if !others.is_empty() {
        out += &heading("For ourselves: no other team can fix this");
        for numbered in others {
            out += &numbered.opening();
            label(&mut out, "Need", &words::join(view::weight(numbered.finding), ", "));
            label(&mut out, "Impact", &numbered.finding.impact);
            label(&mut out, "Seen", &words::sentences(&numbered.finding.evidence));
            label(&mut out, "Fix", &numbered.finding.fix.summary);
        }
    }
    out += &own_firewalls(report);
    out
}

/// What requests something: findings with blocked endpoints, or with connections that fail while others work.
fn numbered_findings(report: &Report) -> Vec<NumberedFinding<'_>> {
    let (findings, _) = view::split_findings(report);
    let of = |finding: &Finding| -> Vec<&EndpointReport> {
        let endpoints = report.endpoints.iter();
        endpoints
            .filter(|e| view::status(e) == view::GroupStatus::Blocked || finding.handover.is_some())
            .filter(|e| finding.endpoints.contains(&e.id))
            .collect()
    };
    let numbered = findings.into_iter().map(|finding| (finding, of(finding)));
    // An endpoint that is only documented is no reason to ask, but belongs to the request: the fix includes it.
    let numbered = numbered.filter(|(_, blocked)| blocked.iter().any(|e| e.need != Need::Documented));
    let number = |(number, (finding, blocked))| NumberedFinding {
        number,
        finding,
        blocked,
    };
    (1..).zip(numbered).map(number).collect()
}

/// The teams that are asked, the one with the most important finding first.
fn owners(numbered: &[NumberedFinding<'_>]) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    for request in numbered
        .iter()
        .filter_map(|numbered| numbered.finding.handover.as_ref())
        .flat_map(|h| &h.owners)
    {
        if !owners.contains(&request.owner) {
            owners.push(request.owner);
        }
    }
    owners
}

fn asked(finding: &Finding, owner: Owner) -> Option<(&Handover, &Request)> {
    let handover = finding.handover.as_ref()?;
    let request = handover.owners.iter().find(|request| request.owner == owner)?;
    Some((handover, request))
}

fn whose(owner: Owner) -> &'static str {
    match owner {
        Owner::Firewall => "the firewall",
        Owner::NsgAndRoutes => "NSGs and routes",
        Owner::Dns => "name servers and private DNS zones",
    }
}

fn heading(text: &str) -> String {
    format!("\n{text}\n{}\n", "=".repeat(text.len()))
}

fn opening(report: &Report, all_well: bool) -> String {
    let elsewhere = report.vantage.instance_subnet.as_deref();
    let place_words = match (report.vantage.standing, elsewhere) {
        (Some(Standing::NotAzure), _) => "a machine outside Azure: ".to_owned(),
        (_, Some(subnet)) => {
            let subnet = escape(subnet.rsplit('/').next().unwrap_or(subnet));
            format!("another subnet than the instance's ({subnet}): ")
        }
        (Some(Standing::InSubnet), None) => "the subnet of the instance: ".to_owned(),
        (Some(Standing::AzureVm), None) => "an Azure VM: ".to_owned(),
        (None, None) if report.vantage.is_place_unknown() => "a machine that may be outside Azure: ".to_owned(),
        (Some(Standing::NoNetwork) | None, None) => String::new(),
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
    label(&mut out, "From", &format!("{place_words}{}", place.join(", ")));
    label(&mut out, "When", &time(report));
    let how = format!(
        "apim-probe {}, each service tested in its own protocol",
        report.agent.version
    );
    label(&mut out, "How", &how);
    out
}

impl NumberedFinding<'_> {
    /// The title, and the hosts that it is about.
    fn opening(&self) -> String {
        let mut out = format!("\n{}. {}\n\n", self.number, escape(&self.finding.title));
        for (at, endpoint) in self.blocked.iter().take(MAX_HOSTS).enumerate() {
            unwrapped(&mut out, if at == 0 { "To" } else { "" }, &destination(endpoint));
        }
        if self.blocked.len() > MAX_HOSTS {
            label(&mut out, "", &format!("and {} more", self.blocked.len() - MAX_HOSTS));
        }
        let tags = words::distinct(self.blocked.iter().filter_map(|e| e.service_tag.as_deref()));
        label(&mut out, "Service tag", &tags.join(", "));
        out
    }
}

/// What one team is asked to do, and what they need to look it up.
fn request_of(finding: &Finding, handover: &Handover, request: &Request) -> String {
    let mut out = String::new();
    label(&mut out, "Need", &words::join(view::weight(finding), ", "));
    label(&mut out, "Impact", &request.impact);
    label(&mut out, "Seen", &words::sentences(&finding.evidence));
    label(&mut out, "When", &handover::window(handover));
    for (at, flow) in handover.flows.iter().take(MAX_FLOWS).enumerate() {
        unwrapped(&mut out, if at == 0 { "Flows" } else { "" }, &handover::flow(flow));
    }
    let more = handover.flows.len().saturating_sub(MAX_FLOWS) + handover.more;
    if more > 0 {
        label(
            &mut out,
            "",
            &format!("and {more} more; the JSON report lists up to 50"),
        );
    }
    for (at, item) in request.allow.iter().enumerate() {
        label(&mut out, if at == 0 { "Request" } else { "" }, item);
    }
    let change = request.changes();
    let change = change.flat_map(|(line, undo)| view::FixCommand { line, undo }.lines());
    for (at, command) in change.enumerate() {
        unwrapped(&mut out, if at == 0 { "In Azure" } else { "" }, &command);
    }
    for placeholder in &request.placeholders {
        label(&mut out, "", &format!("{}: {}", placeholder.name, placeholder.meaning));
    }
    for (at, command) in request.reproduce.iter().enumerate() {
        unwrapped(&mut out, if at == 0 { "Reproduce" } else { "" }, command);
    }
    for query in handover::queries(handover, request.owner) {
        let _ = write!(out, "\n   {}:\n\n", escape(&query.title));
        for line in query.text.lines() {
            let _ = writeln!(out, "      {}", escape(line));
        }
    }
    out
}

/// Writes a label and its text, wrapped; nothing if there is no text.
fn label(out: &mut String, label: &str, text: &str) {
    let mut label = label;
    for line in wrap(text, WIDTH - INDENT) {
        let _ = writeln!(out, "   {label:<width$}{line}", width = INDENT - 3);
        label = "";
    }
}

/// Writes a label and a text to copy.
fn unwrapped(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "   {label:<width$}{}", escape(text), width = INDENT - 3);
}

/// `sql.example (20.1.2.3), TCP 1433`.
fn destination(endpoint: &EndpointReport) -> String {
    let addresses = match &endpoint.stages.dns {
        Some(dns) if !dns.addresses.is_empty() => format!(" ({})", words::join(&dns.addresses, ", ")),
        _ => String::new(),
    };
    let transport = endpoint.transport.as_str().to_uppercase();
    format!("{}{addresses}, {transport} {}", endpoint.host, endpoint.port)
}

/// What an open network does not guarantee.
fn own_firewalls(report: &Report) -> String {
    let has_firewall = |e: &&EndpointReport| {
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
