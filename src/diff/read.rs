//! Reads a report, with errors that say what the file is instead.

use std::{borrow::Cow, path::Path};

use serde::Deserialize;
use thiserror::Error;

use crate::{
    file,
    model::{self, Report},
    text::escape,
};

/// The newest version of the report document that this program reads.
const NEWEST: u32 = 1;
/// What the schema of every version begins with.
const NAME: &str = "apim-probe/report/v";

/// Maximum size of a file, in bytes: a report of 10,000 endpoints has half of it.
const MAX_SIZE: usize = 32 << 20;

/// The first key, which identifies the document. Everything else is skipped, so nothing is kept of a document that is
/// not a report.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    schema: Option<Cow<'a, str>>,
}

/// Why a text is not a report.
#[derive(Debug, Error)]
pub enum ReportReadError {
    /// Not JSON at all.
    #[error("this is not JSON: {0}; `apim-probe run -o FILE.json` writes a report as JSON")]
    NotJson(serde_json::Error),
    /// JSON without one of our schemas.
    #[error(
        "this is JSON, but not an apim-probe report: it has no \"schema\": \"{}\"",
        model::SCHEMA
    )]
    Foreign,
    /// Another of our documents.
    #[error("this is a document with schema {0}, not a report ({expected})", expected = model::SCHEMA)]
    OtherSchema(String),
    /// A report from a newer program.
    #[error("this report has schema {0}, which is newer than this program: it reads up to {newest}", newest = model::SCHEMA)]
    TooNew(String),
    /// A report with a missing key, or with a value of another type.
    #[error("this report is damaged: {0}; create a new one with `apim-probe run -o FILE.json`")]
    Damaged(String),
}

/// Reads the report in a file.
///
/// # Errors
/// One sentence: the file cannot be read, or what it is instead.
pub fn load(path: &Path) -> Result<Report, String> {
    let text = file::read_text(path, MAX_SIZE).map_err(|error| error.to_string())?;
    report(&text).map_err(|error| format!("{}: {error}", file::shown(path)))
}

/// Reads a report document of this or an older version. Keys that this program does not know are skipped.
pub fn report(text: &str) -> Result<Report, ReportReadError> {
    let text = text.trim_start_matches('\u{feff}');
    let schema = match serde_json::from_str::<Head<'_>>(text) {
        Ok(head) => head.schema.unwrap_or_default(),
        // JSON of another shape.
        Err(error) if error.is_data() => return Err(ReportReadError::Foreign),
        Err(error) => return Err(ReportReadError::NotJson(error)),
    };
    match schema
        .strip_prefix(NAME)
        .and_then(|version| version.parse::<u32>().ok())
    {
        Some(version) if version <= NEWEST => serde_json::from_str(text)
            .map_err(|error| ReportReadError::Damaged(escape(&error.to_string()).into_owned())),
        Some(_) => Err(ReportReadError::TooNew(escape(&schema).into_owned())),
        None if schema.starts_with("apim-probe/") => Err(ReportReadError::OtherSchema(escape(&schema).into_owned())),
        None => Err(ReportReadError::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::report;

    #[test]
    fn wrong_document_is_named_in_the_error() {
        for (text, message) in [
            ("", "this is not JSON: "),
            ("<html>", "this is not JSON: "),
            ("[]", "this is JSON, but not an apim-probe report"),
            (r#"{"schema":1}"#, "this is JSON, but not an apim-probe report"),
            (r#"{"schema":"other/v1"}"#, "this is JSON, but not an apim-probe report"),
            (
                r#"{"schema":"apim-probe/diff/v1"}"#,
                "this is a document with schema apim-probe/diff/v1, not a report",
            ),
            (
                r#"{"schema":"apim-probe/report/v7"}"#,
                "this report has schema apim-probe/report/v7, which is newer",
            ),
            (
                r#"{"schema":"apim-probe/report/v1"}"#,
                "this report is damaged: missing field",
            ),
        ] {
            let error = report(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn error_about_a_hostile_file_is_escaped() {
        for text in [
            r#"{"schema":"apim-probe/\u001b]0;owned\u0007"}"#,
            r#"{"schema":"apim-probe/report/v1","agent":"\u001b[2J"}"#,
        ] {
            let error = report(text).unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}
