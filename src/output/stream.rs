//! Writing to whoever reads: a pipe, a terminal, a device.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd,
};

/// A pipe that takes anything at all takes this much without making us wait (`PIPE_BUF`, pipe(7)).
const PIECE: usize = 4096;

/// Writes everything. A reader that takes nothing for as long as `patience` is given up; without it we wait for as long
/// as the reader does.
///
/// # Errors
/// `TimedOut` for a reader that was given up, `BrokenPipe` for one that went away, and whatever else the system says.
pub(crate) fn write(to: &impl AsFd, content: &[u8], patience: Option<Duration>) -> io::Result<()> {
    let to = to.as_fd();
    let mut rest = content;
    let mut since = Instant::now();
    while !rest.is_empty() {
        let left = patience.map(|patience| patience.saturating_sub(since.elapsed()));
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(to, PollFlags::POLLOUT)], timeout) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader takes nothing more"));
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let piece = rest.get(..PIECE).unwrap_or(rest);
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
