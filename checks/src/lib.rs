//! Checks of apim-probe's output with other programs' parsers. Their dependencies are heavy, so they are a separate
//! package.

use anyhow::{Context, Result, ensure};
use apim_probe::schema::Document;
use clap::ValueEnum;
use serde_json::Value;

/// The word for a document on the command line.
///
/// # Panics
///
/// If the command line hides the document, which it never does.
pub fn name(document: Document) -> String {
    let word = document.to_possible_value().expect("no document is hidden");
    word.get_name().to_owned()
}

/// Fails with every place where a document does not match its schema.
pub fn validate(document: Document, instance: &Value) -> Result<()> {
    let schema = document.schema().to_value();
    let validator = jsonschema::validator_for(&schema).context("the schema itself")?;
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    ensure!(errors.is_empty(), "not a {}:\n{}", name(document), errors.join("\n"));
    Ok(())
}
