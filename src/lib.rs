//! Probes every outbound dependency of an Azure API Management instance that is injected into a virtual network, and says
//! what is blocked, why, and what to change.
//!
//! ```text
//! probes.yaml ─ catalog ─▶ plan ─▶ probe (dns ▸ tcp ▸ tls ▸ hello) ─▶ diagnosis ─ assemble ─▶ report ─▶ text | json | html …
//!                  ▲         ▲            │ events                        ▲                 ├─▶ diff
//!                spans    vantage         ▼                            network              ├─▶ rules
//!                       + imports      progress                                             └─▶ watch
//! ```
//!
//! Each arrow is one plain value, made once and never changed behind it. Only [`probe`] touches the network and only [`vantage`] asks the machine about
//! itself; everything else is pure.

pub mod address;
pub mod assemble;
pub mod azure;
pub mod catalog;
pub mod cli;
pub mod commands;
pub mod diagnosis;
pub mod diff;
pub mod exit;
pub mod explain;
pub mod file;
pub mod hello;
pub mod import;
pub mod model;
pub mod net;
pub mod network;
pub mod output;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod report;
pub mod rules;
pub mod schema;
pub mod text;
pub mod vantage;
pub mod watch;

pub use commands::main;
