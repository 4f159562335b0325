//! The readers of data about this machine and its platform, without either: for the fuzz targets.

use std::collections::BTreeSet;

use super::{hosts, http::ApiReply, management, metadata, resolvers};

/// Reads the configuration of a resolver (resolv.conf(5)); returns notices about it.
pub fn resolv_conf(bytes: &[u8]) -> Vec<String> {
    resolvers::choose(&Ok(bytes.to_vec()), &Ok(bytes.to_vec())).notices
}

/// Reads a table of hosts (hosts(5)); returns a notice for each planned host in it.
pub fn hosts(bytes: &[u8], planned: &[&str]) -> Vec<String> {
    let planned: BTreeSet<&str> = planned.iter().copied().collect();
    hosts::hidden(&String::from_utf8_lossy(bytes), &planned)
}

/// Reads a reply of the VM's metadata service; returns false if it is not valid.
pub fn metadata(bytes: &[u8]) -> bool {
    let reply = ApiReply::of(200, &String::from_utf8_lossy(bytes));
    metadata::read(&reply, None).is_ok()
}

/// Reads a reply of the VM's identity service; returns false if it is not a token.
pub fn token(bytes: &[u8]) -> bool {
    management::token::is_in(bytes)
}

/// Reads a reply of the management endpoint: as an error, of which it returns the text, and as a page of a list, of
/// which it returns the link to the next page that would be followed.
pub fn management(body: &str) -> (String, Option<String>) {
    management::read_answer(body)
}
