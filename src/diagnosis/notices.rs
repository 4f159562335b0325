//! What the reader should know besides the verdicts.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};

use crate::{
    plan::Plan,
    probe::{Run, clock},
    text::words,
};

/// Certificates live ever shorter, so an early end is no verdict; but one this near deserves a word.
const SOON_DAYS: i64 = 14;
/// How many hosts are named.
const MOST_HOSTS: usize = 3;

/// Notices about the run as a whole, each a sentence.
pub fn notices(plan: &Plan, run: &Run, now: Timestamp) -> Vec<String> {
    clock_notice(run).into_iter().chain(ending(plan, run, now)).collect()
}

fn clock_notice(run: &Run) -> Option<String> {
    let skew = clock::skew(run.traces.iter().flatten())?;
    let side = if skew.is_positive() { "ahead of" } else { "behind" };
    Some(format!(
        "this VM's clock is {} {side} what the servers say: certificates are judged by it",
        words::duration(skew.unsigned_abs())
    ))
}

/// Verified certificates that end soon.
fn ending(plan: &Plan, run: &Run, now: Timestamp) -> Option<String> {
    let soon = now.checked_add((SOON_DAYS * 24).hours()).ok()?;
    let mut hosts: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for (endpoint, trace) in plan.endpoints.iter().zip(&run.traces) {
        let chains = trace
            .iter()
            .flat_map(|trace| &trace.attempts)
            .filter_map(|attempt| attempt.tls.as_ref()?.chain.as_ref());
        for chain in chains.filter(|chain| chain.is_the_service()) {
            if let Some(end) = chain.not_after.filter(|end| *end < soon) {
                hosts.insert(&endpoint.host, end);
            }
        }
    }
    let named: Vec<String> = hosts
        .iter()
        .take(MOST_HOSTS)
        .map(|(host, end)| format!("{host} on {}", end.strftime("%Y-%m-%d")))
        .collect();
    let more = hosts.len().saturating_sub(MOST_HOSTS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!hosts.is_empty()).then(|| format!("certificates end within {SOON_DAYS} days: {}{more}", named.join(", ")))
}
