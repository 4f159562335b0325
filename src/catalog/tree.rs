//! YAML text to a tree of nodes that know their position.
//!
//! A tree instead of serde's derived types, so that one pass over a file finds every mistake in it: a derived type
//! stops at the first.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{DefaultMessageFormatter, DuplicateKeyPolicy, Error, MessageFormatter, Spanned, budget::BudgetBreach};

use super::problem::{ByteRange, Located, Problem};

/// One YAML node; `at` covers a scalar, and begins at the start of a collection.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct YamlNode {
    pub at: ByteRange,
    pub value: NodeValue,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<YamlNode>),
    Map(Vec<(Located<String>, YamlNode)>),
}

impl NodeValue {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Parses the text of one file. Keys that appear twice in one mapping are reported, and the first one counts. `None`
/// means that the text is not YAML, or is too large or too deep, and that this was reported.
pub(super) fn parse(file: usize, text: &str, problems: &mut Vec<Problem>) -> Option<YamlNode> {
    let options = serde_yaml::options! {
        // A catalog nests six levels deep. The limits prevent a hostile file from costing memory, time or stack.
        budget: serde_yaml::budget! {
            max_depth: 24,
            flow_nesting_limit: 24,
            max_documents: 1,
            max_nodes: 500_000,
            max_events: 1_500_000,
            max_aliases: 1_000,
            max_recorded_anchor_events: 100_000,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 200_000,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_yaml::from_str_with_options(text, options) {
        Ok(parsed) => Some(convert(parsed, file, problems)),
        Err(error) => {
            problems.push(syntax(file, text, &error));
            None
        }
    }
}

/// Adds the file to every position, and reports keys that are not text or appear twice.
fn convert(parsed: ParsedNode, file: usize, problems: &mut Vec<Problem>) -> YamlNode {
    let at = parsed.at.of_file(file);
    let value = match parsed.value {
        ParsedValue::Scalar(value) => value,
        ParsedValue::List(items) => {
            NodeValue::List(items.into_iter().map(|item| convert(item, file, problems)).collect())
        }
        ParsedValue::Map(entries) => {
            let mut seen = HashMap::new();
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key = convert(key, file, problems);
                let value = convert(value, file, problems);
                let NodeValue::Text(name) = key.value else {
                    let found = key.value.kind();
                    problems.push(Problem::new(
                        key.at,
                        format!("a key is text, not {found}"),
                        "put the key in quotes",
                    ));
                    continue;
                };
                match seen.entry(name.clone()) {
                    Entry::Vacant(entry) => {
                        entry.insert(key.at);
                        map.push((
                            Located {
                                value: name,
                                at: key.at,
                            },
                            value,
                        ));
                    }
                    Entry::Occupied(entry) => problems.push(
                        Problem::new(
                            key.at,
                            format!("`{name}` appears twice in one mapping"),
                            "keep one of the two",
                        )
                        .label("again here")
                        .related(*entry.get(), "first here"),
                    ),
                }
            }
            NodeValue::Map(map)
        }
    };
    YamlNode { at, value }
}

/// Our own wording for the parser's complaint, at the place that it reports.
fn syntax(file: usize, text: &str, error: &Error) -> Problem {
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    let start = error.location().map_or(0, |location| offset(text, location));
    let at = ByteRange::new(file, start..start);
    match cause {
        Error::Budget {
            breach: BudgetBreach::Depth { .. },
            ..
        } => too_deep(at),
        Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => Problem::new(
            at,
            "a second YAML document begins here",
            "keep one document per file, and pass several files instead",
        ),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            Problem::new(
                at,
                "this YAML is too large for a catalog",
                "write the entries out, without nested aliases",
            )
        }
        _ => match DefaultMessageFormatter.format_message(cause) {
            message if message.contains("recursion limit") => too_deep(at),
            message => Problem::new(
                at,
                format!("this is not YAML: {message}"),
                syntax_help(&message, &text[start..]),
            ),
        },
    }
}

fn too_deep(at: ByteRange) -> Problem {
    Problem::new(
        at,
        "this is nested too deeply for a catalog",
        "a catalog is a list of dependencies with lists of endpoints",
    )
}

/// What usually helps against a parser's complaint.
fn syntax_help(message: &str, rest: &str) -> &'static str {
    if message.contains("tab") {
        "indent with spaces"
    } else if message.contains("unclosed quote") {
        "close the quote on the same line"
    } else if message.contains("bracket") {
        "close every [ with ] and every { with }"
    } else if rest.starts_with(['{', '*', '@', '%', '&', '!', '`', '.']) {
        "put values that begin with a special character, or with {name}, in quotes"
    } else if rest.starts_with(':') {
        "put text that contains a colon in quotes, and close every [ and { before it"
    } else {
        "check indentation and quotes around here"
    }
}

/// The byte offset of a location. Parse errors contain lines and columns only.
fn offset(text: &str, location: serde_yaml::Location) -> usize {
    let line = usize::try_from(location.line()).unwrap_or(1).saturating_sub(1);
    let column = usize::try_from(location.column()).unwrap_or(1).saturating_sub(1);
    let line_start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let line_text = text[line_start..].lines().next().unwrap_or_default();
    line_start + line_text.chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// A [`YamlNode`] before its keys are checked: YAML allows any node as a key.
struct ParsedNode {
    at: ByteRange,
    value: ParsedValue,
}

enum ParsedValue {
    Scalar(NodeValue),
    List(Vec<ParsedNode>),
    Map(Vec<(ParsedNode, ParsedNode)>),
}

impl<'de> Deserialize<'de> for ParsedNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<ParsedValue>::deserialize(deserializer)?;
        let span = referenced.span();
        let bytes = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let start = bytes(span.byte_offset());
        Ok(Self {
            at: ByteRange::new(0, start..start + bytes(span.byte_len())),
            value,
        })
    }
}

impl<'de> Deserialize<'de> for ParsedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// A number. A value beyond the range of any key in a catalog must stay out of range.
fn integer<T: Copy + TryInto<i64> + Default + PartialOrd>(value: T) -> ParsedValue {
    let furthest = if value < T::default() { i64::MIN } else { i64::MAX };
    ParsedValue::Scalar(NodeValue::Integer(value.try_into().unwrap_or(furthest)))
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = ParsedValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Null))
    }

    fn visit_none<E>(self) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<ParsedValue, E> {
        Ok(integer(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<ParsedValue, E> {
        Ok(integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<ParsedValue, E> {
        Ok(integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<ParsedValue, E> {
        Ok(ParsedValue::Scalar(NodeValue::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ParsedValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(ParsedValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ParsedValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(ParsedValue::Map(map))
    }
}
