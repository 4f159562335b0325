//! apim-probe.
pub mod catalog;
pub mod diagnosis;
pub mod diff;
pub mod exit;
pub mod output;
pub mod paint;
pub mod plain;
pub mod progress;
pub mod report;
