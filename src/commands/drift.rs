//! `apim-probe drift PAGE`.

use super::{CommandFailure, print, terminal};
use crate::{
    catalog::Catalog,
    cli::{DocumentFormat, DriftArgs},
    drift::{Drift, MAX_SIZE, PageReading, text},
    file,
    report::Detail,
};

/// Shows what a page says that the catalog does not.
pub(super) fn drift(arguments: &DriftArgs) -> Result<u8, CommandFailure> {
    let page = file::read_text(&arguments.page, MAX_SIZE).map_err(CommandFailure::usage)?;
    let reading = PageReading::of(&page, &file::shown(&arguments.page)).map_err(CommandFailure::usage)?;
    let catalog = Catalog::builtin();
    let drift = Drift::between(&catalog, reading);
    let status = drift.status();
    match arguments.format {
        DocumentFormat::Json => print(&drift.to_json())?,
        DocumentFormat::Text => print(&text::render(
            &drift,
            &catalog.source.documented,
            &terminal::options(&status, arguments.color, Detail::Brief, None),
        ))?,
    }
    Ok(status.code)
}
