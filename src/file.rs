//! Reads files completely, up to a limit, whatever they turn out to be.
//!
//! Files are read only here, so that a device without an end, a sparse file of a terabyte or a page in UTF-16 gives the
//! same error for every flag.

use std::{
    borrow::Cow,
    fs,
    io::{self, Read as _},
    os::{
        fd::AsFd as _,
        unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use nix::{
    errno::Errno,
    libc::O_NONBLOCK,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use thiserror::Error;

use crate::text::escape;

/// Size of one read, in bytes.
const CHUNK_SIZE: usize = 1 << 20;
/// How much of a device is read, in bytes: a terminal provides less, and others have no end.
const DEVICE: usize = 1 << 20;

/// How long to wait for a named pipe's first writer.
const WITHOUT_WRITER: Duration = Duration::from_secs(1);

/// Why a file could not be read: one sentence, escaped for a terminal.
#[derive(Debug, Error)]
pub enum FileReadError {
    /// The system reported an error.
    #[error("cannot read {}: {source}", shown(path))]
    System {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is larger than the limit.
    #[error("{} is larger than {} MB, the limit for such a file", shown(path), most >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        most: usize,
    },
    /// It is neither UTF-8 nor UTF-16.
    #[error("{} {NOT_TEXT}", shown(path))]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

/// The sentence about bytes that are not text; it follows the file's name.
pub(crate) const NOT_TEXT: &str = "is not text: save it as UTF-8";

/// A path as shown in messages, escaped for a terminal.
pub(crate) fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy()).into_owned()
}

/// Reads a file, stopping once it is longer than `most` bytes.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>, FileReadError> {
    read_dated(path, most).map(|(bytes, _)| bytes)
}

/// Reads a file like [`read`], and returns when it was last modified.
pub(crate) fn read_dated(path: &Path, most: usize) -> Result<(Vec<u8>, Option<SystemTime>), FileReadError> {
    let whole = || -> io::Result<_> {
        // Without this flag, opening a named pipe would block until a writer opens it.
        let file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        let file = PatientFile {
            file,
            is_unread_pipe: kind.is_fifo(),
        };
        let bytes = if kind.is_file() && metadata.len() > most as u64 {
            None
        } else if kind.is_char_device() || kind.is_block_device() {
            up_to(file, 0, most.min(DEVICE))?
        } else {
            // A size of more than `most` is refused above; the size of anything else than a file means nothing.
            let reported_size = if kind.is_file() { metadata.len() } else { 0 };
            up_to(file, usize::try_from(reported_size).unwrap_or_default(), most)?
        };
        Ok((bytes, metadata.modified().ok()))
    };
    note(Some(path.to_owned()));
    let read = whole();
    note(None);
    let (bytes, written) = read.map_err(|source| FileReadError::System {
        path: path.to_owned(),
        source,
    })?;
    let path = || path.to_owned();
    let bytes = bytes.ok_or_else(|| FileReadError::TooLarge { path: path(), most })?;
    Ok((bytes, written))
}

/// A file that waits for what is written to it.
struct PatientFile {
    file: fs::File,
    /// A pipe that may not have had a writer yet.
    is_unread_pipe: bool,
}

impl PatientFile {
    /// Waits until there is something to read, or the end is reached; returns whether that was in time.
    fn wait(&self, timeout: PollTimeout) -> io::Result<bool> {
        match poll(&mut [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

impl io::Read for PatientFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let timeout = PollTimeout::try_from(WITHOUT_WRITER).unwrap_or(PollTimeout::ZERO);
        let has_no_writer = std::mem::take(&mut self.is_unread_pipe) && !self.wait(timeout)?;
        loop {
            match self.file.read(buffer) {
                // An end of file, from a pipe that has had no writer yet.
                Ok(0) if has_no_writer => return Err(io::Error::other("it is a pipe without a writer")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollTimeout::NONE).map(drop)?,
                read => return read,
            }
        }
    }
}

/// All of the content, or `None` if it is more than `most` bytes.
///
/// A growing vector needs two or three times its size for a moment, and content without an end would grow it to its
/// limit. So it is read in pieces; the first one is as long as the size that the system reports, if any.
fn up_to(mut source: impl io::Read, reported_size: usize, most: usize) -> io::Result<Option<Vec<u8>>> {
    let (mut pieces, mut length) = (Vec::new(), 0);
    // One byte more, or it would grow while looking for the end.
    let mut capacity = if reported_size == 0 {
        CHUNK_SIZE
    } else {
        reported_size + 1
    };
    loop {
        let mut piece = Vec::with_capacity(capacity);
        source.by_ref().take(capacity as u64).read_to_end(&mut piece)?;
        length += piece.len();
        if length > most {
            return Ok(None);
        }
        if piece.is_empty() {
            return Ok(Some(match pieces.len() {
                1 => pieces.remove(0),
                _ => pieces.concat(),
            }));
        }
        pieces.push(piece);
        capacity = CHUNK_SIZE;
    }
}

/// The file that is being read. Reading a pipe without a writer blocks, so other threads must be able to report it.
static BEING_READ: Mutex<Option<PathBuf>> = Mutex::new(None);

fn note(path: Option<PathBuf>) {
    *BEING_READ.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

/// The file that another thread is reading, for a caller that stops waiting for it.
pub(crate) fn being_read() -> Option<PathBuf> {
    BEING_READ.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Reads a text file like [`read`].
pub(crate) fn read_text(path: &Path, most: usize) -> Result<String, FileReadError> {
    let bytes = read(path, most)?;
    decode(&bytes)
        .map(Cow::into_owned)
        .ok_or_else(|| FileReadError::NotText { path: path.to_owned() })
}

/// The bytes of a file as text, without a byte order mark: UTF-8, or UTF-16 as Windows PowerShell's `>` and many
/// editors write it. `None` for anything else, which is then not UTF-8 either.
pub fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let narrow = |bytes| std::str::from_utf8(bytes).ok().map(Cow::Borrowed);
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => narrow(rest),
        // Without the mark: no file that we read begins with a letter and a NUL.
        [first, 0, ..] if *first != 0 => wide(bytes, u16::from_le_bytes).or_else(|| narrow(bytes)),
        [0, second, ..] if *second != 0 => wide(bytes, u16::from_be_bytes).or_else(|| narrow(bytes)),
        _ => narrow(bytes),
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'_, str>> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .ok()
        .map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write as _, path::Path, process::Command, thread};

    use proptest::prelude::*;

    use super::{CHUNK_SIZE, decode, read, read_text, up_to};

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf8_and_utf16_are_decoded() {
        for bytes in [
            b"[1]".to_vec(),
            b"\xef\xbb\xbf[1]".to_vec(),
            utf16("\u{feff}[1]", u16::to_le_bytes),
            utf16("\u{feff}[1]", u16::to_be_bytes),
            utf16("[1]", u16::to_le_bytes),
            utf16("[1]", u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Some("[1]"), "{bytes:?}");
        }
        for bytes in [&b"\xff\xfe["[..], b"\xff\xfe\x00\xd8", b"\xa0", b"\x1f\x8b\x08"] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
        for text in ["", "a\0b", "\0a\0"] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn file_is_read_whole_if_its_reported_size_is_wrong() {
        for length in [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE] {
            let bytes = vec![b'x'; length];
            for reported_size in [0, 1, length.saturating_sub(1), length, length + 1] {
                let whole = up_to(&bytes[..], reported_size, length).unwrap();
                assert_eq!(
                    whole.map(|whole| whole.len()),
                    Some(length),
                    "{reported_size} of {length}"
                );
            }
            assert!(length == 0 || up_to(&bytes[..], length, length - 1).unwrap().is_none());
        }
    }

    #[test]
    fn endless_file_gives_one_error() {
        let error = read(Path::new("/dev/zero"), 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "/dev/zero is larger than 1 MB, the limit for such a file");
        let folder = tempfile::tempdir().unwrap();
        let sparse = folder.path().join("a\u{1b}b");
        std::fs::File::create(&sparse).unwrap().set_len(1 << 30).unwrap();
        let error = read(&sparse, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("a\\u{1b}b is larger than 1 MB"), "{error}");
    }

    #[test]
    fn unreadable_file_gives_one_error() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), &folder.path().join("none")] {
            let error = read_text(path, 100).unwrap_err().to_string();
            assert!(error.starts_with("cannot read /"), "{error}");
        }
        let binary = folder.path().join("binary");
        std::fs::write(&binary, b"\x7fELF\xff").unwrap();
        let error = read_text(&binary, 100).unwrap_err().to_string();
        assert!(error.ends_with("binary is not text: save it as UTF-8"), "{error}");
        std::fs::write(&binary, vec![b'x'; 100]).unwrap();
        assert_eq!(read(&binary, 100).unwrap().len(), 100);
    }

    #[test]
    fn pipe_is_read_to_eof_or_refused_without_writer() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = read(&pipe, 100).unwrap_err().to_string();
        assert!(error.ends_with("pipe: it is a pipe without a writer"), "{error}");
        for text in ["", "two\nlines\n"] {
            let writer = {
                let pipe = pipe.clone();
                thread::spawn(move || {
                    let mut pipe = OpenOptions::new().write(true).open(pipe).unwrap();
                    let (first, second) = text.split_at(text.len() / 2);
                    pipe.write_all(first.as_bytes()).unwrap();
                    // Half of the time, the reader is already waiting for the rest by then.
                    thread::yield_now();
                    pipe.write_all(second.as_bytes()).unwrap();
                })
            };
            assert_eq!(read(&pipe, 100).unwrap(), text.as_bytes());
            writer.join().unwrap();
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_refused(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
