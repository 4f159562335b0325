//! Input and output on explicit addresses: no policy, no retries, raw evidence back.
//!
//! Nothing here decides what an event means; [`crate::diagnosis`] does. Whatever is particular to Linux (the error
//! queue, `TCP_INFO`) is in [`icmp`] and has a plain fallback.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};

pub mod dns;
pub mod icmp;
pub mod recording_stream;
pub mod tcp;
pub mod tls;
pub mod udp;

/// A socket call or a connection that failed, with everything the kernel said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFailure {
    /// The raw error number, where there was one.
    pub errno: Option<i32>,
    /// The system's own words.
    pub text: String,
    /// True where `socket`, `connect` or `send` itself refused, so that no packet was answered.
    pub straight: bool,
    /// ICMP errors received for this socket.
    pub icmp: Vec<icmp::IcmpError>,
}

impl SocketFailure {
    /// A call that failed at once, before the network had a say.
    pub fn straight(error: &io::Error) -> Self {
        Self {
            errno: error.raw_os_error(),
            text: error.to_string(),
            straight: true,
            icmp: Vec::new(),
        }
    }

    /// Whether a SYN was answered with a reset: refused, and not by an ICMP error.
    pub fn is_reset(&self) -> bool {
        self.errno == Some(libc::ECONNREFUSED) && !self.straight && self.icmp.is_empty()
    }

    /// A failure that came back from the network.
    pub fn later(error: &io::Error, icmp: Vec<icmp::IcmpError>) -> Self {
        Self {
            errno: error.raw_os_error(),
            text: error.to_string(),
            straight: false,
            icmp,
        }
    }
}

/// The `User-Agent` of HTTP requests.
pub const USER_AGENT: &str = concat!("apim-probe/", env!("CARGO_PKG_VERSION"));

/// A socket for an address of this family, on which no call blocks.
fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    // Linux takes that with the call that makes the socket, and saves two.
    #[cfg(target_os = "linux")]
    let kind = kind.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    #[cfg(not(target_os = "linux"))]
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Completes `exchange` while the connection that carries it runs beside it, in this one future: nothing is left behind
/// when that is dropped.
pub async fn over<T>(connection: impl Future, exchange: impl Future<Output = T>) -> T {
    let mut exchange = pin!(exchange);
    tokio::select! {
        biased;
        done = &mut exchange => return done,
        // What the connection read before it ended may still be on its way to the exchange.
        _ = connection => {}
    }
    exchange.await
}

/// A duration as the reports give it: milliseconds with one decimal.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Whether an error means that the peer, or something in between, reset the connection.
///
/// Writing to a connection that was reset a moment ago gives `EPIPE` instead of `ECONNRESET`.
pub fn is_reset(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe)
}
