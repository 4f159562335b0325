//! What each cause looks like in a headline, who is to blame, and what to change.

use crate::{
    diagnosis::view::{Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    text::quote,
};

mod confirm;
mod rules;

pub(super) use self::{
    confirm::check_from_instance,
    rules::{allow, allow_at, allow_by_name, allow_in_firewall},
};

/// The cause as half of a headline; `ports` reads like `TCP 1433`.
pub fn headline(cause: Cause, ports: &str) -> String {
    match cause {
        Cause::DnsTimeout => "no name server replies".into(),
        Cause::DnsRefused => "the name server refuses to answer".into(),
        Cause::DnsServfail => "the name server fails to find an answer".into(),
        Cause::DnsNxdomain => "the name does not resolve".into(),
        Cause::DnsNoAddress => "the name has no address".into(),
        Cause::DnsSinkhole => "the name resolves to an impossible address".into(),
        Cause::DnsPrivateAddress => "the name resolves to a private address without answer".into(),
        Cause::TcpTimeout => format!("{ports} is dropped in silence"),
        Cause::TcpRefused => format!("{ports} is refused with a reset"),
        Cause::TcpUnreachable | Cause::UdpUnreachable => format!("{ports} is refused with an ICMP error"),
        Cause::TcpNoRoute => "this machine has no route".into(),
        Cause::TlsReset => format!("{ports} is accepted, then reset at the ClientHello"),
        Cause::TlsClosed => format!("{ports} is accepted, then closed at the ClientHello"),
        Cause::TlsTimeout => format!("{ports} is accepted, then silent after the ClientHello"),
        Cause::TlsAlert => format!("{ports} answers the ClientHello with an alert"),
        Cause::TlsNotTls => format!("{ports} answers, but not with TLS"),
        Cause::TlsUntrusted => "the instance does not trust the certificate".into(),
        Cause::TlsWrongName => "the certificate belongs to another name".into(),
        Cause::TlsExpired => "the certificate has ended or has not begun".into(),
        Cause::HelloTimeout if ports.starts_with("UDP") => format!("{ports} gets no answer"),
        Cause::HelloTimeout => format!("{ports} is accepted, then silent"),
        Cause::HelloReset => format!("{ports} is accepted, then reset"),
        Cause::HelloClosed => format!("{ports} is accepted, then closed"),
        Cause::HelloUnexpected => format!("{ports} is answered by something else"),
        Cause::HttpDenied => format!("a firewall or proxy denies {ports}"),
        Cause::UdpRefused => format!("{ports} is refused (ICMP port unreachable)"),
        Cause::NeedsValue
        | Cause::Wildcard
        | Cause::Retired
        | Cause::NotOutbound
        | Cause::Deadline
        | Cause::Skipped
        | Cause::LocalFault => "not tested".into(),
    }
}

/// How sure a cause alone makes us of where the fault lies.
pub fn confidence(cause: Cause) -> Confidence {
    match cause {
        Cause::HttpDenied | Cause::TcpUnreachable | Cause::UdpUnreachable | Cause::TcpNoRoute => Confidence::Certain,
        Cause::TlsAlert | Cause::TlsNotTls | Cause::TlsExpired | Cause::TlsWrongName | Cause::HelloUnexpected => {
            Confidence::Medium
        }
        _ => Confidence::High,
    }
}

/// Where to look, the likeliest first.
pub fn suspects(cause: Cause) -> &'static [Suspect] {
    use Suspect::{
        DnsServer, FirewallApplicationRule, FirewallNetworkRule, LocalHost, Nsg, Nva, PrivateDnsZone, Proxy, Service,
        TlsInspection, Udr,
    };
    match cause {
        Cause::DnsTimeout => &[DnsServer, Nsg, Udr],
        Cause::DnsRefused | Cause::DnsServfail => &[DnsServer],
        Cause::DnsNxdomain => &[DnsServer, PrivateDnsZone, Suspect::Documentation],
        Cause::DnsNoAddress | Cause::DnsSinkhole | Cause::DnsPrivateAddress => &[PrivateDnsZone, DnsServer],
        Cause::TcpTimeout => &[Nsg, FirewallNetworkRule, Udr, Suspect::VmNicNsg],
        Cause::TcpRefused => &[Nva, Service],
        Cause::TcpUnreachable | Cause::UdpUnreachable | Cause::UdpRefused => &[Nva, FirewallNetworkRule, Udr],
        Cause::TcpNoRoute | Cause::LocalFault => &[LocalHost],
        Cause::TlsReset | Cause::TlsClosed | Cause::TlsTimeout => &[FirewallApplicationRule, Nva],
        Cause::TlsAlert => &[FirewallApplicationRule, Nva, Service],
        Cause::TlsNotTls | Cause::HttpDenied => &[FirewallApplicationRule, Proxy],
        Cause::TlsUntrusted => &[TlsInspection],
        Cause::TlsWrongName => &[DnsServer, Nva, Service],
        Cause::TlsExpired => &[LocalHost, Service],
        Cause::HelloTimeout | Cause::HelloReset | Cause::HelloClosed | Cause::HelloUnexpected => {
            &[FirewallNetworkRule, FirewallApplicationRule, Nva]
        }
        _ => &[],
    }
}

/// What to change where nothing more is known than the cause that these rows share.
pub fn advise(cause: Cause, rows: &[Row<'_>], view: &RunView<'_>) -> Fix {
    let host = rows.first().map_or("the host", |row| row.endpoint.host.as_str());
    let say = |summary: String| Fix {
        summary,
        commands: Vec::new(),
    };
    match cause {
        Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail => say(
            "Make the name servers of the virtual network answer this subnet over UDP and TCP 53, and forward to \
             168.63.129.16."
                .into(),
        ),
        Cause::DnsNxdomain => say(format!(
            "Check the spelling of {host}; if it is right, give the name server or the private zone that denies it the \
             record, or let it forward to 168.63.129.16."
        )),
        Cause::DnsNoAddress | Cause::DnsSinkhole | Cause::DnsPrivateAddress => say(format!(
            "Correct the record of {host} on the name server or in the private DNS zone that gives it."
        )),
        Cause::TlsExpired => {
            say("Check this VM's clock; if it is right, the certificate at the other end is at fault.".into())
        }
        Cause::TcpRefused => say(
            "Ask who sends the reset: a firewall on the way, or the service, which then does not listen on this port."
                .into(),
        ),
        Cause::TlsWrongName => say(format!(
            "Find out who answers at the address of {host}: its record may lead elsewhere."
        )),
        Cause::TlsReset
        | Cause::TlsClosed
        | Cause::TlsTimeout
        | Cause::TlsAlert
        | Cause::TlsNotTls
        | Cause::HttpDenied
            if rows.iter().all(Row::is_web) =>
        {
            allow_by_name(rows, view)
        }
        _ if cause.is_behind_the_connection() => allow_in_firewall(rows, view),
        _ => allow(rows, view),
    }
}

/// Asks a name server, or the system's, for a name.
pub fn dig(server: Option<std::net::SocketAddr>, host: &str) -> String {
    let at = server.map(|server| format!("@{} ", server.ip())).unwrap_or_default();
    format!("dig {at}{}", quote(host))
}

/// Shows who signs for a host, with a tool that everybody has.
pub fn show_issuer(row: &Row<'_>) -> String {
    let (host, port) = (quote(&row.endpoint.host), row.endpoint.port);
    format!("openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -issuer")
}
