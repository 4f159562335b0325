//! `apim-probe schema NAME`.

use super::{Failure, print};
use crate::cli::SchemaArgs;

/// Prints a JSON Schema.
pub(super) fn schema(arguments: &SchemaArgs) -> Result<u8, Failure> {
    print(&arguments.document.render())?;
    Ok(0)
}
