//! The formats of a report: one pure function each.

pub mod blind_spots;
pub mod brief;
pub mod csv;
mod deciding;
pub mod format;
pub mod github;
pub mod handover;
pub mod headline;
pub mod hops;
pub mod html;
pub mod jsonl;
pub mod junit;
pub mod markdown;
pub(crate) mod metric_families;
pub mod nagios;
pub mod openmetrics;
pub(crate) mod path;
mod stages;
pub mod text;
pub mod ticket;
pub mod view;

pub use format::{Detail, Format, Options, render, write};
