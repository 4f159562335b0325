//! Noise around a document that was copied from a terminal: prompts, warnings, colours, the spinner of the Azure CLI.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// Finds the JSON of a text between lines that do not belong to it. `None` if there is none, or if there is anything
/// else.
pub(super) fn json_within(text: &str) -> Option<&str> {
    const MAX_STARTS: usize = 8;
    // Lines that are indented deeper belong to something else.
    let indent = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(indent_of)
        .min()?;
    let begins = |at: &usize| {
        let line = &text[*at..];
        indent_of(line) == indent && line[indent..].starts_with(['{', '['])
    };
    let starts = line_starts(text).filter(begins);
    let (value, rest) = starts.take(MAX_STARTS).find_map(|at| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<&RawValue>();
        let value = values.next()?.ok()?;
        Some((value.get(), &text[at + values.byte_offset()..]))
    })?;
    let is_json = |line: &str| line.trim_start().starts_with(['{', '[', '}', ']', '"']);
    (!rest.lines().any(is_json)).then_some(value)
}

/// The number of spaces at the beginning of a line.
pub(super) fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1))
}

/// Whether a line does not belong to a document: blank, a fence, a warning, a command or the prompt before it.
pub(super) fn is_noise(line: &str) -> bool {
    let line = line.trim();
    let is_command = |command: &str| command.starts_with("az ") || command.starts_with("Get-Az");
    let after_prompt = || {
        let prompts = ["$ ", "# ", "> ", ">"];
        prompts
            .iter()
            .filter_map(|prompt| line.split_once(prompt))
            .any(|(_, rest)| is_command(rest.trim()))
    };
    line.is_empty()
        || line.starts_with("```")
        || line.starts_with("WARNING")
        || line.starts_with("#TYPE ")
        || line.starts_with("sep=")
        || line.starts_with("This command ")
        || line.starts_with("Command group ")
        || (line.starts_with("PS ") && line.contains('>'))
        || (line.contains('@') && line.ends_with(['$', '#']))
        || (is_command(line) && !line.contains(':'))
        || after_prompt()
}

/// The text without terminal control sequences (ECMA-48: CSI and OSC), and with line feeds for lone carriage returns.
pub(super) fn without_controls(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\u{1b}', Some('[')) => {
                chars.next();
                // Parameters and intermediates, then one final byte.
                while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
                chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            ('\u{1b}', Some(']')) => while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {},
            ('\u{1b}' | '\u{7}', _) | ('\r', Some('\n')) => {}
            ('\r', _) => plain.push('\n'),
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// The text without the Azure CLI's spinner (`- Finished ..`), which may appear between any two tokens of JSON.
pub(super) fn without_spinner(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut kept = 0;
    let mut in_string = false;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'-' | b'\\' | b'|' | b'/' if !in_string => {
                if let Some(length) = spinner(&text[at..]) {
                    clean.push_str(&text[kept..at]);
                    kept = at + length;
                    at = kept;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[kept..]);
    Cow::Owned(clean)
}

/// The length of the spinner at the beginning of a text: one of four strokes, a few words, two dots.
fn spinner(text: &str) -> Option<usize> {
    const MAX_LENGTH: usize = 60;
    let words = text.get(1..)?.strip_prefix(' ')?;
    let end = words
        .char_indices()
        .take(MAX_LENGTH)
        .find(|(_, c)| !c.is_ascii_alphabetic() && *c != ' ');
    let end = end.map(|(at, _)| at)?;
    let is_words = words[..end].ends_with(' ') && words.starts_with(|c: char| c.is_ascii_alphabetic());
    (is_words && words[end..].starts_with("..")).then_some(2 + end + 2)
}
