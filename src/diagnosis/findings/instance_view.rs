//! The instance's own view beside this VM's.
//!
//! Both stand in the same subnet, and yet may ask other name servers, be bound by other rules on a network interface, or
//! leave by another way. Where they differ the difference is the finding.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;

use super::draft::{Draft, Severity, What};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    import::view::{Location, State, Status, Subject},
    model::{Confidence, Direction, Expect, Fix, Need, Suspect, Transport, Verdict},
    network::API_MANAGEMENT,
    rules::Kind,
    text::words,
};

/// The differences between what the instance says and what this VM saw.
///
/// What is blocked here has a finding already, so that only findings about what is not blocked name endpoints.
pub fn recognise<'a>(view: &RunView<'a>, _: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let locations = locations(view);
    let statuses: Vec<&Status> = locations.iter().flat_map(|location| &location.statuses).collect();
    let pairs: Vec<Pair> = statuses
        .iter()
        .copied()
        .filter_map(|status| Pair::of(status, &view.rows))
        .collect();
    [
        instance_fails(&pairs),
        vm_fails(&pairs),
        other_name_servers(&locations, view),
        not_reached(&statuses, view),
        broken(&statuses, view),
        stale(&statuses),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the instance says of one endpoint, a sentence each.
pub fn says_of(view: &RunView<'_>, row: &Row<'_>) -> Vec<String> {
    let locations = locations(view);
    let statuses = locations.iter().flat_map(|location| &location.statuses);
    statuses.filter(|status| is_about(status, row)).map(says).collect()
}

fn locations<'a>(view: &RunView<'a>) -> Vec<&'a Location> {
    let instance = view.place.instance;
    instance.map_or_else(Vec::new, |instance| instance.seen_from(view.place.region))
}

/// One status and the endpoints that it is about.
struct Pair<'a> {
    status: &'a Status,
    rows: Vec<Row<'a>>,
}

impl<'a> Pair<'a> {
    fn of(status: &'a Status, rows: &[Row<'a>]) -> Option<Self> {
        let about = |row: &&Row<'_>| row.endpoint.expect == Expect::Reachable && is_about(status, row);
        let rows: Vec<Row<'a>> = rows.iter().filter(about).copied().collect();
        (!rows.is_empty()).then_some(Self { status, rows })
    }

    fn target(&self) -> &'a str {
        self.rows.first().map_or("", |row| row.endpoint.target())
    }
}

fn is_about(status: &Status, row: &Row<'_>) -> bool {
    let endpoint = row.endpoint;
    match &status.subject {
        Subject::Outbound { host, port } => {
            endpoint.host == *host
                && port.is_none_or(|port| port == endpoint.port)
                && endpoint.transport == Transport::Tcp
        }
        // Rows for inbound traffic have no host.
        Subject::Inbound { port } => endpoint.host == "*" && *port == Some(endpoint.port),
        Subject::Internal => false,
    }
}

fn instance_fails<'a>(pairs: &[Pair<'a>]) -> Option<Draft<'a>> {
    let differing: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| {
            pair.status.state == State::Failure && pair.rows.iter().any(|row| row.judgement.verdict.is_proved())
        })
        .collect();
    let rows = || {
        differing
            .iter()
            .flat_map(|pair| &pair.rows)
            .filter(|row| row.judgement.verdict.is_proved())
    };
    Some(Draft {
        scope: "instance-fails".into(),
        title: format!("The instance fails where this VM succeeds: {}", named(&differing)?),
        confidence: Confidence::Medium,
        rows: rows().copied().collect(),
        evidence: differing
            .iter()
            .map(|pair| format!("{}: {}, this VM reaches it", pair.target(), says(pair.status)))
            .collect(),
        suspects: vec![Suspect::DnsServer, Suspect::Udr, Suspect::Nsg],
        impact: Some("The instance does without it, whatever this VM sees.".into()),
        fix: Fix::new(
            "Compare name servers, routes and rules of the instance's subnet with this VM's. If the network's \
                      name servers were changed, let the instance take them over.",
        )
        .change([APPLY]),
        ..blank()
    })
}

fn vm_fails<'a>(pairs: &[Pair<'a>]) -> Option<Draft<'a>> {
    let is_blocked = |row: &Row<'_>| row.judgement.verdict == Verdict::Blocked && row.endpoint.need != Need::Documented;
    let differing: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.status.state == State::Success && !pair.status.is_stale)
        .filter(|pair| pair.rows.iter().any(is_blocked))
        .collect();
    Some(Draft {
        scope: "vm-fails".into(),
        title: format!("The instance reaches what this VM does not: {}", named(&differing)?),
        confidence: Confidence::Medium,
        evidence: differing
            .iter()
            .map(|pair| format!("{}: {}, this VM does not reach it", pair.target(), says(pair.status)))
            .collect(),
        suspects: vec![Suspect::VmNicNsg, Suspect::NoOutbound, Suspect::DnsServer],
        impact: Some("None for the instance as far as it says: what blocks this VM may be this VM's own.".into()),
        fix: Fix::new(
            "Look at what only this VM has: an NSG on its network interface, another subnet or route table, no \
                      outbound path, other name servers. If the document is old, fetch it again.",
        ),
        ..blank()
    })
}

fn other_name_servers<'a>(locations: &[&Location], view: &RunView<'a>) -> Option<Draft<'a>> {
    let named = locations.iter().flat_map(|location| &location.name_servers);
    let theirs: BTreeSet<String> = named.map(|server| without_port(server)).collect();
    let ours: BTreeSet<String> = view
        .plan
        .name_servers
        .iter()
        .map(|server| server.ip().to_string())
        .collect();
    if theirs.is_empty() || ours.is_empty() || theirs == ours {
        return None;
    }
    let list = |servers: &BTreeSet<String>| servers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Some(Draft {
        scope: "dns-servers".into(),
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
        impact: Some(
            "Names can resolve differently for the instance, so what is said here of names may not hold for it.".into(),
        ),
        fix: Fix::new(
            "If the name servers of the virtual network were changed, let the instance take them over; if this VM \
                      has its own, pass the instance's with --dns-server.",
        )
        .change([APPLY]),
        ..blank()
    })
}

fn not_reached<'a>(statuses: &[&Status], view: &RunView<'a>) -> Option<Draft<'a>> {
    let failing = failing(statuses, |subject| matches!(subject, Subject::Inbound { .. }));
    first(&failing)?;
    let is_managed = |row: &&Row<'_>| row.endpoint.source_tag.as_deref() == Some(API_MANAGEMENT);
    let managed: Vec<Row<'_>> = view.rows.iter().filter(is_managed).copied().collect();
    Some(Draft {
        scope: "inbound".into(),
        title: "The instance says that it is not reached from outside".into(),
        confidence: Confidence::Medium,
        evidence: failing
            .iter()
            .map(|status| format!("{}: {}", status.name, says(status)))
            .collect(),
        suspects: vec![Suspect::Nsg, Suspect::Udr],
        impact: Some("The portal and every other management client lose the instance.".into()),
        fix: Fix::new(
            "Allow TCP 3443 from the service tag ApiManagement into the subnet, and where a route sends 0.0.0.0/0 \
                      to a firewall, send ApiManagement to Internet.",
        )
        .change(fix::lines(Kind::Nsg, &managed, view))
        .change(fix::lines(Kind::Routes, &managed, view)),
        ..blank()
    })
}

fn broken<'a>(statuses: &[&Status], view: &RunView<'a>) -> Option<Draft<'a>> {
    let failing = failing(statuses, |subject| *subject == Subject::Internal);
    first(&failing)?;
    let is_peer = |row: &&Row<'_>| row.endpoint.direction == Direction::Peer;
    let peers: Vec<Row<'_>> = view.rows.iter().filter(is_peer).copied().collect();
    Some(Draft {
        scope: "internal".into(),
        title: "The instance says that parts of its own fail".into(),
        confidence: Confidence::Medium,
        evidence: failing
            .iter()
            .map(|status| format!("{}: {}", status.name, says(status)))
            .collect(),
        suspects: vec![Suspect::Service, Suspect::Nsg],
        impact: Some("What rests on these parts does not work; a machine beside the instance cannot test them.".into()),
        fix: Fix::new(
            "Allow the traffic between the instance's own machines (VirtualNetwork to VirtualNetwork), then ask \
                      Microsoft support.",
        )
        .change(fix::lines(Kind::Nsg, &peers, view)),
        ..blank()
    })
}

fn stale<'a>(statuses: &[&Status]) -> Option<Draft<'a>> {
    let stale: Vec<&Status> = statuses.iter().copied().filter(|status| status.is_stale).collect();
    first(&stale)?;
    Some(Draft {
        scope: "stale".into(),
        title: format!(
            "The instance no longer looks at {}: it has lost its connection",
            if stale.len() == statuses.len() {
                "anything".into()
            } else {
                words::count(stale.len(), "dependency")
            }
        ),
        confidence: Confidence::Medium,
        evidence: stale
            .iter()
            .map(|status| {
                let last = status.updated.map(minute).unwrap_or_default();
                format!(
                    "{}: last looked at {last}, although the instance looks every 15 minutes",
                    status.name
                )
            })
            .collect(),
        suspects: vec![Suspect::Service, Suspect::DnsServer],
        impact: Some("What the instance says of these is no longer true, or no longer known.".into()),
        fix: Fix::new("Trust this VM's results for them, put right what is blocked, then fetch the status again."),
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
fn without_port(server: &str) -> String {
    let address = server
        .parse()
        .or_else(|_| server.parse().map(|socket: SocketAddr| socket.ip()));
    address.map_or_else(|_| server.to_owned(), |address: IpAddr| address.to_string())
}

fn blank<'a>() -> Draft<'a> {
    Draft {
        severity: Severity::Failure,
        what: What::Word("instance-view"),
        scope: String::new(),
        title: String::new(),
        confidence: Confidence::Low,
        rows: Vec::new(),
        evidence: Vec::new(),
        impact: None,
        suspects: Vec::new(),
        fix: Fix::default(),
    }
}
