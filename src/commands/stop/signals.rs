//! Ctrl-C, SIGTERM, and SIGHUP, which a lost terminal sends.

use std::{
    io,
    path::Path,
    process,
    time::{Duration, Instant},
};

use nix::sys::signal::{SigSet, Signal};
use tokio::{
    signal::unix::{self, SignalKind},
    sync::watch,
};

use crate::{file, model::ExitStatus};

/// A signal that comes again within this time is the same one: timeout(1) sends its own twice.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(50);

/// Holds signals back from now on, until a handler is installed. Threads that start later inherit this, so the calling
/// thread handles them.
pub(crate) fn hold() {
    // If they cannot be held back, they end the process, as by default.
    let _ = handled().thread_block();
}

/// Lets signals through again.
pub(crate) fn release() {
    let _ = handled().thread_unblock();
}

fn handled() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// What SIGHUP means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// The terminal is lost: this ends the run, unless the parent wants the process to survive it, as nohup(1) does.
    Ends,
    /// It is reported to those that poll, and ends nothing.
    IsTold,
}

/// Receives signals.
pub(super) struct Listeners {
    means: HangUp,
    interrupt: unix::Signal,
    terminate: unix::Signal,
    /// None if the process must survive it.
    hang_up: Option<unix::Signal>,
}

impl Listeners {
    /// Must be called inside a runtime.
    pub(super) fn new(means: HangUp) -> io::Result<Self> {
        Ok(Self {
            means,
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hang_up: if means == HangUp::Ends && is_ignored(Signal::SIGHUP) {
                None
            } else {
                Some(unix::signal(SignalKind::hangup())?)
            },
        })
    }

    /// Reports the first signal, and ends the process at the second.
    ///
    /// A lost terminal causes several signals, from the kernel and from the shell, often followed by SIGTERM: none of
    /// them is a second request by the user.
    pub(super) async fn listen(mut self, signalled: watch::Sender<bool>, hung_up: watch::Sender<u32>) {
        let mut first: Option<Instant> = None;
        loop {
            let asked = tokio::select! {
                _ = self.interrupt.recv() => true,
                _ = self.terminate.recv() => true,
                () = hang_up(&mut self.hang_up) => {
                    if self.means == HangUp::IsTold {
                        hung_up.send_modify(|times| *times = times.wrapping_add(1));
                        continue;
                    }
                    false
                }
            };
            signalled.send_replace(true);
            if asked {
                let first = *first.get_or_insert_with(Instant::now);
                if first.elapsed() > DUPLICATE_WINDOW {
                    process::exit(ExitStatus::INTERRUPTED.into());
                }
            }
        }
    }
}

async fn hang_up(signal: &mut Option<unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the process was started with a signal ignored, according to proc(5).
fn is_ignored(signal: Signal) -> bool {
    let status = file::read_text(Path::new("/proc/self/status"), 1 << 16).unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}
