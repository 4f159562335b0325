//! The check to run from the instance itself: another VM has other name servers, routes and outbound paths.

use serde_json::json;

use crate::{
    diagnosis::view::{ProbedEndpoint, RunView},
    model::{Direction, Protocol, Transport},
    plan::ProbeTarget,
    text::quote,
};

/// A command that tests the most important of these rows from the instance: `connectivityCheck` of the management API
/// (Microsoft.ApiManagement 2024-05-01). It supports TCP only, so there is none for UDP rows.
pub(crate) fn check_from_instance(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Option<String> {
    let over_tcp = rows
        .iter()
        .filter(|row| row.endpoint.transport == Transport::Tcp && row.endpoint.direction == Direction::Outbound);
    let row = over_tcp.min_by_key(|row| (row.endpoint.need, row.index))?;
    let endpoint = row.endpoint;
    let address = match &endpoint.destination {
        ProbeTarget::Name => endpoint.host.clone(),
        ProbeTarget::Addresses { addresses, .. } => addresses.first()?.to_string(),
        ProbeTarget::NameServer(server) => server.ip().to_string(),
    };
    // If a firewall accepts connections for any address, only what follows differs.
    let protocol = match endpoint.protocol {
        Protocol::Https | Protocol::Tls => "HTTPS",
        Protocol::Http => "HTTP",
        _ => "TCP",
    };
    let management = view.plan.cloud.management_host();
    let body = json!({
        "source": { "region": view.place.region.unwrap_or("REGION") },
        "destination": { "address": address, "port": endpoint.port },
        "preferredIPVersion": "IPv4",
        "protocol": protocol,
    });
    Some(format!(
        "az rest --method post --url \"https://{management}/subscriptions/SUBSCRIPTION/resourceGroups/RG/providers/\
         Microsoft.ApiManagement/service/NAME/connectivityCheck?api-version=2024-05-01\" --body {}",
        quote(&body.to_string())
    ))
}
