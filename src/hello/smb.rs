//! SMB: an SMB2 NEGOTIATE, which every server answers before authentication.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{FieldReader, Greeting, Parsed, ProtocolReply, exchange, random};
use crate::text::excerpt;

/// The dialects offered: 2.0.2, 2.1, 3.0, 3.0.2 and 3.1.1, the only one that hardened file shares accept.
const DIALECTS: [u16; 5] = [0x0202, 0x0210, 0x0300, 0x0302, 0x0311];

/// How much of a reply is read: the SMB2 header and the fixed part of the NEGOTIATE response.
const FIXED: usize = 64 + 64;

/// An SMB2 NEGOTIATE request in its transport header (MS-SMB2 2.1, 2.2.1.2, 2.2.3).
///
/// `salt` fills the client's identifier and the salt of the pre-authentication integrity context, without which 3.1.1
/// must not be offered (MS-SMB2 2.2.3.1.1).
pub fn request(salt: [u8; 32]) -> Vec<u8> {
    let mut message = Vec::with_capacity(160);
    message.extend(b"\xfeSMB\x40\0"); // the header's own size
    message.extend([0; 58]); // command 0, NEGOTIATE, as message 0 of session 0
    message.extend([36, 0, 5, 0]); // the body's size, five dialects
    message.extend([1, 0, 0, 0]); // signing enabled
    message.extend([0; 4]); // no capabilities
    message.extend(&salt[..16]); // the client's GUID
    message.extend([112, 0, 0, 0, 1, 0, 0, 0]); // one context, at byte 112
    message.extend(DIALECTS.iter().flat_map(|dialect| dialect.to_le_bytes()));
    message.resize(112, 0);
    message.extend([1, 0, 38, 0, 0, 0, 0, 0]); // pre-authentication integrity, 38 bytes
    message.extend([1, 0, 32, 0, 1, 0]); // one algorithm, 32 bytes of salt, SHA-512
    message.extend(salt);
    let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    message.splice(0..0, length);
    message
}

/// Reads the reply up to the end of its fixed part (MS-SMB2 2.2.1.2, 2.2.4): a successful NEGOTIATE response, with a
/// dialect that was offered.
pub fn parse(received: &[u8]) -> Parsed<ProtocolReply> {
    const MAGIC: [u8; 4] = *b"\xfeSMB";
    if received.first().is_some_and(|kind| *kind != 0) {
        return Parsed::Foreign(format!("{} is not an SMB message over TCP", excerpt(received)));
    }
    let magic = received.get(4..).unwrap_or_default();
    if magic.iter().zip(MAGIC).any(|(byte, wanted)| *byte != wanted) {
        return Parsed::Foreign(format!("{} is not an SMB2 header", excerpt(magic)));
    }
    let Some(length) = received.first_chunk().map(|length| u32::from_be_bytes(*length)) else {
        return Parsed::More;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length < 64 + 9 {
        return Parsed::Foreign(format!("an SMB message of {length} bytes"));
    }
    let Some(message) = received.get(4..4 + length.min(FIXED)) else {
        return Parsed::More;
    };
    match negotiated(message) {
        Ok(dialect) => Parsed::Done(ProtocolReply::Spoke {
            proof: format!("SMB2 NEGOTIATE reply, dialect {dialect}"),
        }),
        Err(why) => Parsed::Foreign(why),
    }
}

/// Sends a NEGOTIATE over an open connection.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, &request(random()), parse, deadline).await
}

/// The dialect in the fixed part of a NEGOTIATE response, in the usual notation; `Err` says what it is instead.
fn negotiated(message: &[u8]) -> Result<String, String> {
    let header = field(message, 4).map(u16::from_le_bytes);
    let status = field(message, 8).map(u32::from_le_bytes).unwrap_or_default();
    let command = field(message, 12).map(u16::from_le_bytes);
    let flags = field(message, 16).map(u32::from_le_bytes).unwrap_or_default();
    if header != Some(64) || command != Some(0) || flags & 1 == 0 {
        return Err("an SMB2 message that is not a reply to NEGOTIATE".into());
    }
    if status != 0 {
        return Err(format!("an SMB2 server refused NEGOTIATE with status {status:#010x}"));
    }
    let body = field(message, 64).map(u16::from_le_bytes);
    let dialect = field(message, 68).map(u16::from_le_bytes);
    match (body, dialect) {
        (Some(65), Some(dialect)) if DIALECTS.contains(&dialect) => Ok(written(dialect)),
        (Some(65), Some(dialect)) => Err(format!("SMB2 dialect {dialect:#06x}, which was not offered")),
        _ => Err("an SMB2 NEGOTIATE reply with a malformed body".into()),
    }
}

/// The bytes of the field at `offset`, if they are there.
fn field<const N: usize>(message: &[u8], offset: usize) -> Option<[u8; N]> {
    FieldReader(message.get(offset..)?).array()
}

/// 0x0302 as 3.0.2, 0x0210 as 2.1.
fn written(dialect: u16) -> String {
    let [major, minor] = dialect.to_be_bytes();
    match (minor >> 4, minor & 0xf) {
        (minor, 0) => format!("{major}.{minor}"),
        (minor, patch) => format!("{major}.{minor}.{patch}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::contract::{every_prefix_needs_more_bytes, proof, why};

    /// A NEGOTIATE response that chose `dialect`.
    fn reply(dialect: u16) -> Vec<u8> {
        let mut message = [0; FIXED];
        message[..6].copy_from_slice(b"\xfeSMB\x40\0");
        message[16] = 1;
        message[64..68].copy_from_slice(&[65, 0, 1, 0]);
        message[68..70].copy_from_slice(&dialect.to_le_bytes());
        [&[0, 0, 0, 128], &message[..]].concat()
    }

    fn reply_with(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = reply(0x0302);
        for (at, value) in changes {
            bytes[*at] = *value;
        }
        bytes
    }

    #[test]
    fn smb_request_lengths_are_consistent() {
        let request = request([7; 32]);
        assert_eq!(request[..4], [0, 0, 0, 158]);
        assert_eq!(request.len(), 4 + 158);
        assert_eq!(request[4 + 100..4 + 110], [2, 2, 0x10, 2, 0, 3, 2, 3, 0x11, 3]);
        assert_eq!(request[4 + 112..4 + 120], [1, 0, 38, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn offered_smb_dialect_is_proof() {
        for (dialect, written) in [
            (0x0202, "2.0.2"),
            (0x0210, "2.1"),
            (0x0300, "3.0"),
            (0x0302, "3.0.2"),
            (0x0311, "3.1.1"),
        ] {
            let reply = reply(dialect);
            every_prefix_needs_more_bytes(parse, &reply);
            assert_eq!(proof(parse, &reply), format!("SMB2 NEGOTIATE reply, dialect {written}"));
            assert!(matches!(parse(&[&reply[..], &reply].concat()), Parsed::Done(_)));
        }
        // The security buffer after the fixed part is not read.
        assert!(matches!(parse(&reply_with(&[(2, 0xff)])), Parsed::Done(_)));
    }

    #[test]
    fn other_messages_are_foreign() {
        let table: [(&[u8], &str); 10] = [
            (&reply_with(&[(4 + 12, 1)]), "not a reply to NEGOTIATE"),
            (&reply_with(&[(4 + 16, 0)]), "not a reply to NEGOTIATE"),
            (&reply_with(&[(4 + 8, 0xbb), (4 + 11, 0xc0)]), "status 0xc00000bb"),
            (&reply_with(&[(4 + 64, 9)]), "malformed body"),
            (&reply_with(&[(4 + 68, 0xff)]), "dialect 0x03ff"),
            (&reply_with(&[(3, 20)]), "message of 20 bytes"),
            (b"\0\0\0\x80\xffSMB", "is not an SMB2 header"),
            (
                b"HTTP/1.1 400 Bad Request",
                "\"HTTP/1.1 400 Bad Request\" is not an SMB message",
            ),
            (b"\0\0\0\x80\xfeHTTP", "is not an SMB2 header"),
            (b"\x83\0\0\x01\x8f", "83 00 00 01 8f is not an SMB message"),
        ];
        for (bytes, words) in table {
            assert!(why(parse, bytes).contains(words), "{}", why(parse, bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..132, value: u8) {
            parse(&bytes);
            parse(&reply_with(&[(at, value)]));
            parse(&[&reply(0x0311)[..12], &bytes].concat());
        }
    }
}
