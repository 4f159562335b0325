//! A page of text with a maximum width: styled pieces, indents, wrapping, truncation.

use std::fmt::Write as _;

use anstyle::Style;

use crate::{
    report::Options,
    text::{columns, escape, prefix, style, wrap},
};

/// Minimum width of a paragraph.
const ROOM: usize = 20;

/// Text being built. Everything added to it has been escaped with [`escape`].
pub(crate) struct TextPage {
    out: String,
    /// Maximum width of a line.
    pub width: usize,
    colour: bool,
    unicode: bool,
}

/// One line of styled pieces.
#[derive(Default)]
pub(crate) struct StyledLine {
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl StyledLine {
    /// A line that starts at a column.
    pub(crate) fn at(column: usize) -> Self {
        Self::default().to(column)
    }

    /// Appends text.
    pub(crate) fn text(self, text: &str) -> Self {
        self.styled(style::NORMAL, text)
    }

    /// Appends text in a style.
    pub(crate) fn styled(mut self, style: Style, text: &str) -> Self {
        let text = escape(text);
        self.width += columns(&text);
        self.pieces.push((style, text.into_owned()));
        self
    }

    /// Pads with spaces up to a column; with at least one if the text is already past it.
    pub(crate) fn to(mut self, column: usize) -> Self {
        let gap = column.saturating_sub(self.width).max(usize::from(self.width > 0));
        self.width += gap;
        self.pieces.push((style::NORMAL, " ".repeat(gap)));
        self
    }

    /// Whether it has no visible text.
    fn is_blank(&self) -> bool {
        self.pieces.iter().all(|(_, text)| text.trim().is_empty())
    }

    /// The column after the text.
    pub(crate) fn column(&self) -> usize {
        self.width
    }
}

impl TextPage {
    /// An empty page.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            out: String::new(),
            width: options.width.max(Options::NARROWEST),
            colour: options.colour,
            unicode: options.unicode,
        }
    }

    /// The width of prose and tables: a line of 140 columns is hard to read.
    pub(crate) fn measure(&self) -> usize {
        self.width.min(100)
    }

    /// Whether more than ASCII may be used.
    pub(crate) fn unicode(&self) -> bool {
        self.unicode
    }

    /// The separator between items of one line.
    pub(crate) fn dot(&self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// The sign for truncated text.
    pub(crate) fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Ends a line. Text beyond the width of the page is truncated.
    pub(crate) fn line(&mut self, line: StyledLine) {
        let mut left = if line.width > self.width {
            self.width - columns(self.ellipsis())
        } else {
            self.width
        };
        let cut = line.width > self.width;
        let last = line.pieces.iter().rposition(|(_, text)| !text.trim_end().is_empty());
        for (at, (style, text)) in line.pieces.into_iter().enumerate() {
            let text = if Some(at) >= last { text.trim_end() } else { &text };
            let fitting = prefix(text, left);
            left -= columns(fitting);
            self.piece(style, fitting);
            if fitting.len() < text.len() || Some(at) == last {
                break;
            }
        }
        if cut {
            self.out.push_str(self.ellipsis());
        }
        self.out.push('\n');
    }

    /// Ends a line with a URL, whole even if it is wider than the page: the terminal wraps it, and it can be opened.
    pub(crate) fn url(&mut self, start: StyledLine, url: &str) {
        for (style, text) in start.text(url).pieces {
            self.piece(style, &text);
        }
        self.out.push('\n');
    }

    /// The position of the next line, for [`TextPage::lines_since`] and [`TextPage::rewind`].
    pub(crate) fn mark(&self) -> usize {
        self.out.len()
    }

    /// The lines since a mark.
    pub(crate) fn lines_since(&self, mark: usize) -> usize {
        self.out[mark..].matches('\n').count()
    }

    /// Removes everything written since a mark.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// Writes an empty line, unless the page is empty or ends in one.
    pub(crate) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Writes text after the start of a line, wrapped at the measure, continued at the column where it began. If that leaves
    /// too little room, the text begins on a new line, further to the left.
    pub(crate) fn paragraph(&mut self, start: StyledLine, style: Style, text: &str) {
        let mut start = start;
        if self.measure() < start.column() + ROOM {
            let below = StyledLine::at(self.measure() - ROOM);
            if !start.is_blank() {
                self.line(start);
            }
            start = below;
        }
        let column = start.column();
        let mut start = Some(start);
        for line in wrap(text, self.measure() - column) {
            let begun = start.take().unwrap_or_else(|| StyledLine::at(column));
            self.line(begun.styled(style, &line));
        }
    }

    /// Writes items separated by commas; beyond `most` lines it ends with how many more there are.
    pub(crate) fn list(&mut self, column: usize, style: Style, items: &[&str], most: usize) {
        let available = self.measure() - column;
        let named = |count: usize| {
            let shown = items[..count].join(", ");
            match items.len() - count {
                0 => shown,
                more => format!("{shown} and {more} more"),
            }
        };
        let fits =
            |text: &str| columns(text) <= (available + 1).saturating_mul(most) && wrap(text, available).len() <= most;
        // First, as all may fit although one fewer and "and 1 more" do not; and where there is no limit, nothing is tried.
        let whole = named(items.len());
        let text = if fits(&whole) {
            whole
        } else {
            let count = (1..items.len()).take_while(|count| fits(&named(*count))).last();
            named(count.unwrap_or(1))
        };
        self.paragraph(StyledLine::at(column), style, &text);
    }

    /// The page as text.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn piece(&mut self, style: Style, text: &str) {
        if self.colour && style != style::NORMAL && !text.trim().is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(self.out, "{style}{text}{style:#}");
        } else {
            self.out.push_str(text);
        }
    }
}
