//! What is wrong with a catalog, where, and what to write instead.

use crate::text::nearest;
use std::{error, fmt, ops::Range};

/// Everything that is wrong with a set of catalog files. Prints as text with source snippets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogErrors {
    pub(super) files: Vec<SourceText>,
    pub(super) problems: Vec<Problem>,
}

impl CatalogErrors {
    /// How many problems there are: at least one, and a thousand where there are more.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The problems without their snippets, for machines: file, line, column, message.
    pub fn summaries(&self) -> impl Iterator<Item = ProblemSummary<'_>> {
        self.problems.iter().map(|problem| {
            let file = &self.files[problem.at.file()];
            let (line, column) = file.line_column(problem.at.span().start);
            ProblemSummary {
                file: &file.name,
                line,
                column,
                message: &problem.message,
            }
        })
    }
}

impl fmt::Display for CatalogErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::render(self, false))
    }
}

impl error::Error for CatalogErrors {}

/// One problem in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemSummary<'a> {
    /// The file's name as it was given.
    pub file: &'a str,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// One sentence without a full stop. May quote the file: escape it before showing it.
    pub message: &'a str,
}

/// A file as it was read, kept for its snippets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceText {
    pub name: String,
    pub text: String,
}

impl SourceText {
    /// Line and column, from 1, of a byte offset.
    pub(super) fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// The nearest offset at or before this one at which a character begins.
    pub(super) fn boundary(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len()))
            .rev()
            .find(|at| self.text.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

/// A range in one of the files.
///
/// Every value of a catalog has one, so it is small: no file is larger than 4 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ByteRange {
    file: u32,
    start: u32,
    end: u32,
}

impl ByteRange {
    /// A range in the file at this index of [`CatalogErrors::files`].
    pub(super) fn new(file: usize, span: Range<usize>) -> Self {
        let [file, start, end] = [file, span.start, span.end].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        Self { file, start, end }
    }

    /// The beginning of a file, for problems that concern all of it.
    pub(super) fn top_of(file: usize) -> Self {
        Self::new(file, 0..0)
    }

    /// The same range, in another file.
    pub(super) fn of_file(self, file: usize) -> Self {
        Self::new(file, self.span())
    }

    /// The index into [`CatalogErrors::files`].
    pub(super) fn file(self) -> usize {
        self.file as usize
    }

    /// The bytes.
    pub(super) fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    pub at: ByteRange,
    /// The label next to the caret; may be empty.
    pub label: String,
    /// A second place that explains the first.
    pub related: Option<(ByteRange, String)>,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    pub(super) fn new(at: ByteRange, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at,
            label: String::new(),
            related: None,
            help: help.into(),
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, at: ByteRange, label: impl Into<String>) -> Self {
        self.related = Some((at, label.into()));
        self
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located<T> {
    pub value: T,
    pub at: ByteRange,
}

/// What to write instead of a word that should have been one of `known`.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_column_counts_characters_not_bytes() {
        let text = SourceText {
            name: "x".into(),
            text: "aé\nöü: x".into(),
        };
        let offset = text.text.find('x').unwrap();
        assert_eq!(text.line_column(offset), (2, 5));
    }
}
