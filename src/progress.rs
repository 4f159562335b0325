//! One line on stderr during a run.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{model::Verdict, text::escape};

/// How often the line is drawn, in hertz.
const DRAWS_PER_SECOND: u8 = 10;
/// How often the line is drawn if nothing has happened.
const TICK: Duration = Duration::from_millis(500);

/// The progress of a run: how many endpoints are finished and blocked, the time, and what it is waiting for.
///
/// It is drawn on stderr, only if that is a terminal, and shared by all tasks of a run.
#[derive(Clone)]
pub(crate) struct Progress {
    shown: Option<ShownProgress>,
}

#[derive(Clone)]
struct ShownProgress {
    bar: ProgressBar,
    pending: Arc<Mutex<Pending>>,
}

impl Progress {
    /// Progress over a number of endpoints; with `enabled` false, or if stderr is not a terminal, nothing is ever
    /// drawn.
    pub(crate) fn new(total: usize, enabled: bool) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        if !enabled || target.is_hidden() {
            return Self { shown: None };
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        let template = "{pos}/{len} endpoints, {prefix}{elapsed}  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            shown: Some(ShownProgress {
                bar,
                pending: Arc::default(),
            }),
        }
    }

    /// An endpoint is being probed.
    pub(crate) fn started(&self, id: &str) {
        self.update(0, |pending| pending.start(id));
    }

    /// An endpoint is finished. `verdict` is called only if something is drawn.
    pub(crate) fn finished(&self, id: &str, verdict: impl FnOnce() -> Verdict) {
        self.update(1, |pending| pending.finish(id, verdict()));
    }

    /// Updates the elapsed time while everything waits. Never completes.
    pub(crate) async fn tick(&self) -> Infallible {
        let mut clock = tokio::time::interval(TICK);
        loop {
            clock.tick().await;
            if let Some(shown) = &self.shown {
                shown.bar.tick();
            }
        }
    }

    /// Removes the line. Nothing is drawn after it.
    pub(crate) fn clear(&self) {
        if let Some(shown) = &self.shown {
            shown.bar.finish_and_clear();
        }
    }

    fn update(&self, done: u64, change: impl FnOnce(&mut Pending)) {
        let Some(ShownProgress { bar, pending }) = &self.shown else {
            return;
        };
        // A line of progress is worth showing whatever happened to another task.
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pending);
        bar.set_prefix(pending.blocked_so_far());
        bar.set_message(pending.waiting_for());
        bar.inc(done);
    }
}

/// Which endpoints are being probed, the earliest first.
#[derive(Default)]
struct Pending {
    next: u64,
    by_start: BTreeMap<u64, String>,
    starts: HashMap<String, u64>,
    blocked: usize,
}

impl Pending {
    fn start(&mut self, id: &str) {
        self.starts.insert(id.to_owned(), self.next);
        self.by_start.insert(self.next, id.to_owned());
        self.next += 1;
    }

    fn finish(&mut self, id: &str, verdict: Verdict) {
        if let Some(start) = self.starts.remove(id) {
            self.by_start.remove(&start);
        }
        self.blocked += usize::from(verdict == Verdict::Blocked);
    }

    fn blocked_so_far(&self) -> String {
        if self.blocked == 0 {
            String::new()
        } else {
            format!("{} blocked, ", self.blocked)
        }
    }

    fn waiting_for(&self) -> String {
        match self.by_start.first_key_value() {
            Some((_, id)) => format!("waiting for {}", escape(id)),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pending, Progress};
    use crate::model::Verdict;

    #[test]
    fn progress_names_the_longest_running_probe() {
        let mut pending = Pending::default();
        assert_eq!(pending.waiting_for(), "");
        for id in ["sql/a:1433", "storage/b:443", "dns/\u{1b}[2J:53"] {
            pending.start(id);
        }
        assert_eq!(pending.waiting_for(), "waiting for sql/a:1433");
        pending.finish("storage/b:443", Verdict::Reachable);
        assert_eq!(pending.blocked_so_far(), "");
        pending.finish("sql/a:1433", Verdict::Blocked);
        assert_eq!(pending.blocked_so_far(), "1 blocked, ");
        assert_eq!(pending.waiting_for(), "waiting for dns/\\u{1b}[2J:53");
        pending.finish("never/started:1", Verdict::Unproven);
        pending.finish("dns/\u{1b}[2J:53", Verdict::Unproven);
        assert_eq!(pending.waiting_for(), "");
    }

    #[test]
    fn hidden_progress_keeps_nothing() {
        let progress = Progress::new(2, false);
        progress.started("sql/a:1433");
        progress.finished("sql/a:1433", || unreachable!("nothing is drawn"));
        progress.clear();
        assert!(progress.shown.is_none());
    }
}
