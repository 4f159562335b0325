//! What the findings about this machine itself have in common. None of them shows anything about the instance.

use super::phrases;
use crate::{
    diagnosis::{
        grounds::Grounds,
        socket,
        view::{ProbedEndpoint, RunView},
    },
    model::Cause,
    probe::own_network::OutageCoverage,
};

/// The usual scope.
pub(super) const THIS_VM: &str = "this-vm";

/// Whether this machine could not test it.
pub(super) fn was_not_tried(row: &ProbedEndpoint<'_>) -> bool {
    row.judgement.cause == Some(Cause::LocalFault)
}

/// Whether its name was queried at a stub resolver of this VM without success.
pub(super) fn is_stubbed(row: &ProbedEndpoint<'_>) -> bool {
    matches!(row.judgement.name, Some(Err(_))) && row.deciding_server().is_some_and(|server| server.ip().is_loopback())
}

/// Whether it could not be tested because there is no route, to it or to the name servers.
pub(super) fn lacks_route(row: &ProbedEndpoint<'_>) -> bool {
    was_not_tried(row) && row.failures().any(|(failure, _)| socket::is_without_route(failure))
}

/// Whether it could not be tested because of an outage of this machine's own network.
pub(super) fn is_in_outage(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> bool {
    was_not_tried(row) && matches!(view.outage(row), Some((_, OutageCoverage::Whole)))
}

/// What else works, and what this does not mean.
pub(super) fn with_other_evidence(view: &RunView<'_>, grounds: Grounds) -> Grounds {
    let others = view.proved().count();
    let grounds = if others > 0 {
        grounds.note(format!("{} from here", phrases::others_prove(others)))
    } else {
        grounds
    };
    grounds.note("the instance runs on other machines, so this does not apply to it")
}
