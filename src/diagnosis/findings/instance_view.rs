//! The instance's own status compared with this VM's results.
//!
//! Both are in the same subnet, and may still use different name servers, be subject to other rules on a network
//! interface, or have different outbound paths. Where they differ, the difference is the finding.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;

use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    import::view::{Location, Remark, ReportedStatus, StatusState, StatusSubject},
    model::{Basis, Direction, Expect, FindingKind, Fix, Need, Suspect, Transport, Verdict},
    network::API_MANAGEMENT,
    rules::RuleFamily,
    text::words,
};

/// The instance fails where this VM succeeds.
pub(crate) const INSTANCE_FAILS: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| {
        let failing = pairs(view).into_iter().filter(fails_there_only);
        let rows = failing
            .flat_map(|pair| pair.rows)
            .filter(|row| row.judgement.verdict.is_proved());
        group(view, "instance-fails", rows.collect())
    }),
    describe: instance_fails,
};

/// The instance succeeds where this VM fails.
pub(crate) const VM_FAILS: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| group(view, "vm-fails", Vec::new())),
    describe: vm_fails,
};

/// The instance uses other name servers than this VM.
pub(crate) const DNS_SERVERS: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| group(view, "dns-servers", Vec::new())),
    describe: other_name_servers,
};

/// The instance reports that it cannot be reached from outside.
pub(crate) const INBOUND: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| group(view, "inbound", Vec::new())),
    describe: not_reached,
};

/// The instance reports that some of its own components fail.
pub(crate) const INTERNAL: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| group(view, "internal", Vec::new())),
    describe: broken,
};

/// The instance no longer checks.
pub(crate) const STALE: FindingRule = FindingRule {
    kind: FindingKind::InstanceView,
    claims: EndpointMatcher::Groups(|view, _| group(view, "stale", Vec::new())),
    describe: stale,
};

/// A group for each thing that the instance may report, if it reports anything. What is blocked here already has a
/// finding, so only what is not blocked is listed.
fn group<'a>(view: &RunView<'a>, scope: &str, rows: Vec<ProbedEndpoint<'a>>) -> Vec<FindingGroup<'a>> {
    if locations(view).is_empty() {
        Vec::new()
    } else {
        vec![FindingGroup::new(scope, rows)]
    }
}

/// The instance's status for single endpoints, next to this VM's results.
fn pairs<'a>(view: &RunView<'a>) -> Vec<Pair<'a>> {
    let statuses = statuses(view).into_iter();
    statuses.filter_map(|status| Pair::of(status, &view.rows)).collect()
}

fn statuses<'a>(view: &RunView<'a>) -> Vec<&'a ReportedStatus> {
    let locations = locations(view).into_iter();
    locations.flat_map(|location| &location.statuses).collect()
}

fn fails_there_only(pair: &Pair<'_>) -> bool {
    pair.status.state == StatusState::Failure && pair.rows.iter().any(|row| row.judgement.verdict.is_proved())
}

/// The instance's status for one endpoint, one sentence each.
pub(crate) fn says_of(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> Vec<String> {
    let locations = locations(view);
    let statuses = locations.iter().flat_map(|location| &location.statuses);
    let instance = view.place.instance;
    let remarks = instance.into_iter().flat_map(|instance| &instance.remarks);
    let is_here = |remark: &&Remark| {
        let endpoint = row.endpoint;
        endpoint.host == remark.host && endpoint.port == remark.port && endpoint.transport == Transport::Tcp
    };
    let reported = statuses.filter(|status| is_about(status, row)).map(describe);
    reported
        .chain(remarks.filter(is_here).map(|remark| remark.sentence.clone()))
        .collect()
}

fn locations<'a>(view: &RunView<'a>) -> Vec<&'a Location> {
    let instance = view.place.instance;
    instance.map_or_else(Vec::new, |instance| instance.seen_from(view.place.region))
}

/// One status and its endpoints.
struct Pair<'a> {
    status: &'a ReportedStatus,
    rows: Vec<ProbedEndpoint<'a>>,
}

impl<'a> Pair<'a> {
    fn of(status: &'a ReportedStatus, rows: &[ProbedEndpoint<'a>]) -> Option<Self> {
        let about = |row: &&ProbedEndpoint<'_>| row.endpoint.expect == Expect::Reachable && is_about(status, row);
        let rows: Vec<ProbedEndpoint<'a>> = rows.iter().filter(about).copied().collect();
        (!rows.is_empty()).then_some(Self { status, rows })
    }

    fn target(&self) -> &'a str {
        self.rows.first().map_or("", |row| row.endpoint.target())
    }
}

fn is_about(status: &ReportedStatus, row: &ProbedEndpoint<'_>) -> bool {
    let endpoint = row.endpoint;
    match &status.subject {
        StatusSubject::Outbound { host, port } => {
            endpoint.host == *host
                && port.is_none_or(|port| port == endpoint.port)
                && endpoint.transport == Transport::Tcp
        }
        // Rows for inbound traffic have no host.
        StatusSubject::Inbound { port } => endpoint.host == "*" && *port == Some(endpoint.port),
        StatusSubject::Internal => false,
    }
}

fn instance_fails<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let differing: Vec<Pair<'a>> = pairs(view).into_iter().filter(fails_there_only).collect();
    let seen = differing
        .iter()
        .map(|pair| format!("{}: {}, but this VM reaches it", pair.target(), describe(pair.status)));
    Explanation {
        title: format!("The instance fails where this VM succeeds: {}", named(&differing)),
        grounds: evidence_of(seen),
        suspects: vec![Suspect::DnsServer, Suspect::Udr, Suspect::Nsg],
        impact: Some("The instance cannot use it, even if this VM can.".into()),
        fix: Fix::new(
            "Compare the name servers, routes and rules of the instance's subnet with this VM's. If the network's name \
             servers have changed, apply the network configuration to the instance.",
        )
        .change([(fix::APPLY_NETWORK_UPDATES, None)]),
    }
}

fn vm_fails<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let is_blocked =
        |row: &ProbedEndpoint<'_>| row.judgement.verdict == Verdict::Blocked && row.endpoint.need != Need::Documented;
    let differs = |pair: &Pair<'a>| {
        pair.status.state == StatusState::Success && !pair.status.is_stale && pair.rows.iter().any(is_blocked)
    };
    let differing: Vec<Pair<'a>> = pairs(view).into_iter().filter(differs).collect();
    let seen = differing.iter().map(|pair| {
        format!(
            "{}: {}, but this VM does not reach it",
            pair.target(),
            describe(pair.status)
        )
    });
    Explanation {
        title: format!("The instance reaches what this VM cannot: {}", named(&differing)),
        grounds: evidence_of(seen),
        suspects: vec![Suspect::VmNicNsg, Suspect::NoOutbound, Suspect::DnsServer],
        impact: Some(
            "None for the instance, according to its own status: whatever blocks this VM may affect only this VM."
                .into(),
        ),
        fix: Fix::new(
            "Check what is specific to this VM: an NSG on its network interface, another subnet or route table, no \
             outbound \
             access, other name servers. If the document is old, fetch it again.",
        )
        .look(["az network nic list-effective-nsg -g RG -n NIC"]),
    }
}

fn other_name_servers<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let locations = locations(view);
    let named = locations.iter().flat_map(|location| &location.name_servers);
    let theirs: BTreeSet<String> = named.map(|server| without_port(server)).collect();
    let ours: BTreeSet<String> = view
        .plan
        .name_servers
        .iter()
        .map(|server| server.ip().to_string())
        .collect();
    let list = |servers: &BTreeSet<String>| servers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let grounds = if theirs.is_empty() || ours.is_empty() || theirs == ours {
        Grounds::default().refuted("both use the same ones")
    } else {
        Grounds::default()
            .proof(format!("the instance uses {}", list(&theirs)))
            .proof(format!("this VM uses {}", list(&ours)))
    };
    Explanation {
        title: format!(
            "The instance uses other name servers than this VM: {}, not {}",
            list(&theirs),
            list(&ours)
        ),
        grounds,
        suspects: vec![Suspect::DnsServer],
        impact: Some(
            "Names can resolve differently for the instance, so DNS results from this VM may not apply to it.".into(),
        ),
        fix: Fix::new(
            "If the virtual network's name servers have changed, apply the network configuration to the instance; if \
             this VM has its own, pass the instance's with --dns-server.",
        )
        .look(["az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers"])
        .change([(fix::APPLY_NETWORK_UPDATES, None)]),
    }
}

fn not_reached<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let failing = failing(view, |subject| matches!(subject, StatusSubject::Inbound { .. }));
    let is_managed = |row: &&ProbedEndpoint<'_>| row.endpoint.source_tag.as_deref() == Some(API_MANAGEMENT);
    let managed: Vec<ProbedEndpoint<'_>> = view.rows.iter().filter(is_managed).copied().collect();
    Explanation {
        title: "The instance reports that it cannot be reached from outside".into(),
        grounds: evidence_of(
            failing
                .iter()
                .map(|status| format!("{}: {}", status.name, describe(status))),
        ),
        suspects: vec![Suspect::Nsg, Suspect::Udr],
        impact: Some("The portal and all other management clients lose access to the instance.".into()),
        fix: Fix::new(
            "Allow TCP 3443 from the service tag ApiManagement into the subnet, and if a route sends 0.0.0.0/0 to a \
             firewall, add a route for ApiManagement with next hop Internet.",
        )
        .change(fix::lines(RuleFamily::Nsg, &managed, view))
        .change(fix::lines(RuleFamily::Routes, &managed, view)),
    }
}

fn broken<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let failing = failing(view, |subject| *subject == StatusSubject::Internal);
    let is_peer = |row: &&ProbedEndpoint<'_>| row.endpoint.direction == Direction::Peer;
    let peers: Vec<ProbedEndpoint<'_>> = view.rows.iter().filter(is_peer).copied().collect();
    Explanation {
        title: "The instance reports that some of its own components fail".into(),
        grounds: evidence_of(
            failing
                .iter()
                .map(|status| format!("{}: {}", status.name, describe(status))),
        ),
        suspects: vec![Suspect::Service, Suspect::Nsg],
        impact: Some("Whatever depends on these components does not work; a VM next to the instance cannot test them.".into()),
        fix: Fix::new(
            "Allow the traffic between the instance's own machines (VirtualNetwork to VirtualNetwork), then ask Microsoft \
             support.",
        )
        .change(fix::lines(RuleFamily::Nsg, &peers, view)),
    }
}

fn stale<'a>(view: &RunView<'a>, _: &FindingGroup<'a>) -> Explanation {
    let statuses = statuses(view);
    let stale: Vec<&ReportedStatus> = statuses.iter().copied().filter(|status| status.is_stale).collect();
    let seen = stale.iter().map(|status| {
        let last = status.updated.map(minute).unwrap_or_default();
        format!(
            "{}: last checked {last}, although the instance checks every 15 minutes",
            status.name
        )
    });
    Explanation {
        title: format!(
            "The instance no longer checks {}: it has lost its connection",
            if stale.len() == statuses.len() {
                "anything".into()
            } else {
                words::count(stale.len(), "dependency")
            }
        ),
        grounds: evidence_of(seen),
        suspects: vec![Suspect::Service, Suspect::DnsServer],
        impact: Some("The instance's own status for these is out of date.".into()),
        fix: Fix::new("Use this VM's results for them, fix what is blocked, then fetch the status again."),
    }
}

/// Each status is one observation; without any there is no finding.
fn evidence_of(sentences: impl Iterator<Item = String>) -> Grounds {
    let mut sentences = sentences.peekable();
    if sentences.peek().is_none() {
        return Grounds::default().refuted("the instance reports no such failure");
    }
    Grounds::default().all(EvidenceWeight::Supports(Basis::Ambiguous), sentences)
}

fn failing<'a>(view: &RunView<'a>, subject: impl Fn(&StatusSubject) -> bool) -> Vec<&'a ReportedStatus> {
    let mut statuses = statuses(view);
    statuses.retain(|status| status.state == StatusState::Failure && subject(&status.subject));
    statuses
}

/// Up to three targets.
fn named(pairs: &[Pair<'_>]) -> String {
    words::list(&words::distinct(pairs.iter().map(Pair::target)), 3)
}

/// The instance's status, as a clause.
fn describe(status: &ReportedStatus) -> String {
    let mut text = format!("the instance reports {}", status.state.as_str());
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
