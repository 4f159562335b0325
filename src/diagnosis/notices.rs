//! What the reader should know besides the verdicts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::{
    plan::Plan,
    probe::{Run, clock},
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
        in_words(skew.abs())
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

/// The two largest units: `3 d 4 h`, `2 min 5 s`.
pub fn in_words(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count} {unit}"));
        }
    }
    if parts.is_empty() {
        "0 s".into()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (90_000, "1 d 1 h"),
            (3_600, "1 h"),
        ] {
            assert_eq!(in_words(SignedDuration::from_secs(seconds)), words);
        }
    }
}
