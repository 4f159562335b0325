//! The exit statuses, and the one rule that picks them.

use std::fmt;

use crate::{
    catalog::model::{Expect, Need},
    diagnosis::cause::{Cause, Verdict},
    report::{Endpoint, Overall, Report, view},
    text::words,
};

/// A status and why, as the last line of the text report says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitStatus {
    /// What the process returns.
    pub code: u8,
    /// Why, in words, without a full stop.
    pub reason: String,
}

impl ExitStatus {
    /// Every selected required endpoint is reachable or degraded.
    pub const REACHABLE: u8 = 0;
    /// A required endpoint is blocked, or one that must be blocked is not.
    pub const BLOCKED: u8 = 1;
    /// Bad flags, a bad catalog or a bad input file; nothing was probed.
    pub const USAGE: u8 = 2;
    /// Nothing is blocked, but something required is not proved.
    pub const INCOMPLETE: u8 = 3;
    /// The agent itself failed.
    pub const FAILED: u8 = 4;
    /// Interrupted; the partial report was still written.
    pub const INTERRUPTED: u8 = 130;

    /// A status with its reason.
    pub fn new(code: u8, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}: {}", self.code, self.reason)
    }
}

/// What makes the status of a run 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// A blocked endpoint that is required.
    Required,
    /// A blocked endpoint that is required or belongs to a feature.
    Any,
    /// Nothing: 0 in place of 1 and 3.
    Never,
}

/// How the user wants a run to be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// `--fail-on`; unset it is `required`, or `any` where no selected endpoint is required.
    pub fail_on: Option<FailOn>,
    /// `--allow-untested`.
    pub allow_untested: bool,
}

/// Judges a run. `fault` is what the agent itself failed at ("cannot write report.json: …"), which beats all else.
pub fn judge(report: &Report, policy: Policy, fault: Option<&str>) -> ExitStatus {
    if let Some(fault) = fault {
        return ExitStatus::new(ExitStatus::FAILED, fault);
    }
    if !report.complete {
        let untried = report
            .endpoints
            .iter()
            .filter(|e| e.verdict == Verdict::NotTested)
            .count();
        let reason = format!(
            "interrupted, {untried} of {} endpoints not tested",
            report.endpoints.len()
        );
        return ExitStatus::new(ExitStatus::INTERRUPTED, reason);
    }
    if let Some(reason) = nothing_could_be_tried(&report.endpoints) {
        return ExitStatus::new(ExitStatus::FAILED, reason);
    }
    let status = Tally::of(&report.endpoints, policy).status();
    if policy.fail_on == Some(FailOn::Never) && status.code != ExitStatus::REACHABLE {
        let reason = format!("--fail-on never; else {}, {}", status.code, status.reason);
        return ExitStatus::new(ExitStatus::REACHABLE, reason);
    }
    status
}

/// A run in one word: what `--fail-on required` makes of it.
pub fn overall(endpoints: &[Endpoint]) -> Overall {
    let policy = Policy {
        fail_on: Some(FailOn::Required),
        allow_untested: false,
    };
    match Tally::of(endpoints, policy).status().code {
        ExitStatus::BLOCKED => Overall::Blocked,
        ExitStatus::INCOMPLETE => Overall::Incomplete,
        _ => Overall::Reachable,
    }
}

/// The endpoints that decide a status.
struct Tally<'a> {
    /// Blocked, and they must not be.
    blocked: Vec<&'a Endpoint>,
    /// They must be blocked, and nothing shows that they are.
    open: Vec<&'a Endpoint>,
    /// Neither proved nor blocked, and they count.
    unsettled: Vec<&'a Endpoint>,
    /// Neither proved nor blocked, and `--allow-untested` lets them pass.
    allowed: usize,
    /// What the good news is about: "required", or "optional" where nothing required was selected.
    scope: &'static str,
    /// How many endpoints the good news is about.
    deciding: usize,
}

impl<'a> Tally<'a> {
    /// `--fail-on never` tallies like the default: the caller says 0 in its place.
    fn of(endpoints: &'a [Endpoint], policy: Policy) -> Self {
        let selected = |e: &&Endpoint| e.cause != Some(Cause::Skipped);
        let any_required = endpoints.iter().filter(selected).any(|e| e.need == Need::Required);
        let fail_on = match policy.fail_on {
            Some(FailOn::Never) | None if any_required => FailOn::Required,
            Some(FailOn::Never) | None => FailOn::Any,
            Some(chosen) => chosen,
        };
        // Where nothing required was selected, the features are what the user asks about: not testing them is no pass.
        let features_stand_in = fail_on == FailOn::Any && !any_required;
        let mut tally = Self {
            blocked: Vec::new(),
            open: Vec::new(),
            unsettled: Vec::new(),
            allowed: 0,
            scope: if features_stand_in { "optional" } else { "required" },
            deciding: 0,
        };
        for endpoint in endpoints.iter().filter(|e| e.need != Need::Documented) {
            let required = endpoint.need == Need::Required;
            let forbidden = endpoint.expect == Expect::Blocked;
            tally.deciding += usize::from((required || features_stand_in) && !endpoint.is_set_aside());
            match endpoint.as_expected {
                Some(false) if forbidden => tally.open.push(endpoint),
                Some(false) if required || fail_on == FailOn::Any => tally.blocked.push(endpoint),
                Some(_) => {}
                None => {
                    let counts = required || features_stand_in || (forbidden && endpoint.verdict == Verdict::Unproven);
                    match is_unsettled(endpoint, policy.allow_untested) {
                        true if counts => tally.unsettled.push(endpoint),
                        false if counts && !endpoint.is_set_aside() => tally.allowed += 1,
                        _ => {}
                    }
                }
            }
        }
        tally
    }

    fn status(&self) -> ExitStatus {
        if !self.blocked.is_empty() || !self.open.is_empty() {
            return ExitStatus::new(ExitStatus::BLOCKED, self.why_blocked());
        }
        if !self.unsettled.is_empty() {
            return ExitStatus::new(ExitStatus::INCOMPLETE, why_incomplete(&self.unsettled));
        }
        ExitStatus::new(ExitStatus::REACHABLE, self.why_reachable())
    }

    fn why_reachable(&self) -> String {
        let scope = self.scope;
        match (self.deciding, self.allowed) {
            (0, _) => "nothing that decides was selected".into(),
            (_, 0) => format!("every {scope} endpoint is reachable or degraded"),
            (_, n) => format!("nothing {scope} is blocked, {} not proved", words::count(n, "endpoint")),
        }
    }

    fn why_blocked(&self) -> String {
        let mut reasons = Vec::new();
        let titles = words::distinct(self.blocked.iter().map(|e| e.title.as_str()));
        if !titles.is_empty() {
            let verb = if titles.len() == 1 { "is" } else { "are" };
            reasons.push(format!("{} {verb} blocked", words::list(&titles, NAMED)));
        }
        let (reached, unknown): (Vec<&Endpoint>, Vec<&Endpoint>) =
            self.open.iter().partition(|e| e.verdict.is_proved());
        if !reached.is_empty() {
            let verb = if reached.len() == 1 { "is" } else { "are" };
            reasons.push(format!("{} must be blocked and {verb} not", targets(&reached)));
        }
        if !unknown.is_empty() {
            reasons.push(format!(
                "{} must be blocked, but the name lookup failed",
                targets(&unknown)
            ));
        }
        reasons.join("; ")
    }
}

/// How many names a reason spells out: it stands in one line.
const NAMED: usize = 3;

fn targets(endpoints: &[&Endpoint]) -> String {
    let targets: Vec<&str> = endpoints.iter().map(|e| e.target()).collect();
    words::list(&targets, NAMED)
}

/// Whether an endpoint without a yes or no keeps the run from being complete.
fn is_unsettled(endpoint: &Endpoint, allow_untested: bool) -> bool {
    match endpoint.cause {
        Some(Cause::Deadline | Cause::LocalFault) if endpoint.verdict == Verdict::NotTested => true,
        _ => !endpoint.is_set_aside() && !allow_untested,
    }
}

fn why_incomplete(unsettled: &[&Endpoint]) -> String {
    let of_cause = |cause| -> Vec<&Endpoint> {
        unsettled
            .iter()
            .copied()
            .filter(|e| e.verdict == Verdict::NotTested && e.cause == Some(cause))
            .collect()
    };
    let mut reasons = Vec::new();
    let (late, faulty, nameless) = (
        of_cause(Cause::Deadline),
        of_cause(Cause::LocalFault),
        of_cause(Cause::NeedsValue),
    );
    if !late.is_empty() {
        reasons.push(format!(
            "{} past the deadline, raise --deadline",
            words::count(late.len(), "endpoint")
        ));
    }
    if !faulty.is_empty() {
        reasons.push(format!(
            "this machine could not try {}",
            words::count(faulty.len(), "endpoint")
        ));
    }
    if !nameless.is_empty() {
        reasons.push(view::what_to_pass(&nameless));
    }
    let unproven: Vec<&Endpoint> = unsettled
        .iter()
        .copied()
        .filter(|e| e.verdict == Verdict::Unproven)
        .collect();
    if !unproven.is_empty() {
        let titles = words::distinct(unproven.iter().map(|e| e.title.as_str()));
        let verb = if titles.len() == 1 { "is" } else { "are" };
        reasons.push(format!("{} {verb} not proved", words::list(&titles, NAMED)));
    }
    let rest = unsettled.len() - late.len() - faulty.len() - nameless.len() - unproven.len();
    if rest > 0 {
        reasons.push(format!("{} not tested", words::count(rest, "endpoint")));
    }
    reasons.join("; ")
}

/// Why the agent never got to try anything, where that is so.
fn nothing_could_be_tried(endpoints: &[Endpoint]) -> Option<String> {
    let is_fault = |e: &&Endpoint| e.verdict == Verdict::NotTested && e.cause == Some(Cause::LocalFault);
    let was_tried = |e: &Endpoint| e.verdict != Verdict::NotTested || e.cause == Some(Cause::Deadline);
    let first = endpoints.iter().find(is_fault)?;
    let detail = first.detail.trim_end_matches('.');
    (!endpoints.iter().any(was_tried)).then(|| format!("nothing could be tried: {detail}"))
}

#[cfg(test)]
mod tests;
