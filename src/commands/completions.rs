//! `apim-probe completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Failure, print};
use crate::cli::{Cli, CompletionsArgs};

/// Prints a script that completes commands, flags and their values.
pub(super) fn completions(arguments: &CompletionsArgs) -> Result<u8, Failure> {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    print(&match arguments.shell {
        Shell::Bash => with_one_spelling(&script),
        _ => script.into_owned(),
    })?;
    Ok(0)
}

/// In the script for bash `clap_complete` 4.6 spells a name with a dash in two ways, so that nothing is completed behind
/// a command (<https://github.com/clap-rs/clap/issues/6421>).
fn with_one_spelling(script: &str) -> String {
    script.replace("apim__subcmd__probe", "apim__probe")
}
