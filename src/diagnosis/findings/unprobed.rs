//! Traffic that no probe in the subnet can test: inbound, and between the instance's machines. Only the network's rules
//! show what is wrong.

use crate::{
    diagnosis::{
        fix,
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{
        Cause, Direction, FindingKind, Fix, Need, Prediction, Suspect,
        prediction::{Access, Expected},
    },
    network::{API_MANAGEMENT, INTERNET},
    plan::{PlannedEndpoint, Untested},
    rules::RuleFamily,
};

/// Inbound and peer rows that a security rule denies.
pub(super) const NSG_DENY: FindingRule = FindingRule {
    kind: FindingKind::NsgDeny,
    claims: EndpointMatcher::Groups(|view, _| {
        let lacks_nsg = view.predictions.is_some_and(|predictions| predictions.lacks_nsg);
        let is_denied = |prediction: &Prediction| {
            // If the NSGs let it in, the return path is wrong.
            prediction.verdict == Expected::Deny && (is_denied(prediction) || lacks_nsg)
        };
        FindingGroup::by(&view.rows, |row| {
            let denied = counts(row.endpoint) && row.prediction.is_some_and(is_denied);
            denied.then(|| format!("{}:{}", row.endpoint.dependency, row.endpoint.port))
        })
    }),
    describe: denied,
};

/// Management traffic whose replies leave on a different path than its requests arrive on.
pub(super) const ASYMMETRIC_ROUTE: FindingRule = FindingRule {
    kind: FindingKind::AsymmetricRoute,
    claims: EndpointMatcher::Groups(|view, _| {
        let lost = view
            .predictions
            .is_some_and(|predictions| predictions.lost_replies.is_some());
        let managed = |row: &&ProbedEndpoint<'_>| {
            lost && counts(row.endpoint) && row.endpoint.source_tag.as_deref() == Some(API_MANAGEMENT)
        };
        let row = view.rows.iter().find(managed);
        row.map(|row| FindingGroup::new(&row.endpoint.dependency, vec![*row]))
            .into_iter()
            .collect()
    }),
    describe: asymmetric,
};

fn is_denied(prediction: &Prediction) -> bool {
    prediction.nsg.as_ref().is_some_and(|rule| rule.access == Access::Deny)
}

/// Inbound rows of a feature are usually closed on purpose; those that the instance itself needs are not.
fn counts(endpoint: &PlannedEndpoint) -> bool {
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

fn denied<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let Some((row, prediction)) = group.rows.first().and_then(|row| Some((row, row.prediction?))) else {
        return Explanation::default();
    };
    let endpoint = row.endpoint;
    let port = format!("{} {}", endpoint.transport.as_str().to_uppercase(), endpoint.port);
    let source = endpoint.source_tag.as_deref().unwrap_or(INTERNET);
    let way = if endpoint.direction == Direction::Peer {
        "between its machines".into()
    } else {
        format!("inbound from {source}")
    };
    // A security admin rule could still allow it, and only an instance with a public address has clients outside.
    let only_external = source.eq_ignore_ascii_case(INTERNET) && view.place.vnet.is_none();
    let grounds = if only_external {
        Grounds::default().note(&prediction.words)
    } else {
        Grounds::default().pattern(&prediction.words)
    };
    Explanation {
        title: format!("{}: {port} {way} is denied", endpoint.title),
        grounds,
        suspects: vec![Suspect::Nsg],
        impact: None,
        fix: fix::let_in(&group.rows, view),
    }
}

fn asymmetric<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let lost = view
        .predictions
        .and_then(|predictions| predictions.lost_replies.as_ref());
    let Some((row, (route, words))) = group.rows.first().zip(lost) else {
        return Explanation::default();
    };
    let endpoint = row.endpoint;
    let through = route.next_hop.as_deref().unwrap_or(route.next_hop_type.as_str());
    Explanation {
        title: format!(
            "{}: requests come in directly, but replies leave through {through}",
            endpoint.title
        ),
        grounds: Grounds::default().proof(words),
        suspects: vec![Suspect::Udr],
        impact: None,
        fix: Fix::new(format!(
            "Add a route for the service tag {API_MANAGEMENT} with next hop Internet to the subnet's route table."
        ))
        .change(fix::lines(RuleFamily::Routes, &group.rows, view)),
    }
}
