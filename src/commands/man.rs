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
    print(&page)?;
    Ok(0)
}

/// The man page of one command, `apim-probe-run(1)`.
fn of_command(name: &str) -> Result<std::io::Result<String>, CommandFailure> {
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
    Ok(written.map(|()| with_sections(&page)))
}

/// A page with the text after the flags in sections of its own: clap calls it EXTRA, and all its lines would be filled.
/// Here only unindented prose is; what is indented keeps its lines, five columns further to the left than prose.
fn with_sections(page: &[u8]) -> String {
    const EXTRA: &str = ".SH EXTRA\n";
    const AS_IS: (&str, &str) = (".nf\n.in -5n\n", ".in\n.fi\n");
    let page = String::from_utf8_lossy(page);
    let Some((before, extra)) = page.split_once(EXTRA) else {
        return page.into_owned();
    };
    let (extra, after) = extra.split_at(extra.find("\n.SH ").map_or(extra.len(), |end| end + 1));
    let mut sections = before.to_owned();
    let mut is_as_is = false;
    for line in extra.trim_end().lines() {
        let is_indented = line.starts_with(' ') || line.is_empty();
        if is_as_is != is_indented {
            sections += if is_indented { AS_IS.0 } else { AS_IS.1 };
            is_as_is = is_indented;
        }
        match line
            .strip_suffix(':')
            .filter(|it| it.len() < MAX_HEADING && !is_indented)
        {
            Some(heading) => sections += &[".SH \"", &heading.to_uppercase(), "\"\n"].concat(),
            None => sections += &[line.strip_prefix("  ").unwrap_or(line), "\n"].concat(),
        }
    }
    if is_as_is {
        sections += AS_IS.1;
    }
    sections + after
}

/// Length from which a line that ends in a colon is prose, not a heading.
const MAX_HEADING: usize = 40;

fn page() -> std::io::Result<String> {
    let mut command = Cli::command();
    // Gives the commands their full names, `apim-probe run`.
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let mut page = with_sections(&page);
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
        page += &[".SH \"", &name.to_uppercase(), "\"\n"].concat();
        // A page's sections become subsections here.
        page += &with_sections(&part)
            .replace("\n.SH ", "\n.SS ")
            .replacen(".SH ", ".SS ", 1);
    }
    Ok(page)
}
