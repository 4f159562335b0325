//! Our JSON documents: times are RFC 3339 UTC with milliseconds, durations are rounded to a tenth of a millisecond.

use std::{fmt::Write as _, io};

use jiff::{Timestamp, Unit};
use serde::{Serialize, Serializer};
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::text::{is_harmful, is_plain};

/// One of our documents, pretty-printed, escaped for a terminal, with a line feed at its end.
///
/// # Panics
///
/// Never: our documents contain nothing that JSON cannot represent.
pub fn pretty(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    write(document, &mut text).expect("our documents have string keys only, and a Vec takes everything");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// Writes what [`pretty`] returns, in pieces: a large report is never in memory completely.
///
/// # Errors
///
/// The writer's error.
pub fn write(document: &impl Serialize, mut to: &mut dyn io::Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut to, Visible::default());
    document.serialize(&mut serializer)?;
    to.write_all(b"\n")
}

/// Pretty-prints JSON in which nothing acts on a terminal.
#[derive(Default)]
struct Visible(PrettyFormatter<'static>);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        writer.write_all(visible(fragment.to_owned()).as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// JSON without control characters. JSON itself allows C1 and bidirectional controls in a string: they become escapes,
/// which mean the same.
pub(crate) fn visible(json: String) -> String {
    let acts = |c: char| c != '\n' && is_harmful(c);
    if json.split('\n').all(is_plain) || !json.contains(acts) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Serializes a time as `2026-11-21T20:00:00.000Z`.
pub(crate) fn to_the_millisecond<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&stamp(*time))
}

/// Serializes a time, or null.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(crate) fn to_the_millisecond_if_any<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to_the_millisecond(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// `2026-11-21T20:00:00.000Z`.
pub fn stamp(time: Timestamp) -> String {
    // Rounding fails only at the very end of the calendar, where truncating fails as well.
    let rounded = time.round(Unit::Millisecond).unwrap_or(time);
    format!("{rounded:.3}")
}

/// Serializes milliseconds, rounded to a tenth.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
pub(crate) fn to_a_tenth<S: Serializer>(ms: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(tenth(*ms))
}

/// Serializes milliseconds, rounded to a tenth, or null.
#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(crate) fn to_a_tenth_if_any<S: Serializer>(ms: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match ms {
        Some(ms) => serializer.serialize_some(&tenth(*ms)),
        None => serializer.serialize_none(),
    }
}

fn tenth(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}
