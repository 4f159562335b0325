//! What a service says on stderr: a line an event, with its weight where the journal reads it.

use std::{
    env,
    io::{self, Write as _},
};

use crate::text::escape;

/// How much a line weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Something failed, and somebody should look.
    Warning,
    /// Something happened that one may want to know.
    Notice,
}

impl Weight {
    /// The word before the line, and the level of syslog(3) that the journal reads from `<4>` (sd-daemon(3)).
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Warning => ("warning: ", "<4>"),
            Self::Notice => ("", "<5>"),
        }
    }
}

/// Says something, as one line that does nothing to a terminal.
pub(crate) fn say(weight: Weight, text: &str) {
    let _ = io::stderr().write_all(line(weight, text, env::var_os("JOURNAL_STREAM").is_some()).as_bytes());
}

fn line(weight: Weight, text: &str, is_journal: bool) -> String {
    let (word, level) = weight.words();
    let before = if is_journal { level } else { word };
    format!("{before}{}\n", escape(text))
}

#[cfg(test)]
mod tests {
    use super::{Weight, line};

    #[test]
    fn a_line_has_its_weight_in_words_or_for_the_journal() {
        assert_eq!(line(Weight::Warning, "no\nroom", false), "warning: no\\nroom\n");
        assert_eq!(line(Weight::Warning, "no room", true), "<4>no room\n");
        assert_eq!(line(Weight::Notice, "a change", true), "<5>a change\n");
    }
}
