//! Findings about traffic that no probe in the subnet sees: inbound, and between the instance's machines.

use super::Row;
use crate::{
    model::{
        Cause, Confidence, Direction, Finding, Fix, Need, Prediction, Suspect, Transport, Vnet,
        prediction::{Access, Expected, RouteMatch},
    },
    network::{API_MANAGEMENT, INTERNET, NetworkRules, Standpoint},
    plan::{Endpoint, Untested},
};

/// What the rules alone show to be broken, with the need that it breaks.
pub fn findings(
    rules: &NetworkRules,
    rows: &[&Row<'_>],
    vnet: Option<Vnet>,
    from: &Standpoint<'_>,
) -> Vec<(Need, Finding)> {
    let mut findings: Vec<(Need, Finding)> = Vec::new();
    for row in rows.iter().filter(|row| counts(row.planned)) {
        let Some(prediction) = row
            .prediction
            .as_ref()
            .filter(|prediction| prediction.verdict == Expected::Deny)
        else {
            continue;
        };
        // Where the groups let it in, it is the way back that is wrong.
        let is_denied = prediction.nsg.as_ref().is_some_and(|rule| rule.access == Access::Deny);
        if is_denied || rules.lacks_a_group() {
            findings.push((row.planned.need, denied(row.planned, prediction, vnet)));
        }
    }
    let managed = |row: &&&Row<'_>| {
        row.planned
            .source_tag
            .as_deref()
            .is_some_and(|tag| tag == API_MANAGEMENT)
    };
    if let Some(row) = rows.iter().filter(|row| counts(row.planned)).find(managed)
        && let Some((route, words)) = rules.lost_replies(from)
    {
        findings.push((row.planned.need, asymmetric(row.planned, &route, words)));
    }
    findings
}

/// Inbound rows of a feature are mostly closed on purpose; what the instance itself needs is not.
fn counts(endpoint: &Endpoint) -> bool {
    let skipped = matches!(
        endpoint.untested,
        Some(Untested {
            cause: Cause::Skipped,
            ..
        })
    );
    !skipped
        && match endpoint.direction {
            Direction::Outbound => false,
            Direction::Inbound => endpoint.need == Need::Required,
            Direction::Peer => true,
        }
}

fn denied(endpoint: &Endpoint, prediction: &Prediction, vnet: Option<Vnet>) -> Finding {
    let transport = if endpoint.transport == Transport::Udp {
        "UDP"
    } else {
        "TCP"
    };
    let port = format!("{transport} {}", endpoint.port);
    let source = endpoint.source_tag.as_deref().unwrap_or(INTERNET);
    let way = if endpoint.direction == Direction::Peer {
        "between its machines".into()
    } else {
        format!("inbound from {source}")
    };
    let before = prediction.nsg.as_ref().map_or_else(String::new, |rule| {
        format!(", before rule {} ({})", rule.name, rule.priority)
    });
    // A security admin rule could let it in all the same, and only an instance with a public address has clients outside.
    let only_external = source.eq_ignore_ascii_case(INTERNET) && vnet.is_none();
    Finding {
        id: format!("nsg-deny/{}:{}", endpoint.dependency, endpoint.port),
        cause: None,
        title: format!("{}: {port} {way} is denied", endpoint.title),
        confidence: if only_external {
            Confidence::Low
        } else {
            Confidence::High
        },
        endpoints: vec![endpoint.id.clone()],
        evidence: vec![prediction.words.clone()],
        suspects: vec![Suspect::Nsg],
        impact: endpoint.impact.clone(),
        fix: Fix {
            summary: format!("Allow {port} from {source} to VirtualNetwork in the subnet's NSG{before}."),
            commands: vec![format!(
                "apim-probe rules --kind nsg --as az --only {}",
                endpoint.dependency
            )],
        },
    }
}

fn asymmetric(endpoint: &Endpoint, route: &RouteMatch, words: String) -> Finding {
    let through = route.next_hop.as_ref().unwrap_or(&route.next_hop_type);
    Finding {
        id: format!("asymmetric-route/{}", endpoint.dependency),
        cause: None,
        title: format!("{}: requests come in, replies leave through {through}", endpoint.title),
        confidence: Confidence::Certain,
        endpoints: vec![endpoint.id.clone()],
        evidence: vec![words],
        suspects: vec![Suspect::Udr],
        impact: endpoint.impact.clone(),
        fix: Fix {
            summary: format!(
                "Add a route for the service tag {API_MANAGEMENT} with next hop Internet to the subnet's route table."
            ),
            commands: vec![format!(
                "apim-probe rules --kind routes --as az --only {}",
                endpoint.dependency
            )],
        },
    }
}
