//! A comparison in one HTML file that needs no network, with every endpoint.

use askama::Template;

use super::{
    ComparedEndpoint, Comparison,
    display::{self, PlaceTone},
};
use crate::{
    report::{
        Options,
        html::{EscapedText, TargetText, hash},
    },
    text::escape,
};

const CSS: &str = concat!(
    include_str!("../../templates/report.css"),
    include_str!("../../templates/compare.css")
);

/// The comparison as one self-contained HTML file, without scripts.
///
/// # Panics
/// Never: the template writes to memory.
pub fn render(comparison: &Comparison, options: &Options) -> String {
    let (tone, word, sentence) = display::headline(comparison);
    let page = ComparePage {
        css: CSS,
        css_hash: hash(CSS),
        tone: class(tone),
        word,
        sentence: escape(&sentence).into_owned(),
        places: comparison
            .vantages
            .iter()
            .map(|place| (EscapedText(&place.name), escape(&display::place(place)).into_owned()))
            .collect(),
        notices: comparison.notices.iter().map(|notice| EscapedText(notice)).collect(),
        conclusions: comparison
            .conclusions
            .iter()
            .map(|it| ConclusionView {
                text: EscapedText(&it.text),
                weight: it.need.label(),
                kind: it.kind.as_str(),
                endpoints: it.endpoints.iter().map(|id| TargetText(id)).collect(),
            })
            .collect(),
        groups: groups(comparison),
        exit: escape(&options.exit.to_string()).into_owned(),
    };
    page.render().expect("a template in memory can be rendered")
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage<'a> {
    css: &'static str,
    css_hash: String,
    tone: &'static str,
    word: &'static str,
    sentence: String,
    places: Vec<(EscapedText<'a>, String)>,
    notices: Vec<EscapedText<'a>>,
    conclusions: Vec<ConclusionView<'a>>,
    groups: Vec<ComparedGroupView<'a>>,
    exit: String,
}

struct ConclusionView<'a> {
    text: EscapedText<'a>,
    weight: &'static str,
    kind: &'static str,
    endpoints: Vec<TargetText<'a>>,
}

/// The endpoints of one dependency.
struct ComparedGroupView<'a> {
    title: EscapedText<'a>,
    id: EscapedText<'a>,
    rows: Vec<ComparedRowView<'a>>,
}

struct ComparedRowView<'a> {
    target: TargetText<'a>,
    need: &'static str,
    /// Whether it is not reachable from some place: only such rows are printed.
    is_unhealthy: bool,
    cells: Vec<(&'static str, &'static str)>,
}

fn groups(comparison: &Comparison) -> Vec<ComparedGroupView<'_>> {
    let mut groups: Vec<(&str, ComparedGroupView<'_>)> = Vec::new();
    for row in &comparison.endpoints {
        let (id, title) = &row.dependency;
        match groups.last_mut() {
            Some((last, group)) if last == id => group.rows.push(view(row)),
            _ => groups.push((
                id,
                ComparedGroupView {
                    title: EscapedText(title),
                    id: EscapedText(id),
                    rows: vec![view(row)],
                },
            )),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn view(row: &ComparedEndpoint) -> ComparedRowView<'_> {
    let cell = |state: &Option<_>| {
        let (tone, word) = display::cell(*state);
        (class(tone), word)
    };
    ComparedRowView {
        target: TargetText(display::target(row)),
        need: row.need.label(),
        is_unhealthy: display::is_unhealthy(row),
        cells: row.seen.iter().map(cell).collect(),
    }
}

fn class(tone: PlaceTone) -> &'static str {
    match tone {
        PlaceTone::Good => "good",
        PlaceTone::Doubtful => "doubtful",
        PlaceTone::Bad => "bad",
        PlaceTone::Neutral => "quiet",
    }
}
