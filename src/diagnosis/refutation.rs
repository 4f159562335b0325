//! Whether the given rules are the ones in force: what they deny must not answer.

use std::fmt;

use super::view::{ProbedEndpoint, RunView};
use crate::model::{Cause, Direction, Prediction, Stage, Verdict, prediction::Expected};

/// Something that the rules deny answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refutation {
    /// How many endpoints do.
    answering: usize,
    /// One of them.
    example: String,
}

impl Refutation {
    /// What a run shows; only what this machine sends can be measured, so inbound traffic is not covered.
    pub(super) fn of(view: &RunView<'_>) -> Option<Self> {
        let is_denied = |row: &&ProbedEndpoint<'_>| {
            let denies = |prediction: &Prediction| prediction.verdict == Expected::Deny;
            row.endpoint.direction == Direction::Outbound && row.prediction.is_some_and(denies) && answers(row)
        };
        let mut refuting = view.rows.iter().filter(is_denied);
        let example = refuting.next()?.endpoint.id.clone();
        Some(Self {
            answering: refuting.count() + 1,
            example,
        })
    }
}

impl fmt::Display for Refutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the given rules do not match the measurements: they are from another network interface, or outdated. "
        )?;
        match self.answering {
            1 => write!(f, "{}, which they deny, answers", self.example)?,
            all => write!(f, "{all} endpoints that they deny answer, {} among them", self.example)?,
        }
        f.write_str("; their outbound rules are ignored")
    }
}

/// Whether packets were dropped silently, as Azure's rules drop them.
pub(super) fn is_silent(row: &ProbedEndpoint<'_>) -> bool {
    let endpoint = row.endpoint;
    let cause = row.judgement.cause;
    cause.is_some_and(|cause| cause.is_drop(endpoint.transport, endpoint.protocol))
}

/// Whether nothing was sent to the endpoint itself.
pub(super) fn was_not_tried(row: &ProbedEndpoint<'_>) -> bool {
    let of_the_name = row.judgement.stage == Some(Stage::Dns);
    row.judgement.verdict == Verdict::NotTested
        || (of_the_name && row.judgement.outcomes.iter().all(|outcome| outcome.tcp.is_none()))
}

/// Whether something at the endpoint answered, in any way: Azure's rules drop silently.
pub(super) fn answers(row: &ProbedEndpoint<'_>) -> bool {
    if was_not_tried(row) {
        return false;
    }
    row.judgement.verdict.is_proved()
        || match row.judgement.cause {
            None => row.judgement.verdict == Verdict::Unproven,
            // No device, or a device on the path.
            Some(Cause::TcpUnreachable | Cause::TcpNoRoute | Cause::UdpUnreachable) => false,
            Some(cause) => cause.stage() != Some(Stage::Dns) && !is_silent(row),
        }
}
