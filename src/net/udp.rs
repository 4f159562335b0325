//! One query over connected UDP sockets.
//!
//! Connected, so that we receive ICMP errors: a refused port answers in microseconds instead of a full timeout. Each
//! repetition uses a different source port: if one of two appliances loses its packets, all datagrams from one port are
//! lost together.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use socket2::{Protocol, Type};
use tokio::{
    net::UdpSocket,
    sync::{Semaphore, SemaphorePermit},
};

use super::{SocketFailure, icmp};

/// A datagram of this length may have been longer.
pub(super) const MAX_DATAGRAM: usize = 4096;
/// When the query is repeated, as a share of the time limit: spread over all of it, so that neither a few lost packets
/// nor a short outage looks like a block.
const REPEATS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 0.92];
/// How many ports must have got an error before no other is tried.
const FAILURES: usize = 3;
/// How many replies that do not belong to the query are recorded.
pub(super) const MAX_IGNORED: usize = 8;

/// The result of a UDP query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpTrace<T> {
    /// How long it took.
    pub duration: Duration,
    /// The source port of the first datagram; `None` if none was sent.
    pub source: Option<SocketAddr>,
    /// How many datagrams were sent.
    pub sent: usize,
    /// Replies that did not belong to the query, and why not.
    pub ignored: Vec<String>,
    /// How it ended.
    pub end: UdpEnd<T>,
}

/// How a UDP query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UdpEnd<T> {
    /// A reply that belongs to the query.
    Replied(T),
    /// No reply that belongs to it.
    Silent,
    /// An error instead.
    Failed(SocketFailure),
}

/// Queries `address` until `deadline` for the first reply that belongs to the query.
///
/// `prepare` provides the datagram for each repetition, and a function that accepts a reply to it or returns why not.
/// Rejected replies are recorded and the wait continues, since any host can send a datagram. The caller holds a permit
/// for one socket; those for repetitions come from `spare_sockets`, and if there are none left, the last port is used again.
pub async fn ask<T, A>(
    address: SocketAddr,
    prepare: impl FnMut() -> (Vec<u8>, A),
    deadline: tokio::time::Instant,
    spare_sockets: &Semaphore,
) -> UdpTrace<T>
where
    A: Fn(&[u8]) -> Result<T, String>,
{
    let started = Instant::now();
    let mut question = PendingQuery {
        address,
        prepare,
        source: None,
        last: None,
        sent: 0,
        ignored: Vec::new(),
    };
    let end = question.converse(deadline, spare_sockets).await;
    UdpTrace {
        duration: started.elapsed(),
        source: question.source,
        sent: question.sent,
        ignored: question.ignored,
        end,
    }
}

/// A query in progress.
struct PendingQuery<P> {
    address: SocketAddr,
    prepare: P,
    /// The port that was used first.
    source: Option<SocketAddr>,
    /// The port that was used last, and the datagram that was sent from it.
    last: Option<(Arc<UdpSocket>, Vec<u8>)>,
    sent: usize,
    ignored: Vec<String>,
}

/// One port that a datagram was sent from.
struct SourcePort<'a, A> {
    socket: Arc<UdpSocket>,
    accept: A,
    // Not inside the future, since there is one for every name.
    buffer: Vec<u8>,
    _permit: Option<SemaphorePermit<'a>>,
}

/// What arrived at a port.
enum SocketWait<T, P> {
    Reply(T),
    Ignored(String, P),
    Failed(SocketFailure),
}

impl<P> PendingQuery<P> {
    async fn converse<T, A>(&mut self, deadline: tokio::time::Instant, spare_sockets: &Semaphore) -> UdpEnd<T>
    where
        P: FnMut() -> (Vec<u8>, A),
        A: Fn(&[u8]) -> Result<T, String>,
    {
        let now = tokio::time::Instant::now();
        let limit = deadline.saturating_duration_since(now);
        let mut repeats = REPEATS.iter().map(|share| now + limit.mul_f64(*share));
        let mut ports = FuturesUnordered::new();
        let mut failures = Vec::new();
        let mut next = Some(now);
        loop {
            if next.is_some_and(|next| next <= tokio::time::Instant::now()) {
                match self.send(spare_sockets).await {
                    Ok(Some(port)) => ports.push(port.receive()),
                    Ok(None) => {}
                    Err(failure) if failure.immediate => return UdpEnd::Failed(failure),
                    Err(failure) => failures.push(failure),
                }
                next = repeats.next();
            }
            if failures.len() >= FAILURES {
                break;
            }
            let until = next.unwrap_or(deadline).min(deadline);
            tokio::select! {
                Some(received) = ports.next() => match received {
                    SocketWait::Reply(reply) => return UdpEnd::Replied(reply),
                    SocketWait::Ignored(why, port) => {
                        if self.ignored.len() < MAX_IGNORED {
                            self.ignored.push(why);
                        }
                        ports.push(SourcePort::receive(port));
                    }
                    SocketWait::Failed(failure) => {
                        failures.push(failure);
                        // Another port may get an answer, and there is nothing to wait for.
                        next = Some(tokio::time::Instant::now());
                    }
                },
                () = tokio::time::sleep_until(until) => {
                    if until >= deadline {
                        break;
                    }
                }
            }
        }
        failures.into_iter().next().map_or(UdpEnd::Silent, UdpEnd::Failed)
    }

    /// Sends the query once more, and returns the new port; none if the last one was used again.
    async fn send<'a, A>(&mut self, spare_sockets: &'a Semaphore) -> Result<Option<SourcePort<'a, A>>, SocketFailure>
    where
        P: FnMut() -> (Vec<u8>, A),
    {
        // The first socket is the caller's; each of the others takes a free one.
        let permit = match &self.last {
            None => None,
            Some((socket, request)) => {
                let Ok(permit) = spare_sockets.try_acquire() else {
                    // Only the socket on that port receives an error.
                    self.sent += usize::from(socket.send(request).await.is_ok());
                    return Ok(None);
                };
                Some(permit)
            }
        };
        let socket = match (open(self.address), &self.last) {
            (Ok(socket), _) => Arc::new(socket),
            (Err(error), None) => return Err(SocketFailure::immediate(&error)),
            // Without another socket, the first one keeps waiting.
            (Err(_), Some(_)) => return Ok(None),
        };
        self.source = self.source.or_else(|| socket.local_addr().ok());
        let (request, accept) = (self.prepare)();
        socket
            .send(&request)
            .await
            .map_err(|error| failure(&socket, &error, true))?;
        self.sent += 1;
        self.last = Some((socket.clone(), request));
        Ok(Some(SourcePort {
            socket,
            accept,
            buffer: Vec::with_capacity(MAX_DATAGRAM),
            _permit: permit,
        }))
    }
}

impl<A> SourcePort<'_, A> {
    /// Waits for the next event.
    async fn receive<T>(mut self) -> SocketWait<T, Self>
    where
        A: Fn(&[u8]) -> Result<T, String>,
    {
        // `recv` wakes for a late ICMP error; `readable` with `try_recv` does not.
        self.buffer.clear();
        match self.socket.recv_buf(&mut self.buffer).await {
            Ok(_) => match (self.accept)(&self.buffer) {
                Ok(reply) => SocketWait::Reply(reply),
                Err(why) => SocketWait::Ignored(why, self),
            },
            Err(error) => SocketWait::Failed(failure(&self.socket, &error, false)),
        }
    }
}

/// A call's error together with the queue of ICMP errors.
fn failure(socket: &UdpSocket, error: &io::Error, immediate: bool) -> SocketFailure {
    let own = socket.local_addr().ok().map(|local| local.ip());
    let icmp = icmp::drain(socket, own);
    // The next send can return an error of an earlier datagram: then the queue contains it.
    let immediate = immediate && icmp.is_empty() && !is_from_network(error);
    SocketFailure {
        immediate,
        ..SocketFailure::later(error, icmp)
    }
}

/// Errors that only the network can have caused, whichever call returns them.
fn is_from_network(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = super::socket(address, Type::DGRAM, Protocol::UDP)?;
    icmp::listen(&socket, address.is_ipv6());
    socket.connect(&address.into())?;
    UdpSocket::from_std(socket.into())
}
