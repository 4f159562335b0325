//! hyper's client on one of our streams, with a record of what happened on the stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use http_body_util::BodyExt;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{BODY, HEAD, HttpReply};
use crate::{
    hello::{ExchangeEnd, KEPT},
    net::over,
};

/// Sends `request` and stores the response in `reply` as it arrives: the head at once, then the body up to [`BODY`].
///
/// Connection and exchange run in this one future, so nothing continues when it is dropped.
pub(super) async fn converse<S>(
    stream: RecordingReader<'_, S>,
    request: Request<String>,
    reply: &mut Option<HttpReply>,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Many kinds of appliances write block pages: parse them as generously as a browser does.
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await?;
    let exchange = async {
        let (head, mut body) = sender.send_request(request).await?.into_parts();
        let reply = reply.insert(HttpReply::new(&head));
        while reply.body.len() < BODY
            && let Some(frame) = body.frame().await
        {
            let data = frame?.into_data().unwrap_or_default();
            let remaining = BODY - reply.body.len();
            reply.body.extend_from_slice(&data[..data.len().min(remaining)]);
        }
        Ok(())
    };
    over(connection, exchange).await
}

/// A record of a stream.
#[derive(Debug, Default)]
pub(super) struct StreamRecord {
    /// The first bytes read, at most [`KEPT`].
    pub first: Vec<u8>,
    /// How it ended, if it did.
    pub end: Option<ExchangeEnd>,
}

/// A stream that records what happens, and reads nothing before something was written.
///
/// hyper treats bytes that arrive before its request as an error; some firewalls send their block page that early.
pub(super) struct RecordingReader<'a, S> {
    io: &'a mut S,
    seen: &'a mut StreamRecord,
    spoken: bool,
    reader: Option<Waker>,
}

impl<'a, S> RecordingReader<'a, S> {
    /// Records what `io` does in `seen`.
    pub(super) fn new(io: &'a mut S, seen: &'a mut StreamRecord) -> Self {
        Self {
            io,
            seen,
            spoken: false,
            reader: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordingReader<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.spoken {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut *self.io).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) if buf.filled().len() == before => self.seen.end = Some(ExchangeEnd::Closed),
            Poll::Ready(Ok(())) => {
                let remaining = KEPT.saturating_sub(self.seen.first.len());
                let new = &buf.filled()[before..];
                self.seen.first.extend_from_slice(&new[..new.len().min(remaining)]);
            }
            Poll::Ready(Err(error)) => self.seen.end = Some(ExchangeEnd::from(error)),
            Poll::Pending => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordingReader<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.io).poll_write(cx, bytes);
        if let Poll::Ready(outcome) = &written {
            self.spoken = true;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
            if let Err(error) = outcome {
                self.seen.end.get_or_insert(ExchangeEnd::from(error));
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut *self.io).poll_flush(cx);
        if let Poll::Ready(Err(error)) = &flushed {
            self.seen.end.get_or_insert(ExchangeEnd::from(error));
        }
        flushed
    }

    /// The owner of the stream closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
