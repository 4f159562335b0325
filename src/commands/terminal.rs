//! What the terminal supports.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
};

use clap::ColorChoice;

use crate::{
    model::{ExitStatus, Policy},
    report::{Detail, Options},
};

/// What renderers may use on stdout.
pub(super) fn options<'a>(
    exit: &'a ExitStatus,
    color: ColorChoice,
    detail: Detail,
    again: Option<&'a str>,
) -> Options<'a> {
    Options {
        exit,
        policy: Policy::default(),
        width: width(),
        colour: colour(color, &io::stdout()),
        unicode: is_unicode(),
        detail,
        again,
    }
}

/// What renderers may use in a file: nothing that depends on a terminal.
pub(super) fn file_options(exit: &ExitStatus, detail: Detail) -> Options<'_> {
    Options {
        exit,
        policy: Policy::default(),
        width: 80,
        colour: false,
        unicode: true,
        detail,
        again: None,
    }
}

/// Whether a stream gets colour: as the flag says, and otherwise only on a terminal that allows it
/// (<https://no-color.org>).
pub(super) fn colour(choice: ColorChoice, stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            stream.is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// The columns of the terminal; 80 if there is none.
fn width() -> usize {
    columns().unwrap_or(80)
}

/// The columns of the terminal on stdout; `None` for a file or a pipe.
pub(super) fn columns() -> Option<usize> {
    columns_of(&io::stdout())
}

/// The columns of the terminal on stderr; `None` for a file or a pipe.
pub(super) fn stderr_columns() -> Option<usize> {
    columns_of(&io::stderr())
}

fn columns_of(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    let terminal = stream
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(stream))
        .flatten();
    terminal.map(|(terminal_size::Width(columns), _)| usize::from(columns))
}

/// Whether the locale supports more than ASCII (setlocale(3): the first of these that is set counts).
fn is_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
