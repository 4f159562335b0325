//! Rows of a page against claims of the catalog.

use std::collections::BTreeSet;

use super::{
    Drift, PageReading, PageRow, RowChange, SCHEMA,
    claims::{self, Claim},
    host::{HostMatch, match_hosts},
};
use crate::{
    azure::Cloud,
    catalog::{Catalog, SourceMention},
    model::Direction,
};

/// Sections of the page without entries in the catalog.
const EMPTY_SECTIONS: [&str; 5] = [
    "regional-service-tags",
    "control-plane-ip-addresses",
    "related-content",
    "next-steps",
    "troubleshooting",
];

/// Tags that do not belong to a single service: the page's table need not have a row for each.
const SHARED_TAGS: [&str; 3] = ["Internet", "VirtualNetwork", "AzurePlatformLKM"];

/// Which parts of an entry were found on the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct ClaimMatches {
    host: bool,
    tag: bool,
    port: bool,
}

/// Compares.
pub(super) fn compare(catalog: &Catalog, reading: PageReading) -> Drift {
    let claims = claims::of(catalog);
    let mut seen = vec![ClaimMatches::default(); claims.len()];
    let mut added: Vec<PageRow> = Vec::new();
    for row in &reading.rows {
        let is_known = match (&row.host, &row.tag) {
            (Some(host), _) => see_host(row, host, &claims, &mut seen),
            (None, Some(tag)) => see_tag(row, tag, &claims, &mut seen),
            (None, None) => see_port(row, &claims, &mut seen),
        };
        let is_same = |other: &PageRow| {
            PageRow {
                line: None,
                ..other.clone()
            } == PageRow {
                line: None,
                ..row.clone()
            }
        };
        if !is_known && !added.iter().any(is_same) {
            added.push(row.clone());
        }
    }
    let mut unread = reading.unread;
    let mut dropped = Vec::new();
    if let Some(sections) = &reading.sections {
        dropped = lost(&claims, &seen);
        unread.extend(unknown_sections(catalog, sections));
    }
    let mut changed = paired(&mut added, &mut dropped);
    if reading.sections.is_none() {
        changed.extend(elsewhere(&mut added, &claims));
    }
    Drift {
        schema: SCHEMA.into(),
        page: reading.page,
        added,
        dropped,
        changed,
        unread,
    }
}

fn fits<T: PartialEq + Copy>(page: Option<T>, catalog: Option<T>) -> bool {
    page.is_none() || catalog.is_none() || page == catalog
}

fn fits_port(row: &PageRow, claim: &Claim) -> bool {
    fits(row.port, claim.row.port) && fits(row.transport, claim.row.transport)
}

/// Marks the entries that a host on the page matches; false if the catalog lacks it on that port.
fn see_host(row: &PageRow, host: &str, claims: &[Claim], seen: &mut [ClaimMatches]) -> bool {
    let mut is_known = false;
    for (claim, seen) in claims.iter().zip(seen) {
        let Some(theirs) = &claim.row.host else { continue };
        if !fits(row.cloud, claim.row.cloud) || !fits_port(row, claim) {
            continue;
        }
        let similar = match_hosts(host, theirs);
        if similar == HostMatch::No && !claim.members.iter().any(|member| member == host) {
            continue;
        }
        is_known = true;
        seen.host |= similar != HostMatch::No;
        seen.port = true;
    }
    is_known
}

/// Marks the entries that a row of the page's table matches.
fn see_tag(row: &PageRow, tag: &str, claims: &[Claim], seen: &mut [ClaimMatches]) -> bool {
    let mut is_known = false;
    for (claim, seen) in claims.iter().zip(seen) {
        if !fits_port(row, claim) {
            continue;
        }
        let is_about = match &claim.row.tag {
            Some(theirs) => theirs.eq_ignore_ascii_case(tag) && fits(row.direction, claim.row.direction),
            // Something of the user's own, anywhere in the network.
            None => claim.named == SourceMention::Tag && SHARED_TAGS.iter().any(|it| it.eq_ignore_ascii_case(tag)),
        };
        if is_about {
            is_known = true;
            (seen.tag, seen.port) = (true, true);
        }
    }
    is_known
}

/// Marks the entries that a port alone matches.
fn see_port(row: &PageRow, claims: &[Claim], seen: &mut [ClaimMatches]) -> bool {
    let mut is_known = false;
    for (claim, seen) in claims.iter().zip(seen) {
        if fits_port(row, claim) && fits(row.direction, claim.row.direction) {
            is_known = true;
            seen.port = true;
        }
    }
    is_known
}

/// What the catalog has from the page and the page no longer has, each once.
fn lost(claims: &[Claim], seen: &[ClaimMatches]) -> Vec<PageRow> {
    let mut lost: Vec<PageRow> = Vec::new();
    let pairs = || claims.iter().zip(seen);
    for (claim, seen) in pairs() {
        let row = &claim.row;
        let gone = match claim.named {
            SourceMention::Host => !seen.host,
            SourceMention::Tag | SourceMention::Port | SourceMention::Nothing => false,
        };
        if gone {
            lost.push(row.clone());
        }
        let tag = row.tag.as_deref().unwrap_or("VirtualNetwork");
        let of_table = match claim.named {
            SourceMention::Tag => true,
            SourceMention::Host => !SHARED_TAGS.contains(&tag),
            SourceMention::Port | SourceMention::Nothing => false,
        };
        let alone = PageRow {
            host: None,
            tag: Some(tag.to_owned()),
            cloud: None,
            ..row.clone()
        };
        if of_table && row.cloud == Some(Cloud::Public) && !seen.tag && !lost.contains(&alone) {
            lost.push(alone);
        }
        let by_port = PageRow {
            tag: None,
            ..alone_port(row)
        };
        // One of the transports is enough: the page leaves it open.
        let is_seen =
            pairs().any(|(other, seen)| other.row.port == row.port && other.named == SourceMention::Port && seen.port);
        if claim.named == SourceMention::Port && !is_seen && !lost.contains(&by_port) {
            lost.push(by_port);
        }
    }
    in_every_cloud(claims, &lost)
}

fn alone_port(row: &PageRow) -> PageRow {
    PageRow {
        host: None,
        port: row.port,
        transport: row.transport,
        direction: row.direction,
        tag: None,
        cloud: None,
        line: None,
    }
}

/// Combines the rows of a removed host in each of its clouds into one.
fn in_every_cloud(claims: &[Claim], lost: &[PageRow]) -> Vec<PageRow> {
    let without = |row: &PageRow| PageRow {
        cloud: None,
        ..row.clone()
    };
    let mut rows: Vec<PageRow> = Vec::new();
    for row in lost {
        let clouds = |of: &mut dyn Iterator<Item = &PageRow>| -> BTreeSet<Option<Cloud>> {
            of.filter(|it| without(it) == without(row)).map(|it| it.cloud).collect()
        };
        let had = clouds(
            &mut claims
                .iter()
                .filter(|it| it.named == SourceMention::Host)
                .map(|it| &it.row),
        );
        let merged = if had.len() > 1 && clouds(&mut lost.iter()) == had {
            without(row)
        } else {
            row.clone()
        };
        if !rows.contains(&merged) {
            rows.push(merged);
        }
    }
    rows
}

/// Treats an addition in one place and a removal in another as one change.
fn paired(added: &mut Vec<PageRow>, dropped: &mut Vec<PageRow>) -> Vec<RowChange> {
    let mut changed = Vec::new();
    added.retain(|after| {
        let nearest = dropped
            .iter()
            .enumerate()
            .filter_map(|(index, before)| Some((similarity(before, after)?, index)))
            .min();
        let Some((_, index)) = nearest else { return true };
        changed.push(RowChange {
            before: dropped.remove(index),
            after: after.clone(),
        });
        false
    });
    changed
}

/// Treats a host that the catalog has on another port as a change, if nothing can be dropped.
fn elsewhere(added: &mut Vec<PageRow>, claims: &[Claim]) -> Vec<RowChange> {
    let mut changed = Vec::new();
    added.retain(|after| {
        let is_there = |claim: &&Claim| match (&claim.row.host, &after.host) {
            (Some(theirs), Some(host)) => match_hosts(host, theirs) != HostMatch::No,
            _ => false,
        };
        let Some(claim) = claims.iter().find(is_there) else {
            return true;
        };
        changed.push(RowChange {
            before: claim.row.clone(),
            after: after.clone(),
        });
        false
    });
    changed
}

/// The distance between two rows about the same thing; `None` if they are not.
fn similarity(before: &PageRow, after: &PageRow) -> Option<(bool, bool, u16)> {
    let same_cloud = fits(before.cloud, after.cloud);
    let same = match (&before.host, &after.host) {
        (Some(before), Some(after)) => match_hosts(after, before) == HostMatch::Same,
        (None, None) => match (&before.tag, &after.tag) {
            (Some(before), Some(after)) => before.eq_ignore_ascii_case(after),
            (None, None) => true,
            _ => false,
        },
        _ => false,
    };
    let moved = before.port.unwrap_or_default().abs_diff(after.port.unwrap_or_default());
    let turned = before.direction != after.direction;
    // A rule whose direction changed keeps its port, and one whose port changed keeps its direction; a cache is reached
    // both ways.
    let is_one = !turned || moved == 0 || after.direction == Some(Direction::Peer);
    (same_cloud && same && is_one).then_some((
        turned,
        before.transport != after.transport && after.transport.is_some(),
        moved,
    ))
}

/// New sections, and sections that catalog entries link to but that do not exist.
fn unknown_sections(catalog: &Catalog, sections: &[String]) -> Vec<String> {
    let anchors: BTreeSet<&str> = catalog
        .dependencies
        .iter()
        .filter_map(|dependency| dependency.docs.as_deref()?.strip_prefix('#'))
        .collect();
    let new = sections
        .iter()
        .filter(|section| !anchors.contains(section.as_str()) && !EMPTY_SECTIONS.contains(&section.as_str()))
        .map(|section| format!("the section #{section} is new: the catalog has nothing from it"));
    let gone = anchors
        .iter()
        .filter(|anchor| !sections.iter().any(|section| section == *anchor))
        .map(|anchor| format!("there is no section #{anchor}, which catalog entries link to"));
    new.chain(gone).collect()
}
