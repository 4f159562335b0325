//! Input and output on explicit addresses: no policy, no retries, raw evidence back.
//!
//! Nothing here decides what an event means; [`crate::diagnosis`] does. Linux-only features (the error queue,
//! `TCP_INFO`) are in [`icmp`] and have a plain fallback.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};

pub mod dns;
pub mod icmp;
pub mod kernel;
pub mod recording_stream;
pub mod tcp;
pub mod tls;
pub mod udp;

/// A failed socket call or connection, with everything the kernel reported about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFailure {
    /// The raw error number, if there is one.
    pub errno: Option<i32>,
    /// The system's own text.
    pub text: String,
    /// True if `socket`, `connect` or `send` itself failed, so that no packet was answered.
    pub immediate: bool,
    /// ICMP errors received for this socket.
    pub icmp: Vec<icmp::IcmpError>,
}

impl SocketFailure {
    /// A call that failed at once, before the network was involved.
    pub fn immediate(error: &io::Error) -> Self {
        Self {
            errno: error.raw_os_error(),
            text: error.to_string(),
            immediate: true,
            icmp: Vec::new(),
        }
    }

    /// Whether a SYN was answered with a reset: refused, and not with an ICMP error.
    pub fn is_reset(&self) -> bool {
        self.errno == Some(libc::ECONNREFUSED) && !self.immediate && self.icmp.is_empty()
    }

    /// A failure that came back from the network.
    pub fn later(error: &io::Error, icmp: Vec<icmp::IcmpError>) -> Self {
        Self {
            errno: error.raw_os_error(),
            text: error.to_string(),
            immediate: false,
            icmp,
        }
    }
}

/// The `User-Agent` of HTTP requests.
pub const USER_AGENT: &str = concat!("apim-probe/", env!("CARGO_PKG_VERSION"));

/// A socket for an address of this family on which no call blocks.
fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    // Linux allows this in the call that creates the socket, which saves two calls.
    #[cfg(target_os = "linux")]
    let kind = kind.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    #[cfg(not(target_os = "linux"))]
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Completes `exchange` while the connection that carries it runs in the same future: nothing continues when that is
/// dropped.
pub async fn over<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let mut exchange = pin!(exchange);
    tokio::select! {
        biased;
        done = &mut exchange => return done,
        // Data that the connection read before it ended may not have reached the exchange yet.
        _ = connection => {}
    }
    exchange.await
}

/// A duration as in reports: milliseconds with one decimal.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Whether an error means that the peer, or a device on the path, reset the connection.
///
/// Writing to a connection that was reset a moment ago gives `EPIPE` instead of `ECONNRESET`.
pub fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe)
}
