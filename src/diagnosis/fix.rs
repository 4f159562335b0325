//! What to change.

use crate::{
    azure::PLATFORM,
    diagnosis::view::{ProbedEndpoint, RunView},
    model::{Cause, Fix},
    rules::RuleFamily,
};

mod confirm;
mod finish;
mod inspect;
mod rules;

pub(super) use self::{
    confirm::check_from_instance,
    finish::{APPLY_NETWORK_UPDATES, finish},
    inspect::{SUBNET, dig, show_issuer},
    rules::{allow, allow_at, allow_by_name, allow_in_firewall, by_name, let_in, lines, only_tag, traffic},
};

/// What to change if only the cause that these rows share is known.
pub(super) fn advise(cause: Cause, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let host = rows.first().map_or("the host", |row| row.endpoint.host.as_str());
    let say = |summary: String| Fix::new(summary);
    match cause {
        Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail => say(
            "Make the virtual network's name servers answer this subnet over UDP and TCP 53, and forward to \
             168.63.129.16."
                .into(),
        ),
        // It has no forwarders.
        Cause::DnsNxdomain if rows.iter().any(is_decided_by_platform) => say(format!(
            "Check the spelling of {host}; if it is correct, add its record to the private zone that hides it."
        )),
        Cause::DnsNxdomain => say(format!(
            "Check the spelling of {host}; if it is correct, add its record to the name server or private zone that \
             denies it, or have the server forward to 168.63.129.16."
        )),
        Cause::DnsNoAddress | Cause::DnsSinkhole | Cause::DnsPrivateAddress => say(format!(
            "Correct the record for {host} on the name server or in the private DNS zone that it comes from."
        )),
        Cause::PathMtu => say(
            "Allow ICMP \"fragmentation needed\" (type 3, code 4) along the path, or clamp the MSS on the tunnel."
                .into(),
        ),
        Cause::TlsExpired => {
            say("Check this VM's clock; if it is correct, the server's certificate is at fault.".into())
        }
        Cause::TcpRefused => say(
            "Find out what sends the reset: a firewall on the path, or the service itself, if it does not listen on \
             this port."
                .into(),
        ),
        Cause::TlsWrongName => say(format!(
            "Find out what answers at the address of {host}: its DNS record may be wrong."
        )),
        Cause::TlsReset
        | Cause::TlsClosed
        | Cause::TlsTimeout
        | Cause::TlsAlert
        | Cause::TlsNotTls
        | Cause::HelloTimeout
        | Cause::HelloReset
        | Cause::HelloClosed
        | Cause::HelloUnexpected
        | Cause::HttpDenied => {
            if rows.iter().all(ProbedEndpoint::is_tcp) {
                through_firewall(rows, view)
            } else {
                allow(rows, view)
            }
        }
        Cause::TcpTimeout => allow(rows, view),
        // Azure's own rules drop silently: an error comes from another device, usually the target itself.
        Cause::TcpUnreachable | Cause::UdpRefused | Cause::UdpUnreachable => {
            let sender = rows.iter().find_map(|row| row.icmp().next()?.0.sender);
            let who = sender.map_or_else(|| "the sender of the error".into(), |sender| sender.to_string());
            allow_at(&who, rows, view)
        }
        Cause::TlsUntrusted => say(format!("Exempt {host} from TLS inspection for the instance's subnet.")),
        Cause::TcpNoRoute => say("Add a route there on this VM, then run again.".into()),
        Cause::LocalFault => say("Remove whatever prevents this VM from probing, then run again.".into()),
        Cause::NeedsValue
        | Cause::Wildcard
        | Cause::Retired
        | Cause::NotOutbound
        | Cause::Deadline
        | Cause::Skipped => say("No action: it was not tested.".into()),
    }
}

/// Whether the platform's own server decided about its name.
fn is_decided_by_platform(row: &ProbedEndpoint<'_>) -> bool {
    row.deciding_server().is_some_and(|server| server.ip() == PLATFORM)
}

/// Lets TCP rows through a firewall that accepts their connections: by name on ports where it reads names, else by
/// address.
pub(super) fn through_firewall(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let (web, others): (Vec<ProbedEndpoint<'_>>, Vec<ProbedEndpoint<'_>>) = rows.iter().partition(|row| row.is_web());
    match (web.is_empty(), others.is_empty()) {
        (false, true) => allow_by_name(&web, view),
        (true, _) => allow_in_firewall(&others, view),
        (false, false) => {
            let (by_name, by_address) = (allow_by_name(&web, view), allow_in_firewall(&others, view));
            Fix::new(format!("{} {}", by_name.summary, by_address.summary)).change(lines(
                RuleFamily::Firewall,
                rows,
                view,
            ))
        }
    }
}
