//! Hosts of several owners that answer with the same page: a device answers instead of all of them, whether or not its
//! page names a product.

use std::collections::BTreeSet;

use super::phrases;
use crate::{
    diagnosis::{
        context, fix,
        grounds::{EvidenceWeight, Grounds},
        pages::{self, AnsweringPage, PageFingerprint},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, FindingKind, Suspect},
    text::words::{count, list},
};

/// Pages instead of the requested files, and others that look the same.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::DenyPage,
    claims: EndpointMatcher::Groups(|view, _| {
        let pages = all(view);
        let mut rows: Vec<(&PageFingerprint, ProbedEndpoint<'_>)> = pages::same_pages(&pages)
            .into_iter()
            .flatten()
            .filter_map(|page| Some((&page.fingerprint, *view.rows.get(page.index)?)))
            .collect();
        rows.sort_by_key(|(_, row)| row.index);
        let in_order: Vec<ProbedEndpoint<'_>> = rows.iter().map(|(_, row)| *row).collect();
        FindingGroup::by(&in_order, |row| {
            let (face, _) = rows.iter().find(|(_, other)| other.index == row.index)?;
            Some(format!("page-{}", phrases::slug(&phrases::shortened(&face.text))))
        })
    }),
    describe,
};

fn all(view: &RunView<'_>) -> Vec<AnsweringPage> {
    pages::pages(view.rows.iter().map(|row| (row.endpoint, row.trace, row.judgement)))
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let pages = all(view);
    let here: Vec<&AnsweringPage> = pages
        .iter()
        .filter(|page| rows.iter().any(|row| row.index == page.index))
        .collect();
    let quote = here.first().map_or("", |page| page.fingerprint.quote.as_str());
    let hosts = phrases::hosts(rows);
    let ports = phrases::ports(rows);
    let owners: BTreeSet<String> = hosts.iter().map(|host| context::owner(host)).collect();
    let replaced = here.iter().filter(|page| page.in_place_of_an_object).count();
    let grounds = if replaced > 1 {
        Grounds::default().pattern(format!(
            "{} requested a file and got this page instead, from hosts of {}",
            count(replaced, "endpoint"),
            count(owners.len(), "owner")
        ))
    } else {
        Grounds::default()
            .sign(format!(
                "hosts of {} answer with this page",
                count(owners.len(), "owner")
            ))
            .open("servers of the same product may use the same error page")
    };
    let whole = (phrases::shortened(quote) != quote).then(|| format!("the page contains \"{quote}\""));
    Explanation {
        title: format!(
            "{} answer {ports} with the same page: \"{}\"",
            count(hosts.len(), "host"),
            phrases::shortened(quote)
        ),
        grounds: grounds
            .all(EvidenceWeight::Supports(Basis::Ambiguous), whole)
            .note(format!("it came from {}", list(&hosts, 3)))
            .note("the TCP connection itself is accepted, so a plain port test shows the port as open"),
        suspects: vec![Suspect::Proxy, Suspect::FirewallApplicationRule, Suspect::Nva],
        fix: fix::allow_by_name(rows, view),
        impact: None,
    }
}
