//! Which addresses a documented service can have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses among texts; what is none is left out.
pub fn parsed(texts: &[String]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Whether no service of Azure can live there: unspecified, loopback, link-local, multicast, broadcast, reserved and
/// documentation addresses (IANA special-purpose registries, RFC 6890, RFC 5737, RFC 3849).
///
/// A name that resolves to one has been sunk, so the address is never dialled.
pub fn is_impossible(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            first == 0
                || address.is_loopback()
                || address.is_link_local()
                || address.is_documentation()
                // Multicast 224/4, and 240/4 with the broadcast address.
                || first >= 224
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_impossible(mapped.into()),
            None => {
                address.is_unspecified()
                    || address.is_loopback()
                    || address.is_multicast()
                    || address.is_unicast_link_local()
                    || is_documentation_v6(address)
            }
        },
    }
}

/// Whether the address belongs to a private network (RFC 1918, RFC 6598, RFC 4193), or to a benchmark network that
/// proxies hand out as stand-ins (RFC 2544).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || is_shared(address) || is_benchmark(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private(mapped.into()),
            None => address.is_unique_local(),
        },
    }
}

fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && (64..128).contains(&second)
}

fn is_benchmark(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 198 && (second == 18 || second == 19)
}

fn is_documentation_v6(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x2001, 0x0db8, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_into_kinds() {
        let table = [
            ("20.60.1.2", false, false),
            ("10.1.0.5", false, true),
            ("172.31.0.1", false, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("100.128.0.1", false, false),
            ("198.18.0.1", false, true),
            ("168.63.129.16", false, false),
            ("0.0.0.0", true, false),
            ("0.1.2.3", true, false),
            ("127.0.0.1", true, false),
            ("169.254.1.1", true, false),
            ("192.0.2.1", true, false),
            ("224.0.0.1", true, false),
            ("240.0.0.1", true, false),
            ("255.255.255.255", true, false),
            ("::", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:10.0.0.1", false, true),
            ("fd00::1", false, true),
            ("fe80::1", true, false),
            ("2001:db8::1", true, false),
            ("2603:1030::1", false, false),
        ];
        for (address, impossible, private) in table {
            let parsed = address.parse().unwrap();
            assert_eq!(is_impossible(parsed), impossible, "{address}");
            assert_eq!(is_private(parsed), private, "{address}");
        }
    }
}
