//! The same endpoints seen from several places: a pure function of their reports.
//!
//! ```text
//! Reports ─ places ─▶ rows (endpoint × place) ─ conclusions ─▶ Comparison ─▶ text | JSON | Markdown | HTML
//! ```
//! Nothing is concluded from endpoints that a place did not test, or about places without a report.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use crate::{
    azure::Cloud,
    diff::EndpointState,
    model::{EndpointReport, ExitStatus, Expect, Need, Report, Standing, Suspect, Verdict, json},
    redact,
    text::words,
};

mod conclusion;
mod display;
pub mod html;
pub mod markdown;
mod notices;
pub mod text;

/// The `schema` of a comparison.
pub const SCHEMA: &str = "apim-probe/compare/v1";

/// The same endpoints, seen from several places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The places, in the order in which they were given.
    pub vantages: Vec<Place>,
    /// What makes the reports hard to compare, one sentence each: different catalogs, scopes, times.
    pub notices: Vec<String>,
    /// Every endpoint of any of the reports, dependency by dependency.
    pub endpoints: Vec<ComparedEndpoint>,
    /// The conclusions, those about required endpoints first.
    pub conclusions: Vec<Conclusion>,
}

/// Where a report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The user's name for it, or the name of its file.
    pub name: String,
    /// When its run began.
    #[serde(serialize_with = "json::to_the_millisecond")]
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The cloud whose hosts were probed.
    pub cloud: Cloud,
    /// The region.
    pub region: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
}

/// One endpoint, from every place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct ComparedEndpoint {
    /// The endpoint's id.
    pub id: String,
    /// The highest need in any of the reports.
    pub need: Need,
    /// The result at each place, in the order of `vantages`; null if its report has no such endpoint.
    pub seen: Vec<Option<EndpointState>>,
    /// The id and the title of its dependency.
    #[serde(skip)]
    pub(crate) dependency: (String, String),
    /// The expected result.
    #[serde(skip)]
    pub(crate) expect: Expect,
}

/// A conclusion from some differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conclusion {
    /// The pattern.
    pub kind: DifferenceKind,
    /// The places that it is about: where it is blocked; for `all-but-here`, the one where it works.
    pub vantages: Vec<String>,
    /// The ids of the endpoints.
    pub endpoints: Vec<String>,
    /// Where to look, the most likely first.
    pub suspects: Vec<Suspect>,
    /// What was seen from where, and where that points.
    pub text: String,
    /// The highest need among its endpoints.
    #[serde(skip)]
    pub(crate) need: Need,
}

/// How the places differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Kind")]
pub enum DifferenceKind {
    /// Blocked at one place, and works at all others that tested it.
    OnlyHere,
    /// Blocked wherever it was tested, at two or more places.
    Everywhere,
    /// Blocked at several places, and it works at one.
    AllButHere,
    /// Neither of these.
    Differs,
}

impl DifferenceKind {
    /// Every pattern, in the order of its words in documents.
    pub const ALL: [Self; 4] = [Self::OnlyHere, Self::Everywhere, Self::AllButHere, Self::Differs];

    /// The pattern for a word in documents.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OnlyHere => "Blocked at one place; works at every other place that tested it.",
            Self::Everywhere => "Blocked at every place that tested it (at least two).",
            Self::AllButHere => "Blocked at several places; works at one.",
            Self::Differs => "The places differ in another way.",
        }
    }

    /// What it shows, one sentence each.
    pub fn shows(self) -> &'static [&'static str] {
        match self {
            Self::OnlyHere => &[
                "The service answers, so it is not down.",
                "The cause is something specific to this place: the subnet's NSG and route table, the VM's own NSG and \
                 firewall, or a firewall rule for this subnet's addresses.",
                "If a VM in the same subnet gets through, the subnet's rules are not the cause either.",
                "If the places tried different addresses, compare how the name resolves first: one of them may use a private \
                 endpoint.",
            ],
            Self::Everywhere => &[
                "The cause is something that all places share: the firewall or appliance that they all go through, their name \
                 server, or the service itself.",
                "If a machine outside Azure fails as well, look at the service first: that machine does not use the network's \
                 firewall.",
                "If all places are VMs in one subnet, the subnet's own rules are shared too.",
            ],
            Self::AllButHere => &[
                "The service answers, so it is not down.",
                "The cause is something that the blocked places share and the working one does not go through: \
                 usually the firewall, or the route that leads to it.",
            ],
            Self::Differs => &[
                "Places fail in different ways, some are inconclusive, or one is only degraded.",
                "Check what differs between the places. A nearer fault may hide a shared one: fix that first, then \
                 compare again.",
            ],
        }
    }

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyHere => "only-here",
            Self::Everywhere => "everywhere",
            Self::AllButHere => "all-but-here",
            Self::Differs => "differs",
        }
    }
}

/// A report, with the name of its place.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedReport {
    /// The name.
    pub name: String,
    /// The report.
    pub report: Report,
}

/// Why reports cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Incomparable {
    /// One report, or none.
    #[error("compare needs at least two reports: [NAME=]REPORT …")]
    TooFew,
    /// Two places with one name.
    #[error("two reports are named {0}: give each its own name, as in spoke-a=report.json")]
    SameName(String),
    /// The same report twice.
    #[error("{0} and {1} are the same report: pass one per place")]
    SameReport(String, String),
    /// Reports from several clouds.
    #[error(
        "{0} is from the {1} cloud and {2} from the {3} cloud: only reports from the same cloud have endpoints in common"
    )]
    OtherCloud(String, Cloud, String, Cloud),
    /// Machines without a network see nothing.
    #[error(
        "{0} was made on a machine without a route to anything, so it shows nothing about its place; that leaves \
         fewer than two places to compare"
    )]
    NoNetwork(String),
    /// No endpoint was tested from two places.
    #[error("no endpoint was tested from two of these places: {0}")]
    NothingShared(String),
}

impl Comparison {
    /// Compares reports of one cloud.
    ///
    /// # Errors
    /// What makes them incomparable, as a sentence.
    pub fn of(reports: &[NamedReport]) -> Result<Self, Incomparable> {
        refuse(reports)?;
        let rows = rows(reports);
        let notices = notices::notices(reports, &rows);
        let shared = rows.iter().filter(|row| row.measured().count() > 1).count();
        if shared == 0 {
            let why = notices.first().cloned();
            return Err(Incomparable::NothingShared(
                why.unwrap_or_else(|| "their plans have no endpoint in common".into()),
            ));
        }
        Ok(Self {
            schema: SCHEMA.to_owned(),
            vantages: reports.iter().map(Place::of).collect(),
            notices,
            conclusions: conclusion::conclusions(reports, &rows),
            endpoints: rows,
        })
    }

    /// 0 if all agree and nothing required is blocked, else 1. Endpoints that are only documented do not count.
    pub fn status(&self) -> ExitStatus {
        let counted = || self.endpoints.iter().filter(|row| row.need != Need::Documented);
        let differing = counted().filter(|row| !row.agrees()).count();
        let required = counted()
            .filter(|row| row.need == Need::Required && row.differs_from_expected())
            .count();
        let mut reasons = Vec::new();
        if required > 0 {
            let verb = if required == 1 { "is" } else { "are" };
            reasons.push(format!(
                "{} {verb} blocked somewhere",
                words::count(required, "required endpoint")
            ));
        }
        if differing > 0 {
            let verb = if differing == 1 { "differs" } else { "differ" };
            reasons.push(format!("{} {verb} between places", words::count(differing, "endpoint")));
        }
        if reasons.is_empty() {
            return ExitStatus::new(0, "all places agree, and nothing required is blocked");
        }
        ExitStatus::new(1, reasons.join("; "))
    }

    /// The comparison as one pretty-printed document with a line feed at its end.
    pub fn to_json(&self) -> String {
        json::pretty(self)
    }
}

impl Place {
    fn of(named: &NamedReport) -> Self {
        let vantage = &named.report.vantage;
        Self {
            name: named.name.clone(),
            started_at: named.report.started_at,
            cloud: vantage.cloud,
            region: vantage.region.clone(),
            host: vantage.host.clone(),
        }
    }
}

impl ComparedEndpoint {
    /// The results, with the index of the place.
    pub(crate) fn measured(&self) -> impl Iterator<Item = (usize, EndpointState)> {
        let seen = self.seen.iter().enumerate();
        seen.filter_map(|(place, state)| Some((place, (*state)?)))
            .filter(|(_, state)| state.verdict != Verdict::NotTested)
    }

    /// Whether all places that tested it agree.
    pub(crate) fn agrees(&self) -> bool {
        let verdicts: HashSet<Verdict> = self.measured().map(|(_, state)| state.verdict).collect();
        verdicts.len() < 2
    }

    /// Whether a place has a result that must not be.
    pub(crate) fn differs_from_expected(&self) -> bool {
        self.measured().any(|(_, state)| match self.expect {
            Expect::Reachable => state.verdict == Verdict::Blocked,
            Expect::Blocked => state.verdict.is_proved(),
        })
    }
}

/// Whether a place shows nothing: its machine had no network.
fn sees_nothing(named: &NamedReport) -> bool {
    named.report.vantage.standing == Some(Standing::NoNetwork)
}

/// Why reports cannot be compared as places.
fn refuse(reports: &[NamedReport]) -> Result<(), Incomparable> {
    let [first, rest @ ..] = reports else {
        return Err(Incomparable::TooFew);
    };
    if rest.is_empty() {
        return Err(Incomparable::TooFew);
    }
    for (at, named) in reports.iter().enumerate() {
        for other in &reports[..at] {
            if other.report == named.report {
                return Err(Incomparable::SameReport(other.name.clone(), named.name.clone()));
            }
            if other.name == named.name {
                return Err(Incomparable::SameName(named.name.clone()));
            }
        }
        if named.report.vantage.cloud != first.report.vantage.cloud {
            return Err(Incomparable::OtherCloud(
                first.name.clone(),
                first.report.vantage.cloud,
                named.name.clone(),
                named.report.vantage.cloud,
            ));
        }
    }
    let blind: Vec<&str> = reports
        .iter()
        .filter(|named| sees_nothing(named))
        .map(|named| named.name.as_str())
        .collect();
    if reports.len() - blind.len() < 2 {
        return Err(Incomparable::NoNetwork(words::list(&blind, 3)));
    }
    Ok(())
}

/// Every endpoint of any report, dependency by dependency in the order in which they first appear.
fn rows(reports: &[NamedReport]) -> Vec<ComparedEndpoint> {
    let mut rows: Vec<ComparedEndpoint> = Vec::new();
    let mut position: HashMap<&str, usize> = HashMap::new();
    let mut dependencies: HashMap<&str, usize> = HashMap::new();
    for (place, named) in reports.iter().enumerate() {
        let is_known = redact::known(&named.report);
        for endpoint in &named.report.endpoints {
            let next = dependencies.len();
            dependencies.entry(&endpoint.dependency).or_insert(next);
            // Two hosts may have one stand-in: such a row is of one place alone.
            let at = if is_known(endpoint) {
                *position.entry(&endpoint.id).or_insert(rows.len())
            } else {
                rows.len()
            };
            if at == rows.len() {
                rows.push(ComparedEndpoint::new(endpoint, reports.len()));
            }
            rows[at].add(place, endpoint, sees_nothing(named));
        }
    }
    rows.sort_by_key(|row| dependencies.get(row.dependency.0.as_str()).copied());
    rows
}

impl ComparedEndpoint {
    fn new(endpoint: &EndpointReport, places: usize) -> Self {
        Self {
            id: endpoint.id.clone(),
            need: endpoint.need,
            seen: vec![None; places],
            dependency: (endpoint.dependency.clone(), endpoint.title.clone()),
            expect: endpoint.expect,
        }
    }

    /// Adds a place's result; a place without a network has none.
    fn add(&mut self, place: usize, endpoint: &EndpointReport, is_blind: bool) {
        self.need = self.need.min(endpoint.need);
        if self.seen[place].is_none() && !is_blind {
            self.seen[place] = Some(EndpointState::of(endpoint));
        }
    }
}
