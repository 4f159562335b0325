//! A finding while it is being made.

use std::cmp::Reverse;

use crate::{
    diagnosis::{
        findings::say,
        fix,
        view::{Row, RunView},
    },
    model::{Cause, Confidence, Finding, Fix, Need, Suspect},
};

/// How many sentences of evidence a finding carries; the rest stands with its endpoints.
const MOST_EVIDENCE: usize = 6;

/// What a finding does to its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// They fail.
    Failure,
    /// They work, with something wrong beside.
    Degradation,
}

/// A finding while it is being made.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// What it does to its endpoints.
    pub severity: Severity,
    /// The first half of the id: the cause, or a word where several causes have one root.
    pub what: What,
    /// The second half of the id.
    pub scope: String,
    /// The finding in one line.
    pub title: String,
    /// How sure the recogniser is.
    pub confidence: Confidence,
    /// What it explains.
    pub rows: Vec<Row<'a>>,
    /// What was seen, the telling sentences first.
    pub evidence: Vec<String>,
    /// What the instance cannot do meanwhile; `None` for what its dependencies say of themselves.
    pub impact: Option<String>,
    /// Where to look, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// What to change.
    pub fix: Fix,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// One cause.
    Cause(Cause),
    /// A root behind several causes, or none of the list.
    Word(&'static str),
}

impl What {
    /// The cause that all rows share which count, else the word. What is only documented does not count, unless there is
    /// nothing else.
    pub fn of(rows: &[Row<'_>], word: &'static str) -> Self {
        let counts = |row: &&Row<'_>| row.endpoint.need != Need::Documented;
        let any = rows.iter().any(|row| counts(&row));
        let mut causes = rows.iter().filter(|row| !any || counts(row)).map(Row::cause);
        match causes.next() {
            Some(Some(first)) if causes.all(|cause| cause == Some(first)) => Self::Cause(first),
            _ => Self::Word(word),
        }
    }
}

impl Draft<'_> {
    /// How sure the finding is: what rests on `documented` endpoints alone is a hint.
    pub fn confidence(&self) -> Confidence {
        let only_documented = self.rows.iter().all(|row| row.endpoint.need == Need::Documented);
        if only_documented && !self.rows.is_empty() {
            Confidence::Low
        } else {
            self.confidence
        }
    }

    /// Whether it is about the line itself, and no rule is to blame.
    pub fn is_about_the_line(&self) -> bool {
        matches!(self.what, What::Word("flows" | "loss") | What::Cause(Cause::PathMtu))
    }

    /// The most that it concerns.
    fn need(&self) -> Option<Need> {
        self.rows.iter().map(|row| row.endpoint.need).min()
    }

    /// Whether the instance cannot be activated while it lasts.
    fn stops_activation(&self) -> bool {
        self.severity == Severity::Failure && self.rows.iter().any(|row| row.endpoint.stops_activation)
    }

    /// What decides the order of findings, the weightiest first: hints last; before them what stops activation, other
    /// required ones, features. Of two alike the one that explains more comes first, then the catalog's order decides.
    pub fn weight(&self) -> impl Ord + use<> {
        (
            self.confidence() == Confidence::Low,
            !self.stops_activation(),
            self.need().unwrap_or(Need::Documented),
            Reverse(self.rows.len()),
            self.rows.iter().map(|row| row.index).min(),
        )
    }

    /// The finding as reports carry it.
    pub fn finish(self, view: &RunView<'_>) -> Finding {
        let (confidence, need, stops_activation) = (self.confidence(), self.need(), self.stops_activation());
        let (cause, word) = match self.what {
            What::Cause(cause) => (Some(cause), cause.as_str()),
            What::Word(word) => (None, word),
        };
        let fix = self.fix.verify(fix::check_from_instance(&self.rows, view));
        let mut evidence = self.evidence;
        evidence.truncate(MOST_EVIDENCE);
        let evidence = evidence.into_iter().map(say::capital).collect();
        Finding {
            id: format!("{word}/{}", self.scope),
            cause,
            title: self.title,
            confidence,
            need,
            stops_activation,
            endpoints: self.rows.iter().map(|row| row.endpoint.id.clone()).collect(),
            evidence,
            suspects: self.suspects,
            impact: self.impact.unwrap_or_else(|| say::impact(&self.rows)),
            fix,
        }
    }
}
