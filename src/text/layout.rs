//! The width of text on a terminal, and what fits.

use unicode_width::UnicodeWidthChar;

use super::escape;

/// Text in lines of at most `width` columns. It breaks at spaces; a word longer than a line breaks after the last `/`,
/// `.`, `:`, `-`, `=` or `,` that fits, else anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = escape(text);
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

/// Whether the text is one URL and nothing else.
pub fn is_url(text: &str) -> bool {
    text.starts_with("https://") && !text.contains(char::is_whitespace)
}

/// Text truncated in the middle to at most `width` columns: both ends of a host name matter.
pub fn shorten(text: &str, width: usize, ellipsis: &str) -> String {
    let text = escape(text);
    if columns(&text) <= width {
        return text.into_owned();
    }
    let available = width.saturating_sub(columns(ellipsis));
    let head = prefix(&text, available.div_ceil(2));
    let tail = suffix(&text, available - columns(head));
    format!("{head}{ellipsis}{tail}")
}

/// The columns that text takes on a terminal, counted character by character as terminals do.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The longest beginning of at most `width` columns.
pub fn prefix(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The longest ending of at most `width` columns.
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
    use crate::text::{columns, shorten, wrap};
    use proptest::prelude::*;

    #[test]
    fn long_words_break_at_separators() {
        let lines = wrap("see apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 there", 30);
        assert_eq!(
            lines,
            ["see", "apirpsqlfi6mahlotrqv5mnk.", "database.windows.net:1433", "there"]
        );
        assert_eq!(wrap("aaaaaaaaaaaa", 5), ["aaaaa", "aaaaa", "aa"]);
        assert_eq!(wrap("  ", 5), Vec::<String>::new());
    }

    #[test]
    fn shortened_name_keeps_both_ends() {
        assert_eq!(shorten("abcdefghijkl", 12, "..."), "abcdefghijkl");
        assert_eq!(shorten("abcdefghijkl", 9, "..."), "abc...jkl");
        assert_eq!(shorten("東京東京東京", 7, "…"), "東…東京");
    }

    proptest! {
        #[test]
        fn wrapped_lines_fit_the_width(text in any::<String>(), width in 4usize..60) {
            prop_assert!(columns(&shorten(&text, width, "...")) <= width);
            for line in wrap(&text, width) {
                prop_assert!(columns(&line) <= width, "{line:?} is wider than {width}");
            }
        }

        #[test]
        fn wrapping_keeps_every_word(words in prop::collection::vec("[a-z.:/]{1,40}", 0..20), width in 4usize..60) {
            prop_assert_eq!(wrap(&words.join(" "), width).concat().replace(' ', ""), words.concat());
        }
    }
}
