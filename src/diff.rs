//! What changed between two reports: a pure function of both.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    azure::Cloud,
    model::{Cause, EndpointReport, ExitStatus, Expect, Need, Report, Verdict, json},
    redact,
    text::words::{self, join},
};

pub mod read;
pub mod text;

/// The `schema` of a diff document.
pub const SCHEMA: &str = "apim-probe/diff/v1";

/// What changed between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The earlier report.
    pub before: DiffSide,
    /// The later report.
    pub after: DiffSide,
    /// How many endpoints got worse in a way that counts: the exit status depends on it.
    pub regressions: usize,
    /// How many endpoints got better in a way that counts: these are the regressions of the reverse comparison.
    pub fixes: usize,
    /// Every change, in the order of the later report; then what was removed, in the order of the earlier one.
    pub changes: Vec<EndpointDifference>,
}

/// One of the two reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Side")]
pub struct DiffSide {
    /// When its run began.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub started_at: Timestamp,
}

/// One change of one endpoint. An endpoint may have several: its verdict and the issuer of its certificate, say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct EndpointDifference {
    /// The endpoint's id.
    pub id: String,
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// The endpoint in the earlier report; null where it was added.
    pub before: Option<EndpointState>,
    /// The endpoint in the later report; null where it was removed.
    pub after: Option<EndpointState>,
    /// Whether it is worse, better, or neither.
    #[serde(skip)]
    pub weight: ChangeWeight,
    /// A description, if the states do not show the change.
    #[serde(skip)]
    pub detail: Option<String>,
}

/// The state of an endpoint in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "State")]
pub struct EndpointState {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its cause.
    pub cause: Option<Cause>,
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Kind")]
pub enum ChangeKind {
    /// It worked, and is now blocked.
    NewlyBlocked,
    /// It was blocked, and now works.
    Fixed,
    /// Its verdict changed in another way.
    VerdictChanged,
    /// The same verdict with another cause.
    CauseChanged,
    /// Its name resolves to other addresses.
    AddressesChanged,
    /// Its certificate comes from another issuer.
    IssuerChanged,
    /// Only the later report has it.
    Added,
    /// Only the earlier report has it.
    Removed,
}

/// Whether a change counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeWeight {
    /// Something that worked for the instance no longer works.
    Regression,
    /// Something that did not work for the instance now works.
    Fix,
    /// Neither.
    #[default]
    Neutral,
}

/// Reports of different clouds cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the first report is from the {before} cloud and the second from the {after} cloud")]
pub struct OtherCloud {
    /// The cloud of the earlier report.
    pub before: Cloud,
    /// The cloud of the later report.
    pub after: Cloud,
}

impl Diff {
    /// Compares two reports of one cloud. `Diff::between(b, a)` mirrors `Diff::between(a, b)`.
    pub fn between(before: &Report, after: &Report) -> Result<Self, OtherCloud> {
        if before.vantage.cloud != after.vantage.cloud {
            return Err(OtherCloud {
                before: before.vantage.cloud,
                after: after.vantage.cloud,
            });
        }
        let old: HashMap<&str, &EndpointReport> = before.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
        let kept: HashSet<&str> = after.endpoints.iter().map(|e| e.id.as_str()).collect();
        let has_stand_ins = before.redacted || after.redacted;
        let unmatched = unmatched(before, after);
        let is_matched = |endpoint: &&EndpointReport| !unmatched.contains(endpoint.id.as_str());
        let mut changes = Vec::new();
        for endpoint in after.endpoints.iter().filter(is_matched) {
            match old.get(endpoint.id.as_str()) {
                Some(earlier) => changes.extend(changes_of(earlier, endpoint, has_stand_ins)),
                None => changes.push(EndpointDifference::new(ChangeKind::Added, None, Some(endpoint))),
            }
        }
        let earlier = before.endpoints.iter().filter(is_matched);
        let removed = earlier.filter(|e| !kept.contains(e.id.as_str()));
        changes.extend(removed.map(|e| EndpointDifference::new(ChangeKind::Removed, Some(e), None)));
        let weighing = |weight| changes.iter().filter(|change| change.weight == weight).count();
        Ok(Self {
            schema: SCHEMA.to_owned(),
            before: DiffSide {
                started_at: before.started_at,
            },
            after: DiffSide {
                started_at: after.started_at,
            },
            regressions: weighing(ChangeWeight::Regression),
            fixes: weighing(ChangeWeight::Fix),
            changes,
        })
    }

    /// 0 without regressions, 1 with regressions.
    pub fn status(&self) -> ExitStatus {
        match self.regressions {
            0 => ExitStatus::new(0, "no regression"),
            n => ExitStatus::new(1, words::count(n, "regression")),
        }
    }

    /// The diff as one pretty-printed document with a line feed at its end.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }
}

impl EndpointDifference {
    fn new(kind: ChangeKind, before: Option<&EndpointReport>, after: Option<&EndpointReport>) -> Self {
        let id = after.or(before).map_or_else(String::new, |e| e.id.clone());
        let (before, after) = (before.map(EndpointState::of), after.map(EndpointState::of));
        Self {
            id,
            kind,
            before,
            after,
            weight: ChangeWeight::Neutral,
            detail: None,
        }
    }
}

impl EndpointState {
    /// The state of an endpoint.
    pub fn of(endpoint: &EndpointReport) -> Self {
        Self {
            verdict: endpoint.verdict,
            cause: endpoint.cause,
        }
    }
}

/// The ids that two reports cannot be compared by, because one of the reports has stand-ins: those of all of the user's
/// hosts, unless both reports have the same stand-ins, as those of one plan do.
pub(crate) fn unmatched<'r>(before: &'r Report, after: &'r Report) -> HashSet<&'r str> {
    if !before.redacted && !after.redacted {
        return HashSet::new();
    }
    let own = |report: &'r Report| -> HashSet<&'r str> {
        let is_public = redact::public(report);
        // An id that stands for many hosts, or for one that is not known, is the same in every report.
        let is_name = |endpoint: &&EndpointReport| !endpoint.host.contains(['{', '*']);
        let own = report.endpoints.iter().filter(is_name);
        own.filter(|endpoint| !is_public(endpoint))
            .map(|e| e.id.as_str())
            .collect()
    };
    let (old, new) = (own(before), own(after));
    if before.redacted && after.redacted && old == new {
        return HashSet::new();
    }
    old.union(&new).copied().collect()
}

/// What changed about an endpoint; addresses and issuers that may be stand-ins are not compared.
fn changes_of(before: &EndpointReport, after: &EndpointReport, has_stand_ins: bool) -> Vec<EndpointDifference> {
    let mut changes = Vec::new();
    let kind = match (before.verdict, after.verdict) {
        (old, new) if old == new => (before.cause != after.cause).then_some(ChangeKind::CauseChanged),
        (old, Verdict::Blocked) if old.is_proved() => Some(ChangeKind::NewlyBlocked),
        (Verdict::Blocked, new) if new.is_proved() => Some(ChangeKind::Fixed),
        _ => Some(ChangeKind::VerdictChanged),
    };
    if let Some(kind) = kind {
        changes.push(EndpointDifference {
            weight: weight(before, after),
            ..EndpointDifference::new(kind, Some(before), Some(after))
        });
    }
    let mut differs = |kind, detail: Option<String>| {
        if detail.is_some() {
            changes.push(EndpointDifference {
                detail,
                ..EndpointDifference::new(kind, Some(before), Some(after))
            });
        }
    };
    let addresses = other_addresses(before, after);
    differs(ChangeKind::AddressesChanged, addresses.filter(|_| !has_stand_ins));
    let hides_issuer = |of: &EndpointReport| has_stand_ins && of.stages.tls.as_ref().is_some_and(redact::hides_issuer);
    let is_hidden = hides_issuer(before) || hides_issuer(after);
    differs(
        ChangeKind::IssuerChanged,
        other_issuer(before, after).filter(|_| !is_hidden),
    );
    changes
}

/// Worse or better for the instance. The needs in the later report decide whether it got worse, those in the earlier
/// one whether it got better, so the reverse comparison gives the opposite.
fn weight(before: &EndpointReport, after: &EndpointReport) -> ChangeWeight {
    match (is_worse(before, after), is_worse(after, before)) {
        (true, false) => ChangeWeight::Regression,
        (false, true) => ChangeWeight::Fix,
        // Both: the expectation in the catalog has changed.
        _ => ChangeWeight::Neutral,
    }
}

fn is_worse(from: &EndpointReport, to: &EndpointReport) -> bool {
    if to.need == Need::Documented {
        return false;
    }
    if to.expect == Expect::Blocked {
        return from.verdict == Verdict::Blocked && to.verdict.is_proved();
    }
    let lost = from.verdict.is_proved();
    match to.verdict {
        Verdict::Blocked => lost,
        Verdict::Unproven | Verdict::NotTested => lost && to.need == Need::Required,
        Verdict::Reachable | Verdict::Degraded => false,
    }
}

/// Which addresses of a name were added and removed, if both lookups returned any.
fn other_addresses(before: &EndpointReport, after: &EndpointReport) -> Option<String> {
    let (old, new) = (addresses(before)?, addresses(after)?);
    let gone: Vec<&IpAddr> = old.iter().filter(|address| !new.contains(address)).collect();
    let come: Vec<&IpAddr> = new.iter().filter(|address| !old.contains(address)).collect();
    let part = |lead: &str, list: &[&IpAddr]| (!list.is_empty()).then(|| format!("{lead}{}", join(list, ", ")));
    let parts: Vec<String> = [part("removed ", &gone), part("added ", &come)]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn addresses(endpoint: &EndpointReport) -> Option<&[IpAddr]> {
    let addresses = &endpoint.stages.dns.as_ref()?.addresses;
    (!addresses.is_empty()).then_some(addresses)
}

fn other_issuer(before: &EndpointReport, after: &EndpointReport) -> Option<String> {
    let issuer = |e: &EndpointReport| e.stages.tls.as_ref().and_then(|tls| tls.issuer.clone());
    let (old, new) = (issuer(before)?, issuer(after)?);
    (old != new).then(|| format!("{old} -> {new}"))
}
