//! Host names as pages write them.

use crate::{catalog::stands_for, text::host::is_label};

/// Names of files and code that look like hosts.
const FILES: [&str; 14] = [
    "md", "xml", "json", "yaml", "yml", "png", "svg", "txt", "ps1", "sh", "exe", "html", "config", "csv",
];

/// Documentation addresses: a link to one is for the reader, not for the instance.
const FOR_READERS: [&str; 6] = [
    "learn.microsoft.com",
    "docs.microsoft.com",
    "techcommunity.microsoft.com",
    "aka.ms",
    "github.com",
    "portal.azure.com",
];

/// The meaning of a word on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostWord {
    /// A host, with the port after it.
    Host(String, Option<u16>),
    /// A URL that may be meant as an endpoint, or not.
    Link(String),
    /// Anything else.
    Other,
}

/// Reads one word without spaces; in code it may have only two labels.
pub(super) fn word(text: &str, in_code: bool) -> HostWord {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = match rest.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
        Some((name, "")) => (name, None),
        _ => (rest, None),
    };
    let Some(host) = host(name, in_code || scheme.is_some()) else {
        return HostWord::Other;
    };
    match scheme {
        Some(_) if FOR_READERS.contains(&host.as_str()) => HostWord::Other,
        Some(_) if !in_code => HostWord::Link(text.to_owned()),
        Some(scheme) => HostWord::Host(host, port.or(default_port(scheme))),
        None => HostWord::Host(host, port.filter(|port| *port > 0)),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Some(443),
        "http" => Some(80),
        "amqps" => Some(5671),
        _ => None,
    }
}

/// A host name in lower case, with `{name}` for a part that the reader must fill in.
fn host(text: &str, in_code: bool) -> Option<String> {
    let text = text.trim_end_matches('.').replace('<', "{").replace('>', "}");
    let labels: Vec<&str> = text.split('.').collect();
    let least = if in_code { 2 } else { 3 };
    let top = labels.last()?;
    let is_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
    // `Storage.WestUS` is a regional tag, `context.Request.Url` a piece of code.
    let is_shouted = !text.contains(|c: char| c.is_ascii_lowercase());
    let has_capitals = !is_shouted && top.contains(|c: char| c.is_ascii_uppercase());
    let is_named = |(index, label): (usize, &&str)| {
        (index == 0 && *label == "*") || is_label(&label.replace(['{', '}'], "").replace(' ', "-")) && balanced(label)
    };
    let is_host = labels.len() >= least
        && is_top
        && !has_capitals
        && !FILES.contains(top)
        && labels.iter().enumerate().all(is_named);
    is_host.then(|| text.to_ascii_lowercase())
}

fn balanced(label: &str) -> bool {
    label.matches('{').count() == label.matches('}').count()
}

/// How the host of a page matches the host of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostMatch {
    /// They are the same, except for the names of the parts that the reader must fill in.
    Same,
    /// The page's host is covered by the catalog's.
    Covered,
    /// They differ.
    No,
}

/// Compares a host on a page with one in the catalog, both in lower case.
pub(super) fn match_hosts(page: &str, catalog: &str) -> HostMatch {
    if blank(page) == blank(catalog) {
        HostMatch::Same
    } else if !page.contains('{') && catalog.contains('.') && !catalog.starts_with('*') && stands_for(catalog, page) {
        HostMatch::Covered
    } else {
        HostMatch::No
    }
}

/// A host with empty braces; a leading wildcard counts as a part to fill in.
fn blank(host: &str) -> String {
    let (mut text, mut inside) = (String::new(), false);
    let host = host
        .strip_prefix("*.")
        .map_or_else(|| host.to_owned(), |rest| format!("{{}}.{rest}"));
    for c in host.chars() {
        match c {
            '{' => {
                inside = true;
                text.push('{');
            }
            '}' => {
                inside = false;
                text.push('}');
            }
            _ if inside => {}
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_classified_as_host_link_or_other() {
        let host = |name: &str, port| HostWord::Host(name.to_owned(), port);
        for (text, in_code, expected) in [
            ("mscrl.microsoft.com", true, host("mscrl.microsoft.com", None)),
            ("aka.example", true, host("aka.example", None)),
            ("aka.example", false, HostWord::Other),
            ("*.data.microsoft.com", false, host("*.data.microsoft.com", None)),
            (
                "<region>.login.microsoft.com",
                true,
                host("{region}.login.microsoft.com", None),
            ),
            (
                "rt.services.visualstudio.com:443",
                false,
                host("rt.services.visualstudio.com", Some(443)),
            ),
            ("https://a.example.com/path", true, host("a.example.com", Some(443))),
            (
                "https://a.example.com/path",
                false,
                HostWord::Link("https://a.example.com/path".into()),
            ),
            ("https://learn.microsoft.com/azure", false, HostWord::Other),
            ("Storage.WestUS", true, HostWord::Other),
            ("context.Request.Url", true, HostWord::Other),
            ("New.EDGE.example.com", false, host("new.edge.example.com", None)),
            ("NEW.EXAMPLE.COM", false, host("new.example.com", None)),
            ("policy.xml", true, HostWord::Other),
            ("10.1.0.5", true, HostWord::Other),
            ("a..example.com", true, HostWord::Other),
            ("{a.example.com", true, HostWord::Other),
            ("", true, HostWord::Other),
        ] {
            assert_eq!(word(text, in_code), expected, "{text}");
        }
    }

    #[test]
    fn placeholders_and_wildcards_match_catalog_hosts() {
        for (page, catalog, expected) in [
            (
                "{region}.login.microsoft.com",
                "{region}.login.microsoft.com",
                HostMatch::Same,
            ),
            (
                "{blob-name}.blob.core.windows.net",
                "{storage_account}.blob.core.windows.net",
                HostMatch::Same,
            ),
            (
                "*.blob.core.windows.net",
                "{storage_account}.blob.core.windows.net",
                HostMatch::Same,
            ),
            (
                "abc.blob.core.windows.net",
                "{storage_account}.blob.core.windows.net",
                HostMatch::Covered,
            ),
            ("x.data.microsoft.com", "*.data.microsoft.com", HostMatch::No),
            ("any.example.com", "{redis_host}", HostMatch::No),
            ("a.example.com", "b.example.com", HostMatch::No),
        ] {
            assert_eq!(match_hosts(page, catalog), expected, "{page} {catalog}");
        }
    }
}
