//! `apim-probe drift PAGE`.

use super::{Failure, print, terminal};
use crate::{
    catalog::Catalog,
    cli::{DocumentFormat, DriftArgs},
    drift::{Drift, MAX_SIZE, Reading, text},
    file,
    report::Detail,
};

/// Shows what a page says that the catalog does not.
pub(super) fn drift(arguments: &DriftArgs) -> Result<u8, Failure> {
    let page = file::read_text(&arguments.page, MAX_SIZE).map_err(Failure::usage)?;
    let reading = Reading::of(&page, &file::shown(&arguments.page)).map_err(Failure::usage)?;
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
