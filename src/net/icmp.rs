//! What the kernel knows about a socket: ICMP errors with their sender, and unanswered SYNs.
//!
//! Linux keeps the ICMP errors of a socket in its error queue (`IP_RECVERR`, ip(7)), for TCP only while connecting and
//! since Linux 5.8. On other systems the queue is always empty, and there is only the error number.

use std::{fmt, net::IpAddr, time::Duration};

/// One ICMP error, as the kernel queued it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IcmpError {
    /// The ICMP type (RFC 792; RFC 4443 for ICMPv6).
    pub kind: u8,
    /// The code within the type.
    pub code: u8,
    /// True for ICMPv6.
    pub v6: bool,
    /// The sender.
    pub sender: Option<IpAddr>,
    /// True if the sender is this machine itself.
    pub own: bool,
}

impl IcmpError {
    /// How a kernel requests the hardware address of a next hop (RFC 826; RFC 4861 §7.2.2).
    pub fn resolution(&self) -> &'static str {
        if self.v6 { "neighbour discovery" } else { "ARP" }
    }

    /// The name of type and code (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3).
    pub fn name(&self) -> &'static str {
        match (self.v6, self.kind, self.code) {
            (false, 3, 0) => "network unreachable",
            (false, 3, 1) | (true, 1, 3) => "host unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) | (true, 2, _) => "packet too big",
            (false, 3, 9) => "network administratively prohibited",
            (false, 3, 10) => "host administratively prohibited",
            (false, 3, 13) | (true, 1, 1) => "administratively prohibited",
            (false, 11, _) | (true, 3, _) => "TTL exceeded, a routing loop",
            (true, 1, 0) => "no route",
            (true, 1, 5) => "refused by source address policy",
            (true, 1, 6) => "reject route",
            _ => "ICMP error",
        }
    }

    /// Whether it is a refusal by policy, not a missing route.
    pub fn is_prohibition(&self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6)
        )
    }

    /// Whether its TTL expired at a router (RFC 792, RFC 4443 §3.3).
    pub fn is_out_of_hops(&self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 11, 0) | (true, 3, 0))
    }

    /// Whether a host exists and rejects the port or the protocol: no route is missing, and no policy is mentioned.
    pub fn is_rejection(&self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 2 | 3) | (true, 1, 4) | (true, 4, 1)
        )
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = if self.is_rejection() { "rejects it" } else { "answered" };
        match self.sender {
            Some(sender) => write!(f, "{sender} {does}: ")?,
            None => write!(f, "ICMP {does}: ")?,
        }
        let six = if self.v6 { "v6" } else { "" };
        write!(f, "{} (ICMP{six} {}/{})", self.name(), self.kind, self.code)
    }
}

/// What the kernel counted on one TCP connection (`TCP_INFO`, tcp(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFacts {
    /// The largest segment that is sent, in bytes: agreed by both ends, and by devices on the path that clamp it.
    pub segment: u32,
    /// The smoothed round-trip time; `None` if nothing was ever acknowledged.
    pub round_trip: Option<Duration>,
    /// Segments that were retransmitted, including SYNs.
    pub retransmitted: u32,
    /// Those that the peer had already received, according to its own reports (DSACK, RFC 2883); `None` before Linux
    /// 5.4.
    pub needless: Option<u32>,
    /// Segments that arrived before others that are missing; `None` before Linux 5.4.
    pub out_of_order: Option<u32>,
}

impl TcpFacts {
    /// Segments that were retransmitted because they, or their acknowledgements, were lost.
    pub fn lost(&self) -> u32 {
        self.retransmitted.saturating_sub(self.needless.unwrap_or(0))
    }
}

/// What happened to the SYNs of an unanswered connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynCounts {
    /// How many the kernel sent, or tried to send.
    pub sent: usize,
    /// None of the retransmissions could be sent: something on this machine drops them. The kernel counts every
    /// retransmission (`tcpi_total_retrans`), but as outstanding (`tcpi_retrans`) only those that it could send
    /// (`tcp_retransmit_skb`).
    pub kept_here: bool,
}

pub use platform::{drain, facts, listen, names_senders, stop_listening, unanswered_syns};

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        io::IoSliceMut,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        os::fd::{AsFd, AsRawFd},
        sync::LazyLock,
        time::Duration,
    };

    use nix::{
        cmsg_space,
        sys::socket::{
            ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt,
            sockopt::{Ipv4RecvErr, Ipv6RecvErr},
        },
    };

    use super::{IcmpError, SynCounts, TcpFacts};

    /// `ee_origin` of an error that arrived as ICMP or ICMPv6 (`linux/errqueue.h`).
    const ORIGIN_ICMP: u8 = 2;
    const ORIGIN_ICMP6: u8 = 3;
    /// `tcpi_state` while no SYN has been answered (`net/tcp_states.h`).
    const SYN_SENT: u8 = 2;

    /// Requests that the kernel queues ICMP errors for this socket.
    pub fn listen(socket: &impl AsFd, v6: bool) {
        set(socket, v6, true);
    }

    /// Ends [`listen`]: otherwise, one ICMP error would end an established connection.
    pub fn stop_listening(socket: &impl AsFd, v6: bool) {
        set(socket, v6, false);
    }

    fn set(socket: &impl AsFd, v6: bool, on: bool) {
        // Without kernel support there is less evidence, but the probe works.
        let _ = if v6 {
            setsockopt(socket, Ipv6RecvErr, &on)
        } else {
            setsockopt(socket, Ipv4RecvErr, &on)
        };
    }

    /// Reads every queued ICMP error; `own` is the socket's local address.
    pub fn drain(socket: &impl AsRawFd, own: Option<IpAddr>) -> Vec<IcmpError> {
        let mut errors = Vec::new();
        // A queue that never empties would be a kernel bug; this limit keeps the agent from hanging.
        for _ in 0..64 {
            let mut payload = [0_u8; 128];
            let mut parts = [IoSliceMut::new(&mut payload)];
            let mut space = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let Ok(message) = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)
            else {
                break;
            };
            let Ok(controls) = message.cmsgs() else { break };
            errors.extend(controls.filter_map(|control| icmp_error(&control, own)));
        }
        errors.dedup();
        errors
    }

    fn icmp_error(control: &ControlMessageOwned, own: Option<IpAddr>) -> Option<IcmpError> {
        let (error, sender) = match control {
            ControlMessageOwned::Ipv4RecvErr(error, from) => (
                error,
                from.map(|a| IpAddr::V4(Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)))),
            ),
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                (error, from.map(|a| IpAddr::V6(Ipv6Addr::from(a.sin6_addr.s6_addr))))
            }
            _ => return None,
        };
        let v6 = match error.ee_origin {
            ORIGIN_ICMP => false,
            ORIGIN_ICMP6 => true,
            _ => return None,
        };
        Some(IcmpError {
            kind: error.ee_type,
            code: error.ee_code,
            v6,
            sender,
            own: sender.is_some() && sender == own,
        })
    }

    /// The beginning of `struct tcp_info`, which every kernel has (linux/tcp.h): bytes, then words up to
    /// `tcpi_total_retrans`.
    ///
    /// The whole struct grows with the kernel, and nix requires the exact length.
    #[repr(C)]
    #[derive(Clone, Copy)]
    #[expect(
        unreachable_pub,
        reason = "the option of `sockopt_impl!` is public, and so its value"
    )]
    pub struct TcpInfoHead {
        state: u8,
        _bytes: [u8; 7],
        words: [u32; 24],
    }

    /// The same up to `tcpi_rcv_ooopack` (Linux 5.4).
    #[repr(C)]
    #[derive(Clone, Copy)]
    #[expect(
        unreachable_pub,
        reason = "the option of `sockopt_impl!` is public, and so its value"
    )]
    pub struct TcpInfoLong {
        head: TcpInfoHead,
        words: [u32; 31],
    }

    /// `tcpi_snd_mss`, `tcpi_retrans`, `tcpi_rtt` (microseconds) and `tcpi_total_retrans` among the words of the first
    /// part.
    const SND_MSS: usize = 2;
    const RETRANS: usize = 7;
    const RTT: usize = 15;
    const TOTAL_RETRANS: usize = 23;
    /// `tcpi_dsack_dups` and `tcpi_rcv_ooopack` among the words after it.
    const DSACK_DUPS: usize = 28;
    const OUT_OF_ORDER: usize = 30;

    /// nix requires the exact length, and an older kernel returns less.
    static KNOWS_OUT_OF_ORDER: LazyLock<bool> = LazyLock::new(|| {
        std::fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| is_at_least(&release, (5, 4)))
    });

    /// Whether a kernel release, such as `6.8.0-1021-azure`, is this one or later.
    pub(super) fn is_at_least(release: &str, least: (u32, u32)) -> bool {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= least,
            _ => false,
        }
    }

    /// Whether the kernel reports to a connecting socket which device sent an ICMP error: Linux does since 5.8.
    pub fn names_senders() -> bool {
        std::fs::read_to_string("/proc/sys/kernel/osrelease").is_ok_and(|release| is_at_least(&release, (5, 8)))
    }

    use nix::{getsockopt_impl, sockopt_impl};
    sockopt_impl!(
        /// The first part of `TCP_INFO`.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        TcpInfoHead
    );

    sockopt_impl!(
        /// The longer part of `TCP_INFO`.
        TcpInfoWithOrder,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        TcpInfoLong
    );

    /// The kernel's counts so far; `None` if it does not report them.
    pub fn facts(socket: &impl AsFd) -> Option<TcpFacts> {
        let (head, needless, out_of_order) = if *KNOWS_OUT_OF_ORDER {
            let info = getsockopt(socket, TcpInfoWithOrder).ok()?;
            (info.head, Some(info.words[DSACK_DUPS]), Some(info.words[OUT_OF_ORDER]))
        } else {
            (getsockopt(socket, TcpInfo).ok()?, None, None)
        };
        let round_trip = u64::from(head.words[RTT]);
        Some(TcpFacts {
            segment: head.words[SND_MSS],
            round_trip: (round_trip > 0).then(|| Duration::from_micros(round_trip)),
            retransmitted: head.words[TOTAL_RETRANS],
            needless,
            out_of_order,
        })
    }

    /// The unanswered SYNs; `None` if the kernel does not report them.
    pub fn unanswered_syns(socket: &impl AsFd) -> Option<SynCounts> {
        let info = getsockopt(socket, TcpInfo).ok()?;
        let repeated = usize::try_from(info.words[TOTAL_RETRANS]).ok()?;
        (info.state == SYN_SENT).then_some(SynCounts {
            sent: repeated + 1,
            kept_here: repeated > 0 && info.words[RETRANS] == 0,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::net::IpAddr;

    use super::{IcmpError, SynCounts, TcpFacts};

    /// There is nothing to request here.
    pub fn listen<S>(_: &S, _: bool) {}

    /// There is nothing to end here.
    pub fn stop_listening<S>(_: &S, _: bool) {}

    /// Always empty here.
    pub fn drain<S>(_: &S, _: Option<IpAddr>) -> Vec<IcmpError> {
        Vec::new()
    }

    /// Not supported here.
    pub fn names_senders() -> bool {
        false
    }

    /// Never known here.
    pub fn facts<S>(_: &S) -> Option<TcpFacts> {
        None
    }

    /// Never known here.
    pub fn unanswered_syns<S>(_: &S) -> Option<SynCounts> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::platform::is_at_least;

    #[test]
    fn kernel_releases_are_compared_numerically() {
        for (release, later) in [
            ("5.4.0-1021-azure", true),
            ("5.3.18-lp152", false),
            ("6.18.44-x", true),
            ("4.18.0-553.el8", false),
            ("10.0", true),
            ("5", false),
            ("", false),
        ] {
            assert_eq!(is_at_least(release, (5, 4)), later, "{release}");
        }
    }
}
