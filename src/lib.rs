//! apim-probe.
pub mod catalog;
pub mod diagnosis;
pub mod exit;
pub mod output;
pub mod paint;
pub mod plain;
pub mod progress;
pub mod report;
