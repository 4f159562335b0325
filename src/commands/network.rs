//! From files to the network's own rules.

use std::path::Path;

use super::Failure;
use crate::{
    azure::json::MAX_SIZE,
    cli::NetworkArgs,
    file,
    network::{NetworkRules, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
};

/// Reads the files that were named; `None` where none was.
pub(super) fn rules(arguments: &NetworkArgs) -> Result<Option<NetworkRules>, Failure> {
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
    let bytes = file::read(path, MAX_SIZE).map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
    parse(&bytes)
        .map(Some)
        .map_err(|error| Failure::usage(format!("{flag} {} {error}", file::shown(path))))
}
