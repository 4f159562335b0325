//! What the reader should know in addition to the verdicts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan};

use super::outcome::Judgement;
use crate::{
    model::Verdict,
    net::tls::chain::{ChainFacts, MissingCertificate, common_name},
    network::Predictions,
    plan::Plan,
    probe::{Run, clock::ClockOffset},
    text::words,
};

/// Certificates are valid for ever shorter times, so an early expiry does not change the verdict; one this near
/// deserves a notice.
const SOON_DAYS: i64 = 14;
/// How many hosts are named.
const MAX_HOSTS: usize = 3;

/// Shown if the kernel does not report which device answers on the path.
const KERNEL_WITHOUT_HOPS: &str = "this machine's kernel does not report which hop answers a SYN (Linux does since 5.8), so the \
    hop that blocks traffic was not traced";

/// Notices about the run as a whole, one sentence each.
pub(super) fn notices(
    plan: &Plan,
    run: &Run,
    judgements: &[Judgement],
    predictions: Option<&Predictions>,
    wrong_clock: Option<ClockOffset>,
    now: Timestamp,
) -> Vec<String> {
    wrong_clock
        .map(clock)
        .into_iter()
        .chain(outside_their_tag(plan, predictions, judgements))
        .chain(left_out(plan, run, judgements))
        .chain(ending(plan, run, now))
        .chain(run.traceroutes.hops_unknown.then(|| KERNEL_WITHOUT_HOPS.to_owned()))
        .collect()
}

fn clock(ClockOffset { ahead, signed }: ClockOffset) -> String {
    let off = words::duration(ahead.unsigned_abs());
    let side = if ahead.is_positive() { "ahead of" } else { "behind" };
    if signed {
        format!("this VM's clock is {off} {side} the servers' time: certificates are checked against it")
    } else {
        format!(
            "this VM's clock is {off} {side} the time from NTP or plain HTTP, which any device on the path could have forged"
        )
    }
}

/// Services that work at addresses that are not in their tags: a device relays them, or the tags are out of date.
fn outside_their_tag(plan: &Plan, predictions: Option<&Predictions>, judgements: &[Judgement]) -> Option<String> {
    let described = plan
        .endpoints
        .iter()
        .zip(judgements)
        .zip(&predictions?.outside_their_tag);
    let mut remarks: BTreeMap<&str, &str> = BTreeMap::new();
    for ((endpoint, judgement), remark) in described {
        if let Some(remark) = remark.as_ref().filter(|_| judgement.verdict.is_proved()) {
            remarks.entry(&endpoint.host).or_insert(remark);
        }
    }
    let named: Vec<String> = remarks
        .iter()
        .take(MAX_HOSTS)
        .map(|(host, remark)| format!("{host}: {remark}"))
        .collect();
    let more = remarks.len().saturating_sub(MAX_HOSTS);
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    (!remarks.is_empty()).then(|| {
        format!(
            "endpoints work at addresses outside their service tag, so they are proxied, or the given tags are out of \
             date: {}{more}",
            named.join("; ")
        )
    })
}

/// The chains that verify a service, with the host that presented each.
fn proving<'a>(plan: &'a Plan, run: &'a Run) -> impl Iterator<Item = (&'a str, &'a ChainFacts)> {
    let traces = plan.endpoints.iter().zip(&run.traces);
    traces.flat_map(|(endpoint, trace)| {
        let attempts = trace.iter().flat_map(|trace| &trace.attempts);
        attempts
            .filter_map(|attempt| attempt.tls.as_ref()?.chain.as_deref())
            .filter(|chain| chain.is_the_service())
            .map(|chain| (endpoint.host.as_str(), chain))
    })
}

/// Certificates that servers do not send: the agent has them, the instance must fetch them.
fn left_out(plan: &Plan, run: &Run, judgements: &[Judgement]) -> Vec<String> {
    let mut missing: Vec<(&MissingCertificate, BTreeSet<&str>)> = Vec::new();
    for (host, chain) in proving(plan, run) {
        let Some(left_out) = &chain.left_out else { continue };
        match missing.iter_mut().find(|(known, _)| *known == left_out) {
            Some((_, hosts)) => _ = hosts.insert(host),
            None => missing.push((left_out, BTreeSet::from([host]))),
        }
    }
    let is_blocked = |host: &String| {
        let mut judged = plan.endpoints.iter().zip(judgements);
        judged.any(|(endpoint, it)| endpoint.host == *host && endpoint.port == 80 && it.verdict == Verdict::Blocked)
    };
    let sentence = |(left_out, hosts): (&MissingCertificate, BTreeSet<&str>)| {
        let hosts: Vec<&str> = hosts.into_iter().collect();
        format!(
            "{} {} not send the certificate of {}: the instance must fetch it from {}{}",
            words::list(&hosts, MAX_HOSTS),
            if hosts.len() == 1 { "does" } else { "do" },
            common_name(&left_out.subject),
            left_out.places(),
            if left_out.hosts.iter().any(is_blocked) {
                ", which is blocked here"
            } else {
                ""
            }
        )
    };
    missing.into_iter().map(sentence).collect()
}

/// Verified certificates that expire soon.
fn ending(plan: &Plan, run: &Run, now: Timestamp) -> Option<String> {
    let soon = now.checked_add((SOON_DAYS * 24).hours()).ok()?;
    let hosts: BTreeMap<&str, Timestamp> = proving(plan, run)
        .filter_map(|(host, chain)| Some((host, chain.not_after.filter(|end| *end < soon)?)))
        .collect();
    let named: Vec<String> = hosts
        .iter()
        .take(MAX_HOSTS)
        .map(|(host, end)| format!("{host} on {}", end.strftime("%Y-%m-%d")))
        .collect();
    let more = hosts.len().saturating_sub(MAX_HOSTS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    (!hosts.is_empty()).then(|| {
        format!(
            "certificates expire within {SOON_DAYS} days: {}{more}",
            named.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::{KERNEL_WITHOUT_HOPS, notices};
    use crate::{
        azure::Cloud,
        plan::Plan,
        probe::{Run, control::Controls, own_network::OwnNetwork, traceroute::Traceroutes},
    };

    #[test]
    fn kernel_without_hop_addresses_gives_one_notice() {
        let plan = Plan {
            cloud: Cloud::Public,
            endpoints: Vec::new(),
            name_servers: Vec::new(),
            control_name: String::new(),
        };
        for untold in [false, true] {
            let run = Run {
                began: jiff::Timestamp::UNIX_EPOCH,
                traces: Vec::new(),
                names: BTreeMap::new(),
                controls: Controls::default(),
                traceroutes: Traceroutes {
                    seen: Vec::new(),
                    hops_unknown: untold,
                },
                duration: Duration::ZERO,
                own_network: OwnNetwork::default(),
                interrupted: false,
            };
            let texts = notices(&plan, &run, &[], None, None, jiff::Timestamp::UNIX_EPOCH);
            assert_eq!(
                texts.iter().filter(|notice| *notice == KERNEL_WITHOUT_HOPS).count(),
                usize::from(untold)
            );
        }
    }
}
