//! From many rows to few root causes.
//!
//! [`RULES`] is the only list of what can be found, from the widest cause to the narrowest: what comes later sees only
//! what is left. The last of them group what is left by dependency and cause, so that every endpoint that is not as
//! expected ends in exactly one finding. Some rules are about endpoints that work: some addresses of a name, name
//! servers that differ, hints, what the instance shows, traffic that no probe sees.

use std::cmp::Reverse;

use super::{
    fix,
    grounds::EvidenceWeight,
    handover, outage, reconcile,
    refutation::Refutation,
    rule::{Explanation, FindingGroup, FindingRule},
    traceroute,
    view::{ProbedEndpoint, RunView},
};
use crate::{
    import::OWN_HOSTNAMES,
    model::{Cause, Confidence, FailureMode, Finding, FindingKind, Need, Stage, Suspect, Verdict},
    probe::own_network::Outage,
};

mod backend_ca;
mod clock;
mod cut;
mod cut_port;
mod dead_next_hop;
mod deny_page;
mod dns_policy;
mod flows;
mod icmp;
mod inspection;
pub(super) mod instance_view;
mod kms;
mod limits;
mod link_lost;
mod local;
mod loss;
mod must_be_blocked;
mod name_servers;
mod names;
mod no_outbound;
mod no_route;
mod own_hostname;
mod own_vm;
mod partial;
mod phrases;
mod platform;
mod private_endpoint;
mod private_zone;
mod remaining;
mod reset;
mod retired;
mod same_page;
mod silence;
mod size;
mod subnets;
mod unprobed;

pub(super) use self::no_route::is_without_network;

/// Ordered from the widest cause to the narrowest.
pub static RULES: &[FindingRule] = &[
    must_be_blocked::OPEN,
    must_be_blocked::NEVER_TRIED,
    link_lost::RULE,
    local::FIREWALL,
    no_route::NO_ROUTE,
    local::STUB,
    limits::LIMITS,
    dead_next_hop::RULE,
    no_outbound::OUTBOUND_BLOCKED,
    no_outbound::NO_OUTBOUND,
    dns_policy::RULE,
    size::RULE,
    flows::RULE,
    loss::RULE,
    name_servers::NO_NAMES,
    name_servers::SOME_NAMES,
    name_servers::NAME_SERVER,
    own_hostname::RULE,
    private_zone::RULE,
    private_endpoint::RULE,
    names::SINKHOLE,
    names::PRIVATE_ADDRESS,
    names::POLICY,
    clock::RULE,
    inspection::PORTAL,
    backend_ca::RULE,
    inspection::INSPECTION,
    inspection::WRONG_NAME,
    icmp::REFUSAL,
    icmp::UNREACHABLE,
    deny_page::RULE,
    same_page::RULE,
    cut_port::RULE,
    cut::NAME_FILTER,
    reset::RESETS,
    kms::SILENCE,
    silence::PORTS,
    silence::TAGS,
    silence::REMAINING,
    reset::REMAINING,
    icmp::REMAINING,
    names::REMAINING,
    cut::REMAINING,
    remaining::WRONG_SERVICE,
    remaining::EXPIRED,
    partial::SOME_ADDRESSES,
    partial::LATE_CUT,
    partial::DNS_DIFFERS,
    kms::ACTIVATION,
    retired::RULE,
    instance_view::INSTANCE_FAILS,
    instance_view::VM_FAILS,
    instance_view::DNS_SERVERS,
    instance_view::INBOUND,
    instance_view::INTERNAL,
    instance_view::STALE,
    subnets::ENDPOINT_POLICY,
    subnets::OTHER_RULES,
    unprobed::NSG_DENY,
    unprobed::ASYMMETRIC_ROUTE,
];

/// Maximum number of sentences of evidence in a finding; the rest is shown with its endpoints.
const MAX_EVIDENCE: usize = 6;

/// A finding before it gets the form of the report.
struct FindingDraft<'a> {
    kind: FindingKind,
    group: FindingGroup<'a>,
    explanation: Explanation,
    confidence: Confidence,
    /// Whether an outage of this machine's own network may explain missing replies.
    is_in_outage: bool,
}

/// The root causes of a run, the most important first. Every endpoint that is not as expected belongs to exactly one.
pub fn root_causes(view: &RunView<'_>) -> Vec<Finding> {
    let mut unexplained: Vec<ProbedEndpoint<'_>> = view
        .rows
        .iter()
        .copied()
        .filter(ProbedEndpoint::is_unexpected)
        .collect();
    let mut found = Vec::new();
    let is_refuted = Refutation::of(view).is_some();
    for rule in RULES {
        for group in rule.claims.groups(view, &unexplained) {
            if let Some(finding) = FindingDraft::by(rule, view, group, is_refuted) {
                unexplained.retain(|row| !finding.group.rows.iter().any(|other| other.index == row.index));
                found.push(finding);
            }
        }
    }
    found.sort_by_key(FindingDraft::weight);
    found.into_iter().map(|finding| finding.finish(view)).collect()
}

impl<'a> FindingDraft<'a> {
    /// A rule's account of a group; `None` if its grounds refute it.
    fn by(rule: &FindingRule, view: &RunView<'a>, group: FindingGroup<'a>, are_rules_refuted: bool) -> Option<Self> {
        let mut explanation = (rule.describe)(view, &group);
        remote_side(&group.rows, &mut explanation);
        let mut outage = None;
        if !rule.kind.is_about_the_link() {
            if !are_rules_refuted {
                reconcile::refine(&group.rows, &mut explanation);
            }
            outage = outage_meanwhile(view, &group.rows);
            doubt(view, &group.rows, outage, &mut explanation);
        }
        traceroute::evidence::refine(view, &group.rows, &mut explanation);
        let confidence = explanation.grounds.confidence()?;
        let only_documented = !group.rows.is_empty() && need(&group.rows) == Some(Need::Documented);
        Some(Self {
            kind: rule.kind,
            confidence: if only_documented { Confidence::Low } else { confidence },
            group,
            explanation,
            is_in_outage: outage.is_some(),
        })
    }

    /// Whether the instance cannot be activated as long as the fault exists.
    fn stops_activation(&self) -> bool {
        let fails = |row: &ProbedEndpoint<'_>| !row.judgement.verdict.is_proved() && row.endpoint.stops_activation;
        self.group.rows.iter().any(fails)
    }

    /// The order of findings: hints last; before them what stops activation, other required ones, features. Of two
    /// equal ones, the one that explains more comes first, then the catalog's order decides.
    fn weight(&self) -> impl Ord + use<> {
        (
            self.confidence == Confidence::Low,
            !self.stops_activation(),
            need(&self.group.rows).unwrap_or(Need::Documented),
            Reverse(self.group.rows.len()),
            self.group.rows.iter().map(|row| row.index).min(),
        )
    }

    /// The finding as reports carry it.
    fn finish(self, view: &RunView<'_>) -> Finding {
        let stops_activation = self.stops_activation();
        let Self {
            kind,
            group: FindingGroup { scope, rows },
            explanation,
            confidence,
            is_in_outage,
        } = self;
        let fix = explanation.fix.verify(fix::check_from_instance(&rows, view));
        let mut evidence = explanation.grounds.sentences();
        evidence.truncate(MAX_EVIDENCE);
        let finding = Finding {
            id: format!("{kind}/{scope}"),
            kind: Some(kind),
            cause: cause(&rows),
            title: explanation.title,
            confidence,
            need: need(&rows),
            stops_activation,
            docs: Some(kind.docs().into()),
            endpoints: rows.iter().map(|row| row.endpoint.id.clone()).collect(),
            evidence: evidence.into_iter().map(phrases::capital).collect(),
            fix: fix::finish(fix, &explanation.suspects, view),
            path: traceroute::evidence::path(view, &rows),
            suspects: explanation.suspects,
            impact: explanation.impact.unwrap_or_else(|| phrases::impact(&rows)),
            handover: None,
        };
        let handover = handover::handover(&finding, &rows, view);
        let mut finding = Finding { handover, ..finding };
        // After the hand-over: requests to other teams do not depend on it.
        if is_in_outage {
            finding.fix.summary = format!(
                "Run again: this VM's own network was down during the run. If the result is the same: {}",
                finding.fix.summary
            );
        }
        finding
    }
}

/// An outage of this machine's own network that may explain missing replies.
fn outage_meanwhile<'a>(view: &RunView<'a>, rows: &[ProbedEndpoint<'a>]) -> Option<&'a Outage> {
    let mut failed = rows.iter().filter(|row| row.cause().is_some());
    failed.find_map(|row| view.outage(row)).map(|(outage, _)| outage)
}

/// A missing reply is less certain evidence if this machine's own network was down meanwhile, or on a line that loses
/// packets or is slow; if the line loses many, it is none.
fn doubt(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>], outage: Option<&Outage>, explanation: &mut Explanation) {
    if let Some(outage) = outage {
        explanation.grounds.add(
            EvidenceWeight::Contradicts,
            format!(
                "this VM's own {}, so the missing replies may be its fault",
                outage::sentence(outage)
            ),
        );
    }
    let is_silence = |row: &ProbedEndpoint<'_>| {
        row.cause().is_some_and(|cause| cause.ending() == FailureMode::Silence) && !loss::outlasts(view, row)
    };
    let doubt = "other connections in this run needed retransmission, so the missing replies may be random packet loss";
    if view.line.is_poor() && rows.iter().any(is_silence) {
        explanation.grounds.add(EvidenceWeight::Contradicts, doubt);
    } else if rows.iter().any(|row| loss::may_be_random(view, row)) {
        explanation.grounds.add(EvidenceWeight::LeavesOpen, doubt);
    }
}

/// The instance's own hosts have rules at their end, which cannot be seen from here.
fn remote_side(rows: &[ProbedEndpoint<'_>], explanation: &mut Explanation) {
    let is_at_its_end = |row: &ProbedEndpoint<'_>| {
        let stage = row.judgement.stage;
        let is_own = row.endpoint.of_instance.is_some() && row.endpoint.dependency != OWN_HOSTNAMES;
        is_own && row.cause().is_some() && stage.is_some_and(|stage| stage == Stage::Tcp)
    };
    if rows.is_empty() || !rows.iter().all(is_at_its_end) {
        return;
    }
    explanation
        .fix
        .summary
        .push_str(" At the backend, allow the instance's whole subnet: calls come from any of its machines.");
    if !explanation.suspects.contains(&Suspect::Service) {
        explanation.suspects.push(Suspect::Service);
    }
}

/// The highest need among some rows.
fn need(rows: &[ProbedEndpoint<'_>]) -> Option<Need> {
    rows.iter().map(|row| row.endpoint.need).min()
}

/// The cause that all rows share. Rows that are only documented do not count, unless there are no others.
fn cause(rows: &[ProbedEndpoint<'_>]) -> Option<Cause> {
    let counts = |row: &&ProbedEndpoint<'_>| row.endpoint.need != Need::Documented;
    let any = rows.iter().any(|row| counts(&row));
    let mut causes = rows.iter().filter(|row| !any || counts(row)).map(|row| {
        row.judgement
            .cause
            .filter(|_| row.judgement.verdict != Verdict::Unproven)
    });
    let first = causes.next()??;
    // Why nothing was sent to these rows is not the cause of what the network's rules predict for them.
    (first != Cause::NotOutbound && causes.all(|cause| cause == Some(first))).then_some(first)
}
