//! Faults of a service itself: each kind is counted, and logged in one line.

use std::time::{Duration, Instant};

use super::stderr::{LogLevel, write_line};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServeFault {
    /// This machine's clock was set, or stopped.
    Clock,
    /// More connections were open than allowed, or none could be accepted.
    Connections,
    /// A round took longer than the interval.
    LateRound,
    /// Lines of the log could not be written.
    Log,
    /// Nothing could be tried in a round, because descriptors, ports, or any route are missing.
    NothingTried,
    /// Something that SIGHUP, or the hourly reload, should have reloaded is invalid, so the old version stays in
    /// effect.
    Reload,
    /// A client did not speak HTTP, or TLS failed.
    Request,
}

impl ServeFault {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Clock,
        Self::Connections,
        Self::LateRound,
        Self::Log,
        Self::NothingTried,
        Self::Reload,
        Self::Request,
    ];

    /// The word in metrics and in the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Connections => "connections",
            Self::LateRound => "late-round",
            Self::Log => "log",
            Self::NothingTried => "nothing-tried",
            Self::Reload => "reload",
            Self::Request => "request",
        }
    }

    /// How often a fault of one kind is reported, at most: peers can cause some of them at will.
    fn pause(self) -> Duration {
        match self {
            Self::Connections | Self::Request | Self::Log | Self::LateRound => Duration::from_secs(60),
            Self::Clock | Self::NothingTried | Self::Reload => Duration::ZERO,
        }
    }
}

/// The number of faults of each kind.
#[derive(Debug, Default)]
pub(crate) struct Faults([Tally; ServeFault::ALL.len()]);

#[derive(Debug, Default)]
struct Tally {
    n: u64,
    suppressed: u64,
    logged_at: Option<Instant>,
}

impl Faults {
    /// The number of a fault.
    pub(crate) fn count(&self, fault: ServeFault) -> u64 {
        self.0[fault as usize].n
    }

    /// Counts a fault; returns the line that reports it, unless one was reported just before.
    pub(super) fn note(&mut self, fault: ServeFault, text: &str, now: Instant) -> Option<String> {
        let tally = &mut self.0[fault as usize];
        tally.n += 1;
        let is_soon = |logged_at: Instant| now.duration_since(logged_at) < fault.pause();
        if tally.logged_at.is_some_and(is_soon) {
            tally.suppressed += 1;
            return None;
        }
        tally.logged_at = Some(now);
        Some(match std::mem::take(&mut tally.suppressed) {
            0 => text.to_owned(),
            n => format!("{text} (and {n} more since the last such line)"),
        })
    }
}

/// Writes the line for a fault.
pub(super) fn log_line(line: &str) {
    write_line(LogLevel::Warning, line);
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Faults, ServeFault};

    #[test]
    fn fault_words_are_sorted_and_repeated_faults_logged_per_minute() {
        let words: Vec<_> = ServeFault::ALL.iter().map(|fault| fault.as_str()).collect();
        assert!(words.is_sorted());
        let (mut faults, now) = (Faults::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(
            faults.note(ServeFault::Request, "nonsense", now).as_deref(),
            Some("nonsense")
        );
        assert_eq!(faults.note(ServeFault::Request, "nonsense", after(59)), None);
        assert_eq!(
            faults.note(ServeFault::Request, "nonsense", after(60)).as_deref(),
            Some("nonsense (and 1 more since the last such line)")
        );
        assert_eq!(
            (faults.count(ServeFault::Request), faults.count(ServeFault::Log)),
            (3, 0)
        );
    }
}
