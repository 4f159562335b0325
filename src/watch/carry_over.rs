//! The state after a round: its results, and those that only a full round can have.

use std::collections::HashSet;

use crate::{
    diff::EndpointState,
    model::{Finding, Report, Summary},
    watch::Watch,
};

/// The report of a light round, with results of the last full round that stay: endpoints with a difference that a light
/// round cannot see, and findings about what has not changed since. A light round uses no controls, so its own findings
/// would be less certain, or of another kind.
///
/// `before` is the state after the previous round of the same plan; `changed` are the ids of what this one changed.
pub fn after(mut report: Report, before: &Report, watch: &Watch, changed: &[&str]) -> Report {
    for (index, endpoint) in report.endpoints.iter_mut().enumerate() {
        let is_known = watch
            .known(index)
            .is_none_or(|known| known == EndpointState::of(endpoint));
        let earlier = before.endpoints.get(index).filter(|earlier| earlier.id == endpoint.id);
        if !is_known && let Some(earlier) = earlier {
            endpoint.clone_from(earlier);
        }
    }
    report.findings = findings(report.findings, &before.findings, changed);
    report.summary = Summary::of(&report.endpoints);
    report
}

/// The new findings about what changed, and the previous ones about everything else.
fn findings(now: Vec<Finding>, before: &[Finding], changed: &[&str]) -> Vec<Finding> {
    let concerns =
        |finding: &Finding, ids: &HashSet<&str>| finding.endpoints.iter().any(|id| ids.contains(id.as_str()));
    let changed: HashSet<&str> = changed.iter().copied().collect();
    let (news, rest): (Vec<Finding>, Vec<Finding>) = now.into_iter().partition(|finding| concerns(finding, &changed));
    let reported: HashSet<&str> = news.iter().flat_map(ids).chain(changed.iter().copied()).collect();
    let kept: Vec<Finding> = before
        .iter()
        .filter(|finding| !concerns(finding, &reported))
        .cloned()
        .collect();
    let known: HashSet<&str> = kept.iter().flat_map(ids).collect();
    // No endpoint may lose its finding because an older one covers more than it.
    let rest: Vec<Finding> = rest
        .into_iter()
        .filter(|finding| !ids(finding).all(|id| known.contains(id)))
        .collect();
    kept.into_iter().chain(rest).chain(news).collect()
}

fn ids(finding: &Finding) -> impl Iterator<Item = &str> {
    finding.endpoints.iter().map(String::as_str)
}
