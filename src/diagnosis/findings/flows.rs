//! Partial failures: some of several connections to one address pass and others do not.

use std::collections::BTreeSet;

use super::phrases;
use crate::{
    diagnosis::{
        combine::share,
        grounds::{EvidenceWeight, Grounds},
        outcome::AttemptVerdict,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, same_class, should_work},
    },
    model::{Basis, Cause, FailureMode, FindingKind, Fix, Need, Suspect, Verdict, prediction::Expected},
    net::tcp::TcpEnd,
    probe::trace::Attempt,
    text::words::{count, list},
};

/// One instance of a group this large gets one connection in this many; a smaller share is not a dead instance.
const MAX_INSTANCES: usize = 10;

/// One instance of a pair loses the connections that it receives: an appliance or firewall instance is selected by
/// source port, so connections to one address have different results. All of these rows are one finding, and so are
/// rows that stay blocked in the same way in such a run: none of their connections went through the working instance.
///
/// If a line loses so many packets that random loss explains the same results, the line is at fault instead.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::Flows,
    claims: EndpointMatcher::Groups(divided),
    describe,
};

fn divided<'a>(view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>> {
    let differs = |row: &&ProbedEndpoint<'a>| view.differing(row).next().is_some();
    let split: Vec<ProbedEndpoint<'a>> = view.needed().filter(differs).copied().collect();
    if split.is_empty() || is_loss(view) {
        return Vec::new();
    }
    let ways = ways(view, &split);
    let blocked = unexplained
        .iter()
        .filter(|row| should_work(row) && stays_blocked(view, row, &ways));
    let documented = view.rows.iter().filter(|row| row.endpoint.need == Need::Documented);
    let mut rows: Vec<ProbedEndpoint<'a>> = split
        .iter()
        .chain(blocked)
        .chain(documented.filter(differs))
        .copied()
        .collect();
    rows.sort_by_key(|row| row.index);
    rows.dedup_by_key(|row| row.index);
    let scope = match phrases::dependencies(&rows)[..] {
        _ if is_wide(view, &rows) => "pair",
        [one] => one,
        _ => "some",
    };
    vec![FindingGroup::new(scope, rows)]
}

/// How connections fail while others to the same address pass.
fn ways<'a>(view: &RunView<'a>, rows: &[ProbedEndpoint<'a>]) -> Vec<Cause> {
    let failing = rows.iter().flat_map(|row| view.differing(row));
    failing.map(|(_, cause)| cause).collect()
}

/// The single connections to every other host are evidence for or against a fault on the path.
fn is_wide(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> bool {
    phrases::hosts(rows).len() > 1 || whole(view) == 0
}

/// Whether lost packets explain why connections differ: so many are lost that any connection may fail, or so few
/// connections fail where others pass that no instance of a pair can be dead.
pub(super) fn is_loss(view: &RunView<'_>) -> bool {
    let failed = view.rows.iter().flat_map(|row| view.differing(row)).count();
    let passed = view
        .rows
        .iter()
        .flat_map(connections)
        .filter(|connection| connection.passed)
        .count();
    view.line.is_poor() || (view.line.loses() && failed * MAX_INSTANCES < failed + passed)
}

/// Whether a row may be blocked for the reason that makes other rows' connections fail intermittently: it fails in the
/// same way.
fn stays_blocked(view: &RunView<'_>, row: &ProbedEndpoint<'_>, ways: &[Cause]) -> bool {
    let Some(cause) = row.cause() else { return false };
    // A rule that is known to deny it is the better explanation.
    if row
        .prediction
        .is_some_and(|prediction| prediction.verdict == Expected::Deny)
    {
        return false;
    }
    if row.fails_by_name() {
        // A name without an answer counts only if UDP queries show the same: otherwise the name may be the reason.
        return cause == Cause::DnsTimeout && is_silence(ways) && view.line.repeated > 0;
    }
    ways.iter().any(|way| same_class(*way, cause))
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let connections: Vec<FlowResult> = rows.iter().flat_map(connections).collect();
    let (tried, passed) = (connections.len(), connections.iter().filter(|c| c.passed).count());
    let hosts = phrases::hosts(rows);
    let silent = is_silence(&ways(view, rows));
    let is_wide = is_wide(view, rows);
    let title = match hosts.as_slice() {
        [host] if !is_wide && passed == 0 => format!("{host}: some connections open, others are lost"),
        [host] if !is_wide => format!("{host}: {}", share(passed, tried)),
        _ => format!(
            "{} of the connections {}: one instance of a pair fails",
            lost_share(view, rows),
            if silent { "are lost" } else { "are cut" }
        ),
    };
    let mut grounds = Grounds::default()
        .with(
            weight(is_wide, passed, tried),
            format!("{} to {}", share(passed, tried), count(hosts.len(), "host")),
        )
        .note("connections to the same address and port give different results; a rule would treat them all the same")
        .all(EvidenceWeight::Notes, ports(&connections));
    let blocked: Vec<ProbedEndpoint<'a>> = rows
        .iter()
        .filter(|row| view.differing(row).next().is_none())
        .copied()
        .collect();
    if !blocked.is_empty() {
        let named: Vec<&str> = phrases::hosts(&blocked);
        grounds = grounds.carried(format!(
            "none gets through to {}: {}",
            count(named.len(), "host"),
            list(&named, 3)
        ));
    }
    let open_elsewhere =
        |row: &&ProbedEndpoint<'a>| view.differing(row).next().is_some() && !row.judgement.verdict.is_proved();
    if let Some(row) = rows.iter().find(open_elsewhere) {
        grounds = grounds.note(format!(
            "{} accepts connections for another endpoint: within one run, the same address and port accepts some \
             connections and does not answer others",
            row.endpoint.target()
        ));
    }
    if silent {
        grounds = grounds.open("SNAT port exhaustion would look the same: it also loses new connections");
    }
    if !is_wide {
        grounds = grounds.note(format!(
            "{} worked on the first connection",
            count(whole(view), "other endpoint")
        ));
    }
    Explanation {
        title,
        grounds: grounds.all(EvidenceWeight::Notes, phrases::examples(rows)),
        suspects: suspects(is_wide, silent),
        fix: Fix::new(remedy(is_wide, silent)).look([
            "az network lb show -g RG -n LB --query \"{rules:loadBalancingRules, probes:probes}\"",
            "az monitor metrics list --resource LB_ID --metric DipAvailability,SnatConnectionCount,UsedSnatPorts",
        ]),
        impact: None,
    }
}

/// Whether the failing connections get no reply, at least some of them.
fn is_silence(ways: &[Cause]) -> bool {
    ways.iter().any(|way| way.ending() == FailureMode::Silence)
}

/// One connection with the usual segments, and whether it passed.
struct FlowResult {
    passed: bool,
    source: Option<u16>,
}

fn connections(row: &ProbedEndpoint<'_>) -> Vec<FlowResult> {
    let both = row.attempts().iter().zip(&row.judgement.outcomes);
    both.filter(|(_, outcome)| !outcome.control && !matches!(outcome.verdict, AttemptVerdict::NotTried(_)))
        .map(|(attempt, outcome)| FlowResult {
            passed: outcome.verdict.passes(),
            source: attempt
                .connection()
                .and_then(|tcp| tcp.source)
                .map(|source| source.port()),
        })
        .collect()
}

/// Whether an endpoint over TCP was verified at the first connection to each address.
fn is_whole(row: &ProbedEndpoint<'_>) -> bool {
    let opens = |attempt: &Attempt| attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    row.judgement.verdict == Verdict::Reachable && row.judgement.flows.is_none() && row.attempts().iter().any(opens)
}

fn whole(view: &RunView<'_>) -> usize {
    view.rows.iter().filter(|row| is_whole(row)).count()
}

/// `Half`, or the share in percent. Connections that passed at once are included: further connections are only made
/// where one failed, so those alone would give too large a share.
fn lost_share(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> String {
    let ports: BTreeSet<u16> = rows.iter().map(|row| row.endpoint.port).collect();
    let beside = view
        .rows
        .iter()
        .filter(|row| is_whole(row) && ports.contains(&row.endpoint.port));
    let all: Vec<FlowResult> = rows.iter().chain(beside).flat_map(connections).collect();
    let lost = all.iter().filter(|connection| !connection.passed).count();
    match lost * 100 / all.len().max(1) {
        40..=60 => "Half".into(),
        percent => format!("{percent} %"),
    }
}

/// Source ports that pass and ports that do not, so that they can be searched for in a capture or a firewall's log.
fn ports(connections: &[FlowResult]) -> Option<String> {
    let of = |passed| -> Vec<String> {
        let ports: BTreeSet<u16> = connections
            .iter()
            .filter(|connection| connection.passed == passed)
            .filter_map(|connection| connection.source)
            .collect();
        ports.into_iter().take(3).map(|port| port.to_string()).collect()
    };
    let (lost, kept) = (of(false), of(true));
    let and = |ports: &[String]| list(&ports.iter().map(String::as_str).collect::<Vec<_>>(), 3);
    (!lost.is_empty() && !kept.is_empty()).then(|| {
        format!(
            "connections from source ports such as {} fail, those from {} work",
            and(&lost),
            and(&kept)
        )
    })
}

/// A pair shows as many connections, of which many pass and many do not.
fn weight(is_wide: bool, passed: usize, tried: usize) -> EvidenceWeight {
    match (is_wide, passed.min(tried - passed)) {
        (false, _) => EvidenceWeight::Notes,
        (true, 0..=2) => EvidenceWeight::Supports(Basis::Ambiguous),
        (true, _) => EvidenceWeight::Supports(Basis::Pattern),
    }
}

fn suspects(is_wide: bool, silent: bool) -> Vec<Suspect> {
    let firewall = if silent {
        Suspect::FirewallNetworkRule
    } else {
        Suspect::FirewallApplicationRule
    };
    let mut suspects = vec![Suspect::Nva, firewall];
    if !is_wide {
        suspects.push(Suspect::Service);
    }
    suspects
}

fn remedy(is_wide: bool, silent: bool) -> String {
    let mut remedy = String::from(
        "Check the instances behind the load balancer that the route leads to: their health and rules, and whether return \
         traffic takes the same path.",
    );
    if silent {
        remedy.push_str(" If outbound traffic uses a NAT, check its port usage.");
    }
    if !is_wide {
        remedy.push_str(" As only this destination is affected, its own front end may be failing.");
    }
    remedy
}
