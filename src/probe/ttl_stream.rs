//! A connection whose data may be sent with a low TTL, for the first few hops only.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::flows::connection_progress::ConnectionProgress;
use crate::net::tcp;

/// Passes everything through; data from the stage that its state names is sent with a low TTL.
#[derive(Debug)]
pub(super) struct TtlStream<'a> {
    stream: TcpStream,
    peer: SocketAddr,
    progress: &'a ConnectionProgress,
    /// The default TTL, once a low one has replaced it.
    usual: Option<u32>,
}

impl<'a> TtlStream<'a> {
    /// An open connection to `peer`.
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, progress: &'a ConnectionProgress) -> Self {
        Self {
            stream,
            peer,
            progress,
            usual: None,
        }
    }

    /// Whether the TTL of the data expired on the path, and a hop reported it. On an open connection the kernel keeps
    /// this as an error that does not end it, and does not report which hop sent it.
    pub(super) fn ran_out(&self) -> bool {
        let socket_error = self.usual.is_some().then(|| self.stream.take_error());
        matches!(socket_error, Some(Ok(Some(error))) if error.kind() == io::ErrorKind::HostUnreachable)
    }

    /// The connection, with its default TTL, so that the peer sees its end.
    pub(super) fn into_inner(self) -> TcpStream {
        if let Some(usual) = self.usual {
            let _ = tcp::change_ttl(&self.stream, self.peer, usual);
        }
        self.stream
    }

    /// Sets the TTL of the next data; a connection that cannot change it sends nothing.
    fn prepare(&mut self) -> io::Result<()> {
        if self.usual.is_none()
            && let Some(ttl) = self.progress.ttl()
        {
            self.usual = Some(tcp::ttl(&self.stream, self.peer)?);
            tcp::change_ttl(&self.stream, self.peer, ttl.into())?;
        }
        Ok(())
    }
}

impl AsyncRead for TtlStream<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TtlStream<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.prepare()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.prepare()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
