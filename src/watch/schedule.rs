//! When rounds begin.

use std::time::{Duration, Instant};

/// By how much an interval may be shortened: agents that were started together spread out.
const JITTER: f64 = 0.1;

/// When the round after one that began at `started` begins: one interval later, or `now` if that has passed, so that
/// rounds never overlap.
///
/// `chance` is a random number, which shortens an interval by up to a tenth. It is never longer, so that a change is
/// seen within it.
pub fn next_start(started: Instant, interval: Duration, chance: u16, now: Instant) -> Instant {
    let shorter = JITTER * f64::from(chance) / f64::from(u16::MAX);
    (started + interval.mul_f64(1.0 - shorter)).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_round_starts_with_jitter_and_never_in_the_past() {
        let started = Instant::now();
        let at = |ms| started + Duration::from_millis(ms);
        for (chance, now, next) in [
            (0, 100, 5_000),
            (u16::MAX, 100, 4_500),
            (0, 7_000, 7_000),
            (u16::MAX, 4_600, 4_600),
        ] {
            assert_eq!(
                next_start(started, Duration::from_secs(5), chance, at(now)),
                at(next),
                "{chance} {now}"
            );
        }
    }
}
