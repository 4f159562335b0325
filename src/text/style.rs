//! The palette: every colour in text output, and its meaning.
//!
//! Colour repeats what the words say and never adds anything.

use anstyle::{AnsiColor, Style};

/// Text without emphasis.
pub const NORMAL: Style = Style::new();
/// A heading, or the title of a finding.
pub const HEADING: Style = Style::new().bold();
/// Additional text that may be skipped.
pub const DIM: Style = Style::new().dimmed();
/// Everything works.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Not working, or not known.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// Broken.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
