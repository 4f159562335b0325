//! This machine itself: its firewall, its routes, its limits. None of this shows anything about the instance.

use super::{
    own_vm::{THIS_VM, is_stubbed, was_not_tried, with_other_evidence},
    phrases,
};
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Suspect},
    net::tcp::TcpEnd,
    probe::trace::Attempt,
    text::words::distinct,
};

/// Its own firewall refuses: an ICMP error whose sender is an address of this machine (not the kernel's report of a
/// dead next hop), over TCP, UDP or for a name server. Or it drops silently, which looks like a drop on the path,
/// except that the kernel reports that it could not retransmit its SYNs.
pub(super) const FIREWALL: FindingRule = FindingRule {
    kind: FindingKind::LocalFirewall,
    claims: EndpointMatcher::Each(|view, row| is_refused_here(view, row).then(|| THIS_VM.into())),
    describe: firewall,
};

/// It queries a stub resolver of its own, which gives no answer. The instance does not use that stub, so this is a
/// notice.
pub(super) const STUB: FindingRule = FindingRule {
    kind: FindingKind::LocalStub,
    claims: EndpointMatcher::Groups(|view, _| {
        let stubbed = view.rows.iter().filter(|row| was_not_tried(row) && is_stubbed(row));
        FindingGroup::unless_empty(THIS_VM, stubbed.copied().collect())
    }),
    describe: stub,
};

fn is_refused_here(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    is_blocked_locally(view, row)
        || row
            .icmp()
            .any(|(error, after)| view.is_own(error) && !view.is_dead_next_hop(error, after))
}

/// Whether the kernel could not send on any of its connections, and neither an outage of the link nor the next hop explains
/// why.
fn is_blocked_locally(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let blocked_locally = |attempt: &Attempt| {
        let tcp = attempt.tcp.as_ref();
        tcp.is_some_and(|tcp| matches!(tcp.end, TcpEnd::Silent { kept_here: true, .. }))
    };
    row.cause() == Some(Cause::TcpTimeout)
        && row.decisive().is_some_and(blocked_locally)
        && view.outage(row).is_none()
        && view.unanswered_hops(row).next().is_none()
}

fn firewall<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let errors: Vec<String> = group
        .rows
        .iter()
        .flat_map(ProbedEndpoint::icmp)
        .filter(|(error, _)| view.is_own(error))
        .map(|(error, _)| format!("{error}; the sender is one of this VM's own addresses"))
        .collect();
    let shown = distinct(errors.iter().map(String::as_str)).into_iter().take(2);
    let blocked_locally: Vec<ProbedEndpoint<'a>> = group
        .rows
        .iter()
        .filter(|row| is_blocked_locally(view, row))
        .copied()
        .collect();
    let dropped = (!blocked_locally.is_empty()).then(|| {
        format!(
            "the kernel could not retransmit its SYNs to {} (TCP_INFO), so they are dropped before they leave this VM",
            phrases::host_count(&blocked_locally)
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
