//! A shell command over several lines that still runs when it is pasted.

use super::page::{Line, Page};
use crate::text::{columns, style};

/// A piece of a command that stays on one line if it can, and how the line may end behind it.
struct Piece {
    text: String,
    end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Between words: a space, or a backslash and a new line.
    Word,
    /// Inside quoted JSON, where white space means nothing.
    Json,
}

/// Writes a command from a column on. It breaks between words, else inside quoted JSON behind a comma, else anywhere,
/// with the rest at the very start of the next line so that the shell joins both.
pub(super) fn write(page: &mut Page, column: usize, command: &str) {
    // Room for the backslash, and for the quote that a break inside quotes needs.
    let width = page.measure() - 3;
    let mut line = Line::at(column).styled(style::QUIET, "$ ");
    let mut text = String::new();
    // The quote that is open where the text begins.
    let mut quote = None;
    let mut before: Option<End> = None;
    for piece in pieces(command) {
        let space = if before == Some(End::Word) { " " } else { "" };
        if let Some(end) = before.filter(|_| line.column() + columns(&text) + 1 + columns(&piece.text) > width) {
            let tail = if end == End::Word { " \\" } else { "" };
            page.line(line.text(&format!("{text}{tail}")));
            line = Line::at(column + 4);
            quote = open_quote(&text, quote);
            text.clear();
        } else {
            text.push_str(space);
        }
        text.push_str(&piece.text);
        while line.column() + columns(&text) > width {
            let rest = text.split_off(fitting(&text, width - line.column()));
            quote = open_quote(&text, quote);
            let (close, open) = if quote == Some('\'') { ("'", "'") } else { ("", "") };
            page.line(line.text(&format!("{text}{close}\\")));
            line = Line::default();
            text = format!("{open}{rest}");
            quote = quote.filter(|quote| *quote != '\'');
        }
        before = Some(piece.end);
    }
    page.line(line.text(&text));
}

/// The quote that is open behind a text, given the one that is open before it.
fn open_quote(text: &str, before: Option<char>) -> Option<char> {
    text.chars().fold(before, |open, c| match (c, open) {
        ('\'' | '"', None) => Some(c),
        (c, Some(open)) if c == open => None,
        _ => open,
    })
}

fn pieces(command: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut quote = None;
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ' ' && quote.is_none() {
            if !text.is_empty() {
                pieces.push(Piece {
                    text: std::mem::take(&mut text),
                    end: End::Word,
                });
            }
            continue;
        }
        quote = open_quote(c.encode_utf8(&mut [0; 4]), quote);
        text.push(c);
        if c == ',' && quote == Some('\'') && matches!(chars.peek(), Some('"' | '{')) {
            pieces.push(Piece {
                text: std::mem::take(&mut text),
                end: End::Json,
            });
        }
    }
    if !text.is_empty() {
        pieces.push(Piece { text, end: End::Word });
    }
    pieces
}

/// The length in bytes of the longest beginning of at most `room` columns, and at least one character.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += columns(c.encode_utf8(&mut [0; 4]));
        if used > room && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{super::page::Page, write};
    use crate::{model::ExitStatus, report::Options, text::columns};

    /// What a shell makes of the written command: its arguments, one a line.
    fn arguments(script: &str) -> String {
        let script = format!("show() {{ printf '%s\\n' \"$@\"; }}\n{script}");
        let output = Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .expect("a POSIX system has sh");
        String::from_utf8(output.stdout).expect("the arguments are text")
    }

    #[test]
    fn a_pasted_command_is_the_command() {
        let exit = ExitStatus::new(0, "");
        let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-with-a-name/providers";
        for command in [
            "show --name apim-sql --access Allow --protocol Tcp --destination-address-prefixes Sql.WestEurope --port 1433",
            &format!("show --url \"https://management.azure.com{id}?api-version=2024-05-01\" --method post"),
            &format!("show https://management.azure.com{id}{id}?x=1"),
            r#"show --body '{"source":{"region":"westeurope"},"destination":{"address":"x","port":1433},"protocol":"TCP"}'"#,
            &format!("show --body '{{\"id\":\"{id}\"}}' --last"),
        ] {
            for width in [60, 80, 100] {
                let options = Options {
                    exit: &exit,
                    width,
                    colour: false,
                    unicode: true,
                    verbose: true,
                };
                let mut page = Page::new(&options);
                write(&mut page, 5, command);
                let written = page.finish();
                assert!(written.lines().all(|line| columns(line) <= width), "{written}");
                let script = written.replacen("$ ", "", 1);
                // White space between JSON tokens is no difference.
                let same = |text: String| text.replace(",\n         ", ",").replace(['\n', ' '], "");
                assert_eq!(same(arguments(&script)), same(arguments(command)), "{written}");
            }
        }
    }
}
