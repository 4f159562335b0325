//! SYNs that are answered with a reset.

use super::{phrases, remaining};
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        outcome::Outcome,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::words::count,
};

/// One service may not be listening on a port; services of several dependencies do not all stop listening.
const MIN_DEPENDENCIES: usize = 3;

/// SYNs to several dependencies are answered with resets: a device on the path refuses them. An NSG never resets. The
/// device is certain only for rows that one rule by port, or by port and service tag, explains completely; besides
/// that, a service may refuse by itself.
pub(super) const RESETS: FindingRule = FindingRule {
    kind: FindingKind::Reset,
    claims: EndpointMatcher::Each(|_, row| is_refused(row).then(|| "resets".into())),
    describe: resets,
};

/// The remaining resets: the service itself is a suspect.
pub(super) const REMAINING: FindingRule = FindingRule {
    kind: FindingKind::Reset,
    claims: EndpointMatcher::Groups(|view, rows| remaining::of(view, rows, FindingKind::Reset)),
    describe: |view, group| {
        let explanation = remaining::describe(view, group, "is refused with a reset");
        Explanation {
            grounds: explanation
                .grounds
                .open("a service that does not listen on this port would answer in the same way"),
            ..explanation
        }
    },
};

/// Rows that no rule (for everything, by port, by tag, or by both) explains together with services of other owners.
fn others_on_port(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Option<String> {
    let tried: Vec<&ProbedEndpoint<'_>> = view.rows.iter().filter(|row| is_probed(row)).collect();
    let is_whole = |row: &ProbedEndpoint<'_>, by_port: bool, by_tag: bool| {
        let is_similar = |other: &&ProbedEndpoint<'_>| {
            (!by_port || other.endpoint.port == row.endpoint.port) && (!by_tag || other.tag() == row.tag())
        };
        let similar_rows: Vec<ProbedEndpoint<'_>> = tried.iter().copied().filter(is_similar).copied().collect();
        similar_rows.iter().all(is_reset) && phrases::dependencies(&similar_rows).len() >= MIN_DEPENDENCIES
    };
    let is_lone = |row: &&ProbedEndpoint<'_>| {
        let rules = [(false, false), (true, false), (false, true), (true, true)];
        !rules.iter().any(|(by_port, by_tag)| is_whole(row, *by_port, *by_tag))
    };
    let hosts = phrases::hosts(rows.iter().filter(is_lone)).len();
    (hosts > 0).then(|| {
        format!(
            "others on this port and with the same tag are not refused, so {} may simply not be listening",
            count(hosts, "host")
        )
    })
}

/// Whether it was tried over TCP.
fn is_probed(row: &ProbedEndpoint<'_>) -> bool {
    let outcomes = &row.judgement.outcomes;
    row.is_tcp() && row.tested_server().is_none() && outcomes.iter().any(|outcome| outcome.tcp.is_some())
}

/// Whether nothing but resets came back, whatever the verdict.
fn is_reset(row: &ProbedEndpoint<'_>) -> bool {
    let mut outcomes = row.judgement.outcomes.iter();
    let opens = |outcome: &Outcome| outcome.tcp == Some(Ok(()));
    outcomes
        .clone()
        .any(|outcome| outcome.tcp == Some(Err(Cause::TcpRefused)))
        && !outcomes.any(opens)
}

fn is_refused(row: &ProbedEndpoint<'_>) -> bool {
    row.cause() == Some(Cause::TcpRefused) && row.tested_server().is_none()
}

fn resets<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let all = format!(
        "{} of {} answer our SYN with a reset",
        phrases::host_count(rows),
        phrases::subject(rows)
    );
    let grounds = if phrases::dependencies(rows).len() < MIN_DEPENDENCIES {
        Grounds::default().refuted("services of one or two dependencies may not be listening there")
    } else {
        Grounds::default()
            .pattern(all)
            .pattern(
                "services of so many owners do not all stop listening at once: a device on the path refuses the \
                connections",
            )
            .all(EvidenceWeight::Carries(Basis::Ambiguous), others_on_port(view, rows))
    };
    let allow = fix::allow_at("the device that resets", rows, view);
    Explanation {
        title: format!(
            "A device on the path resets {} to {}",
            phrases::ports(rows),
            phrases::host_count(rows)
        ),
        grounds: grounds.all(EvidenceWeight::Notes, phrases::examples(rows)),
        suspects: vec![Suspect::Nva, Suspect::FirewallNetworkRule, Suspect::Udr],
        fix: Fix::new(allow.summary).look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        impact: None,
    }
}
