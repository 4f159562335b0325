//! A command on a page.

use super::page::{Line, Page};
use crate::text::{Shell, broken, escape, style};

/// What stands before a command.
const PROMPT: &str = "$ ";

/// Writes a command from a column on, over as many lines as it takes: it can be pasted as it stands.
pub(super) fn write(page: &mut Page, column: usize, command: &str) {
    labelled(page, column, PROMPT, command);
}

/// Writes the command that takes the one above it back.
pub(super) fn write_undo(page: &mut Page, column: usize, command: &str) {
    labelled(page, column, &format!("undo {PROMPT}"), command);
}

fn labelled(page: &mut Page, column: usize, label: &str, command: &str) {
    let lines = broken(
        &escape(command),
        column + label.len(),
        column + PROMPT.len() + 2,
        page.measure(),
        Shell::Bash,
    );
    let mut label = Some(Line::at(column).styled(style::QUIET, label));
    for line in lines {
        let begun = label.take().unwrap_or_default();
        page.line(begun.text(&line));
    }
}
