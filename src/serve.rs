//! Serving: the results of the rounds over HTTP.
//!
//! ```text
//! rounds ─▶ board ─▶ metrics, pages ─▶ web ─▶ Prometheus, a browser
//!             ▲ faults
//! ```
//!
//! The board is all that rounds and readers share. Readers take the last round from it and cannot start, delay or end
//! one: the web has a thread of its own.

pub(crate) mod board;
pub(crate) mod door;
pub(crate) mod fault;
pub(crate) mod log;
mod machine;
pub(crate) mod metrics;
pub(crate) mod moment;
mod pages;
pub mod read;
pub(crate) mod stderr;
pub(crate) mod web;

pub(crate) use self::{
    board::{Board, Part},
    door::Door,
    fault::Fault,
    moment::Moment,
    pages::status,
};
