//! What confirms a change.

use std::time::Duration;

use crate::{
    diff::EndpointState,
    model::{Cause, Verdict},
};

/// With this much time, every packet is sent at least twice: a SYN is repeated after 1 s (RFC 6298 §2.1), data after
/// 200 ms on Linux, and our datagrams after a fifth of the timeout.
const SENT_TWICE: Duration = Duration::from_millis(1_500);

/// Whether an endpoint must be probed again before its result counts.
///
/// `known` is its previous state, `None` in the first round; `timeout` is the limit of each stage.
pub fn needs_second_look(known: Option<EndpointState>, seen: EndpointState, timeout: Duration) -> bool {
    let is_believed = match seen.cause {
        _ if known == Some(seen) || seen.verdict == Verdict::Reachable => true,
        // The round ended before there was an answer: no time is left to probe again.
        Some(Cause::Deadline) => true,
        Some(Cause::DnsTimeout | Cause::TcpTimeout | Cause::TlsTimeout | Cause::HelloTimeout) => timeout >= SENT_TWICE,
        _ => false,
    };
    !is_believed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_packet_loss_could_explain_are_checked_again() {
        let state = |verdict, cause| EndpointState { verdict, cause };
        let reachable = state(Verdict::Reachable, None);
        let reset = state(Verdict::Blocked, Some(Cause::TlsReset));
        let silent = state(Verdict::Blocked, Some(Cause::TcpTimeout));
        let late = state(Verdict::NotTested, Some(Cause::Deadline));
        let doubted = state(Verdict::Degraded, None);
        for (known, seen, timeout_ms, again) in [
            (Some(reachable), reset, 5_000, true),
            (Some(reachable), silent, 5_000, false),
            (Some(reachable), silent, 1_000, true),
            (Some(reachable), late, 1_000, false),
            (Some(reachable), doubted, 5_000, true),
            (Some(silent), reset, 5_000, true),
            (Some(reset), reset, 5_000, false),
            (Some(reset), reachable, 1_000, false),
            (None, reachable, 1_000, false),
            (None, reset, 5_000, true),
        ] {
            let timeout = Duration::from_millis(timeout_ms);
            assert_eq!(
                needs_second_look(known, seen, timeout),
                again,
                "{known:?} then {seen:?} with {timeout:?}"
            );
        }
    }
}
