//! The counts of a run, and the one rule for its overall result.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, EndpointReport, Expect, Need, Verdict};

/// The counts of a run. `reachable` to `not_tested` exclude endpoints whose need is `documented`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The overall result in one word, as with `--fail-on required`.
    pub verdict: Overall,
    /// Every planned endpoint.
    pub total: usize,
    /// Those that are not `documented`; `reachable` to `not_tested` add up to them.
    #[serde(default)]
    pub counted: usize,
    /// Endpoints that work on every address.
    pub reachable: usize,
    /// Endpoints that work with a defect.
    pub degraded: usize,
    /// Endpoints that are blocked, expected or not.
    pub blocked: usize,
    /// Endpoints where something answered that does not prove the service.
    pub unproven: usize,
    /// Endpoints that were not fully tested.
    pub not_tested: usize,
    /// `documented` endpoints that are not reachable.
    pub noted: usize,
    /// Required endpoints that are blocked although they should not be.
    pub required_blocked: usize,
    /// Endpoints that must be blocked and are not.
    pub unexpectedly_open: usize,
}

impl Summary {
    /// Counts the endpoints of a run.
    pub fn of(endpoints: &[EndpointReport]) -> Self {
        let deciding = || endpoints.iter().filter(|e| e.need != Need::Documented);
        let of_verdict = |verdict| deciding().filter(|e| e.verdict == verdict).count();
        Self {
            verdict: DecidingEndpoints::of(endpoints, AS_REQUIRED).overall(),
            total: endpoints.len(),
            counted: deciding().count(),
            reachable: of_verdict(Verdict::Reachable),
            degraded: of_verdict(Verdict::Degraded),
            blocked: of_verdict(Verdict::Blocked),
            unproven: of_verdict(Verdict::Unproven),
            not_tested: of_verdict(Verdict::NotTested),
            noted: endpoints
                .iter()
                .filter(|e| e.need == Need::Documented && e.verdict != Verdict::Reachable)
                .count(),
            required_blocked: deciding()
                .filter(|e| e.need == Need::Required && e.verdict == Verdict::Blocked && e.as_expected == Some(false))
                .count(),
            unexpectedly_open: deciding()
                .filter(|e| e.expect == Expect::Blocked && e.verdict.is_proved())
                .count(),
        }
    }
}

/// The overall result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Every selected required endpoint is reachable or degraded.
    Reachable,
    /// A required endpoint is blocked, or fewer than three quarters of its connections pass, or one that must be blocked is
    /// not.
    Blocked,
    /// Nothing is blocked, but something required is not verified.
    Incomplete,
}

/// What makes the status of a run 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// A blocked endpoint that is required.
    Required,
    /// A blocked endpoint that is required or belongs to a feature.
    Any,
    /// Nothing: exit 0 instead of 1 or 3.
    Never,
}

/// How the user wants the overall result to be determined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// `--fail-on`; the default is `required`, or `any` if no selected endpoint is required.
    pub fail_on: Option<FailOn>,
    /// `--allow-untested`.
    pub allow_untested: bool,
}

/// The rule for a report's summary.
const AS_REQUIRED: Policy = Policy {
    fail_on: Some(FailOn::Required),
    allow_untested: false,
};

/// The endpoints that decide the overall result.
#[derive(Debug, Clone)]
pub struct DecidingEndpoints<'a> {
    /// Blocked, and they must not be.
    pub blocked: Vec<&'a EndpointReport>,
    /// Degraded, with most of their connections failing.
    pub lost: Vec<&'a EndpointReport>,
    /// They must be blocked, and the run does not show that they are.
    pub open: Vec<&'a EndpointReport>,
    /// Neither verified nor blocked, and they count.
    pub undecided: Vec<&'a EndpointReport>,
    /// Neither verified nor blocked, and `--allow-untested` ignores them.
    pub allowed: usize,
    /// Which endpoints a good result covers: "required", or "optional" if nothing required was selected.
    pub scope: &'static str,
    /// How many endpoints a good result covers.
    pub deciding: usize,
}

impl<'a> DecidingEndpoints<'a> {
    /// Sorts the endpoints. `--fail-on never` sorts like the default: the caller returns 0 instead.
    pub fn of(endpoints: &'a [EndpointReport], policy: Policy) -> Self {
        let selected = |e: &&EndpointReport| e.cause != Some(Cause::Skipped);
        let any_required = endpoints.iter().filter(selected).any(|e| e.need == Need::Required);
        let fail_on = match policy.fail_on {
            Some(FailOn::Never) | None if any_required => FailOn::Required,
            Some(FailOn::Never) | None => FailOn::Any,
            Some(chosen) => chosen,
        };
        // If nothing required was selected, the user asks about the features: not testing them is not a pass.
        let features_stand_in = fail_on == FailOn::Any && !any_required;
        let mut decision = Self {
            blocked: Vec::new(),
            lost: Vec::new(),
            open: Vec::new(),
            undecided: Vec::new(),
            allowed: 0,
            scope: if features_stand_in { "optional" } else { "required" },
            deciding: 0,
        };
        for endpoint in endpoints.iter().filter(|e| e.need != Need::Documented) {
            let required = endpoint.need == Need::Required;
            let forbidden = endpoint.expect == Expect::Blocked;
            decision.deciding += usize::from((required || features_stand_in) && !endpoint.is_set_aside());
            match endpoint.as_expected {
                Some(false) if forbidden => decision.open.push(endpoint),
                Some(false) if required || fail_on == FailOn::Any => decision.blocked.push(endpoint),
                Some(_) if !forbidden && endpoint.is_mostly_lost() && (required || fail_on == FailOn::Any) => {
                    decision.lost.push(endpoint);
                }
                Some(_) => {}
                None => {
                    let counts = required || features_stand_in || (forbidden && endpoint.verdict == Verdict::Unproven);
                    match is_undecided(endpoint, policy.allow_untested) {
                        true if counts => decision.undecided.push(endpoint),
                        false if counts && !endpoint.is_set_aside() => decision.allowed += 1,
                        _ => {}
                    }
                }
            }
        }
        decision
    }

    /// The run in one word.
    pub fn overall(&self) -> Overall {
        if !self.blocked.is_empty() || !self.lost.is_empty() || !self.open.is_empty() {
            Overall::Blocked
        } else if !self.undecided.is_empty() {
            Overall::Incomplete
        } else {
            Overall::Reachable
        }
    }
}

/// Whether an endpoint without a clear result makes the run incomplete.
fn is_undecided(endpoint: &EndpointReport, allow_untested: bool) -> bool {
    match endpoint.cause {
        Some(Cause::Deadline | Cause::LocalFault) if endpoint.verdict == Verdict::NotTested => true,
        _ => !endpoint.is_set_aside() && !allow_untested,
    }
}
