//! The file: appended to, one per day if its name contains `{day}`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use nix::libc::O_NONBLOCK;

use super::LogLine;
use crate::{file, serve::ClockReading};

/// The placeholder for the UTC day; no other braces are allowed.
const DAY: &str = "{day}";
/// Files from more than this many days ago are deleted: until then, the Azure Monitor Agent may still read them.
const KEPT_DAYS: i32 = 2;
/// How long nothing is deleted after the clock was set ahead by more than this: files may only seem old.
const DELETION_PAUSE: Duration = Duration::from_secs(2 * 86_400);
const CLOCK_JUMP: SignedDuration = SignedDuration::from_hours(1);

/// The name of a log, which may contain a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFileName {
    folder: PathBuf,
    name: String,
}

impl LogFileName {
    /// A path, with or without `{day}` in its last part.
    ///
    /// # Errors
    ///
    /// It is not a file name, or `{day}` is elsewhere.
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let shown = file::shown(path);
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| format!("--log {shown} does not name a file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        if folder.to_string_lossy().contains(DAY) || name.matches(DAY).count() > 1 {
            return Err(format!("--log {shown}: {DAY} must be in the file's name, once"));
        }
        // A file named `{date}.jsonl` literally would grow without limit.
        if name.replacen(DAY, "", 1).contains(['{', '}']) {
            return Err(format!("--log {shown}: only {DAY} may be in braces"));
        }
        Ok(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        })
    }

    fn has_days(&self) -> bool {
        self.name.contains(DAY)
    }

    fn path(&self, day: Date) -> PathBuf {
        self.folder.join(self.name.replace(DAY, &day.to_string()))
    }

    /// Whether a name is that of a file of this log from a day that is long past.
    pub(in crate::serve) fn is_over(&self, name: &str, today: Date) -> bool {
        let oldest = today.checked_sub(KEPT_DAYS.days()).ok();
        self.day_of(name).zip(oldest).is_some_and(|(day, oldest)| day < oldest)
    }

    /// The day in a file's name, if it is one of these.
    fn day_of(&self, name: &str) -> Option<Date> {
        let (before, after) = self.name.split_once(DAY)?;
        let day = name.strip_prefix(before)?.strip_suffix(after)?;
        // Only in exactly this form: `20261126` belongs to another program.
        day.parse::<Date>().ok().filter(|date| date.to_string() == day)
    }
}

/// The current file of a log.
#[derive(Debug)]
pub(super) struct LogFile {
    pattern: LogFileName,
    open: Option<OpenFile>,
    /// How much of the current line the open file already contains.
    written: usize,
    /// The time of the last line, and since when the clock is in doubt.
    last: Option<ClockReading>,
    doubted: Option<Instant>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
    /// Device and number, which identify a file regardless of its name.
    identity: (u64, u64),
}

impl LogFile {
    /// Nothing is open yet.
    pub(super) fn new(pattern: LogFileName) -> Self {
        Self {
            pattern,
            open: None,
            written: 0,
            last: None,
            doubted: None,
        }
    }

    /// Its name, escaped for a terminal.
    pub(super) fn shown(&self) -> String {
        file::shown(&self.pattern.folder.join(&self.pattern.name))
    }

    /// Closes the open file.
    pub(super) fn close(&mut self) {
        self.open = None;
        self.written = 0;
    }

    /// Opens the file for a time, unless it is open.
    pub(super) fn open(&mut self, at: Timestamp, now: ClockReading) -> io::Result<&mut File> {
        if self.last.is_some_and(|last| now.clock_drift_since(last) > CLOCK_JUMP) {
            self.doubted = Some(now.steady);
        }
        self.last = Some(now);
        let day = at.to_zoned(TimeZone::UTC).date();
        let path = self.pattern.path(day);
        // A file that was renamed or deleted, for example by logrotate, is no longer ours.
        let is_there = |open: &OpenFile| {
            let known = fs::metadata(&open.path);
            known.is_ok_and(|known| (known.dev(), known.ino()) == open.identity)
        };
        if !self
            .open
            .as_ref()
            .is_some_and(|open| open.path == path && is_there(open))
        {
            self.close();
            let mut file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                // A pipe without a reader is an error, without waiting.
                .custom_flags(O_NONBLOCK)
                .open(&path)?;
            end_line(&mut file, &path)?;
            let known = file.metadata()?;
            self.open = Some(OpenFile {
                identity: (known.dev(), known.ino()),
                file,
                path,
            });
            let is_sure = self
                .doubted
                .is_none_or(|since| now.steady.duration_since(since) >= DELETION_PAUSE);
            if self.pattern.has_days() && is_sure {
                self.delete_before(day);
            }
        }
        let open = self.open.as_mut();
        open.map(|open| &mut open.file)
            .ok_or_else(|| io::Error::other("no file is open"))
    }

    /// Appends a line. If a full disk interrupted a line, it is completed the next time.
    pub(super) fn write(&mut self, line: &LogLine, now: ClockReading) -> io::Result<()> {
        self.open(line.at, now)?;
        let Some(open) = &mut self.open else {
            return Err(io::Error::other("no file is open"));
        };
        let text = line.text.as_bytes();
        while let Some(rest) = text.get(self.written..).filter(|rest| !rest.is_empty()) {
            match open.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.written = 0;
        Ok(())
    }

    /// Deletes files of days that are long past; files that cannot be deleted stay.
    fn delete_before(&self, today: Date) {
        let names = fs::read_dir(&self.pattern.folder).into_iter().flatten().flatten();
        for entry in names {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| self.pattern.is_over(name, today)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Completes the last line of a file that a killed process left half-written.
fn end_line(file: &mut File, path: &Path) -> io::Result<()> {
    let known = file.metadata()?;
    if !known.is_file() || known.len() == 0 {
        return Ok(());
    }
    // Opened separately for that: a descriptor for reading and writing would itself be a reader of a pipe.
    let mut written = File::open(path)?;
    written.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    written.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read as _,
        os::unix::fs::OpenOptionsExt as _,
        process::Command,
        time::{Duration, Instant},
    };

    use jiff::Timestamp;

    use super::{ClockReading, LogFile, LogFileName, LogLine, O_NONBLOCK};

    fn line(at: &str, text: &str) -> LogLine {
        LogLine {
            at: at.parse::<Timestamp>().unwrap(),
            text: format!("{text}\n"),
            is_news: false,
        }
    }

    fn write(file: &mut LogFile, at: &str, text: &str) -> std::io::Result<()> {
        file.write(&line(at, text), ClockReading::now())
    }

    #[test]
    fn clock_jump_forward_deletes_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let mine = |name: &str| folder.path().join(name);
        let mut file = LogFile::new(LogFileName::new(&mine("{day}.log")).unwrap());
        let began = Instant::now();
        let mut write = |at: &str, hours: u64| {
            let now = ClockReading {
                wall: at.parse().unwrap(),
                steady: began + Duration::from_secs(hours * 3_600),
            };
            file.write(&line(at, "a line"), now).unwrap();
        };
        let days = || {
            let mut names: Vec<String> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names.join(" ").replace(".log", "")
        };
        write("2026-11-24T12:00:00Z", 0);
        write("2026-11-25T12:00:00Z", 24);
        write("2026-11-26T12:00:00Z", 48);
        write("2031-01-01T00:00:00Z", 49);
        assert_eq!(days(), "2026-11-24 2026-11-25 2026-11-26 2031-01-01");
        write("2031-01-02T00:00:00Z", 73);
        assert_eq!(days(), "2026-11-24 2026-11-25 2026-11-26 2031-01-01 2031-01-02");
        // The clock is set back, and its earlier file is unused.
        write("2026-11-28T14:00:00Z", 98);
        assert_eq!(days(), "2026-11-26 2026-11-28 2031-01-01 2031-01-02");
        write("2031-01-05T00:00:00Z", 99);
        write("2031-01-06T00:00:00Z", 123);
        // Two days later the clock is trusted again.
        write("2031-01-07T00:00:00Z", 147);
        assert_eq!(days(), "2031-01-05 2031-01-06 2031-01-07");
    }

    #[test]
    fn one_log_file_per_day_and_old_ones_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let mine = |name: &str| folder.path().join(name);
        for name in [
            "a-2026-11-20.log",
            "a-2026-11-24.log",
            "b-2026-11-20.log",
            "a-20261120.log",
            "a-2026-11-20.log.gz",
        ] {
            fs::write(mine(name), "old\n").unwrap();
        }
        let mut file = LogFile::new(LogFileName::new(&mine("a-{day}.log")).unwrap());
        write(&mut file, "2026-11-26T23:59:59Z", "one").unwrap();
        write(&mut file, "2026-11-27T00:00:00Z", "two").unwrap();
        write(&mut file, "2026-11-27T00:00:01Z", "three").unwrap();
        assert_eq!(fs::read_to_string(mine("a-2026-11-26.log")).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(mine("a-2026-11-27.log")).unwrap(), "two\nthree\n");
        let there = |name: &str| mine(name).exists();
        assert!(!there("a-2026-11-20.log") && !there("a-2026-11-24.log"));
        assert!(there("b-2026-11-20.log") && there("a-20261120.log") && there("a-2026-11-20.log.gz"));
    }

    #[test]
    fn log_pipe_without_a_reader_gives_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut file = LogFile::new(LogFileName::new(&path).unwrap());
        assert!(write(&mut file, "2026-11-26T00:00:00Z", "unread").is_err());
        let mut reader = fs::File::options()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(&path)
            .unwrap();
        write(&mut file, "2026-11-26T00:00:01Z", "read").unwrap();
        let mut text = [0; 16];
        let length = reader.read(&mut text).unwrap();
        assert_eq!(&text[..length], b"read\n");
        drop(reader);
        assert!(write(&mut file, "2026-11-26T00:00:02Z", "nobody").is_err());
    }

    #[test]
    fn rotated_log_file_is_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "half a line").unwrap();
        let mut file = LogFile::new(LogFileName::new(&path).unwrap());
        write(&mut file, "2026-11-26T00:00:00Z", "one").unwrap();
        fs::rename(&path, folder.path().join("a.log.1")).unwrap();
        write(&mut file, "2026-11-26T00:00:01Z", "two").unwrap();
        assert_eq!(
            fs::read_to_string(folder.path().join("a.log.1")).unwrap(),
            "half a line\none\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(write(&mut file, "2026-11-26T00:00:02Z", "three").is_err());
        fs::create_dir(folder.path()).unwrap();
        write(&mut file, "2026-11-26T00:00:02Z", "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn only_one_day_placeholder_in_the_file_name_is_accepted() {
        let wrong = |path: &str| LogFileName::new(path.as_ref()).unwrap_err();
        for name in ["{date}.log", "a-{Day}.log", "{day}-{hour}.log", "{.log"] {
            assert!(wrong(name).contains("only {day} may be in braces"), "{name}");
        }
        assert!(wrong("logs-{day}/a.log").contains("{day} must be in the file's name"));
        assert!(wrong("{day}-{day}.log").contains("once"));
        assert!(wrong("/").contains("does not name a file"));
        assert!(LogFileName::new("a.log".as_ref()).is_ok());
    }
}
