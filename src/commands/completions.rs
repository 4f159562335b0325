//! `apim-probe completions SHELL`.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{CommandFailure, print};
use crate::cli::{Cli, CompletionsArgs};

/// Prints a script that completes commands, flags and their values.
pub(super) fn completions(arguments: &CompletionsArgs) -> Result<u8, CommandFailure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    print(&match arguments.shell {
        Shell::Bash => with_canonical_names(&script),
        Shell::Fish => with_positionals(&script, &Cli::command()),
        _ => script.into_owned(),
    })?;
    Ok(0)
}

/// The script for fish lacks the values of arguments without a flag: the words of `explain`, the documents of `schema`.
fn with_positionals(script: &str, program: &Command) -> String {
    let mut script = script.to_owned();
    for command in program.get_subcommands() {
        for argument in command.get_positionals() {
            let values = argument.get_value_parser().possible_values();
            let values: Vec<String> = values
                .into_iter()
                .flatten()
                .filter(|value| !value.is_hide_set())
                .map(|value| value.get_name().to_owned())
                .collect();
            if !values.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(
                    script,
                    "complete -c apim-probe -n \"__fish_apim_probe_using_subcommand {}\" -f -a \"{}\"",
                    command.get_name(),
                    values.join(" ")
                );
            }
        }
    }
    script
}

/// In its script for bash, `clap_complete` 4.6 spells a name with a hyphen in two ways, so nothing is completed after a
/// command (<https://github.com/clap-rs/clap/issues/6421>).
fn with_canonical_names(script: &str) -> String {
    script.replace("apim__subcmd__probe", "apim__probe")
}
