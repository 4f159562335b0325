//! From a file to the entries of each list, inside any wrapper.

use super::part::{self, EntryType, InstancePart};
use crate::{
    azure::{
        json::{AzureDocument, DocumentKind, JsonNode, Object},
        normalised,
    },
    text::{one_line, words},
};

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct ClassifiedFile<'a> {
    /// Entries, each with the part that it belongs to.
    pub entries: Vec<(InstancePart, JsonNode<'a>)>,
    /// Documents of the instance's network, which have separate readers.
    pub of_the_network: Vec<(DocumentKind, &'a str)>,
    /// Notices, worded to follow the file's name.
    pub notices: Vec<String>,
    /// What was found and is not used.
    passed_over: Vec<String>,
}

/// Maximum length of a message that is shown, in characters.
const MAX_CHARACTERS: usize = 200;
/// How deep lists, pages and replies may be nested.
const MAX_DEPTH: usize = 6;

/// Sorts a document.
///
/// # Errors
///
/// What it looks like instead.
pub(super) fn sorted<'a>(document: &'a AzureDocument<'_>) -> Result<ClassifiedFile<'a>, String> {
    let mut sorted = ClassifiedFile::default();
    let root = document.root();
    if document.is_lossy() {
        return Err("is a table or a list, which omits nested values: pass JSON".into());
    }
    let is_bundle = root.object().is_some_and(|root| is_bundle(&root));
    let mut network = [DocumentKind::NetworkStatus, DocumentKind::Dependencies].into_iter();
    if let Some(kind) = network.find(|kind| !is_bundle && document.is(*kind)) {
        sorted.of_the_network.push((kind, root.as_str()));
        return Ok(sorted);
    }
    let is_something = sorted.node(root, None, MAX_DEPTH)?;
    if !is_something {
        return Err(document.unlike());
    }
    if !sorted.passed_over.is_empty() {
        let names = words::distinct(sorted.passed_over.iter().map(String::as_str));
        sorted
            .notices
            .push(format!("also contains {}, which are not used", words::list(&names, 5)));
    }
    if sorted.entries.is_empty() && sorted.of_the_network.is_empty() && sorted.notices.is_empty() {
        sorted.notices.push("is an empty list".into());
    }
    Ok(sorted)
}

impl<'a> ClassifiedFile<'a> {
    /// Sorts a node; returns whether it belongs to an instance. Below a key of a bundle the part is known.
    fn node(&mut self, node: JsonNode<'a>, part: Option<InstancePart>, depth: usize) -> Result<bool, String> {
        if depth == 0 {
            return Ok(false);
        }
        if let Some(items) = node.items() {
            let mut known = items.is_empty();
            for item in &items {
                known |= item.is_null() && part.is_some();
                known |= self.node(*item, part, depth - 1)?;
            }
            return Ok(known);
        }
        let Some(object) = node.object() else {
            return Ok(false);
        };
        if let Some(failure) = failure(&object) {
            return match part {
                Some(part) => {
                    self.notices.push(format!("does not have {}: {failure}", part.what()));
                    Ok(true)
                }
                None => Ok(false),
            };
        }
        match EntryType::of(&object) {
            Some(EntryType::Part(part)) => {
                self.entries.push((part, node));
                return Ok(true);
            }
            Some(EntryType::OtherPart(name)) => {
                self.passed_over.push(name);
                return Ok(true);
            }
            Some(EntryType::Foreign(kind)) => {
                return Err(part::foreign(&kind));
            }
            None => {}
        }
        if object.own("properties").is_some_and(JsonNode::is_string) {
            return Err(
                "was truncated by PowerShell, which replaces anything nested deeper than -Depth with text".into(),
            );
        }
        let of_the_network =
            |kind: &DocumentKind| matches!(kind, DocumentKind::NetworkStatus | DocumentKind::Dependencies);
        if let Some(kind) = DocumentKind::of(&object).filter(|kind| of_the_network(kind) && !is_bundle(&object)) {
            self.of_the_network.push((kind, node.as_str()));
            return Ok(true);
        }
        if let Some(value) = object
            .own("value")
            .filter(|value| value.items().is_some() || value.is_null() && part.is_some())
        {
            if value.items().is_some_and(|items| !items.is_empty() || part.is_some()) {
                return self.node(value, part, depth - 1);
            }
            return Ok(true);
        }
        if let Some(part) = part.or_else(|| by_keys(&object)) {
            self.entries.push((part, node));
            return Ok(true);
        }
        self.bundle(&object, depth)
    }

    /// The parts of a bundle, or the content of a wrapper: `{"body": …}`.
    fn bundle(&mut self, object: &Object<'a>, depth: usize) -> Result<bool, String> {
        let mut known = false;
        let mut rest = Vec::new();
        for (key, value) in object.fields() {
            let network = network_kind(key);
            match (InstancePart::of_key(key), network) {
                (Some(_), _) | (_, Some(_)) if value.is_null() => known = true,
                (Some(part), _) => {
                    known = true;
                    if !self.node(value, Some(part), depth - 1)? {
                        return Err(format!("has no document under \"{}\"", part.key()));
                    }
                }
                (None, Some(kind)) => {
                    known = true;
                    match value.object().as_ref().and_then(failure) {
                        Some(failure) => self.notices.push(format!("does not have {}: {failure}", kind.what())),
                        None => self.of_the_network.push((kind, value.as_str())),
                    }
                }
                (None, None) => rest.push((key.to_owned(), value)),
            }
        }
        if known {
            self.passed_over.extend(
                rest.into_iter()
                    .filter(|(_, value)| value.is_nested())
                    .map(|(key, _)| key),
            );
            return Ok(true);
        }
        let mut nested = rest.into_iter().filter(|(_, value)| value.is_nested());
        match (nested.next(), nested.next()) {
            (Some((_, only)), None) => self.node(only, None, depth - 1),
            _ => Ok(false),
        }
    }
}

/// Whether an object has parts of an instance below keys of a bundle.
fn is_bundle(object: &Object<'_>) -> bool {
    let is_key =
        |key: &str| InstancePart::of_key(key).is_some() || network_kind(key) == Some(DocumentKind::Dependencies);
    object.fields().any(|(key, _)| is_key(key))
}

fn network_kind(key: &str) -> Option<DocumentKind> {
    match normalised(key).as_str() {
        "networkstatus" => Some(DocumentKind::NetworkStatus),
        "dependencies" | "outboundnetworkdependenciesendpoints" => Some(DocumentKind::Dependencies),
        _ => None,
    }
}

/// Azure's error instead of a document.
fn failure(object: &Object<'_>) -> Option<String> {
    let error = object.own("error")?.object()?;
    let code = error.filled("code").unwrap_or_default();
    let message = error.filled("message").unwrap_or_default();
    let texts: Vec<&str> = [code.as_ref(), message.as_ref()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    Some(if texts.is_empty() {
        "it could not be read".into()
    } else {
        one_line(&texts.join(", "), MAX_CHARACTERS)
    })
}

/// The kind of an entry without type and id, judged by keys that nothing else has.
fn by_keys(object: &Object<'_>) -> Option<InstancePart> {
    const TELLING: [(&str, InstancePart); 10] = [
        ("gatewayUrl", InstancePart::Service),
        ("hostnameConfigurations", InstancePart::Service),
        ("loggerType", InstancePart::Loggers),
        ("useFromLocation", InstancePart::Caches),
        ("serviceUrl", InstancePart::Apis),
        ("apiRevision", InstancePart::Apis),
        ("metadataEndpoint", InstancePart::OpenidConnectProviders),
        ("tokenEndpoint", InstancePart::AuthorizationServers),
        ("allowedTenants", InstancePart::IdentityProviders),
        ("oauth2", InstancePart::AuthorizationProviders),
    ];
    TELLING
        .into_iter()
        .find(|(key, _)| object.has(key))
        .map(|(_, part)| part)
}
