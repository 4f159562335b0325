//! A service's lines on stderr: one per event, with its level if the journal reads them.
//!
//! A pipe without a reader, or a stuck journal, blocks the writer. So a separate thread writes; lines for which it has
//! no space, and those that a full disk refuses, are lost, counted, and reported afterwards.

use std::{
    env,
    io::{self, Write},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use crate::text::escape;

/// Maximum number of waiting lines.
const MAX_LINES: usize = 256;

/// The level of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Something failed, and needs attention.
    Warning,
    /// Something happened that may be of interest.
    Notice,
}

impl LogLevel {
    /// The word before the line, and the syslog(3) level that the journal reads from `<4>` (sd-daemon(3)).
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Warning => ("warning: ", "<4>"),
            Self::Notice => ("", "<5>"),
        }
    }
}

/// A task for the thread.
enum Task {
    Write(String),
    /// Everything before it has been written.
    Answer(SyncSender<()>),
}

/// The channel to the writing thread; none if the system cannot start it.
static WRITER: OnceLock<Option<SyncSender<Task>>> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);

/// Writes one escaped line; never waits.
pub(crate) fn write_line(weight: LogLevel, text: &str) {
    if !hand_over(Task::Write(shown(weight, text))) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many lines were lost, because they were not read or were refused.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Waits until everything is written, for at most `patience`.
pub(crate) fn finish(timeout: Duration) {
    let (done, receiver) = sync_channel(1);
    if hand_over(Task::Answer(done)) {
        let _ = receiver.recv_timeout(timeout);
    }
}

fn hand_over(task: Task) -> bool {
    let voice = WRITER.get_or_init(|| {
        let (voice, tasks) = sync_channel(MAX_LINES);
        let write = move || write_all(&tasks, &mut io::stderr(), &LOST);
        thread::Builder::new().name("stderr".into()).spawn(write).ok()?;
        Some(voice)
    });
    voice.as_ref().is_some_and(|voice| voice.try_send(task).is_ok())
}

fn write_all(tasks: &Receiver<Task>, to: &mut impl Write, lost: &AtomicU64) {
    let mut reported = 0;
    for task in tasks {
        match task {
            Task::Write(line) if to.write_all(line.as_bytes()).is_err() => {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            Task::Write(_) => {
                let all = lost.load(Ordering::Relaxed);
                if all > reported {
                    let dropped = lines(all - reported);
                    let text = format!("dropped {dropped} for stderr, because it could not be written to");
                    if to.write_all(shown(LogLevel::Warning, &text).as_bytes()).is_ok() {
                        reported = all;
                    }
                }
            }
            Task::Answer(done) => drop(done.send(())),
        }
    }
}

/// `1 line`, `3 lines`.
pub(crate) fn lines(n: u64) -> String {
    crate::text::words::count(usize::try_from(n).unwrap_or(usize::MAX), "line")
}

fn shown(weight: LogLevel, text: &str) -> String {
    line(weight, text, env::var_os("JOURNAL_STREAM").is_some())
}

fn line(weight: LogLevel, text: &str, is_journal: bool) -> String {
    let (word, level) = weight.words();
    let before = if is_journal { level } else { word };
    format!("{before}{}\n", escape(text))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{
            atomic::{AtomicU64, Ordering},
            mpsc::sync_channel,
        },
    };

    use super::{LogLevel, Task, line};

    /// Writes these lines, and a notice about lost ones.
    fn write_all(texts: &[&str], to: &mut impl Write, lost: &AtomicU64) {
        let (sender, tasks) = sync_channel(texts.len());
        for text in texts {
            sender.send(Task::Write((*text).into())).unwrap();
        }
        drop(sender);
        super::write_all(&tasks, to, lost);
    }

    #[test]
    fn stderr_line_has_a_severity_prefix() {
        assert_eq!(line(LogLevel::Warning, "no\nroom", false), "warning: no\\nroom\n");
        assert_eq!(line(LogLevel::Warning, "no room", true), "<4>no room\n");
        assert_eq!(line(LogLevel::Notice, "a change", true), "<5>a change\n");
    }

    #[test]
    fn dropped_lines_are_reported_once() {
        let (mut written, lost) = (Vec::new(), AtomicU64::new(3));
        write_all(&["one\n", "two\n"], &mut written, &lost);
        let written = String::from_utf8(written).unwrap();
        assert!(written.starts_with("one\n") && written.ends_with("two\n"), "{written}");
        assert_eq!(written.matches("dropped 3 lines for stderr").count(), 1, "{written}");
        assert_eq!(lost.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn unwritten_stderr_lines_are_counted() {
        let lost = AtomicU64::new(0);
        write_all(&["one\n"], &mut &mut [0; 2][..], &lost);
        assert_eq!(lost.load(Ordering::Relaxed), 1);
    }

    /// Refuses the first line, as a full disk does, and accepts all others.
    #[derive(Default)]
    struct FullAtFirst(Vec<u8>, bool);

    impl Write for FullAtFirst {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !std::mem::replace(&mut self.1, true) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn full_disk_is_not_reported_as_missing_reader() {
        let (mut disk, lost) = (FullAtFirst::default(), AtomicU64::new(0));
        write_all(&["one\n", "two\n"], &mut disk, &lost);
        let written = String::from_utf8(disk.0).unwrap();
        assert!(
            written.contains("dropped 1 line for stderr, because it could not be written to"),
            "{written}"
        );
        assert!(!written.contains("read"), "{written}");
    }
}
