//! One file per command: wiring, nothing else.

use std::{
    error::Error as _,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue},
};

use crate::{
    catalog,
    cli::{Cli, Command},
    model::ExitStatus,
    output::stream,
    text::{escape, is_harmful, nearest, quote, wrap},
};

mod check;
mod compare;
mod completions;
mod confirm;
mod diff;
mod drift;
mod environment;
mod explain;
mod list;
mod man;
mod network;
mod path;
mod planning;
mod rounds;
mod rules;
mod run;
mod schema;
mod serve;
mod session;
mod stop;
mod terminal;
mod watch;

/// Parses the arguments, runs the command, and returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Before anything takes time: a signal is held for those commands that have a report to save.
    stop::hold();
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let typed = typed(&arguments);
    if needs_no_word(&arguments) {
        // Probing everything is the main job.
        arguments.insert(arguments.len().min(1), "run".into());
    }
    let program = Cli::command();
    let with_flags = environment::with_flags(arguments, &program, |name| std::env::var_os(name));
    let (arguments, variables) = match with_flags {
        Ok(made) => made,
        Err(why) => {
            print_line("error", &why);
            return ExitCode::from(ExitStatus::USAGE);
        }
    };
    if !environment::has_flag(&arguments, &program, "quiet") {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for misspelling in environment::misspelled(names, &program) {
            print_line("notice", &misspelling);
        }
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let status = if error.use_stderr() {
                ExitStatus::USAGE
            } else {
                ExitStatus::REACHABLE
            };
            print_error(error);
            if status == ExitStatus::USAGE {
                print_variables(&variables);
            }
            return ExitCode::from(status);
        }
    };
    if !matches!(
        cli.command,
        Some(Command::Run(_) | Command::Watch(_) | Command::Serve(_) | Command::Path(_))
    ) {
        stop::release();
    }
    let outcome = match cli.command {
        Some(Command::Run(arguments)) => run::run(*arguments, typed),
        Some(Command::List(arguments)) => list::list(&arguments),
        Some(Command::Check(arguments)) => check::check(&arguments),
        Some(Command::Compare(arguments)) => compare::compare(&arguments),
        Some(Command::Diff(arguments)) => diff::diff(&arguments),
        Some(Command::Drift(arguments)) => drift::drift(&arguments),
        Some(Command::Rules(arguments)) => rules::rules(*arguments),
        Some(Command::Explain(arguments)) => explain::explain(&arguments),
        Some(Command::Watch(arguments)) => watch::watch(*arguments),
        Some(Command::Serve(arguments)) => serve::serve(*arguments),
        Some(Command::Path(arguments)) => path::path(&arguments),
        Some(Command::Schema(arguments)) => schema::schema(&arguments),
        Some(Command::Completions(arguments)) => completions::completions(&arguments),
        Some(Command::Man(arguments)) => man::man(&arguments),
        None => Err(CommandFailure::usage("no command")),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            for notice in &failure.notices {
                print_line("notice", notice);
            }
            match failure.text {
                FailureText::Line(line) => print_line("error", &line),
                FailureText::Page(page) => drop(writeln!(io::stderr(), "{}", page.trim_end())),
            }
            if failure.status == ExitStatus::USAGE {
                print_variables(&variables);
            }
            ExitCode::from(failure.status)
        }
    }
}

/// Says which flags of a command line that was refused came from the environment.
fn print_variables(variables: &[String]) {
    if !variables.is_empty() {
        print_line(
            "notice",
            &format!("flags from the environment: {}", variables.join(", ")),
        );
    }
}

/// Whether there is no command: flags alone are those of `run`, except those that every command has.
fn needs_no_word(arguments: &[OsString]) -> bool {
    let first = arguments.get(1).map(|first| first.to_string_lossy());
    first.is_none_or(|first| first.starts_with('-') && !matches!(&*first, "-h" | "--help" | "-V" | "--version"))
}

/// The command line, as it would be typed.
fn typed(arguments: &[OsString]) -> String {
    let words = arguments.iter().skip(1).map(|word| {
        let word = word.to_string_lossy();
        let rest = word.trim_start_matches('-');
        let dashes = &word[..word.len() - rest.len()];
        match rest {
            "" => quote(&word),
            _ => format!("{dashes}{}", quote(rest)),
        }
    });
    std::iter::once("apim-probe".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Clap's message about the arguments, with the arguments escaped: the author of a script and the reader of the
/// terminal may be different people.
fn print_error(mut error: clap::Error) {
    let safe = |text: &String| escape(text).into_owned();
    let contexts: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(safe(text)))),
            ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(texts.iter().map(safe).collect()))),
            _ => None,
        })
        .collect();
    for (kind, value) in contexts {
        error.insert(kind, value);
    }
    suggest(&mut error);
    // The messages of our own parsers may quote the argument as well.
    match error
        .source()
        .map(ToString::to_string)
        .filter(|why| why.contains(is_harmful))
    {
        Some(why) => {
            let what = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
            let (value, flag) = (what(ContextKind::InvalidValue), what(ContextKind::InvalidArg));
            print_line("error", &format!("invalid value '{value}' for '{flag}': {why}"));
        }
        None => drop(error.print()),
    }
}

/// Adds a suggestion for an unknown command: clap only suggests close matches.
fn suggest(error: &mut clap::Error) {
    let program = Cli::command();
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let meant = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) if error.get(ContextKind::SuggestedSubcommand).is_none() => {
            nearest(typed, &names)
        }
        _ => None,
    };
    if let Some(meant) = meant {
        let meant = ContextValue::Strings(vec![meant.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandFailure {
    /// The exit status.
    pub status: u8,
    text: FailureText,
    /// Notices so far, which may explain the failure.
    notices: Vec<String>,
}

/// What happened, to what, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FailureText {
    /// A sentence that may quote files, flags and peers: it is escaped when it is shown.
    Line(String),
    /// Lines for a terminal, already escaped.
    Page(String),
}

impl CommandFailure {
    fn new(status: u8, text: FailureText) -> Self {
        Self {
            status,
            text,
            notices: Vec::new(),
        }
    }

    /// A flag or file of the user's is wrong; nothing was probed.
    pub(crate) fn usage(text: impl std::fmt::Display) -> Self {
        Self::new(ExitStatus::USAGE, FailureText::Line(text.to_string()))
    }

    /// A catalog is wrong; nothing was probed.
    fn catalog(errors: &catalog::CatalogErrors, colour: bool) -> Self {
        Self::new(ExitStatus::USAGE, FailureText::Page(catalog::render(errors, colour)))
    }

    /// What happened, in one line, for a caller that continues anyway.
    fn line(&self) -> String {
        match &self.text {
            FailureText::Line(line) => line.clone(),
            FailureText::Page(page) => {
                let lines = page.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.take(3).collect::<Vec<_>>().join("; ")
            }
        }
    }

    /// The agent itself failed.
    pub(crate) fn agent(text: impl std::fmt::Display) -> Self {
        Self::new(ExitStatus::FAILED, FailureText::Line(text.to_string()))
    }

    /// The same, with notices to show first.
    fn after(self, notices: Vec<String>) -> Self {
        Self { notices, ..self }
    }
}

/// Writes a notice to stderr: one escaped line. On a terminal it breaks between words, unless it holds a command, which is
/// copied.
fn print_line(kind: &str, text: &str) {
    let line = format!("{kind}: {}", escape(text));
    let width = terminal::stderr_columns().filter(|_| !text.contains('`'));
    let line = width.map_or_else(|| line.clone(), |width| wrap(&line, width).join("\n"));
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes to stdout. It is not a failure if the reader has gone (`| head`).
fn print(text: &str) -> Result<(), CommandFailure> {
    print_within(text, None).map(drop)
}

/// Writes to stdout; returns false if its reader has gone, or read nothing for as long as `timeout`.
fn print_within(text: &str, timeout: Option<Duration>) -> Result<bool, CommandFailure> {
    print_with(|to| to.write_all(text.as_bytes()), timeout)
}

/// The same, for what `content` writes.
fn print_with(
    content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    timeout: Option<Duration>,
) -> Result<bool, CommandFailure> {
    match stream::write_with(&io::stdout(), content, timeout) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(CommandFailure::agent(format!("cannot write to stdout: {error}"))),
    }
}
