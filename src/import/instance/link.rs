//! URLs from documents, excluding what may be secret in them.

use std::{borrow::Cow, fmt};

/// The beginning of a URL: scheme, host and port. Everything after the host is dropped on reading, and so is a user
/// before it, because these may contain keys and passwords. The host may contain `{{named values}}`, or be code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::import) struct UrlOrigin(String);

/// A host is never longer.
const MAX_LENGTH: usize = 400;

impl UrlOrigin {
    /// The part of a URL that is kept; `None` if there is none.
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
        // A URL that a policy computes in part, or that a named value contains completely, ends where its host would.
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = &rest[..end];
        if authority.contains("@(") || authority.contains("@{") {
            return Some(Self("@".into()));
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let kept = match scheme {
            Some(scheme) => format!("{scheme}://{host}"),
            None => host.to_owned(),
        };
        Some(Self(without_words(&kept).chars().take(MAX_LENGTH).collect()))
    }

    /// Whether it is code, which is evaluated when a call arrives.
    pub(in crate::import) fn is_code(&self) -> bool {
        self.0 == "@"
    }

    /// The part that was kept.
    pub(in crate::import) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UrlOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text up to the first character that neither a host nor a port can contain: what follows may be the rest of a
/// connection string.
fn without_words(text: &str) -> Cow<'_, str> {
    let ends = |letter: char| letter.is_whitespace() || ";,=&|\"'<>".contains(letter);
    match text.find(ends) {
        Some(end) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Whether a value in a policy is code: `@(…)`, `@{…}`, or a string of code.
pub(in crate::import) fn is_code(text: &str) -> bool {
    text.starts_with("@(") || text.starts_with("@{") || text.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_credentials_and_query_are_dropped() {
        for (text, kept) in [
            (
                "https://u:p@Host.example:8443/path?key=p#p",
                "https://Host.example:8443",
            ),
            ("{{base}}/v1?key=p", "{{base}}"),
            ("Server=tcp:db.example,1433;Password=p", "Server…"),
            ("Endpoint=sb://hub.example/;SharedAccessKey=p", "Endpoint…"),
            ("https://host.example;password=p", "https://host.example…"),
            ("https://host.example&key=p", "https://host.example…"),
            ("a password", "a…"),
        ] {
            assert_eq!(UrlOrigin::of(text).unwrap().as_str(), kept, "{text}");
        }
    }

    #[test]
    fn url_with_an_expression_in_its_host_is_code() {
        for text in [
            "@(context.x)",
            "@{ return x; }",
            "$\"https://{x}\"",
            "https://@(context.Variables[\"x\"])/y",
            "https://api-@(x).example",
        ] {
            assert!(UrlOrigin::of(text).unwrap().is_code(), "{text}");
        }
        assert!(!UrlOrigin::of("https://host.example/@(x)").unwrap().is_code());
    }
}
