//! A diff for people at a terminal: what got worse first.

use super::{ChangeKind, ChangeWeight, Diff, EndpointDifference, EndpointState};
use crate::{
    report::{
        Options,
        text::page::{StyledLine, TextPage},
    },
    text::{columns, escape, shorten, style, words::count},
};

/// The diff as text of at most `options.width` columns; its last line is the exit status.
pub fn render(diff: &Diff, options: &Options) -> String {
    let mut page = TextPage::new(options);
    for (label, side) in [("before", &diff.before), ("after", &diff.after)] {
        let time = side.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        page.line(StyledLine::default().styled(style::DIM, label).to(8).text(&time));
    }
    page.gap();
    headline(&mut page, diff);
    for (heading, belongs) in SECTIONS {
        let changes: Vec<&EndpointDifference> = diff.changes.iter().filter(|change| belongs(change)).collect();
        if !changes.is_empty() {
            page.gap();
            page.line(StyledLine::default().styled(style::HEADING, heading));
            rows(&mut page, &changes);
        }
    }
    page.gap();
    page.line(StyledLine::default().text(&options.exit.to_string()));
    page.finish()
}

type Belongs = fn(&EndpointDifference) -> bool;

/// The sections; every change belongs to exactly one.
const SECTIONS: [(&str, Belongs); 6] = [
    ("REGRESSIONS", |change| change.weight == ChangeWeight::Regression),
    ("FIXES", |change| change.weight == ChangeWeight::Fix),
    ("OTHER VERDICTS OR CAUSES", |change| {
        let verdict = matches!(
            change.kind,
            ChangeKind::NewlyBlocked | ChangeKind::Fixed | ChangeKind::VerdictChanged | ChangeKind::CauseChanged
        );
        verdict && change.weight == ChangeWeight::Neutral
    }),
    ("OTHER ADDRESSES OR ISSUERS", |change| {
        matches!(change.kind, ChangeKind::AddressesChanged | ChangeKind::IssuerChanged)
    }),
    ("ADDED", |change| change.kind == ChangeKind::Added),
    ("REMOVED", |change| change.kind == ChangeKind::Removed),
];

fn headline(page: &mut TextPage, diff: &Diff) {
    let others = diff.changes.len() - diff.regressions - diff.fixes;
    let (style, word) = match (diff.regressions, diff.fixes) {
        (0, 0) if others == 0 => (style::GOOD, "UNCHANGED"),
        (0, 0) => (style::NORMAL, "CHANGED"),
        (0, _) => (style::GOOD, "BETTER"),
        _ => (style::BAD, "WORSE"),
    };
    let parts = [
        (diff.regressions, "regression"),
        (diff.fixes, "fix"),
        (others, "other change"),
    ];
    let parts = parts.map(|(n, noun)| {
        if noun == "fix" && n != 1 {
            format!("{n} fixes")
        } else {
            count(n, noun)
        }
    });
    let text = if diff.changes.is_empty() {
        "no endpoint changed".to_owned()
    } else {
        parts.join(", ")
    };
    page.paragraph(
        StyledLine::default().styled(style, word).to(columns(word) + 2),
        style::HEADING,
        &text,
    );
}

/// Writes endpoints and their changes: next to each other if all of them fit, else below each other.
fn rows(page: &mut TextPage, changes: &[&EndpointDifference]) {
    let lines: Vec<(&str, String)> = changes
        .iter()
        .map(|change| (change.id.as_str(), what(change)))
        .collect();
    let column = 4 + lines.iter().map(|(id, _)| columns(&escape(id))).max().unwrap_or(0);
    let fits = lines
        .iter()
        .all(|(_, what)| column + columns(&escape(what)) <= page.width);
    for (id, what) in lines {
        let line = StyledLine::at(2).text(&shorten(id, page.width - 2, page.ellipsis()));
        if fits {
            page.line(line.to(column).styled(style::DIM, &what));
        } else {
            page.line(line);
            page.paragraph(StyledLine::at(6), style::DIM, &what);
        }
    }
}

fn what(change: &EndpointDifference) -> String {
    let describe = |state: &EndpointState| match state.cause {
        Some(cause) => format!("{} ({cause})", state.verdict),
        None => state.verdict.to_string(),
    };
    match (&change.detail, &change.before, &change.after) {
        (Some(detail), ..) => detail.clone(),
        (None, Some(before), Some(after)) => format!("{} -> {}", describe(before), describe(after)),
        (None, Some(state), None) | (None, None, Some(state)) => describe(state),
        (None, None, None) => String::new(),
    }
}
