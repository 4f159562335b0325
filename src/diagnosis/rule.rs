//! The parts of a rule for findings.

use super::{
    grounds::Grounds,
    view::{ProbedEndpoint, RunView},
};
use crate::model::{FindingKind, Fix, Suspect};

/// One root cause that can be recognised: which endpoints it is about, and what is reported about them.
#[derive(Debug, Clone, Copy)]
pub struct FindingRule {
    /// The kind of finding.
    pub kind: FindingKind,
    /// Which endpoints it is about.
    pub claims: EndpointMatcher,
    /// The account of them, with its grounds. If the grounds refute it, the endpoints are left to later rules.
    pub describe: for<'a> fn(&RunView<'a>, &FindingGroup<'a>) -> Explanation,
}

/// How a rule selects endpoints. It never gets what an earlier rule explains.
#[derive(Debug, Clone, Copy)]
pub enum EndpointMatcher {
    /// Called for each endpoint that is not as expected; returns the scope of its finding, or `None` if the rule is not
    /// about it.
    Each(for<'a> fn(&RunView<'a>, &ProbedEndpoint<'a>) -> Option<String>),
    /// Returns groups, if one endpoint alone does not show the cause: of those that are not as expected and
    /// unexplained, and of any others in the run.
    Groups(for<'a> fn(&RunView<'a>, &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>>),
}

/// The endpoints of one finding.
#[derive(Debug, Clone)]
pub struct FindingGroup<'a> {
    /// The second half of the finding's id.
    pub scope: String,
    /// In the order of the plan.
    pub rows: Vec<ProbedEndpoint<'a>>,
}

/// What is reported about a group.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// The finding's title.
    pub title: String,
    /// Its grounds: the evidence and its weight.
    pub grounds: Grounds,
    /// Where to look, the most likely first.
    pub suspects: Vec<Suspect>,
    /// What the instance cannot do meanwhile; `None` to use what its dependencies say.
    pub impact: Option<String>,
    /// What to change.
    pub fix: Fix,
}

impl<'a> FindingGroup<'a> {
    /// A group of these rows.
    pub fn new(scope: impl Into<String>, rows: Vec<ProbedEndpoint<'a>>) -> Self {
        Self {
            scope: scope.into(),
            rows,
        }
    }

    /// The rows that have a scope, grouped by it, in the order in which scopes first appear.
    pub fn by(rows: &[ProbedEndpoint<'a>], scope: impl Fn(&ProbedEndpoint<'a>) -> Option<String>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for row in rows {
            let Some(scope) = scope(row) else { continue };
            match groups.iter_mut().find(|group| group.scope == scope) {
                Some(group) => group.rows.push(*row),
                None => groups.push(Self::new(scope, vec![*row])),
            }
        }
        groups
    }

    /// A group of these rows, unless there are none.
    pub fn unless_empty(scope: impl Into<String>, rows: Vec<ProbedEndpoint<'a>>) -> Vec<Self> {
        if rows.is_empty() {
            Vec::new()
        } else {
            vec![Self::new(scope, rows)]
        }
    }
}

impl EndpointMatcher {
    /// The groups among `unexplained`.
    pub fn groups<'a>(&self, view: &RunView<'a>, unexplained: &[ProbedEndpoint<'a>]) -> Vec<FindingGroup<'a>> {
        match self {
            Self::Each(scope) => FindingGroup::by(unexplained, |row| scope(view, row)),
            Self::Groups(groups) => groups(view, unexplained),
        }
    }
}
