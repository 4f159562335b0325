//! No outbound access at all.

use std::collections::BTreeSet;

use super::phrases;
use crate::{
    azure::ACTIVATION,
    diagnosis::{
        fix,
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Protocol, Suspect, prediction::Expected},
    text::words::{count, list},
};

/// Services that a subnet can reach without outbound access, over service endpoints or platform rules.
const PARTIAL_OUTBOUND: [&str; 5] = ["Storage", "Sql", "AzureKeyVault", "EventHub", ACTIVATION];
/// How many hosts without a reply are needed.
const MIN_HOSTS: usize = 3;

/// No public target replies, apart from those with service endpoints, while names still resolve; and the network's
/// rules show the reason: they deny all of it, or 0.0.0.0/0 leads elsewhere. Then the same applies to the instance.
pub(super) const OUTBOUND_BLOCKED: FindingRule = FindingRule {
    kind: FindingKind::WayOut,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        let rows = silent(view, unexplained);
        let scope = if rows.iter().all(is_denied) {
            "denied"
        } else {
            "default-route"
        };
        FindingGroup::unless_empty(scope, rows)
    }),
    describe: outbound_blocked,
};

/// The same, if nothing shows where the packets go: a subnet without outbound access, which is the default for new
/// networks. Here the VM differs from the instance more than anywhere else, because the instance has a public address
/// of its own.
pub(super) const NO_OUTBOUND: FindingRule = FindingRule {
    kind: FindingKind::NoOutbound,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        FindingGroup::unless_empty("internet", silent(view, unexplained))
    }),
    describe: private_subnet,
};

fn is_denied(row: &ProbedEndpoint<'_>) -> bool {
    row.prediction.is_some_and(|it| it.verdict == Expected::Deny)
}

fn is_sinkholed(row: &ProbedEndpoint<'_>) -> bool {
    row.cause() == Some(Cause::DnsSinkhole)
}

/// The hosts without a reply, if all hosts that need outbound access are among them.
fn silent<'a>(view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<ProbedEndpoint<'a>> {
    let beyond: Vec<&ProbedEndpoint<'a>> = beyond(view).collect();
    if phrases::hosts(beyond.iter().copied()).len() < MIN_HOSTS || !beyond.iter().all(|row| row.is_silent()) {
        return Vec::new();
    }
    let is_silent = |row: &&ProbedEndpoint<'a>| row.is_silent() && row.is_public() && !is_sinkholed(row);
    unexplained.iter().filter(is_silent).copied().collect()
}

/// Rows that need outbound access.
fn beyond<'a, 'b>(view: &'b RunView<'a>) -> impl Iterator<Item = &'b ProbedEndpoint<'a>> {
    view.rows.iter().filter(|row| {
        row.is_public()
            && !is_sinkholed(row)
            && row.endpoint.protocol != Protocol::Dns
            && !PARTIAL_OUTBOUND.contains(&row.tag())
    })
}

fn silence(view: &RunView<'_>, group: &FindingGroup<'_>) -> String {
    let ports: BTreeSet<u16> = group.rows.iter().map(|row| row.endpoint.port).collect();
    format!(
        "none of {} public hosts answers, on any of {}",
        phrases::hosts(beyond(view)).len(),
        count(ports.len(), "port")
    )
}

fn outbound_blocked<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let seen = Grounds::default().pattern(silence(view, group));
    if group.rows.iter().all(is_denied) {
        return Explanation {
            title: "No outbound internet access: the network's rules deny it".into(),
            grounds: seen,
            suspects: vec![Suspect::Nsg, Suspect::Udr],
            fix: fix::allow(&group.rows, view),
            impact: None,
        };
    }
    let elsewhere = view.predictions.and_then(|it| it.default_route_override.as_deref());
    let Some(elsewhere) = elsewhere else {
        return Explanation {
            grounds: seen.refuted("nothing shows where 0.0.0.0/0 leads"),
            ..Explanation::default()
        };
    };
    Explanation {
        title: format!("No public host answers: 0.0.0.0/0 leads to {elsewhere}"),
        grounds: seen.note("the route for 0.0.0.0/0 is not an Azure default route, and the instance has the same one"),
        suspects: vec![Suspect::Udr, Suspect::FirewallNetworkRule, Suspect::Nva],
        fix: Fix::new(format!(
            "Check {elsewhere}: is it up, does it accept packets from this subnet, do its rules let them out, and do \
             the replies come back the same way?"
        ))
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        impact: None,
    }
}

fn private_subnet<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let mut grounds = Grounds::default()
        .pattern(format!(
            "{}: nothing is known about the instance, which has its own public address",
            silence(view, group)
        ))
        .open("a rule that denies Internet, or a route with next hop None, would look the same")
        .note("subnets in new virtual networks are private by default: without a public address or a NAT gateway, a VM has no outbound access");
    let mut servers = view.proved().filter_map(ProbedEndpoint::tested_server);
    if let Some(server) = servers.next() {
        grounds = grounds.note(format!(
            "the name server {} answers, so this VM itself has a network connection",
            server.ip()
        ));
    }
    let answering: Vec<&str> = phrases::titles(view.proved().filter(|row| PARTIAL_OUTBOUND.contains(&row.tag())));
    grounds = grounds.note(if answering.is_empty() {
        "services with service endpoints do not answer either".into()
    } else {
        format!(
            "{} answer: their service endpoints bypass the outbound route, or the NSG allows only their tags",
            list(&answering, 3)
        )
    });
    Explanation {
        title: "This VM has no outbound access, so nothing is known about the instance".into(),
        grounds,
        suspects: vec![Suspect::NoOutbound, Suspect::Udr, Suspect::Nsg],
        fix: Fix::new(
            "Give this VM a public address for the test, and run again. A NAT gateway on the subnet works too, but \
             also changes the instance's outbound address.",
        )
        .change([
            (
                "az network public-ip create -g RG -n PIP --sku Standard",
                Some("az network public-ip delete -g RG -n PIP".into()),
            ),
            (
                "az network nic ip-config update -g RG --nic-name NIC -n IPCONFIG --public-ip-address PIP",
                Some(
                    "az network nic ip-config update -g RG --nic-name NIC -n IPCONFIG --remove publicIPAddress".into(),
                ),
            ),
        ])
        .look([
            fix::SUBNET,
            "az network nic show-effective-route-table -g RG -n NIC -o table",
        ]),
        impact: None,
    }
}
