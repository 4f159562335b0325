//! `--log FILE`: events as one JSON object per line, in the format of the Azure Monitor Agent.
//!
//! Keys are column names that Log Analytics accepts, and each key has the same type in every line. A separate thread
//! writes the lines; lines that cannot be written wait.

pub(crate) mod file;
mod lines;
mod queue;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use self::{file::LogFile, queue::LogQueue};
pub(crate) use self::{
    file::LogFileName,
    lines::{LoggedPlace, change, fault, heartbeat, round},
};
use super::{
    ClockReading, ServeFault, ServeState,
    stderr::{self, LogLevel},
};
use crate::text::words;

/// How long to wait before a line that could not be written is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogLine {
    at: Timestamp,
    text: String,
    /// Whether its content is not repeated by a later line.
    is_news: bool,
}

impl LogLine {
    /// A line about an event; keys of `rest` are columns.
    fn new(event: &str, at: Timestamp, is_news: bool, rest: Map<String, Value>) -> Self {
        let mut object = Map::new();
        object.insert("TimeGenerated".into(), json!(format!("{at:.6}")));
        object.insert("Event".into(), json!(event));
        object.insert("Version".into(), json!(env!("CARGO_PKG_VERSION")));
        object.extend(rest.into_iter().filter(|(_, value)| !value.is_null()));
        let text = crate::model::json::visible(Value::Object(object).to_string()) + "\n";
        Self { at, text, is_news }
    }
}

/// An open log.
#[derive(Debug, Clone)]
pub(crate) struct Log(Arc<LogQueue>);

impl Log {
    /// Opens the file, and starts to write lines from now on. Errors after that are recorded as faults.
    ///
    /// # Errors
    ///
    /// The file cannot be written to, or the system cannot start a thread.
    pub(crate) fn open(pattern: LogFileName, serve_state: Arc<ServeState>) -> std::io::Result<Self> {
        let mut file = LogFile::new(pattern);
        file.open(Timestamp::now(), ClockReading::now())?;
        let log = Self(Arc::new(LogQueue::default()));
        let queue = log.0.clone();
        let write = move || write_all(&queue, file, &serve_state);
        thread::Builder::new().name("log".into()).spawn(write)?;
        Ok(log)
    }

    /// Writes a line.
    pub(crate) fn append(&self, line: LogLine) {
        self.0.push(line);
    }

    /// Reopens the file: another program may have replaced it.
    pub(crate) fn reopen(&self) {
        self.0.reopen();
    }

    /// How many lines are waiting to be written, and how many were dropped because there were too many.
    pub(crate) fn state(&self) -> (usize, u64) {
        self.0.state()
    }

    /// Waits until every line is written, for at most `patience`. Returns a notice about the lines that will be lost.
    pub(crate) fn finish(&self, timeout: Duration) -> Option<String> {
        self.0.wait_until_empty(timeout);
        let (waiting, lost) = self.state();
        let unwritten = waiting as u64 + lost;
        (unwritten > 0).then(|| format!("lost {} of the log that could not be written", stderr::lines(unwritten)))
    }
}

fn write_all(queue: &LogQueue, mut file: LogFile, serve_state: &ServeState) {
    let mut broken_since: Option<(Instant, u64)> = None;
    loop {
        let (line, is_to_reopen) = queue.next();
        if is_to_reopen {
            file.close();
        }
        match file.write(&line, ClockReading::now()) {
            Ok(()) => {
                queue.pop();
                if let Some((since, lost_before)) = broken_since.take() {
                    let again = format!(
                        "the log can be written again, after {}",
                        words::duration(since.elapsed())
                    );
                    match queue.state().1 - lost_before {
                        0 => stderr::write_line(LogLevel::Notice, &again),
                        lost => {
                            let text = format!(
                                "{again}; dropped {}, because too many were waiting",
                                stderr::lines(lost)
                            );
                            stderr::write_line(LogLevel::Warning, &text);
                            queue.push(lines::fault(ServeFault::Log, &text));
                        }
                    }
                }
            }
            Err(error) => {
                let (waiting, lost) = queue.state();
                broken_since.get_or_insert_with(|| (Instant::now(), lost));
                let waiting = stderr::lines(waiting as u64);
                let mut text = format!("cannot write to {}: {error}; waiting: {waiting}", file.shown());
                if lost > 0 {
                    text = format!("{text}; lost: {}", stderr::lines(lost));
                }
                serve_state.fault(ServeFault::Log, &text);
                queue.pause(RETRY_INTERVAL);
            }
        }
    }
}
