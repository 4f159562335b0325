//! Where the agent stood, and the run in one sentence.

use super::page::{Line, Page, columns};
use crate::{
    paint,
    report::{
        Report,
        headline::{self, Headline, Tone},
    },
};

/// Writes the vantage, its notices and the headline.
pub fn write(page: &mut Page, report: &Report) {
    items(page, &headline::vantage(report));
    items(page, &headline::run(report));
    for notice in &report.vantage.notices {
        page.paragraph(
            Line::default().styled(paint::DOUBTFUL, "note").to(6),
            paint::NORMAL,
            notice,
            None,
        );
    }
    page.gap();
    let Headline { tone, word, sentence } = Headline::of(report);
    let style = match tone {
        Tone::Good => paint::GOOD,
        Tone::Doubtful => paint::DOUBTFUL,
        Tone::Bad => paint::BAD,
    };
    page.paragraph(
        Line::default().styled(style, word).to(columns(word) + 2),
        paint::HEADING,
        &sentence,
        None,
    );
}

/// Writes items behind each other, with a dot between them; the line breaks only between items.
fn items(page: &mut Page, items: &[String]) {
    let mut line = String::new();
    for item in items {
        let joined = if line.is_empty() {
            item.clone()
        } else {
            format!("{line}{}{item}", page.dot())
        };
        if columns(&joined) > page.measure() && !line.is_empty() {
            page.line(Line::default().styled(paint::QUIET, &line));
            line.clone_from(item);
        } else {
            line = joined;
        }
    }
    page.paragraph(Line::default(), paint::QUIET, &line, None);
}
