//! Problems as text for a terminal: the line, a caret, and what to write instead.

use std::{fmt::Write as _, ops::Range};

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::problem::{ByteRange, CatalogErrors, Problem, SourceText};
use crate::text::is_harmful;

/// More problems than this are counted, not shown.
const SHOWN: usize = 25;

/// How much of a line is passed to the renderer before, at and after the place in question, in characters. The renderer
/// truncates it further, to the width of the screen.
const CONTEXT_CHARACTERS: usize = 500;

/// The problems as text, with a snippet of the source for each. No byte of a file reaches the terminal as a control
/// sequence, and no line is shown beyond the width of a screen.
pub fn render(errors: &CatalogErrors, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for problem in errors.problems.iter().take(SHOWN) {
        text.push_str(&renderer.render(&[report(problem, &errors.files)]));
        text.push_str("\n\n");
    }
    match errors.count().checked_sub(SHOWN) {
        Some(more @ 1..) => _ = writeln!(text, "… and {more} more"),
        _ => text.truncate(text.trim_end().len() + 1),
    }
    text
}

fn report<'a>(problem: &'a Problem, files: &[SourceText]) -> Group<'a> {
    let mut group = Group::with_title(Level::ERROR.primary_title(visible(&problem.message, CONTEXT_CHARACTERS)));
    let others = problem
        .related
        .iter()
        .map(|(at, label)| (*at, label, AnnotationKind::Context));
    let places = [(problem.at, &problem.label, AnnotationKind::Primary)]
        .into_iter()
        .chain(others);
    for (at, label, kind) in places {
        for element in snippet(&files[at.file()], at, label, kind) {
            group = group.element(element);
        }
    }
    group.element(Level::HELP.message(visible(&problem.help, CONTEXT_CHARACTERS)))
}

/// The line of a place. A very long one is reduced to the part around the place.
fn snippet<'a>(file: &SourceText, at: ByteRange, label: &'a str, kind: AnnotationKind) -> Vec<Element<'a>> {
    let text = &file.text;
    let span = at.span();
    let start = file.boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = file.boundary(span.end.clamp(start, line_end));

    let (line, column) = file.line_column(start);
    let path = visible(&file.name, CONTEXT_CHARACTERS);
    let origin = Origin::path(path.clone()).line(line).char_column(column);
    if text[line_start..line_end].trim().is_empty() {
        return vec![origin.into()];
    }
    let before = tail(&text[line_start..start]);
    let marked = visible(&text[start..end], CONTEXT_CHARACTERS);
    let after = visible(text[end..line_end].trim_end(), CONTEXT_CHARACTERS);
    let span = before.len()..before.len() + marked.len();
    let snippet = Snippet::source(format!("{before}{marked}{after}"))
        .line_start(line)
        .annotation(annotation(kind, label, span));
    // The renderer counts columns in what it is shown, which is wrong if the beginning of the line was removed.
    if column > CONTEXT_CHARACTERS {
        vec![origin.into(), snippet.into()]
    } else {
        vec![snippet.path(path).into()]
    }
}

fn annotation(kind: AnnotationKind, label: &str, span: Range<usize>) -> Annotation<'_> {
    let annotation = kind.span(span);
    if label.is_empty() {
        annotation
    } else {
        annotation.label(label)
    }
}

/// The end of the text before the place, cut from the left.
fn tail(text: &str) -> String {
    let length = text.chars().count();
    let kept = text.chars().skip(length.saturating_sub(CONTEXT_CHARACTERS)).map(symbol);
    let cut = (length > CONTEXT_CHARACTERS).then_some('…');
    cut.into_iter().chain(kept).collect()
}

/// At most `max` characters, each of them harmless.
fn visible(text: &str, max: usize) -> String {
    let cut = text.chars().nth(max).map(|_| '…');
    text.chars().take(max).map(symbol).chain(cut).collect()
}

/// A visible character instead of one that would control the terminal or reorder the text around it.
fn symbol(c: char) -> char {
    match c {
        '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '␡',
        _ if is_harmful(c) => '\u{fffd}',
        _ => c,
    }
}
