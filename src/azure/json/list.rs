//! What PowerShell's `Format-List` prints: one name, colon and value per line, a blank line between objects.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::terminal;

/// The objects of a list; `None` where the text is none.
///
/// # Errors
/// What the list leaves out.
pub(super) fn parse(text: &str) -> Option<Result<Value, String>> {
    let indent = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(terminal::indent_of)
        .min()?;
    let mut objects: Vec<Vec<(&str, String)>> = vec![Vec::new()];
    for line in text.lines() {
        let line = line.get(indent..).unwrap_or_default().trim_end();
        let object = objects.last_mut()?;
        if let Some((name, value)) = field(line) {
            object.push((name, value.to_owned()));
        } else if line.is_empty() && !object.is_empty() {
            objects.push(Vec::new());
        } else if line.starts_with(' ') {
            // A line that was too long for the console continues on the next one; JSON needs no space there.
            object.last_mut()?.1.push_str(line.trim_start());
        } else if !terminal::is_noise(line) {
            return None;
        }
    }
    objects.retain(|object| !object.is_empty());
    if objects.is_empty() {
        return None;
    }
    let values: Result<Vec<Value>, String> = objects.iter().map(|fields| object(fields)).collect();
    Some(values.map(Value::Array))
}

/// An object in which PowerShell's own copies (`AssociationText` for `Association`) replace the originals.
fn object(fields: &[(&str, String)]) -> Result<Value, String> {
    let names: HashSet<&str> = fields.iter().map(|(name, _)| *name).collect();
    let has = |name: &str| names.contains(name);
    let mut object = Map::new();
    for (name, text) in fields.iter().filter(|(name, _)| !has(&format!("{name}Text"))) {
        let name = name.strip_suffix("Text").filter(|name| has(name)).unwrap_or(name);
        object.insert(name.to_owned(), value(name, text)?);
    }
    Ok(Value::Object(object))
}

/// `NextHopType   : Internet`, with a space before the colon, which YAML never has.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let fits = name.ends_with(' ') && is_name(name.trim_end()) && (value.is_empty() || value.starts_with(' '));
    fits.then(|| (name.trim_end(), value.trim()))
}

/// A value: nothing, JSON, PowerShell's `{a, b}`, or text.
pub(super) fn value(name: &str, text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.ends_with("...") || text.ends_with('…') || text.ends_with("...}") || text.ends_with("…}") {
        return Err(format!("shows only part of {name}: \"{}\"", shortened(text)));
    }
    if text.is_empty() || text == "-" {
        return Ok(Value::Null);
    }
    if text == "{}" {
        return Ok(Value::Array(Vec::new()));
    }
    if text.starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str(text)
    {
        return Ok(json);
    }
    if let Some(items) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let items = items.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Ok(items.map(Value::from).collect());
    }
    if text.starts_with(['{', '[']) {
        return Err(format!("shows only part of {name}: \"{}\"", shortened(text)));
    }
    Ok(Value::from(text))
}

fn shortened(text: &str) -> String {
    const MAX_LENGTH: usize = 60;
    if text.chars().count() <= MAX_LENGTH {
        return text.to_owned();
    }
    let cut: String = text.chars().take(MAX_LENGTH - 1).collect();
    format!("{cut}…")
}
