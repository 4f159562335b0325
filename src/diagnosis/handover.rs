//! What other teams need to find the traffic in their own logs: when, from where to where, and what each team is asked
//! to do.

use jiff::Timestamp;

use super::view::{ProbedEndpoint, RunView};
use crate::model::{Finding, Handover, Need};

mod kql;
mod observations;
mod queries;
mod reproduce;
mod teams;

/// Maximum number of connections and queries in a hand-over.
const MAX_FLOWS: usize = 50;

/// The hand-over for a finding about these rows. None if none of their packets left this machine, if no other team can
/// act, or if they are only documented, which is no reason to ask.
pub(super) fn handover(finding: &Finding, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Option<Handover> {
    if finding.need.is_none_or(|need| need == Need::Documented) {
        return None;
    }
    let owners = teams::requests(finding, rows, view);
    let mut seen = observations::seen(rows, view);
    let from = seen.iter().map(|seen| seen.flow.at).min()?;
    let to = seen.iter().map(|seen| seen.end).max()?;
    if owners.is_empty() {
        return None;
    }
    // Each destination once, before repeated attempts to it.
    seen.sort_by_key(|seen| (seen.need == Need::Documented, seen.repetition));
    let more = seen.len().saturating_sub(MAX_FLOWS);
    seen.truncate(MAX_FLOWS);
    seen.sort_by_key(|seen| seen.flow.at);
    let queries = queries::queries(&seen, view.place.addresses, (from, to));
    Some(Handover {
        from,
        to,
        flows: seen.into_iter().map(|seen| seen.flow).collect(),
        more,
        queries,
        owners,
    })
}

/// From the beginning to the end.
type Window = (Timestamp, Timestamp);
