//! No way out at all.

use std::{collections::BTreeSet, net::SocketAddr};

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Confidence, Fix, Protocol, Suspect},
    text::words::{count, list},
};

/// Services that a subnet can reach without a way out, over service endpoints or platform rules.
const OTHER_WAYS: [&str; 5] = ["Storage", "Sql", "AzureKeyVault", "EventHub", "AzurePlatformLKM"];
/// How many silent hosts it takes.
const FEWEST_HOSTS: usize = 3;

/// Every public target outside the tags that have service endpoints is silent, while names still resolve. Then sixty
/// blocked dependencies have one root: a private subnet without NAT, or 0.0.0.0/0 to nowhere. The VM differs from the
/// instance here more than anywhere: the instance has a public address of its own.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let through_the_way_out =
        |row: &Row<'a>| row.is_public() && row.endpoint.protocol != Protocol::Dns && !OTHER_WAYS.contains(&row.tag());
    let beyond: Vec<&Row<'a>> = view.rows.iter().filter(|row| through_the_way_out(row)).collect();
    let hosts = say::hosts(beyond.iter().copied()).len();
    if hosts < FEWEST_HOSTS || !beyond.iter().all(|row| row.is_silent()) {
        return Vec::new();
    }
    let rows = pool.take(|row| row.is_silent() && row.is_public());
    if rows.is_empty() {
        return Vec::new();
    }
    let answering: Vec<&str> = say::titles(view.proved().filter(|row| OTHER_WAYS.contains(&row.tag())));
    let ports = distinct_ports(&rows);
    let mut evidence = vec![
        format!(
            "none of {hosts} public hosts answers, on any of {}",
            count(ports, "port")
        ),
        "an instance has a public address of its own, so it may have a way out all the same".into(),
    ];
    let servers: Vec<String> = view
        .proved()
        .filter_map(Row::tested_server)
        .map(|server: SocketAddr| server.ip().to_string())
        .collect();
    if let Some(server) = servers.first() {
        evidence.push(format!(
            "the name server {server} answers, so this VM itself is on the network"
        ));
    }
    evidence.push(if answering.is_empty() {
        "services that have service endpoints are silent too".into()
    } else {
        format!(
            "{} answer: service endpoints go around the way out, or the NSG allows just their tags",
            list(&answering, 3)
        )
    });
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "no-outbound"),
        scope: "no-outbound".into(),
        title: "This VM has no way out: nothing public answers".into(),
        confidence: if answering.is_empty() {
            Confidence::High
        } else {
            Confidence::Medium
        },
        evidence,
        suspects: vec![Suspect::NoOutbound, Suspect::Udr, Suspect::Nsg],
        fix: Fix::new(
            "Give the subnet a NAT gateway, or 0.0.0.0/0 a next hop that lives, and do not deny Internet in the NSG; \
                      then run again.",
        )
        .look([
            "az network vnet subnet show -g RG --vnet-name VNET -n SUBNET --query \"{nat:natGateway.id, \
                 routes:routeTable.id, nsg:networkSecurityGroup.id, defaultOutbound:defaultOutboundAccess}\"",
            "az network nic show-effective-route-table -g RG -n NIC -o table",
        ]),
        rows,
    }]
}

fn distinct_ports(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|row| row.endpoint.port).collect::<BTreeSet<_>>().len()
}
