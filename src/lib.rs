//! apim-probe.

pub mod hello;
