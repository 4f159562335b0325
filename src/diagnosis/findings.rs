//! From many rows to few root causes.
//!
//! A sequence of recognisers, from the widest cause to the narrowest. Each looks at the whole run, takes the rows that it
//! explains out of the pool, and says what they have in common. What no recogniser wants is grouped by dependency and
//! cause, so that every endpoint blocked against expectation ends in exactly one finding. Then come those that look at
//! rows which are not blocked: some addresses of a name, name servers that differ, hints.

use std::{cmp::Reverse, net::IpAddr};

use jiff::SignedDuration;

use super::Diagnosis;
use crate::{
    model::{Confidence, Finding, Need},
    plan::Plan,
    probe::{control::Controls, trace::Trace},
};

mod accepted;
mod addresses;
mod by_cause;
mod clock;
mod cut;
mod dead_next_hop;
mod denied;
mod draft;
mod icmp;
mod inspection;
mod kms;
mod local;
mod name_servers;
mod no_outbound;
mod open;
mod partial;
mod private_zone;
mod reset;
mod row;
mod say;
mod silence;
mod stale;

use self::draft::{Draft, Rank};
pub(super) use self::row::Row;
use self::row::{Picture, Pool};

/// Everything that findings are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What was planned.
    pub plan: &'a Plan,
    /// What was seen, one entry for each endpoint of the plan; missing entries count as `None`.
    pub traces: &'a [Option<Trace>],
    /// What the controls showed.
    pub controls: &'a Controls,
    /// What we say of it.
    pub diagnosis: &'a Diagnosis,
    /// The region, as the VM's metadata names it: it makes service tags regional.
    pub region: Option<&'a str>,
    /// This machine's addresses: an ICMP error from one of them is its own.
    pub own_addresses: &'a [IpAddr],
    /// Whether the platform's name server (168.63.129.16) answered as a control; `None` where it was not asked.
    pub platform_dns: Option<bool>,
    /// This machine's clock minus the true time; `None` where it was not measured.
    pub clock_skew: Option<SignedDuration>,
}

/// Takes what it explains out of the pool.
type Recogniser = for<'a> fn(&Picture<'a>, &mut Pool<'a>) -> Vec<Draft<'a>>;

/// The widest cause first: what comes later sees only what is left.
const RECOGNISERS: [Recogniser; 22] = [
    open::recognise,
    local::recognise,
    dead_next_hop::recognise,
    no_outbound::recognise,
    name_servers::recognise,
    private_zone::recognise,
    addresses::recognise,
    clock::recognise,
    inspection::recognise,
    inspection::recognise_wrong_name,
    icmp::recognise,
    denied::recognise,
    cut::recognise,
    accepted::recognise,
    reset::recognise,
    kms::recognise_silence,
    silence::recognise_ports,
    silence::recognise_tags,
    by_cause::recognise,
    partial::recognise,
    kms::recognise_hint,
    stale::recognise,
];

/// The root causes of a run, the weightiest first. Every endpoint that is not as expected belongs to exactly one.
pub fn root_causes(scene: &Scene<'_>) -> Vec<Finding> {
    let picture = Picture::new(*scene);
    let mut pool = Pool::new(&picture);
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for recognise in RECOGNISERS {
        drafts.extend(recognise(&picture, &mut pool));
    }
    drafts.sort_by_key(weight);
    drafts.into_iter().map(|draft| draft.finish(&picture)).collect()
}

/// What decides the order: hints last; then what is wide, what the instance cannot do without, how much it explains, and
/// the catalog's order.
fn weight(draft: &Draft<'_>) -> (bool, Rank, Need, Reverse<usize>, Reverse<usize>, usize) {
    let required = draft
        .rows
        .iter()
        .filter(|row| row.endpoint.need == Need::Required)
        .count();
    (
        draft.confidence() == Confidence::Low,
        draft.rank,
        draft
            .rows
            .iter()
            .map(|row| row.endpoint.need)
            .min()
            .unwrap_or(Need::Documented),
        Reverse(required),
        Reverse(draft.rows.len()),
        draft.rows.iter().map(|row| row.index).min().unwrap_or(usize::MAX),
    )
}
