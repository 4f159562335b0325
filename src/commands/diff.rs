//! `apim-probe diff A B`.

use std::{fs, path::Path};

use super::{Failure, print, terminal};
use crate::{
    cli::{DiffArgs, DocumentFormat},
    diff::{Diff, read, text},
    model::Report,
};

/// Shows what changed between two reports.
pub fn diff(arguments: &DiffArgs) -> Result<u8, Failure> {
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    let diff = Diff::between(&before, &after).map_err(Failure::usage)?;
    let status = diff.status();
    match arguments.format {
        DocumentFormat::Json => print(&diff.to_json())?,
        DocumentFormat::Text => print(&text::render(
            &diff,
            &terminal::options(&status, arguments.color, false),
        ))?,
    }
    Ok(status.code)
}

fn read(path: &Path) -> Result<Report, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    read::report(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")))
}
