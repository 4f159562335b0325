//! Words and commands of a shell.

mod wrap;

pub use self::wrap::wrap_command;

/// A shell that commands are written for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash, and every other POSIX shell.
    #[default]
    Bash,
    /// PowerShell, 5.1 and later.
    Powershell,
}

impl Shell {
    /// A word quoted for this shell, whatever it contains: names come from files and from the network.
    pub fn quote(self, word: &str) -> String {
        match self {
            Self::Bash => quote(word),
            Self::Powershell => quote_for_powershell(word),
        }
    }

    /// The end of a line that continues on the next.
    pub fn continuation(self) -> char {
        match self {
            Self::Bash => '\\',
            Self::Powershell => '`',
        }
    }

    /// A variable, as a word of a command that fails if it is not set.
    pub fn variable(self, name: &str) -> String {
        match self {
            Self::Bash => format!("\"${{{name}:?}}\""),
            Self::Powershell => format!("${name}"),
        }
    }
}

/// A word quoted for a POSIX shell.
pub fn quote(word: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b',' | b'=');
    if !word.is_empty() && word.bytes().all(plain) && !word.starts_with(['-', '=']) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A word quoted for PowerShell: a comma makes a list, and typographic quotes count as quotes (`about_Quoting_Rules`).
/// Before 7.3, and for batch files such as `az.cmd` in all versions, it passes double quotes on unchanged, where they
/// end the argument; they are replaced with single ones.
fn quote_for_powershell(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'=');
    let starts_plainly =
        word.starts_with(|c: char| c.is_ascii_alphabetic()) || word.bytes().all(|b| b.is_ascii_digit());
    if !word.is_empty() && starts_plainly && word.bytes().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("'");
    for c in word.chars() {
        match c {
            '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => quoted.extend([c, c]),
            '"' => quoted.push_str("''"),
            _ => quoted.push(c),
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::{Shell, quote};

    #[test]
    fn quoted_name_is_one_word_in_a_posix_shell() {
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

    #[test]
    fn names_are_quoted_for_powershell() {
        for (word, quoted) in [
            ("crl.microsoft.com", "crl.microsoft.com"),
            ("Https=443", "Https=443"),
            ("1433", "1433"),
            ("20.1.2.3/32", "'20.1.2.3/32'"),
            ("a,b", "'a,b'"),
            ("*", "'*'"),
            ("it's", "'it''s'"),
            ("it\u{2019}s", "'it\u{2019}\u{2019}s'"),
            ("say \"so\"", "'say ''so'''"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
            ("-z", "'-z'"),
            ("@file", "'@file'"),
        ] {
            assert_eq!(Shell::Powershell.quote(word), quoted);
        }
    }
}
