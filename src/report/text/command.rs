//! A command on a page.

use super::page::{StyledLine, TextPage};
use crate::text::{Shell, escape, style, wrap_command};

/// The prompt before a command.
const PROMPT: &str = "$ ";

/// Writes a command starting at a column, over as many lines as it takes: it can be pasted as shown.
pub(super) fn write(page: &mut TextPage, column: usize, command: &str) {
    labelled(page, column, PROMPT, command);
}

/// Writes the command that undoes the one above.
pub(super) fn write_undo(page: &mut TextPage, column: usize, command: &str) {
    labelled(page, column, &format!("undo {PROMPT}"), command);
}

fn labelled(page: &mut TextPage, column: usize, label: &str, command: &str) {
    let lines = wrap_command(
        &escape(command),
        column + label.len(),
        column + PROMPT.len() + 2,
        page.measure(),
        Shell::Bash,
    );
    let mut label = Some(StyledLine::at(column).styled(style::DIM, label));
    for line in lines {
        let begun = label.take().unwrap_or_default();
        page.line(begun.text(&line));
    }
}
