//! The syntax of host names.

/// Maximum length of a name, in bytes (RFC 1035 §2.3.4).
pub const NAME: usize = 253;
/// Maximum length of a label, in bytes (RFC 1035 §2.3.4).
pub const LABEL: usize = 63;

/// Whether text can be a label: the letters of RFC 1123 §2.1, and `_`, which some services use.
pub fn is_label(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LABEL).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Whether text is a name with one or more labels.
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME && text.split('.').all(is_label)
}
