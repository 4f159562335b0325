//! What stands after a round: what it saw, and what only a deeper one could have seen.

use crate::{
    diff::State,
    model::{Report, Summary},
    watch::Watch,
};

/// The report of a light round, with what stays as the last full round saw it: endpoints whose difference is out of a light
/// round's sight, and, where nothing changed since, the findings. A light round uses no controls, so what it found by itself
/// would be less sure, or another kind, than what is known.
///
/// `before` is what stood after the round before, of the same plan; `is_changed` says whether this one changed anything.
pub fn after(mut report: Report, before: &Report, watch: &Watch, is_changed: bool) -> Report {
    for (index, endpoint) in report.endpoints.iter_mut().enumerate() {
        let is_known = watch.known(index).is_none_or(|known| known == State::of(endpoint));
        let earlier = before.endpoints.get(index).filter(|earlier| earlier.id == endpoint.id);
        if !is_known && let Some(earlier) = earlier {
            endpoint.clone_from(earlier);
        }
    }
    if !is_changed {
        report.findings.clone_from(&before.findings);
    }
    report.summary = Summary::of(&report.endpoints);
    report
}
