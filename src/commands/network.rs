//! From files to the network's own rules.

use std::{fs, path::Path};

use super::Failure;
use crate::{
    cli::NetworkArgs,
    network::{MAX_SIZE, NetworkRules, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
};

/// Reads the files that were named; `None` where none was.
pub fn rules(arguments: &NetworkArgs) -> Result<Option<NetworkRules>, Failure> {
    let security = parsed(
        arguments.effective_nsg.as_deref(),
        "--effective-nsg",
        SecurityRules::parse,
    )?;
    let routes = parsed(
        arguments.effective_routes.as_deref(),
        "--effective-routes",
        Routes::parse,
    )?;
    let tags = parsed(arguments.service_tags.as_deref(), "--service-tags", ServiceTags::parse)?;
    let given = security.is_some() || routes.is_some() || tags.is_some();
    Ok(given.then(|| NetworkRules::new(security, routes, tags)))
}

fn parsed<T>(path: Option<&Path>, flag: &str, parse: fn(&[u8]) -> Result<T, String>) -> Result<Option<T>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let bytes = read(path)?;
    parse(&bytes)
        .map(Some)
        .map_err(|error| Failure::usage(format!("{flag} {} {error}", path.display())))
}

/// Reads a file, and no more of it than it takes to see that it is too large.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}
