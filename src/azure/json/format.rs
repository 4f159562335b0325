//! The forms in which documents come, and their JSON.

use std::{borrow::Cow, fmt};

use serde_json::{Value, error::Category, value::RawValue};

use super::{JsonNode, failure, list, table, terminal, yaml};

/// The form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFormat {
    /// JSON.
    Json,
    /// YAML, as `az -o yaml` writes it.
    Yaml,
    /// What PowerShell's `Format-List` prints.
    List,
    /// What `az -o table` or PowerShell's `Format-Table` prints.
    Table,
    /// Values separated by commas, semicolons or tabs, with their names in the first line.
    Csv,
}

impl SourceFormat {
    /// Whether it may omit values.
    pub fn is_lossy(self) -> bool {
        matches!(self, Self::List | Self::Table | Self::Csv)
    }
}

impl fmt::Display for SourceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
            Self::List => "a list as PowerShell's Format-List prints it",
            Self::Table => "a table as az -o table or PowerShell's Format-Table prints it",
            Self::Csv => "a table in CSV",
        })
    }
}

/// The JSON of a text in any form.
///
/// # Errors
/// What the text is instead.
pub(super) fn json(text: &str) -> Result<(Cow<'_, RawValue>, SourceFormat), String> {
    if text.trim().is_empty() {
        return Err("is empty: the command that wrote it failed, or its VM was not running".into());
    }
    if let Ok(json) = serde_json::from_str::<&RawValue>(text) {
        let whole = content(JsonNode::of(json)).or_else(|| is_cut(text).then(|| restored(text)).flatten());
        return whole.map_or(Ok((Cow::Borrowed(json), SourceFormat::Json)), |json| {
            owned(json, SourceFormat::Json)
        });
    }
    other(text).and_then(|(json, form)| owned(json, form))
}

fn owned<'a>(json: String, form: SourceFormat) -> Result<(Cow<'a, RawValue>, SourceFormat), String> {
    let json = RawValue::from_string(json).map_err(|_| "is not JSON")?;
    Ok((Cow::Owned(json), form))
}

fn other(text: &str) -> Result<(String, SourceFormat), String> {
    let text = terminal::without_controls(text);
    let clean = terminal::without_spinner(&text);
    if let Some(json) = terminal::json_within(&clean) {
        return Ok((json.to_owned(), SourceFormat::Json));
    }
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !terminal::is_noise(line))
        .unwrap_or_default();
    if first.starts_with("<Objs ") {
        return Err("is XML from PowerShell's Export-Clixml".into());
    }
    if first.starts_with('<') {
        return Err("is a web page or XML: a login page or a proxy's page was saved instead".into());
    }
    if let Some(failure) = failure::of_text(&text) {
        return Err(failure.to_string());
    }
    let converted = |value: Value, form| (value.to_string(), form);
    if let Some(rows) = list::parse(&text) {
        return rows.map(|rows| converted(rows, SourceFormat::List));
    }
    if let Some(rows) = table::columns(&text) {
        return rows.map(|rows| converted(rows, SourceFormat::Table));
    }
    if let Some(rows) = table::values(&text) {
        return rows.map(|rows| converted(rows, SourceFormat::Csv));
    }
    let body = body(&clean);
    if body.trim_start().starts_with(['{', '[']) {
        return Err(broken(body.trim_end(), clean.lines().count() - body.lines().count()));
    }
    if let Some(value) = yaml::parse(body) {
        return Ok(converted(value, SourceFormat::Yaml));
    }
    if text.lines().any(|line| line.contains('\t')) {
        return Err("is tab-separated text, as az -o tsv writes it, without names or nested values".into());
    }
    Err("is text, but neither JSON nor another complete output format of Azure's tools".into())
}

/// A text without the noise before it.
fn body(text: &str) -> &str {
    let noise = text.split_inclusive('\n').take_while(|line| terminal::is_noise(line));
    &text[noise.map(str::len).sum()..]
}

/// What is wrong with JSON that follows some other lines.
fn broken(text: &str, before: usize) -> String {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else {
        return "is not JSON".into();
    };
    let line = error.line() + before;
    if error.classify() == Category::Eof {
        return format!("ends in the middle of its JSON, on line {line}: it was truncated");
    }
    let is_more = error.to_string().starts_with("trailing characters");
    if is_more {
        return format!("contains several documents, the second from line {line}: pass one");
    }
    format!("is not JSON from line {line}, column {}", error.column())
}

/// The document in a reply of `Invoke-AzRestMethod`, which contains it as text, or in that text after another
/// conversion to JSON.
fn content(root: JsonNode<'_>) -> Option<String> {
    let content = match root.object() {
        Some(object) => object.text("Content").filter(|_| object.has("StatusCode"))?,
        None => root.text()?,
    };
    let holds = JsonNode::parse(&content)?.is_nested();
    holds.then(|| content.into_owned())
}

/// The document with PowerShell's own copies (for `EffectiveSecurityRules`, `EffectiveSecurityRulesText`) in place of
/// what `ConvertTo-Json` truncated.
fn restored(text: &str) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    restore(&mut document);
    Some(document.to_string())
}

fn restore(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(restore),
        Value::Object(fields) => {
            let copies: Vec<(String, Value)> = fields
                .iter()
                .filter_map(|(key, copy)| {
                    let key = key.strip_suffix("Text")?;
                    let copy: Value = serde_json::from_str(copy.as_str()?).ok()?;
                    fields.get(key).filter(|cut| is_cut(&cut.to_string()))?;
                    Some((key.to_owned(), copy))
                })
                .collect();
            fields.extend(copies);
            fields.values_mut().for_each(restore);
        }
        _ => {}
    }
}

/// What bytes are that are not text.
pub(super) fn binary(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'P', b'K', 3, 4, ..] => "is an archive or a workbook, not text",
        [0x1f, 0x8b, ..] => "is gzip-compressed, not text",
        [b'%', b'P', b'D', b'F', ..] => "is a PDF document, not text",
        _ => crate::file::NOT_TEXT,
    }
}

/// Whether `ConvertTo-Json` wrote type names instead of values nested deeper than its `-Depth`.
pub(super) fn is_cut(text: &str) -> bool {
    const MARKS: [&str; 5] = [
        "\"System.Object[]\"",
        "\"System.String[]\"",
        "\"@{",
        "\"System.Collections.",
        "\"Microsoft.Azure.Commands.",
    ];
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Whether PowerShell wrote it: its names begin with capitals.
pub(super) fn is_of_powershell(text: &str) -> bool {
    const NAMES: [&str; 7] = [
        "EffectiveSecurityRules",
        "NextHopType",
        "ConnectivityStatus",
        "AddressPrefixes",
        "LastStatusChange",
        "EndpointDetails",
        "Get-Az",
    ];
    let head: &str = text.char_indices().nth(20_000).map_or(text, |(at, _)| &text[..at]);
    let begins = |at: usize| !head[..at].ends_with(|c: char| c.is_ascii_alphabetic());
    is_cut(head)
        || NAMES
            .iter()
            .any(|name| head.match_indices(name).any(|(at, _)| begins(at)))
}
