//! A hand-over in words, the same in every format for people.

use crate::model::{Cause, Handover, Owner, Query, SeenFlow, json};

/// The time range, in UTC.
pub fn window(handover: &Handover) -> String {
    format!("{} to {}", json::stamp(handover.from), json::stamp(handover.to))
}

/// `TCP 10.1.0.4:50112 -> 20.1.2.3:1433, sql.example, 2026-11-21T20:00:00.000Z, tcp-timeout`.
pub fn flow(flow: &SeenFlow) -> String {
    let source = flow
        .source
        .map_or_else(|| "any port".to_owned(), |source| source.to_string());
    let cause = flow.cause.map_or("", Cause::as_str);
    let parts = [
        format!(
            "{} {source} -> {}",
            flow.transport.as_str().to_uppercase(),
            flow.destination
        ),
        if flow.host == flow.destination.ip().to_string() {
            String::new()
        } else {
            flow.host.clone()
        },
        json::stamp(flow.at),
        cause.to_owned(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

/// The queries that one of the owners can run. If only the name servers are suspected, the firewall may still be their
/// proxy.
pub fn queries(handover: &Handover, owner: Owner) -> impl Iterator<Item = &Query> {
    let is_alone = handover.owners.iter().all(|request| request.owner == Owner::Dns);
    handover
        .queries
        .iter()
        .filter(move |query| query.target.owner() == owner || (is_alone && owner == Owner::Dns))
}
