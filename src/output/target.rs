//! The place for one report: a file that is complete or unchanged, or a stream.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::stream;
use crate::file;

/// The permission bits that are kept: running a report must never give another user's rights.
const ORDINARY: u32 = 0o777;
/// The mode of an incomplete file.
const PRIVATE: u32 = 0o600;

/// A place that can be written to, checked before anything is probed.
#[derive(Debug)]
pub(crate) enum OutputTarget {
    /// A file, or the path of a new one, with all links resolved.
    File(PathBuf),
    /// A device or a pipe. It stays open from the start, because a pipe's reader stops when its last writer closes it.
    Stream(File),
}

impl OutputTarget {
    /// Checks whether `path` can be written to, without waiting; a file is not changed.
    pub(crate) fn find(path: &Path) -> io::Result<Self> {
        if is_own_stream(path) {
            return open_stream(path).map(Self::Stream);
        }
        let target = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => return open_stream(path).map(Self::Stream),
            Ok(_) => fs::canonicalize(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                folder(path).canonicalize()?.join(name)
            }
            Err(error) => return Err(error),
        };
        if target.exists() {
            OpenOptions::new().append(true).open(&target)?;
        }
        let (_, temporary) = create_next_to(&target)?;
        fs::remove_file(temporary)?;
        Ok(Self::File(target))
    }

    /// Writes a report, with `content`. A file is replaced completely; writing to a pipe stops once it has accepted
    /// nothing for `timeout`.
    pub(crate) fn write(
        &mut self,
        content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
        timeout: Duration,
    ) -> io::Result<()> {
        match self {
            Self::File(target) => replace(target, content),
            Self::Stream(file) => stream::write_with(file, content, Some(timeout)),
        }
    }
}

/// Whether a path names something that this process has already opened: then it must not be replaced.
fn is_own_stream(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr"].iter().any(|own| path == Path::new(own))
        || ["/dev/fd", "/proc/self/fd"].iter().any(|own| path.starts_with(own))
}

/// Opens a device or a pipe without waiting for the other side.
fn open_stream(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENXIO) => io::Error::other("this pipe has no reader: start the reader first"),
            _ => error,
        })
}

fn replace(target: &Path, content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let (file, temporary) = create_next_to(target)?;
    let mut writer = io::BufWriter::new(&file);
    let written = content(&mut writer)
        .and_then(|()| writer.flush())
        .and_then(|()| file.set_permissions(permissions(target)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// The mode of the file that is replaced, or of a new one.
fn permissions(target: &Path) -> Permissions {
    let mode = fs::metadata(target).map_or_else(|_| 0o666 & !mask(), |old| old.permissions().mode());
    Permissions::from_mode(mode & ORDINARY)
}

/// The umask of the user's shell (umask(2)), which can only be queried by setting it: the kernel shows it in proc(5).
/// Without that, only the user may read a new file.
fn mask() -> u32 {
    let status = file::read_text(Path::new("/proc/self/status"), 1 << 16).unwrap_or_default();
    let octal = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    octal
        .and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or(0o077)
}

/// A new file in the same folder: only there does a rename replace in one step. Its name is random, so that one left
/// behind by a killed run does no harm.
fn create_next_to(target: &Path) -> io::Result<(File, PathBuf)> {
    let mut random = [0; 8];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| io::Error::other("the system has no random numbers"))?;
    let temporary = folder(target).join(format!(".apim-probe-{:016x}.tmp", u64::from_ne_bytes(random)));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&temporary)?;
    Ok((file, temporary))
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Read as _,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::{Path, PathBuf},
        process::Command,
        thread,
        time::Duration,
    };

    use super::OutputTarget;

    const TIMEOUT: Duration = Duration::from_millis(50);

    fn write(path: &Path, content: &str) -> std::io::Result<()> {
        OutputTarget::find(path)?.write(|to| to.write_all(content.as_bytes()), TIMEOUT)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn finding_the_output_target_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old.json");
        fs::write(&old, "old").unwrap();
        for path in [&old, &folder.path().join("new.json"), &PathBuf::from("/dev/null")] {
            assert!(OutputTarget::find(path).is_ok(), "{}", path.display());
        }
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for path in [folder.path(), &folder.path().join("gone/report.json")] {
            assert!(OutputTarget::find(path).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn file_is_replaced_atomically() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["report.json", &"x".repeat(255)] {
            let path = folder.path().join(name);
            write(&path, "first").unwrap();
            write(&path, "second").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "second");
            fs::remove_file(path).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftover_temporary_file_does_not_block_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let (_, left) = super::create_next_to(&path).unwrap();
        assert_eq!(mode(&left), 0o600);
        fs::write(
            folder.path().join(format!(".report.json.{}.tmp", std::process::id())),
            "old",
        )
        .unwrap();
        write(&path, "report").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "report");
    }

    #[test]
    fn replaced_file_keeps_its_symlink_and_mode_without_setuid() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("report.json"), folder.path().join("latest.json"));
        fs::write(&path, "first").unwrap();
        symlink(&path, &link).unwrap();
        for (before, after) in [(0o640, 0o640), (0o6755, 0o755), (0o1644, 0o644)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
            write(&link, "second").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "second");
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(mode(&path), after);
        }
        let new = folder.path().join("new.json");
        write(&new, "report").unwrap();
        fs::File::create(folder.path().join("any")).unwrap();
        assert_eq!(mode(&new), mode(&folder.path().join("any")));
    }

    #[test]
    fn failed_write_keeps_the_old_file() {
        // A device that is always full takes the role of a full disk.
        let full = PathBuf::from("/dev/full");
        if full.exists() {
            assert!(write(&full, "report").is_err());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        fs::write(&path, "old").unwrap();
        let mut place = OutputTarget::find(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(place.write(|to| to.write_all(b"new"), TIMEOUT).is_err());
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "the spare file is left"
        );
    }

    #[test]
    fn writing_to_a_pipe_succeeds_or_fails_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let no_reader = OutputTarget::find(&pipe).unwrap_err().to_string();
        assert!(no_reader.contains("this pipe has no reader"), "{no_reader}");

        // More than fits into a pipe.
        let report = "report".repeat(100_000);
        let reading = {
            let pipe = pipe.clone();
            thread::spawn(move || fs::read_to_string(pipe).unwrap())
        };
        let mut place = loop {
            // As soon as the reader is there.
            if let Ok(place) = OutputTarget::find(&pipe) {
                break place;
            }
            thread::yield_now();
        };
        place
            .write(|to| to.write_all(report.as_bytes()), Duration::from_secs(10))
            .unwrap();
        drop(place);
        assert!(reading.join().unwrap() == report);

        // A reader that sleeps, and one that leaves.
        let mut sleeper = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let mut place = OutputTarget::find(&pipe).unwrap();
        let asleep = place.write(|to| to.write_all(report.as_bytes()), TIMEOUT).unwrap_err();
        assert_eq!(asleep.kind(), std::io::ErrorKind::TimedOut, "{asleep}");
        sleeper.read_exact(&mut [0; 6]).unwrap();
        drop(sleeper);
        assert!(place.write(|to| to.write_all(report.as_bytes()), TIMEOUT).is_err());
    }
}
