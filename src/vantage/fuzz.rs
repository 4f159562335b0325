//! The readers of what this machine and its platform report, without either: what the fuzz targets call.

use std::collections::BTreeSet;

use super::{hosts, http::ApiReply, management, metadata, resolvers};

/// Reads the configuration of a resolver (resolv.conf(5)); gives what is remarkable about it.
pub fn resolv_conf(bytes: &[u8]) -> Vec<String> {
    resolvers::choose(&Ok(bytes.to_vec()), &Ok(bytes.to_vec())).notices
}

/// Reads a table of hosts (hosts(5)); gives a notice for each planned one that it maps.
pub fn hosts(bytes: &[u8], planned: &[&str]) -> Vec<String> {
    let planned: BTreeSet<&str> = planned.iter().copied().collect();
    hosts::hidden(&String::from_utf8_lossy(bytes), &planned)
}

/// Reads what the VM's metadata service answers; gives false where that is not what it would say.
pub fn metadata(bytes: &[u8]) -> bool {
    let reply = ApiReply::of(200, &String::from_utf8_lossy(bytes));
    metadata::read(&reply, None).is_ok()
}

/// Reads what the VM's identity service answers; gives false where that is no token.
pub fn token(bytes: &[u8]) -> bool {
    management::token::is_in(bytes)
}

/// Reads what the management endpoint answers: as an error, of which it gives what is said, and as a page of a list, of which
/// it gives the link to the next that is followed.
pub fn management(body: &str) -> (String, Option<String>) {
    management::read_answer(body)
}
