//! Nodes to typed values, collecting every mistake.
//!
//! Nodes are consumed, so that a long list of endpoints is never in memory twice.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{
    model::SourceMention,
    problem::{ByteRange, Located, Problem, suggest},
    tree::{NodeValue, YamlNode},
};
use crate::{
    azure::{Cloud, CloudName},
    model::{Direction, Expect, Need, Protocol, Transport, Vnet},
};

/// A type that can be read from a node.
pub(super) trait Decode: Sized {
    /// Whether a list may omit an item that could not be read. Lists that pair up by position may not.
    const OPTIONAL: bool = false;

    /// Reads the value of `key`. `None` means that a problem was reported.
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self>;
}

/// A record that can be merged with an overlay of its kind.
pub(super) trait Overlay {
    /// Takes over every key that the overlay contains.
    fn overlay(&mut self, other: Self);
}

/// A mapping with keys that the user chooses, in file order.
#[derive(Debug, Clone)]
pub(super) struct OpenMap<T>(pub Vec<(Located<String>, T)>);

/// The entries of a mapping whose keys are known.
pub(super) struct RecordFields {
    entries: Vec<(&'static str, YamlNode)>,
    /// Whether anything in here could not be read: then complaints about missing keys would be noise.
    pub broken: bool,
}

impl RecordFields {
    /// Opens a mapping and reports unknown keys.
    pub(super) fn open(node: YamlNode, key: &str, known: &[&'static str], problems: &mut Vec<Problem>) -> Option<Self> {
        let map = match node.value {
            NodeValue::Map(map) => map,
            other => {
                let help = format!("write `name: value` pairs: {}", known.join(", "));
                problems.push(unexpected(node.at, &other, key, "a mapping", &help));
                return None;
            }
        };
        let mut fields = Self {
            entries: Vec::with_capacity(map.len()),
            broken: false,
        };
        for (name, value) in map {
            if let Some(known) = known.iter().find(|known| **known == name.value) {
                fields.entries.push((known, value));
            } else {
                fields.broken = true;
                let help = suggest(&name.value, known.iter().copied());
                problems.push(Problem::new(
                    name.at,
                    format!("unknown key `{}` in {key}", name.value),
                    help,
                ));
            }
        }
        Some(fields)
    }

    /// Reads one entry, whose name is between backticks in messages; a key without a value counts as absent.
    pub(super) fn take<T: Decode>(&mut self, name: &str, shown: &str, problems: &mut Vec<Problem>) -> Option<T> {
        let position = self.entries.iter().position(|(known, _)| *known == name)?;
        let (_, node) = self.entries.swap_remove(position);
        if node.value == NodeValue::Null {
            return None;
        }
        let value = T::decode(node, shown, problems);
        self.broken |= value.is_none();
        value
    }
}

/// Declares what a mapping in the file may contain: a struct of options, its decoder, its schema, and how an overlay
/// changes it.
macro_rules! record {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_meta])* pub $field: Option<$type>,)*
            /// Where the mapping begins.
            #[schemars(skip)]
            pub at: $crate::catalog::problem::ByteRange,
            /// Whether a part of it could not be read.
            #[schemars(skip)]
            pub broken: bool,
        }

        impl $crate::catalog::decode::Overlay for $name {
            fn overlay(&mut self, other: Self) {
                $(if other.$field.is_some() { self.$field = other.$field; })*
                self.broken |= other.broken;
            }
        }

        impl $crate::catalog::decode::Decode for $name {
            const OPTIONAL: bool = true;

            fn decode(
                node: $crate::catalog::tree::YamlNode,
                key: &str,
                problems: &mut Vec<$crate::catalog::problem::Problem>,
            ) -> Option<Self> {
                let known = &[$(stringify!($field)),*];
                let at = node.at;
                let mut fields = $crate::catalog::decode::RecordFields::open(node, key, known, problems)?;
                $(let $field = fields.take(stringify!($field), concat!("`", stringify!($field), "`"), problems);)*
                Some(Self { $($field,)* at, broken: fields.broken })
            }
        }
    )*};
}
pub(super) use record;

impl Decode for Located<String> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let YamlNode { at, value } = node;
        let help = match value {
            NodeValue::Text(value) => return Some(Self { value, at }),
            NodeValue::List(_) | NodeValue::Map(_) => "write a single string here",
            _ => "put it in quotes",
        };
        problems.push(unexpected(at, &value, key, "text", help));
        None
    }
}

impl Decode for Located<bool> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        if let NodeValue::Bool(value) = node.value {
            return Some(Self { value, at: node.at });
        }
        let help = "write `true` or `false`, without quotes";
        problems.push(unexpected(node.at, &node.value, key, "true or false", help));
        None
    }
}

/// The number of the format; the linter checks whether it is known.
impl Decode for Located<i64> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        if let NodeValue::Integer(value) = node.value {
            return Some(Self { value, at: node.at });
        }
        let help = "write a whole number, without quotes";
        problems.push(unexpected(node.at, &node.value, key, "a number", help));
        None
    }
}

/// A port of TCP or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PortNumber(pub u16);

impl Decode for Located<PortNumber> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        const HELP: &str = "write a number from 1 to 65535";
        match node.value {
            NodeValue::Integer(number) => match u16::try_from(number) {
                Ok(port) if port > 0 => {
                    return Some(Self {
                        value: PortNumber(port),
                        at: node.at,
                    });
                }
                _ => problems.push(Problem::new(node.at, format!("there is no port {number}"), HELP)),
            },
            ref list @ NodeValue::List(_) => {
                problems.push(unexpected(node.at, list, key, "one port", "write `ports:` for a list"));
            }
            ref other => problems.push(unexpected(
                node.at,
                other,
                key,
                "a port",
                &format!("{HELP}, without quotes"),
            )),
        }
        None
    }
}

/// Makes an enumeration readable from its words.
macro_rules! words {
    ($($type:ty),*) => {$(
        impl Decode for Located<$type> {
            fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
                let words = <$type>::ALL.iter().map(|value| value.as_str());
                let NodeValue::Text(text) = &node.value else {
                    problems.push(unexpected(node.at, &node.value, key, "a word", &suggest("", words)));
                    return None;
                };
                let known = <$type>::ALL.into_iter().find(|value| value.as_str() == text);
                if known.is_none() {
                    problems.push(Problem::new(node.at, format!("{key} cannot be `{text}`"), suggest(text, words)));
                }
                known.map(|value| Self { value, at: node.at })
            }
        }
    )*};
}
words!(
    Need,
    Vnet,
    Direction,
    Expect,
    Transport,
    Protocol,
    HostStatus,
    SourceMention
);

/// A cloud by its word; the linter, which has seen every file, checks whether a cloud of another name exists.
impl Decode for Located<Cloud> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let words = || Cloud::ALL.iter().map(Cloud::as_str);
        let NodeValue::Text(text) = &node.value else {
            problems.push(unexpected(node.at, &node.value, key, "a word", &suggest("", words())));
            return None;
        };
        let known = Cloud::ALL.into_iter().find(|cloud| cloud.as_str() == text);
        let cloud = known.or_else(|| CloudName::new(text).map(Cloud::Other));
        if cloud.is_none() {
            problems.push(Problem::new(
                node.at,
                format!("{key} cannot be `{text}`"),
                suggest(text, words()),
            ));
        }
        cloud.map(|value| Self { value, at: node.at })
    }
}

/// Whether a host still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[schemars(rename = "Status")]
pub(super) enum HostStatus {
    /// The host is retired: its name no longer resolves, or nothing answers there.
    Retired,
}

impl HostStatus {
    const ALL: [Self; 1] = [Self::Retired];

    fn as_str(self) -> &'static str {
        match self {
            Self::Retired => "retired",
        }
    }
}

impl<T: Decode> Decode for Located<Vec<T>> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let YamlNode { at, value } = node;
        let items = match value {
            NodeValue::List(items) => items,
            other => {
                let help = "write a list: [a, b], or one `- a` per line";
                problems.push(unexpected(at, &other, key, "a list", help));
                return None;
            }
        };
        if items.is_empty() {
            let help = "name at least one, or leave the key out";
            problems.push(Problem::new(at, format!("{key} is an empty list"), help));
            return None;
        }
        let all = items.len();
        // Growing step by step, a list of thousands of endpoints would leave as much memory behind as it takes.
        let mut value: Vec<T> = Vec::with_capacity(all);
        value.extend(items.into_iter().filter_map(|item| T::decode(item, key, problems)));
        (T::OPTIONAL || value.len() == all).then_some(Self { value, at })
    }
}

impl<T: Decode> Decode for OpenMap<T> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let entries = match node.value {
            NodeValue::Map(entries) => entries,
            other => {
                problems.push(unexpected(
                    node.at,
                    &other,
                    key,
                    "a mapping",
                    "write `name: value` pairs",
                ));
                return None;
            }
        };
        let read = |(name, value): (Located<String>, YamlNode)| {
            T::decode(value, &format!("`{}`", name.value), problems).map(|value| (name, value))
        };
        Some(Self(entries.into_iter().filter_map(read).collect()))
    }
}

impl<T: Decode> Decode for Located<OpenMap<T>> {
    fn decode(node: YamlNode, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let at = node.at;
        OpenMap::decode(node, key, problems).map(|value| Self { value, at })
    }
}

fn unexpected(at: ByteRange, found: &NodeValue, key: &str, expected: &str, help: &str) -> Problem {
    let message = format!("{key} takes {expected}, not {}", found.kind());
    Problem::new(at, message, help)
}

/// Positions are not part of the format.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for OpenMap<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        BTreeMap::<String, T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, T>::json_schema(generator)
    }
}

impl JsonSchema for PortNumber {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": u16::MAX })
    }
}
