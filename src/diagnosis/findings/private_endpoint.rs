//! Private endpoints that do not answer.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    address,
    diagnosis::view::{Pool, Row, RunView, is_tcp, should_work},
    model::{Cause, Confidence, Fix, Suspect},
    text::words::{distinct, list},
};

/// Names that lead through a private link to private addresses, and nobody there: the endpoint is gone, or something
/// between closes it. No rule for the service's tag mends that, since tags hold public addresses only.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let rows = pool.take(|row| {
        let outcomes = &row.judgement.outcomes;
        is_tcp(row)
            && should_work(row)
            && matches!(row.cause(), Some(Cause::TcpTimeout | Cause::TcpRefused))
            && leads_through_a_link(row)
            && outcomes.iter().all(|outcome| address::is_private(outcome.address.ip()))
    });
    if rows.is_empty() { Vec::new() } else { vec![draft(rows)] }
}

fn leads_through_a_link(row: &Row<'_>) -> bool {
    let answer = row.trace.and_then(|trace| trace.name.as_ref()?.decision()?.answer());
    let labels = answer
        .into_iter()
        .flat_map(|answer| &answer.cnames)
        .flat_map(|alias| alias.split('.'));
    labels.into_iter().any(|label| label == "privatelink")
}

fn draft(rows: Vec<Row<'_>>) -> Draft<'_> {
    let hosts = say::hosts(&rows);
    let addresses: Vec<String> = rows
        .iter()
        .flat_map(|row| &row.judgement.outcomes)
        .map(|outcome| outcome.address.ip().to_string())
        .collect();
    let addresses = distinct(addresses.iter().map(String::as_str));
    let title = match (&hosts[..], &addresses[..]) {
        ([_], [address]) => format!("{}: the private endpoint {address} does not answer", say::leader(&rows)),
        ([_], _) => format!("{}: its private endpoint does not answer", say::leader(&rows)),
        _ => format!("Private endpoints of {} hosts do not answer", hosts.len()),
    };
    let mut evidence = say::examples(&rows);
    evidence
        .push("a private endpoint that is gone leaves its record behind, and one that is closed stays silent".into());
    evidence.push("service tags hold public addresses only: a rule for one does not reach a private endpoint".into());
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "private-endpoint"),
        scope: match addresses[..] {
            [address] => format!("private-endpoint-{address}"),
            _ => "private-endpoints".into(),
        },
        title,
        confidence: Confidence::High,
        evidence,
        suspects: vec![Suspect::PrivateDnsZone, Suspect::Nsg, Suspect::Udr, Suspect::Nva],
        fix: Fix::new(format!(
            "See that the private endpoint at {} exists and is approved, and let {} in at its subnet; if it is gone, delete its \
             record.",
            list(&addresses, 2),
            say::ports(&rows)
        ))
        .look([
            "az network private-endpoint list --query \"[].{name:name, addresses:customDnsConfigs[].ipAddresses[], \
             state:privateLinkServiceConnections[].privateLinkServiceConnectionState.status}\" -o json",
        ]),
        rows,
    }
}
