//! A command on a page.

use super::page::{StyledLine, TextPage};
use crate::text::{Shell, escape, style, wrap_command};

/// What stands before a command.
const PROMPT: &str = "$ ";

/// Writes a command from a column on, over as many lines as it takes: it can be pasted as it stands.
pub(super) fn write(page: &mut TextPage, column: usize, command: &str) {
    labelled(page, column, PROMPT, command);
}

/// Writes the command that takes the one above it back.
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
