//! What the kernel knows of a socket: ICMP errors with their sender, and unanswered SYNs.
//!
//! Linux keeps the ICMP errors of a socket in its error queue (`IP_RECVERR`, ip(7)), for TCP only while connecting and
//! since Linux 5.8. Elsewhere the queue is simply empty, and the error number is all there is.

use std::{fmt, net::IpAddr};

/// One ICMP error, as the kernel queued it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IcmpError {
    /// The ICMP type (RFC 792; RFC 4443 for ICMPv6).
    pub kind: u8,
    /// The code within the type.
    pub code: u8,
    /// True for ICMPv6.
    pub v6: bool,
    /// Who sent it.
    pub sender: Option<IpAddr>,
    /// True where the sender is this machine itself.
    pub own: bool,
}

impl IcmpError {
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
            (false, 11, _) | (true, 3, _) => "time to live exceeded, a routing loop",
            (true, 1, 0) => "no route",
            (true, 1, 5) => "refused by source address policy",
            (true, 1, 6) => "reject route",
            _ => "ICMP error",
        }
    }

    /// Whether somebody refused by policy, as opposed to not finding the way.
    pub fn is_prohibition(&self) -> bool {
        matches!(
            (self.v6, self.kind, self.code),
            (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6)
        )
    }
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sender {
            Some(sender) => write!(f, "{sender} answered: ")?,
            None => f.write_str("ICMP answered: ")?,
        }
        let six = if self.v6 { "v6" } else { "" };
        write!(f, "{} (ICMP{six} {}/{})", self.name(), self.kind, self.code)
    }
}

pub use platform::{drain, listen, stop_listening, unanswered_syns};

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        io::IoSliceMut,
        net::{IpAddr, Ipv4Addr, Ipv6Addr},
        os::fd::{AsFd, AsRawFd},
    };

    use nix::{
        cmsg_space,
        sys::socket::{
            ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt,
            sockopt::{Ipv4RecvErr, Ipv6RecvErr},
        },
    };

    use super::IcmpError;

    /// `ee_origin` of an error that came as ICMP or ICMPv6 (`linux/errqueue.h`).
    const ORIGIN_ICMP: u8 = 2;
    const ORIGIN_ICMP6: u8 = 3;
    /// `tcpi_state` while no SYN has been answered (`net/tcp_states.h`).
    const SYN_SENT: u8 = 2;

    /// Asks the kernel to queue ICMP errors for this socket.
    pub fn listen(socket: &impl AsFd, v6: bool) {
        set(socket, v6, true);
    }

    /// Ends [`listen`]: left on, one ICMP error would end an established connection.
    pub fn stop_listening(socket: &impl AsFd, v6: bool) {
        set(socket, v6, false);
    }

    fn set(socket: &impl AsFd, v6: bool, on: bool) {
        // A kernel without it costs evidence, not the probe.
        let _ = if v6 {
            setsockopt(socket, Ipv6RecvErr, &on)
        } else {
            setsockopt(socket, Ipv4RecvErr, &on)
        };
    }

    /// Takes every queued ICMP error; `own` is the socket's local address.
    pub fn drain(socket: &impl AsRawFd, own: Option<IpAddr>) -> Vec<IcmpError> {
        let mut errors = Vec::new();
        // A queue that never empties would be a kernel fault; the bound keeps it from becoming ours.
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

    /// The head of `struct tcp_info` that every kernel has (linux/tcp.h): bytes, then words up to `tcpi_total_retrans`.
    ///
    /// The whole struct grows with the kernel, and nix insists on the exact length.
    #[repr(C)]
    #[derive(Clone, Copy)]
    pub struct TcpInfoHead {
        state: u8,
        _bytes: [u8; 7],
        words: [u32; 24],
    }

    /// The index of `tcpi_total_retrans` among the words.
    const TOTAL_RETRANS: usize = 23;

    use nix::{getsockopt_impl, sockopt_impl};
    sockopt_impl!(
        /// The head of `TCP_INFO`.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        TcpInfoHead
    );

    /// How many SYNs were sent without an answer; `None` where the kernel does not say.
    pub fn unanswered_syns(socket: &impl AsFd) -> Option<usize> {
        let info = getsockopt(socket, TcpInfo).ok()?;
        let retransmitted = usize::try_from(info.words[TOTAL_RETRANS]).ok()?;
        (info.state == SYN_SENT).then_some(retransmitted + 1)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::net::IpAddr;

    use super::IcmpError;

    /// Nothing to ask for here.
    pub fn listen<S>(_: &S, _: bool) {}

    /// Nothing to end here.
    pub fn stop_listening<S>(_: &S, _: bool) {}

    /// Always empty here.
    pub fn drain<S>(_: &S, _: Option<IpAddr>) -> Vec<IcmpError> {
        Vec::new()
    }

    /// Never known here.
    pub fn unanswered_syns<S>(_: &S) -> Option<usize> {
        None
    }
}
