//! Shared by all formats for people: the headline, the text of a cell, which rows are shown.

use super::{ComparedEndpoint, Comparison, DifferenceKind, Place};
use crate::{
    diff::EndpointState,
    model::{Cause, Need, Verdict},
    text::words::{self, list},
};

/// The overall result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceTone {
    /// Everything works.
    Good,
    /// It differs, or is not known.
    Doubtful,
    /// Something is blocked.
    Bad,
    /// Nothing to report.
    Neutral,
}

/// The comparison in one word and one sentence.
pub(super) fn headline(comparison: &Comparison) -> (PlaceTone, &'static str, String) {
    let counted = || comparison.endpoints.iter().filter(|row| row.need != Need::Documented);
    let (tone, word) = if counted().any(|row| row.need == Need::Required && row.differs_from_expected()) {
        (PlaceTone::Bad, "BLOCKED")
    } else if counted().any(|row| !row.agrees()) {
        (PlaceTone::Doubtful, "DIFFERENT")
    } else {
        (PlaceTone::Good, "SAME")
    };
    let of = |kind: DifferenceKind| comparison.conclusions.iter().filter(move |it| it.kind == kind);
    let sum = |kind: DifferenceKind| of(kind).map(|it| it.endpoints.len()).sum::<usize>();
    let mut parts: Vec<(usize, String)> = Vec::new();
    for place in &comparison.vantages {
        let here = |kind| of(kind).filter(|it| it.vantages == [place.name.clone()]);
        let endpoints = |kind| here(kind).map(|it| it.endpoints.len()).sum::<usize>();
        parts.push((endpoints(DifferenceKind::OnlyHere), format!("only at {}", place.name)));
        parts.push((
            endpoints(DifferenceKind::AllButHere),
            format!("everywhere except at {}", place.name),
        ));
    }
    parts.push((sum(DifferenceKind::Everywhere), "everywhere".into()));
    parts.retain(|(endpoints, _)| *endpoints > 0);
    let described = parts
        .iter()
        .enumerate()
        .map(|(at, (endpoints, place))| match (at, endpoints) {
            (0, 1) => format!("1 endpoint is blocked {place}"),
            (0, n) => format!("{n} endpoints are blocked {place}"),
            (_, n) => format!("{n} {place}"),
        });
    let described: Vec<String> = described.collect();
    let mut sentence = list(&described.iter().map(String::as_str).collect::<Vec<_>>(), 6);
    let differing = words::count(sum(DifferenceKind::Differs), "endpoint");
    match (sum(DifferenceKind::Differs), sentence.is_empty()) {
        (0, _) => {}
        (1, true) => sentence = format!("{differing} differs between places"),
        (_, true) => sentence = format!("{differing} differ between places"),
        (1, false) => sentence += "; 1 differs in another way",
        (n, false) => sentence = format!("{sentence}; {n} differ in another way"),
    }
    if sentence.is_empty() {
        let shared = counted().filter(|row| row.measured().count() > 1).count();
        sentence = format!(
            "no difference in {} tested from at least two places",
            words::count(shared, "endpoint")
        );
    }
    (tone, word, sentence)
}

/// A place in one line: when and where its report was made.
pub(super) fn place(place: &Place) -> String {
    let time = place.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let items = [Some(time), place.region.clone(), place.host.clone()];
    items.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The result at a place, in one word.
pub(super) fn cell(state: Option<EndpointState>) -> (PlaceTone, &'static str) {
    let Some(state) = state else {
        return (PlaceTone::Neutral, "-");
    };
    let cause = state.cause.map(Cause::as_str);
    match state.verdict {
        Verdict::Reachable => (PlaceTone::Good, "ok"),
        Verdict::Degraded => (PlaceTone::Doubtful, "degraded"),
        Verdict::Blocked => (PlaceTone::Bad, cause.unwrap_or("blocked")),
        Verdict::Unproven => (PlaceTone::Doubtful, "unproven"),
        Verdict::NotTested => (PlaceTone::Neutral, "not tested"),
    }
}

/// `host:port` of a row.
pub(super) fn target(row: &ComparedEndpoint) -> &str {
    let (dependency, _) = &row.dependency;
    row.id
        .strip_prefix(dependency.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(&row.id)
}

/// Whether a row is shown: some place that tested it has a result other than reachable.
pub(super) fn is_unhealthy(row: &ComparedEndpoint) -> bool {
    row.need != Need::Documented && row.measured().any(|(_, state)| state.verdict != Verdict::Reachable)
}

/// A summary of the rows that are not shown: reachable, never tested, only documented.
pub(super) fn rest(comparison: &Comparison) -> Vec<String> {
    let quiet = || {
        comparison
            .endpoints
            .iter()
            .filter(|row| row.need != Need::Documented && !is_unhealthy(row))
    };
    let well: Vec<&ComparedEndpoint> = quiet().filter(|row| row.measured().count() > 0).collect();
    let everywhere = well
        .iter()
        .filter(|row| row.measured().count() == comparison.vantages.len())
        .count();
    let mut lines = Vec::new();
    if !well.is_empty() {
        let titles = words::distinct(well.iter().map(|row| row.dependency.1.as_str()));
        let partly = match well.len() - everywhere {
            0 => String::new(),
            n => format!(", {n} of them not tested everywhere"),
        };
        lines.push(format!(
            "reachable wherever tested: {}{partly} ({})",
            words::count(well.len(), "endpoint"),
            list(&titles, 6)
        ));
    }
    let never = quiet().count() - well.len();
    if never > 0 {
        lines.push(format!("not tested anywhere: {}", words::count(never, "endpoint")));
    }
    let noted = comparison.endpoints.iter().filter(|row| row.need == Need::Documented);
    let (all, differing) = noted.fold((0, 0), |(all, differing), row| {
        (all + 1, differing + usize::from(!row.agrees()))
    });
    if all > 0 {
        let differ = if differing == 1 { "differs" } else { "differ" };
        lines.push(format!(
            "documented only, never decisive: {}, of which {differing} {differ}",
            words::count(all, "endpoint")
        ));
    }
    lines
}
