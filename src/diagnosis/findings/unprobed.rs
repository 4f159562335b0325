//! Traffic that no probe in the subnet sees: inbound, and between the instance's machines. The network's rules alone say
//! what is broken.

use super::draft::{Draft, Severity, What};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{
        Cause, Confidence, Direction, Fix, Need, Prediction, Suspect, Transport,
        prediction::{Access, Expected, RouteMatch},
    },
    network::{API_MANAGEMENT, INTERNET},
    plan::{Endpoint, Untested},
    rules::Kind,
};

/// Inbound and peer rows that a security rule denies, and management traffic whose replies leave by another way.
pub fn recognise<'a>(view: &RunView<'a>, _: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let Some(predictions) = view.predictions else {
        return Vec::new();
    };
    let rows = || view.rows.iter().filter(|row| counts(row.endpoint)).copied();
    let mut drafts: Vec<Draft<'_>> = rows()
        .filter_map(|row| Some((row, row.prediction.filter(|it| it.verdict == Expected::Deny)?)))
        // Where the groups let it in, it is the way back that is wrong.
        .filter(|(_, prediction)| is_denied(prediction) || predictions.lacks_a_group)
        .map(|(row, prediction)| denied(view, row, prediction))
        .collect();
    let managed = |row: &Row<'_>| row.endpoint.source_tag.as_deref() == Some(API_MANAGEMENT);
    if let Some(row) = rows().find(managed)
        && let Some((route, words)) = &predictions.lost_replies
    {
        drafts.push(asymmetric(view, row, route, words.clone()));
    }
    drafts
}

fn is_denied(prediction: &Prediction) -> bool {
    prediction.nsg.as_ref().is_some_and(|rule| rule.access == Access::Deny)
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

fn denied<'a>(view: &RunView<'a>, row: Row<'a>, prediction: &Prediction) -> Draft<'a> {
    let endpoint = row.endpoint;
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
    // A security admin rule could let it in all the same, and only an instance with a public address has clients outside.
    let only_external = source.eq_ignore_ascii_case(INTERNET) && view.place.vnet.is_none();
    Draft {
        severity: Severity::Failure,
        what: What::Word("nsg-deny"),
        scope: format!("{}:{}", endpoint.dependency, endpoint.port),
        title: format!("{}: {port} {way} is denied", endpoint.title),
        confidence: if only_external {
            Confidence::Low
        } else {
            Confidence::High
        },
        rows: vec![row],
        evidence: vec![prediction.words.clone()],
        suspects: vec![Suspect::Nsg],
        impact: None,
        fix: fix::let_in(&[row], view),
    }
}

fn asymmetric<'a>(view: &RunView<'a>, row: Row<'a>, route: &RouteMatch, words: String) -> Draft<'a> {
    let endpoint = row.endpoint;
    let through = route.next_hop.as_ref().unwrap_or(&route.next_hop_type);
    Draft {
        severity: Severity::Failure,
        what: What::Word("asymmetric-route"),
        scope: endpoint.dependency.clone(),
        title: format!("{}: requests come in, replies leave through {through}", endpoint.title),
        confidence: Confidence::Certain,
        rows: vec![row],
        evidence: vec![words],
        suspects: vec![Suspect::Udr],
        impact: None,
        fix: Fix::new(format!(
            "Add a route for the service tag {API_MANAGEMENT} with next hop Internet to the subnet's route table."
        ))
        .change(fix::lines(Kind::Routes, &[row], view)),
    }
}
