//! Building blocks of Kusto queries, with every name escaped
//! (<https://learn.microsoft.com/kusto/query/scalar-data-types/string>).

use std::{fmt::Display, fmt::Write as _};

use jiff::Timestamp;

use crate::{model::json, text::is_harmful};

/// A string literal.
pub(super) fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if is_harmful(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
            _ => quoted.push(c),
        }
    }
    quoted + "\""
}

/// `("a", "b")`.
pub(super) fn literals<T: Display>(values: &[T]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| literal(&value.to_string())).collect();
    format!("({})", quoted.join(", "))
}

/// `(443, 1433)`.
pub(super) fn numbers(values: &[u16]) -> String {
    let values: Vec<String> = values.iter().map(u16::to_string).collect();
    format!("({})", values.join(", "))
}

/// `Column between (datetime(…) .. datetime(…))`.
pub(super) fn between(column: &str, from: Timestamp, to: Timestamp) -> String {
    format!(
        "{column} between (datetime({}) .. datetime({}))",
        json::stamp(from),
        json::stamp(to)
    )
}

#[cfg(test)]
mod tests {
    use super::{literal, literals, numbers};

    #[test]
    fn kql_literal_escapes_quotes() {
        for (name, quoted) in [
            ("sql.example", r#""sql.example""#),
            (r#"a" or 1==1 //"#, r#""a\" or 1==1 //""#),
            (r"a\", r#""a\\""#),
            ("a\"\n| take 1", r#""a\"\u000a| take 1""#),
            ("a\u{202e}b", r#""a\u202eb""#),
            ("\u{e0041}", r#""\udb40\udc41""#),
        ] {
            assert_eq!(literal(name), quoted);
        }
        assert_eq!(literals(&["a", "b\"c"]), r#"("a", "b\"c")"#);
        assert_eq!(numbers(&[443, 1433]), "(443, 1433)");
    }
}
