//! A time server (RFC 5905 §7.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::network::{Ntp, NtpMisbehaviour};

const PACKET: usize = 48;
/// Seconds from 1900, where NTP begins, to 1970.
const ERA: u64 = 2_208_988_800;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;

/// The answer to a datagram, or `None` for no reply; `count` is the number of earlier datagrams.
pub(crate) fn answer(ntp: &Ntp, datagram: &[u8], count: u32) -> Option<Vec<u8>> {
    let origin = datagram.get(40..PACKET)?;
    let time = timestamp(ntp.clock_ahead_s);
    let good = || packet(MODE_SERVER, 2, *b"\x14\x00\x00\x01", origin, time);
    let kiss = |code: &str| {
        let mut id = [b' '; 4];
        id.iter_mut().zip(code.bytes()).for_each(|(to, from)| *to = from);
        packet(MODE_SERVER, 0, id, origin, time)
    };
    Some(match &ntp.reply {
        NtpMisbehaviour::WrongOrigin => packet(MODE_SERVER, 2, [20, 0, 0, 1], &[0x5a; 8], time),
        NtpMisbehaviour::WrongMode => packet(MODE_CLIENT, 2, [20, 0, 0, 1], origin, time),
        NtpMisbehaviour::Short => good()[..PACKET / 2].to_vec(),
        NtpMisbehaviour::Silent => return None,
        NtpMisbehaviour::Garbage => b"220 time.example.com ready\r\n".to_vec(),
        NtpMisbehaviour::Kiss(code) => kiss(code),
        NtpMisbehaviour::KissThenGood(code) if count == 0 => kiss(code),
        NtpMisbehaviour::WrongOriginThenGood if count == 0 => packet(MODE_SERVER, 2, [20, 0, 0, 1], &[0x5a; 8], time),
        NtpMisbehaviour::Stratum(stratum) => packet(MODE_SERVER, *stratum, *b"INIT", origin, time),
        NtpMisbehaviour::Good | NtpMisbehaviour::KissThenGood(_) | NtpMisbehaviour::WrongOriginThenGood => good(),
    })
}

fn packet(mode: u8, stratum: u8, reference_id: [u8; 4], origin: &[u8], time: [u8; 8]) -> Vec<u8> {
    let mut packet = vec![4 << 3 | mode, stratum, 6, 0xec];
    packet.extend([0, 0, 1, 0, 0, 0, 1, 0]);
    packet.extend(reference_id);
    for part in [&time[..], origin, &time, &time] {
        packet.extend(part);
    }
    packet
}

/// The current time plus an offset, as seconds since 1900 and a 32-bit fraction.
fn timestamp(ahead: i64) -> [u8; 8] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = (now.as_secs() + ERA).saturating_add_signed(ahead);
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    // A packet contains only the lower 32 bits of the seconds.
    ((seconds << 32) | fraction).to_be_bytes()
}
