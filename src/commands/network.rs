//! Reads the network's own rules from files and API replies.

use std::path::Path;

use super::CommandFailure;
use crate::{
    azure::json::MAX_SIZE,
    cli::NetworkArgs,
    file,
    network::{NetworkRules, configured, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    vantage::management::{NetworkConfig, NsgDocuments, RouteDocuments},
};

/// What is known about the network's rules.
#[derive(Debug, Default)]
pub(super) struct NetworkDocuments {
    security: Option<SecurityRules>,
    routes: Option<Routes>,
    tags: Option<ServiceTags>,
}

impl NetworkDocuments {
    /// Reads the files that flags name.
    pub(super) fn from_files(arguments: &NetworkArgs) -> Result<Self, CommandFailure> {
        Ok(Self {
            security: parsed(
                arguments.effective_nsg.as_deref(),
                "--effective-nsg",
                SecurityRules::parse,
            )?,
            routes: parsed(
                arguments.effective_routes.as_deref(),
                "--effective-routes",
                Routes::parse,
            )?,
            tags: parsed(arguments.service_tags.as_deref(), "--service-tags", ServiceTags::parse)?,
        })
    }

    /// Uses what was fetched for each file that was not given; returns one sentence for each part that cannot be used.
    pub(super) fn complete(&mut self, fetched: &NetworkConfig) -> Vec<String> {
        let mut notices = Vec::new();
        if self.security.is_none() {
            let bytes = fetched.security.as_ref().map(|security| match security {
                NsgDocuments::Effective(text) => text.clone().into_bytes(),
                NsgDocuments::Configured(groups) => configured::security(groups),
            });
            self.security = usable(
                bytes,
                "the rules of this VM's network interface",
                SecurityRules::parse,
                &mut notices,
            );
        }
        if self.routes.is_none() {
            let bytes = fetched.routes.as_ref().map(|ways| match ways {
                RouteDocuments::Effective(text) => text.clone().into_bytes(),
                RouteDocuments::Configured { table, network } => {
                    configured::routes(table.as_deref(), network.as_deref())
                }
            });
            self.routes = usable(
                bytes,
                "the routes of this VM's network interface",
                Routes::parse,
                &mut notices,
            );
        }
        // The list covers a whole cloud: without rules it is of no use.
        if self.tags.is_none() && (self.security.is_some() || self.routes.is_some()) {
            let bytes = fetched.tags.as_ref().map(|text| text.clone().into_bytes());
            self.tags = usable(bytes, "the service tags", ServiceTags::parse, &mut notices);
        }
        notices
    }

    /// The rules; `None` where nothing is known.
    pub(super) fn rules(self) -> Option<NetworkRules> {
        let given = self.security.is_some() || self.routes.is_some() || self.tags.is_some();
        given.then(|| NetworkRules::new(self.security, self.routes, self.tags))
    }
}

/// The content of a reply, if it can be read.
fn usable<T>(
    bytes: Option<Vec<u8>>,
    what: &str,
    parse: fn(&[u8]) -> Result<T, String>,
    notices: &mut Vec<String>,
) -> Option<T> {
    match parse(&bytes?) {
        Ok(read) => Some(read),
        Err(why) => {
            notices.push(format!("--service: the management endpoint's reply about {what} {why}"));
            None
        }
    }
}

fn parsed<T>(
    path: Option<&Path>,
    flag: &str,
    parse: fn(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, CommandFailure> {
    let Some(path) = path else { return Ok(None) };
    let bytes = file::read(path, MAX_SIZE).map_err(|error| CommandFailure::usage(format!("{flag}: {error}")))?;
    parse(&bytes)
        .map(Some)
        .map_err(|error| CommandFailure::usage(format!("{flag} {} {error}", file::shown(path))))
}
