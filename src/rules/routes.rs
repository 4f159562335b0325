//! Routes that an instance needs if another route covers 0.0.0.0/0.

use super::{RuleFilter, RuleSet, nsg::literal, slots::name};
use crate::model::{Direction, Protocol};

/// A route with the next hop `Internet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternetRoute {
    /// Its name.
    pub name: String,
    /// A service tag, or one address with `/32`.
    pub prefix: String,
}

/// The service tag of the management traffic, whose replies must not go through a firewall that never saw the request.
const MANAGEMENT: &str = "ApiManagement";

/// The selected routes: for management traffic, and for what only works from an Azure public address.
pub(super) fn routes(set: &RuleSet<'_>, choice: RuleFilter<'_>) -> Vec<InternetRoute> {
    let mut routes: Vec<InternetRoute> = Vec::new();
    for requirement in &set.requirements {
        if !choice.takes(std::iter::once(requirement)) {
            continue;
        }
        let managed =
            requirement.direction == Direction::Inbound && requirement.source_tag.as_deref() == Some(MANAGEMENT);
        if managed {
            add(&mut routes, "apim-management".into(), MANAGEMENT.into());
        }
        let mut addresses = literal(&set.basis, &requirement.dependency);
        if addresses.is_empty() && requirement.protocol == Protocol::Kms {
            addresses = requirement.addresses.iter().map(ToString::to_string).collect();
        }
        for address in addresses {
            let length = if address.contains(':') { 128 } else { 32 };
            add(
                &mut routes,
                name(&format!("apim-{}-{address}", requirement.dependency)),
                format!("{address}/{length}"),
            );
        }
    }
    routes
}

fn add(routes: &mut Vec<InternetRoute>, name: String, prefix: String) {
    if !routes.iter().any(|route| route.name == name) {
        routes.push(InternetRoute { name, prefix });
    }
}
