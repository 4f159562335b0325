//! The readers of a service's configuration, without a service: for the fuzz targets.

use std::path::Path;

use super::{access, log::LogFileName};

/// Reads the text of a web config, but none of the files that it names.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn web_config(text: &str) -> Result<(), String> {
    access::check(text)
}

/// Reads the name of a log; returns whether `other` is the name of a file of that log that is old enough to be deleted
/// on 1 January 2030.
///
/// # Errors
///
/// What is wrong with it, in one sentence.
pub fn log_name(path: &Path, other: &str) -> Result<bool, String> {
    let today = jiff::civil::date(2030, 1, 1);
    LogFileName::new(path).map(|pattern| pattern.is_over(other, today))
}
