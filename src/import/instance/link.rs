//! URLs as documents have them, without what may be secret in them.

use std::fmt;

/// The beginning of a URL: scheme, host and port. What stands behind the host is dropped on reading, as is a user before
/// it, since keys and passwords stand there. The host may hold `{{named values}}`, or be code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::import) struct Link(String);

/// More is never a host.
const LONGEST: usize = 400;

impl Link {
    /// What is kept of a URL; `None` for nothing.
    pub(in crate::import) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if is_code(text) {
            return Some(Self("@".into()));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        // A URL that a policy computes in part, or that a named value holds as a whole, ends where its host would.
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let kept = match scheme {
            Some(scheme) => format!("{scheme}://{host}"),
            None => host.to_owned(),
        };
        Some(Self(kept.chars().take(LONGEST).collect()))
    }

    /// Whether it is code, known only when a call comes.
    pub(in crate::import) fn is_code(&self) -> bool {
        self.0 == "@"
    }

    /// What was kept.
    pub(in crate::import) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a value of a policy is code: `@(…)`, `@{…}`, or a string of code.
pub(in crate::import) fn is_code(text: &str) -> bool {
    text.starts_with("@(") || text.starts_with("@{") || text.starts_with('$')
}
