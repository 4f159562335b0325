//! Hellos: the few bytes that verify that the expected service answers on a port.
//!
//! Each protocol has a pure `request`, a pure `parse`, and a `greet` that exchanges both over an open connection (for
//! UDP, the exchange is where the socket is). A hello never logs in, never requests anything that changes the peer, and
//! never judges: a [`Greeting`] is evidence, which the diagnosis interprets.

use ring::rand::{SecureRandom, SystemRandom};

use self::http::HttpReply;

pub use self::exchange::{BOUND, exchange};

pub mod amqp;
pub mod http;
pub mod kms;
pub mod ntp;
pub mod redis;
pub mod smb;
pub mod tds;

mod exchange;

/// How one hello ended, and the first bytes that the peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// How the exchange ended.
    pub end: ExchangeEnd,
    /// The first bytes received, at most [`KEPT`].
    pub received: Vec<u8>,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeEnd {
    /// A well-formed reply of the protocol came.
    Replied(ProtocolReply),
    /// Something answered that is not this protocol, or that this service must not answer.
    Foreign {
        /// What is wrong with the answer, as a fragment: "packet type 72, a reply has 4".
        why: String,
    },
    /// The connection was reset before a complete reply came.
    Reset,
    /// The peer closed the connection before a complete reply came.
    Closed,
    /// The deadline passed before a complete reply came.
    TimedOut,
    /// A fatal TLS alert came; its name is as in rustls, such as `CertificateRequired`.
    Alert(String),
    /// The exchange failed in another way.
    Failed {
        /// The system's error number, if it was a system error.
        errno: Option<i32>,
        /// The error in words.
        text: String,
    },
}

/// A well-formed reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolReply {
    /// The peer speaks the protocol.
    Spoke {
        /// What its reply contains, in one sentence without a full stop.
        proof: String,
    },
    /// The peer speaks the protocol and now waits for a TLS handshake on the same connection.
    Upgrade {
        /// What its reply contains, in one sentence without a full stop.
        proof: String,
    },
    /// An HTTP response, whatever its status.
    Http(HttpReply),
}

/// The state of the bytes received so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed<T> {
    /// They are the beginning of a well-formed reply.
    More,
    /// They contain a complete reply.
    Done(T),
    /// They cannot become the reply that is expected; why, as a fragment.
    Foreign(String),
}

/// How many of the first bytes received a [`Greeting`] keeps.
pub const KEPT: usize = 512;

/// Random bytes for identifiers that distinguish a reply from a forgery.
///
/// # Panics
///
/// If the operating system provides no random numbers, without which it hardly works at all.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives random numbers");
    bytes
}

/// Reads fields of a reply from the front, never past the end.
#[derive(Debug, Clone, Copy)]
struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
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

/// Tests that every parser must pass, for any protocol.
#[cfg(test)]
mod contract {
    use super::{Parsed, ProtocolReply};

    /// A protocol's parser.
    pub(super) type Parse = fn(&[u8]) -> Parsed<ProtocolReply>;

    /// A complete reply is recognised, and every shorter beginning of it is incomplete.
    pub(super) fn every_prefix_needs_more_bytes(parse: Parse, reply: &[u8]) {
        for length in 0..reply.len() {
            assert_eq!(parse(&reply[..length]), Parsed::More, "after {length} bytes");
        }
        assert!(matches!(parse(reply), Parsed::Done(_)), "{:?}", parse(reply));
    }

    /// The words for what `bytes` are not.
    pub(super) fn why(parse: Parse, bytes: &[u8]) -> String {
        match parse(bytes) {
            Parsed::Foreign(why) => why,
            other => panic!("{bytes:02x?} was read as {other:?}"),
        }
    }

    /// The proof in `bytes`.
    pub(super) fn proof(parse: Parse, bytes: &[u8]) -> String {
        match parse(bytes) {
            Parsed::Done(ProtocolReply::Spoke { proof } | ProtocolReply::Upgrade { proof }) => proof,
            other => panic!("{bytes:02x?} was read as {other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_not_repeated() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
