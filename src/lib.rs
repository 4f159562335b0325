//! apim-probe.
