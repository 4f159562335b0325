//! The name servers that this machine is configured with.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use hickory_resolver::system_conf::parse_resolv_conf;

use crate::file;

/// The file that configures the system's stub resolver (resolv.conf(5)).
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The file in which systemd-resolved lists the servers behind its stub (systemd-resolved.service(8)).
const BEHIND_THE_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// The addresses of systemd-resolved's stub, whose cache and retries would hide the servers.
const STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];
/// The port of DNS (RFC 1035 §4.2).
const PORT: u16 = 53;

/// Maximum size of a file, in bytes: a normal one has a few lines.
const MAX_SIZE: usize = 1 << 20;
/// Maximum number of servers that are used: every name is looked up at each of them. A virtual network's own list is
/// not longer.
const MAX_SERVERS: usize = 20;

/// The configured servers, and notices about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SystemResolvers {
    /// In the order in which a resolver would use them.
    pub servers: Vec<SocketAddr>,
    /// Notices.
    pub notices: Vec<String>,
}

/// Reads the system's configuration.
pub(crate) fn system() -> SystemResolvers {
    let read = |path: &str| file::read(Path::new(path), MAX_SIZE).map_err(|error| error.to_string());
    let mut system = choose(&read(RESOLV_CONF), &read(BEHIND_THE_STUB));
    if system.servers.len() > MAX_SERVERS {
        system.servers.truncate(MAX_SERVERS);
        system.notices.push(format!(
            "this machine has more than {MAX_SERVERS} name servers: only the first {MAX_SERVERS} are used"
        ));
    }
    system
}

pub(super) fn choose(configured: &Result<Vec<u8>, String>, behind: &Result<Vec<u8>, String>) -> SystemResolvers {
    let bytes = match configured {
        Ok(bytes) => bytes,
        Err(error) => {
            return SystemResolvers {
                servers: Vec::new(),
                notices: vec![format!("{error}: pass --dns-server")],
            };
        }
    };
    let servers = parse(bytes);
    if servers.is_empty() {
        return SystemResolvers {
            servers,
            notices: vec![format!(
                "{RESOLV_CONF} lists no name server, so no name can be resolved: pass --dns-server"
            )],
        };
    }
    let is_stub = |server: &SocketAddr| STUBS.iter().any(|stub| server.ip().to_string() == *stub);
    if !servers.iter().all(is_stub) {
        return SystemResolvers {
            notices: servers.iter().find_map(own).into_iter().collect(),
            servers,
        };
    }
    let real: Vec<SocketAddr> = behind
        .as_ref()
        .map(|bytes| parse(bytes))
        .unwrap_or_default()
        .into_iter()
        .filter(|server| !is_stub(server))
        .collect();
    if real.is_empty() {
        let notice = format!(
            "{RESOLV_CONF} lists only systemd-resolved's stub, and {BEHIND_THE_STUB} lists no server behind it"
        );
        return SystemResolvers {
            servers,
            notices: vec![notice],
        };
    }
    SystemResolvers {
        servers: real,
        notices: vec!["using the name servers behind systemd-resolved's stub".into()],
    }
}

/// The notice about a server on this machine.
fn own(server: &SocketAddr) -> Option<String> {
    server.ip().is_loopback().then(|| {
        format!(
            "name server {} is a stub on this VM, which the instance does not use: its results do not count",
            server.ip()
        )
    })
}

fn parse(bytes: &[u8]) -> Vec<SocketAddr> {
    let Ok((config, _)) = parse_resolv_conf(bytes) else {
        return Vec::new();
    };
    let mut servers = Vec::new();
    // The codec drops the scope of a link-local server, and without it no connection is possible.
    let is_link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    for ip in config
        .name_servers()
        .iter()
        .map(|server| server.ip)
        .filter(|ip| !is_link_local(ip))
    {
        let server = SocketAddr::new(ip, PORT);
        if !servers.contains(&server) {
            servers.push(server);
        }
        // One more than the maximum shows that there are too many.
        if servers.len() > MAX_SERVERS {
            break;
        }
    }
    servers
}

/// Reads `IP` or `IP:PORT` (`[IPv6]:PORT`).
pub(crate) fn parse_server(text: &str) -> Result<SocketAddr, String> {
    text.parse::<IpAddr>()
        .map(|ip| SocketAddr::new(ip, PORT))
        .or_else(|_| text.parse::<SocketAddr>())
        .map_err(|_| "expected an address such as 10.0.0.4, 10.0.0.4:5353 or [fd00::4]:53".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_servers(configured: &str, behind: Option<&str>) -> (Vec<String>, usize) {
        let behind = behind
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_string());
        let system = choose(&Ok(configured.as_bytes().to_vec()), &behind);
        (
            system.servers.iter().map(ToString::to_string).collect(),
            system.notices.len(),
        )
    }

    #[test]
    fn name_servers_are_read_from_resolv_conf() {
        let two =
            "# comment\nnameserver 10.0.0.4\nnameserver 168.63.129.16\noptions edns0 trust-ad\nsearch x.internal\n";
        assert_eq!(
            chosen_servers(two, None),
            (vec!["10.0.0.4:53".into(), "168.63.129.16:53".into()], 0)
        );
        assert_eq!(
            chosen_servers("nameserver 10.0.0.4\nnameserver 10.0.0.4\n", None).0,
            ["10.0.0.4:53"]
        );
    }

    #[test]
    fn stub_resolver_upstream_is_used() {
        let stub = "nameserver 127.0.0.53\n";
        assert_eq!(
            chosen_servers(stub, Some("nameserver 168.63.129.16\n")),
            (vec!["168.63.129.16:53".into()], 1)
        );
        assert_eq!(chosen_servers(stub, None), (vec!["127.0.0.53:53".into()], 1));
        assert_eq!(chosen_servers(stub, Some(stub)), (vec!["127.0.0.53:53".into()], 1));
    }

    #[test]
    fn stub_resolver_next_to_a_server_gives_a_notice() {
        assert_eq!(
            chosen_servers("nameserver 127.0.0.1\nnameserver 10.0.0.4\n", None),
            (vec!["127.0.0.1:53".into(), "10.0.0.4:53".into()], 1)
        );
    }

    #[test]
    fn missing_name_server_gives_a_notice() {
        for nothing in [
            "",
            "search x.internal\n",
            "\0\u{1}\u{ff}",
            "nameserver not-an-address\n",
        ] {
            assert_eq!(chosen_servers(nothing, None), (Vec::new(), 1), "{nothing:?}");
        }
    }

    #[test]
    fn name_servers_are_parsed_with_or_without_port() {
        assert_eq!(parse_server("10.0.0.4").unwrap().to_string(), "10.0.0.4:53");
        assert_eq!(parse_server("10.0.0.4:5353").unwrap().to_string(), "10.0.0.4:5353");
        assert_eq!(parse_server("fd00::4").unwrap().to_string(), "[fd00::4]:53");
        assert!(parse_server("dns.example.com").is_err());
    }
}
