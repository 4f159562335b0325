//! `apim-probe explain`: everything that is known about a dependency or a cause.

use std::io;

use super::{Failure, print, terminal};
use crate::{catalog, cli::ExplainArgs, explain};

/// Explains one word.
pub fn explain(arguments: &ExplainArgs) -> Result<u8, Failure> {
    let overlays = arguments
        .probes
        .iter()
        .map(|path| catalog::File::read(path).map_err(Failure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let catalog = catalog::load(true, &overlays).map_err(|errors| Failure {
        text: catalog::render(&errors, terminal::colour(clap::ColorChoice::Auto, &io::stderr())),
        ..Failure::usage("")
    })?;
    print(&explain::explain(&arguments.word, &catalog, arguments.cloud).map_err(Failure::usage)?)?;
    Ok(0)
}
