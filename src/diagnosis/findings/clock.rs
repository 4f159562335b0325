//! A wrong clock.

use jiff::{SignedDuration, Timestamp};

use super::phrases;
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    net::tls::chain::ChainFacts,
    probe::clock::ClockOffset,
    text::words,
};

/// Certificates of this many hosts do not all expire on the same day.
const MIN_HOSTS: usize = 3;
/// How far a clock may be off before anything breaks: the tolerance of Kerberos and of most tokens.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Certificates of several hosts are outside their validity period at once: then this VM's clock is the more likely
/// reason. It is certain if verified servers show how far it is off. Any device can answer NTP and plain HTTP, so these
/// alone give only a hint, and no value to set the clock to. If the clock was measured to be right, or is not off by
/// enough to explain a certificate, the certificate is at fault, and its row is left to other rules.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::Clock,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        let rows: Vec<ProbedEndpoint<'_>> = unexplained
            .iter()
            .filter(|row| is_explained(view, row))
            .copied()
            .collect();
        if rows.is_empty() && off(view).is_none() {
            return Vec::new();
        }
        vec![FindingGroup::new("this-vm", rows)]
    }),
    describe,
};

/// How far the clock is off, where that matters.
fn off(view: &RunView<'_>) -> Option<ClockOffset> {
    view.clock.filter(|clock| clock.ahead.abs() > TOLERANCE)
}

/// Whether its certificate is outside its validity period, and would not be if the clock were right.
fn is_explained(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let in_time = |ahead| {
        let chain = row.chain();
        chain.is_some_and(|chain| was_valid(chain, view.place.started_at, ahead))
    };
    row.cause() == Some(Cause::TlsExpired) && off(view).is_none_or(|clock| in_time(clock.ahead))
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let off = off(view);
    let many = phrases::hosts(rows).len() >= MIN_HOSTS;
    let signed = off.is_some_and(|clock| clock.signed);
    let mut grounds = Grounds::default();
    match off {
        // A clock that broke nothing is only a hint, whatever its source.
        Some(clock) if rows.is_empty() => grounds.add(EvidenceWeight::Notes, measured(clock)),
        Some(clock) => {
            let basis = if clock.signed { Basis::Proof } else { Basis::Ambiguous };
            grounds.add(EvidenceWeight::Supports(basis), measured(clock));
        }
        None if view.clock.is_some() => grounds.add(EvidenceWeight::Refutes, "servers report the same time as this VM"),
        None if !many => grounds.add(EvidenceWeight::Refutes, "too few hosts to suspect the clock"),
        None => {}
    }
    if !rows.is_empty() {
        let basis = if many { Basis::Pattern } else { Basis::Ambiguous };
        let all = format!(
            "the certificates of {} are outside their validity period",
            phrases::host_count(rows)
        );
        grounds = grounds
            .with(EvidenceWeight::Supports(basis), all)
            .all(EvidenceWeight::Notes, phrases::examples(rows));
    }
    let fix = Fix::new(
        "Correct this VM's clock and run again: certificates cannot be checked with a wrong clock. The instance has \
         its \
         own clock.",
    )
    .look(["timedatectl status", "chronyc sources"]);
    Explanation {
        title: title(off, rows),
        grounds,
        suspects: vec![Suspect::LocalHost],
        fix: if signed || many {
            fix.change([("sudo chronyc makestep", None)])
        } else {
            fix
        },
        impact: None,
    }
}

fn title(off: Option<ClockOffset>, rows: &[ProbedEndpoint<'_>]) -> String {
    match off {
        None => format!(
            "This VM's clock is wrong: the certificates of {} seem to be outside their validity period",
            phrases::host_count(rows)
        ),
        Some(ClockOffset { ahead, signed }) => {
            let (verb, off) = (
                if signed { "is" } else { "may be" },
                words::duration(ahead.unsigned_abs()),
            );
            format!("This VM's clock {verb} off by {off}")
        }
    }
}

fn measured(ClockOffset { ahead, signed }: ClockOffset) -> String {
    let off = words::duration(ahead.unsigned_abs());
    let direction = if ahead.is_negative() { "behind" } else { "ahead" };
    if signed {
        format!("this VM's clock is {off} {direction}, according to servers with verified certificates")
    } else {
        format!(
            "this VM's clock is {off} {direction} according to NTP or plain HTTP, which any device on the path could have forged"
        )
    }
}

/// Whether a certificate was valid when this clock showed `now`, if the clock was this far ahead.
fn was_valid(chain: &ChainFacts, now: Timestamp, ahead: SignedDuration) -> bool {
    let Ok(then) = now.checked_sub(ahead) else { return false };
    let (begin, end) = chain.dated();
    begin.is_none_or(|begin| begin <= then) && end.is_none_or(|end| then <= end)
}
