//! The hosts in policies.
//!
//! A policy is XML with embedded code. In the format `xml` the code is escaped; in `rawxml` it is not, so such a policy
//! is not valid XML until its code is removed. Anything computed when a call arrives cannot be known here.

use std::{borrow::Cow, collections::HashSet};

use roxmltree::{Document, Node};

use super::link::{UrlOrigin, is_code};
use crate::azure::json::Object;

/// A policy, or a fragment of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct ApimPolicy {
    /// The calls that it applies to.
    pub scope: PolicyScope,
    /// What it mentions, each once, in order.
    pub mentions: Vec<Mention>,
    /// Whether it could be read.
    pub is_readable: bool,
}

/// The calls that a policy applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) enum PolicyScope {
    /// Every call.
    Everything,
    /// Calls through a product, by its name.
    Product(String),
    /// Calls to an API, by its name.
    Api(String),
    /// Calls to an operation of an API.
    Operation {
        /// The API's name.
        api: String,
        /// The operation's name.
        operation: String,
    },
    /// Calls whose policies include the fragment with this name.
    Fragment(String),
}

impl PolicyScope {
    /// The name of the API, if there is one.
    pub(in crate::import) fn api(&self) -> Option<&str> {
        match self {
            Self::Api(api) | Self::Operation { api, .. } => Some(api),
            Self::Everything | Self::Product(_) | Self::Fragment(_) => None,
        }
    }
}

/// What a policy mentions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::import) enum Mention {
    /// A URL that an element connects to.
    Url {
        /// The element: `send-request`.
        element: String,
        /// The URL.
        link: UrlOrigin,
    },
    /// A URL that calls are sent to instead of the API's own.
    BackendUrl {
        /// The URL.
        link: UrlOrigin,
        /// Whether only some calls are sent there.
        is_conditional: bool,
    },
    /// A backend.
    Backend {
        /// Its name.
        name: String,
        /// Whether only some calls are sent there.
        is_conditional: bool,
    },
    /// The metadata of a token issuer (`validate-jwt`).
    Metadata(UrlOrigin),
    /// Entra ID, which issues or validates tokens.
    Entra,
    /// The credential manager.
    Credentials,
    /// A logger, by its name.
    Logger(String),
    /// A fragment, by its name.
    Fragment(String),
}

/// Reads a policy; `None` where the entry has no text.
pub(super) fn read(entry: &Object<'_>) -> Option<ApimPolicy> {
    let text = entry.filled("value").or_else(|| entry.filled("policyContent"))?;
    let id = entry.filled("id").unwrap_or_default();
    let scope = scope(&id, &entry.filled("name").unwrap_or_default());
    let mentions = mentions(&text);
    Some(ApimPolicy {
        scope,
        is_readable: mentions.is_some(),
        mentions: mentions.unwrap_or_default(),
    })
}

/// The scope of a policy, according to its id.
fn scope(id: &str, name: &str) -> PolicyScope {
    let words: Vec<&str> = id.split('/').collect();
    let behind = |key: &str| {
        let at = words.iter().position(|word| word.eq_ignore_ascii_case(key))?;
        words.get(at + 1).map(|word| (*word).to_owned())
    };
    let fragment = behind("policyFragments");
    match (behind("apis"), behind("operations"), behind("products")) {
        _ if fragment.is_some() => PolicyScope::Fragment(fragment.unwrap_or_default()),
        (Some(api), Some(operation), _) => PolicyScope::Operation { api, operation },
        (Some(api), None, _) => PolicyScope::Api(api),
        (None, _, Some(product)) => PolicyScope::Product(product),
        (None, _, None) if id.is_empty() && !matches!(name, "" | "policy") => PolicyScope::Fragment(name.into()),
        (None, _, None) => PolicyScope::Everything,
    }
}

/// What a policy mentions; `None` if it cannot be read.
fn mentions(text: &str) -> Option<Vec<Mention>> {
    let of = |text: &str| {
        let document = Document::parse(text).ok()?;
        let elements = document.descendants().filter(Node::is_element);
        let mut known = HashSet::new();
        let new = |mention: &Mention| known.insert(mention.clone());
        Some(elements.flat_map(of_element).filter(new).collect())
    };
    of(text).or_else(|| of(&without_code(text)))
}

fn of_element(element: Node<'_, '_>) -> Vec<Mention> {
    let link = |attribute: &str| element.attribute(attribute).and_then(UrlOrigin::of);
    let plain = |attribute: &str| {
        element
            .attribute(attribute)
            .filter(|text| !is_code(text.trim()))
            .map(str::to_owned)
    };
    let child = |name: &str| element.children().find(|child| child.has_tag_name(name));
    let name = element.tag_name().name();
    let is_choice = |above: Node<'_, '_>| matches!(above.tag_name().name(), "choose" | "on-error" | "wait");
    // An element that checks a call or looks something up is not a backend of all calls.
    let is_conditional = name != "set-backend-service" || element.ancestors().any(is_choice);
    let backend = |name| Mention::Backend { name, is_conditional };
    let mut mentions = Vec::new();
    match name {
        "openid-config" => mentions.extend(link("url").map(Mention::Metadata)),
        "validate-azure-ad-token" | "authentication-managed-identity" => mentions.push(Mention::Entra),
        "send-request" | "send-one-way-request" => {
            let url = child("set-url").and_then(|url| UrlOrigin::of(url.text()?));
            let proxy = child("proxy").and_then(|proxy| UrlOrigin::of(proxy.attribute("url")?));
            // The connection goes to the proxy, regardless of where the request goes from there.
            mentions.extend(proxy.or(url).map(|link| Mention::Url {
                element: name.into(),
                link,
            }));
        }
        "set-backend-service" => {
            mentions.extend(link("base-url").map(|link| Mention::BackendUrl { link, is_conditional }));
            mentions.extend(plain("backend-id").map(backend));
        }
        "log-to-eventhub" => mentions.extend(plain("logger-id").map(Mention::Logger)),
        "get-authorization-context" => mentions.push(Mention::Credentials),
        "include-fragment" => mentions.extend(plain("fragment-id").map(Mention::Fragment)),
        _ => {
            let backends = ["embeddings-backend-id", "backend-id"].into_iter().filter_map(plain);
            mentions.extend(backends.map(backend));
        }
    }
    mentions
}

/// A policy with the contents of `@(…)` and `@{…}` removed, so that no `<`, `&` or quote in the code is parsed as XML.
fn without_code(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    let begins = |pair: &[u8]| pair == b"@(" || pair == b"@{";
    while let Some(at) = rest.as_bytes().windows(2).position(begins) {
        let inside = &rest[at + 2..];
        let closing = if rest.as_bytes()[at + 1] == b'(' { b')' } else { b'}' };
        let Some(end) = end_of_code(inside, closing) else { break };
        kept.push_str(&rest[..at + 2]);
        kept.push(char::from(closing));
        rest = &inside[end..];
    }
    if kept.is_empty() {
        return Cow::Borrowed(text);
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// The end of a C# expression that is already open: after its closing bracket, ignoring brackets in strings, characters
/// and comments.
fn end_of_code(code: &str, closing: u8) -> Option<usize> {
    let bytes = code.as_bytes();
    let opening = if closing == b')' { b'(' } else { b'{' };
    let (mut at, mut depth) = (0, 1);
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at + 1..];
        at += match *byte {
            b'"' if at > 0 && (bytes[at - 1] == b'@' || bytes[..at].ends_with(b"@$")) => 1 + verbatim(rest),
            quote @ (b'"' | b'\'') => 1 + quoted(rest, quote),
            b'/' if rest.first() == Some(&b'/') => 1 + until(rest, b"\n"),
            b'/' if rest.first() == Some(&b'*') => 1 + until(rest, b"*/"),
            _ => 1,
        };
        if *byte == opening {
            depth += 1;
        } else if *byte == closing {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// The length of a string up to and including its closing quote, ignoring `\"`.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        at += if *byte == b'\\' { 2 } else { 1 };
        if *byte == quote {
            break;
        }
    }
    at.min(rest.len())
}

/// The length of a verbatim string, in which `""` is a quote.
fn verbatim(rest: &[u8]) -> usize {
    let mut at = 0;
    while at < rest.len() {
        if rest[at] == b'"' {
            if rest.get(at + 1) != Some(&b'"') {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    rest.len()
}

fn until(rest: &[u8], end: &[u8]) -> usize {
    let found = rest.windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |at| at + end.len())
}
