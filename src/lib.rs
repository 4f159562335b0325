//! Probes every outbound dependency of an Azure API Management instance that is injected into a virtual network, and says
//! what is blocked, why, and what to change.
//!
//! ```text
//! probes.yaml ─ catalog ─▶ plan ─▶ probe (dns ▸ tcp ▸ tls ▸ hello) ─▶ diagnosis ─ assemble ─▶ report ─▶ text | json | html …
//!                  ▲         ▲            │ events                        ▲                 ├─▶ diff
//!                spans    vantage         ▼                            network              ├─▶ rules
//!                       + imports      progress                                             ├─▶ compare
//!                                                                                           └─▶ watch, serve
//! ```
//!
//! Each arrow is one plain value, made once and never changed behind it. Only [`probe`] touches the network and only `vantage`
//! asks the machine about itself; everything else is pure.
//!
//! What it all starts from, the plan, needs no network: which names an instance in one region depends on before it can be
//! activated.
//!
//! ```
//! use apim_probe::{
//!     azure::Cloud,
//!     catalog::model::Catalog,
//!     plan::{Plan, PlanScope, Selection, Values},
//! };
//!
//! let scope = PlanScope {
//!     cloud: Cloud::Public,
//!     region: Some("westeurope".into()),
//!     vnet: None,
//!     name_servers: Vec::new(),
//! };
//! let plan = Plan::make(&Catalog::builtin(), &scope, &Values::default(), &Selection::default())?;
//! let sql = plan.endpoints.iter().find(|endpoint| endpoint.port == 1433).expect("SQL is in the catalog");
//! assert!(sql.stops_activation);
//! assert_eq!(sql.service_tag.as_deref(), Some("Sql"));
//! # Ok::<(), String>(())
//! ```

pub mod address;
mod assemble;
pub mod azure;
pub mod catalog;
pub mod cli;
mod commands;
pub mod compare;
pub mod confirm;
pub mod diagnosis;
pub mod diff;
pub mod drift;
mod elsewhere;
pub mod exit;
pub mod explain;
pub mod file;
pub mod hello;
pub mod import;
pub mod model;
pub mod net;
pub mod network;
mod output;
pub mod plan;
pub mod probe;
mod progress;
mod redact;
pub mod report;
pub mod rules;
pub mod schema;
pub mod serve;
pub mod text;
pub mod vantage;
pub mod watch;

pub use commands::main;
