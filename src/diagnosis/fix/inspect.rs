//! Read-only commands.

use crate::{diagnosis::view::ProbedEndpoint, text::quote};

/// Shows the outbound access of a subnet.
pub(crate) const SUBNET: &str = "az network vnet subnet show -g RG --vnet-name VNET -n SUBNET --query \"{nat:natGateway.id, \
                          routes:routeTable.id, nsg:networkSecurityGroup.id, defaultOutbound:defaultOutboundAccess}\"";

/// Queries a name server, or the system's, for a name.
pub(crate) fn dig(server: Option<std::net::SocketAddr>, host: &str) -> String {
    let at = server.map(|server| format!("@{} ", server.ip())).unwrap_or_default();
    format!("dig {at}{}", quote(host))
}

/// Shows the issuer of a host's certificate, with commonly installed tools.
pub(crate) fn show_issuer(row: &ProbedEndpoint<'_>) -> String {
    let (host, port) = (quote(&row.endpoint.host), row.endpoint.port);
    format!("openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -issuer")
}
