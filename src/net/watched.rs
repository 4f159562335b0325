//! A connection that leaves behind what the kernel counted on it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::icmp::{self, TcpFacts};

/// Passes everything through; when it is dropped, by whomever and for whatever reason, the kernel is asked once more.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    counted: Counted,
}

/// What the kernel counted on a connection, once that is over.
#[derive(Debug, Clone, Default)]
pub struct Counted(Arc<OnceLock<TcpFacts>>);

impl Counted {
    /// The counts; `None` before the end, and where the kernel does not say.
    pub fn facts(&self) -> Option<TcpFacts> {
        self.0.get().copied()
    }
}

impl Watched {
    /// Watches a connection; what was counted shows in the second value when it is over.
    pub fn new(stream: TcpStream) -> (Self, Counted) {
        let counted = Counted::default();
        let watched = Self {
            stream,
            counted: counted.clone(),
        };
        (watched, counted)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(facts) = icmp::facts(&self.stream) {
            let _ = self.counted.0.set(facts);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
