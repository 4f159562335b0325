//! Everything that is known about a dependency, a cause, a kind of finding or a host, on one page of 80 columns.

use crate::{
    azure::Cloud,
    catalog::model::Catalog,
    compare::DifferenceKind as Pattern,
    model::{Cause, FindingKind, Tier},
    text::{escape, nearest},
};

mod dependency;
mod host;
mod page;
mod words;

/// Explains a word, in any case: the id of a dependency or of an endpoint, a cause, a kind of finding or a finding's
/// id, a tier, a pattern of `compare`, a host or an address.
///
/// # Errors
///
/// A sentence that suggests the nearest words, if the word is not known.
pub fn explain(word: &str, catalog: &Catalog, cloud: Cloud) -> Result<String, String> {
    let asked = word.to_ascii_lowercase();
    if let Some(dependency) = dependency_of(&asked, catalog) {
        return Ok(dependency::page(dependency, catalog, cloud));
    }
    if let Some(tier) = Tier::named(&asked) {
        return Ok(words::tier(tier));
    }
    if let Ok(cause) = asked.parse() {
        return Ok(words::cause(cause));
    }
    if let Some(pattern) = Pattern::named(&asked) {
        return Ok(words::pattern(pattern));
    }
    let (kind, scope) = asked
        .split_once('/')
        .map_or((asked.as_str(), None), |(kind, scope)| (kind, Some(scope)));
    if let Ok(kind) = kind.parse() {
        return Ok(words::kind(kind, scope));
    }
    // `sql/name.database.windows.net:1433`: the part after the dependency is a host.
    let target = scope
        .filter(|_| dependency_of(kind, catalog).is_some())
        .unwrap_or(&asked);
    host::page(target, catalog, cloud).ok_or_else(|| unknown(word, catalog))
}

/// Every word that [`explain`] accepts apart from hosts: ids in the catalog, and the closed lists.
pub fn words(catalog: &Catalog) -> impl Iterator<Item = &str> {
    let ids = catalog.dependencies.iter().map(|dependency| dependency.id.as_str());
    ids.chain(closed())
}

/// The words of the closed lists: causes, kinds of findings, tiers, patterns of `compare`.
fn closed<'a>() -> impl Iterator<Item = &'a str> {
    let causes = Cause::ALL.iter().map(|cause| cause.as_str());
    let kinds = FindingKind::ALL.iter().map(|kind| kind.as_str());
    let tiers = Tier::ALL.iter().map(|tier| tier.as_str());
    let patterns = Pattern::ALL.iter().map(|pattern| pattern.as_str());
    causes.chain(kinds).chain(tiers).chain(patterns)
}

/// Every word of [`words()`] with what it means.
pub fn list(catalog: &Catalog) -> String {
    words::list(catalog)
}

fn dependency_of<'a>(id: &str, catalog: &'a Catalog) -> Option<&'a crate::catalog::model::Dependency> {
    let mut dependencies = catalog.dependencies.iter();
    dependencies.find(|dependency| dependency.id.eq_ignore_ascii_case(id))
}

/// What a word might have meant.
fn unknown(word: &str, catalog: &Catalog) -> String {
    const MAX_SUGGESTIONS: usize = 3;
    /// Below this two words have nothing in common (Jaro-Winkler similarity, 0 to 1).
    const NEAR: f64 = 0.75;
    let asked = word.to_ascii_lowercase();
    let near = |other: &str| {
        let similarity = strsim::jaro_winkler(&asked, &other.to_ascii_lowercase());
        // A typing mistake in a short word, such as `slq`, has a low similarity.
        match nearest(&asked, &[other]) {
            Some(_) => similarity.max(NEAR),
            None => similarity,
        }
    };
    let dependencies = catalog.dependencies.iter().map(|dependency| {
        let tag = dependency
            .service_tag
            .as_deref()
            .filter(|tag| !matches!(*tag, "Internet" | "VirtualNetwork"));
        let names = [Some(dependency.id.as_str()), Some(dependency.title.as_str()), tag];
        (
            names.into_iter().flatten().map(near).fold(0.0, f64::max),
            dependency.id.as_str(),
        )
    });
    let words = closed().map(|word| (near(word), word));
    let mut similar: Vec<(f64, &str)> = dependencies.chain(words).filter(|(score, _)| *score >= NEAR).collect();
    similar.sort_by(|a, b| b.0.total_cmp(&a.0));
    similar.truncate(MAX_SUGGESTIONS);
    let what = if asked.contains('.') && !asked.contains(char::is_whitespace) {
        format!("no dependency in the catalog needs `{}`", escape(word))
    } else {
        format!(
            "there is no dependency, cause, kind of finding, tier or compare pattern named `{}`",
            escape(word)
        )
    };
    if similar.is_empty() {
        return format!("{what}; `apim-probe explain` lists them all");
    }
    let words: Vec<&str> = similar.into_iter().map(|(_, word)| word).collect();
    format!("{what}; did you mean {}?", words.join(" or "))
}
