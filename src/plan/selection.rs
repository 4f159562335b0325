//! `--only`, `--skip` and `--required-only`.

use crate::{
    catalog::{OF_DOCUMENTS, model::Catalog},
    model::Need,
    text::{nearest, words},
};

/// Which dependencies the user wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these ids, globs allowed; empty means all.
    pub only: Vec<String>,
    /// Not these ids, globs allowed: they are in the report as `skipped`.
    pub skip: Vec<String>,
    /// Probe only required dependencies.
    pub required_only: bool,
}

impl Selection {
    /// Checks that every pattern matches something: a dependency of the catalog, or one that the instance's documents
    /// may add.
    ///
    /// # Errors
    ///
    /// A sentence that lists the possible values.
    pub fn check(&self, catalog: &Catalog) -> Result<(), String> {
        let ids: Vec<&str> = catalog
            .dependencies
            .iter()
            .map(|dependency| dependency.id.as_str())
            .collect();
        let flags = [("--only", &self.only), ("--skip", &self.skip)];
        for (flag, pattern) in flags
            .iter()
            .flat_map(|(flag, list)| list.iter().map(move |pattern| (flag, pattern)))
        {
            if !ids.iter().chain(&OF_DOCUMENTS).any(|id| matches(pattern, id)) {
                let all: Vec<&str> = ids.iter().copied().chain(OF_DOCUMENTS).collect();
                let meant = nearest(pattern, &all).map_or_else(|| ".".to_owned(), |id| format!(": did you mean {id}?"));
                return Err(format!(
                    "{flag} {pattern} matches no dependency{meant} Known: {}",
                    ids.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// A sentence about dependencies in `--only` that only the instance's documents can add, and none did.
    pub fn idle(&self, catalog: &Catalog) -> Option<String> {
        let is_idle = |pattern: &&String| !catalog.dependencies.iter().any(|it| matches(pattern, &it.id));
        let idle: Vec<&str> = self.only.iter().filter(is_idle).map(String::as_str).collect();
        (!idle.is_empty()).then(|| {
            format!(
                "--only {}: only the instance's own documents list such hosts, and none of those given does: fetch \
                 them with --service, or pass them with --instance",
                words::list(&idle, 5)
            )
        })
    }

    /// Whether a dependency is part of the run.
    pub fn includes(&self, id: &str) -> bool {
        self.only.is_empty() || self.names(id)
    }

    /// Whether the user selected this dependency with `--only`.
    pub fn names(&self, id: &str) -> bool {
        self.only.iter().any(|pattern| matches(pattern, id))
    }

    /// Whether a dependency is skipped.
    pub fn skips(&self, id: &str) -> bool {
        self.skip.iter().any(|pattern| matches(pattern, id))
    }

    /// Whether endpoints of this need are part of the run.
    pub fn counts(&self, need: Need) -> bool {
        !self.required_only || need == Need::Required
    }
}

/// Matches `*` (any number of characters) and `?` (one character), ignoring case.
fn matches(pattern: &str, id: &str) -> bool {
    fn glob(pattern: &[u8], id: &[u8]) -> bool {
        match (pattern.split_first(), id.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => glob(rest, id) || id.split_first().is_some_and(|(_, id)| glob(pattern, id)),
            (Some((b'?', rest)), Some((_, id))) => glob(rest, id),
            (Some((wanted, rest)), Some((found, id))) => wanted.eq_ignore_ascii_case(found) && glob(rest, id),
            _ => false,
        }
    }
    // Consecutive stars would only make the search exponential.
    let mut pattern = pattern.as_bytes().to_vec();
    pattern.dedup_by(|a, b| *a == b'*' && *b == b'*');
    glob(&pattern, id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_ids() {
        let table = [
            ("sql", "sql", true),
            ("sql", "sqlx", false),
            ("azure-*", "azure-monitor", true),
            ("*", "anything", true),
            ("*-hubs", "event-hubs", true),
            ("event-h?bs", "event-hubs", true),
            ("SQL", "sql", true),
            ("", "sql", false),
        ];
        for (pattern, id, expected) in table {
            assert_eq!(matches(pattern, id), expected, "{pattern} on {id}");
        }
    }
}
