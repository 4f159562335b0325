//! No way out at all.

use std::collections::BTreeSet;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    azure::ACTIVATION,
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Protocol, Suspect, prediction::Expected},
    text::words::{count, list},
};

/// Services that a subnet can reach without a way out, over service endpoints or platform rules.
const OTHER_WAYS: [&str; 5] = ["Storage", "Sql", "AzureKeyVault", "EventHub", ACTIVATION];
/// How many silent hosts it takes.
const FEWEST_HOSTS: usize = 3;

/// Every public target outside the tags that have service endpoints is silent, while names still resolve. Then sixty
/// blocked dependencies have one root. Where the network's rules show that 0.0.0.0/0 leads elsewhere, it is whoever is
/// there. Otherwise it is a subnet without a way out, as those of new networks are by default: the VM differs from the
/// instance here more than anywhere, since the instance has a public address of its own.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let is_sunk = |row: &Row<'a>| row.cause() == Some(Cause::DnsSinkhole);
    let through_the_way_out = |row: &Row<'a>| {
        row.is_public() && !is_sunk(row) && row.endpoint.protocol != Protocol::Dns && !OTHER_WAYS.contains(&row.tag())
    };
    let beyond: Vec<&Row<'a>> = view.rows.iter().filter(|row| through_the_way_out(row)).collect();
    let hosts = say::hosts(beyond.iter().copied()).len();
    if hosts < FEWEST_HOSTS || !beyond.iter().all(|row| row.is_silent()) {
        return Vec::new();
    }
    let rows = pool.take(|row| row.is_silent() && row.is_public() && !is_sunk(row));
    if rows.is_empty() {
        return Vec::new();
    }
    let silence = format!(
        "none of {hosts} public hosts answers, on any of {}",
        count(distinct_ports(&rows), "port")
    );
    let is_denied = |row: &Row<'_>| row.prediction.is_some_and(|it| it.verdict == Expected::Deny);
    let elsewhere = view.predictions.and_then(|it| it.foreign_way_out.as_deref());
    vec![match elsewhere {
        _ if rows.iter().all(is_denied) => denied(view, silence, rows),
        Some(elsewhere) => led_elsewhere(elsewhere, silence, rows),
        None => private_subnet(view, &silence, rows),
    }]
}

/// The network's own rules deny all of it, for the instance as well.
fn denied<'a>(view: &RunView<'a>, silence: String, rows: Vec<Row<'a>>) -> Draft<'a> {
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "no-outbound"),
        scope: "denied".into(),
        title: "Nothing public answers: the network's rules deny it".into(),
        confidence: Confidence::High,
        evidence: vec![silence],
        suspects: vec![Suspect::Nsg, Suspect::Udr],
        fix: fix::allow(&rows, view),
        rows,
    }
}

/// 0.0.0.0/0 leads to somebody, and nothing comes back from there.
fn led_elsewhere<'a>(elsewhere: &str, silence: String, rows: Vec<Row<'a>>) -> Draft<'a> {
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "no-outbound"),
        scope: "way-out".into(),
        title: format!("Nothing public answers: 0.0.0.0/0 leads to {elsewhere}"),
        confidence: Confidence::High,
        evidence: vec![
            silence,
            "the route for 0.0.0.0/0 is no default of Azure's, and the instance has the same one".into(),
        ],
        suspects: vec![Suspect::Udr, Suspect::FirewallNetworkRule, Suspect::Nva],
        fix: Fix::new(format!(
            "Look at {elsewhere}: does it live, does it take packets of this subnet, do its rules let them out, and do the replies \
             come back the same way?"
        ))
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        rows,
    }
}

/// Nothing shows where packets go: the subnet has no way out, for this VM.
fn private_subnet<'a>(view: &RunView<'a>, silence: &str, rows: Vec<Row<'a>>) -> Draft<'a> {
    let mut evidence = vec![
        format!("{silence}: nothing is known about the instance, which has a public address of its own"),
        "subnets of new networks are private by default: without a public address or a NAT gateway a VM has no way out"
            .into(),
    ];
    let mut servers = view.proved().filter_map(Row::tested_server);
    if let Some(server) = servers.next() {
        evidence.push(format!(
            "the name server {} answers, so this VM itself is on the network",
            server.ip()
        ));
    }
    let answering: Vec<&str> = say::titles(view.proved().filter(|row| OTHER_WAYS.contains(&row.tag())));
    evidence.push(if answering.is_empty() {
        "services that have service endpoints are silent too".into()
    } else {
        format!(
            "{} answer: service endpoints go around the way out, or the NSG allows just their tags",
            list(&answering, 3)
        )
    });
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "no-outbound"),
        scope: "no-outbound".into(),
        title: "This VM has no way out, so nothing is known about the instance".into(),
        confidence: Confidence::Medium,
        evidence,
        suspects: vec![Suspect::NoOutbound, Suspect::Udr, Suspect::Nsg],
        fix: Fix::new(
            "Give this VM a public address for the test, and run again. A NAT gateway on the subnet helps too, but changes the \
             outbound address of the instance as well.",
        )
        .change([
            "az network public-ip create -g RG -n PIP --sku Standard",
            "az network nic ip-config update -g RG --nic-name NIC -n IPCONFIG --public-ip-address PIP",
        ])
        .look([
            fix::SUBNET,
            "az network nic show-effective-route-table -g RG -n NIC -o table",
        ]),
        rows,
    }
}

fn distinct_ports(rows: &[Row<'_>]) -> usize {
    rows.iter().map(|row| row.endpoint.port).collect::<BTreeSet<_>>().len()
}
