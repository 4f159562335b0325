//! What the connections and queries of a run show about the line itself: how many packets it loses, how slow it is, and
//! whether connections to one address differ.

use std::time::Duration;

use super::row::ProbedEndpoint;
use crate::{
    model::{Cause, FailureMode, Transport},
    net::{dns::DnsEnd, icmp::TcpFacts},
    probe::trace::{Attempt, NameTrace},
};

/// With a round trip of this length, the kernel retransmits SYNs that were never lost (RFC 6298 §2: its first timer is
/// 1 s).
const SLOW: Duration = Duration::from_millis(900);
/// This many exchanges must have needed a repetition before it is reported: one delay does not make a bad line.
const MIN_REPEATED: usize = 3;
/// This share of the connections must have needed it as well, in percent.
const SHARE: usize = 5;
/// From this share on, packet loss may explain missing replies; in percent. A loss of five packets in a hundred, in
/// each direction, leads to about 25: few enough that no connection fails.
const HEAVY: usize = 30;
/// If random loss leaves an endpoint without a reply in this many of a hundred runs, loss may be the reason here.
const RANDOM_LOSS_PERCENT: f64 = 1.0;

/// The quality of the line during the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkQuality {
    /// Connections over which the service was verified, if the kernel counted retransmissions.
    pub connections: usize,
    /// Those that retransmitted something that was lost.
    pub lossy: usize,
    /// Those with unnecessary retransmissions: the peer already had all the data. Then the line, or a machine, stalled
    /// for a moment.
    pub stalled: usize,
    /// UDP queries that were answered.
    pub questions: usize,
    /// Those that had to be repeated.
    pub repeated: usize,
    /// Connections, among those that passed, whose round trips take about as long as the kernel waits for an answer to
    /// a SYN.
    pub slow: usize,
    /// The longest round trip.
    pub round_trip: Duration,
    /// When the last connection began that lost something, measured from the start of the run.
    pub last_loss: Option<Duration>,
    /// Connections that began later.
    pub later: usize,
}

impl LinkQuality {
    /// Evaluates all rows, and the answers of the name servers.
    pub fn of<'a>(rows: &[ProbedEndpoint<'_>], names: impl Iterator<Item = &'a NameTrace>) -> Self {
        let mut line = Self::default();
        let mut whole = Vec::new();
        for row in rows {
            for (attempt, outcome) in row.attempts().iter().zip(&row.judgement.outcomes) {
                if outcome.verdict.passes()
                    && let Some(counted) = &attempt.counted
                {
                    if line.connection(counted) {
                        line.last_loss = line.last_loss.max(Some(attempt.started));
                    } else {
                        whole.push(attempt.started);
                    }
                }
                line.asked(attempt);
            }
        }
        line.later = whole.iter().filter(|started| Some(**started) > line.last_loss).count();
        for reply in names.flat_map(NameTrace::replies) {
            for exchange in reply.questions() {
                line.question(matches!(exchange.end, DnsEnd::Answered(_)), exchange.sent);
            }
        }
        line
    }

    /// Counts a connection, and returns whether it lost something.
    fn connection(&mut self, counted: &TcpFacts) -> bool {
        self.connections += 1;
        let round_trip = counted.round_trip.unwrap_or_default();
        self.round_trip = self.round_trip.max(round_trip);
        if round_trip >= SLOW {
            self.slow += 1;
        } else if counted.lost() > 0 {
            self.lossy += 1;
            return true;
        } else if counted.retransmitted > 0 {
            self.stalled += 1;
        }
        false
    }

    fn asked(&mut self, attempt: &Attempt) {
        if let Some(exchange) = &attempt.ntp {
            let answered = matches!(exchange.end, crate::net::udp::UdpEnd::Replied(_));
            self.question(answered, exchange.sent);
        }
        if let Some(exchange) = attempt
            .dns
            .as_ref()
            .filter(|exchange| exchange.transport == Transport::Udp)
        {
            self.question(matches!(exchange.end, DnsEnd::Answered(_)), exchange.sent);
        }
    }

    fn question(&mut self, answered: bool, sent: usize) {
        self.questions += usize::from(answered);
        self.repeated += usize::from(answered && sent > 1);
    }

    /// Whether round trips are so long that repetitions show nothing about loss.
    pub fn is_slow(&self) -> bool {
        self.slow >= MIN_REPEATED && self.slow * 2 >= self.connections
    }

    /// Whether packets are lost often enough to be reported. Repeated queries alone show nothing: a name server may be
    /// slow, and if one instance of a pair is dead, connections through the other lose nothing. If most retransmitted
    /// data had already arrived, a short stall explains the rest, because not every peer reports it in time.
    pub fn loses(&self) -> bool {
        self.lossy > self.stalled
            && self.lossy + self.repeated >= MIN_REPEATED
            && self.lossy * 100 >= self.connections * SHARE
    }

    /// Whether packets were lost for a while only: so many later connections lost nothing that this is hardly random.
    pub fn is_over(&self) -> bool {
        self.lossy > 0 && 100.0 * in_a_row(1.0 - self.lossy_share(), self.later) < RANDOM_LOSS_PERCENT
    }

    /// Whether random loss may explain this many lost packets in a row, at any one of the endpoints. This counts from
    /// the first loss on: if few connections were made, one loss is a large share.
    pub fn may_lose(&self, packets: usize) -> bool {
        if self.lossy <= self.stalled {
            return false;
        }
        // At least as many connections lose something as packets are lost.
        100.0 * number(self.connections) * in_a_row(self.lossy_share(), packets) >= RANDOM_LOSS_PERCENT
    }

    /// The share of connections that lost something; not a number if there were none.
    fn lossy_share(&self) -> f64 {
        number(self.lossy) / number(self.connections)
    }

    /// Whether so many are lost that missing replies may be random.
    pub fn is_poor(&self) -> bool {
        self.is_slow() || (self.loses() && self.lossy * 100 >= self.connections * HEAVY)
    }
}

/// The probability that something with this probability happens this often in a row.
fn in_a_row(chance: f64, times: usize) -> f64 {
    chance.powi(i32::try_from(times).unwrap_or(i32::MAX))
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whether two causes may have one root if connections differ: the same missing reply, the same cut; refusals and
/// answers only if they are the same.
pub fn same_class(one: Cause, other: Cause) -> bool {
    one == other || (one.ending() == other.ending() && matches!(one.ending(), FailureMode::Silence | FailureMode::Cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_loss_is_over_after_enough_lossless_connections() {
        for (lossy, connections, later, is_over) in [
            (0, 60, 60, false),
            (30, 60, 0, false),
            (30, 60, 5, false),
            (30, 60, 8, true),
            (6, 60, 30, false),
            (6, 60, 50, true),
            (60, 60, 0, false),
        ] {
            let line = LinkQuality {
                connections,
                lossy,
                later,
                ..LinkQuality::default()
            };
            assert_eq!(line.is_over(), is_over, "{line:?}");
        }
    }
}
