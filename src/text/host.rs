//! What a host name can be.

/// The most bytes that a name has (RFC 1035 §2.3.4).
pub const NAME: usize = 253;
/// The most bytes that stand between two dots (RFC 1035 §2.3.4).
pub const LABEL: usize = 63;

/// Whether text can stand between two dots: the letters of RFC 1123 §2.1, and `_`, which some services use.
pub fn is_label(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LABEL).contains(&text.len()) && text.bytes().all(is_letter)
}

/// Whether text is a name, of one label or more.
pub fn is_name(text: &str) -> bool {
    text.len() <= NAME && text.split('.').all(is_label)
}
