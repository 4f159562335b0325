//! JSON of Azure in whatever dress: REST, command line, PowerShell, a list or one object, in any spelling of the keys.
//!
//! Nothing is copied before it is asked for: a document is sliced, not loaded, so that four megabytes of service tags
//! cost what is kept of them and no more.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::kind::Kind;
use crate::{file, text::escape};

/// A larger file is refused, in bytes: eight times the full list of service tags.
pub const MAX_SIZE: usize = 32 << 20;

/// Some JSON, not looked into yet.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a>(&'a RawValue);

/// A JSON object whose keys are found in any case.
#[derive(Debug, Clone)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

/// The bytes of a file as text: UTF-8, or UTF-16 as Windows PowerShell redirects it, with or without a byte order mark.
///
/// # Errors
/// A sentence that says what it is instead.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    if bytes.len() > MAX_SIZE {
        return Err(format!("is larger than {} MB", MAX_SIZE >> 20));
    }
    let text = file::decode(bytes).ok_or(file::NOT_TEXT)?;
    if text.trim().is_empty() {
        return Err("is empty: the command that wrote it failed, or its VM was not running".into());
    }
    Ok(text)
}

/// Cuts a document into its entries, which must be of one kind.
///
/// # Errors
/// A sentence that says what the document looks like, and which flag takes that.
pub fn entries<'a>(text: &'a str, wanted: &Kind) -> Result<Vec<Object<'a>>, String> {
    let root = Node::parse(text)?;
    let entries = root.entries();
    let objects: Vec<Object<'_>> = entries.iter().filter_map(|entry| entry.object()).collect();
    let odd = objects.len() != entries.len();
    match Kind::of(root, &objects) {
        // An empty list can be an empty list of anything.
        Some(kind) if kind == *wanted && !odd => Ok(objects),
        None if objects.is_empty() && !odd && root.is_list_or_wrapper() => Ok(objects),
        found => {
            let looks = found.as_ref().map_or_else(|| root.looks(), Kind::describe);
            let flag = found
                .as_ref()
                .and_then(Kind::flag)
                .map(|flag| format!("; {flag} takes that"));
            let problem = format!(
                "looks like {looks}, not like {}{}",
                wanted.describe(),
                flag.unwrap_or_default()
            );
            Err(escape(&problem).into_owned())
        }
    }
}

/// Whether the document is a page of several.
pub fn has_more(text: &str) -> bool {
    let root = Node::parse(text).ok().and_then(Node::object);
    root.and_then(|root| root.text("nextLink"))
        .is_some_and(|link| !link.is_empty())
}

impl<'a> Node<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| format!("is not JSON: {error}"))
    }

    /// The items of a list.
    pub fn items(self) -> Option<Vec<Self>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0.get()).ok()?;
        Some(items.into_iter().map(Self).collect())
    }

    /// The object that it is.
    pub fn object(self) -> Option<Object<'a>> {
        self.0
            .get()
            .starts_with('{')
            .then(|| Object::deserialize_from(self.0.get()))
            .flatten()
    }

    /// A string, or a number or a truth value as text.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.0.get().as_bytes().first()? {
            b'"' => serde_json::from_str::<Text<'a>>(self.0.get()).ok().map(|text| text.0),
            b'0'..=b'9' | b'-' | b't' | b'f' => Some(Cow::Borrowed(self.0.get())),
            _ => None,
        }
    }

    /// One text, a list of them, or none for null.
    pub fn texts(self) -> Vec<Cow<'a, str>> {
        match self.items() {
            Some(items) => items.into_iter().filter_map(Self::text).collect(),
            None => self.text().into_iter().collect(),
        }
    }

    /// Whether nothing is there: null, or an empty list.
    pub fn is_nothing(self) -> bool {
        self.0.get() == "null" || self.items().is_some_and(|items| items.is_empty())
    }

    /// The entries of a list, of what wraps one, or the one object that it is.
    fn entries(self) -> Vec<Self> {
        if let Some(items) = self.items() {
            return items;
        }
        self.wrapped().unwrap_or_else(|| vec![self])
    }

    /// What stands below `value` or `values`, itself below `properties` in the answer of a long-running operation.
    fn wrapped(self) -> Option<Vec<Self>> {
        let object = self.object()?;
        let inner = object.get("properties").and_then(Self::object);
        [Some(&object), inner.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|object| object.get("value").or_else(|| object.get("values"))?.items())
    }

    fn is_list_or_wrapper(self) -> bool {
        self.items().is_some() || self.wrapped().is_some()
    }

    /// What it looks like, for a document of no known kind.
    fn looks(self) -> String {
        if let Some(items) = self.items() {
            return items.first().map_or_else(
                || "an empty list".into(),
                |first| format!("a list of {}", first.plural()),
            );
        }
        match self.object() {
            Some(object) if object.0.is_empty() => "an empty object".into(),
            Some(object) => {
                const MOST: usize = 4;
                let keys: Vec<&str> = object.0.iter().take(MOST).map(|(key, _)| key.as_ref()).collect();
                let more = if object.0.len() > MOST { " …" } else { "" };
                format!("an object with {}{more}", keys.join(", "))
            }
            None => "a single value".into(),
        }
    }

    fn plural(self) -> &'static str {
        match self.0.get().as_bytes().first() {
            Some(b'{') => "other objects",
            Some(b'[') => "lists",
            Some(b'"') => "texts",
            _ => "plain values",
        }
    }
}

impl<'a> Object<'a> {
    fn deserialize_from(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of a key, whatever its case.
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, node)| *node)
    }

    /// Whether a key is there, whatever its case.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.text()
    }

    /// The texts of a key, and of its plural: Azure fills the one or the other, or both.
    pub fn texts(&self, key: &str) -> Vec<Cow<'a, str>> {
        let plural = if key.ends_with('e') {
            format!("{key}s")
        } else {
            format!("{key}es")
        };
        let several = self.get(&plural).map(Node::texts).unwrap_or_default();
        if several.is_empty() {
            self.get(key).map(Node::texts).unwrap_or_default()
        } else {
            several
        }
    }

    /// Every key with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Node<'a>)> {
        self.0.iter().map(|(key, node)| (key.as_ref(), *node))
    }
}

/// A string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Keys<'a> {
            type Value = Object<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'a>, &'a RawValue>()? {
                    fields.push((key.0, Node(value)));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Keys(std::marker::PhantomData))
    }
}
