//! Somebody on the way who says no.

use std::net::IpAddr;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView, should_work},
    },
    model::{Cause, Confidence, Fix, Suspect},
    net::icmp::IcmpError,
    text::words::{count, distinct},
};

/// Refusals of so many dependencies are a policy for everything.
const WIDE: usize = 3;

/// ICMP refusals, by their sender. A router limits the errors that it sends, so the same rule shows as an error on some
/// rows and as silence on others: the silent ones with the same tag and port come along, and where the refusals span
/// several dependencies, all silent ones of whose tag and port nothing was proved.
///
/// A target that refuses by itself (port unreachable from the address dialled) is not on the way, and is left to others.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups = pool.take_by(|row| {
        let (error, _) = row.icmp().next()?;
        let by_target = row
            .judgement
            .outcomes
            .iter()
            .any(|outcome| Some(outcome.address.ip()) == error.sender);
        (row.cause().is_some() && !by_target && !row.fails_by_name()).then_some((error.sender, error.is_prohibition()))
    });
    let draft = |((sender, prohibits), mut rows): ((Option<IpAddr>, bool), Vec<Row<'a>>)| {
        let refused = rows.len();
        rows.extend(pool.take(|row| row.is_silent() && belongs(view, &rows, row)));
        rows.sort_by_key(|row| row.index);
        refusal(view, sender, prohibits, refused, rows)
    };
    groups.into_iter().map(draft).collect()
}

/// Whether a silent row is silent for the reason that these were refused for.
fn belongs(view: &RunView<'_>, refused: &[Row<'_>], silent: &Row<'_>) -> bool {
    let alike = |row: &Row<'_>| row.tag() == silent.tag() && row.endpoint.port == silent.endpoint.port;
    should_work(silent)
        && (refused.iter().any(alike) || (say::dependencies(refused).len() >= WIDE && !view.proved().any(alike)))
}

fn refusal<'a>(
    view: &RunView<'a>,
    sender: Option<IpAddr>,
    prohibits: bool,
    refused: usize,
    rows: Vec<Row<'a>>,
) -> Draft<'a> {
    let who = sender.map_or_else(|| "a router on the way".into(), |sender| sender.to_string());
    let ports = say::ports(&rows);
    let hosts = say::host_count(&rows);
    let title = match (prohibits, say::titles(&rows).as_slice()) {
        (true, [one]) => format!("{one}: {who} refuses {ports}"),
        (true, _) => format!("{who} refuses {ports} to {hosts}"),
        (false, [one]) => format!("{one}: {who} knows no way there"),
        (false, _) => format!("{who} knows no way to {hosts}"),
    };
    let errors: Vec<String> = rows
        .iter()
        .filter_map(|row| row.icmp().next())
        .map(|(error, _)| words(error))
        .collect();
    let mut evidence: Vec<String> = distinct(errors.iter().map(String::as_str))
        .into_iter()
        .take(2)
        .map(|error| format!("{who} answers {error} for {}", count(refused, "endpoint")))
        .collect();
    if rows.len() > refused {
        evidence.push(format!(
            "{} more are silent: routers limit the errors that they send",
            rows.len() - refused
        ));
    }
    let proved = view.proved().count();
    if proved > 0 {
        evidence.push(format!("{proved} other endpoints prove themselves"));
    }
    let by = sender.map_or_else(|| "router".into(), |sender| sender.to_string());
    let scope = if prohibits { by } else { format!("routes-of-{by}") };
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "refused"),
        scope,
        title,
        confidence: Confidence::Certain,
        evidence,
        suspects: if prohibits {
            vec![Suspect::FirewallNetworkRule, Suspect::Nva]
        } else {
            vec![Suspect::Udr, Suspect::Nva]
        },
        fix: if prohibits {
            fix::allow_at(&who, &rows, view)
        } else {
            Fix::new(format!(
                "Give {who} a route there, or take it out of the way with a route of your own."
            ))
            .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        },
        rows,
    }
}

fn words(error: &IcmpError) -> String {
    let six = if error.v6 { "v6" } else { "" };
    format!("\"{}\" (ICMP{six} {}/{})", error.name(), error.kind, error.code)
}

/// Whether somebody on the way answered for this row: a sign that a route leads through an appliance.
pub fn is_refused_on_the_way(view: &RunView<'_>, row: &Row<'_>) -> bool {
    matches!(row.cause(), Some(Cause::TcpUnreachable | Cause::UdpUnreachable))
        && row.icmp().any(|(error, _)| !view.is_own(error))
}
