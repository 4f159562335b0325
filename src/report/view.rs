//! The report as a reader sees it: endpoints grouped by dependency and need, each group with one status.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    iter,
};

use crate::{
    catalog,
    model::{Cause, Confidence, EndpointReport, Expect, Finding, Fix, Need, Report, Suspect, Verdict},
    text::{Shell, escape, words::distinct, wrap_command},
};

/// The endpoints of one dependency that have the same need.
pub struct DependencyGroup<'a> {
    /// The dependency's id.
    pub dependency: &'a str,
    /// The dependency's title.
    pub title: &'a str,
    /// In report order; never empty.
    pub endpoints: Vec<&'a EndpointReport>,
}

/// The status of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStatus {
    /// An endpoint is blocked that should work.
    Blocked,
    /// An endpoint that must be blocked is not, or cannot be shown to be.
    Open,
    /// Something answered without proving the service.
    Unproven,
    /// Some endpoints are as expected, others were not tested.
    Incomplete,
    /// No endpoint was tested.
    NotTested,
    /// It works, but with a defect.
    Degraded,
    /// Everything is as expected.
    Ok,
}

impl GroupStatus {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Open => "open",
            Self::Unproven => "unproven",
            Self::Incomplete => "incomplete",
            Self::NotTested => "not tested",
            Self::Degraded => "degraded",
            Self::Ok => "ok",
        }
    }
}

/// The commands of a fix, in the order of use: what reads, what changes, what tests. Each group has a label and is not
/// empty.
pub fn commands(fix: &Fix) -> impl Iterator<Item = (&'static str, Vec<FixCommand<'_>>)> {
    fn alone(commands: &[String]) -> Vec<FixCommand<'_>> {
        let alone = commands.iter().map(|line| FixCommand { line, undo: None });
        alone.collect()
    }
    let changes = fix.changes().map(|(line, undo)| FixCommand { line, undo });
    let groups = [
        ("Look first", alone(&fix.look)),
        ("Change", changes.collect()),
        ("Verify", alone(&fix.verify)),
    ];
    groups.into_iter().filter(|(_, commands)| !commands.is_empty())
}

/// A command of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixCommand<'a> {
    /// The command, on one line.
    pub line: &'a str,
    /// The command that undoes it.
    pub undo: Option<&'a str>,
}

impl FixCommand<'_> {
    /// The lines for a shell; the command that undoes the change follows as a comment.
    pub fn lines(self) -> impl Iterator<Item = String> {
        let undo = self.undo.map(|undo| format!("# undo: {undo}"));
        [self.line.to_owned()].into_iter().chain(undo)
    }

    /// The same in lines of at most `width` columns, which can be pasted.
    pub fn wrapped(self, width: usize) -> impl Iterator<Item = String> {
        const COMMENT: &str = "# ";
        const UNDO: &str = "undo: ";
        const INDENT: usize = 4;
        let line = wrap_command(&escape(self.line), 0, INDENT, width, Shell::Bash);
        // A backslash does not continue a comment, so each line of it is one.
        let undo = self.undo.map(|undo| {
            let undo = wrap_command(&escape(undo), UNDO.len(), INDENT, width - COMMENT.len(), Shell::Bash);
            let labels = iter::once(UNDO).chain(iter::repeat(""));
            let lines = undo.into_iter().zip(labels);
            lines.map(|(line, label)| format!("{COMMENT}{label}{line}"))
        });
        line.into_iter().chain(undo.into_iter().flatten())
    }
}

/// Where to look for the cause of a finding, the most likely first.
pub fn places(finding: &Finding) -> Vec<Cow<'static, str>> {
    let comes_in = |id: &String| id.contains("/*:");
    let is_inbound = !finding.endpoints.is_empty() && finding.endpoints.iter().all(comes_in);
    let hop = finding.path.as_ref().and_then(|path| path.hops.last());
    let known = hop.and_then(|hop| Some((hop.hop, hop.address.as_deref()?)));
    let place = |suspect: &Suspect| match (suspect, known) {
        (Suspect::Nsg, _) if is_inbound || finding.id.ends_with("/inbound") => "NSG inbound rules".into(),
        (Suspect::Nva, Some((hop, address))) => format!("the appliance at hop {hop} ({address})").into(),
        (suspect, _) => suspect.label().into(),
    };
    finding.suspects.iter().map(place).collect()
}

/// The effect of a finding on the instance: `required` and `stops activation`, `optional`; a hint is marked as such.
pub fn weight(finding: &Finding) -> impl Iterator<Item = &'static str> {
    let need = finding.need.map(Need::label);
    let stops = finding.stops_activation.then_some("stops activation");
    let hint = (finding.confidence == Confidence::Low).then_some("hint");
    [need, stops, hint].into_iter().flatten()
}

/// The evidence of an endpoint beyond its detail, which every row shows already.
pub fn further_evidence(endpoint: &EndpointReport) -> impl Iterator<Item = &str> {
    let evidence = endpoint.evidence.iter().map(String::as_str);
    evidence.filter(|sentence| *sentence != endpoint.detail)
}

/// The meaning of the placeholders that remain in the commands of a fix: `NSG: the NSG of the instance's subnet`.
pub fn open_words(fix: &Fix) -> impl Iterator<Item = String> {
    fix.placeholders
        .iter()
        .map(|placeholder| format!("{}: {}", placeholder.name, placeholder.meaning))
}

/// The dependencies with one need, in report order. Endpoints that do not count are omitted, and so is a dependency
/// that has no others.
pub fn groups(report: &Report, need: Need) -> Vec<DependencyGroup<'_>> {
    let mut groups: Vec<DependencyGroup> = Vec::new();
    let mut position: HashMap<&str, usize> = HashMap::new();
    for endpoint in report.endpoints.iter().filter(|e| e.need == need && !e.is_set_aside()) {
        let at = *position.entry(&endpoint.dependency).or_insert_with(|| {
            groups.push(DependencyGroup {
                dependency: &endpoint.dependency,
                title: &endpoint.title,
                endpoints: Vec::new(),
            });
            groups.len() - 1
        });
        groups[at].endpoints.push(endpoint);
    }
    for group in &mut groups {
        group.title = title(&group.endpoints);
    }
    groups
}

/// What the endpoints of one dependency are called together.
pub fn title<'a>(endpoints: &[&'a EndpointReport]) -> &'a str {
    let [first, others @ ..] = endpoints else { return "" };
    let is_one = others.iter().all(|other| other.title == first.title);
    let of_documents = catalog::title_of_documents(&first.dependency).filter(|_| !is_one);
    of_documents.unwrap_or(&first.title)
}

impl<'a> DependencyGroup<'a> {
    /// The status of the group: the worst among its endpoints.
    pub fn status(&self) -> GroupStatus {
        let has = |wanted: GroupStatus| self.endpoints.iter().any(|e| status(e) == wanted);
        let worst = [GroupStatus::Blocked, GroupStatus::Open, GroupStatus::Unproven]
            .into_iter()
            .find(|s| has(*s));
        match worst {
            Some(worst) => worst,
            None if !has(GroupStatus::NotTested) => {
                if has(GroupStatus::Degraded) {
                    GroupStatus::Degraded
                } else {
                    GroupStatus::Ok
                }
            }
            None if self.working() > 0 => GroupStatus::Incomplete,
            None => GroupStatus::NotTested,
        }
    }

    /// How many endpoints are as expected.
    pub fn working(&self) -> usize {
        self.endpoints.iter().filter(|e| e.as_expected == Some(true)).count()
    }

    /// The endpoints that are shown.
    pub fn failing(&self) -> impl Iterator<Item = &'a EndpointReport> {
        self.endpoints.iter().copied().filter(|e| status(e) != GroupStatus::Ok)
    }

    /// Whether every endpoint here must be blocked.
    pub fn is_negative(&self) -> bool {
        self.endpoints.iter().all(|e| e.expect == Expect::Blocked)
    }
}

/// The status of one endpoint.
pub fn status(endpoint: &EndpointReport) -> GroupStatus {
    match (endpoint.verdict, endpoint.as_expected) {
        (_, Some(false)) if endpoint.expect == Expect::Blocked => GroupStatus::Open,
        (Verdict::Blocked, Some(true)) | (Verdict::Reachable, _) => GroupStatus::Ok,
        (Verdict::Blocked, _) => GroupStatus::Blocked,
        (Verdict::Degraded, _) => GroupStatus::Degraded,
        (Verdict::Unproven, _) => GroupStatus::Unproven,
        (Verdict::NotTested, _) => GroupStatus::NotTested,
    }
}

/// Findings that count, and those that only concern `documented` endpoints. Both keep their order.
pub fn split_findings(report: &Report) -> (Vec<&Finding>, Vec<&Finding>) {
    let documented: HashSet<&str> = report
        .endpoints
        .iter()
        .filter(|e| e.need == Need::Documented)
        .map(|e| e.id.as_str())
        .collect();
    let counts =
        |f: &&Finding| f.endpoints.is_empty() || f.endpoints.iter().any(|id| !documented.contains(id.as_str()));
    report.findings.iter().partition(counts)
}

/// Which finding explains an endpoint: ids to the numbers shown to the reader, from 1.
pub fn finding_numbers<'a>(findings: &[&'a Finding]) -> HashMap<&'a str, usize> {
    let numbered = findings.iter().zip(1..);
    numbered
        .flat_map(|(finding, number)| finding.endpoints.iter().map(move |id| (id.as_str(), number)))
        .collect()
}

/// Endpoints by a key, in the order in which keys first appear.
pub fn group_by<'a, K: PartialEq>(
    endpoints: impl IntoIterator<Item = &'a EndpointReport>,
    key: impl Fn(&EndpointReport) -> K,
) -> Vec<(K, Vec<&'a EndpointReport>)> {
    let mut grouped: Vec<(K, Vec<&EndpointReport>)> = Vec::new();
    for endpoint in endpoints {
        let key = key(endpoint);
        match grouped.iter_mut().find(|(known, _)| *known == key) {
            Some((_, members)) => members.push(endpoint),
            None => grouped.push((key, vec![endpoint])),
        }
    }
    grouped
}

/// Every endpoint by the id of its dependency, in report order.
pub fn by_dependency(report: &Report) -> Vec<(&str, Vec<&EndpointReport>)> {
    let mut grouped: Vec<(&str, Vec<&EndpointReport>)> = Vec::new();
    let mut position: HashMap<&str, usize> = HashMap::new();
    for endpoint in &report.endpoints {
        let at = *position.entry(&endpoint.dependency).or_insert_with(|| {
            grouped.push((&endpoint.dependency, Vec::new()));
            grouped.len() - 1
        });
        grouped[at].1.push(endpoint);
    }
    grouped
}

/// Endpoints that count and were not tested, by cause.
pub fn untested(report: &Report) -> Vec<(Option<Cause>, Vec<&EndpointReport>)> {
    let untested = report
        .endpoints
        .iter()
        .filter(|e| e.need != Need::Documented && e.verdict == Verdict::NotTested);
    group_by(untested, |e| e.cause)
}

/// What to pass so that endpoints whose host contains `{names}` can be tested.
pub fn what_to_pass(endpoints: &[&EndpointReport]) -> String {
    let names = distinct(endpoints.iter().flat_map(|e| catalog::missing(&e.host)));
    let mut flags = Vec::new();
    if names.contains(&"region") {
        flags.push("pass --region".to_owned());
    }
    if names.contains(&"name_server") {
        flags.push("pass --dns-server".to_owned());
    }
    let settable: Vec<&str> = names
        .into_iter()
        .filter(|n| !matches!(*n, "region" | "name_server"))
        .collect();
    if !settable.is_empty() {
        flags.push(format!("pass --network-status, or set {}", settable.join(", ")));
    }
    if endpoints.iter().any(|e| catalog::is_hidden(&e.host)) {
        flags.push("pass --probes with the host hidden in a named value".to_owned());
    }
    flags.join("; ")
}
