//! Lines that are waiting to be written: in order, and limited in number.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::LogLine;

/// Maximum number of waiting lines: a day of heartbeats and summaries, or 4 MB of changes.
const MAX_LINES: usize = 4_000;

/// The lines that wait.
#[derive(Debug, Default)]
pub(super) struct LogQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    lines: VecDeque<LogLine>,
    lost: u64,
    is_to_reopen: bool,
}

impl LogQueue {
    /// Adds a line. If the queue is full, the oldest line whose content is repeated later is dropped, or else the
    /// oldest but one: the first may be half-written.
    pub(super) fn push(&self, line: LogLine) {
        let mut state = self.lock();
        if state.lines.len() >= MAX_LINES {
            let old = state
                .lines
                .iter()
                .skip(1)
                .position(|line| !line.is_news)
                .map_or(1, |at| at + 1);
            state.lines.remove(old);
            state.lost += 1;
        }
        state.lines.push_back(line);
        self.changed.notify_all();
    }

    /// The first line, once there is one, and whether the file must be reopened for it.
    pub(super) fn next(&self) -> (LogLine, bool) {
        let mut state = self.lock();
        loop {
            if let Some(line) = state.lines.front().cloned() {
                return (line, std::mem::take(&mut state.is_to_reopen));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first line was written.
    pub(super) fn pop(&self) {
        self.lock().lines.pop_front();
        self.changed.notify_all();
    }

    /// Reopens the file before the next line.
    pub(super) fn reopen(&self) {
        self.lock().is_to_reopen = true;
        self.changed.notify_all();
    }

    /// How many lines are waiting, and how many were dropped.
    pub(super) fn state(&self) -> (usize, u64) {
        let state = self.lock();
        (state.lines.len(), state.lost)
    }

    /// Waits for a time, or until the file must be reopened.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.lock();
        drop(
            self.changed
                .wait_timeout_while(state, time, |state| !state.is_to_reopen),
        );
    }

    /// Waits until no line is waiting, for at most `patience`.
    pub(super) fn wait_until_empty(&self, timeout: Duration) {
        drop(
            self.changed
                .wait_timeout_while(self.lock(), timeout, |state| !state.lines.is_empty()),
        );
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{LogLine, LogQueue, MAX_LINES};

    #[test]
    fn changes_are_kept_before_heartbeats_when_the_queue_is_full() {
        let queue = LogQueue::default();
        let line = |text: String, is_news| LogLine {
            at: Timestamp::UNIX_EPOCH,
            text,
            is_news,
        };
        for n in 0..MAX_LINES {
            queue.push(line(n.to_string(), n % 2 == 0));
        }
        for n in 0..MAX_LINES {
            queue.push(line(format!("new {n}"), true));
        }
        let (waiting, lost) = queue.state();
        assert_eq!((waiting, lost), (MAX_LINES, MAX_LINES as u64));
        assert_eq!(queue.next().0.text, "0", "the first may be half written");
        let mut texts = Vec::new();
        while queue.state().0 > 0 {
            texts.push(queue.next().0.text);
            queue.pop();
        }
        assert!(!texts.contains(&"1".to_owned()) && !texts.contains(&"2".to_owned()));
        assert_eq!(
            texts.last().map(String::as_str),
            Some(format!("new {}", MAX_LINES - 1).as_str())
        );
    }
}
