//! HTTP/1.1: one GET on an open connection, and the facts of its response.
//!
//! No redirect is followed and no proxy is used; the response is kept as received, up to a limit.

use hyper::{Request, header};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use self::wire::{RecordingReader, StreamRecord, converse};
use super::{ExchangeEnd, Greeting, ProtocolReply};
use crate::{net::USER_AGENT, text::excerpt};

pub use self::{
    body_kind::{ObjectKind, object_kind},
    denial::{Denial, denial, is_of_a_content_network, title},
    redirect::foreign_redirect,
};

mod body_kind;
mod denial;
mod redirect;
mod wire;

/// How much of a body is read, in bytes: enough for the first bytes of any object and the text of a block page.
pub const BODY: usize = 8 * 1024;

/// How long a response's head may be, in bytes.
pub const HEAD: usize = 32 * 1024;

/// How much of each header's value is kept, in bytes.
const VALUE: usize = 1024;

/// The size of a request with a path, in bytes: about one full-size packet, and only one, in TLS as well. It reveals a
/// line that loses such packets in the outbound direction.
pub const FULL_SIZE: usize = 1_400;

/// The header that pads it.
const PADDING: &str = "x-padding";

/// A response as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The reason phrase, if it is not the usual one.
    pub reason: Option<String>,
    /// The headers in order, names in lower case, each value truncated to 1 KiB.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body, at most [`BODY`] bytes; empty if the conversation ended after the head.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Stores the head of a response.
    fn new(head: &hyper::http::response::Parts) -> Self {
        let reason = head.extensions.get::<hyper::ext::ReasonPhrase>();
        let kept = |value: &[u8]| String::from_utf8_lossy(&value[..value.len().min(VALUE)]).into_owned();
        Self {
            status: head.status.as_u16(),
            reason: reason.map(|reason| kept(reason.as_bytes())),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), kept(value.as_bytes())))
                .collect(),
            body: Vec::new(),
        }
    }
}

/// Requests `path` (`/` if there is none) of `host` over an open connection; `host` as in the `Host` header. A request
/// with a path is padded to [`FULL_SIZE`].
///
/// Once a head has arrived the greeting is a reply, whatever happens to the body.
pub async fn greet<S>(stream: &mut S, host: &str, path: Option<&str>, deadline: Instant) -> Greeting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = Request::get(path.unwrap_or("/"))
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close");
    if let Some(path) = path {
        let padding = padding(path, host);
        request = request.header(PADDING, padding);
    }
    let request = match request.body(String::new()) {
        Ok(request) => request,
        Err(error) => {
            let text = format!("no request to {host} for {} can be made: {error}", path.unwrap_or("/"));
            return Greeting {
                end: ExchangeEnd::Failed { errno: None, text },
                received: Vec::new(),
            };
        }
    };
    let mut reply = None;
    let mut seen = StreamRecord::default();
    let conversation = converse(RecordingReader::new(stream, &mut seen), request, &mut reply);
    let ended = timeout_at(deadline, conversation).await;
    let end = match (reply, ended) {
        (Some(reply), _) => ExchangeEnd::Replied(ProtocolReply::Http(reply)),
        (None, Err(_)) => ExchangeEnd::TimedOut,
        (None, Ok(outcome)) => without_reply(outcome.err().as_ref(), &seen),
    };
    Greeting {
        end,
        received: seen.first,
    }
}

/// The padding of a request with a path up to [`FULL_SIZE`]; nothing if it is as long without.
fn padding(path: &str, host: &str) -> String {
    let fixed = [
        "GET  HTTP/1.1\r\n",
        "host: \r\n",
        "user-agent: \r\n",
        USER_AGENT,
        "accept: */*\r\n",
        "connection: close\r\n",
        PADDING,
        ": \r\n",
        "\r\n",
    ];
    let bare = fixed.iter().map(|part| part.len()).sum::<usize>() + path.len() + host.len();
    "0".repeat(FULL_SIZE.saturating_sub(bare))
}

/// How a conversation without a response ended.
fn without_reply(error: Option<&hyper::Error>, seen: &StreamRecord) -> ExchangeEnd {
    match (error, &seen.end) {
        (Some(error), _) if error.is_parse() => ExchangeEnd::Foreign {
            why: format!("{} is not a readable HTTP response: {error}", excerpt(&seen.first)),
        },
        (_, Some(end)) => end.clone(),
        (error, None) => {
            let text = error.map_or("no response".into(), ToString::to_string);
            ExchangeEnd::Failed { errno: None, text }
        }
    }
}
