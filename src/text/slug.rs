//! Text in the form that ids use.

/// Any text in the form that ids use: lower-case letters and digits, with hyphens between them.
pub(crate) fn slug(text: &str) -> String {
    let letters = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let text: String = text.chars().map(letters).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        "unnamed".into()
    } else {
        parts.join("-")
    }
}
