//! No packet can leave this machine, or none for some addresses: its interfaces, addresses or routes.

use std::net::IpAddr;

use super::{
    own_vm::{THIS_VM, is_in_outage, lacks_route, was_not_tried, with_other_evidence},
    phrases,
};
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        outcome::Outcome,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        socket,
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Protocol, Suspect},
    net::{SocketFailure, kernel::Interface},
    text::words::{count, list},
};

/// `connect` or `send` itself failed for want of a route, before any packet was sent.
pub(super) const NO_ROUTE: FindingRule = FindingRule {
    kind: FindingKind::NoRoute,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        let is_unexplained = |row: &ProbedEndpoint<'_>| unexplained.iter().any(|other| other.index == row.index);
        let is_one = |row: &&ProbedEndpoint<'_>| {
            (is_unexplained(row) && is_refused_by_routes(row)) || (lacks_route(row) && !is_in_outage(view, row))
        };
        FindingGroup::unless_empty(THIS_VM, view.rows.iter().filter(is_one).copied().collect())
    }),
    describe,
};

fn is_refused_by_routes(row: &ProbedEndpoint<'_>) -> bool {
    let at_once =
        |(failure, _): (&SocketFailure, _)| failure.immediate && failure.icmp.is_empty() && failure.errno.is_some();
    row.cause() == Some(Cause::TcpNoRoute) || (row.cause().is_some() && row.failures().any(at_once))
}

/// Whether no row shows anything about the network: packets could not leave this machine for any service.
pub(in crate::diagnosis) fn is_without_network(view: &RunView<'_>) -> bool {
    let tried = || {
        view.rows
            .iter()
            .filter(|row| row.endpoint.untested.is_none() && row.trace.is_some())
    };
    let is_service = |row: &&ProbedEndpoint<'_>| row.endpoint.protocol != Protocol::Dns;
    let any_service = tried().any(|row| is_service(&row));
    let mut deciding = tried().filter(|row| !any_service || is_service(row)).peekable();
    deciding.peek().is_some() && deciding.all(|row| could_not_leave(view, row))
}

fn could_not_leave(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let mut outcomes = row.judgement.outcomes.iter();
    match row.judgement.cause {
        // A name with only IPv6 addresses shows nothing about a machine that only has IPv4.
        Some(Cause::TcpNoRoute) => {
            let nowhere = |outcome: &Outcome| outcome.verdict.cause() == Some(Cause::TcpNoRoute);
            outcomes.clone().all(nowhere) && outcomes.any(|outcome| outcome.address.is_ipv4())
        }
        Some(Cause::UdpUnreachable) => row.failures().all(|(failure, _)| socket::is_without_route(failure)),
        Some(Cause::LocalFault) => lacks_route(row) || is_in_outage(view, row),
        _ => false,
    }
}

/// What is missing.
enum Missing<'a> {
    /// There is no interface but loopback.
    Interface,
    /// None of the interfaces is up; these are down.
    Up(Vec<&'a Interface>),
    /// Those that are up have no carrier.
    Carrier(Vec<&'a Interface>),
    /// No interface has an address.
    Address,
    /// The only addresses are IPv6 ones, and what failed is IPv4.
    Ipv4,
    /// A route: everything else is there.
    Route,
}

impl<'a> Missing<'a> {
    fn of(view: &RunView<'a>, rows: &[ProbedEndpoint<'_>]) -> Self {
        let interfaces = view.own_network.interfaces.as_deref();
        let addresses = view.place.addresses;
        let up = || interfaces.into_iter().flatten().filter(|interface| interface.is_up);
        match interfaces {
            Some([]) => Self::Interface,
            Some(all) if up().next().is_none() => Self::Up(all.iter().collect()),
            Some(_) if !up().any(|interface| interface.has_carrier) => Self::Carrier(up().collect()),
            // An address that no interface is known for was given by the platform.
            _ if interfaces.is_some() && addresses.is_empty() => Self::Address,
            _ if !addresses.is_empty() && addresses.iter().all(IpAddr::is_ipv6) && !rows.iter().all(is_v6) => {
                Self::Ipv4
            }
            _ => Self::Route,
        }
    }

    fn title(&self, hosts: &str) -> String {
        match self {
            Self::Interface => format!("This VM has no network interface, so no route to {hosts}"),
            Self::Up(all) => match all[..] {
                [one] => format!(
                    "This VM's network interface {} is down, so it has no route to {hosts}",
                    one.name
                ),
                _ => format!(
                    "None of this VM's {} is up, so it has no route to {hosts}",
                    count(all.len(), "network interface")
                ),
            },
            Self::Carrier(all) => format!("{} no carrier, so this VM has no route to {hosts}", have(all)),
            Self::Address => format!("This VM has no IP address, so no route to {hosts}"),
            Self::Ipv4 => format!("This VM has IPv6 addresses only, so no route to {hosts}"),
            Self::Route => format!("This VM has no route to {hosts}"),
        }
    }

    /// What the kernel reports about it.
    fn evidence(&self) -> Option<String> {
        let names = |all: &[&Interface]| list(&all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), 3);
        Some(match self {
            Self::Interface => "this VM's kernel lists no network interface but loopback".into(),
            Self::Up(all) => format!("this VM's kernel reports as down: {}", names(all)),
            Self::Carrier(all) => format!("this VM's kernel reports as up, but without a carrier: {}", names(all)),
            Self::Address => "none of this VM's network interfaces has an address".into(),
            Self::Ipv4 => "none of this VM's network interfaces has an IPv4 address".into(),
            Self::Route => return None,
        })
    }

    fn fix(&self) -> Option<Fix> {
        let fix = match self {
            Self::Interface => {
                Fix::new("Give this VM, or the container that the agent runs in, a network interface, then run again.")
            }
            Self::Up(all) | Self::Carrier(all) => {
                let interface = all.first().map_or("DEV", |interface| interface.name.as_str());
                let what = match self {
                    Self::Carrier(_) => "Connect",
                    _ => "Bring up",
                };
                let fix = Fix::new(format!(
                    "{what} network interface {interface}, and make sure that DHCP gives it an address and a default \
                     route, then run again."
                ));
                match self {
                    Self::Up(_) => fix.change([(
                        format!("sudo ip link set {interface} up"),
                        Some(format!("sudo ip link set {interface} down")),
                    )]),
                    _ => fix,
                }
            }
            Self::Address => Fix::new(
                "Find out why DHCP gave this VM no address, or configure the one that Azure assigned to its network \
                 interface, then run again.",
            ),
            Self::Ipv4 => Fix::new(
                "Give this VM an IPv4 address and default route, as the instance has, then run again: the services are \
                 reached over IPv4.",
            ),
            Self::Route => return None,
        };
        Some(fix)
    }
}

/// `eth0 has`, `eth0 and eth1 have`.
fn have(interfaces: &[&Interface]) -> String {
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let verb = if names.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", list(&names, 3))
}

fn is_v6(row: &ProbedEndpoint<'_>) -> bool {
    row.judgement.outcomes.iter().any(|outcome| outcome.address.is_ipv6())
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let missing = Missing::of(view, &group.rows);
    let grounds = Grounds::default()
        .all(EvidenceWeight::Supports(Basis::Proof), missing.evidence())
        .all(EvidenceWeight::Supports(Basis::Proof), phrases::examples(&group.rows));
    let fix = missing.fix().unwrap_or_else(|| route(view, group));
    Explanation {
        title: missing.title(&phrases::host_count(&group.rows)),
        grounds: with_other_evidence(view, grounds),
        suspects: vec![Suspect::LocalHost],
        fix: fix.look(["ip -br link", "ip -br address", "ip route show table all"]),
        impact: None,
    }
}

/// What to change where only a route is missing.
fn route<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Fix {
    // Anything that was sent to the same kind of address, whatever the result, shows that there is a default route; and
    // without one, the kernel reports that the network is unreachable, not the host.
    let was_sent = |row: &&ProbedEndpoint<'a>| row.is_public() && !is_refused_by_routes(row) && !was_not_tried(row);
    let has_another = view
        .rows
        .iter()
        .filter(was_sent)
        .any(|row| group.rows.iter().any(|other| is_v6(other) == is_v6(row)));
    let by_route = group
        .rows
        .iter()
        .flat_map(ProbedEndpoint::failures)
        .any(|(failure, _)| failure.errno == Some(libc::EHOSTUNREACH));
    // The routing table leads there, so it is a rule by source address or the like that does not.
    let mut addresses = group
        .rows
        .iter()
        .flat_map(ProbedEndpoint::attempts)
        .map(|attempt| attempt.address.ip());
    let by_rule = addresses.any(|address| view.own_network.route_to(address).is_some_and(|it| it.next.is_ok()));
    if has_another || by_route || by_rule {
        Fix::new(
            "Remove this VM's own route or rule that rejects these addresses, or add a route to them, then run again.",
        )
        .look(["ip rule", "ip route get ADDRESS"])
    } else if group.rows.iter().all(is_v6) {
        Fix::new("Add a default IPv6 route on this VM, or remove --ipv6, then run again.")
            .look(["ip -6 route show table all"])
    } else {
        Fix::new(
            "Add a default route on this VM, which DHCP normally sets (in Azure, via the first address of the subnet), \
             then run again.",
        )
        .look(["ip rule"])
    }
}
