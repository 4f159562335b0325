//! TLS records inside TDS packets.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{END_OF_MESSAGE, HEADER, PACKET, PRELOGIN, TABULAR_RESULT, header};

/// A stream whose bytes travel in TDS packets, as those of a TLS handshake after PRELOGIN do (MS-TDS 2.2.6.5, 3.2.5.1);
/// for client and server.
///
/// Written data becomes one message when it is flushed. After the handshake, TLS no longer uses TDS packets: use this
/// for the handshake only, and drop the connection after it.
#[derive(Debug)]
pub struct TdsFramed<S> {
    io: S,
    /// Written, but not flushed.
    message: Vec<u8>,
    /// The message as packets, and how much of them has been sent.
    packets: Vec<u8>,
    sent: usize,
    /// The header being read, and how many of its bytes have been read.
    head: [u8; HEADER],
    have: usize,
    /// The rest of the packet being read.
    left: usize,
}

impl<S> TdsFramed<S> {
    /// Wraps a connection after the exchange of PRELOGIN and its reply.
    pub fn new(io: S) -> Self {
        Self {
            io,
            message: Vec::new(),
            packets: Vec::new(),
            sent: 0,
            head: [0; HEADER],
            have: 0,
            left: 0,
        }
    }

    /// Splits what was written into packets; the last one ends the message.
    fn pack(&mut self) {
        let mut parts = self.message.chunks(PACKET - HEADER).peekable();
        let mut number: u8 = 0;
        while let Some(part) = parts.next() {
            number = number.wrapping_add(1);
            let status = if parts.peek().is_none() { END_OF_MESSAGE } else { 0 };
            self.packets
                .extend(header(PRELOGIN, status, HEADER + part.len(), number));
            self.packets.extend(part);
        }
        self.message.clear();
    }
}

impl<S: AsyncWrite + Unpin> TdsFramed<S> {
    /// Sends the waiting packets.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.packets.len() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &self.packets[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.packets.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> TdsFramed<S> {
    /// Reads the next packet's header; `false` if the peer closed the connection before it.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.have < HEADER {
            let mut rest = ReadBuf::new(&mut self.head[self.have..]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut rest))?;
            match rest.filled().len() {
                0 if self.have == 0 => return Poll::Ready(Ok(false)),
                0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                read => self.have += read,
            }
        }
        self.have = 0;
        let [kind, _, high, low, ..] = self.head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !matches!(kind, PRELOGIN | TABULAR_RESULT) || length < HEADER {
            let what = format!("a TDS packet of type {kind:#04x} and {length} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        self.left = length - HEADER;
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TdsFramed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.left == 0 {
            if !ready!(this.poll_head(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
        let wanted = this.left.min(buf.remaining());
        // A buffer over the same memory, so that reading needs no copy; `advance` then updates `buf`.
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(wanted));
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        if read == 0 && wanted > 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        buf.advance(read);
        this.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TdsFramed<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().message.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.pack();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
