//! From traces to verdicts, causes and findings: pure functions, no socket, no clock.
//!
//! Each attempt is judged on its own first ([`attempt`]), then the attempts of an endpoint together, and last the
//! endpoint in the light of the whole run ([`context`]): what a cut means can depend on what else was proved.

use std::net::IpAddr;

use jiff::SignedDuration;

use crate::{
    diagnosis::outcome::{Judgement, Outcome, Standing},
    model::{Cause, Finding, Need, Prediction, Protocol, Stage, Verdict},
    net::tcp::TcpEnd,
    network::Predictions,
    plan::{Destination, Endpoint, Plan},
    probe::{
        Run,
        clock::Measured,
        control::Suspicion,
        trace::{Attempt, Trace},
    },
};

pub mod attempt;
pub mod context;
mod dns;
mod documented;
pub mod findings;
mod fix;
mod hello;
mod http;
mod isolated;
mod notices;
pub mod outcome;
mod reconcile;
mod shared;
mod socket;
mod stand_in;
mod tls;
pub mod view;

use self::{
    context::Context,
    reconcile::Refutation,
    view::{Row, RunView, Surroundings},
};

/// Everything that a run has to say.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// One judgement for each endpoint of the plan, in its order.
    pub judgements: Vec<Judgement>,
    /// The root causes, the weightiest first.
    pub findings: Vec<Finding>,
    /// What the network's own rules say of each endpoint; empty where none were given.
    pub predictions: Vec<Option<Prediction>>,
    /// What shows that the network's own rules are not the ones in force, as a sentence: before every other notice.
    pub refutation: Option<String>,
    /// What the reader should know of the run as a whole, a sentence each.
    pub notices: Vec<String>,
    /// How far this machine's clock is off, where peers that proved who they are say so.
    pub clock_skew: Option<SignedDuration>,
}

/// Judges a whole run, made at `place`; `predictions` are what the network's own rules say of the plan.
pub fn diagnose(plan: &Plan, run: &Run, predictions: Option<&Predictions>, place: Surroundings<'_>) -> Diagnosis {
    let mut judgements = judgements(plan, run, place.addresses);
    let view = RunView::new(plan, run, &judgements, predictions, place);
    let findings = findings::root_causes(&view);
    let wrong_clock = view.clock.filter(Measured::is_off);
    let notices = notices::notices(plan, run, &judgements, wrong_clock, place.started_at);
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
        clock_skew,
    }
}

/// What the run says of every endpoint.
fn judgements(plan: &Plan, run: &Run, addresses: &[IpAddr]) -> Vec<Judgement> {
    let context = Context::gather(plan, run);
    let judge = |(index, (endpoint, trace)): (usize, (&Endpoint, &Option<Trace>))| match (&endpoint.untested, trace) {
        (Some(untested), _) => Judgement::untested(untested),
        (None, Some(trace)) => {
            let mut judgement = judge(endpoint, trace, &context);
            if run.controls.is_empty() {
                return judgement;
            }
            for attempt in &trace.attempts {
                judgement
                    .evidence
                    .extend(context.controls(index, attempt, suspect(endpoint, attempt)));
            }
            judgement
        }
        (None, None) => unfinished(run.interrupted),
    };
    let mut judgements: Vec<Judgement> = plan.endpoints.iter().zip(&run.traces).enumerate().map(judge).collect();
    shared::reconsider(plan, &context, &mut judgements);
    documented::reconsider(plan, &context, &mut judgements);
    stand_in::reconsider(plan, &mut judgements);
    isolated::reconsider(plan, run, addresses, &mut judgements);
    judgements
}

/// What others say of an endpoint: the instance, and the network's own rules.
fn remarks(view: &RunView<'_>, row: &Row<'_>, is_refuted: bool) -> Vec<String> {
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

/// Judges one endpoint by its own trace, as far as that goes while others are still being probed.
pub fn preview(endpoint: &Endpoint, trace: &Trace) -> Verdict {
    judge(endpoint, trace, &Context::default()).verdict
}

/// What a finished attempt calls for.
pub fn suspect(endpoint: &Endpoint, attempt: &Attempt) -> Suspicion {
    let accepted = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
    let outcome = attempt::judge(endpoint, attempt, &Context::default());
    if !accepted {
        return Suspicion::None;
    }
    match (outcome.standing, outcome.standing.cause()) {
        (_, Some(Cause::TlsReset | Cause::TlsClosed | Cause::TlsTimeout | Cause::TlsAlert)) => Suspicion::Cut,
        // A public certificate, although another's, shows that the network let us through.
        (_, Some(Cause::TlsWrongName)) => Suspicion::None,
        // Many services are documented on ports that they hardly offer: no run should wait for a control of those.
        (Standing::Unproven(_), _) if endpoint.need == Need::Documented => Suspicion::None,
        (Standing::Unproven(_), _)
        | (
            Standing::Failed(_),
            Some(
                Cause::HelloTimeout
                | Cause::HelloReset
                | Cause::HelloClosed
                | Cause::HelloUnexpected
                | Cause::TlsNotTls,
            ),
        ) => Suspicion::Unproven,
        _ => Suspicion::None,
    }
}

fn unfinished(interrupted: bool) -> Judgement {
    let why = if interrupted {
        "the run was interrupted before this was done"
    } else {
        "the deadline of the run came first"
    };
    Judgement::without_attempts(Verdict::NotTested, Cause::Deadline, None, why.into())
}

fn judge(endpoint: &Endpoint, trace: &Trace, context: &Context) -> Judgement {
    let name = trace
        .name
        .as_ref()
        .map(|name| dns::judge(&endpoint.host, name, context));
    if let Some(dns::Lookup {
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
    let outcomes: Vec<Outcome> = trace
        .attempts
        .iter()
        .map(|attempt| {
            let outcome = attempt::judge(endpoint, attempt, context);
            if name.is_some() && !private_link {
                outcome.blame_private_address()
            } else {
                outcome
            }
        })
        .collect();
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
    let mut judgement = together(endpoint, outcomes);
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

/// The verdict of several addresses.
fn together(endpoint: &Endpoint, outcomes: Vec<Outcome>) -> Judgement {
    let one_is_enough = matches!(endpoint.destination, Destination::Addresses { any: true, .. });
    let count = |wanted: fn(&Standing) -> bool| outcomes.iter().filter(|outcome| wanted(&outcome.standing)).count();
    let tried = outcomes.len() - count(|standing| matches!(standing, Standing::Untried(_)));
    let proved = count(|standing| matches!(standing, Standing::Proved));
    let shaken = count(|standing| matches!(standing, Standing::Shaken(_)));
    let unproven = count(|standing| matches!(standing, Standing::Unproven(_)));

    let verdict = if tried == 0 {
        Verdict::NotTested
    } else if proved == tried || (one_is_enough && proved > 0) {
        Verdict::Reachable
    } else if proved + shaken > 0 {
        Verdict::Degraded
    } else if unproven > 0 {
        Verdict::Unproven
    } else {
        Verdict::Blocked
    };
    // The outcome that explains the verdict: of all that got furthest, the first in address order.
    let explains = |outcome: &Outcome| {
        matches!(
            (verdict, &outcome.standing),
            (Verdict::Reachable, Standing::Proved)
                | (
                    Verdict::Degraded,
                    Standing::Shaken(_) | Standing::Unproven(_) | Standing::Failed(_)
                )
                | (Verdict::Unproven, Standing::Unproven(_))
                | (Verdict::Blocked, Standing::Failed(_))
                | (Verdict::NotTested, Standing::Untried(_))
        )
    };
    let decisive = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| explains(outcome))
        // `max_by_key` takes the last of equals.
        .rev()
        .max_by_key(|(_, outcome)| outcome.stage)
        .map(|(index, _)| index);
    let deciding = decisive.and_then(|index| outcomes.get(index));
    let cause = deciding.and_then(|outcome| outcome.standing.cause());
    let all = outcomes.len();
    let detail = match (verdict, deciding) {
        (_, None) => "nothing was tried".into(),
        (Verdict::Degraded, Some(outcome)) if proved > 0 => {
            format!("{} of {all} addresses fail: {}", tried - proved, outcome.detail)
        }
        (Verdict::Reachable, Some(outcome)) if proved < tried => {
            format!(
                "{}; {} of {all} addresses do not answer",
                outcome.detail,
                tried - proved
            )
        }
        (Verdict::Blocked, Some(outcome)) if all > 1 => format!("none of {all} addresses works: {}", outcome.detail),
        (_, Some(outcome)) => outcome.detail.clone(),
    };
    // A remark excuses what the page names in vain, and says how far the test of a SQL server goes.
    let is_told = match verdict {
        Verdict::Reachable | Verdict::Degraded if endpoint.protocol == Protocol::Tds => true,
        Verdict::Reachable => false,
        _ => endpoint.need == Need::Documented,
    };
    let note = endpoint.note.iter().filter(|_| is_told);
    let evidence = outcomes
        .iter()
        .flat_map(|outcome| outcome.evidence.iter().cloned())
        .chain(note.cloned());
    Judgement {
        verdict,
        cause,
        stage: deciding.map(|outcome| outcome.stage),
        detail,
        evidence: evidence.collect(),
        name: None,
        decisive,
        outcomes,
    }
}
