//! `apim-probe check FILE`.

use std::io;

use super::{Failure, print, terminal};
use crate::{catalog, cli::CheckArgs, file};

/// Checks a catalog file and says what is in it.
pub(super) fn check(arguments: &CheckArgs) -> Result<u8, Failure> {
    let path = file::shown(&arguments.file);
    let given = catalog::File::read(&arguments.file).map_err(Failure::usage)?;
    let catalog = catalog::load(!arguments.no_builtin, &[given])
        .map_err(|errors| Failure::catalog(&errors, terminal::colour(arguments.color, &io::stderr())))?;
    let endpoints: usize = catalog
        .dependencies
        .iter()
        .map(|dependency| dependency.endpoints.len())
        .sum();
    let over = if arguments.no_builtin {
        "by itself"
    } else {
        "laid over the built-in catalog"
    };
    print(&format!(
        "{path}: no errors; {over}, {} dependencies with {endpoints} entries\n",
        catalog.dependencies.len()
    ))?;
    Ok(0)
}
