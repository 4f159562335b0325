//! Which endpoints decide the exit status of a run, for formats that mark them one by one.

use std::collections::{HashMap, HashSet};

use crate::model::{DecidingEndpoints, FailOn, Finding, Policy, Report};

/// The endpoints that decide, and the findings that explain endpoints, by the ids of endpoints.
pub(crate) struct Deciding<'a> {
    failing: HashSet<&'a str>,
    undecided: HashSet<&'a str>,
    findings: HashMap<&'a str, &'a Finding>,
}

impl<'a> Deciding<'a> {
    /// Sorts the endpoints of a report. With `--fail-on never` none decides.
    pub(crate) fn of(report: &'a Report, policy: Policy) -> Self {
        let decision = DecidingEndpoints::of(&report.endpoints, policy);
        let never = policy.fail_on == Some(FailOn::Never);
        let failing = [decision.blocked, decision.lost, decision.open].into_iter().flatten();
        let explained = report
            .findings
            .iter()
            .flat_map(|finding| finding.endpoints.iter().map(move |id| (id.as_str(), finding)));
        Self {
            failing: failing
                .filter(|_| !never)
                .map(|endpoint| endpoint.id.as_str())
                .collect(),
            undecided: decision
                .undecided
                .into_iter()
                .filter(|_| !never)
                .map(|endpoint| endpoint.id.as_str())
                .collect(),
            // If there are several findings about one endpoint, the most important comes first.
            findings: explained.rev().collect(),
        }
    }

    /// Whether the endpoint makes the exit status 1.
    pub(crate) fn fails(&self, id: &str) -> bool {
        self.failing.contains(id)
    }

    /// Whether the endpoint makes the exit status 3 if nothing makes it 1.
    pub(crate) fn is_undecided(&self, id: &str) -> bool {
        self.undecided.contains(id)
    }

    /// The finding that explains an endpoint.
    pub(crate) fn finding(&self, id: &str) -> Option<&'a Finding> {
        self.findings.get(id).copied()
    }
}
