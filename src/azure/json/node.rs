//! JSON as slices: nothing is parsed before it is needed, and keys are found in any case.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Some JSON that has not been parsed yet.
#[derive(Debug, Clone, Copy)]
pub struct JsonNode<'a>(&'a RawValue);

/// A JSON object whose keys are found in any case, since PowerShell changes their case. Keys that are data keep theirs.
#[derive(Debug, Clone)]
pub struct Object<'a>(Vec<(Cow<'a, str>, JsonNode<'a>)>);

impl<'a> JsonNode<'a> {
    /// Some JSON.
    pub fn of(json: &'a RawValue) -> Self {
        Self(json)
    }

    /// The JSON of a text; `None` if it is not JSON.
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The items of a list.
    pub fn items(self) -> Option<Vec<Self>> {
        self.0.get().starts_with('[').then_some(())?;
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0.get()).ok()?;
        Some(items.into_iter().map(Self).collect())
    }

    /// The items of a list; also the single value to which PowerShell reduces a list of one; none for null.
    pub fn items_or_one(self) -> Vec<Self> {
        match self.items() {
            Some(items) => items,
            None if self.is_null() => Vec::new(),
            None => vec![self],
        }
    }

    /// The object, if it is one.
    pub fn object(self) -> Option<Object<'a>> {
        self.0.get().starts_with('{').then_some(())?;
        serde_json::from_str(self.0.get()).ok()
    }

    /// A string, or a number or boolean as text.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.0.get().as_bytes().first()? {
            b'"' => serde_json::from_str::<BorrowedText<'a>>(self.0.get())
                .ok()
                .map(|text| text.0),
            b'0'..=b'9' | b'-' | b't' | b'f' => Some(Cow::Borrowed(self.0.get())),
            _ => None,
        }
    }

    /// A single text, a list of texts, or none for null.
    pub fn texts(self) -> Vec<Cow<'a, str>> {
        self.items_or_one().into_iter().filter_map(Self::text).collect()
    }

    /// The words of a text or of a list of texts: what Azure writes as a list, tables and PowerShell write as words
    /// separated by spaces or commas. For prefixes, ports and addresses, which contain neither.
    pub fn words(self) -> Vec<Cow<'a, str>> {
        let mut words = Vec::new();
        for text in self.texts() {
            if !text.is_empty() && !text.contains(is_between) {
                words.push(text);
                continue;
            }
            match text {
                Cow::Borrowed(text) => words.extend(split(text).map(Cow::Borrowed)),
                Cow::Owned(text) => words.extend(split(&text).map(|word| Cow::Owned(word.to_owned()))),
            }
        }
        words
    }

    /// The JSON itself.
    pub fn as_str(self) -> &'a str {
        self.0.get()
    }

    /// Whether it is a list or an object.
    pub fn is_nested(self) -> bool {
        self.0.get().starts_with(['[', '{'])
    }

    /// Whether it is a string.
    pub fn is_string(self) -> bool {
        self.0.get().starts_with('"')
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.0.get() == "null"
    }

    /// Whether it is empty: null, or an empty list.
    pub fn is_nothing(self) -> bool {
        self.is_null() || self.items().is_some_and(|items| items.is_empty())
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_between).filter(|word| !word.is_empty())
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || c == ','
}

impl<'a> Object<'a> {
    /// The value of a key, in any case; keys below `properties`, as in Azure Resource Manager, count as the object's
    /// own.
    pub fn get(&self, key: &str) -> Option<JsonNode<'a>> {
        self.own(key).or_else(|| self.properties()?.own(key))
    }

    /// The object below `properties`, as in Azure Resource Manager.
    pub fn properties(&self) -> Option<Self> {
        self.own("properties")?.object()
    }

    /// The value of a key of the object itself.
    pub fn own(&self, key: &str) -> Option<JsonNode<'a>> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, node)| *node)
    }

    /// Whether a key is present, in any case.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text of a key.
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.text()
    }

    /// The text of a key without surrounding spaces; `None` if it is empty.
    pub fn filled(&self, key: &str) -> Option<Cow<'a, str>> {
        self.text(key)
            .map(|text| match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
            })
            .filter(|text| !text.is_empty())
    }

    /// The boolean of a key: `true`, or PowerShell's `"True"`.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let text = self.filled(key)?;
        [("true", true), ("false", false)]
            .into_iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word))
            .map(|(_, yes)| yes)
    }

    /// The items of a key; also the single value to which PowerShell reduces a list of one.
    pub fn list(&self, key: &str) -> Vec<JsonNode<'a>> {
        self.get(key).map(JsonNode::items_or_one).unwrap_or_default()
    }

    /// The words of a key and of its plural: Azure fills one of them, or both.
    pub fn words(&self, key: &str) -> Vec<Cow<'a, str>> {
        let plural = if key.ends_with('e') {
            format!("{key}s")
        } else {
            format!("{key}es")
        };
        let several = self.get(&plural).map(JsonNode::words).unwrap_or_default();
        if several.is_empty() {
            self.get(key).map(JsonNode::words).unwrap_or_default()
        } else {
            several
        }
    }

    /// Every key with its value.
    pub fn fields(&self) -> impl Iterator<Item = (&str, JsonNode<'a>)> {
        self.0.iter().map(|(key, node)| (key.as_ref(), *node))
    }
}

/// A string, borrowed if it has no escapes.
#[derive(Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

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
                while let Some((key, value)) = map.next_entry::<BorrowedText<'a>, &'a RawValue>()? {
                    fields.push((key.0, JsonNode(value)));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Keys(std::marker::PhantomData))
    }
}
