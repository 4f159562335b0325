//! Tests without a network: the parts of the library together, and the binary's messages.

mod azure_cli;
mod catalog;
mod cli;
mod documents;
mod drift;
mod escapes;
mod explain;
mod files;
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
mod real;
mod supply;
mod tiers;
mod wording;
