//! `apim-probe explain`: everything that is known about a word of the reports or of the catalog.

use std::io;

use super::{CommandFailure, print, terminal};
use crate::{catalog, cli::ExplainArgs, explain};

/// Explains one word, or lists all of them.
pub(super) fn explain(arguments: &ExplainArgs) -> Result<u8, CommandFailure> {
    let overlays = arguments
        .probes
        .iter()
        .map(|path| catalog::CatalogFile::read(path).map_err(CommandFailure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let catalog = catalog::load(arguments.tier, true, &overlays)
        .map_err(|errors| CommandFailure::catalog(&errors, terminal::colour(clap::ColorChoice::Auto, &io::stderr())))?;
    catalog.knows(arguments.cloud).map_err(CommandFailure::usage)?;
    let page = match &arguments.word {
        Some(word) => explain::explain(word, &catalog, arguments.cloud).map_err(CommandFailure::usage)?,
        None => explain::list(&catalog),
    };
    print(&page)?;
    Ok(0)
}
