//! Serving: the results of the rounds over HTTP.
//!
//! ```text
//! rounds ─▶ state ─▶ metrics, pages ─▶ web ─▶ Prometheus, a browser
//!             ▲ faults
//! ```
//!
//! Rounds and readers share only the state. Readers take the last round from it and cannot start, delay or end one: the
//! web server runs on a separate thread.

pub(crate) mod access;
pub(crate) mod clock;
pub(crate) mod fault;
pub mod fuzz;
pub(crate) mod log;
pub(crate) mod metrics;
mod pages;
mod process;
pub(crate) mod state;
pub(crate) mod stderr;
pub(crate) mod web;

pub(crate) use self::{
    access::AccessControl,
    clock::ClockReading,
    fault::ServeFault,
    pages::status,
    state::{ReloadedPart, ServeState},
};
