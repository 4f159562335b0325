//! What a failed socket call or connection means.
//!
//! Measured on Linux: an error number without a queued ICMP error is this machine's own, one with it came from the
//! sender of that error.

use std::time::Duration;

use crate::{
    model::Cause,
    net::{SocketFailure, icmp::IcmpError},
    text::words,
};

/// From this time on, "host unreachable" from this machine itself means that the next hop did not answer ARP or, over
/// IPv6, neighbour discovery. The kernel gives up after three requests, a second apart, which an earlier connection may
/// have started; a firewall refuses at once.
const DEAD_NEXT_HOP: Duration = Duration::from_millis(100);

/// The cause of a failed connection attempt, and what was seen.
pub(super) fn over_tcp(failure: &SocketFailure, duration: Duration) -> (Cause, String) {
    if let Some(error) = failure.icmp.first() {
        return (Cause::TcpUnreachable, icmp(error, duration));
    }
    match failure.errno {
        Some(_) if is_without_route(failure) => (Cause::TcpNoRoute, no_route(failure)),
        Some(libc::ECONNREFUSED) => (
            Cause::TcpRefused,
            format!("refused with a reset after {}", words::duration(duration)),
        ),
        Some(libc::ETIMEDOUT) if !failure.immediate => (
            Cause::TcpTimeout,
            format!("the kernel gave up after {}", words::duration(duration)),
        ),
        Some(_) if !failure.immediate => (
            Cause::TcpUnreachable,
            format!("{} after {}", failure.text, words::duration(duration)),
        ),
        _ => (Cause::LocalFault, local(failure)),
    }
}

/// The cause of a failed datagram, and what was seen.
pub(super) fn over_udp(failure: &SocketFailure, duration: Duration) -> (Cause, String) {
    if let Some(error) = failure.icmp.first() {
        let refused = matches!((error.v6, error.kind, error.code), (false, 3, 3) | (true, 1, 4));
        let cause = if refused {
            Cause::UdpRefused
        } else {
            Cause::UdpUnreachable
        };
        return (cause, icmp(error, duration));
    }
    match failure.errno {
        Some(libc::ECONNREFUSED) => (
            Cause::UdpRefused,
            format!("port unreachable after {}", words::duration(duration)),
        ),
        Some(_) if is_without_route(failure) => (Cause::UdpUnreachable, no_route(failure)),
        Some(_) if !failure.immediate => (
            Cause::UdpUnreachable,
            format!("{} after {}", failure.text, words::duration(duration)),
        ),
        _ => (Cause::LocalFault, local(failure)),
    }
}

/// Whether an ICMP error from this machine itself, after the time `after`, means that the next hop did not answer.
pub(super) fn is_of_a_dead_next_hop(error: &IcmpError, after: Duration) -> bool {
    matches!((error.v6, error.kind, error.code), (false, 3, 1) | (true, 1, 3)) && after >= DEAD_NEXT_HOP
}

/// Whether the kernel refused at once because it has no route.
pub(super) fn is_without_route(failure: &SocketFailure) -> bool {
    let errnos = [libc::ENETUNREACH, libc::EHOSTUNREACH, libc::ENETDOWN];
    failure.immediate && failure.icmp.is_empty() && failure.errno.is_some_and(|errno| errnos.contains(&errno))
}

fn no_route(failure: &SocketFailure) -> String {
    format!("this machine has no route to it ({})", failure.text)
}

fn local(failure: &SocketFailure) -> String {
    format!("this machine could not probe: {}", failure.text)
}

fn icmp(error: &IcmpError, duration: Duration) -> String {
    if !error.own {
        return error.to_string();
    }
    if is_of_a_dead_next_hop(error, duration) {
        return format!(
            "the next hop is dead: it did not answer {} within {} ({error})",
            error.resolution(),
            words::duration(duration)
        );
    }
    format!("this machine's own firewall refuses it: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_next_hop_names_arp_for_ipv4_and_ndp_for_ipv6() {
        for (v6, kind, code, asked) in [
            (false, 3, 1, "answer ARP within"),
            (true, 1, 3, "answer neighbour discovery within"),
        ] {
            let error = IcmpError {
                kind,
                code,
                v6,
                sender: None,
                own: true,
            };
            let description = icmp(&error, Duration::from_secs(3));
            assert!(description.contains(asked), "{description}");
        }
    }
}
