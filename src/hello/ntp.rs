//! NTP version 4, one client packet and its answer. Datagrams: the exchange is made where the socket is.

use crate::text::excerpt;

/// The length of a packet without extensions, in bytes (RFC 5905, section 7.3).
const PACKET: usize = 48;

/// Seconds from the start of NTP's era 0 (1900) to that of Unix time (1970).
const UNIX: u64 = 2_208_988_800;

/// The stratum of a server without a time to give (RFC 5905, figure 11); greater ones are reserved.
const UNSYNCHRONISED: u8 = 16;

/// The content of a time server's reply.
#[derive(Debug, Clone, PartialEq)]
pub struct NtpReply {
    /// Steps from a reference clock, 1 to 15; 0 where the server declines, 0 or 16 where it has no time.
    pub stratum: u8,
    /// The kiss code of stratum 0, such as `DENY`, `RSTR` or `RATE` (RFC 5905, section 7.4).
    pub kiss: Option<String>,
    /// Whether the server reports that its clock is synchronised.
    pub synchronised: bool,
    /// The server's clock when it answered, in seconds since 1970, if it is known.
    pub transmit: Option<f64>,
}

impl NtpReply {
    /// The reply in one sentence without a full stop.
    pub fn proof(&self) -> String {
        match &self.kiss {
            Some(code) => format!("NTP reply, the server refuses with the kiss code {code}"),
            None if self.synchronised => format!("NTP reply, stratum {}", self.stratum),
            None => format!("NTP reply, stratum {}, clock not synchronised", self.stratum),
        }
    }
}

/// A client's packet: no leap warning, version 4, mode 3, and only a transmit timestamp.
///
/// The timestamp is random: the server echoes it, which distinguishes its answer from a forgery, and does not reveal
/// our own clock (RFC 5905, sections 7.3 and 8).
pub fn request(transmit: [u8; 8]) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 4 << 3 | 3;
    packet[PACKET - 8..].copy_from_slice(&transmit);
    packet
}

/// Reads the answer to the request that carried `sent`.
///
/// # Errors
///
/// Why the datagram is not such an answer, as a fragment. The right answer may still come later.
pub fn parse(datagram: &[u8], sent: [u8; 8]) -> Result<NtpReply, String> {
    let Some(packet) = datagram.first_chunk::<PACKET>() else {
        return Err(format!(
            "{} bytes, but an NTP packet has {PACKET}: {}",
            datagram.len(),
            excerpt(datagram)
        ));
    };
    let [flags, stratum, ..] = *packet;
    let (leap, version, mode) = (flags >> 6, flags >> 3 & 7, flags & 7);
    if !(1..=4).contains(&version) || mode != 4 {
        return Err(format!(
            "NTP version {version} and mode {mode}, but a server's reply has mode 4"
        ));
    }
    if packet[24..32] != sent {
        return Err("the origin timestamp is not the one we sent".into());
    }
    if stratum > UNSYNCHRONISED {
        return Err(format!("stratum {stratum}, but a server's is at most {UNSYNCHRONISED}"));
    }
    let code = &packet[12..16];
    let is_kiss = stratum == 0 && code.iter().all(u8::is_ascii_uppercase);
    Ok(NtpReply {
        stratum,
        kiss: is_kiss.then(|| String::from_utf8_lossy(code).into_owned()),
        synchronised: leap != 3 && (1..UNSYNCHRONISED).contains(&stratum),
        transmit: unix_seconds(&packet[40..48]),
    })
}

/// Seconds since 1970 of a timestamp: 32 bits of seconds and 32 of fraction; zero means unknown.
///
/// A clear highest bit belongs to the era that begins in 2036 (RFC 4330, section 3).
fn unix_seconds(timestamp: &[u8]) -> Option<f64> {
    let (seconds, fraction) = timestamp.split_first_chunk()?;
    let (seconds, fraction) = (
        u32::from_be_bytes(*seconds),
        u32::from_be_bytes(fraction.try_into().ok()?),
    );
    let era = if seconds >> 31 == 1 { 0 } else { 1_u64 << 32 };
    let whole = u32::try_from((era + u64::from(seconds)).checked_sub(UNIX)?).ok()?;
    ((seconds, fraction) != (0, 0)).then(|| f64::from(whole) + f64::from(fraction) / 2_f64.powi(32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: [u8; 8] = *b"transmit";

    /// A stratum 2 reply, sent in the first half second of 2026.
    fn reply() -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        packet[..2].copy_from_slice(&[0x24, 2]);
        packet[24..32].copy_from_slice(&SENT);
        packet[40..44].copy_from_slice(&(1_767_225_600_u32.wrapping_add(2_208_988_800)).to_be_bytes());
        packet[44] = 0x80;
        packet
    }

    fn reply_with(changes: &[(usize, &[u8])]) -> [u8; PACKET] {
        let mut packet = reply();
        for (at, bytes) in changes {
            packet[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        packet
    }

    #[test]
    fn ntp_request_contains_only_the_transmit_timestamp() {
        let packet = request(SENT);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(packet[40..], SENT);
    }

    #[test]
    fn ntp_reply_gives_stratum_and_time() {
        let read = parse(&reply(), SENT).unwrap();
        assert_eq!(
            read,
            NtpReply {
                stratum: 2,
                kiss: None,
                synchronised: true,
                transmit: Some(1_767_225_600.5)
            }
        );
        assert_eq!(read.proof(), "NTP reply, stratum 2");
        // Extensions may follow.
        assert!(parse(&[&reply()[..], &[0; 20]].concat(), SENT).is_ok());
    }

    #[test]
    fn ntp_kiss_code_and_leap_are_reported() {
        let table = [
            (
                reply_with(&[(0, &[0xe4])]),
                "NTP reply, stratum 2, clock not synchronised",
            ),
            (
                reply_with(&[(1, &[16])]),
                "NTP reply, stratum 16, clock not synchronised",
            ),
            (
                reply_with(&[(0, &[0xe4, 0])]),
                "NTP reply, stratum 0, clock not synchronised",
            ),
            (
                reply_with(&[(0, &[0xe4, 0]), (12, b"RATE")]),
                "NTP reply, the server refuses with the kiss code RATE",
            ),
        ];
        for (packet, proof) in table {
            assert_eq!(parse(&packet, SENT).unwrap().proof(), proof);
        }
    }

    #[test]
    fn invalid_ntp_datagrams_are_refused_with_the_reason() {
        let table: [(&[u8], &str); 7] = [
            (&reply()[..47], "47 bytes"),
            (b"", "0 bytes"),
            (&reply_with(&[(24, b"another!")]), "origin timestamp"),
            (&reply_with(&[(0, &[0x23])]), "mode 3"),
            (&reply_with(&[(0, &[0x3c])]), "version 7"),
            (&reply_with(&[(1, &[17])]), "stratum 17"),
            (&request(SENT), "mode 3"),
        ];
        for (packet, words) in table {
            let why = parse(packet, SENT).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn ntp_era_rolls_over_in_2036() {
        let table = [
            ([0; 8], None),
            ([0, 0, 0, 0, 0, 0, 0, 1], Some(2_085_978_496.0)),
            ([0, 0, 0, 1, 0, 0, 0, 0], Some(2_085_978_497.0)),
            ([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], Some(2_085_978_495.0)),
            // 1968, before Unix time began.
            ([0x80, 0, 0, 0, 0, 0, 0, 0], None),
        ];
        for (timestamp, seconds) in table {
            let read = unix_seconds(&timestamp);
            assert_eq!(read.map(f64::floor), seconds, "{timestamp:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_datagram_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..PACKET, value: u8) {
            let _ = parse(&bytes, SENT);
            let _ = parse(&reply_with(&[(at, &[value])]), SENT);
        }
    }
}
