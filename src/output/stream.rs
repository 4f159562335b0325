//! Writing to a reader: a pipe, a terminal, a device.

use std::{
    io::{self, Write as _},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd,
};

/// The size of the buffer.
const GATHERED: usize = 64 << 10;

/// Calls `content` with a writer to the reader, and makes sure that everything arrives; otherwise like [`write()`].
///
/// # Errors
///
/// As for [`write()`], and the errors of `content`.
pub(crate) fn write_with(
    to: &impl AsFd,
    content: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let mut writer = io::BufWriter::with_capacity(GATHERED, TimedWriter { to, timeout });
    let written = content(&mut writer).and_then(|()| writer.flush());
    // What is left was refused once, or belongs to an incomplete document: it is not written again.
    drop(writer.into_parts());
    written
}

/// A writer to a reader.
struct TimedWriter<'a, T> {
    to: &'a T,
    timeout: Option<Duration>,
}

impl<T: AsFd> io::Write for TimedWriter<'_, T> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        write(self.to, content, self.timeout)?;
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe that accepts anything accepts this much without blocking (`PIPE_BUF`, pipe(7)).
const CHUNK_SIZE: usize = 4096;

/// Writes everything. If a reader accepts nothing for `timeout`, writing stops; without it, writing waits as long as
/// the reader does.
///
/// # Errors
///
/// `TimedOut` if the reader accepted nothing, `BrokenPipe` if it has gone, and other errors of the system.
pub(crate) fn write(to: &impl AsFd, content: &[u8], timeout: Option<Duration>) -> io::Result<()> {
    let to = to.as_fd();
    let mut rest = content;
    let mut since = Instant::now();
    while !rest.is_empty() {
        let left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(to, PollFlags::POLLOUT)], timeout) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader no longer reads"));
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let piece = rest.get(..CHUNK_SIZE).unwrap_or(rest);
        match unistd::write(to, piece) {
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                since = Instant::now();
            }
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
