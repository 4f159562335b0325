//! What a rule of findings is made of.

use super::{
    grounds::Grounds,
    view::{ProbedEndpoint, RunView},
};
use crate::model::{FindingKind, Fix, Suspect};

/// One root cause that can be recognised: which endpoints it is about, and what is to be said of them.
#[derive(Debug, Clone, Copy)]
pub struct FindingRule {
    /// What it finds.
    pub kind: FindingKind,
    /// Which endpoints it is about.
    pub claims: EndpointMatcher,
    /// What is said of them, and on what grounds. Grounds that refute it leave the endpoints to later rules.
    pub describe: for<'a> fn(&RunView<'a>, &FindingGroup<'a>) -> Account,
}

/// How a rule chooses endpoints. What an earlier rule explains is never claimed again.
#[derive(Debug, Clone, Copy)]
pub enum EndpointMatcher {
    /// Each that is not as it should be, by the scope of the finding that it belongs to; `None` for those that it is not
    /// about.
    Each(for<'a> fn(&RunView<'a>, &ProbedEndpoint<'a>) -> Option<String>),
    /// Groups, where one endpoint alone does not show it: of those that are not as they should be and that nothing
    /// explains yet, and of any others of the run.
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

/// What is said of a group.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// The finding in one line.
    pub title: String,
    /// What it rests on: its evidence, and how sure it is.
    pub grounds: Grounds,
    /// Where to look, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// What the instance cannot do meanwhile; `None` for what its dependencies say of themselves.
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

    /// The rows that a scope can be found for, by that scope, in the order in which scopes first appear.
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
