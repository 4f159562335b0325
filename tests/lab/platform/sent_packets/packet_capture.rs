//! Frames as a packet capture shows them: destinations and requests, as far as they are not encrypted.

use std::{collections::BTreeMap, net::Ipv4Addr};

/// The far end: address and port.
pub(super) type Destination = (Ipv4Addr, u16);

/// All data that was sent, encrypted or not.
#[derive(Debug, Default)]
pub(super) struct CapturedTraffic {
    /// UDP datagrams and their destinations.
    pub datagrams: Vec<(Destination, Vec<u8>)>,
    /// The TCP connections.
    pub connections: Vec<CapturedConnection>,
    /// IPv4 packets of other kinds: protocol and destination.
    pub others: Vec<(u8, Ipv4Addr)>,
    /// Frames that are neither IPv4 nor a kernel's messages to its neighbours (ARP, ICMPv6).
    pub odd: Vec<Vec<u8>>,
    /// Source addresses of packets other than the VM's own.
    pub forged: Vec<Ipv4Addr>,
}

/// One TCP connection.
#[derive(Debug)]
pub(super) struct CapturedConnection {
    pub to: Destination,
    /// The MSS in its SYN (RFC 9293 §3.7.1).
    pub segments: u16,
    /// The lowest TTL of its packets.
    pub ttl: u8,
    /// The data that was sent on it.
    pub bytes: Vec<u8>,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const SYN: u8 = 2;

impl CapturedTraffic {
    /// Parses frames that left a VM with this address.
    pub(super) fn read(frames: &[Vec<u8>], vm: Ipv4Addr) -> Self {
        let mut seen = Self::default();
        let mut streams: BTreeMap<(u16, Destination), Stream> = BTreeMap::new();
        for frame in frames {
            if seen.note(frame, vm, &mut streams).is_none() && !is_of_a_kernel(frame) {
                seen.odd.push(frame.clone());
            }
        }
        let connection = |((_, to), stream): ((u16, Destination), Stream)| CapturedConnection {
            to,
            segments: stream.segments,
            ttl: stream.ttl.unwrap_or_default(),
            bytes: stream.bytes(),
        };
        seen.connections = streams.into_iter().map(connection).collect();
        seen
    }

    /// `None` if it is not a readable IPv4 packet.
    fn note(&mut self, frame: &[u8], vm: Ipv4Addr, streams: &mut BTreeMap<(u16, Destination), Stream>) -> Option<()> {
        let packet = frame.get(14..).filter(|_| kind(frame) == Some(0x0800))?;
        let length = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
        let header = usize::from(packet.first()? & 0x0f) * 4;
        let [from, to] = [12, 16].map(|at| packet.get(at..)?.first_chunk::<4>().map(|it| Ipv4Addr::from(*it)));
        let (from, to) = (from?, to?);
        if from != vm {
            self.forged.push(from);
        }
        let body = packet.get(header..length)?;
        let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..)?.first_chunk()?));
        match *packet.get(9)? {
            UDP => self.datagrams.push(((to, port(2)?), body.get(8..)?.to_vec())),
            TCP => {
                let sequence = u32::from_be_bytes(*body.get(4..)?.first_chunk()?);
                let payload = body.get(usize::from(body.get(12)? >> 4) * 4..)?;
                let stream = streams.entry((port(0)?, (to, port(2)?))).or_default();
                let ttl = *packet.get(8)?;
                stream.ttl = Some(stream.ttl.map_or(ttl, |least| least.min(ttl)));
                if body.get(13)? & SYN != 0 {
                    stream.first = sequence.wrapping_add(1);
                    stream.segments = segments(body.get(20..)?);
                } else if !payload.is_empty() {
                    stream
                        .parts
                        .insert(sequence.wrapping_sub(stream.first), payload.to_vec());
                }
            }
            other => self.others.push((other, to)),
        }
        Some(())
    }
}

fn kind(frame: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*frame.get(12..)?.first_chunk()?))
}

/// Whether it is a kernel's own message to its neighbours: ARP, or ICMPv6 with or without preceding options.
fn is_of_a_kernel(frame: &[u8]) -> bool {
    match kind(frame) {
        Some(0x0806) => true,
        Some(0x86dd) => matches!(frame.get(20), Some(0 | 58)),
        _ => false,
    }
}

/// The MSS option of a SYN; 0 if there is none.
fn segments(mut options: &[u8]) -> u16 {
    loop {
        match options {
            [2, 4, high, low, ..] => return u16::from_be_bytes([*high, *low]),
            [1, rest @ ..] => options = rest,
            [_, length, ..] if *length >= 2 => options = options.get(usize::from(*length)..).unwrap_or_default(),
            _ => return 0,
        }
    }
}

/// The segments of one connection, by their position in it.
#[derive(Debug, Default)]
struct Stream {
    first: u32,
    segments: u16,
    ttl: Option<u8>,
    parts: BTreeMap<u32, Vec<u8>>,
}

impl Stream {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, part) in &self.parts {
            // Retransmitted data is already there.
            let known = bytes.len().saturating_sub(usize::try_from(*at).unwrap_or(usize::MAX));
            bytes.extend(part.iter().skip(known));
        }
        bytes
    }
}

/// The name in a DNS query (RFC 1035 §4.1.2), in lower case.
pub(super) fn question(message: &[u8]) -> Option<String> {
    if message.get(2)? & 0x80 != 0 || message.get(4..6)? != [0, 1] {
        return None;
    }
    let (mut rest, mut labels) = (message.get(12..)?, Vec::new());
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length != 0) {
        let (label, after) = after.split_at_checked(length.into())?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = after;
    }
    Some(labels.join("."))
}

/// The names in queries over TCP, each with its length before it (RFC 1035 §4.2.2).
pub(super) fn questions(mut stream: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let (message, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        names.push(question(message)?);
        stream = rest;
    }
    Some(names)
}

/// The server name in a `ClientHello` at the beginning of a stream (RFC 8446 §4.1.2, RFC 6066 §3); empty if it has
/// none.
pub(super) fn server_name(stream: &[u8]) -> Option<String> {
    let handshake = stream.get(5..).filter(|_| stream.starts_with(&[22, 3]))?;
    if *handshake.first()? != 1 {
        return None;
    }
    let mut rest = handshake.get(4 + 2 + 32..)?;
    for width in [1, 2, 1] {
        rest = after(rest, width)?;
    }
    let mut extensions = rest.get(2..)?;
    while let Some(([a, b], body)) = extensions.split_first_chunk() {
        if [*a, *b] == [0, 0] {
            return Some(String::from_utf8_lossy(body.get(2 + 2 + 1 + 2..)?.get(..name_length(body)?)?).into_owned());
        }
        extensions = after(body, 2)?;
    }
    Some(String::new())
}

fn name_length(body: &[u8]) -> Option<usize> {
    Some(u16::from_be_bytes(*body.get(5..)?.first_chunk()?).into())
}

/// The data after a vector with a length field of this many bytes.
fn after(bytes: &[u8], width: usize) -> Option<&[u8]> {
    let length = bytes
        .get(..width)?
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    bytes.get(width + length..)
}

/// The first line, the host and the user agent of an HTTP request at the beginning of a stream.
pub(super) fn request(stream: &[u8]) -> Option<(String, String, String)> {
    let text = String::from_utf8_lossy(stream);
    let mut lines = text.split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    line.ends_with("HTTP/1.1")
        .then(|| (line, header("host"), header("user-agent")))
}
