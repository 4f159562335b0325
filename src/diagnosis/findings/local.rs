//! This machine itself: its firewall, its routes, its limits. None of this shows anything about the instance.

use super::phrases;
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    net::{SocketFailure, tcp::TcpEnd},
    probe::trace::Attempt,
    text::words::distinct,
};

/// The only scope.
const HERE: &str = "this-vm";

/// Its own firewall refuses: an ICMP error whose sender is an address of this machine (not the kernel's report of a
/// dead next hop), over TCP, UDP or for a name server. Or it drops silently, which looks like a drop on the path,
/// except that the kernel reports that it could not retransmit its SYNs.
pub(super) const FIREWALL: FindingRule = FindingRule {
    kind: FindingKind::LocalFirewall,
    claims: EndpointMatcher::Each(|view, row| is_refused_here(view, row).then(|| HERE.into())),
    describe: firewall,
};

/// It has no route: `connect` itself failed, before any packet was sent.
pub(super) const NO_ROUTE: FindingRule = FindingRule {
    kind: FindingKind::NoRoute,
    claims: EndpointMatcher::Each(|_, row| is_without_route(row).then(|| HERE.into())),
    describe: no_route,
};

/// It queries a stub resolver of its own, which gives no answer. The instance does not use that stub, so this is a
/// notice.
pub(super) const STUB: FindingRule = FindingRule {
    kind: FindingKind::LocalStub,
    claims: EndpointMatcher::Groups(|view, _| {
        let stubbed = view.rows.iter().filter(|row| was_not_tried(row) && is_stubbed(row));
        FindingGroup::unless_empty(HERE, stubbed.copied().collect())
    }),
    describe: stub,
};

/// It could not probe: no descriptors, no permission. Those rows are not blocked, but not tested.
pub(super) const LIMITS: FindingRule = FindingRule {
    kind: FindingKind::LocalLimits,
    claims: EndpointMatcher::Groups(|view, _| {
        let untried = view.rows.iter().filter(|row| was_not_tried(row) && !is_stubbed(row));
        FindingGroup::unless_empty(HERE, untried.copied().collect())
    }),
    describe: limits,
};

fn was_not_tried(row: &ProbedEndpoint<'_>) -> bool {
    row.judgement.cause == Some(Cause::LocalFault)
}

/// Whether its name was queried at a stub resolver of this VM without success.
fn is_stubbed(row: &ProbedEndpoint<'_>) -> bool {
    matches!(row.judgement.name, Some(Err(_))) && row.deciding_server().is_some_and(|server| server.ip().is_loopback())
}

fn is_refused_here(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    is_kept_here(row)
        || row
            .icmp()
            .any(|(error, after)| view.is_own(error) && !view.is_dead_next_hop(error, after))
}

/// Whether the kernel could not send on any of its connections, and nothing else is known about it.
fn is_kept_here(row: &ProbedEndpoint<'_>) -> bool {
    let kept = |attempt: &Attempt| {
        let tcp = attempt.tcp.as_ref();
        tcp.is_some_and(|tcp| matches!(tcp.end, TcpEnd::Silent { kept_here: true, .. }))
    };
    row.cause() == Some(Cause::TcpTimeout) && row.decisive().is_some_and(kept)
}

fn is_without_route(row: &ProbedEndpoint<'_>) -> bool {
    let at_once =
        |(failure, _): (&SocketFailure, _)| failure.immediate && failure.icmp.is_empty() && failure.errno.is_some();
    row.cause() == Some(Cause::TcpNoRoute) || (row.cause().is_some() && row.failures().any(at_once))
}

fn firewall<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let errors: Vec<String> = group
        .rows
        .iter()
        .flat_map(ProbedEndpoint::icmp)
        .filter(|(error, _)| view.is_own(error))
        .map(|(error, _)| format!("{error}: one of this VM's own addresses"))
        .collect();
    let shown = distinct(errors.iter().map(String::as_str)).into_iter().take(2);
    let kept: Vec<ProbedEndpoint<'a>> = group.rows.iter().filter(|row| is_kept_here(row)).copied().collect();
    let dropped = (!kept.is_empty()).then(|| {
        format!(
            "the kernel could not retransmit its SYNs to {} (TCP_INFO), so they are dropped before they leave this VM",
            phrases::host_count(&kept)
        )
    });
    let does = if errors.is_empty() { "drops" } else { "refuses" };
    Explanation {
        title: format!(
            "This VM's own firewall {does} traffic to {}",
            phrases::host_count(&group.rows)
        ),
        grounds: with_other_evidence(view, {
            let proofs = shown.map(str::to_string).chain(dropped);
            proofs.fold(Grounds::default(), Grounds::proof)
        }),
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new("Allow the agent's traffic in this VM's own firewall, then run again.")
            .look(["sudo nft list ruleset", "sudo iptables -S OUTPUT"]),
        impact: None,
    }
}

fn no_route<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let is_v6 = |row: &ProbedEndpoint<'_>| row.judgement.outcomes.iter().any(|outcome| outcome.address.is_ipv6());
    // If a packet of the same address family was sent, there is a default route, whatever happened to it. If there is
    // none, the kernel reports that the network is unreachable, not the host.
    let was_sent = |row: &&ProbedEndpoint<'a>| row.is_public() && !is_without_route(row) && !was_not_tried(row);
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
    let fix = if has_another || by_route {
        "Remove this VM's own route that rejects these addresses, or add one that reaches them, then run again."
    } else if group.rows.iter().all(is_v6) {
        "Add a default IPv6 route on this VM, or remove --ipv6, then run again."
    } else {
        "Add a default route on this VM, then run again."
    };
    Explanation {
        title: format!("This VM has no route to {}", phrases::host_count(&group.rows)),
        grounds: with_other_evidence(
            view,
            Grounds::default().all(EvidenceWeight::Supports(Basis::Proof), phrases::examples(&group.rows)),
        ),
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new(fix).look(["ip route show table all", "ip -6 route show table all"]),
        impact: None,
    }
}

fn stub<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    Explanation {
        title: format!("This VM's stub resolver fails for {}", phrases::host_count(&group.rows)),
        grounds: with_other_evidence(
            view,
            Grounds::default().all(EvidenceWeight::Notes, phrases::examples(&group.rows)),
        ),
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new(
            "Repair the stub, or pass --dns-server with a name server of the virtual network, and run again.",
        )
        .look(["resolvectl status"]),
        impact: None,
    }
}

fn limits<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let errnos: Vec<i32> = group
        .rows
        .iter()
        .flat_map(ProbedEndpoint::failures)
        .filter_map(|(failure, _)| failure.errno)
        .collect();
    let any = |wanted: &[i32]| errnos.iter().any(|errno| wanted.contains(errno));
    let (fix, look): (_, &[&str]) = if any(&[libc::EPERM, libc::EACCES, libc::EINVAL]) {
        (
            "Find what blocks the agent's traffic on this VM (its own firewall, a blackhole or prohibit route, a \
             security profile), remove it, then run again.",
            &[
                "sudo nft list ruleset",
                "sudo iptables -S OUTPUT",
                "ip route show table all",
            ],
        )
    } else if any(&[
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOMEM,
        libc::ENOBUFS,
        libc::EADDRNOTAVAIL,
    ]) {
        (
            "Raise this VM's limits or pass a lower --concurrency, then run again.",
            &["ulimit -n", "ss -s"],
        )
    } else {
        (
            "Remove whatever prevents this VM from probing, then run again.",
            &["ulimit -n", "cat /etc/resolv.conf"],
        )
    };
    Explanation {
        title: format!(
            "This VM's limits or permissions prevent it from probing {}",
            phrases::host_count(&group.rows)
        ),
        grounds: with_other_evidence(
            view,
            Grounds::default().all(EvidenceWeight::Supports(Basis::Proof), phrases::examples(&group.rows)),
        ),
        suspects: vec![Suspect::LocalHost],
        fix: Fix::new(fix).look(look.iter().copied()),
        impact: None,
    }
}

/// What else works, and what this does not mean.
fn with_other_evidence(view: &RunView<'_>, grounds: Grounds) -> Grounds {
    let others = view.proved().count();
    let grounds = if others > 0 {
        grounds.note(format!("{} from here", phrases::others_prove(others)))
    } else {
        grounds
    };
    grounds.note("the instance runs on other machines, so this does not apply to it")
}
