//! apim-probe.
pub mod catalog;
pub mod diagnosis;
pub mod net;
pub mod plan;
pub mod report;
