//! Text from the network, escaped for a terminal.

use std::borrow::Cow;

/// The text with everything escaped that could move a cursor, start a command, break a line or change the reading
/// direction: control characters (C0, DEL, C1), the bidirectional controls (UAX #9), line and paragraph separators, and
/// invisible characters.
///
/// Escapes are written as in Rust (`\n`, `\u{1b}`). Everything else stays as it is, in any script. Applying it twice
/// changes nothing.
pub fn escape(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Whether a text is printable ASCII only, as almost all are: checking bytes is fast, while checking every character of
/// a report takes a fiftieth of a run's time.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether a character controls a terminal instead of being displayed.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'                        // soft hyphen
            | '\u{61c}'                     // Arabic letter mark
            | '\u{180e}'                    // Mongolian vowel separator
            | '\u{200b}'..='\u{200f}'       // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}'       // line and paragraph separators, embeddings and overrides
            | '\u{2060}'..='\u{206f}'       // word joiner, isolates, deprecated format characters
            | '\u{feff}'                    // byte order mark
            | '\u{fff9}'..='\u{fffb}'       // interlinear annotation
            | '\u{e0000}'..='\u{e007f}'     // tags
        )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::{escape, is_harmful};

    #[test]
    fn plain_text_is_borrowed_unchanged() {
        for text in ["", "sql.database.windows.net", "Azure Küche · 東京", "a\\b"] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        for (text, safe) in [
            ("\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31mred", "\\u{9b}31mred"),
            ("evil\u{202e}moc.tfosorcim", "evil\\u{202e}moc.tfosorcim"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("a\u{0}b\u{7f}", "a\\u{0}b\\u{7f}"),
            ("one\u{2028}two", "one\\u{2028}two"),
            ("pay\u{200b}pal", "pay\\u{200b}pal"),
            ("co\u{ad}op\u{180e}", "co\\u{ad}op\\u{180e}"),
            ("\u{fff9}a\u{fffb}\u{e0041}", "\\u{fff9}a\\u{fffb}\\u{e0041}"),
            ("\u{61c}\u{206a}", "\\u{61c}\\u{206a}"),
        ] {
            assert_eq!(escape(text), safe);
        }
    }

    proptest! {
        #[test]
        fn escaped_text_has_no_control_characters(text in any::<String>()) {
            let safe = escape(&text);
            prop_assert!(!safe.contains(is_harmful));
            prop_assert_eq!(escape(&safe), safe.clone());
        }
    }
}
