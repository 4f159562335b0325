//! apim-probe.
pub mod address;
pub mod catalog;
pub mod diagnosis;
pub mod hello;
pub mod net;
pub mod plan;
pub mod probe;
pub mod report;
