//! The messages of rtnetlink(7): a header of 16 bytes, a fixed part for each kind, then attributes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc;

use super::{Interface, Neighbour, NeighbourState, RouteAnswer};

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct ifinfomsg`, `struct rtmsg`, `struct ndmsg`.
const LINK: usize = 16;
const ROUTE: usize = 12;
const NEIGHBOUR: usize = 12;

/// Attributes of links (`linux/if_link.h`).
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_CARRIER_DOWN_COUNT: u16 = 48;
/// Those of routes and neighbours (`linux/rtnetlink.h`, `linux/neighbour.h`).
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_VIA: u16 = 18;
const NDA_DST: u16 = 1;

const DONE: u16 = 3;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

/// One message, reduced to what matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    kind: u16,
    /// The request that it answers.
    pub sequence: u32,
    body: &'a [u8],
}

/// The messages of a datagram; truncated ones are skipped.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(word(bytes, 0)?).ok()?;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: half(bytes, 4)?,
            sequence: word(bytes, 8)?,
            body,
        };
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// Requests all interfaces.
pub(super) fn all_links(sequence: u32) -> Vec<u8> {
    request(libc::RTM_GETLINK, REQUEST | DUMP, sequence, &[0; LINK], &[])
}

/// Requests all neighbours.
pub(super) fn all_neighbours(sequence: u32) -> Vec<u8> {
    request(libc::RTM_GETNEIGH, REQUEST | DUMP, sequence, &[0; NEIGHBOUR], &[])
}

/// Requests the route of a packet to `to`, from this address if one is given.
pub(super) fn route_to(sequence: u32, to: IpAddr, from: Option<IpAddr>) -> Vec<u8> {
    let mut fixed = [0; ROUTE];
    let bits = if to.is_ipv6() { 128 } else { 32 };
    (fixed[0], fixed[1]) = (family(to), bits);
    let mut attributes = vec![(RTA_DST, octets(to))];
    if let Some(from) = from.filter(|from| from.is_ipv6() == to.is_ipv6()) {
        fixed[2] = bits;
        attributes.push((RTA_SRC, octets(from)));
    }
    request(libc::RTM_GETROUTE, REQUEST, sequence, &fixed, &attributes)
}

fn request(kind: u16, flags: u16, sequence: u32, fixed: &[u8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = fixed.to_vec();
    for (kind, value) in attributes {
        let length = u16::try_from(4 + value.len()).unwrap_or_default();
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
        body.resize(aligned(body.len()), 0);
    }
    let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(body);
    message
}

impl Message<'_> {
    /// Whether this is the last message for a request for all of a kind.
    pub(super) fn is_last(&self) -> bool {
        self.kind == DONE
    }

    /// The error number in the kernel's answer; 0 for a confirmation.
    pub(super) fn error(&self) -> Option<i32> {
        (self.kind == ERROR).then_some(())?;
        let negative = i32::from_ne_bytes(self.body.get(..4)?.try_into().ok()?);
        Some(negative.saturating_neg())
    }

    /// An interface.
    pub(super) fn link(&self) -> Option<Interface> {
        (self.kind == libc::RTM_NEWLINK).then_some(())?;
        let flags = word(self.body, 8)?;
        let has = |flag: libc::c_int| u32::try_from(flag).is_ok_and(|flag| flags & flag != 0);
        let name = self.attribute(LINK, IFLA_IFNAME)?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let number = |kind| self.attribute(LINK, kind).and_then(|value| word(value, 0));
        Some(Interface {
            index: word(self.body, 4)?,
            name: String::from_utf8_lossy(name).into_owned(),
            is_loopback: has(libc::IFF_LOOPBACK),
            is_up: has(libc::IFF_UP),
            has_carrier: has(libc::IFF_LOWER_UP),
            mtu: number(IFLA_MTU),
            carrier_losses: number(IFLA_CARRIER_DOWN_COUNT),
        })
    }

    /// A route.
    pub(super) fn route(&self) -> Option<RouteAnswer> {
        (self.kind == libc::RTM_NEWROUTE).then_some(())?;
        // An IPv4 route may lead over an IPv6 neighbour: then its family comes first (`struct rtvia`).
        let via = || address(self.attribute(ROUTE, RTA_VIA)?.get(2..)?);
        Some(RouteAnswer {
            interface: word(self.attribute(ROUTE, RTA_OIF)?, 0)?,
            gateway: self.attribute(ROUTE, RTA_GATEWAY).and_then(address).or_else(via),
        })
    }

    /// A neighbour.
    pub(super) fn neighbour(&self) -> Option<Neighbour> {
        (self.kind == libc::RTM_NEWNEIGH).then_some(())?;
        Some(Neighbour {
            address: address(self.attribute(NEIGHBOUR, NDA_DST)?)?,
            interface: word(self.body, 4)?,
            state: match half(self.body, 8)? {
                libc::NUD_INCOMPLETE => NeighbourState::Incomplete,
                libc::NUD_FAILED => NeighbourState::Failed,
                _ => NeighbourState::Known,
            },
        })
    }

    /// The value of the first attribute of this kind after a fixed part.
    fn attribute(&self, fixed: usize, wanted: u16) -> Option<&[u8]> {
        let mut rest = self.body.get(fixed..)?;
        loop {
            let length = usize::from(half(rest, 0)?);
            let kind = half(rest, 2)?;
            let value = rest.get(4..length)?;
            // The two highest bits are flags.
            if kind & 0x3fff == wanted {
                return Some(value);
            }
            rest = rest.get(aligned(length)..)?;
        }
    }
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv6() {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    u8::try_from(family).unwrap_or_default()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes)
        .ok()
        .map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Everything is aligned to four bytes.
fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn route_request_is_encoded_as_a_netlink_message() {
        let bytes = route_to(7, "10.0.0.9".parse().unwrap(), Some("10.1.0.4".parse().unwrap()));
        let [message] = messages(&bytes).collect::<Vec<_>>()[..] else {
            panic!("{bytes:?}");
        };
        assert_eq!((message.kind, message.sequence), (libc::RTM_GETROUTE, 7));
        assert_eq!(message.attribute(ROUTE, RTA_DST), Some(&[10, 0, 0, 9][..]));
        assert_eq!(message.attribute(ROUTE, RTA_SRC), Some(&[10, 1, 0, 4][..]));
        assert_eq!(message.attribute(ROUTE, RTA_OIF), None);
    }

    #[test]
    fn route_reply_gives_the_next_hop_and_errors_their_errno() {
        let attributes = [(RTA_OIF, vec![2, 0, 0, 0]), (RTA_GATEWAY, vec![10, 1, 0, 1])];
        let bytes = request(libc::RTM_NEWROUTE, 0, 1, &[0; ROUTE], &attributes);
        let answer = messages(&bytes).next().and_then(|message| message.route()).unwrap();
        assert_eq!(answer.gateway, Some("10.1.0.1".parse().unwrap()));
        let refused = request(ERROR, 0, 1, &(-libc::ENETUNREACH).to_ne_bytes(), &[]);
        assert_eq!(messages(&refused).next().unwrap().error(), Some(libc::ENETUNREACH));
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(kind in 0_u16..40, bytes in proptest::collection::vec(any::<u8>(), 0..200), whole: bool) {
            let bytes = if whole { request(kind, 0, 0, &bytes, &[]) } else { bytes };
            for message in messages(&bytes) {
                let _ = (message.error(), message.link(), message.route(), message.neighbour());
            }
        }
    }
}
