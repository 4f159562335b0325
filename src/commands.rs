//! One file per command: wiring, nothing else.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    model::ExitStatus,
    output::stream,
};

mod check;
mod completions;
mod diff;
mod explain;
mod list;
mod man;
mod network;
mod planning;
mod rules;
mod run;
mod schema;
mod session;
mod stop;
mod terminal;
mod watch;

/// Parses the arguments, does what they say, and gives the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // Before anything takes time: a signal is kept for those commands that have a report to save.
    stop::hold();
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.len() == 1 {
        // Probing everything is the main job, so it needs no word.
        arguments.push("run".into());
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                ExitStatus::USAGE
            } else {
                ExitStatus::REACHABLE
            });
        }
    };
    if !matches!(cli.command, Some(Command::Run(_) | Command::Watch(_))) {
        stop::release();
    }
    let outcome = match cli.command {
        Some(Command::Run(arguments)) => run::run(*arguments),
        Some(Command::List(arguments)) => list::list(&arguments),
        Some(Command::Check(arguments)) => check::check(&arguments),
        Some(Command::Diff(arguments)) => diff::diff(&arguments),
        Some(Command::Rules(arguments)) => rules::rules(*arguments),
        Some(Command::Explain(arguments)) => explain::explain(&arguments),
        Some(Command::Watch(arguments)) => watch::watch(*arguments),
        Some(Command::Schema(arguments)) => schema::schema(&arguments),
        Some(Command::Completions(arguments)) => completions::completions(&arguments),
        Some(Command::Man) => man::man(),
        None => Err(Failure::usage("no command")),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{}", failure.text.trim_end());
            ExitCode::from(failure.status)
        }
    }
}

/// A command that could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: u8,
    /// What happened, to what, and what to do next.
    pub text: String,
}

impl Failure {
    /// Something that the user typed or gave is wrong; nothing was probed.
    pub fn usage(text: impl std::fmt::Display) -> Self {
        Self {
            status: ExitStatus::USAGE,
            text: format!("error: {text}"),
        }
    }

    /// The agent itself failed.
    pub fn agent(text: impl std::fmt::Display) -> Self {
        Self {
            status: ExitStatus::FAILED,
            text: format!("error: {text}"),
        }
    }
}

/// Writes to stdout. A reader that went away (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    print_within(text, None).map(drop)
}

/// Writes to stdout; gives false where its reader went away, or took nothing for as long as `patience`.
fn print_within(text: &str, patience: Option<Duration>) -> Result<bool, Failure> {
    match stream::write(&io::stdout(), text.as_bytes(), patience) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut) => Ok(false),
        Err(error) => Err(Failure::agent(format!("cannot write to stdout: {error}"))),
    }
}
