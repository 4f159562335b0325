//! Commands that reproduce the failure with commonly installed tools.

use std::net::IpAddr;

use crate::{
    diagnosis::view::{ProbedEndpoint, RunView},
    model::{Cause, FailureMode, Protocol, Transport},
    net::tcp::TcpEnd,
    text::quote,
};

/// A command that reproduces a row's failure, with curl, openssl, nslookup or Python.
pub(super) fn reproduction(row: &ProbedEndpoint<'_>, view: &RunView<'_>) -> String {
    let endpoint = row.endpoint;
    let (port, name) = (endpoint.port, quote(&endpoint.host));
    if let Some(server) = row.tested_server() {
        let tcp = if endpoint.transport == Transport::Tcp {
            " -vc"
        } else {
            ""
        };
        let asked = quote(&view.plan.control_name);
        return format!("nslookup{tcp} -port={port} {asked} {}", server.ip());
    }
    let tried = row.decisive().or_else(|| row.attempts().first());
    let Some(attempt) = tried else {
        let server = row.deciding_server().or_else(|| row.servers().next());
        let server = server.map_or_else(String::new, |server| format!(" {}", server.ip()));
        return format!("nslookup {name}{server}");
    };
    let address = attempt.address.ip();
    // An IPv6 address as written before a port.
    let bracketed = match address {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(_) => format!("[{address}]"),
    };
    // A server name that no certificate can have is of no use.
    let server_name = if endpoint.host.parse::<IpAddr>().is_ok() {
        endpoint.names.iter().find(|name| name.parse::<IpAddr>().is_err())
    } else {
        Some(&endpoint.host)
    };
    match endpoint.protocol {
        Protocol::Https | Protocol::Tls | Protocol::Amqps | Protocol::Redis => {
            let server_name = server_name.map_or_else(String::new, |name| format!(" -servername {}", quote(name)));
            // It waits for the kernel, which gives up after two minutes.
            format!("timeout 10 openssl s_client -connect {bracketed}:{port}{server_name} </dev/null")
        }
        Protocol::Http => request(&endpoint.host, port, &bracketed, endpoint.path.as_deref()),
        // The first packet of RFC 5905 §7.3: version 3, client.
        Protocol::Ntp => format!(
            "python3 -c \"import socket; s=socket.socket(socket.{}, socket.SOCK_DGRAM); s.settimeout(5); \
             s.sendto(b'\\x1b'+47*b'\\0', ('{address}', {port})); print(s.recv(48))\"",
            if address.is_ipv6() { "AF_INET6" } else { "AF_INET" },
        ),
        _ => {
            let accepted = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
            let remark = match row.cause().map(Cause::ending) {
                Some(FailureMode::Silence) if accepted => "    # is accepted, but the service never answers",
                Some(FailureMode::Cut) if accepted => "    # is accepted; the connection is cut after that",
                _ if accepted => "    # is accepted; the failure comes after that",
                _ => "",
            };
            format!("curl -v -m 5 telnet://{bracketed}:{port}{remark}")
        }
    }
}

/// A plain HTTP request to a host at this address.
fn request(host: &str, port: u16, bracketed: &str, path: Option<&str>) -> String {
    let path = path.unwrap_or("/");
    // An address needs no lookup.
    let (host, resolve) = if host.parse::<IpAddr>().is_ok() {
        (bracketed, String::new())
    } else {
        let resolve = quote(&format!("{host}:{port}:{bracketed}"));
        (host, format!(" --resolve {resolve}"))
    };
    let url = quote(&format!("http://{host}:{port}{path}"));
    format!("curl -v -m 10 -o /dev/null{resolve} {url}")
}

#[cfg(test)]
mod tests {
    use super::request;

    #[test]
    fn ipv6_address_is_bracketed() {
        for (host, at, command) in [
            (
                "crl.example",
                "[2001:db8::1]",
                "--resolve 'crl.example:80:[2001:db8::1]' http://crl.example:80/a",
            ),
            (
                "crl.example",
                "20.0.0.1",
                "--resolve crl.example:80:20.0.0.1 http://crl.example:80/a",
            ),
            ("2001:db8::1", "[2001:db8::1]", "'http://[2001:db8::1]:80/a'"),
            ("20.0.0.1", "20.0.0.1", "http://20.0.0.1:80/a"),
        ] {
            assert_eq!(
                request(host, 80, at, Some("/a")),
                format!("curl -v -m 10 -o /dev/null {command}")
            );
        }
    }
}
