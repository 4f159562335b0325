//! Hellos: the few bytes that verify that the expected service answers on a port.
//!
//! Each protocol is a pure `request` and a pure `parse`, and a `greet` that carries both over a connection that is
//! already open (UDP's exchange is made where the socket is). A hello never logs in, never asks for anything that
//! changes the peer, and never judges: a [`Greeting`] is evidence, the diagnosis says what it means.

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

/// How one hello ended, and what the peer said first.
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
pub enum ProtocolReply {
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
pub enum Parsed<T> {
    /// They are the beginning of a well-formed reply.
    More,
    /// They hold a whole reply.
    Done(T),
    /// They cannot become the reply that is expected; why, as a fragment.
    Foreign(String),
}

/// How many of the first bytes received a [`Greeting`] keeps.
pub const KEPT: usize = 512;

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

/// Reads fields of a reply from its front; nothing is read past the end.
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

/// Tests that every parser must pass, whatever its protocol.
#[cfg(test)]
mod contract {
    use super::{Parsed, ProtocolReply};

    /// A protocol's parser.
    pub(super) type Parse = fn(&[u8]) -> Parsed<ProtocolReply>;

    /// A whole reply is recognised, and every shorter beginning of it is not yet judged.
    pub(super) fn every_prefix_is_more(parse: Parse, reply: &[u8]) {
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
    fn random_bytes_differ() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
