//! `apim-probe man`.

use clap::CommandFactory;
use clap_mangen::Man;

use super::{Failure, print};
use crate::cli::Cli;

/// Prints the man page in roff: the program, then each command with its flags.
pub(super) fn man() -> Result<u8, Failure> {
    let page = page().map_err(|error| Failure::agent(format!("cannot write the man page: {error}")))?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(0)
}

fn page() -> std::io::Result<Vec<u8>> {
    let mut command = Cli::command();
    // Names the commands in full, `apim-probe run`.
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for command in command.get_subcommands() {
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
        // Sections of a page of its own are parts of a section here.
        let part = String::from_utf8_lossy(&part)
            .replace("\n.SH ", "\n.SS ")
            .replacen(".SH ", ".SS ", 1);
        page.extend(part.into_bytes());
    }
    Ok(page)
}
