//! The pages of the closed lists (causes, kinds of findings), and the list of everything.

use super::page::{INDENT, bullet, entry, label, line, paragraph, section};
use crate::{
    catalog::{self, model::Catalog},
    compare::DifferenceKind as Pattern,
    model::{Cause, FindingKind, Need, Tier},
};

/// Everything about a cause.
pub(super) fn cause(cause: Cause) -> String {
    let mut page = String::new();
    line(&mut page, cause.as_str());
    paragraph(&mut page, 0, cause.meaning());
    section(&mut page, "ON THE WIRE");
    paragraph(&mut page, INDENT, cause.wire());
    section(&mut page, "USUALLY");
    for text in cause.usually() {
        bullet(&mut page, text);
    }
    section(&mut page, "CHECK FIRST");
    for text in cause.check() {
        bullet(&mut page, text);
    }
    page
}

/// Everything about a kind of finding; `scope` is the second half of a finding's id.
pub(super) fn kind(kind: FindingKind, scope: Option<&str>) -> String {
    let mut page = String::new();
    line(&mut page, kind.as_str());
    paragraph(&mut page, 0, kind.meaning());
    page.push('\n');
    label(&mut page, "Id", &format!("{kind}/SCOPE"));
    label(&mut page, "Scope", kind.scope());
    if let Some(scope) = scope {
        label(&mut page, "In this id", scope);
    }
    section(&mut page, "HOW IT IS RECOGNISED");
    paragraph(&mut page, INDENT, kind.seen());
    section(&mut page, "WHAT ELSE LOOKS LIKE IT");
    for text in kind.lookalikes() {
        bullet(&mut page, text);
    }
    section(&mut page, "READ MORE");
    paragraph(&mut page, INDENT, kind.docs());
    page
}

/// What a pattern of `compare` shows.
pub(super) fn pattern(pattern: Pattern) -> String {
    let mut page = String::new();
    line(&mut page, pattern.as_str());
    paragraph(&mut page, 0, pattern.meaning());
    section(&mut page, "WHAT IT SHOWS");
    for text in pattern.shows() {
        bullet(&mut page, text);
    }
    section(&mut page, "TRY");
    line(&mut page, "  apim-probe compare spoke=report.json hub=other.json");
    page
}

/// What a tier needs, and how it is probed.
pub(super) fn tier(tier: Tier) -> String {
    let catalog = Catalog::of(tier);
    let mut page = String::new();
    line(&mut page, tier.as_str());
    paragraph(&mut page, 0, &format!("{}.", tier.title()));
    page.push('\n');
    label(&mut page, "Run it", &format!("{}.", tier.standpoint()));
    label(&mut page, "Roots", &format!("{}.", tier.trust()));
    section(&mut page, "DEPENDENCIES");
    for dependency in &catalog.dependencies {
        let need = match dependency.need {
            Need::Required => String::new(),
            need => format!(" ({})", need.label()),
        };
        entry(&mut page, &dependency.id, &format!("{}{need}", dependency.title));
    }
    section(&mut page, "SOURCE");
    paragraph(
        &mut page,
        INDENT,
        &format!("{}, {}", catalog.source.title, catalog.source.documented),
    );
    paragraph(&mut page, INDENT, &catalog.source.url);
    paragraph(&mut page, INDENT, &format!("Catalog: {}", catalog::builtin(tier).0));
    section(&mut page, "TRY");
    line(&mut page, &format!("  apim-probe list{}", flag(tier)));
    line(&mut page, &format!("  apim-probe run{}", flag(tier)));
    page
}

/// The flag that selects a tier, with a leading space; none for the default one.
pub(super) fn flag(tier: Tier) -> String {
    if tier == Tier::Classic {
        String::new()
    } else {
        format!(" --tier {}", tier.as_str())
    }
}

/// Every word with its meaning.
pub(super) fn list(catalog: &Catalog) -> String {
    let mut page = String::new();
    line(
        &mut page,
        "apim-probe explain WORD shows everything known about one of these, or a host.",
    );
    section(&mut page, "DEPENDENCIES");
    for dependency in &catalog.dependencies {
        entry(&mut page, &dependency.id, &dependency.title);
    }
    section(&mut page, "TIERS: the catalogs that --tier selects");
    for tier in Tier::ALL {
        entry(&mut page, tier.as_str(), tier.title());
    }
    section(&mut page, "CAUSES: why an endpoint got its verdict");
    for cause in Cause::ALL {
        entry(&mut page, cause.as_str(), cause.meaning());
    }
    section(&mut page, "KINDS OF FINDINGS: the first half of a finding's id");
    for kind in FindingKind::ALL {
        entry(&mut page, kind.as_str(), kind.meaning());
    }
    section(&mut page, "PATTERNS: how the places in compare differ");
    for pattern in Pattern::ALL {
        entry(&mut page, pattern.as_str(), pattern.meaning());
    }
    page
}
