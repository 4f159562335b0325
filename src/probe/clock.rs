//! How far this machine's clock is off, according to its peers.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use super::trace::{Attempt, Trace};
use crate::{
    hello::{ExchangeEnd, ProtocolReply},
    net::udp::UdpEnd,
};

/// A smaller difference is not worth reporting: HTTP dates have a resolution of a second, and bodies take time.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// How far `now` is ahead of the peer's time, from NTP or an HTTP `Date` (RFC 9110 §6.6.1).
pub fn ahead(attempt: &Attempt, now: Timestamp) -> Option<SignedDuration> {
    let theirs = match (&attempt.ntp, &attempt.hello) {
        (Some(exchange), _) => match &exchange.end {
            UdpEnd::Replied(reply) if reply.synchronised => {
                Timestamp::from_duration(SignedDuration::try_from_secs_f64(reply.transmit?).ok()?)
            }
            _ => return None,
        },
        (None, Some(hello)) => match &hello.greeting.end {
            ExchangeEnd::Replied(ProtocolReply::Http(reply)) => {
                rfc2822::DateTimeParser::new().parse_timestamp(reply.header("date")?)
            }
            _ => return None,
        },
        (None, None) => return None,
    };
    Some(now.duration_since(theirs.ok()?))
}

/// The difference of this machine's clock from the peers'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// How far it is ahead of theirs; negative if it is behind.
    pub ahead: SignedDuration,
    /// Whether they were verified. Any device on the path can answer NTP and plain HTTP.
    pub signed: bool,
}

impl ClockOffset {
    /// Whether it is off by more than the error of such a measurement.
    pub fn is_off(&self) -> bool {
        self.ahead.abs() > TOLERANCE
    }
}

/// The median of the peers, if there are any; of the verified ones only, if there are any.
pub fn measured<'a>(traces: impl Iterator<Item = &'a Trace>) -> Option<ClockOffset> {
    let (mut signed, mut unsigned) = (Vec::new(), Vec::new());
    for attempt in traces.flat_map(|trace| &trace.attempts) {
        if let Some(ahead) = attempt.clock_ahead {
            // After a handshake, nothing is sent to a peer that was not verified.
            let accounts = if attempt.tls.is_some() {
                &mut signed
            } else {
                &mut unsigned
            };
            accounts.push(ahead);
        }
    }
    let is_signed = !signed.is_empty();
    let mut accounts = if is_signed { signed } else { unsigned };
    accounts.sort();
    // The median: a single server with a wrong clock shows nothing about ours.
    let ahead = *accounts.get(accounts.len() / 2)?;
    Some(ClockOffset {
        ahead,
        signed: is_signed,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::{ClockOffset, measured};
    use crate::{
        net::tls::{TlsEnd, TlsTrace},
        probe::trace::{Attempt, Trace},
    };

    fn attempt_with_clock(seconds: i64, signed: bool) -> Attempt {
        let tls = signed.then(|| TlsTrace {
            duration: Duration::ZERO,
            end: TlsEnd::Completed,
            version: None,
            cipher: None,
            chain: None,
            key_proved: true,
            asked_for_certificate: false,
            received: Vec::new(),
        });
        Attempt {
            clock_ahead: Some(SignedDuration::from_secs(seconds)),
            tls: tls.map(Box::new),
            ..Attempt::new("20.0.0.1:123".parse().unwrap())
        }
    }

    fn offset_of(accounts: Vec<Attempt>) -> Option<ClockOffset> {
        let trace = Trace {
            duration: Duration::ZERO,
            name: None,
            attempts: accounts,
            cut: false,
        };
        measured(std::iter::once(&trace))
    }

    #[test]
    fn verified_peers_outrank_unverified_for_clock_offset() {
        let secs = SignedDuration::from_secs;
        assert_eq!(offset_of(Vec::new()), None);
        for (accounts, ahead, signed) in [
            (
                vec![
                    attempt_with_clock(1, false),
                    attempt_with_clock(3600, false),
                    attempt_with_clock(3599, false),
                ],
                3599,
                false,
            ),
            (
                vec![
                    attempt_with_clock(3600, false),
                    attempt_with_clock(3600, false),
                    attempt_with_clock(2, true),
                ],
                2,
                true,
            ),
            (
                vec![attempt_with_clock(0, false), attempt_with_clock(-500, true)],
                -500,
                true,
            ),
        ] {
            assert_eq!(
                offset_of(accounts),
                Some(ClockOffset {
                    ahead: secs(ahead),
                    signed
                })
            );
        }
    }
}
