//! Checks by other programs' parsers of what apim-probe writes. Their dependencies are heavy, which is why they are a
//! package of their own.

use anyhow::{Context, Result, ensure};
use apim_probe::schema::Document;
use clap::ValueEnum;
use serde_json::Value;

/// The word for a document on the command line.
///
/// # Panics
/// If the command line hides the document, which it does with none.
pub fn name(document: Document) -> String {
    let word = document.to_possible_value().expect("no document is hidden");
    word.get_name().to_owned()
}

/// Fails with every place where a document is not what its schema says.
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
