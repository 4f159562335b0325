//! A moment by two clocks: one that can be set, and one that cannot.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClockReading {
    /// By the machine's clock.
    pub wall: Timestamp,
    /// By the monotonic clock.
    pub steady: Instant,
}

impl ClockReading {
    /// The current moment.
    pub(crate) fn now() -> Self {
        Self {
            wall: Timestamp::now(),
            steady: Instant::now(),
        }
    }

    /// How far the machine's clock has jumped ahead since an earlier moment, beyond the elapsed time; negative if it
    /// jumped back.
    pub(crate) fn clock_drift_since(self, earlier: Self) -> SignedDuration {
        let passed = self.steady.saturating_duration_since(earlier.steady);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.wall.duration_since(earlier.wall).saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::ClockReading;

    #[test]
    fn clock_drift_is_wall_time_minus_monotonic_time() {
        let began = ClockReading::now();
        let after = |wall, steady| ClockReading {
            wall: began.wall + SignedDuration::from_secs(wall),
            steady: began.steady + Duration::from_secs(steady),
        };
        for (wall, steady, strayed) in [(60, 60, 0), (90, 60, 30), (-30, 60, -90), (0, 0, 0)] {
            let seen = after(wall, steady).clock_drift_since(began);
            assert_eq!(seen, SignedDuration::from_secs(strayed), "{wall} {steady}");
        }
    }
}
