//! One connection attempt to one address.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use socket2::{Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;

use super::{
    SocketFailure,
    icmp::{self, TcpFacts},
};

/// How long to wait for the peer's report of duplicate data: two round trips, within these limits.
const ACCOUNT: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

/// The result of one connection attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTrace {
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub end: TcpEnd,
    /// This machine's end of it, which distinguishes several connections to one address; `None` if there was none.
    pub source: Option<SocketAddr>,
}

/// How a connection differs from the kernel's defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The largest segment that the peer is asked to send, in bytes (`TCP_MAXSEG`, tcp(7)).
    pub segment: Option<u32>,
    /// Bind the source port before the destination is known. Linux then chooses an odd port, and otherwise an even one:
    /// devices that look at the last bits of a port get both kinds.
    pub early_port: bool,
    /// The TTL of packets while it is being opened: at most this many hops see them (RFC 791 §3.2, RFC 8200 §3).
    pub ttl: Option<u8>,
    /// The source port.
    pub port: Option<u16>,
}

/// How a connection attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpEnd {
    /// The connection was accepted.
    Open,
    /// No answer came.
    Silent {
        /// How many SYNs were sent, if the kernel reports it.
        syns: Option<usize>,
        /// Whether this machine itself dropped them, as far as the kernel reports it.
        kept_here: bool,
    },
    /// It failed.
    Failed(SocketFailure),
}

/// Connects once to `address`, in this manner, until `deadline` at the latest.
///
/// The kernel's own SYN retransmissions are the only retries. The socket is kept to the end, so that the kernel's
/// counts can be read; `TcpStream::connect` would drop it.
pub async fn connect(
    address: SocketAddr,
    options: ConnectOptions,
    deadline: tokio::time::Instant,
) -> (TcpTrace, Option<TcpStream>) {
    let started = Instant::now();
    let mut source = None;
    let (end, stream) = match open(address, options) {
        Ok(stream) => {
            // Set by `connect`, whatever its result.
            source = stream.local_addr().ok();
            finish_connect(stream, source, address, deadline).await
        }
        Err(error) => (TcpEnd::Failed(SocketFailure::immediate(&error)), None),
    };
    (
        TcpTrace {
            duration: started.elapsed(),
            end,
            source,
        },
        stream,
    )
}

/// The kernel's counts for a connection on which nothing more is sent; `None` if it does not report them.
///
/// If something was sent twice, the peer may still report that it had it already: a short stall on the path makes the
/// kernel retransmit what was never lost, on every connection at once.
pub async fn account(stream: &TcpStream) -> Option<TcpFacts> {
    let facts = icmp::facts(stream)?;
    if facts.lost() == 0 || facts.needless.is_none() {
        return Some(facts);
    }
    let [least, most] = ACCOUNT;
    tokio::time::sleep((2 * facts.round_trip.unwrap_or(most)).clamp(least, most)).await;
    icmp::facts(stream)
}

fn open(address: SocketAddr, options: ConnectOptions) -> io::Result<TcpStream> {
    let socket = super::socket(address, Type::STREAM, Protocol::TCP)?;
    icmp::listen(&socket, address.is_ipv6());
    if let Some(segment) = options.segment {
        // Without kernel support this control means nothing, which the MSS that is read afterwards shows.
        let _ = socket.set_tcp_mss(segment);
    }
    if let Some(ttl) = options.ttl {
        set_ttl(&socket, address, ttl.into())?;
    }
    let any = match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    if let Some(port) = options.port {
        socket.bind(&SocketAddr::new(any, port).into())?;
    } else if options.early_port {
        let _ = socket.bind(&SocketAddr::new(any, 0).into());
    }
    if let Err(error) = socket.connect(&address.into())
        && !in_progress(&error)
    {
        return Err(error);
    }
    // Not earlier: a socket that is not connecting yet would wake the poller at once.
    TcpStream::from_std(socket.into())
}

/// The TTL of the packets that the socket sends to this peer.
pub fn ttl(stream: &TcpStream, peer: SocketAddr) -> io::Result<u32> {
    let socket = SockRef::from(stream);
    if peer.is_ipv6() {
        socket.unicast_hops_v6()
    } else {
        socket.ttl_v4()
    }
}

/// Changes it, starting with the next segment.
pub fn change_ttl(stream: &TcpStream, peer: SocketAddr, ttl: u32) -> io::Result<()> {
    set_ttl(&SockRef::from(stream), peer, ttl)
}

fn set_ttl(socket: &Socket, peer: SocketAddr, ttl: u32) -> io::Result<()> {
    if peer.is_ipv6() {
        socket.set_unicast_hops_v6(ttl)
    } else {
        socket.set_ttl_v4(ttl)
    }
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}

async fn finish_connect(
    stream: TcpStream,
    local: Option<SocketAddr>,
    address: SocketAddr,
    deadline: tokio::time::Instant,
) -> (TcpEnd, Option<TcpStream>) {
    let Ok(writable) = tokio::time::timeout_at(deadline, stream.writable()).await else {
        let syns = icmp::unanswered_syns(&stream);
        return (
            TcpEnd::Silent {
                syns: syns.map(|syns| syns.sent),
                kept_here: syns.is_some_and(|syns| syns.kept_here),
            },
            None,
        );
    };
    let error = match writable.and_then(|()| stream.take_error()) {
        Ok(None) => None,
        Ok(Some(error)) | Err(error) => Some(error),
    };
    match error {
        // Accepted and reset before we looked: the reset belongs to the next stage, whose first write fails.
        Some(error) if !super::is_reset(&error) => {
            let icmp = icmp::drain(&stream, local.map(|local| local.ip()));
            (TcpEnd::Failed(SocketFailure::later(&error, icmp)), None)
        }
        // A connection to a closed ephemeral port of our own address can, by simultaneous open, connect to itself.
        _ if local == Some(address) => {
            let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
            (TcpEnd::Failed(SocketFailure::later(&refused, Vec::new())), None)
        }
        _ => {
            icmp::stop_listening(&stream, address.is_ipv6());
            let _ = stream.set_nodelay(true);
            (TcpEnd::Open, Some(stream))
        }
    }
}
