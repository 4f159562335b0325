//! A TCP connection that can be aborted or slowed down, or that begins with bytes that were already read.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep, timeout},
};

use crate::network::{Abort, AbortMoment, ConnectionEnd, Pacing};

/// A server's end of a connection.
pub(crate) struct FaultyStream {
    stream: TcpStream,
    /// Bytes from the client that a firewall has read.
    replay: Vec<u8>,
    after: Option<AbortMoment>,
    received: usize,
    /// How many times the client has sent data after a reply.
    replies: usize,
    spoke_last: bool,
    pace: Option<Pacing>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl FaultyStream {
    pub(crate) fn new(stream: TcpStream, replay: Vec<u8>, cut: Option<&Abort>, pace: Option<Pacing>) -> Self {
        // One byte per segment needs TCP_NODELAY; it does no harm to other connections.
        let _ = stream.set_nodelay(true);
        let pause = pace
            .filter(|pace| pace.initial_delay_ms > 0)
            .map(|pace| Box::pin(sleep(Duration::from_millis(pace.initial_delay_ms))));
        Self {
            stream,
            replay,
            after: cut.map(|cut| cut.after),
            received: 0,
            replies: 0,
            spoke_last: false,
            pace,
            pause,
        }
    }

    /// Ends the connection as configured; for "close", waits until the client has ended it too, because dropping a
    /// socket with unread bytes would send a reset.
    pub(crate) async fn end(mut self, end: &ConnectionEnd) {
        let words = match end {
            ConnectionEnd::Reset => {
                let _ = self.stream.set_zero_linger();
                return;
            }
            ConnectionEnd::Silence => return drain(&mut self.stream, Duration::from_secs(3600)).await,
            ConnectionEnd::Close => Vec::new(),
            ConnectionEnd::Alert(description) => crate::tls::record::alert(*description),
            ConnectionEnd::Text(text) => text.clone().into_bytes(),
            ConnectionEnd::Hex(hex) => from_hex(hex),
        };
        let _ = self.stream.write_all(&words).await;
        let _ = self.stream.shutdown().await;
        drain(&mut self.stream, Duration::from_secs(10)).await;
    }

    /// Whether the connection must be aborted at the bytes that just arrived.
    fn is_due(&self) -> bool {
        match self.after {
            Some(AbortMoment::FirstBytes) => true,
            Some(AbortMoment::Bytes(count)) => self.received >= count,
            Some(AbortMoment::Replies(count)) => self.replies >= count,
            Some(AbortMoment::Accept | AbortMoment::TlsHandshake | AbortMoment::Request) | None => false,
        }
    }

    fn count(&mut self, bytes: usize) {
        self.received += bytes;
        if self.spoke_last {
            self.replies += 1;
            self.spoke_last = false;
        }
    }
}

/// The error that ends an exchange because the connection must be aborted here.
#[derive(Debug)]
struct AbortedHere;

impl fmt::Display for AbortedHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is cut here")
    }
}

impl std::error::Error for AbortedHere {}

/// The error that carries this through all layers.
pub(crate) fn aborted_here() -> io::Error {
    io::Error::other(AbortedHere)
}

/// Whether an exchange ended because the connection had to be aborted.
pub(crate) fn is_aborted(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<AbortedHere>)
}

impl AsyncRead for FaultyStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.replay.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let take = self.replay.len().min(buf.remaining());
            buf.put_slice(&self.replay[..take]);
            self.replay.drain(..take);
        }
        let came = buf.filled().len() - before;
        if came > 0 {
            self.count(came);
            if self.is_due() {
                return Poll::Ready(Err(aborted_here()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let most = self.pace.map_or(0, |pace| pace.segment_bytes);
        let part = if most == 0 {
            bytes
        } else {
            &bytes[..bytes.len().min(most)]
        };
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, part))?;
        self.spoke_last = true;
        if let Some(pace) = self.pace.filter(|pace| pace.interval_ms > 0) {
            self.pause = Some(Box::pin(sleep(Duration::from_millis(pace.interval_ms))));
        }
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Reads and discards until the client disconnects.
async fn drain(stream: &mut TcpStream, limit: Duration) {
    let forget = async {
        let mut bytes = [0; 4096];
        while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
    };
    let _ = timeout(limit, forget).await;
}

/// Reads hexadecimal digits; anything between the pairs is ignored.
pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
