//! `apim-probe man`.

use clap::CommandFactory;
use clap_mangen::Man;

use super::{CommandFailure, print};
use crate::{
    cli::{Cli, ManArgs},
    text::{escape, nearest},
};

/// Prints a man page in roff: for one command, or for the program and then each command with its flags.
pub(super) fn man(arguments: &ManArgs) -> Result<u8, CommandFailure> {
    let page = match &arguments.command {
        Some(name) => of_command(name)?,
        None => page(),
    };
    let page = page.map_err(|error| CommandFailure::agent(format!("cannot write the man page: {error}")))?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(0)
}

/// The man page of one command, `apim-probe-run(1)`.
fn of_command(name: &str) -> Result<std::io::Result<Vec<u8>>, CommandFailure> {
    let mut program = Cli::command();
    program.build();
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let Some(command) = program
        .find_subcommand(name)
        .filter(|command| command.get_name() != "help")
    else {
        let meant = nearest(name, &names).map_or_else(|| ".".to_owned(), |meant| format!(": did you mean {meant}?"));
        return Err(CommandFailure::usage(format!(
            "there is no command {}{meant} Commands: {}",
            escape(name),
            names.join(", ")
        )));
    };
    let command = command.clone().version(env!("CARGO_PKG_VERSION"));
    let title = format!("apim-probe-{name}");
    let mut page = Vec::new();
    let written = Man::new(command.display_name(&title).name(title)).render(&mut page);
    Ok(written.map(|()| page))
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    // Gives the commands their full names, `apim-probe run`.
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        let man = Man::new(command.clone());
        let mut part = Vec::new();
        man.render_description_section(&mut part)?;
        man.render_synopsis_section(&mut part)?;
        man.render_options_section(&mut part)?;
        if command.get_after_help().is_some() {
            man.render_extra_section(&mut part)?;
        }
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).into_bytes());
        // A page's sections become subsections here.
        let part = String::from_utf8_lossy(&part)
            .replace("\n.SH ", "\n.SS ")
            .replacen(".SH ", ".SS ", 1);
        page.extend(part.into_bytes());
    }
    Ok(page)
}
