//! Which addresses a documented service can have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses among texts; texts that are not addresses are left out.
pub fn parsed(texts: &[String]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Whether no service of Azure can have the address: unspecified, loopback, link-local, multicast, broadcast, reserved
/// and documentation addresses (IANA special-purpose registries, RFC 6890, RFC 5737, RFC 3849).
///
/// A name that resolves to one is sinkholed, so no connection is tried.
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

/// Whether a name that resolves to the address is sinkholed: the address is unusable, or belongs to a DNS filter.
pub fn is_sinkhole(address: IpAddr) -> bool {
    is_impossible(address) || filter_at(address).is_some()
}

/// The well-known DNS filter that answers with this address for what it blocks, if any.
///
/// The block portal of `FortiGate`, the block pages of Cisco Umbrella (once `OpenDNS`), the sinkholes of Palo Alto
/// Networks (`sinkhole.paloaltonetworks.com` and the IPv6 bogon of its profiles), the bogus address of Check Point's
/// DNS trap. All are defaults that an administrator may change.
pub fn filter_at(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => match address.octets() {
            [208, 91, 112, 55] => Some("FortiGate"),
            [146, 112, 61, 104..=110] => Some("Cisco Umbrella"),
            [72, 5, 65, 111] | [198, 135, 184, 22] => Some("Palo Alto Networks"),
            [62, 0, 58, 94] => Some("Check Point"),
            _ => None,
        },
        IpAddr::V6(address) => match (address.to_ipv4_mapped(), address.segments()) {
            (Some(mapped), _) => filter_at(mapped.into()),
            (None, [0x2001, 0xcdba, 0, 0, 0, 0, 0x3257, 0x9652]) => Some("FortiGate"),
            (None, [0x2600, 0x5200, 0, 0, 0, 0, 0, 1]) => Some("Palo Alto Networks"),
            (None, _) => None,
        },
    }
}

/// Whether the address belongs to a private network (RFC 1918, RFC 6598, RFC 4193), or to the benchmark network whose
/// addresses proxies use as placeholders (RFC 2544).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || is_shared(address) || is_benchmark(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private(mapped.into()),
            None => address.is_unique_local(),
        },
    }
}

/// Whether a connection to the address uses a port of the NAT on the path, as connections to public IPv4 addresses do.
pub fn uses_snat_port(address: IpAddr) -> bool {
    address.is_ipv4() && !is_private(address)
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
    fn each_address_range_is_classified() {
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
            assert_eq!(uses_snat_port(parsed), !private && !address.contains(':'), "{address}");
        }
    }

    #[test]
    fn dns_filter_addresses_are_sinkholes() {
        for (address, filter) in [
            ("208.91.112.55", Some("FortiGate")),
            ("2001:cdba::3257:9652", Some("FortiGate")),
            ("146.112.61.104", Some("Cisco Umbrella")),
            ("::ffff:146.112.61.110", Some("Cisco Umbrella")),
            ("72.5.65.111", Some("Palo Alto Networks")),
            ("2600:5200::1", Some("Palo Alto Networks")),
            ("62.0.58.94", Some("Check Point")),
            ("208.91.112.53", None),
            ("146.112.61.111", None),
            ("20.60.1.2", None),
            ("2600:5200::2", None),
        ] {
            let parsed = address.parse().unwrap();
            assert_eq!(filter_at(parsed), filter, "{address}");
            assert_eq!(is_sinkhole(parsed), filter.is_some(), "{address}");
            assert!(!is_impossible(parsed), "{address}");
        }
        assert!(is_sinkhole("0.0.0.0".parse().unwrap()));
    }
}
