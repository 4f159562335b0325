//! What each cause looks like in a headline, who is to blame, and what to change.

use super::cause::{Cause, Confidence, Suspect};
use crate::{plan::Endpoint, report::Fix};

/// The cause as half of a headline; `ports` reads like `TCP 1433`.
pub fn headline(cause: Cause, ports: &str) -> String {
    match cause {
        Cause::DnsTimeout => "no name server replies".into(),
        Cause::DnsRefused => "the name server refuses to answer".into(),
        Cause::DnsServfail => "the name server fails to find an answer".into(),
        Cause::DnsNxdomain => "the name does not resolve".into(),
        Cause::DnsNoAddress => "the name has no address".into(),
        Cause::DnsSinkhole => "the name is sunk: it resolves to an impossible address".into(),
        Cause::DnsPrivateAddress => "the name resolves to a private address where nothing proves itself".into(),
        Cause::TcpTimeout => format!("{ports} is dropped in silence"),
        Cause::TcpRefused => format!("{ports} is refused with a reset"),
        Cause::TcpUnreachable | Cause::UdpUnreachable => format!("{ports} is refused with an ICMP error"),
        Cause::TcpNoRoute => "this machine has no route".into(),
        Cause::TlsReset => format!("{ports} is accepted, then reset at the ClientHello"),
        Cause::TlsClosed => format!("{ports} is accepted, then closed at the ClientHello"),
        Cause::TlsTimeout => format!("{ports} is accepted, then silent after the ClientHello"),
        Cause::TlsAlert => format!("{ports} answers the ClientHello with an alert"),
        Cause::TlsNotTls => format!("{ports} answers, but not with TLS"),
        Cause::TlsUntrusted => "TLS is inspected: the instance does not trust the certificate".into(),
        Cause::TlsWrongName => "the certificate belongs to another name".into(),
        Cause::TlsExpired => "the certificate has ended or has not begun".into(),
        Cause::HelloTimeout => format!("{ports} does not answer in its protocol"),
        Cause::HelloReset => format!("{ports} is reset in mid-conversation"),
        Cause::HelloClosed => format!("{ports} is closed in mid-conversation"),
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

/// How sure a cause makes us of where the fault lies.
pub fn confidence(cause: Cause) -> Confidence {
    match cause {
        Cause::HttpDenied | Cause::TcpUnreachable | Cause::UdpUnreachable | Cause::TlsUntrusted | Cause::TcpNoRoute => {
            Confidence::Certain
        }
        Cause::TlsAlert | Cause::TlsNotTls | Cause::TlsExpired | Cause::TlsWrongName | Cause::HelloUnexpected => {
            Confidence::Medium
        }
        _ => Confidence::High,
    }
}

/// Where to look, the likeliest first.
pub fn suspects(cause: Cause) -> &'static [Suspect] {
    use Suspect::{
        DnsServer, FirewallApplicationRule, FirewallNetworkRule, LocalHost, NoOutbound, Nsg, Nva, PrivateDnsZone,
        Proxy, Service, TlsInspection, Udr,
    };
    match cause {
        Cause::DnsTimeout => &[DnsServer, Nsg, Udr],
        Cause::DnsRefused | Cause::DnsServfail => &[DnsServer],
        Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole | Cause::DnsPrivateAddress => {
            &[PrivateDnsZone, DnsServer]
        }
        Cause::TcpTimeout => &[Nsg, FirewallNetworkRule, Udr, NoOutbound],
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
            &[FirewallApplicationRule, FirewallNetworkRule, Nva]
        }
        _ => &[],
    }
}

/// What to change.
pub fn fix(cause: Option<Cause>, endpoint: &Endpoint, ports: &str) -> Fix {
    let to = endpoint.service_tag.as_ref().map_or_else(
        || format!("to {}", endpoint.host),
        |tag| format!("to the service tag {tag}"),
    );
    let summary = match cause {
        None => format!("Deny {ports} {to}, or take the expectation out of the catalog."),
        Some(Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail) => {
            "Make the name servers of the virtual network answer this subnet over UDP and TCP 53, and forward to 168.63.129.16.".into()
        }
        Some(Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole | Cause::DnsPrivateAddress) => {
            format!("Correct the record of {} on the name server or in the private DNS zone that answers for it.", endpoint.host)
        }
        Some(Cause::TlsUntrusted) => format!("Exempt {} from TLS inspection: the instance cannot be given a company's CA.", endpoint.host),
        Some(Cause::TlsExpired) => "Check this VM's clock first; if it is right, the service's certificate is at fault.".into(),
        Some(Cause::TcpNoRoute) => "Give this machine a route, or run the agent where the instance would stand.".into(),
        Some(
            Cause::TlsReset
            | Cause::TlsClosed
            | Cause::TlsTimeout
            | Cause::TlsAlert
            | Cause::TlsNotTls
            | Cause::HttpDenied,
        ) => format!("Allow {} on {ports} in the firewall's rules, by name or by service tag.", endpoint.host),
        Some(_) => format!("Allow {ports} {to}, in the NSG of the subnet and at every firewall on the way."),
    };
    Fix {
        summary,
        commands: Vec::new(),
    }
}
