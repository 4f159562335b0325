//! Ethernet frames with IPv4 packets (RFC 791, RFC 792, RFC 9293): parsing, checksums, and replies with other hosts'
//! addresses.

use std::{net::Ipv4Addr, ops::Range};

use crate::network::IpProtocol;

const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const SHORTEST_HEADER: usize = 20;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// How much of a packet an ICMP error quotes, as in Linux (RFC 1812 §4.3.2.3).
const MAX_QUOTE: usize = 548;

/// The address of a NAT on its far side (RFC 5737, TEST-NET-3).
const TRANSLATED: [u8; 4] = [203, 0, 113, 9];

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The fields of a frame that a router or a firewall reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    /// Size of the packet, including the IP header.
    pub(super) length: u16,
    pub(super) ttl: u8,
    /// Source and destination port, if it has any.
    pub(super) ports: Option<(IpProtocol, u16, u16)>,
    pub(super) is_syn: bool,
    /// Size of the data after the transport's header.
    pub(super) payload: usize,
    header: usize,
}

/// Parses a frame; `None` for anything but IPv4.
pub(super) fn view(frame: &[u8]) -> Option<View> {
    let packet = frame.get(ETHERNET..)?;
    if frame.get(12..ETHERNET)? != IPV4 || packet.len() < SHORTEST_HEADER || packet[0] >> 4 != 4 {
        return None;
    }
    let header = usize::from(packet[0] & 0x0f) * 4;
    let length = u16::from_be_bytes([packet[2], packet[3]]);
    let body = packet.get(header..usize::from(length))?;
    let is_later_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff != 0;
    let ports = |transport| {
        let number = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        Some((transport, number(0)?, number(2)?))
    };
    let (ports, is_syn, above) = match packet[9] {
        TCP if !is_later_fragment && body.len() >= SHORTEST_HEADER => (
            ports(IpProtocol::Tcp),
            body[13] & SYN != 0,
            usize::from(body[12] >> 4) * 4,
        ),
        UDP if !is_later_fragment => (ports(IpProtocol::Udp), false, 8),
        _ => (None, false, body.len()),
    };
    Some(View {
        source: address(&packet[12..16]),
        destination: address(&packet[16..20]),
        length,
        ttl: packet[8],
        ports,
        is_syn,
        payload: body.len().saturating_sub(above),
        header,
    })
}

fn address(bytes: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])
}

/// Decrements the TTL; the caller has checked that it is not zero.
pub(super) fn step(frame: &mut [u8], view: &View) {
    let header = ETHERNET..ETHERNET + view.header;
    frame[ETHERNET + 8] = frame[ETHERNET + 8].saturating_sub(1);
    write_checksum(frame, header.clone(), header.start + 10, 0);
}

/// Replaces a packet's source address and port, as a NAT does.
pub(super) fn translate(frame: &mut [u8], view: &View) {
    frame[ETHERNET + 12..ETHERNET + 16].copy_from_slice(&TRANSLATED);
    if view.ports.is_some() {
        frame[ETHERNET + view.header] ^= 0x40;
    }
}

/// Computes the TCP or UDP checksum, which the sender's kernel leaves to the network card (checksum offload).
pub(super) fn mend(frame: &mut [u8], view: &View) {
    let body = ETHERNET + view.header..ETHERNET + usize::from(view.length);
    match view.ports {
        Some((IpProtocol::Tcp, ..)) => {
            let pseudo = pseudo_header(view.source, view.destination, TCP, body.len());
            write_checksum(frame, body.clone(), body.start + 16, pseudo);
        }
        Some((IpProtocol::Udp, ..)) => {
            let pseudo = pseudo_header(view.source, view.destination, UDP, body.len());
            write_checksum(frame, body.clone(), body.start + 6, pseudo);
        }
        None => {}
    }
}

/// A reset from the destination's address, for the sender of this segment.
pub(super) fn reset(frame: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::of(frame)?;
    Some(segment.answer(RST | ACK))
}

/// A FIN from the destination's address, for the sender of this segment.
pub(super) fn fin(frame: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::of(frame)?;
    Some(segment.answer(FIN | ACK))
}

/// A reset from the sender's address, for the receiver of this segment; `None` for a SYN, which has no connection yet.
pub(super) fn abandon(frame: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::of(frame)?;
    if segment.view.is_syn {
        return None;
    }
    let tcp = tcp_header(
        (segment.from, segment.to),
        (segment.sequence, segment.acknowledged),
        RST | ACK,
    );
    Some(packet(
        ethernet(frame, false),
        (segment.view.source, segment.view.destination),
        TCP,
        tcp,
    ))
}

/// An ICMP error about this frame, to its sender. `rest` is the second half of the ICMP header's last word: the MTU of
/// the next hop in 3/4 (RFC 1191 §4).
pub(super) fn icmp_error(frame: &[u8], view: &View, from: Ipv4Addr, kind: u8, code: u8, rest: u16) -> Vec<u8> {
    let quoted = usize::from(view.length).min(MAX_QUOTE);
    let mut message = vec![kind, code, 0, 0, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(&frame[ETHERNET..ETHERNET + quoted]);
    let whole = 0..message.len();
    write_checksum(&mut message, whole, 2, 0);
    packet(ethernet(frame, true), (from, view.source), ICMP, message)
}

/// The fields of a TCP segment that a reply needs.
struct Segment<'a> {
    frame: &'a [u8],
    view: View,
    from: u16,
    to: u16,
    sequence: u32,
    acknowledged: u32,
}

impl<'a> Segment<'a> {
    fn of(frame: &'a [u8]) -> Option<Self> {
        let view = view(frame)?;
        let Some((IpProtocol::Tcp, from, to)) = view.ports else {
            return None;
        };
        let tcp = frame.get(ETHERNET + view.header..)?;
        let number = |at: usize| Some(u32::from_be_bytes(tcp.get(at..at + 4)?.try_into().ok()?));
        Some(Self {
            frame,
            view,
            from,
            to,
            sequence: number(4)?,
            acknowledged: number(8)?,
        })
    }

    fn answer(&self, flags: u8) -> Vec<u8> {
        let taken = u32::try_from(self.view.payload).unwrap_or_default() + u32::from(self.view.is_syn);
        let numbers = (self.acknowledged, self.sequence.wrapping_add(taken));
        packet(
            ethernet(self.frame, true),
            (self.view.destination, self.view.source),
            TCP,
            tcp_header((self.to, self.from), numbers, flags),
        )
    }
}

/// The Ethernet header of a frame, or of a reply to it.
fn ethernet(frame: &[u8], reversed: bool) -> Vec<u8> {
    let (first, second) = if reversed { (6..12, 0..6) } else { (0..6, 6..12) };
    [&frame[first], &frame[second], &IPV4].concat()
}

/// An IP header without options; its checksum is written later.
fn tcp_header((from, to): (u16, u16), (sequence, acknowledged): (u32, u32), flags: u8) -> Vec<u8> {
    let mut header = Vec::with_capacity(SHORTEST_HEADER);
    header.extend(from.to_be_bytes());
    header.extend(to.to_be_bytes());
    header.extend(sequence.to_be_bytes());
    header.extend(acknowledged.to_be_bytes());
    header.extend([5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    header
}

fn packet(ethernet: Vec<u8>, (from, to): (Ipv4Addr, Ipv4Addr), protocol: u8, body: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(SHORTEST_HEADER + body.len()).unwrap_or(u16::MAX);
    let mut frame = ethernet;
    frame.extend([0x45, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
    frame.extend(from.octets());
    frame.extend(to.octets());
    frame.extend(body);
    write_checksum(&mut frame, ETHERNET..ETHERNET + SHORTEST_HEADER, ETHERNET + 10, 0);
    if let Some(view) = view(&frame) {
        mend(&mut frame, &view);
    }
    frame
}

fn pseudo_header(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, length: usize) -> u32 {
    let high = |address: Ipv4Addr| u32::from(address) >> 16;
    let low = |address: Ipv4Addr| u32::from(address) & 0xffff;
    let length = u32::try_from(length).unwrap_or_default();
    high(from) + low(from) + high(to) + low(to) + u32::from(protocol) + length
}

/// Writes the Internet checksum (RFC 1071) of a range at a position within it.
fn write_checksum(bytes: &mut [u8], range: Range<usize>, at: usize, start: u32) {
    bytes[at..at + 2].fill(0);
    let words = bytes[range].chunks(2);
    let mut sum = words.fold(u64::from(start), |sum, pair| {
        sum + u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]))
    });
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // A sum of zero would mean "none" in UDP (RFC 768); in TCP and IP both forms of zero are the same.
    let sum = match !u16::try_from(sum).unwrap_or_default() {
        0 => 0xffff,
        sum => sum,
    };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
pub(super) mod tests_support {
    use super::*;

    /// The SYN of a connection from the VM.
    pub(in super::super) fn syn(to: Ipv4Addr, source: u16, port: u16, ttl: u8) -> Vec<u8> {
        let ethernet = [[1_u8; 6].as_slice(), &[2; 6], &IPV4].concat();
        let mut frame = packet(
            ethernet,
            (crate::vm_link::VM, to),
            TCP,
            tcp_header((source, port), (1, 0), SYN),
        );
        frame[ETHERNET + 8] = ttl;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 4);
    const B: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 1);

    fn segment(flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut body = tcp_header((40_000, 443), (1_000, 2_000), flags);
        body.extend(payload);
        let ethernet = [[1_u8; 6].as_slice(), &[2; 6], &IPV4].concat();
        packet(ethernet, (A, B), TCP, body)
    }

    /// The sum over a range that contains its own checksum.
    fn is_sound(frame: &[u8]) -> bool {
        let seen = view(frame).unwrap();
        let mut again = frame.to_vec();
        mend(&mut again, &seen);
        let header = ETHERNET..ETHERNET + seen.header;
        write_checksum(&mut again, header.clone(), header.start + 10, 0);
        again == frame
    }

    #[test]
    fn tcp_segment_is_parsed() {
        let seen = view(&segment(ACK, b"hello")).unwrap();
        assert_eq!((seen.source, seen.destination), (A, B));
        assert_eq!(seen.ports, Some((IpProtocol::Tcp, 40_000, 443)));
        assert_eq!((seen.payload, seen.is_syn, seen.length), (5, false, 45));
        assert!(view(&segment(SYN, b"")).unwrap().is_syn);
    }

    #[test]
    fn frame_other_than_ipv4_is_not_parsed() {
        assert_eq!(view(&[]), None);
        assert_eq!(view(&[0; 60]), None);
        let mut cut = segment(ACK, b"hello");
        cut.truncate(40);
        assert_eq!(view(&cut), None);
    }

    #[test]
    fn checksums_equal_those_of_a_known_packet() {
        // RFC 1071 calculated by hand: a UDP datagram from 10.1.0.4:7 to 20.0.0.1:7 with "hi" in it.
        let body = [0, 7, 0, 7, 0, 10, 0, 0, b'h', b'i'].to_vec();
        let frame = packet([[0_u8; 12].as_slice(), &IPV4].concat(), (A, B), UDP, body);
        let sum = 0x0a01 + 0x0004 + 0x1400 + 0x0001 + 17 + 10 + 7 + 7 + 10 + 0x6869_u32;
        let expected = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        assert_eq!(frame[ETHERNET + 26..ETHERNET + 28], expected.to_be_bytes());
    }

    #[test]
    fn generated_rst_and_fin_have_valid_checksums_and_sequence_numbers() {
        let data = segment(ACK, b"hello");
        let reset = reset(&data).unwrap();
        assert!(is_sound(&reset));
        let seen = Segment::of(&reset).unwrap();
        assert_eq!((seen.view.source, seen.view.destination), (B, A));
        assert_eq!((seen.sequence, seen.acknowledged), (2_000, 1_005));
        assert_eq!(reset[..6], data[6..12], "back to the sender's card");
        let abandoned = abandon(&data).unwrap();
        assert!(is_sound(&abandoned));
        assert_eq!(Segment::of(&abandoned).unwrap().sequence, 1_000);
        assert_eq!(abandon(&segment(SYN, b"")), None);
        assert_eq!(Segment::of(&fin(&data).unwrap()).unwrap().sequence, 2_000);
    }

    #[test]
    fn icmp_error_quotes_the_packet() {
        let data = segment(ACK, b"hello");
        let hop = Ipv4Addr::new(10, 9, 0, 1);
        let error = icmp_error(&data, &view(&data).unwrap(), hop, 3, 4, 1_300);
        let seen = view(&error).unwrap();
        assert_eq!((seen.source, seen.destination), (hop, A));
        assert_eq!(error[ETHERNET + 20..ETHERNET + 22], [3, 4]);
        assert_eq!(error[ETHERNET + 26..ETHERNET + 28], 1_300_u16.to_be_bytes());
        assert_eq!(error[ETHERNET + 28..], data[ETHERNET..]);
    }

    #[test]
    fn hop_decrements_the_ttl() {
        let mut data = segment(ACK, b"hello");
        let seen = view(&data).unwrap();
        step(&mut data, &seen);
        assert_eq!(view(&data).unwrap().ttl, 63);
        assert!(is_sound(&data));
    }
}
