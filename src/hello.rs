//! Hellos: the few bytes by which a service proves that it is what its port promises.
//!
//! Each protocol is a pure `request` and a pure `parse`, and a `greet` that carries both over a connection that is
//! already open (UDP's exchange is made where the socket is). A hello never logs in, never asks for anything that
//! changes the peer, and never judges: a [`Greeting`] is evidence, [`crate`]'s diagnosis says what it means.

use std::io;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use self::http::HttpReply;

pub mod amqp;
pub mod http;
pub mod kms;
pub mod ntp;
pub mod redis;
pub mod smb;
pub mod tds;

/// How one hello ended, and what the peer said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// How the exchange ended.
    pub end: End,
    /// The first bytes received, at most [`KEPT`].
    pub received: Vec<u8>,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A well-formed reply of the protocol came.
    Replied(Reply),
    /// Something answered that is not this protocol, or not what the protocol must answer here.
    Foreign {
        /// What is wrong with the answer, as a fragment: "packet type 72, a reply has 4".
        why: String,
    },
    /// The connection was reset, before a whole reply came.
    Reset,
    /// The peer closed the connection, before a whole reply came.
    Closed,
    /// The deadline came before a whole reply did.
    TimedOut,
    /// A fatal TLS alert came; its name as rustls writes it, such as `CertificateRequired`.
    Alert(String),
    /// The exchange failed in another way.
    Failed {
        /// The system's error number, where it was the system.
        errno: Option<i32>,
        /// The error in words.
        text: String,
    },
}

/// A well-formed reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The peer speaks the protocol.
    Spoke {
        /// What it said, in one sentence without a full stop.
        proof: String,
    },
    /// The peer speaks the protocol and now waits for a TLS handshake on the same connection.
    Upgrade {
        /// What it said, in one sentence without a full stop.
        proof: String,
    },
    /// An HTTP response, whatever its status.
    Http(HttpReply),
}

/// What the bytes received so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// They are the beginning of a well-formed reply.
    More,
    /// They hold a whole reply.
    Done(T),
    /// They cannot become the reply that is expected; why, as a fragment.
    Foreign(String),
}

/// How many of the first bytes received a [`Greeting`] keeps.
pub const KEPT: usize = 512;

/// How many bytes a peer may send before a whole reply must have come. Every reply spoken here is far shorter.
pub const BOUND: usize = 16 * 1024;

/// Sends `request` and reads until `parse` recognises a reply or its absence, the peer ends the connection, [`BOUND`]
/// bytes have come, or `deadline` passes.
///
/// The deadline covers the whole exchange, so a peer that keeps dripping bytes does not move it. Nothing runs on after
/// the future is dropped.
pub async fn exchange<S>(
    stream: &mut S,
    request: &[u8],
    parse: impl Fn(&[u8]) -> Reading<Reply>,
    deadline: Instant,
) -> Greeting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut received = Vec::new();
    let mut unsent = None;
    let conversation = async {
        // A peer that refuses our bytes may have said why before: read on.
        unsent = send(stream, request).await.err();
        listen(stream, &mut received, parse).await
    };
    let heard = timeout_at(deadline, conversation).await.unwrap_or(End::TimedOut);
    let end = match (heard, unsent) {
        (End::Closed | End::Reset | End::TimedOut | End::Failed { .. }, Some(error)) => End::from(&error),
        (heard, _) => heard,
    };
    received.truncate(KEPT);
    Greeting { end, received }
}

/// How an error of a stream ends an exchange, TLS alerts told apart.
impl From<&io::Error> for End {
    fn from(error: &io::Error) -> Self {
        // Not `source()`: an io::Error skips its own payload there.
        match error.get_ref().and_then(|payload| payload.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => return Self::Alert(format!("{alert:?}")),
            Some(other) => {
                return Self::Failed {
                    errno: None,
                    text: other.to_string(),
                };
            }
            None => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            // TLS reports the end of the connection this way when no close_notify came before it.
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Failed {
                errno: error.raw_os_error(),
                text: error.to_string(),
            },
        }
    }
}

/// Random bytes for the identifiers by which a reply is told from a forgery.
///
/// # Panics
/// If the operating system has no random numbers, which it does not survive for long anyway.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives random numbers");
    bytes
}

/// Foreign bytes made fit for a sentence: text in quotes, anything else in hexadecimal, shortened to what helps.
///
/// Control characters and those that turn or hide text are escaped, runs of white space become one space.
pub fn glimpse(bytes: &[u8]) -> String {
    const TEXT: usize = 120;
    const HEX: usize = 24;
    let printable = bytes
        .iter()
        .filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
        .count();
    if printable * 10 >= bytes.len() * 9 {
        return format!("\"{}\"", plain(&String::from_utf8_lossy(bytes), TEXT));
    }
    let hex: Vec<String> = bytes.iter().take(HEX).map(|byte| format!("{byte:02x}")).collect();
    let rest = if bytes.len() > HEX { " …" } else { "" };
    hex.join(" ") + rest
}

/// At most `most` characters of `text` on one line, with everything escaped that a reader could not see.
fn plain(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(most).flat_map(visible).collect();
    if line.chars().count() > most {
        shown.push('…');
    }
    shown
}

/// The character itself, or its escape where it is a control character or steers how text is laid out.
fn visible(character: char) -> impl Iterator<Item = char> {
    let steers =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let hidden = character.is_control() || steers;
    let escape = hidden.then(|| character.escape_unicode());
    (!hidden)
        .then_some(character)
        .into_iter()
        .chain(escape.into_iter().flatten())
}

/// Writes the whole request and pushes it out.
async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &[u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    stream.flush().await
}

/// Reads into `received` until it can be judged.
async fn listen(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
    parse: impl Fn(&[u8]) -> Reading<Reply>,
) -> End {
    let mut segment = [0; 1024];
    loop {
        match stream.read(&mut segment).await {
            Ok(0) => return End::Closed,
            Ok(length) => received.extend_from_slice(&segment[..length]),
            Err(error) => return End::from(&error),
        }
        match parse(received) {
            Reading::Done(reply) => return End::Replied(reply),
            Reading::Foreign(why) => return End::Foreign { why },
            Reading::More if received.len() >= BOUND => {
                return End::Foreign {
                    why: format!("no end of the reply in {} bytes", received.len()),
                };
            }
            Reading::More => {}
        }
    }
}

/// Reads fields of a reply from its front; nothing is read past the end.
#[derive(Debug, Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }
}

/// Tests that every parser must pass, whatever its protocol.
#[cfg(test)]
mod contract {
    use super::{Reading, Reply};

    /// A protocol's parser.
    pub type Parse = fn(&[u8]) -> Reading<Reply>;

    /// A whole reply is recognised, and every shorter beginning of it is not yet judged.
    pub fn every_prefix_is_more(parse: Parse, reply: &[u8]) {
        for length in 0..reply.len() {
            assert_eq!(parse(&reply[..length]), Reading::More, "after {length} bytes");
        }
        assert!(matches!(parse(reply), Reading::Done(_)), "{:?}", parse(reply));
    }

    /// The words for what `bytes` are not.
    pub fn why(parse: Parse, bytes: &[u8]) -> String {
        match parse(bytes) {
            Reading::Foreign(why) => why,
            other => panic!("{bytes:02x?} was read as {other:?}"),
        }
    }

    /// The proof in `bytes`.
    pub fn proof(parse: Parse, bytes: &[u8]) -> String {
        match parse(bytes) {
            Reading::Done(Reply::Spoke { proof } | Reply::Upgrade { proof }) => proof,
            other => panic!("{bytes:02x?} was read as {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_bytes_are_shown_without_their_teeth() {
        let table: [(&[u8], &str); 6] = [
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: x",
                r#""HTTP/1.1 400 Bad Request Server: x""#,
            ),
            (b"\x15\x03\x01\x00\x02\x02\x28", "15 03 01 00 02 02 28"),
            (b"stop\x1b[2Jnow, dear reader", r#""stop\u{1b}[2Jnow, dear reader""#),
            (
                "the file is called \u{202e}txt.exe, is it not so, dear reader?".as_bytes(),
                r#""the file is called \u{202e}txt.exe, is it not so, dear reader?""#,
            ),
            (b"", "\"\""),
            (&[0; 30], &(vec!["00"; 24].join(" ") + " …")),
        ];
        for (bytes, shown) in table {
            assert_eq!(glimpse(bytes), shown);
        }
        assert_eq!(glimpse(&[b'a'; 500]), format!("\"{}…\"", "a".repeat(120)));
    }

    #[test]
    fn errors_of_a_stream_are_told_apart() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let table = [
            (io::Error::from(io::ErrorKind::ConnectionReset), End::Reset),
            (io::Error::from(io::ErrorKind::BrokenPipe), End::Reset),
            (io::Error::from(io::ErrorKind::ConnectionAborted), End::Reset),
            (io::Error::from(io::ErrorKind::UnexpectedEof), End::Closed),
            (io::Error::from_raw_os_error(libc::ETIMEDOUT), End::TimedOut),
            (
                io::Error::new(io::ErrorKind::InvalidData, alert),
                End::Alert("CertificateRequired".into()),
            ),
            (
                io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError),
                End::Failed {
                    errno: None,
                    text: rustls::Error::DecryptError.to_string(),
                },
            ),
        ];
        for (error, end) in table {
            assert_eq!(End::from(&error), end, "{error:?}");
        }
        let unreachable = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
        assert!(matches!(
            End::from(&unreachable),
            End::Failed {
                errno: Some(libc::EHOSTUNREACH),
                ..
            }
        ));
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
