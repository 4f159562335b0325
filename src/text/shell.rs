//! Words of a POSIX shell.

/// A word as a shell takes it whatever it holds: names come from files and from the network.
pub fn quote(word: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b',' | b'=');
    if !word.is_empty() && word.bytes().all(plain) && !word.starts_with(['-', '=']) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use crate::text::quote;

    #[test]
    fn a_shell_takes_any_name_as_one_word() {
        for (word, quoted) in [
            ("crl.microsoft.com", "crl.microsoft.com"),
            ("*.data.microsoft.com", "'*.data.microsoft.com'"),
            ("a;reboot", "'a;reboot'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("-z", "'-z'"),
            ("=ls", "'=ls'"),
            ("a=b,c", "a=b,c"),
        ] {
            assert_eq!(quote(word), quoted);
        }
    }
}
