//! `apim-probe check FILE`.

use std::io;

use super::{CommandFailure, print, terminal};
use crate::{catalog, cli::CheckArgs, file, model::Tier, text::words};

/// Checks a catalog file and prints what it contains.
pub(super) fn check(arguments: &CheckArgs) -> Result<u8, CommandFailure> {
    let path = file::shown(&arguments.file);
    let given = catalog::CatalogFile::read(&arguments.file).map_err(CommandFailure::usage)?;
    let catalog = catalog::load(arguments.tier, !arguments.no_builtin, &[given])
        .map_err(|errors| CommandFailure::catalog(&errors, terminal::colour(arguments.color, &io::stderr())))?;
    let endpoints: usize = catalog
        .dependencies
        .iter()
        .map(|dependency| dependency.endpoints.len())
        .sum();
    let over = match arguments.tier {
        _ if arguments.no_builtin => "by itself".to_owned(),
        Tier::Classic => "laid over the built-in catalog".to_owned(),
        tier => format!("laid over the built-in catalog of {}", tier.as_str()),
    };
    print(&format!(
        "{path}: no errors; {over}, {} with {}\n",
        words::count(catalog.dependencies.len(), "dependency"),
        words::count(endpoints, "entry")
    ))?;
    Ok(0)
}
