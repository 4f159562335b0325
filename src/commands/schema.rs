//! `apim-probe schema NAME`.

use super::{CommandFailure, print};
use crate::cli::SchemaArgs;

/// Prints a JSON Schema.
pub(super) fn schema(arguments: &SchemaArgs) -> Result<u8, CommandFailure> {
    print(arguments.document.text())?;
    Ok(0)
}
