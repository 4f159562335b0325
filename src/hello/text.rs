//! Foreign bytes in a sentence.

/// Foreign bytes made fit for a sentence: text in quotes, anything else in hexadecimal, shortened to what helps.
///
/// Control characters and those that turn or hide text are escaped, runs of white space become one space.
pub fn glimpse(bytes: &[u8]) -> String {
    const TEXT: usize = 120;
    const HEX: usize = 24;
    let printable = bytes
        .iter()
        .filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        .count();
    if printable * 10 >= bytes.len() * 9 {
        return format!("\"{}\"", plain(&String::from_utf8_lossy(bytes), TEXT));
    }
    let hex: Vec<String> = bytes.iter().take(HEX).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > HEX { " …" } else { "" };
    hex.join(" ") + rest
}

/// At most `most` characters of `text` on one line, with everything escaped that a reader could not see.
pub fn plain(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(most).flat_map(visible).collect();
    if line.chars().count() > most {
        shown.push('…');
    }
    shown
}

/// The character itself, or its escape where it is a control character or steers how text is laid out.
fn visible(character: char) -> impl Iterator<Item = char> {
    let steers =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let hidden = character.is_control() || steers;
    let escape = hidden.then(|| character.escape_unicode());
    (!hidden)
        .then_some(character)
        .into_iter()
        .chain(escape.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_shown_without_their_teeth() {
        let table: [(&[u8], &str); 6] = [
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x",
                r#""HTTP/1.1 400 Bad Request Server: x""#,
            ),
            (b"\x15\x03\x01\x00\x02\x02\x28", "15 03 01 00 02 02 28"),
            (b"stop\x1b[2Jnow, dear reader", r#""stop\u{1b}[2Jnow, dear reader""#),
            (
                "the file is called \u{202e}txt.exe, is it not so, dear reader?".as_bytes(),
                r#""the file is called \u{202e}txt.exe, is it not so, dear reader?""#,
            ),
            (b"", "\"\""),
            (&[0; 30], &(vec!["00"; 24].join(" ") + " …")),
        ];
        for (bytes, shown) in table {
            assert_eq!(glimpse(bytes), shown);
        }
        assert_eq!(glimpse(&[b'a'; 500]), format!("\"{}…\"", "a".repeat(120)));
    }
}
