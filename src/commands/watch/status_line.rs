//! One line at the bottom of the terminal, on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line; if stderr is not a terminal, nothing is ever drawn.
pub(super) struct StatusLine(Option<ProgressBar>);

impl StatusLine {
    /// A line that is still empty.
    pub(super) fn new(enabled: bool) -> Self {
        let target = ProgressDrawTarget::stderr();
        if !enabled || target.is_hidden() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// Shows another text from now on.
    pub(super) fn set(&self, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text());
            bar.tick();
        }
    }

    /// Removes the line while something else is written.
    pub(super) fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Removes the line for good.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
