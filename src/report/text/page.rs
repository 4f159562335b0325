//! A page of text that no line leaves: styled pieces, indents, wrapping, cutting.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use crate::{paint, plain::plain, report::Options};

/// Text under construction. Whatever enters it has gone through [`plain`].
pub struct Page {
    out: String,
    /// Columns that no line exceeds.
    pub width: usize,
    colour: bool,
    unicode: bool,
}

/// One line of styled pieces.
#[derive(Default)]
pub struct Line {
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    /// A line that starts at a column.
    pub fn at(column: usize) -> Self {
        Self::default().to(column)
    }

    /// Appends text.
    pub fn text(self, text: &str) -> Self {
        self.styled(paint::NORMAL, text)
    }

    /// Appends text in a style.
    pub fn styled(mut self, style: Style, text: &str) -> Self {
        let text = plain(text);
        self.width += columns(&text);
        self.pieces.push((style, text.into_owned()));
        self
    }

    /// Pads with spaces up to a column; at least one where the text is already past it.
    pub fn to(mut self, column: usize) -> Self {
        let gap = column.saturating_sub(self.width).max(usize::from(self.width > 0));
        self.width += gap;
        self.pieces.push((paint::NORMAL, " ".repeat(gap)));
        self
    }

    /// The column behind the text.
    pub fn column(&self) -> usize {
        self.width
    }
}

impl Page {
    /// An empty page.
    pub fn new(options: &Options) -> Self {
        Self {
            out: String::new(),
            width: options.width.max(Options::NARROWEST),
            colour: options.colour,
            unicode: options.unicode,
        }
    }

    /// The columns that prose and tables keep to: a line of 140 columns is hard to read.
    pub fn measure(&self) -> usize {
        self.width.min(100)
    }

    /// What stands between items of one line.
    pub fn dot(&self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }

    /// What stands for text that was cut.
    pub fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    /// Ends a line. What would leave the page is cut.
    pub fn line(&mut self, line: Line) {
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

    /// Writes an empty line, unless the page is empty or ends in one.
    pub fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Writes text behind the start of a line, wrapped at the measure, continued at the column where it began.
    /// With `most`, text beyond that many lines is cut. Returns how many lines it took.
    pub fn paragraph(&mut self, start: Line, style: Style, text: &str, most: Option<usize>) -> usize {
        let column = start.column();
        let mut lines = wrap(text, self.measure().saturating_sub(column).max(20));
        if let Some(most) = most.filter(|most| lines.len() > *most) {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                let room = self.measure() - column - columns(self.ellipsis());
                let kept = prefix(last, room).trim_end_matches([' ', ',', ';', '.']).to_owned();
                *last = format!("{kept}{}", self.ellipsis());
            }
        }
        let count = lines.len();
        let mut start = Some(start);
        for line in lines {
            let begun = start.take().unwrap_or_else(|| Line::at(column));
            self.line(begun.styled(style, &line));
        }
        count
    }

    /// The page as text.
    pub fn finish(self) -> String {
        self.out
    }

    fn piece(&mut self, style: Style, text: &str) {
        if self.colour && style != paint::NORMAL && !text.trim().is_empty() {
            // A String cannot fail to be written to.
            let _ = write!(self.out, "{style}{text}{style:#}");
        } else {
            self.out.push_str(text);
        }
    }
}

/// Text in lines of at most `width` columns. It breaks at spaces; a word that has no line of its own breaks behind the
/// last `/`, `.`, `:`, `-`, `=` or `,` that fits, else anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = plain(text);
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = word;
        let space = usize::from(!current.is_empty());
        if columns(&current) + space + columns(word) > width {
            if !current.is_empty() {
                lines.push(std::mem::take(&mut current));
            }
            while columns(word) > width {
                let fitting = prefix(word, width);
                let at = fitting
                    .rfind(['/', '.', ':', '-', '=', ','])
                    .map_or(fitting.len(), |at| at + 1);
                lines.push(word[..at].to_owned());
                word = &word[at..];
            }
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    if !current.is_empty() {
        lines.push(current);
    }
    lines
}

/// Text cut in its middle to at most `width` columns: of a host name both ends matter.
pub fn shorten(text: &str, width: usize, ellipsis: &str) -> String {
    let text = plain(text);
    if columns(&text) <= width {
        return text.into_owned();
    }
    let room = width.saturating_sub(columns(ellipsis));
    let head = prefix(&text, room.div_ceil(2));
    let tail = suffix(&text, room - columns(head));
    format!("{head}{ellipsis}{tail}")
}

/// The columns that text takes on a terminal, character by character as terminals count.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The longest beginning of at most `width` columns.
fn prefix(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The longest end of at most `width` columns.
fn suffix(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{columns, shorten, wrap};
    use proptest::prelude::*;

    #[test]
    fn long_words_break_where_a_reader_would() {
        let lines = wrap("see apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 there", 30);
        assert_eq!(
            lines,
            ["see", "apirpsqlfi6mahlotrqv5mnk.", "database.windows.net:1433", "there"]
        );
        assert_eq!(wrap("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
        assert_eq!(wrap("  ", 5), Vec::<String>::new());
    }

    #[test]
    fn both_ends_of_a_long_name_are_kept() {
        assert_eq!(shorten("abcdefghijkl", 12, "..."), "abcdefghijkl");
        assert_eq!(shorten("abcdefghijkl", 9, "..."), "abc...jkl");
        assert_eq!(shorten("東京東京東京", 7, "…"), "東…東京");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in any::<String>(), width in 4usize..60) {
            prop_assert!(columns(&shorten(&text, width, "...")) <= width);
            for line in wrap(&text, width) {
                prop_assert!(columns(&line) <= width, "{line:?} is wider than {width}");
            }
        }

        #[test]
        fn wrapping_loses_no_word(words in prop::collection::vec("[a-z.:/]{1,40}", 0..20), width in 4usize..60) {
            prop_assert_eq!(wrap(&words.join(" "), width).concat().replace(' ', ""), words.concat());
        }
    }
}
