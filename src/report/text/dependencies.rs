//! Dependencies, one line each: required ones first, details only for what does not work; optional ones that work share
//! a line unless everything is shown.

use std::collections::HashMap;

use anstyle::Style;

use super::page::{StyledLine, TextPage};
use crate::{
    model::{Cause, EndpointReport, Need, Report},
    report::{
        Detail,
        view::{self, DependencyGroup, GroupStatus},
    },
    text::{columns, shorten, style, words, wrap},
};

/// Column of titles, after the status.
const TITLE: usize = 14;
/// Columns of the count behind a title.
const COUNT: usize = 7;
/// Maximum number of a dependency's endpoints that are listed.
const MAX_ROWS: usize = 6;

/// Writes the tables of required and of optional dependencies.
pub(super) fn write(page: &mut TextPage, report: &Report, detail: Detail) {
    let (counting, _) = view::split_findings(report);
    let explained = view::finding_numbers(&counting);
    let sections = [("REQUIRED", Need::Required), ("OPTIONAL", Need::Feature)]
        .map(|(heading, need)| (heading, need, view::groups(report, need)));
    let widest = sections
        .iter()
        .flat_map(|(_, need, groups)| groups.iter().filter(|group| !is_folded(*need, detail, group)))
        .map(|g| columns(g.title))
        .max()
        .unwrap_or(0);
    let table = DependencyTable {
        explained,
        title_width: widest.min(page.measure() - TITLE - COUNT),
    };
    for (heading, need, groups) in sections.into_iter().filter(|(_, _, groups)| !groups.is_empty()) {
        page.gap();
        page.line(StyledLine::default().styled(style::HEADING, heading));
        let (folded, shown): (Vec<&DependencyGroup>, Vec<&DependencyGroup>) =
            groups.iter().partition(|group| is_folded(need, detail, group));
        for group in shown {
            table.row(page, group);
        }
        if !folded.is_empty() {
            let all = if folded.len() == groups.len() { "all " } else { "" };
            let line = StyledLine::at(2)
                .styled(style::GOOD, GroupStatus::Ok.as_str())
                .to(TITLE);
            page.line(line.text(&format!("{all}{}", words::count(folded.len(), "dependency"))));
        }
    }
}

/// Whether a dependency shares a line: an optional one that works.
fn is_folded(need: Need, detail: Detail, group: &DependencyGroup) -> bool {
    need == Need::Feature && detail < Detail::Everything && group.status() == GroupStatus::Ok && !group.is_negative()
}

struct DependencyTable<'a> {
    /// Endpoint ids to the number of their finding.
    explained: HashMap<&'a str, usize>,
    title_width: usize,
}

impl DependencyTable<'_> {
    fn row(&self, page: &mut TextPage, group: &DependencyGroup) {
        let status = group.status();
        let style = style(status);
        let count = format!("{}/{}", group.working(), group.endpoints.len());
        let count_end = TITLE + self.title_width + COUNT;
        let mut line = StyledLine::at(2).styled(style, status.as_str()).to(TITLE);
        for (at, title) in wrap(group.title, self.title_width).iter().enumerate() {
            if at > 0 {
                page.line(std::mem::replace(&mut line, StyledLine::at(TITLE)));
            }
            line = line.text(title);
            if at == 0 {
                line = line.to(count_end - columns(&count)).text(&count);
            }
        }
        let note = self.note(group);
        if line.column() <= count_end && count_end + 2 + columns(&note) <= page.measure() {
            page.line(line.to(count_end + 2).styled(style::DIM, &note));
        } else {
            page.line(line);
            page.paragraph(StyledLine::at(TITLE), style::DIM, &note);
        }
        self.details(page, group);
    }

    /// The text of a row after its count.
    fn note(&self, group: &DependencyGroup) -> String {
        let mut findings: Vec<usize> = group
            .failing()
            .filter_map(|e| self.explained.get(e.id.as_str()).copied())
            .collect();
        findings.sort_unstable();
        findings.dedup();
        if group.is_negative() {
            return "must be blocked".to_owned();
        }
        let causes = group.failing().filter(|e| self.explained.contains_key(e.id.as_str()));
        let causes = words::distinct(causes.filter_map(|e| e.cause).map(Cause::as_str));
        let causes = words::list(&causes, 2);
        match findings[..] {
            [] => String::new(),
            [one] => format!("finding {one}: {causes}"),
            _ => format!(
                "findings {}: {causes}",
                findings.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
            ),
        }
        .trim_end_matches(": ")
        .to_owned()
    }

    /// Endpoints that are not reachable and not explained by a finding, grouped by what is shown about them.
    fn details(&self, page: &mut TextPage, group: &DependencyGroup) {
        let silent = |e: &&EndpointReport| {
            let explained = self.explained.contains_key(e.id.as_str());
            view::status(e) == GroupStatus::NotTested || (explained && view::status(e) == GroupStatus::Blocked)
        };
        let listed: Vec<&EndpointReport> = group.failing().filter(|e| !silent(e)).collect();
        for (detail, endpoints) in view::group_by(listed, |e| e.detail.clone()) {
            for endpoint in endpoints.iter().take(MAX_ROWS) {
                let target = shorten(endpoint.target(), page.measure() - TITLE, page.ellipsis());
                page.line(StyledLine::at(TITLE).text(&target));
            }
            if endpoints.len() > MAX_ROWS {
                let more = format!("and {} more", endpoints.len() - MAX_ROWS);
                page.line(StyledLine::at(TITLE).styled(style::DIM, &more));
            }
            page.paragraph(StyledLine::at(TITLE + 2), style::DIM, &detail);
        }
    }
}

/// The style that matches a status.
pub(super) fn style(status: GroupStatus) -> Style {
    match status {
        GroupStatus::Blocked | GroupStatus::Open => style::BAD,
        GroupStatus::Unproven | GroupStatus::Incomplete | GroupStatus::NotTested | GroupStatus::Degraded => {
            style::DOUBTFUL
        }
        GroupStatus::Ok => style::GOOD,
    }
}
