//! One question over a connected UDP socket.
//!
//! Connected, so that ICMP errors come back to us: a refused port answers in microseconds instead of a full timeout.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{SocketFailure, icmp};

/// A datagram of this length may have been longer.
pub(super) const LARGEST_DATAGRAM: usize = 4096;
/// When the datagram is sent again, as a share of the time limit: a lone lost packet must not look like a block.
const REPEATS: [f64; 2] = [0.2, 0.5];
/// How many replies that do not belong to the question are remembered.
pub(super) const MOST_IGNORED: usize = 8;

/// How a question over UDP ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpTrace<T> {
    /// How long it took.
    pub duration: Duration,
    /// How many datagrams went out.
    pub sent: usize,
    /// Replies that did not belong to the question, and why not.
    pub ignored: Vec<String>,
    /// How it ended.
    pub end: UdpEnd<T>,
}

/// How a question over UDP ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UdpEnd<T> {
    /// A reply that belongs to the question.
    Replied(T),
    /// No reply that belongs to it.
    Silent,
    /// An error came instead.
    Failed(SocketFailure),
}

/// Sends `request` to `address` and waits, until `deadline`, for the first reply that `accept` takes.
///
/// `accept` says why it refuses a reply; such replies are noted and the wait goes on, since anybody can send a datagram.
pub async fn ask<T>(
    address: SocketAddr,
    request: &[u8],
    deadline: tokio::time::Instant,
    mut accept: impl FnMut(&[u8]) -> Result<T, String>,
) -> UdpTrace<T> {
    let started = Instant::now();
    let mut sent = 0;
    let mut ignored = Vec::new();
    let end = match open(address) {
        Ok(socket) => match converse(&socket, request, deadline, &mut accept, &mut sent, &mut ignored).await {
            Ok(Some(reply)) => UdpEnd::Replied(reply),
            Ok(None) => UdpEnd::Silent,
            Err((error, straight)) => {
                let own = socket.local_addr().ok().map(|local| local.ip());
                let icmp = icmp::drain(&socket, own);
                // An error of an earlier datagram can come out of the next send: then the queue has it.
                let straight = straight && icmp.is_empty() && !is_from_network(&error);
                UdpEnd::Failed(SocketFailure {
                    straight,
                    ..SocketFailure::later(&error, icmp)
                })
            }
        },
        Err(error) => UdpEnd::Failed(SocketFailure::straight(&error)),
    };
    UdpTrace {
        duration: started.elapsed(),
        sent,
        ignored,
        end,
    }
}

/// Errors that only the network can have caused, whichever call reports them.
fn is_from_network(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    icmp::listen(&socket, address.is_ipv6());
    socket.connect(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn converse<T>(
    socket: &UdpSocket,
    request: &[u8],
    deadline: tokio::time::Instant,
    accept: &mut impl FnMut(&[u8]) -> Result<T, String>,
    sent: &mut usize,
    ignored: &mut Vec<String>,
) -> Result<Option<T>, (io::Error, bool)> {
    let now = tokio::time::Instant::now();
    let limit = deadline.saturating_duration_since(now);
    let mut repeats = REPEATS.iter().map(|share| now + limit.mul_f64(*share));
    // Not within the future, of which there is one for every name.
    let mut buffer = vec![0_u8; LARGEST_DATAGRAM];
    loop {
        socket.send(request).await.map_err(|error| (error, true))?;
        *sent += 1;
        let until = repeats.next().unwrap_or(deadline).min(deadline);
        loop {
            // `recv` wakes for a late ICMP error; `readable` with `try_recv` does not.
            let Ok(received) = tokio::time::timeout_at(until, socket.recv(&mut buffer)).await else {
                break;
            };
            let length = received.map_err(|error| (error, false))?;
            match accept(buffer.get(..length).unwrap_or_default()) {
                Ok(reply) => return Ok(Some(reply)),
                Err(why) if ignored.len() < MOST_IGNORED => ignored.push(why),
                Err(_) => {}
            }
        }
        if until >= deadline {
            return Ok(None);
        }
    }
}
