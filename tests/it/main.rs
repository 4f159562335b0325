//! Tests without a network: the parts of the library together, and the binary's messages.

mod azure_cli;
mod catalog;
mod cli;
mod documents;
mod drift;
mod explain;
mod file_errors;
mod findings;
mod fuzzing;
mod hello;
mod hello_http;
mod hello_tls;
mod imports;
mod instances;
mod layers;
mod network;
mod packages;
mod pipelines;
mod real_servers;
mod supply_chain;
mod terminal_escapes;
mod tiers;
mod wording;
