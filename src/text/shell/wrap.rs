//! A command on several lines that still runs when it is pasted.

use super::Shell;
use crate::text::columns;

/// A piece of a command that stays on one line if it can.
struct CommandPiece {
    text: String,
    end: PieceEnd,
    /// Whether it is an option: the best place to break is before one.
    is_option: bool,
}

/// How a line may end after a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PieceEnd {
    /// Between words: a space, or the continuation sign.
    Word,
    /// Inside quoted JSON, where white space means nothing.
    Json,
}

/// The lines of a command: `first` columns are taken at the start of the first line, `indent` is the column of the
/// others, and `width` the maximum. It breaks before an option, else between words, else inside quoted JSON after a
/// comma, else in a POSIX shell anywhere, with the rest at the very start of the next line so that the shell joins
/// both. Nothing is omitted.
///
/// The lines contain their own indent, but not the first columns of the first line.
pub fn wrap_command(command: &str, first: usize, indent: usize, width: usize, shell: Shell) -> Vec<String> {
    // Space for the sign at the end, and for the quote that a break inside quotes needs.
    let width = width.saturating_sub(3).max(8);
    let mut lines = Vec::new();
    let (mut start, mut taken) = (String::new(), first);
    let mut text = String::new();
    // Inside which quote the text begins.
    let mut quoting = Quoting::none(shell);
    let mut before: Option<PieceEnd> = None;
    let pieces = pieces(command, shell);
    for (at, piece) in pieces.iter().enumerate() {
        let space = if before == Some(PieceEnd::Word) { " " } else { "" };
        // An option stays with its values if one line has space for them.
        let values = pieces[at + 1..].iter().take_while(|next| !next.is_option);
        let whole: usize = values.map(|value| 1 + columns(&value.text)).sum::<usize>() + columns(&piece.text);
        let wanted = if piece.is_option && indent + whole <= width {
            whole
        } else {
            columns(&piece.text)
        };
        if let Some(end) = before.filter(|_| taken + columns(&text) + 1 + wanted > width) {
            let tail = match end {
                PieceEnd::Word => format!(" {}", shell.continuation()),
                PieceEnd::Json => String::new(),
            };
            quoting = quoting.after(&text);
            lines.push(format!("{start}{text}{tail}"));
            (start, taken) = (" ".repeat(indent), indent);
            text.clear();
        } else {
            text.push_str(space);
        }
        text.push_str(&piece.text);
        while shell == Shell::Bash && taken + columns(&text) > width {
            let rest = text.split_off(fitting(&text, width.saturating_sub(taken), quoting));
            quoting = quoting.after(&text);
            let (close, open) = if quoting.open == Some('\'') {
                ("'", "'")
            } else {
                ("", "")
            };
            lines.push(format!("{start}{text}{close}\\"));
            (start, taken) = (String::new(), 0);
            text = format!("{open}{rest}");
            quoting.open = quoting.open.filter(|quote| *quote != '\'');
        }
        before = Some(piece.end);
    }
    lines.push(format!("{start}{text}"));
    lines
}

/// A place in a command: inside which quote, and whether right after a backslash that quotes the next character.
#[derive(Clone, Copy)]
struct Quoting {
    open: Option<char>,
    escaped: bool,
    has_escapes: bool,
}

impl Quoting {
    /// The beginning of a command.
    fn none(shell: Shell) -> Self {
        Self {
            open: None,
            escaped: false,
            has_escapes: shell == Shell::Bash,
        }
    }

    fn after(self, text: &str) -> Self {
        text.chars().fold(self, Self::after_one)
    }

    /// POSIX shell language, 2.2: a backslash quotes the next character, except inside single quotes.
    fn after_one(self, c: char) -> Self {
        let is_escape = self.has_escapes && c == '\\' && !self.escaped && self.open != Some('\'');
        let open = match (c, self.open) {
            _ if self.escaped => self.open,
            ('\'' | '"', None) => Some(c),
            (c, Some(quote)) if c == quote => None,
            _ => self.open,
        };
        Self {
            open,
            escaped: is_escape,
            ..self
        }
    }
}

fn pieces(command: &str, shell: Shell) -> Vec<CommandPiece> {
    let mut pieces: Vec<CommandPiece> = Vec::new();
    let mut text = String::new();
    let mut quoting = Quoting::none(shell);
    let mut push = |text: &mut String, end| {
        let follows_word = pieces
            .last()
            .is_none_or(|piece: &CommandPiece| piece.end == PieceEnd::Word);
        let is_option = follows_word && (text.starts_with('-') || text == "|" || text == "||");
        pieces.push(CommandPiece {
            text: std::mem::take(text),
            end,
            is_option,
        });
    };
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ' ' && quoting.open.is_none() && !quoting.escaped {
            if !text.is_empty() {
                push(&mut text, PieceEnd::Word);
            }
            continue;
        }
        quoting = quoting.after_one(c);
        text.push(c);
        if c == ',' && quoting.open == Some('\'') && matches!(chars.peek(), Some('"' | '{')) {
            push(&mut text, PieceEnd::Json);
        }
    }
    if !text.is_empty() {
        push(&mut text, PieceEnd::Word);
    }
    pieces
}

/// The length in bytes of the longest beginning of at most `available` columns, and at least one character. It does not end
/// in a backslash that quotes the next character.
fn fitting(text: &str, available: usize, mut quoting: Quoting) -> usize {
    let (mut used, mut fits) = (0, 0);
    for (at, c) in text.char_indices() {
        used += columns(c.encode_utf8(&mut [0; 4]));
        if used > available && fits > 0 {
            return fits;
        }
        quoting = quoting.after_one(c);
        if !quoting.escaped {
            fits = at + c.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Shell, wrap_command};
    use crate::text::columns;

    /// The arguments that a shell makes of the written command, one per line.
    fn arguments(script: &str) -> String {
        let script = format!("show() {{ printf '%s\\n' \"$@\"; }}\n{script}");
        let output = Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .expect("a POSIX system has sh");
        String::from_utf8(output.stdout).expect("the arguments are text")
    }

    const RULE: &str = "show --resource-group \"${RG:-rg}\" --nsg-name nsg --name apim-out-Sql-tcp-1433 --priority 2040 \
                        --direction Outbound --source-port-ranges '*' --description 'required: Azure SQL'";

    #[test]
    fn wrapped_command_fits_and_keeps_its_arguments() {
        let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-with-a-name/providers";
        for command in [
            RULE,
            &format!("show --url \"https://management.azure.com{id}?api-version=2024-05-01\" --method post"),
            &format!("show https://management.azure.com{id}{id}?x=1"),
            r#"show --body '{"source":{"region":"westeurope"},"destination":{"address":"x","port":1433},"protocol":"TCP"}'"#,
            &format!("show --body '{{\"id\":\"{id}\"}}' --last"),
        ] {
            for width in [40, 60, 80, 100] {
                let lines = wrap_command(command, 7, 9, width, Shell::Bash);
                let fits = |(at, line): (usize, &String)| columns(line) + if at == 0 { 7 } else { 0 } <= width;
                assert!(lines.iter().enumerate().all(fits), "{lines:#?}");
                // White space between JSON tokens makes no difference.
                let same = |text: String| text.replace(",\n         ", ",").replace(['\n', ' '], "");
                assert_eq!(
                    same(arguments(&lines.join("\n"))),
                    same(arguments(command)),
                    "{lines:#?}"
                );
            }
        }
    }

    #[test]
    fn quotes_inside_a_word_survive_wrapping() {
        for command in [
            r"show --description 'required: Bob'\''s own backend, and the one of the others' --last x y",
            r"show --name 'it'\'''\'''\''s' --filter 'a'\''b  c' --last",
            r#"show --query "a \"quoted\" word  and an open \" one" --other 'with a \ backslash' --last"#,
            r"show --name a\ b\'c --last 'x'",
            r"show --quotes ''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\'''\''''",
        ] {
            for width in 20..80 {
                let lines = wrap_command(command, 0, 4, width, Shell::Bash);
                assert_eq!(arguments(&lines.join("\n")), arguments(command), "{width}: {lines:#?}");
            }
        }
    }

    #[test]
    fn lines_break_before_options() {
        for (shell, sign) in [(Shell::Bash, " \\"), (Shell::Powershell, " `")] {
            let lines = wrap_command(RULE, 0, 4, 60, shell);
            let (last, others) = lines.split_last().unwrap();
            assert!(others.iter().all(|line| line.ends_with(sign)), "{lines:#?}");
            assert!(lines[1..].iter().all(|line| line.starts_with("    --")), "{lines:#?}");
            let joined = others.iter().map(|line| line.trim_start().trim_end_matches(&sign[1..]));
            assert_eq!(joined.collect::<String>() + last.trim_start(), RULE);
        }
    }
}
