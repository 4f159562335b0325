//! How documents write hosts.

use std::net::IpAddr;

use super::HostOrAddresses;
use crate::{address::is_impossible, text::host};

/// The place and, if it is written or implied by a scheme, the port.
///
/// A network status has five forms: `host`, `https://host`, `https://host:port/path`, `host:port`, and words such as
/// `LocalGatewayRedis` that are not hosts; for those it is `None`, and for addresses that no service can have.
pub(super) fn parse(text: &str) -> Option<(HostOrAddresses, Option<u16>)> {
    let (scheme, rest) = text
        .trim()
        .split_once("://")
        .map_or(("", text.trim()), |(scheme, rest)| (scheme, rest));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed
            .split_once(']')
            .map(|(host, rest)| (host, rest.strip_prefix(':')))?,
        None if authority.parse::<IpAddr>().is_ok() => (authority, None),
        None => authority
            .rsplit_once(':')
            .map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
        None => default_port(scheme),
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return (!is_impossible(address)).then(|| (HostOrAddresses::Addresses(vec![address]), port));
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    is_host(&host).then_some((HostOrAddresses::Host(host), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(443),
        "http" => Some(80),
        "amqps" | "sb" => Some(5671),
        _ => None,
    }
}

/// Whether a name can be looked up: it has at least two labels (RFC 1035 §2.3.4), and the last one is not a number.
pub(super) fn is_host(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    host::is_name(name) && name.contains('.') && last.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn host_names_urls_and_addresses_are_parsed() {
        for (text, host, port) in [
            ("Apimst7.blob.core.windows.net", "apimst7.blob.core.windows.net", None),
            ("https://apikv-7.vault.azure.net", "apikv-7.vault.azure.net", Some(443)),
            (
                "https://prod3.prod.microsoftmetrics.com:1886/RecoveryService",
                "prod3.prod.microsoftmetrics.com",
                Some(1886),
            ),
            (
                "https://x.management.azure-api.net:3443/servicestatus?api-version=1",
                "x.management.azure-api.net",
                Some(3443),
            ),
            ("smtpi-ch1.msn.com:25028", "smtpi-ch1.msn.com", Some(25028)),
            ("http://crl.example.com/a.crl", "crl.example.com", Some(80)),
            ("host.example.com.", "host.example.com", None),
        ] {
            assert_eq!(parse(text), Some((HostOrAddresses::Host(host.into()), port)), "{text}");
        }
        for (text, address, port) in [
            ("20.1.2.3", "20.1.2.3", None),
            ("20.1.2.3:1433", "20.1.2.3", Some(1433)),
            ("[2603::1]:443", "2603::1", Some(443)),
            ("2603::1", "2603::1", None),
        ] {
            let place = HostOrAddresses::Addresses(vec![address.parse().unwrap()]);
            assert_eq!(parse(text), Some((place, port)), "{text}");
        }
    }

    #[test]
    fn invalid_host_names_are_none() {
        for text in [
            "",
            "LocalGatewayRedis",
            "Scm",
            "https://",
            "a b.example.com",
            "user@host.example.com",
            "host.example.com:0",
            "host.example.com:65536",
            "host.example.com:https",
            "-.-.",
            "1.2.3",
            "999.1.1.1",
            "127.0.0.1:443",
            "169.254.169.254",
            "0.0.0.0",
            "a..b.com",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_host_name_does_not_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
