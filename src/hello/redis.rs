//! Redis: a `PING`, which a server that requires a password answers with a Redis error. Both answers are proof.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{Greeting, Parsed, ProtocolReply, exchange};
use crate::text::{excerpt, one_line};

/// The longest first line that is accepted as a reply; errors in use are below 200 bytes.
const LINE: usize = 512;

/// `PING` as an array of one bulk string (RESP, "Sending commands to a Redis server").
pub fn request() -> &'static [u8] {
    b"*1\r\n$4\r\nPING\r\n"
}

/// Reads the first line of a RESP reply: the simple string `+PONG`, or a simple error (`-NOAUTH …`, `-DENIED …`,
/// `-LOADING …`), whose first word is in capitals by convention.
pub fn parse(received: &[u8]) -> Parsed<ProtocolReply> {
    match received.first() {
        None => return Parsed::More,
        Some(b'+' | b'-') => {}
        Some(_) => return Parsed::Foreign(format!("{} is neither +PONG nor a RESP error", excerpt(received))),
    }
    let Some(end) = received.iter().take(LINE).position(|byte| *byte == b'\r') else {
        return if received.len() < LINE {
            Parsed::More
        } else {
            Parsed::Foreign(format!("a first line of more than {LINE} bytes"))
        };
    };
    match received.get(end + 1) {
        None => return Parsed::More,
        Some(b'\n') => {}
        Some(_) => return Parsed::Foreign("a carriage return without a line feed".into()),
    }
    let line = String::from_utf8_lossy(&received[..end]);
    if line == "+PONG" || is_error(&line) {
        Parsed::Done(ProtocolReply::Spoke {
            proof: format!("Redis answers {}", one_line(&line, 80)),
        })
    } else {
        Parsed::Foreign(format!(
            "{} is neither +PONG nor a RESP error",
            excerpt(line.as_bytes())
        ))
    }
}

/// Sends a `PING` over an open connection.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, request(), parse, deadline).await
}

/// Whether a line is a RESP simple error with a code.
fn is_error(line: &str) -> bool {
    let code = line.strip_prefix('-').and_then(|text| text.split(' ').next());
    code.is_some_and(|code| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::contract::{every_prefix_needs_more_bytes, proof, why};

    #[test]
    fn redis_pong_and_errors_are_proof() {
        for reply in [
            "+PONG",
            "-NOAUTH Authentication required.",
            "-DENIED Redis is in protected mode",
            "-LOADING",
        ] {
            let bytes = format!("{reply}\r\n").into_bytes();
            every_prefix_needs_more_bytes(parse, &bytes);
            assert_eq!(proof(parse, &bytes), format!("Redis answers {reply}"));
        }
        assert_eq!(proof(parse, b"+PONG\r\n+PONG\r\n"), "Redis answers +PONG");
    }

    #[test]
    fn other_replies_are_foreign() {
        let table: [(&[u8], &str); 7] = [
            (
                b"HTTP/1.1 400 Bad Request\r\n",
                "\"HTTP/1.1 400 Bad Request\" is neither",
            ),
            (b"+OK\r\n", "\"+OK\" is neither"),
            (b"-\r\n", "\"-\" is neither"),
            (b"-no thanks\r\n", "\"-no thanks\" is neither"),
            (b"\x15\x03\x03", "15 03 03 is neither"),
            (b"+PONG\rx", "without a line feed"),
            (&[b'-'; 513], "more than 512"),
        ];
        for (bytes, words) in table {
            assert!(why(parse, bytes).contains(words), "{}", why(parse, bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), lead in "[+-]?") {
            parse(&bytes);
            parse(&[lead.as_bytes(), &bytes].concat());
        }
    }
}
