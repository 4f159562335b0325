//! AMQP 1.0: protocol headers of eight bytes, and the list of SASL mechanisms that a server offers before
//! authentication.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{FieldReader, Greeting, Parsed, ProtocolReply, exchange};
use crate::text::{excerpt, one_line};

/// The header that asks for TLS on this connection (AMQP 1.0, part 5, section 5.2.1).
pub const TLS: [u8; 8] = *b"AMQP\x02\x01\0\0";

/// The header that asks for SASL on this connection (AMQP 1.0, part 5, section 5.3.1).
pub const SASL: [u8; 8] = *b"AMQP\x03\x01\0\0";

/// The largest frame before the connection has been opened (AMQP 1.0, part 5, section 5.3.1).
const FRAME: u32 = 512;

/// Reads the answer to [`TLS`].
///
/// The same header in reply is an [`ProtocolReply::Upgrade`]: the TLS handshake comes next. Any other AMQP header comes
/// from a server that refuses TLS and closes (part 2, section 2.2), usually a broker of AMQP 0-9-1. Event Hubs accepts
/// only TLS, so this is another server.
pub fn parse_tls(received: &[u8]) -> Parsed<ProtocolReply> {
    match header(received) {
        Parsed::Done((TLS, [])) => Parsed::Done(ProtocolReply::Upgrade {
            proof: "AMQP header, TLS agreed".into(),
        }),
        // The client begins the handshake: bytes that came already would be missing from it.
        Parsed::Done((TLS, early)) => Parsed::Foreign(format!("{} before the TLS handshake", excerpt(early))),
        Parsed::Done((other, _)) => Parsed::Foreign(format!("{}, which Event Hubs never does", refusal("TLS", other))),
        Parsed::More => Parsed::More,
        Parsed::Foreign(why) => Parsed::Foreign(why),
    }
}

/// Reads the answer to [`SASL`]: the same header and a `sasl-mechanisms` frame (part 5, section 5.3.3.1), or the header
/// of a server that refuses SASL.
pub fn parse_sasl(received: &[u8]) -> Parsed<ProtocolReply> {
    match header(received) {
        Parsed::Done((SASL, rest)) => mechanisms(rest),
        Parsed::Done((other, _)) => Parsed::Done(ProtocolReply::Spoke {
            proof: refusal("SASL", other),
        }),
        Parsed::More => Parsed::More,
        Parsed::Foreign(why) => Parsed::Foreign(why),
    }
}

/// Requests TLS over an open connection.
pub async fn greet_tls(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, &TLS, parse_tls, deadline).await
}

/// Requests SASL over an open connection, which already uses TLS.
pub async fn greet_sasl(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, &SASL, parse_sasl, deadline).await
}

/// The protocol header and what follows it.
fn header(received: &[u8]) -> Parsed<([u8; 8], &[u8])> {
    if received.iter().zip(b"AMQP").any(|(byte, wanted)| byte != wanted) {
        return Parsed::Foreign(format!("{} is not an AMQP header", excerpt(received)));
    }
    received
        .split_first_chunk()
        .map_or(Parsed::More, |(header, rest)| Parsed::Done((*header, rest)))
}

/// A description of a server that answers with another header than ours. That of AMQP 0-9-1 (section 4.2.2) has its
/// numbers elsewhere: a zero, then the version.
fn refusal(wanted: &str, [.., id, major, minor, revision]: [u8; 8]) -> String {
    match (id, major) {
        (0, 0) => format!("an AMQP {major}-{minor}-{revision} server answers and refuses {wanted}"),
        _ => format!("AMQP header for protocol {id}, version {major}.{minor}.{revision}: {wanted} refused"),
    }
}

/// Reads a frame that must contain `sasl-mechanisms`.
fn mechanisms(received: &[u8]) -> Parsed<ProtocolReply> {
    let Some([a, b, c, d, words, kind]) = received.first_chunk() else {
        return Parsed::More;
    };
    let size = u32::from_be_bytes([*a, *b, *c, *d]);
    // The first word pair is the frame's header (part 2, section 2.3.1): its offset counts words of four bytes.
    let start = usize::from(*words) * 4;
    if !(8..=FRAME).contains(&size) || *words < 2 || *kind != 1 {
        return Parsed::Foreign(format!("{} is not a SASL frame", excerpt(received)));
    }
    let Some(frame) = usize::try_from(size).ok().and_then(|size| received.get(..size)) else {
        return Parsed::More;
    };
    match frame.get(start..).and_then(|body| offered(FieldReader(body))) {
        Some(names) => Parsed::Done(ProtocolReply::Spoke {
            proof: format!("AMQP SASL mechanisms {names}"),
        }),
        None => Parsed::Foreign(format!("{} is not a list of SASL mechanisms", excerpt(frame))),
    }
}

/// The mechanisms' names of a `sasl-mechanisms` performative: a described list whose one field is a symbol or an array
/// of symbols (part 1, sections 1.2 and 1.6; part 5, section 5.3.3.1).
fn offered(mut body: FieldReader) -> Option<String> {
    descriptor(&mut body)?;
    let mut list = match body.u8()? {
        0xc0 => sized(&mut body, false)?,
        0xd0 => sized(&mut body, true)?,
        _ => return None,
    };
    let names = match list.u8()? {
        wide @ (0xa3 | 0xb3) => vec![symbol(&mut list, wide)?],
        wide @ (0xe0 | 0xf0) => {
            let mut array = sized(&mut list, wide == 0xf0)?;
            let element = array.u8().filter(|element| matches!(element, 0xa3 | 0xb3))?;
            let mut names = Vec::new();
            while !array.0.is_empty() {
                names.push(symbol(&mut array, element)?);
            }
            names
        }
        _ => return None,
    };
    Some(names.join(", "))
}

/// Skips the descriptor of `sasl-mechanisms`: code 0x40 as a small or a full ulong, or its symbolic name.
fn descriptor(body: &mut FieldReader) -> Option<()> {
    let known = match (body.u8()?, body.u8()?) {
        (0, 0x53) => body.u8()? == 0x40,
        (0, 0x80) => u64::from_be_bytes(body.array()?) == 0x40,
        (0, wide @ (0xa3 | 0xb3)) => symbol(body, wide)? == "amqp:sasl-mechanisms:list",
        _ => false,
    };
    known.then_some(())
}

/// The content of a list or array after its size and count, which are one byte each or, if `wide`, four.
fn sized<'a>(fields: &mut FieldReader<'a>, wide: bool) -> Option<FieldReader<'a>> {
    let (size, count) = if wide {
        (u32::from_be_bytes(fields.array()?), 4)
    } else {
        (u32::from(fields.u8()?), 1)
    };
    let mut content = FieldReader(fields.bytes(usize::try_from(size).ok()?)?);
    content.bytes(count)?;
    Some(content)
}

/// A symbol with a length of one byte (0xa3) or four (0xb3).
fn symbol(fields: &mut FieldReader, constructor: u8) -> Option<String> {
    let length = if constructor == 0xa3 {
        u32::from(fields.u8()?)
    } else {
        u32::from_be_bytes(fields.array()?)
    };
    let name = fields.bytes(usize::try_from(length).ok()?)?;
    // At most 20 characters (RFC 4422, section 3.1); the descriptor has 25.
    name.is_ascii().then(|| one_line(&String::from_utf8_lossy(name), 32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::contract::{every_prefix_needs_more_bytes, proof, why};

    /// A SASL frame around `body`.
    fn frame(body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(8 + body.len()).unwrap().to_be_bytes();
        [&size, &[2, 1, 0, 0], body].concat()
    }

    fn reply(body: &[u8]) -> Vec<u8> {
        [&SASL[..], &frame(body)].concat()
    }

    /// One mechanism, as a plain symbol.
    const ONE_MECHANISM: &[u8] = b"\0\x53\x40\xc0\x08\x01\xa3\x05PLAIN";

    /// Two mechanisms, as an array of symbols.
    fn two_mechanisms() -> Vec<u8> {
        let names = b"\x05PLAIN\x09ANONYMOUS";
        let array = [&[0xe0, u8::try_from(names.len() + 2).unwrap(), 2, 0xa3], &names[..]].concat();
        [
            &[0, 0x53, 0x40, 0xc0, u8::try_from(array.len() + 1).unwrap(), 1],
            &array[..],
        ]
        .concat()
    }

    #[test]
    fn amqp_tls_header_echoed_means_tls() {
        every_prefix_needs_more_bytes(parse_tls, &TLS);
        assert_eq!(
            parse_tls(&TLS),
            Parsed::Done(ProtocolReply::Upgrade {
                proof: "AMQP header, TLS agreed".into()
            })
        );
        assert!(why(parse_tls, b"AMQP\x02\x01\0\0\x15\x03").contains("15 03 before the TLS handshake"));
    }

    #[test]
    fn amqp_server_refusing_tls_is_foreign() {
        for (bytes, words) in [
            (
                b"AMQP\0\x01\0\0",
                "AMQP header for protocol 0, version 1.0.0: TLS refused",
            ),
            (
                b"AMQP\x03\x01\0\0",
                "AMQP header for protocol 3, version 1.0.0: TLS refused",
            ),
            (
                b"AMQP\0\0\x09\x01",
                "an AMQP 0-9-1 server answers and refuses TLS, which Event Hubs never does",
            ),
        ] {
            assert!(why(parse_tls, bytes).contains(words), "{}", why(parse_tls, bytes));
        }
        every_prefix_needs_more_bytes(parse_sasl, b"AMQP\0\x01\0\0");
        assert_eq!(
            proof(parse_sasl, b"AMQP\0\x01\0\0"),
            "AMQP header for protocol 0, version 1.0.0: SASL refused"
        );
    }

    #[test]
    fn amqp_sasl_mechanisms_are_listed_in_the_proof() {
        let wide = b"\0\x80\0\0\0\0\0\0\0\x40\xd0\0\0\0\x0e\0\0\0\x01\xb3\0\0\0\x05PLAIN";
        let named = b"\0\xa3\x19amqp:sasl-mechanisms:list\xc0\x08\x01\xa3\x05PLAIN";
        let array = b"\0\x53\x40\xd0\0\0\0\x17\0\0\0\x01\xf0\0\0\0\x0e\0\0\0\x01\xb3\0\0\0\x05PLAIN";
        for body in [ONE_MECHANISM, wide, named, array] {
            every_prefix_needs_more_bytes(parse_sasl, &reply(body));
            assert_eq!(proof(parse_sasl, &reply(body)), "AMQP SASL mechanisms PLAIN");
        }
        every_prefix_needs_more_bytes(parse_sasl, &reply(&two_mechanisms()));
        assert_eq!(
            proof(parse_sasl, &reply(&two_mechanisms())),
            "AMQP SASL mechanisms PLAIN, ANONYMOUS"
        );
        // An extended frame header is skipped; a second frame may follow.
        let extended = [
            &SASL[..],
            &[0, 0, 0, 25, 3, 1, 0, 0, 9, 9, 9, 9],
            ONE_MECHANISM,
            &frame(ONE_MECHANISM),
        ]
        .concat();
        assert_eq!(proof(parse_sasl, &extended), "AMQP SASL mechanisms PLAIN");
    }

    #[test]
    fn other_replies_are_foreign() {
        let table = [
            (b"HTTP/1.1 400".to_vec(), "\"HTTP/1.1 400\" is not an AMQP header"),
            (b"\x15\x03\x01".to_vec(), "15 03 01 is not an AMQP header"),
            ([&SASL[..], b"\0\0\x02\x01\x02\x01"].concat(), "is not a SASL frame"),
            ([&SASL[..], b"\0\0\0\x07\x02\x01"].concat(), "is not a SASL frame"),
            ([&SASL[..], b"\0\0\0\x10\x01\x01"].concat(), "is not a SASL frame"),
            ([&SASL[..], b"\0\0\0\x10\x02\0"].concat(), "is not a SASL frame"),
            (reply(b""), "is not a list of SASL mechanisms"),
            (reply(b"\0\x53\x41\xc0\x08\x01\xa3\x05PLAIN"), "is not a list"),
            (reply(b"\0\x53\x40\xc0\xff\x01\xa3\x05PLAIN"), "is not a list"),
            (reply(b"\0\x53\x40\xc0\x08\x01\xa3\xffPLAIN"), "is not a list"),
            (reply(b"\0\x53\x40\xc0\x02\x01\x40"), "is not a list"),
            (reply(b"\0\x53\x40\xc0\x05\x01\xe0\x02\x02\x40"), "is not a list"),
            (reply(b"\0\x53\x40\xc0\x05\x01\xa3\x02\xff\xff"), "is not a list"),
        ];
        for (bytes, words) in table {
            assert!(why(parse_sasl, &bytes).contains(words), "{}", why(parse_sasl, &bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0_usize..40, value: u8) {
            parse_tls(&bytes);
            parse_sasl(&bytes);
            parse_sasl(&reply(&bytes));
            let mut mutated = reply(&two_mechanisms());
            if let Some(byte) = mutated.get_mut(at) { *byte = value; }
            parse_sasl(&mutated);
        }
    }
}
