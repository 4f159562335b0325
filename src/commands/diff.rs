//! `apim-probe diff A B`.

use std::path::Path;

use super::{Failure, print, terminal};
use crate::{
    cli::{DiffArgs, DocumentFormat},
    diff::{Diff, read, text},
};

/// Shows what changed between two reports.
pub(super) fn diff(arguments: &DiffArgs) -> Result<u8, Failure> {
    let read = |path: &Path| read::load(path).map_err(Failure::usage);
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
