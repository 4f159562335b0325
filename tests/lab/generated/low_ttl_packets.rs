//! Compares what a run sent with a low TTL, which may look like a scan, with what it may send.

use std::{collections::BTreeMap, net::Ipv4Addr};

use apim_probe::model::{Need, Report, Verdict};

/// Linux's default TTL: packets with a lower one got it from the agent.
const USUAL_TTL: u8 = 64;
/// Maximum number of addresses and ports that a run may trace.
const MAX_ADDRESSES: usize = 4;
/// Maximum number of SYNs to each of them.
const MAX_SYNS: usize = 8;

/// Whether anything that the instance needs is blocked: otherwise nothing is traced.
pub(super) fn may_trace(report: &Report) -> bool {
    report
        .endpoints
        .iter()
        .any(|row| row.verdict == Verdict::Blocked && row.as_expected == Some(false) && row.need != Need::Documented)
}

/// Every packet that should not have been sent, one per line; `may_trace` is the result of that function.
pub(super) fn violations(sent: &[Vec<u8>], may_trace: bool) -> Vec<String> {
    let mut syns: BTreeMap<(Ipv4Addr, u16), usize> = BTreeMap::new();
    for (to, is_syn) in sent.iter().filter_map(|frame| low_ttl(frame)) {
        *syns.entry(to).or_default() += usize::from(is_syn);
    }
    if !may_trace && !syns.is_empty() {
        return vec![format!("nothing may be looked for, and this was: {syns:?}")];
    }
    let many = (syns.len() > MAX_ADDRESSES).then(|| format!("the way to too many addresses was looked at: {syns:?}"));
    let often = syns.iter().filter(|(_, number)| **number > MAX_SYNS);
    let often = often.map(|(to, number)| format!("{number} SYNs to {to:?} with a small time to live"));
    many.into_iter().chain(often).collect()
}

/// The destination of a TCP packet with a low TTL, and whether it is a SYN; `None` for any other frame.
fn low_ttl(frame: &[u8]) -> Option<((Ipv4Addr, u16), bool)> {
    const TCP: u8 = 6;
    const SYN: u8 = 2;
    let packet = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
    let body = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
    let to: Ipv4Addr = (*packet.get(16..)?.first_chunk::<4>()?).into();
    let port = u16::from_be_bytes(*body.get(2..)?.first_chunk()?);
    let is_near = packet.get(9) == Some(&TCP) && *packet.get(8)? < USUAL_TTL;
    is_near.then_some(((to, port), body.get(13)? & SYN != 0))
}
