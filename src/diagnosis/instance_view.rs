//! The instance's own view beside this VM's.
//!
//! Both stand in the same subnet, and yet may ask other name servers, be bound by other rules on a network interface, or
//! leave by another way. Where they differ the difference is the finding.

use std::{collections::BTreeSet, net::IpAddr};

use jiff::Timestamp;

use crate::{
    import::view::{InstanceView, Location, State, Status, Subject},
    model::{Confidence, Endpoint, Expect, Finding, Fix, Need, Suspect, Transport, Verdict},
    text::words,
};

/// How many sentences of evidence a finding carries.
const MOST_EVIDENCE: usize = 6;

/// The differences between what the instance says (in `region`, where it says something of it) and what this VM saw
/// through `name_servers`.
///
/// What is blocked here has a finding already, so that only findings about what is not blocked name endpoints.
pub fn find(view: &InstanceView, region: Option<&str>, name_servers: &[String], rows: &[Endpoint]) -> Vec<Finding> {
    let locations = view.seen_from(region);
    let statuses: Vec<&Status> = locations.iter().flat_map(|location| &location.statuses).collect();
    let pairs: Vec<Pair> = statuses
        .iter()
        .copied()
        .filter_map(|status| Pair::of(status, rows))
        .collect();
    [
        instance_fails(&pairs),
        vm_fails(&pairs),
        other_name_servers(&locations, name_servers),
        not_reached(&statuses),
        broken(&statuses),
        stale(&statuses),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Adds what the instance says of an endpoint to the endpoint's evidence.
pub fn annotate(view: &InstanceView, region: Option<&str>, rows: &mut [Endpoint]) {
    for status in view.seen_from(region).iter().flat_map(|location| &location.statuses) {
        for row in rows.iter_mut().filter(|row| is_about(status, row)) {
            row.evidence.push(says(status));
        }
    }
}

/// One status and the endpoints that it is about.
struct Pair<'a> {
    status: &'a Status,
    rows: Vec<&'a Endpoint>,
}

impl<'a> Pair<'a> {
    fn of(status: &'a Status, rows: &'a [Endpoint]) -> Option<Self> {
        let rows: Vec<&Endpoint> = rows
            .iter()
            .filter(|row| row.expect == Expect::Reachable && is_about(status, row))
            .collect();
        (!rows.is_empty()).then_some(Self { status, rows })
    }

    fn target(&self) -> &str {
        self.rows.first().map_or("", |row| row.target())
    }
}

fn is_about(status: &Status, row: &Endpoint) -> bool {
    match &status.subject {
        Subject::Outbound { host, port } => {
            row.host == *host && port.is_none_or(|port| port == row.port) && row.transport == Transport::Tcp
        }
        // Rows for inbound traffic have no host.
        Subject::Inbound { port } => row.host == "*" && *port == Some(row.port),
        Subject::Internal => false,
    }
}

fn instance_fails(pairs: &[Pair]) -> Option<Finding> {
    let differing: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.status.state == State::Failure && pair.rows.iter().any(|row| row.verdict.is_proved()))
        .collect();
    let rows = || {
        differing
            .iter()
            .flat_map(|pair| &pair.rows)
            .filter(|row| row.verdict.is_proved())
    };
    let counts = rows().any(|row| row.need != Need::Documented);
    Some(Finding {
        id: "instance-view/instance-fails".into(),
        title: format!("The instance fails where this VM succeeds: {}", named(&differing)?),
        confidence: if counts { Confidence::Medium } else { Confidence::Low },
        endpoints: rows().map(|row| row.id.clone()).collect(),
        evidence: evidence(
            differing
                .iter()
                .map(|pair| format!("{}: {}, this VM reaches it", pair.target(), says(pair.status))),
        ),
        suspects: vec![Suspect::DnsServer, Suspect::Udr, Suspect::Nsg],
        impact: "The instance does without it, whatever this VM sees.".into(),
        fix: Fix {
            summary:
                "Compare name servers, routes and rules of the instance's subnet with this VM's. If the network's \
                      name servers were changed, let the instance take them over."
                    .into(),
            commands: vec![APPLY.into()],
        },
        ..blank()
    })
}

fn vm_fails(pairs: &[Pair]) -> Option<Finding> {
    let is_blocked = |row: &Endpoint| row.verdict == Verdict::Blocked && row.need != Need::Documented;
    let differing: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.status.state == State::Success && !pair.status.is_stale)
        .filter(|pair| pair.rows.iter().any(|row| is_blocked(row)))
        .collect();
    Some(Finding {
        id: "instance-view/vm-fails".into(),
        title: format!("The instance reaches what this VM does not: {}", named(&differing)?),
        confidence: Confidence::Medium,
        evidence: evidence(
            differing
                .iter()
                .map(|pair| format!("{}: {}, this VM does not reach it", pair.target(), says(pair.status))),
        ),
        suspects: vec![Suspect::VmNicNsg, Suspect::NoOutbound, Suspect::DnsServer],
        impact: "None for the instance as far as it says: what blocks this VM may be this VM's own.".into(),
        fix: Fix {
            summary:
                "Look at what only this VM has: an NSG on its network interface, another subnet or route table, no \
                      outbound path, other name servers. If the document is old, fetch it again."
                    .into(),
            commands: Vec::new(),
        },
        ..blank()
    })
}

fn other_name_servers(locations: &[&Location], name_servers: &[String]) -> Option<Finding> {
    let theirs: BTreeSet<&str> = locations
        .iter()
        .flat_map(|location| &location.name_servers)
        .map(String::as_str)
        .map(host_part)
        .collect();
    let ours: BTreeSet<&str> = name_servers.iter().map(String::as_str).map(host_part).collect();
    if theirs.is_empty() || ours.is_empty() || theirs == ours {
        return None;
    }
    let list = |servers: &BTreeSet<&str>| servers.iter().copied().collect::<Vec<_>>().join(", ");
    Some(Finding {
        id: "instance-view/dns-servers".into(),
        title: format!(
            "The instance asks other name servers than this VM: {}, not {}",
            list(&theirs),
            list(&ours)
        ),
        confidence: Confidence::Certain,
        evidence: vec![
            format!("the instance asks {}", list(&theirs)),
            format!("this VM asks {}", list(&ours)),
        ],
        suspects: vec![Suspect::DnsServer],
        impact: "Names can resolve differently for the instance, so what is said here of names may not hold for it."
            .into(),
        fix: Fix {
            summary:
                "If the name servers of the virtual network were changed, let the instance take them over; if this VM \
                      has its own, pass the instance's with --dns-server."
                    .into(),
            commands: vec![APPLY.into()],
        },
        ..blank()
    })
}

fn not_reached(statuses: &[&Status]) -> Option<Finding> {
    let failing = failing(statuses, |subject| matches!(subject, Subject::Inbound { .. }));
    first(&failing)?;
    Some(Finding {
        id: "instance-view/inbound".into(),
        title: "The instance says that it is not reached from outside".into(),
        confidence: Confidence::Medium,
        evidence: evidence(
            failing
                .iter()
                .map(|status| format!("{}: {}", status.name, says(status))),
        ),
        suspects: vec![Suspect::Nsg, Suspect::Udr],
        impact: "The portal and every other management client lose the instance.".into(),
        fix: Fix {
            summary:
                "Allow TCP 3443 from the service tag ApiManagement into the subnet, and where a route sends 0.0.0.0/0 \
                      to a firewall, send ApiManagement to Internet."
                    .into(),
            commands: Vec::new(),
        },
        ..blank()
    })
}

fn broken(statuses: &[&Status]) -> Option<Finding> {
    let failing = failing(statuses, |subject| *subject == Subject::Internal);
    first(&failing)?;
    Some(Finding {
        id: "instance-view/internal".into(),
        title: "The instance says that parts of its own fail".into(),
        confidence: Confidence::Medium,
        evidence: evidence(
            failing
                .iter()
                .map(|status| format!("{}: {}", status.name, says(status))),
        ),
        suspects: vec![Suspect::Service, Suspect::Nsg],
        impact: "What rests on these parts does not work; a machine beside the instance cannot test them.".into(),
        fix: Fix {
            summary:
                "Allow the traffic between the instance's own machines (VirtualNetwork to VirtualNetwork), then ask \
                      Microsoft support."
                    .into(),
            commands: Vec::new(),
        },
        ..blank()
    })
}

fn stale(statuses: &[&Status]) -> Option<Finding> {
    let stale: Vec<&Status> = statuses.iter().copied().filter(|status| status.is_stale).collect();
    first(&stale)?;
    Some(Finding {
        id: "instance-view/stale".into(),
        title: format!(
            "The instance no longer looks at {}: it has lost its connection",
            if stale.len() == statuses.len() {
                "anything".into()
            } else {
                words::count(stale.len(), "dependency")
            }
        ),
        confidence: Confidence::Medium,
        evidence: evidence(stale.iter().map(|status| {
            let last = status.updated.map(minute).unwrap_or_default();
            format!(
                "{}: last looked at {last}, although the instance looks every 15 minutes",
                status.name
            )
        })),
        suspects: vec![Suspect::Service, Suspect::DnsServer],
        impact: "What the instance says of these is no longer true, or no longer known.".into(),
        fix: Fix {
            summary: "Trust this VM's results for them, put right what is blocked, then fetch the status again.".into(),
            commands: Vec::new(),
        },
        ..blank()
    })
}

/// Makes an instance take over the name servers of its virtual network.
const APPLY: &str = "az apim apply-network-updates --name INSTANCE --resource-group GROUP";

fn failing<'a>(statuses: &[&'a Status], subject: impl Fn(&Subject) -> bool) -> Vec<&'a Status> {
    statuses
        .iter()
        .copied()
        .filter(|status| status.state == State::Failure && subject(&status.subject))
        .collect()
}

fn first<'a>(statuses: &[&'a Status]) -> Option<&'a Status> {
    statuses.first().copied()
}

/// Up to three targets; `None` for none.
fn named(pairs: &[&Pair]) -> Option<String> {
    let targets = words::distinct(pairs.iter().map(|pair| pair.target()));
    (!targets.is_empty()).then(|| words::list(&targets, 3))
}

fn evidence(sentences: impl Iterator<Item = String>) -> Vec<String> {
    sentences.take(MOST_EVIDENCE).collect()
}

/// What the instance says, as half a sentence.
fn says(status: &Status) -> String {
    let mut text = format!("the instance says {}", status.state.as_str());
    if let Some(since) = status.since {
        text = format!("{text} since {}", minute(since));
    }
    if let Some(updated) = status.updated {
        text = format!("{text}, as of {}", minute(updated));
    }
    match &status.error {
        Some(error) => format!("{text} (\"{error}\")"),
        None => text,
    }
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An address without its port.
fn host_part(server: &str) -> &str {
    if server.parse::<IpAddr>().is_ok() {
        return server;
    }
    server
        .rsplit_once(':')
        .map_or(server, |(host, _)| host.trim_matches(['[', ']']))
}

fn blank() -> Finding {
    Finding {
        id: String::new(),
        cause: None,
        title: String::new(),
        confidence: Confidence::Low,
        endpoints: Vec::new(),
        evidence: Vec::new(),
        suspects: Vec::new(),
        impact: String::new(),
        fix: Fix {
            summary: String::new(),
            commands: Vec::new(),
        },
    }
}
