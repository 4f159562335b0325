//! What systemd is told (`sd_notify(3)`); without it nobody listens, and nothing happens.

use std::{sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::time::interval;

use crate::serve::Board;

/// It listens, or goes on after reading anew.
pub(super) fn is_ready(what: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(what)]);
}

/// It reads anew.
pub(super) fn is_reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// It ends.
pub(super) fn is_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// What it came to.
pub(super) fn status(what: &str) {
    tell(&[NotifyState::Status(what)]);
}

/// Shows that rounds come to an end, twice as often as the watchdog wants it; completes at once where there is none.
pub(super) async fn show_life(board: Arc<Board>) {
    let Some(pause) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = interval((pause / 2).max(Duration::from_millis(100)));
    loop {
        beat.tick().await;
        if !board.read().is_stuck() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A supervisor that is gone is nobody's fault here.
    drop(sd_notify::notify(state));
}
