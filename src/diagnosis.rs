//! From traces to verdicts, causes and findings: pure functions, no socket, no clock.
//!
//! Each attempt is first judged on its own ([`attempt`]), then together with the others of its endpoint ([`combine`]),
//! and finally in the context of the whole run ([`context`]): what a cut means can depend on what else was verified.

use std::net::IpAddr;

use jiff::SignedDuration;

use crate::{
    diagnosis::outcome::{AttemptVerdict, Judgement, Outcome},
    model::{Cause, Finding, Need, Prediction, Protocol, Stage, Verdict},
    net::tcp::TcpEnd,
    network::Predictions,
    plan::{Plan, PlannedEndpoint},
    probe::{
        Run,
        clock::ClockOffset,
        control::ControlReason,
        flows::ConnectionResult,
        trace::{Attempt, Trace},
    },
};

pub mod attempt;
pub mod combine;
pub mod context;
mod dns;
mod documented_only;
pub mod findings;
mod fix;
pub mod grounds;
mod handover;
mod hello;
mod http;
mod no_network;
mod notices;
mod outage;
pub mod outcome;
mod pages;
mod reconcile;
mod refutation;
pub mod rule;
mod shared_address;
mod socket;
mod sql_substitute;
mod tls;
pub mod traceroute;
pub mod view;

use self::{
    context::Context,
    refutation::Refutation,
    view::{ProbedEndpoint, RunView, Surroundings},
};

/// Everything that a run has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// One judgement for each endpoint of the plan, in its order.
    pub judgements: Vec<Judgement>,
    /// The root causes, the most important first.
    pub findings: Vec<Finding>,
    /// What the network's own rules predict for each endpoint; empty if none were given.
    pub predictions: Vec<Option<Prediction>>,
    /// A sentence if the given rules are not the ones in force; it comes before every other notice.
    pub refutation: Option<String>,
    /// Notices about the run as a whole, one sentence each.
    pub notices: Vec<String>,
    /// Whether no packet could leave this machine for any service, so that the run shows nothing about the network.
    pub without_network: bool,
    /// How far this machine's clock is off, according to verified peers.
    pub clock_skew: Option<SignedDuration>,
}

/// Judges a whole run, made at `place`; `predictions` are what the network's own rules predict for the plan.
pub fn diagnose(plan: &Plan, run: &Run, predictions: Option<&Predictions>, place: Surroundings<'_>) -> Diagnosis {
    let mut judgements = judgements(plan, run, place.addresses);
    let view = RunView::new(plan, run, &judgements, predictions, place);
    let findings = findings::root_causes(&view);
    let without_network = findings::is_without_network(&view);
    let wrong_clock = view.clock.filter(ClockOffset::is_off);
    let notices = notices::notices(plan, run, &judgements, predictions, wrong_clock, place.started_at);
    let clock_skew = wrong_clock.filter(|clock| clock.signed).map(|clock| clock.ahead);
    let refutation = Refutation::of(&view);
    let remark = |row| remarks(&view, row, refutation.is_some());
    let remarks: Vec<Vec<String>> = view.rows.iter().map(remark).collect();
    for (judgement, remarks) in judgements.iter_mut().zip(remarks) {
        judgement.evidence.extend(remarks);
    }
    Diagnosis {
        judgements,
        findings,
        predictions: predictions.map_or_else(Vec::new, |predictions| predictions.endpoints.clone()),
        refutation: refutation.map(|refutation| refutation.to_string()),
        notices,
        without_network,
        clock_skew,
    }
}

/// What the run shows about every endpoint.
fn judgements(plan: &Plan, run: &Run, addresses: &[IpAddr]) -> Vec<Judgement> {
    let context = Context::gather(plan, run);
    let judge = |(endpoint, trace): (&PlannedEndpoint, &Option<Trace>)| match (&endpoint.untested, trace) {
        (Some(untested), _) => Judgement::untested(untested),
        (None, Some(trace)) => {
            let mut judgement = judge(endpoint, trace, &context);
            // If packet size is the cause, another name shows nothing.
            if run.controls.is_empty() || judgement.cause == Some(Cause::PathMtu) {
                return judgement;
            }
            for attempt in &trace.attempts {
                for sentence in context.controls(endpoint, attempt, suspect(endpoint, attempt)) {
                    if !judgement.evidence.contains(&sentence) {
                        judgement.evidence.push(sentence);
                    }
                }
            }
            judgement
        }
        (None, None) => unfinished(run.interrupted),
    };
    let mut judgements: Vec<Judgement> = plan.endpoints.iter().zip(&run.traces).map(judge).collect();
    shared_address::reconsider(plan, &context, &mut judgements);
    pages::reconsider(plan, &run.traces, &mut judgements);
    documented_only::reconsider(plan, &context, &mut judgements);
    sql_substitute::reconsider(plan, &mut judgements);
    no_network::reconsider(plan, run, addresses, &mut judgements);
    outage::reconsider(plan, run, &mut judgements);
    judgements
}

/// What others say about an endpoint: the instance, and the network's own rules.
fn remarks(view: &RunView<'_>, row: &ProbedEndpoint<'_>, is_refuted: bool) -> Vec<String> {
    let outside = view
        .predictions
        .and_then(|predictions| predictions.outside_their_tag.get(row.index)?.clone());
    let instance = findings::instance_view::says_of(view, row);
    instance
        .into_iter()
        .chain(reconcile::compare(row, is_refuted))
        .chain(outside)
        .collect()
}

/// Judges one endpoint by its own trace, as far as possible while others are still being probed.
pub fn preview(endpoint: &PlannedEndpoint, trace: &Trace) -> Verdict {
    judge(endpoint, trace, &Context::default()).verdict
}

/// What a finished attempt requires next.
pub fn suspect(endpoint: &PlannedEndpoint, attempt: &Attempt) -> ControlReason {
    let accepted = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    let outcome = attempt::judge(endpoint, attempt, &Context::default());
    if !accepted {
        return ControlReason::None;
    }
    match (outcome.verdict, outcome.verdict.cause()) {
        (verdict, _) if verdict.passes() => ControlReason::Proved,
        (_, Some(Cause::HelloReset | Cause::HelloClosed | Cause::HelloTimeout))
            if endpoint.protocol == Protocol::Http =>
        {
            ControlReason::Cut
        }
        (_, Some(Cause::TlsReset | Cause::TlsClosed | Cause::TlsTimeout | Cause::TlsAlert)) => ControlReason::Cut,
        // A public certificate, even for another name, shows that the network let us through.
        (_, Some(Cause::TlsWrongName)) => ControlReason::None,
        // Many services are documented on ports that they hardly offer: a run should not wait for a control of those.
        (AttemptVerdict::Unproven(_), _) if endpoint.need == Need::Documented => ControlReason::None,
        (AttemptVerdict::Unproven(_), _)
        | (
            AttemptVerdict::Failed(_),
            Some(
                Cause::HelloTimeout
                | Cause::HelloReset
                | Cause::HelloClosed
                | Cause::HelloUnexpected
                | Cause::TlsNotTls,
            ),
        ) => ControlReason::Unproven,
        _ => ControlReason::None,
    }
}

/// What a finished connection showed, as far as that is known while others are still open.
pub fn showing(endpoint: &PlannedEndpoint, attempt: &Attempt) -> ConnectionResult {
    let outcome = attempt::judge(endpoint, attempt, &Context::default());
    match outcome.verdict {
        verdict if verdict.passes() && verdict.went_silent() => ConnectionResult::ProvedThenSilent,
        AttemptVerdict::Proved | AttemptVerdict::Degraded(_) => ConnectionResult::Proved,
        verdict if verdict.went_silent() => ConnectionResult::WentSilent,
        // Without a route no packet is sent, on any port.
        AttemptVerdict::Failed(Cause::TcpNoRoute | Cause::DnsSinkhole) | AttemptVerdict::NotTried(_) => {
            ConnectionResult::NotTried
        }
        AttemptVerdict::Failed(_) => ConnectionResult::Failed,
        AttemptVerdict::Unproven(_) => ConnectionResult::Nothing,
    }
}

fn unfinished(interrupted: bool) -> Judgement {
    let why = if interrupted {
        "the run was interrupted before this was tested"
    } else {
        "the run's deadline passed first"
    };
    Judgement::without_attempts(Verdict::NotTested, Cause::Deadline, None, why.into())
}

fn judge(endpoint: &PlannedEndpoint, trace: &Trace, context: &Context) -> Judgement {
    let name = trace
        .name
        .as_ref()
        .map(|name| dns::judge(&endpoint.host, name, context));
    if let Some(dns::LookupOutcome {
        failure: Some((cause, detail)),
        evidence,
        ..
    }) = name
    {
        if trace.cut {
            return Judgement {
                evidence,
                ..unfinished(false)
            };
        }
        let verdict = if cause == Cause::LocalFault {
            Verdict::NotTested
        } else {
            Verdict::Blocked
        };
        let failed = Judgement::without_attempts(verdict, cause, Some(Stage::Dns), detail);
        return Judgement {
            name: Some(Err(cause)),
            evidence,
            ..failed
        };
    }
    let private_link = name.as_ref().is_some_and(|name| name.private_link);
    let judge = |attempt| attempt::judge(endpoint, attempt, context);
    let mut outcomes: Vec<Outcome> = trace.attempts.iter().map(judge).collect();
    // The instance's own hosts may be in its own network.
    if name.is_some() && !private_link && endpoint.of_instance.is_none() {
        let proved = combine::proved_at(&outcomes);
        let suspect_name = |outcome: Outcome| {
            if proved.contains(&outcome.address.ip()) {
                outcome
            } else {
                outcome.suspect_private_address()
            }
        };
        outcomes = outcomes.into_iter().map(suspect_name).collect();
    }
    if trace.cut {
        let evidence = outcomes.iter().flat_map(|outcome| outcome.evidence.clone()).collect();
        return Judgement {
            name: name.map(|_| Ok(())),
            evidence,
            outcomes,
            ..unfinished(false)
        };
    }
    let (name_evidence, doubt) = name
        .as_ref()
        .map_or_else(Default::default, |name| (name.evidence.clone(), name.doubt.clone()));
    let mut judgement = combine::judge(endpoint, &trace.attempts, outcomes);
    if let Some(name) = trace.name.as_ref().filter(|_| judgement.verdict == Verdict::Blocked) {
        judgement
            .evidence
            .extend(dns::other_addresses(&endpoint.host, name, context));
    }
    judgement.name = name.map(|_| Ok(()));
    judgement.evidence.extend(name_evidence);
    if let Some(doubt) = doubt {
        judgement.evidence.insert(0, doubt.clone());
        if judgement.verdict == Verdict::Reachable {
            judgement.verdict = Verdict::Degraded;
            judgement.detail = doubt;
        }
    }
    judgement
}
