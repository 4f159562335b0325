//! What the platform's own name server answers as a control.

use crate::{
    azure::PLATFORM,
    diagnosis::{
        grounds::Grounds,
        view::{ProbedEndpoint, RunView},
    },
};

/// Commands that show the DNS security policies of the network and what they block.
pub(super) const POLICIES: [&str; 2] = [
    "az dns-resolver policy list -o table",
    "az dns-resolver policy dns-security-rule list -g RG --policy-name DNS_POLICY -o table",
];

/// Whether it answers at all.
pub(super) fn answers(view: &RunView<'_>) -> Option<String> {
    view.platform_dns.map(|answers| {
        if answers {
            format!("Azure's name server {PLATFORM} answers from here")
        } else {
            format!("Azure's name server {PLATFORM} does not answer either")
        }
    })
}

/// For how many of these rows' names it gives addresses, and for how many it does not.
fn count_answers(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> (usize, usize) {
    let replies = rows
        .iter()
        .filter_map(|row| view.names.get(&row.endpoint.host)?.platform.as_ref());
    let (mut gives, mut denies) = (0, 0);
    for reply in replies {
        if !reply.addresses().is_empty() {
            gives += 1;
        } else if reply.answer().is_some() {
            denies += 1;
        }
    }
    (gives, denies)
}

/// Whether it gives an address for each of them, so that nothing is wrong with the names.
pub(super) fn gives_all(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> bool {
    count_answers(view, rows) == (rows.len(), 0)
}

/// What the platform's own server answers for the same names, if it was queried as a control.
pub(super) fn of_names(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>], grounds: Grounds) -> Grounds {
    let (gives, denies) = count_answers(view, rows);
    match (gives, denies) {
        (0, 0) => grounds,
        (0, _) => grounds.against(format!(
            "Azure's name server {PLATFORM} gives no address for {} either",
            if denies == 1 { "it" } else { "them" }
        )),
        (_, 0) if gives == rows.len() => grounds.proof(format!(
            "Azure's name server {PLATFORM} gives an address for {}",
            if gives == 1 { "it" } else { "all of them" }
        )),
        _ => grounds.note(format!(
            "Azure's name server {PLATFORM} gives an address for {gives} of {}",
            gives + denies
        )),
    }
}
