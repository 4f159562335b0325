//! TDS, the protocol of SQL Server and Azure SQL: a PRELOGIN, whose answer requires encryption, and then a TLS
//! handshake inside TDS packets ([`TdsFramed`]). A LOGIN7 is never sent, because failed logins get an address blocked.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{FieldReader, Greeting, Parsed, ProtocolReply, exchange};
use crate::text::excerpt;

pub use self::wrapped::TdsFramed;

mod wrapped;

/// The length of a packet's header (MS-TDS 2.2.3.1): type, status, length, SPID, packet number, window.
const HEADER: usize = 8;

/// The largest packet before a login negotiates another size (MS-TDS 2.2.3.1.3).
const PACKET: usize = 4096;

/// Packet types (MS-TDS 2.2.3.1.1).
const TABULAR_RESULT: u8 = 0x04;
const PRELOGIN: u8 = 0x12;

/// The status of a message's last packet (MS-TDS 2.2.3.1.2).
const END_OF_MESSAGE: u8 = 0x01;

/// Options of a PRELOGIN (MS-TDS 2.2.6.5).
const VERSION: u8 = 0x00;
const ENCRYPTION: u8 = 0x01;
const INSTANCE: u8 = 0x02;
const THREAD: u8 = 0x03;
const MARS: u8 = 0x04;
const TERMINATOR: u8 = 0xff;

/// Answers to the encryption option (MS-TDS 2.2.6.5).
const OFF: u8 = 0x00;
const ON: u8 = 0x01;
const NOT_SUPPORTED: u8 = 0x02;
const REQUIRED: u8 = 0x03;

/// A PRELOGIN that requests encryption of everything (MS-TDS 2.2.6.5), as a client for SQL Server 2008 and later sends
/// it.
pub fn request() -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [
        (VERSION, &[9, 0, 0, 0, 0, 0]),
        (ENCRYPTION, &[ON]),
        (INSTANCE, &[0]),
        (THREAD, &[0; 4]),
        (MARS, &[0]),
    ];
    let mut table = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    let table_length = options.len() * 5 + 1;
    for (token, value) in options {
        table.push(token);
        table.extend(length(table_length + data.len()));
        table.extend(length(value.len()));
        data.extend(value);
    }
    table.push(TERMINATOR);
    let mut packet = header(PRELOGIN, END_OF_MESSAGE, HEADER + table.len() + data.len(), 0).to_vec();
    packet.extend(table);
    packet.extend(data);
    packet
}

/// Reads the reply to PRELOGIN: one packet of tabular result type with a version and an encryption option.
///
/// Azure SQL encrypts everything: "on" and "required" are an [`ProtocolReply::Upgrade`], the TLS handshake comes next. "Off"
/// and "not supported" come from something else and are [`Parsed::Foreign`].
pub fn parse(received: &[u8]) -> Parsed<ProtocolReply> {
    if received.first().is_some_and(|kind| *kind != TABULAR_RESULT) {
        return Parsed::Foreign(format!("{} is not a TDS reply", excerpt(received)));
    }
    let Some([_, _, high, low, ..]) = received.first_chunk::<HEADER>() else {
        return Parsed::More;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if !(HEADER..=PACKET).contains(&length) {
        return Parsed::Foreign(format!("a TDS packet of {length} bytes"));
    }
    let Some((packet, early)) = received.split_at_checked(length) else {
        return Parsed::More;
    };
    match prelogin(&packet[HEADER..]) {
        Err(why) => Parsed::Foreign(why),
        // The client begins the handshake: bytes that came already would be missing from it.
        Ok(_) if !early.is_empty() => Parsed::Foreign(format!("{} before the TLS handshake", excerpt(early))),
        Ok(proof) => Parsed::Done(ProtocolReply::Upgrade { proof }),
    }
}

/// Sends a PRELOGIN over an open connection.
pub async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), deadline: Instant) -> Greeting {
    exchange(stream, &request(), parse, deadline).await
}

/// What the options of a reply prove; `Err` says what is wrong with them.
fn prelogin(payload: &[u8]) -> Result<String, String> {
    let malformed = || "a TDS reply with malformed options".to_owned();
    let version: [u8; 6] = option(payload, VERSION).ok_or_else(malformed)?;
    let [encryption] = option(payload, ENCRYPTION).ok_or_else(malformed)?;
    let [major, minor, build @ .., _, _] = version;
    let version = format!("server version {major}.{minor}.{}", u16::from_be_bytes(build));
    match encryption {
        ON => Ok(format!("TDS PRELOGIN reply, encryption on, {version}")),
        REQUIRED => Ok(format!("TDS PRELOGIN reply, encryption required, {version}")),
        OFF => Err(format!(
            "a TDS server that does not encrypt (encryption off), {version}"
        )),
        NOT_SUPPORTED => Err(format!(
            "a TDS server that cannot encrypt (encryption not supported), {version}"
        )),
        other => Err(format!(
            "a TDS server with the unknown encryption option {other:#04x}, {version}"
        )),
    }
}

/// The value of `token` in a PRELOGIN message, if its option table points to one of `N` bytes.
fn option<const N: usize>(payload: &[u8], token: u8) -> Option<[u8; N]> {
    let mut table = FieldReader(payload);
    loop {
        match table.u8()? {
            TERMINATOR => return None,
            found => {
                let (offset, length) = (u16::from_be_bytes(table.array()?), u16::from_be_bytes(table.array()?));
                if found == token {
                    let value = payload.get(usize::from(offset)..)?.get(..usize::from(length))?;
                    return value.try_into().ok();
                }
            }
        }
    }
}

/// A packet's header (MS-TDS 2.2.3.1) for `length` bytes, header included.
fn header(kind: u8, status: u8, packet: usize, number: u8) -> [u8; HEADER] {
    let [high, low] = length(packet);
    [kind, status, high, low, 0, 0, number, 0]
}

/// A length as in TDS; what is sent here is never longer than a packet.
fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::contract::{every_prefix_needs_more_bytes, proof, why};

    /// A reply with version 12.0.2000 and `encryption`.
    fn reply(encryption: u8) -> Vec<u8> {
        let table = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff];
        let payload = [&table[..], &[12, 0, 0x07, 0xd0, 0, 0, encryption]].concat();
        [&header(TABULAR_RESULT, 1, HEADER + payload.len(), 0), &payload[..]].concat()
    }

    fn reply_with(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut bytes = reply(3);
        for (at, value) in changes {
            bytes[*at] = *value;
        }
        bytes
    }

    #[test]
    fn tds_request_is_a_complete_prelogin() {
        let request = request();
        assert_eq!(request[..8], [0x12, 1, 0, 47, 0, 0, 0, 0]);
        assert_eq!(request.len(), 47);
        assert_eq!(option(&request[8..], VERSION), Some([9, 0, 0, 0, 0, 0]));
        assert_eq!(option(&request[8..], ENCRYPTION), Some([ON]));
        assert_eq!(option(&request[8..], MARS), Some([0]));
    }

    #[test]
    fn prelogin_reply_with_encryption_is_proof() {
        for (encryption, word) in [(1, "on"), (3, "required")] {
            every_prefix_needs_more_bytes(parse, &reply(encryption));
            let words = format!("TDS PRELOGIN reply, encryption {word}, server version 12.0.2000");
            assert_eq!(proof(parse, &reply(encryption)), words);
        }
    }

    #[test]
    fn other_replies_are_foreign() {
        let table = [
            (reply(0), "does not encrypt (encryption off), server version 12.0.2000"),
            (reply(2), "cannot encrypt"),
            (reply(0x7f), "unknown encryption option 0x7f"),
            (
                b"HTTP/1.1 400 Bad Request".to_vec(),
                "\"HTTP/1.1 400 Bad Request\" is not a TDS reply",
            ),
            (
                b"\x15\x03\x01\0\x02\x02\x28".to_vec(),
                "15 03 01 00 02 02 28 is not a TDS reply",
            ),
            (reply_with(&[(3, 7)]), "packet of 7 bytes"),
            (reply_with(&[(2, 0x10), (3, 1)]), "packet of 4097 bytes"),
            (reply_with(&[(3, 8)]), "malformed options"),
            (reply_with(&[(8 + 2, 20)]), "malformed options"),
            (reply_with(&[(8 + 6, 0xff)]), "malformed options"),
            (reply_with(&[(8 + 9, 2)]), "malformed options"),
            (reply_with(&[(8 + 5, 0xff)]), "malformed options"),
            ([reply(3), reply(3)].concat(), "before the TLS handshake"),
        ];
        for (bytes, words) in table {
            assert!(why(parse, &bytes).contains(words), "{}", why(parse, &bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0_usize..26, value: u8) {
            parse(&bytes);
            parse(&reply_with(&[(at, value)]));
            let length = u8::try_from(HEADER + bytes.len()).unwrap();
            parse(&[&[TABULAR_RESULT, 1, 0, length, 0, 0, 0, 0], &bytes[..]].concat());
        }
    }
}
