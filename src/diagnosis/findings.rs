//! From many rows to few root causes.
//!
//! A sequence of recognisers, from the widest cause to the narrowest. Each looks at the whole run, takes the rows that it
//! explains out of the pool, and says what they have in common. What no recogniser wants is grouped by dependency and
//! cause, so that every endpoint blocked against expectation ends in exactly one finding. Then come those that look at
//! rows which are not blocked: some addresses of a name, name servers that differ, hints.

use std::cmp::Reverse;

use crate::{
    diagnosis::view::{Pool, RunView},
    model::{Confidence, Finding, Need},
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
mod say;
mod silence;
mod stale;

use self::draft::{Draft, Rank};

/// Takes what it explains out of the pool.
type Recogniser = for<'a> fn(&RunView<'a>, &mut Pool<'a>) -> Vec<Draft<'a>>;

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
pub fn root_causes(view: &RunView<'_>) -> Vec<Finding> {
    let mut pool = Pool::new(view);
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for recognise in RECOGNISERS {
        drafts.extend(recognise(view, &mut pool));
    }
    drafts.sort_by_key(weight);
    drafts.into_iter().map(|draft| draft.finish(view)).collect()
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
