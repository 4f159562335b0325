//! apim-probe.
pub mod catalog;
