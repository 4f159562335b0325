//! Windows activation (KMS): a DCE/RPC bind to the service's interface, and nothing after it. A bind names the
//! interface that a call would use; the call itself, the activation request, is never made.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{FieldReader, Greeting, Parsed, ProtocolReply, exchange};
use crate::text::excerpt;

/// The largest fragment that we offer to send and receive, and therefore the longest `bind_ack` that is accepted.
const FRAGMENT: u16 = 5840;

/// Packet types (C706, section 12.6.4).
const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;

/// The KMS interface, 51c82175-844e-4750-b0d8-ec255555bc06 version 1.0, as a syntax identifier in little-endian order.
const KMS: [u8; 20] = *b"\x75\x21\xc8\x51\x4e\x84\x50\x47\xb0\xd8\xec\x25\x55\x55\xbc\x06\x01\0\0\0";

/// The transfer syntax NDR, 8a885d04-1ceb-11c9-9fe8-08002b104860 version 2.0.
const NDR: [u8; 20] = *b"\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\x00\x2b\x10\x48\x60\x02\0\0\0";

/// A `bind` of one presentation context: the KMS interface over NDR (C706, section 12.6.4.3; 72 bytes).
pub fn request() -> Vec<u8> {
    const LENGTH: u16 = 72;
    const CALL: u32 = 2;
    let mut packet = Vec::with_capacity(usize::from(LENGTH));
    packet.extend([5, 0, BIND, 3]); // version 5.0, first and last fragment
    packet.extend([0x10, 0, 0, 0]); // integers little-endian, ASCII, IEEE floats
    packet.extend(LENGTH.to_le_bytes());
    packet.extend([0, 0]); // no authentication
    packet.extend(CALL.to_le_bytes());
    packet.extend(FRAGMENT.to_le_bytes());
    packet.extend(FRAGMENT.to_le_bytes());
    packet.extend([0; 4]); // a new association group
    packet.extend([1, 0, 0, 0]); // one context
    packet.extend([0, 0, 1, 0]); // context 0 with one transfer syntax
    packet.extend(KMS);
    packet.extend(NDR);
    packet
}

/// Reads the answer to the bind: a `bind_ack` with one result, acceptance (C706, section 12.6.4.4).
///
/// A `bind_nak`, a `fault` or another result comes from an RPC server that is not KMS: [`Parsed::Foreign`].
pub fn parse(received: &[u8]) -> Parsed<ProtocolReply> {
    // Bytes that are not RPC are recognised as soon as they arrive.
    let head = [Some(5), Some(0), None, None, None];
    let differs = received
        .iter()
        .zip(head)
        .any(|(byte, wanted)| wanted.is_some_and(|wanted| wanted != *byte));
    if differs {
        return Parsed::Foreign(format!("{} is not DCE/RPC version 5.0", excerpt(received)));
    }
    let Some(header) = received.first_chunk::<16>() else {
        return Parsed::More;
    };
    let little_endian = header[4] >> 4 == 1;
    let u16 = |bytes: [u8; 2]| {
        if little_endian {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    };
    let u32 = |bytes: [u8; 4]| {
        if little_endian {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    };

    let length = u16([header[8], header[9]]);
    if !(16..=FRAGMENT).contains(&length) {
        return Parsed::Foreign(format!("a DCE/RPC fragment of {length} bytes"));
    }
    let Some(packet) = received.get(..usize::from(length)) else {
        return Parsed::More;
    };
    let mut body = FieldReader(&packet[16..]);
    match header[2] {
        BIND_ACK => match acceptance(body, u16) {
            None => Parsed::Foreign("a bind_ack with inconsistent lengths".into()),
            Some((0, _)) => Parsed::Done(ProtocolReply::Spoke {
                proof: "DCE/RPC bind to the KMS interface accepted".into(),
            }),
            Some((result, reason)) => {
                let (result, reason) = (in_words(result, RESULTS), in_words(reason, REASONS));
                Parsed::Foreign(format!("an RPC server that is not KMS: bind result {result}, {reason}"))
            }
        },
        BIND_NAK => {
            let reason = body
                .array()
                .map_or("no reason".into(), |reason| in_words(u16(reason), REJECTIONS));
            Parsed::Foreign(format!("an RPC server refused the bind: {reason}"))
        }
        FAULT => {
            let status = body.bytes(8).and_then(|_| body.array()).map_or(0, u32);
            Parsed::Foreign(format!("an RPC server answered the bind with fault {status:#010x}"))
        }
        other => Parsed::Foreign(format!("DCE/RPC packet type {other}, but a bind_ack has {BIND_ACK}")),
    }
}

/// Binds to the KMS interface over an open connection.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, &request(), parse, deadline).await
}

/// A provider's result for a presentation context (C706, section 12.6.3.1, `p_cont_def_result_t`).
const RESULTS: &[&str] = &["acceptance", "user rejection", "provider rejection"];

/// Why a provider rejected it (C706, section 12.6.3.1, `p_provider_reason_t`).
const REASONS: &[&str] = &[
    "reason not specified",
    "abstract syntax not supported",
    "proposed transfer syntaxes not supported",
    "local limit exceeded",
];

/// Why a whole bind was rejected (C706, section 12.6.3.1, `p_reject_reason_t`).
const REJECTIONS: &[&str] = &[
    "reason not specified",
    "temporary congestion",
    "local limit exceeded",
    "called address unknown",
    "protocol version not supported",
    "default context not supported",
    "user data not readable",
    "no address available",
];

/// Result and reason of the first context in the body of a `bind_ack`; `None` if its lengths are inconsistent.
fn acceptance(mut body: FieldReader, u16: impl Fn([u8; 2]) -> u16) -> Option<(u16, u16)> {
    body.bytes(8)?; // fragment sizes, association group
    let address = usize::from(u16(body.array()?));
    body.bytes(address)?;
    // The result list is aligned to four bytes of the packet; the address began at byte 26 of it.
    body.bytes((26 + address).next_multiple_of(4) - (26 + address))?;
    let results = body.u8()?;
    body.bytes(3)?;
    let (result, reason) = (u16(body.array()?), u16(body.array()?));
    body.bytes(20)?; // the transfer syntax chosen
    (results > 0).then_some((result, reason))
}

/// A code's name, or the code itself.
fn in_words(code: u16, names: &[&str]) -> String {
    names
        .get(usize::from(code))
        .map_or_else(|| code.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::contract::{every_prefix_needs_more_bytes, proof, why};

    /// A packet of `kind` around `body`.
    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(16 + body.len()).unwrap().to_le_bytes();
        [
            &[5, 0, kind, 3, 0x10, 0, 0, 0, length[0], length[1], 0, 0, 2, 0, 0, 0],
            body,
        ]
        .concat()
    }

    /// A `bind_ack` with `result`, from a server that names its port as secondary address.
    fn bind_ack(address: &[u8], result: [u8; 4]) -> Vec<u8> {
        let length = u16::try_from(address.len()).unwrap().to_le_bytes();
        let pad = vec![0; (4 - (26 + address.len()) % 4) % 4];
        let sizes = [0xd0, 0x16, 0xd0, 0x16, 0x34, 0x12, 0, 0];
        packet(
            12,
            &[&sizes[..], &length, address, &pad, &[1, 0, 0, 0], &result, &NDR].concat(),
        )
    }

    #[test]
    fn bind_request_contains_the_kms_interface() {
        let request = request();
        assert_eq!(request.len(), 72);
        assert_eq!(request[..10], [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0]);
        assert_eq!(request[32..52], KMS);
    }

    #[test]
    fn kms_bind_ack_is_proof() {
        for address in [&b"1688\0"[..], b"", b"12\0", b"123\0"] {
            let reply = bind_ack(address, [0; 4]);
            every_prefix_needs_more_bytes(parse, &reply);
            assert_eq!(proof(parse, &reply), "DCE/RPC bind to the KMS interface accepted");
            assert_eq!(
                proof(parse, &[reply.clone(), reply].concat()),
                "DCE/RPC bind to the KMS interface accepted"
            );
        }
    }

    #[test]
    fn big_endian_bind_rejection_is_described() {
        let address = b"\0\x051688\0\0";
        let mut reply = [&[0; 8][..], address, &[1, 0, 0, 0], &[0, 2, 0, 1], &NDR].concat();
        reply.splice(0..0, [5, 0, 12, 3, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 2]);
        assert!(
            why(parse, &reply).contains("provider rejection, abstract syntax"),
            "{}",
            why(parse, &reply)
        );
    }

    #[test]
    fn kms_refusals_are_described() {
        let table = [
            (
                bind_ack(b"135\0", [2, 0, 1, 0]),
                "bind result provider rejection, abstract syntax not supported",
            ),
            (bind_ack(b"135\0", [1, 0, 9, 0]), "bind result user rejection, 9"),
            (
                packet(13, &[4, 0, 0, 0]),
                "refused the bind: protocol version not supported",
            ),
            (packet(13, &[]), "refused the bind: no reason"),
            (packet(3, &[0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0]), "fault 0x00000005"),
            (packet(2, &[]), "packet type 2"),
            (packet(12, &[0xff; 10]), "inconsistent lengths"),
            (b"\x05\0\x0c\x03\x10\0\0\0\xff\xff\0\0\0\0\0\0".to_vec(), "65535 bytes"),
            (b"\x05\0\x0c\x03\x10\0\0\0\x02\0\0\0\0\0\0\0".to_vec(), "2 bytes"),
            (b"HTTP".to_vec(), "\"HTTP\" is not DCE/RPC"),
            (b"\x05\x01".to_vec(), "05 01 is not DCE/RPC"),
        ];
        for (bytes, words) in table {
            assert!(why(parse, &bytes).contains(words), "{}", why(parse, &bytes));
        }
        let mut none = bind_ack(b"135\0", [0; 4]);
        none[32] = 0;
        assert!(why(parse, &none).contains("inconsistent lengths"));
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, value: u8) {
            parse(&bytes);
            let mut reply = bind_ack(b"1688\0", [0; 4]);
            reply[at] = value;
            parse(&reply);
            parse(&[&reply[..16], &bytes].concat());
        }
    }
}
