//! Routes that an instance needs where another route takes 0.0.0.0/0.

use super::{Request, slots::name};
use crate::model::Direction;

/// A route with the next hop `Internet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// A service tag, or one address with `/32`.
    pub prefix: String,
}

/// The service tag of the management traffic, whose replies must not pass a firewall that never saw the request.
const MANAGEMENT: &str = "ApiManagement";

/// The routes for what is wanted: management traffic, and what only works from an Azure public address.
pub fn routes(request: &Request<'_>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for wanted in request.wanted.iter().filter(|wanted| request.has_place(wanted.missing)) {
        let managed = wanted.direction == Direction::Inbound && wanted.source_tag.as_deref() == Some(MANAGEMENT);
        if managed {
            add(&mut routes, "apim-management".into(), MANAGEMENT.into());
        }
        let dependency = request
            .catalog
            .dependencies
            .iter()
            .find(|dependency| dependency.id == wanted.dependency);
        let addresses = dependency.and_then(|dependency| dependency.route_addresses.get(&request.cloud));
        for address in addresses.into_iter().flatten() {
            let length = if address.is_ipv4() { 32 } else { 128 };
            add(
                &mut routes,
                name(&format!("apim-{}-{address}", wanted.dependency)),
                format!("{address}/{length}"),
            );
        }
    }
    routes
}

fn add(routes: &mut Vec<Route>, name: String, prefix: String) {
    if !routes.iter().any(|route| route.name == name) {
        routes.push(Route { name, prefix });
    }
}
