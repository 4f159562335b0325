//! Serving: what the rounds came to, for programs that come by and ask.
//!
//! ```text
//! rounds ─▶ board ─▶ metrics, pages ─▶ web ─▶ Prometheus, a browser
//!             ▲ faults
//! ```
//!
//! The board is all that rounds and readers share. Whoever reads takes the last round from it; nobody who reads can start,
//! delay or end one: the web has a thread of its own.

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
