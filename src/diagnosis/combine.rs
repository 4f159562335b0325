//! Combines the connections to an endpoint: first those to each address, then the addresses.

use std::{
    cmp::Reverse,
    mem,
    net::{IpAddr, SocketAddr},
};

use super::outcome::{AttemptVerdict, Judgement, Outcome};
use crate::{
    model::{Cause, FailureMode, FlowCounts, Need, Protocol, Stage, Verdict},
    plan::{PlannedEndpoint, ProbeTarget},
    probe::{flows::SMALL_SEGMENT, trace::Attempt},
    text::words,
};

/// How many connections with small segments must verify the service, and how many with the usual ones must stop
/// responding, before packet size is the cause.
const MIN_CONNECTIONS: usize = 2;

/// The verdict of several connections; `outcomes` has one entry for each attempt.
pub fn judge(endpoint: &PlannedEndpoint, attempts: &[Attempt], mut outcomes: Vec<Outcome>) -> Judgement {
    let places = places(attempts, &outcomes);
    let verdict = verdict(endpoint, &places);
    let decisive = decisive(verdict, &places, &outcomes);
    let deciding = decisive.and_then(|index| outcomes.get(index));
    let place = deciding.and_then(|outcome| places.iter().find(|place| place.address == outcome.address));
    let cause = match (verdict, place) {
        (Verdict::Reachable, _) | (_, None) => None,
        (_, Some(place)) if place.by_size => Some(Cause::PathMtu),
        _ => deciding.and_then(|outcome| outcome.verdict.cause()),
    };
    // Explains a host that is documented but not offered, and how much the test of a SQL server covers.
    let is_told = match verdict {
        Verdict::Reachable | Verdict::Degraded if endpoint.protocol == Protocol::Tds => true,
        Verdict::Reachable => false,
        _ => endpoint.need == Need::Documented,
    };
    let note = endpoint.note.iter().filter(|_| is_told);
    let (stage, detail) = (
        deciding.map(|outcome| outcome.stage),
        detail(verdict, deciding, place, &places),
    );
    let evidence = places.iter().flat_map(|place| place.take_evidence(&mut outcomes));
    Judgement {
        verdict,
        cause,
        stage,
        detail,
        evidence: evidence.chain(note.cloned()).collect(),
        name: None,
        decisive,
        flows: flows(&places),
        outcomes,
    }
}

/// One address, and the connections to it.
struct AddressGroup {
    address: SocketAddr,
    /// The overall outcome; if some pass and others do not, that of those that do not.
    verdict: AttemptVerdict,
    /// The indices of their outcomes, excluding controls.
    connections: Vec<usize>,
    /// How many could be tried.
    tried: usize,
    /// How many of them verified the service.
    passed: usize,
    /// Whether packet size is the cause.
    by_size: bool,
    /// Controls with small segments that verified the service.
    small: usize,
    /// Whether segments arrived after others that never did.
    out_of_order: bool,
}

impl AddressGroup {
    fn is_split(&self) -> bool {
        self.passed > 0 && matches!(self.verdict, AttemptVerdict::Failed(_))
    }

    /// Whether the service was verified here, over at least one connection.
    fn works(&self) -> bool {
        self.passed > 0
    }

    /// What was seen here, one sentence each; for connections with the same outcome, the first. The sentences are moved
    /// out of the outcomes: thousands of endpoints would otherwise keep them twice.
    fn take_evidence(&self, outcomes: &mut [Outcome]) -> Vec<String> {
        let mut evidence = Vec::new();
        let mut seen: Vec<AttemptVerdict> = Vec::new();
        for index in &self.connections {
            if let Some(outcome) = outcomes.get_mut(*index)
                && !seen.contains(&outcome.verdict)
            {
                seen.push(outcome.verdict);
                evidence.extend(mem::take(&mut outcome.evidence));
            }
        }
        let ip = self.address.ip();
        match (self.tried, self.passed) {
            _ if self.by_size => evidence.extend([self.sizes()].into_iter().chain(self.arrivals())),
            (0 | 1, _) => {}
            (2, 0) if seen.len() == 1 => {
                evidence.push(format!(
                    "{ip}: a second connection, from another source port, fails in the same way"
                ));
            }
            (tried, 0) => evidence.push(format!("{ip}: none of {tried} connections works")),
            (tried, passed) if passed < tried => evidence.push(format!("{ip}: {}", share(passed, tried))),
            _ => {}
        }
        evidence
    }

    fn sizes(&self) -> String {
        format!(
            "{}: {} with segments of the usual size stopped responding after our first data, {} with segments of at \
             most {SMALL_SEGMENT} bytes worked",
            self.address.ip(),
            words::count(self.tried, "connection"),
            self.small
        )
    }

    fn arrivals(&self) -> Option<String> {
        let sentence = || {
            format!(
                "{}: smaller segments arrived after larger ones that never did (out of order)",
                self.address.ip()
            )
        };
        self.out_of_order.then(sentence)
    }
}

/// `3 of 8 connections pass`.
pub fn share(passed: usize, tried: usize) -> String {
    format!(
        "{passed} of {} {}",
        words::count(tried, "connection"),
        if passed == 1 { "passes" } else { "pass" }
    )
}

/// The addresses, in their order.
fn places(attempts: &[Attempt], outcomes: &[Outcome]) -> Vec<AddressGroup> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for outcome in outcomes {
        if !addresses.contains(&outcome.address) {
            addresses.push(outcome.address);
        }
    }
    addresses
        .into_iter()
        .map(|address| place(address, attempts, outcomes))
        .collect()
}

fn place(address: SocketAddr, attempts: &[Attempt], outcomes: &[Outcome]) -> AddressGroup {
    let here = || {
        let both = attempts.iter().zip(outcomes).enumerate();
        both.filter(|(_, (attempt, _))| attempt.address == address)
    };
    let usual = || here().filter(|(_, (attempt, _))| attempt.segment.is_none());
    let connections: Vec<usize> = usual().map(|(index, _)| index).collect();
    let verdicts: Vec<AttemptVerdict> = usual().map(|(_, (_, outcome))| outcome.verdict).collect();
    let count = |wanted: fn(&AttemptVerdict) -> bool| verdicts.iter().filter(|verdict| wanted(verdict)).count();
    let first = |wanted: fn(&AttemptVerdict) -> bool| verdicts.iter().copied().find(wanted);
    let passed = count(AttemptVerdict::passes);
    let tried = verdicts.len() - count(|verdict| matches!(verdict, AttemptVerdict::NotTried(_)));
    // Of the connections that got furthest, the first that was answered.
    let furthest = usual()
        .map(|(_, (_, outcome))| outcome)
        .filter(|outcome| matches!(outcome.verdict, AttemptVerdict::Failed(_)))
        .rev()
        .max_by_key(|outcome| (outcome.stage, is_answered(outcome)))
        .map(|outcome| outcome.verdict);
    let verdict = furthest
        .filter(|_| passed > 0)
        .or(first(|verdict| matches!(verdict, AttemptVerdict::Degraded(_))))
        .or(first(|verdict| matches!(verdict, AttemptVerdict::Proved)))
        .or(first(|verdict| matches!(verdict, AttemptVerdict::Unproven(_))))
        .or(furthest)
        .or(first(|_| true))
        .unwrap_or(AttemptVerdict::NotTried(Cause::Deadline));
    let controls: Vec<AttemptVerdict> = here()
        .filter(|(_, (attempt, _))| attempt.segment.is_some())
        .map(|(_, (_, outcome))| outcome.verdict)
        .collect();
    let is_whole = |verdict: &&AttemptVerdict| verdict.passes() && !verdict.went_silent();
    let small = controls.iter().filter(is_whole).count();
    let silenced = count(AttemptVerdict::went_silent);
    AddressGroup {
        address,
        verdict,
        tried,
        passed,
        by_size: silenced == tried
            && silenced >= MIN_CONNECTIONS
            && small >= MIN_CONNECTIONS
            && small == controls.len(),
        small,
        out_of_order: usual().any(|(_, (attempt, _))| {
            let counted = attempt.counted.and_then(|counted| counted.out_of_order);
            counted.is_some_and(|segments| segments > 0)
        }),
        connections,
    }
}

fn verdict(endpoint: &PlannedEndpoint, places: &[AddressGroup]) -> Verdict {
    let one_is_enough = matches!(endpoint.destination, ProbeTarget::Addresses { any: true, .. });
    let count = |wanted: fn(&AttemptVerdict) -> bool| places.iter().filter(|place| wanted(&place.verdict)).count();
    let tried = places.len() - count(|verdict| matches!(verdict, AttemptVerdict::NotTried(_)));
    let proved = count(|verdict| matches!(verdict, AttemptVerdict::Proved));
    if tried == 0 {
        Verdict::NotTested
    } else if proved == tried || (one_is_enough && proved > 0) {
        Verdict::Reachable
    } else if places.iter().any(AddressGroup::works) {
        Verdict::Degraded
    } else if count(|verdict| matches!(verdict, AttemptVerdict::Unproven(_))) > 0 {
        Verdict::Unproven
    } else {
        Verdict::Blocked
    }
}

/// Whether anything answered. If connections to one address fail in the same stage, an answer shows more than a missing
/// reply, which may be a lost packet.
fn is_answered(outcome: &Outcome) -> bool {
    let cause = outcome.verdict.cause();
    cause.is_none_or(|cause| cause.ending() != FailureMode::Silence)
}

/// The index of the outcome that explains the verdict: of all that got furthest, the first in address order; at that
/// address, the first that was answered.
fn decisive(verdict: Verdict, places: &[AddressGroup], outcomes: &[Outcome]) -> Option<usize> {
    let explains = |outcome: &Outcome| {
        matches!(
            (verdict, &outcome.verdict),
            (Verdict::Reachable, AttemptVerdict::Proved)
                | (
                    Verdict::Degraded,
                    AttemptVerdict::Degraded(_) | AttemptVerdict::Unproven(_) | AttemptVerdict::Failed(_)
                )
                | (Verdict::Unproven, AttemptVerdict::Unproven(_))
                | (Verdict::Blocked, AttemptVerdict::Failed(_))
                | (Verdict::NotTested, AttemptVerdict::NotTried(_))
        )
    };
    let place = |outcome: &Outcome| places.iter().position(|place| place.address == outcome.address);
    outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| explains(outcome) && !outcome.control)
        // `max_by_key` takes the last of equals.
        .rev()
        .max_by_key(|(_, outcome)| (outcome.stage, Reverse(place(outcome)), is_answered(outcome)))
        .map(|(index, _)| index)
}

fn detail(
    verdict: Verdict,
    deciding: Option<&Outcome>,
    place: Option<&AddressGroup>,
    places: &[AddressGroup],
) -> String {
    let (Some(outcome), Some(place)) = (deciding, place) else {
        return "nothing was tried".into();
    };
    let all = places.len();
    let proved = places
        .iter()
        .filter(|place| place.verdict == AttemptVerdict::Proved)
        .count();
    let untried = places
        .iter()
        .filter(|place| matches!(place.verdict, AttemptVerdict::NotTried(_)))
        .count();
    let failing = all - untried - proved;
    let seen = if place.by_size {
        place.sizes()
    } else {
        outcome.detail.clone()
    };
    match verdict {
        Verdict::Degraded if places.iter().any(AddressGroup::is_split) => {
            let flows = flows(places).unwrap_or_default();
            format!("{}: {seen}", share(flows.passed, flows.tried))
        }
        Verdict::Degraded if proved > 0 => {
            let fail = if failing == 1 { "fails" } else { "fail" };
            format!("{failing} of {all} addresses {fail}: {seen}")
        }
        Verdict::Reachable if failing > 0 => {
            let fail = if failing == 1 { "does" } else { "do" };
            format!("{seen}; {failing} of {all} addresses {fail} not answer")
        }
        Verdict::Blocked if all > 1 => format!("none of {all} addresses works: {seen}"),
        Verdict::Blocked if place.tried > MIN_CONNECTIONS && !place.by_size => {
            format!("none of {} connections works: {seen}", place.tried)
        }
        _ => seen,
    }
}

/// How many connections there were; `None` if there was one to each address.
fn flows(places: &[AddressGroup]) -> Option<FlowCounts> {
    let several = places.iter().any(|place| place.tried > 1);
    several.then(|| FlowCounts {
        tried: places.iter().map(|place| place.tried).sum(),
        passed: places.iter().map(|place| place.passed).sum(),
    })
}

/// The addresses at which the service was verified, over any connection.
pub fn proved_at(outcomes: &[Outcome]) -> Vec<IpAddr> {
    outcomes
        .iter()
        .filter(|outcome| outcome.verdict.passes() && outcome.stage > Stage::Dns)
        .map(|outcome| outcome.address.ip())
        .collect()
}
