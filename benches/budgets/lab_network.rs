//! The first steps of every measurement in the lab.

use std::{env, path::PathBuf};

/// Names for the parts of an instance, so that nothing in the catalog is skipped because a name is missing.
pub(crate) const INSTANCE: [&str; 11] = [
    "--no-metadata",
    "--region",
    "westeurope",
    "--set",
    "storage_account=apimst",
    "--set",
    "sql_server=apirpsql",
    "--set",
    "key_vault=vault",
    "--set",
    "event_hub_namespace=hubs",
];

/// The variable with the program to be measured.
const AGENT: &str = "APIM_PROBE";

/// The program under measurement.
pub(crate) fn agent() -> PathBuf {
    env::var_os(AGENT)
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_apim-probe").into())
        .into()
}
