//! From many rows to few root causes.
//!
//! A sequence of recognisers, from the widest cause to the narrowest. Each looks at the whole run, takes the rows that it
//! explains out of the pool, and says what they have in common. What no recogniser wants is grouped by dependency and
//! cause, so that every endpoint blocked against expectation ends in exactly one finding. Then come those that look at
//! rows which are not blocked (some addresses of a name, name servers that differ, hints), at what the instance says of
//! itself, and at traffic that no probe sees.

use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Confidence, Ending, Finding},
};

mod accepted;
mod addresses;
mod by_cause;
mod clock;
mod cut;
mod dead_next_hop;
mod denied;
mod dns_policy;
pub(super) mod draft;
mod flows;
mod icmp;
mod inspection;
pub(super) mod instance_view;
mod kms;
mod local;
mod loss;
mod name_servers;
mod no_outbound;
mod open;
mod partial;
mod private_endpoint;
mod private_zone;
mod reset;
mod say;
mod silence;
mod size;
mod stale;
mod unprobed;

use self::draft::Draft;
use super::{reconcile, refutation::Refutation};

/// Takes what it explains out of the pool.
type Recogniser = for<'a> fn(&RunView<'a>, &mut Pool<'a>) -> Vec<Draft<'a>>;

/// The widest cause first: what comes later sees only what is left.
const RECOGNISERS: [Recogniser; 29] = [
    open::recognise,
    local::recognise,
    dead_next_hop::recognise,
    no_outbound::recognise,
    dns_policy::recognise,
    size::recognise,
    flows::recognise,
    loss::recognise,
    name_servers::recognise,
    private_zone::recognise,
    private_endpoint::recognise,
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
    instance_view::recognise,
    unprobed::recognise,
];

/// The root causes of a run, the weightiest first. Every endpoint that is not as expected belongs to exactly one.
pub fn root_causes(view: &RunView<'_>) -> Vec<Finding> {
    let mut pool = Pool::new(view);
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for recognise in RECOGNISERS {
        drafts.extend(recognise(view, &mut pool));
    }
    let is_refuted = Refutation::of(view).is_some();
    for draft in drafts.iter_mut().filter(|draft| !draft.is_about_the_line()) {
        reconcile::refine(draft, is_refuted);
        doubt(view, draft);
    }
    drafts.sort_by_key(Draft::weight);
    drafts.into_iter().map(|draft| draft.finish(view)).collect()
}

/// On a line that loses many packets, or is slow, silence is no certain sign of anything.
fn doubt(view: &RunView<'_>, draft: &mut Draft<'_>) {
    let is_silence = |row: &Row<'_>| row.cause().is_some_and(|cause| cause.ending() == Ending::Silence);
    if view.line.is_poor() && draft.rows.iter().any(is_silence) {
        draft.confidence = draft.confidence.min(Confidence::Medium);
    }
}
