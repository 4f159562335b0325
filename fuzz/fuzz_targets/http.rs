//! An HTTP response on a connection, and the facts that are read from it.

#![no_main]

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use apim_probe::hello::{End, KEPT, Reply, http};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let greeting = runtime.block_on(async {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        http::greet(&mut Peer(bytes), "x.example", None, deadline).await
    });
    assert!(greeting.received.len() <= KEPT);
    assert_ne!(greeting.end, End::TimedOut);
    if let End::Replied(Reply::Http(reply)) = &greeting.end {
        assert!(reply.body.len() <= http::BODY);
        http::deny_marker(reply);
        http::foreign_redirect(reply, "x.example", &["*.y.example".to_owned()]);
    }
    if let Some(kind) = std::str::from_utf8(bytes).ok().and_then(http::object_kind) {
        kind.matches(bytes);
    }
});

/// A peer that takes everything, says its bytes and closes.
struct Peer<'a>(&'a [u8]);

impl AsyncRead for Peer<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
