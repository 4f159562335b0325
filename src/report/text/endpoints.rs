//! Endpoints with their timings, addresses and evidence: those that do not work, or every one.

use super::{
    dependencies::style,
    page::{StyledLine, TextPage},
};
use crate::{
    model::{EndpointReport, Need, Report},
    report::{
        Detail,
        view::{self, GroupStatus},
    },
    text::{columns, shorten, style},
};

/// Column of an endpoint's target, after its verdict.
const TARGET: usize = 14;
/// Width of one timing.
const TIMING: usize = 8;
/// The stages, in the order of a probe.
const STAGES: [&str; 4] = ["dns", "tcp", "tls", "hello"];

/// Writes endpoints in report order, under their dependency.
pub(super) fn write(page: &mut TextPage, report: &Report, detail: Detail) {
    let is_shown = |endpoint: &&EndpointReport| {
        let status = view::status(endpoint);
        detail == Detail::Everything
            || (endpoint.need != Need::Documented && !matches!(status, GroupStatus::Ok | GroupStatus::NotTested))
    };
    if !report.endpoints.iter().any(|endpoint| is_shown(&endpoint)) {
        return;
    }
    page.gap();
    let targets = report.endpoints.iter().map(|e| columns(e.target())).max().unwrap_or(0);
    let timings = (TARGET + targets).min(page.width - STAGES.len() * TIMING);
    let heading = StyledLine::default().styled(style::HEADING, "ENDPOINTS").styled(
        style::DIM,
        match detail {
            Detail::Everything => ", times in ms",
            Detail::Brief | Detail::NotOk => " that are not reachable, times in ms; -vv shows all",
        },
    );
    page.line(with_cells(heading, timings, &STAGES.map(str::to_owned)));
    let mut dependency = None;
    for endpoint in report.endpoints.iter().filter(is_shown) {
        let of = (&endpoint.dependency, &endpoint.title);
        if dependency.replace(of) != Some(of) {
            let about = format!("{}{}", page.dot(), endpoint.dependency);
            page.gap();
            let heading = StyledLine::at(2).styled(style::HEADING, &endpoint.title);
            if heading.column() + columns(&about) <= page.measure() {
                page.line(heading.styled(style::DIM, &about));
            } else {
                page.paragraph(StyledLine::at(2), style::HEADING, &format!("{}{about}", endpoint.title));
            }
        }
        row(page, endpoint, timings);
    }
}

fn row(page: &mut TextPage, endpoint: &EndpointReport, timings: usize) {
    let target = shorten(endpoint.target(), page.width - TARGET, page.ellipsis());
    let verdict = endpoint.verdict.as_str();
    let mut line = StyledLine::at(2)
        .styled(style(view::status(endpoint)), verdict)
        .to(TARGET)
        .text(&target);
    let cells = STAGES.map(|stage| {
        endpoint
            .stages
            .timing(stage)
            .map_or_else(String::new, |ms| format!("{ms:.1}"))
    });
    if line.column() > timings && cells.iter().any(|cell| !cell.is_empty()) {
        page.line(line);
        line = StyledLine::default();
    }
    page.line(with_cells(line, timings, &cells));
    let cause = endpoint.cause.map_or_else(String::new, |cause| format!("{cause}: "));
    let need = if endpoint.need == Need::Required {
        ""
    } else {
        endpoint.need.label()
    };
    let dot = if need.is_empty() { "" } else { page.dot() };
    let about = format!("{need}{dot}{cause}{}", endpoint.detail);
    page.paragraph(StyledLine::at(TARGET), style::NORMAL, &about);
    for (label, text) in endpoint.stages.facts() {
        page.paragraph(
            StyledLine::at(TARGET).styled(style::DIM, label).to(TARGET + 9),
            style::DIM,
            &text,
        );
    }
    for sentence in view::further_evidence(endpoint) {
        page.paragraph(
            StyledLine::at(TARGET).styled(style::DIM, "-").to(TARGET + 2),
            style::DIM,
            sentence,
        );
    }
}

/// Adds right-aligned cells to a line.
fn with_cells(mut line: StyledLine, from: usize, texts: &[String; 4]) -> StyledLine {
    for (text, at) in texts.iter().zip(1..) {
        if !text.is_empty() {
            line = line.to(from + at * TIMING - columns(text)).styled(style::DIM, text);
        }
    }
    line
}
