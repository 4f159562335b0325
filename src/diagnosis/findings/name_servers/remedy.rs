//! Whose fault a failing name server is, and what to change.

use crate::{
    azure::PLATFORM,
    diagnosis::{
        findings::say,
        fix,
        view::{Row, RunView},
    },
    model::{Cause, Confidence, Fix, Suspect},
};

fn is_platform_asked(view: &RunView<'_>) -> bool {
    view.plan.name_servers.iter().any(|server| server.ip() == PLATFORM)
}

/// An answer shows whose it is; silence shows it only where the platform's own server answers meanwhile.
pub fn confidence(view: &RunView<'_>, cause: Cause) -> Confidence {
    match cause {
        Cause::DnsRefused | Cause::DnsServfail | Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole => {
            Confidence::Certain
        }
        _ if view.platform_dns == Some(true) => Confidence::Certain,
        _ => Confidence::High,
    }
}

pub fn suspects(view: &RunView<'_>, cause: Cause) -> Vec<Suspect> {
    let silent = matches!(cause, Cause::DnsTimeout | Cause::TcpTimeout);
    if silent && (is_platform_asked(view) || view.platform_dns == Some(false)) {
        // The platform's server sits in the host below: only a rule against its tag, or this VM, keeps it silent.
        return vec![Suspect::Nsg, Suspect::LocalHost, Suspect::DnsServer];
    }
    if silent {
        return vec![Suspect::DnsServer, Suspect::Nsg, Suspect::Udr];
    }
    vec![Suspect::DnsServer]
}

pub fn repair(view: &RunView<'_>, cause: Cause, servers: &str) -> Fix {
    if !matches!(cause, Cause::DnsTimeout | Cause::TcpTimeout) {
        return fix::advise(Cause::DnsServfail, &[], view);
    }
    let summary = if is_platform_asked(view) {
        format!(
            "Remove the rule that denies the tag AzurePlatformDNS, or whatever on this VM keeps it from {PLATFORM}."
        )
    } else {
        format!(
            "Start {servers}, or let this subnet reach it over UDP and TCP 53. After a change of the network's DNS servers, apply \
             the network configuration to the instance."
        )
    };
    Fix::new(summary).look(["az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers"])
}

/// A server that answers over one transport is well: a rule names that one only.
pub fn other_transport(rows: &[Row<'_>], server: &str) -> Fix {
    let ports = say::ports(rows);
    Fix::new(format!(
        "Allow {ports} to {server} as well, in this subnet's NSG, in the server's own and at any firewall between."
    ))
    .look(["az network nsg rule list -g RG --nsg-name NSG --include-default -o table"])
}

/// What the platform's name server said as a control.
pub fn platform(view: &RunView<'_>) -> Option<String> {
    view.platform_dns.map(|answers| {
        if answers {
            format!("the platform's name server {PLATFORM} answers from here")
        } else {
            format!("the platform's name server {PLATFORM} does not answer either")
        }
    })
}
