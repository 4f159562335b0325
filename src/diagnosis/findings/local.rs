//! This machine itself: its firewall, its routes, its limits. None of it says anything about the instance.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        findings::dead_next_hop,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Suspect},
    text::words::distinct,
};

/// Four faults of this VM alone:
/// - its own firewall refuses: an ICMP error whose sender is an address of this machine (not the kernel's word for a dead
///   next hop), over TCP, UDP or on the way to a name server;
/// - it has no route: `connect` itself failed, before any packet;
/// - it could not try: no descriptors, no permission. Those rows are not blocked, they are not tested;
/// - it asks names of a stub of its own, which gives no answer.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let refused = pool.take(|row| is_refused_here(view, row));
    let routeless = pool.take(is_without_route);
    let (stubbed, untried): (Vec<Row<'a>>, Vec<Row<'a>>) = view
        .rows
        .iter()
        .copied()
        .filter(|row| row.judgement.cause == Some(Cause::LocalFault))
        .partition(is_stubbed);
    [
        (
            refused,
            "local-firewall",
            "firewall-of-this-vm",
            "own firewall refuses traffic",
            "Let the agent's traffic out of this VM's own firewall, then run again.",
        ),
        (
            routeless,
            "no-route",
            "routes-of-this-vm",
            "routing table has no way",
            "Give this VM a default route, then run again.",
        ),
        (
            untried,
            "local-fault",
            "limits-of-this-vm",
            "limits or rights keep it from trying",
            "Lift what keeps this VM from trying, then run again.",
        ),
        (
            stubbed,
            STUB,
            "stub-of-this-vm",
            "stub resolver fails for",
            "Repair the stub, or pass --dns-server with a name server of the virtual network, and run again.",
        ),
    ]
    .into_iter()
    .filter(|(rows, ..)| !rows.is_empty())
    .map(|(rows, what, scope, reason, fix)| {
        let to = if matches!(what, "local-fault" | STUB) {
            ""
        } else {
            " to"
        };
        Draft {
            impact: None,
            severity: Severity::Failure,
            what: What::of(&rows, what),
            scope: scope.into(),
            title: format!("This VM's {reason}{to} {}", say::host_count(&rows)),
            // What the instance does not share is worth a note.
            confidence: if what == STUB {
                Confidence::Low
            } else {
                Confidence::Certain
            },
            evidence: evidence(view, &rows),
            suspects: vec![Suspect::LocalHost],
            fix: Fix::new(fix).look(commands(what)),
            rows,
        }
    })
    .collect()
}

/// The word for a stub of this VM that gives no answer.
const STUB: &str = "local-stub";

/// Whether its name was asked of a stub of this VM, in vain.
fn is_stubbed(row: &Row<'_>) -> bool {
    matches!(row.judgement.name, Some(Err(_))) && row.deciding_server().is_some_and(|server| server.ip().is_loopback())
}

fn is_refused_here(view: &RunView<'_>, row: &Row<'_>) -> bool {
    row.icmp()
        .any(|(error, after)| view.is_own(error) && !dead_next_hop::is_dead_next_hop(view, error, after))
}

fn is_without_route(row: &Row<'_>) -> bool {
    row.cause() == Some(Cause::TcpNoRoute)
        || (row.cause().is_some()
            && row
                .failures()
                .any(|(failure, _)| failure.straight && failure.icmp.is_empty() && failure.errno.is_some()))
}

fn evidence(view: &RunView<'_>, rows: &[Row<'_>]) -> Vec<String> {
    let errors: Vec<String> = rows
        .iter()
        .flat_map(Row::icmp)
        .map(|(error, _)| error.to_string())
        .collect();
    let mut sentences = match distinct(errors.iter().map(String::as_str))[..] {
        [] => say::examples(rows),
        ref errors => errors
            .iter()
            .take(2)
            .map(|error| format!("{error}: an address of this VM itself"))
            .collect(),
    };
    let others = view.proved().count();
    if others > 0 {
        sentences.push(format!("{others} other endpoints prove themselves from here"));
    }
    sentences.push("the instance stands on other machines, so this says nothing about it".into());
    sentences
}

fn commands(what: &str) -> Vec<String> {
    let lines: &[&str] = match what {
        "local-firewall" => &["sudo nft list ruleset", "sudo iptables -S OUTPUT"],
        "no-route" => &["ip route show table all"],
        STUB => &["resolvectl status"],
        _ => &["ulimit -n"],
    };
    lines.iter().map(ToString::to_string).collect()
}
