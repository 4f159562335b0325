//! One line at the bottom of the terminal, on stderr.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The line; where stderr is no terminal, nothing is ever drawn.
pub(super) struct StatusLine(Option<ProgressBar>);

impl StatusLine {
    /// A line that says nothing yet.
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

    /// Says something else from now on.
    pub(super) fn say(&self, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text());
            bar.tick();
        }
    }

    /// Takes the line away while something else is written.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away for good.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
