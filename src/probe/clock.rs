//! How far this machine's clock is off, as far as peers say what time it is.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use super::trace::{Attempt, Trace};
use crate::{
    hello::{End, Reply},
    net::udp::UdpEnd,
};

/// Less is not worth a word: HTTP dates count in seconds, and bodies take their time.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// How far `now` is ahead of the time that the peer gave, by NTP or in an HTTP `Date` (RFC 9110 §6.6.1).
pub fn ahead(attempt: &Attempt, now: Timestamp) -> Option<SignedDuration> {
    let theirs = match (&attempt.ntp, &attempt.hello) {
        (Some(exchange), _) => match &exchange.end {
            UdpEnd::Replied(reply) if reply.synchronised => {
                Timestamp::from_duration(SignedDuration::try_from_secs_f64(reply.transmit?).ok()?)
            }
            _ => return None,
        },
        (None, Some(hello)) => match &hello.greeting.end {
            End::Replied(Reply::Http(reply)) => rfc2822::DateTimeParser::new().parse_timestamp(reply.header("date")?),
            _ => return None,
        },
        (None, None) => return None,
    };
    Some(now.duration_since(theirs.ok()?))
}

/// How far the clock is off by most accounts, where it is off at all; positive where it is ahead.
pub fn skew<'a>(traces: impl Iterator<Item = &'a Trace>) -> Option<SignedDuration> {
    let mut accounts: Vec<SignedDuration> = traces
        .flat_map(|trace| &trace.attempts)
        .filter_map(|attempt| attempt.clock_ahead)
        .collect();
    accounts.sort();
    // The median: a single server with a wrong clock says nothing about ours.
    let median = *accounts.get(accounts.len() / 2)?;
    (median.abs() > TOLERANCE).then_some(median)
}
