//! Commands that show the same with tools that everybody has.

use std::net::IpAddr;

use crate::{
    diagnosis::view::{Row, RunView},
    model::{Protocol, Transport},
    net::tcp::TcpEnd,
    text::quote,
};

/// A command that shows a row's failure, in curl, openssl, nslookup or Python.
pub(super) fn reproduction(row: &Row<'_>, view: &RunView<'_>) -> String {
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
    // An IPv6 address as it stands before a port.
    let bracketed = match address {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(_) => format!("[{address}]"),
    };
    // Nothing is gained from a server name that no certificate can have.
    let server_name = if endpoint.host.parse::<IpAddr>().is_ok() {
        endpoint.names.iter().find(|name| name.parse::<IpAddr>().is_err())
    } else {
        Some(&endpoint.host)
    };
    match endpoint.protocol {
        Protocol::Https | Protocol::Tls | Protocol::Amqps | Protocol::Redis => {
            let server_name = server_name.map_or_else(String::new, |name| format!(" -servername {}", quote(name)));
            format!("openssl s_client -connect {bracketed}:{port}{server_name} </dev/null")
        }
        Protocol::Http => {
            let path = quote(&format!(
                "http://{}:{port}{}",
                endpoint.host,
                endpoint.path.as_deref().unwrap_or("/")
            ));
            let resolve = quote(&format!("{}:{port}:{bracketed}", endpoint.host));
            format!("curl -v -m 10 -o /dev/null --resolve {resolve} {path}")
        }
        // The first packet of RFC 5905 §7.3: version 3, client.
        Protocol::Ntp => format!(
            "python3 -c \"import socket; s=socket.socket(socket.{}, socket.SOCK_DGRAM); s.settimeout(5); \
             s.sendto(b'\\x1b'+47*b'\\0', ('{address}', {port})); print(s.recv(48))\"",
            if address.is_ipv6() { "AF_INET6" } else { "AF_INET" },
        ),
        _ => {
            let accepted = attempt.tcp.as_ref().is_some_and(|tcp| tcp.end == TcpEnd::Open);
            let remark = if accepted {
                "    # is accepted, but the service never answers"
            } else {
                ""
            };
            format!("curl -v -m 5 telnet://{bracketed}:{port}{remark}")
        }
    }
}
