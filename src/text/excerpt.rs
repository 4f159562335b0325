//! Bytes from the network, quoted in a sentence.

use super::escape;

/// Foreign bytes for a sentence: text in quotes, anything else in hexadecimal, shortened to the useful part.
///
/// Control characters and those that reorder or hide text are escaped, and white space is collapsed.
pub fn excerpt(bytes: &[u8]) -> String {
    const TEXT: usize = 120;
    const HEX: usize = 24;
    let printable = bytes
        .iter()
        .filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        .count();
    if printable * 10 >= bytes.len() * 9 {
        return format!("\"{}\"", one_line(&String::from_utf8_lossy(bytes), TEXT));
    }
    let hex: Vec<String> = bytes.iter().take(HEX).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > HEX { " …" } else { "" };
    hex.join(" ") + rest
}

/// At most `most` characters of `text` on one line, [escaped](escape()).
pub fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, rest) = match line.char_indices().nth(most) {
        Some((at, _)) => (&line[..at], "…"),
        None => (line.as_str(), ""),
    };
    format!("{}{rest}", escape(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_quoted_as_text_or_hex() {
        let table: [(&[u8], &str); 7] = [
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
            (
                "a soft\u{ad}hyphen and a tag\u{e0041} in a text that is readable otherwise, dear reader, from end to end".as_bytes(),
                r#""a soft\u{ad}hyphen and a tag\u{e0041} in a text that is readable otherwise, dear reader, from end to end""#,
            ),
            (b"", "\"\""),
            (&[0; 30], &(vec!["00"; 24].join(" ") + " …")),
        ];
        for (bytes, shown) in table {
            assert_eq!(excerpt(bytes), shown);
        }
        assert_eq!(excerpt(&[b'a'; 500]), format!("\"{}…\"", "a".repeat(120)));
    }
}
