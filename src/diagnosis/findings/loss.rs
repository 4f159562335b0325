//! Lines that lose packets, and lines that are slow.

use super::{flows, phrases};
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Basis, Cause, FailureMode, FindingKind, Fix, Suspect},
    text::words::{self, count},
};

/// This many SYNs in a row are not lost on any line over which connections can be made at all.
const SYNS: usize = 8;

/// If this many connections fail after the line stopped losing packets, the line is not the reason.
const MIN_LATER_FAILURES: usize = 2;

/// The path loses packets or is slow: connections needed retransmission, or queries had to be repeated. Loss that
/// retransmission repairs changes no verdict. If random loss can explain a missing reply, the row belongs here, and no
/// rule is blamed for it.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::Loss,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        if !view.line.loses() && !view.line.is_slow() {
            return Vec::new();
        }
        let mut rows: Vec<ProbedEndpoint<'_>> = Vec::new();
        if flows::is_loss(view) {
            rows.extend(
                unexplained
                    .iter()
                    .filter(|row| should_work(row) && may_be_random(view, row)),
            );
            rows.extend(view.rows.iter().filter(|row| view.is_divided(row)));
            rows.sort_by_key(|row| row.index);
            rows.dedup_by_key(|row| row.index);
        }
        vec![FindingGroup::new("path", rows)]
    }),
    describe,
};

/// Whether the line can explain why a row is blocked: it gets no reply, and was not tried so often that random loss is
/// unlikely.
pub(super) fn may_be_random(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let Some(cause) = row.cause().filter(|cause| cause.ending() == FailureMode::Silence) else {
        return false;
    };
    if outlasts(view, row) {
        return false;
    }
    let asked = row.unanswered();
    let is_late = view.line.is_slow() && (cause != Cause::TcpTimeout || asked < SYNS);
    is_late || view.line.may_lose(asked)
}

/// Whether a row still fails after the line stopped losing packets.
pub(super) fn outlasts(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    let attempts = row.attempts().iter().zip(&row.judgement.outcomes);
    let failed =
        attempts.filter(|(attempt, outcome)| Some(attempt.started) > view.line.last_loss && !outcome.verdict.passes());
    view.line.is_over() && failed.count() >= MIN_LATER_FAILURES
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let line = &view.line;
    let slow = line.is_slow();
    let again = format!(
        "{} of {} needed retransmission",
        line.lossy,
        count(line.connections, "connection")
    );
    let weight = EvidenceWeight::Supports(if line.is_poor() {
        Basis::Pattern
    } else {
        Basis::Ambiguous
    });
    let mut grounds = if slow {
        Grounds::default().with(
            weight,
            format!(
                "{} of {} have round trips of about a second or more, the longest {}",
                line.slow,
                count(line.connections, "connection"),
                words::duration(line.round_trip)
            ),
        )
    } else {
        Grounds::default().with(weight, &again)
    };
    if line.repeated > 0 {
        grounds = grounds.note(format!(
            "{} of {} had to be repeated",
            line.repeated,
            count(line.questions, "query")
        ));
    }
    if !slow && line.is_over() {
        grounds = grounds.open(format!(
            "the last {} lost nothing, so the loss was temporary",
            count(line.later, "connection")
        ));
    }
    if !rows.is_empty() {
        grounds = grounds
            .note(format!(
                "on such a path missing replies may be random packet loss, so no rule is suspected for {}",
                count(rows.len(), "endpoint")
            ))
            .all(EvidenceWeight::Notes, phrases::examples(rows));
    }
    Explanation {
        title: if slow {
            format!("The path is slow: round trips of {}", words::duration(line.round_trip))
        } else {
            format!("The path loses packets ({again})")
        },
        grounds,
        suspects: vec![Suspect::Nva],
        impact: rows
            .is_empty()
            .then(|| "Connections take longer than they should; the instance may run into timeouts.".into()),
        fix: Fix::new(
            "Check the link: its load, its error counters, and the health of any tunnel or appliance on the path. A \
             longer --timeout shows what still works.",
        )
        .verify(["ping -c 100 -i 0.2 ADDRESS"]),
    }
}
