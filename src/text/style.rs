//! The palette: every colour that text output uses, and what it means.
//!
//! Colour repeats what the words say and never says anything alone.

use anstyle::{AnsiColor, Style};

/// Text without emphasis.
pub const NORMAL: Style = Style::new();
/// A heading, or the title of a finding.
pub const HEADING: Style = Style::new().bold();
/// What supports the text beside it and may be skipped.
pub const DIM: Style = Style::new().dimmed();
/// Everything works.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Not well, or not known.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
/// Broken.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
