//! SQL Server: PRELOGIN, then TLS inside TDS packets (MS-TDS 2.2.6.5, 3.3.5.1). It ends where a login would begin.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{ServiceListener, idle};
use crate::faulty_stream::FaultyStream;

const PRELOGIN: u8 = 0x12;
const REPLY: u8 = 0x04;
const END_OF_MESSAGE: u8 = 0x01;
const HEADER: usize = 8;
/// The values of ENCRYPTION (on, required) with which the whole connection uses TLS.
const ENCRYPTED: [u8; 2] = [1, 3];

pub(super) async fn serve(line: &mut FaultyStream, port: &ServiceListener) -> io::Result<()> {
    let mut header = [0; HEADER];
    line.read_exact(&mut header).await?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[0] != PRELOGIN || length < HEADER {
        // A server closes the connection for anything else, including a bare ClientHello.
        return Ok(());
    }
    line.read_exact(&mut vec![0; length - HEADER]).await?;
    let encryption = port.service.tds.encryption;
    line.write_all(&prelogin_reply(encryption)).await?;
    if !ENCRYPTED.contains(&encryption) {
        return idle(line).await;
    }
    let mut inside = port.shake_hands(TdsServerStream::new(line)).await?;
    idle(&mut inside).await
}

/// VERSION and ENCRYPTION, as in the reply of a SQL server of version 12.
fn prelogin_reply(encryption: u8) -> Vec<u8> {
    let options = [0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xff];
    let version = [12, 0, 0x07, 0xd0, 0, 0];
    packet(
        REPLY,
        1,
        END_OF_MESSAGE,
        &[&options[..], &version, &[encryption]].concat(),
    )
}

fn packet(kind: u8, number: u8, status: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + content.len())
        .expect("a packet has at most 4096 bytes")
        .to_be_bytes();
    [&[kind, status, length[0], length[1], 0, 0, number, 0], content].concat()
}

/// A stream inside TDS packets: each flush is one message.
struct TdsServerStream<S> {
    io: S,
    /// What the layer above has written since the last flush.
    out: Vec<u8>,
    /// The packets being sent, and how much of them has been sent.
    framed: Vec<u8>,
    sent: usize,
    /// The header of the packet being read, and how many of its bytes have been read.
    header: [u8; HEADER],
    have: usize,
    /// The rest of its content.
    left: usize,
}

impl<S> TdsServerStream<S> {
    fn new(io: S) -> Self {
        Self {
            io,
            out: Vec::new(),
            framed: Vec::new(),
            sent: 0,
            header: [0; HEADER],
            have: 0,
            left: 0,
        }
    }

    fn frame(&mut self) {
        const CONTENT: usize = 4096 - HEADER;
        let out = std::mem::take(&mut self.out);
        let last = out.chunks(CONTENT).count();
        for (number, content) in (1..=u8::MAX).zip(out.chunks(CONTENT)) {
            let status = if usize::from(number) == last { END_OF_MESSAGE } else { 0 };
            self.framed.extend(packet(PRELOGIN, number, status, content));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TdsServerStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.left == 0 {
            let mut rest = ReadBuf::new(&mut this.header[this.have..]);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut rest))?;
            let came = rest.filled().len();
            if came == 0 {
                return Poll::Ready(Ok(()));
            }
            this.have += came;
            if this.have == HEADER {
                let length = usize::from(u16::from_be_bytes([this.header[2], this.header[3]]));
                if this.header[0] != PRELOGIN || length < HEADER {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                this.have = 0;
                this.left = length - HEADER;
            }
        }
        let want = this.left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(want));
        ready!(Pin::new(&mut this.io).poll_read(cx, &mut part))?;
        let came = part.filled().len();
        buf.advance(came);
        this.left -= came;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TdsServerStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.out.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.frame();
        while this.sent < this.framed.len() {
            let wrote = ready!(Pin::new(&mut this.io).poll_write(cx, &this.framed[this.sent..]))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.sent += wrote;
        }
        this.framed.clear();
        this.sent = 0;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
