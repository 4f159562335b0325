//! The layout of a page: 80 columns, headings, labels, bullets.

use crate::text::{escape, is_url, wrap};

/// Columns of the page.
const WIDTH: usize = 80;
/// Where text below a heading begins.
pub(super) const INDENT: usize = 2;
/// Column at which text after a label begins.
const LABELLED: usize = 15;

/// A heading, preceded by an empty line.
pub(super) fn section(page: &mut String, heading: &str) {
    page.push('\n');
    line(page, heading);
}

/// A line of text after a label.
pub(super) fn label(page: &mut String, label: &str, text: &str) {
    for (at, part) in wrap(text, WIDTH - LABELLED).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        line(page, &format!("  {label:<width$}{part}", width = LABELLED - 2));
    }
}

/// Text, indented by this many columns. A URL stays on one line, even if it is longer: in two parts it could not be opened.
pub(super) fn paragraph(page: &mut String, indent: usize, text: &str) {
    if is_url(text) {
        return line(page, &format!("{:indent$}{}", "", escape(text)));
    }
    for part in wrap(text, WIDTH - indent) {
        line(page, &format!("{:indent$}{part}", ""));
    }
}

/// One item of a list.
pub(super) fn bullet(page: &mut String, text: &str) {
    hanging(page, &format!("- {text}"), 4);
}

/// A paragraph whose second and further lines are indented more than its first.
pub(super) fn hanging(page: &mut String, text: &str, indent: usize) {
    for (at, part) in wrap(text, WIDTH - indent).iter().enumerate() {
        let indent = if at == 0 { INDENT } else { indent };
        line(page, &format!("{:indent$}{part}", ""));
    }
}

/// One unwrapped line.
pub(super) fn line(page: &mut String, text: &str) {
    page.push_str(text.trim_end());
    page.push('\n');
}

/// A word and what it means, in a list of such.
pub(super) fn entry(page: &mut String, word: &str, meaning: &str) {
    // Two columns more than the longest word, `certificate-revocation`.
    const MEANING: usize = 26;
    for (at, part) in wrap(meaning, WIDTH - MEANING).iter().enumerate() {
        let word = if at == 0 { word } else { "" };
        line(page, &format!("  {word:<width$}{part}", width = MEANING - 2));
    }
}
