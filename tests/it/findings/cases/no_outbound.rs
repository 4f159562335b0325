//! No outbound access, and this machine itself.

use apim_probe::model::{
    Confidence::{Certain, Medium},
    Suspect::{LocalHost, NoOutbound, Udr},
};

use super::super::network::Fault;
use super::{Case, case, dependency, healthy, not_dns, speaks_tls, tag};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "everything public is silent: a private subnet without NAT",
            healthy().fault(not_dns, &Fault::Silent),
            (
                "no-outbound/internet",
                "no outbound access, so nothing is known about the instance",
            ),
            Medium,
            NoOutbound,
        ),
        case(
            "everything is silent except what service endpoints carry",
            healthy().fault(
                |e| {
                    not_dns(e)
                        && !["Storage", "Sql", "AzureKeyVault", "EventHub"]
                            .iter()
                            .any(|t| tag(t)(e))
                },
                &Fault::Silent,
            ),
            (
                "no-outbound/internet",
                "no outbound access, so nothing is known about the instance",
            ),
            Medium,
            NoOutbound,
        ),
        case(
            "everything is silent, and no instance exists yet",
            healthy().without_instance_names().fault(not_dns, &Fault::Silent),
            (
                "no-outbound/internet",
                "no outbound access, so nothing is known about the instance",
            ),
            Medium,
            NoOutbound,
        ),
        case(
            "the next hop of the default route is dead",
            healthy().fault(not_dns, &Fault::DeadNextHop),
            ("dead-next-hop/first-hop", "The next hop to "),
            Certain,
            Udr,
        ),
        case(
            "the next hop of one route is dead",
            healthy().fault(tag("Sql"), &Fault::DeadNextHop),
            ("dead-next-hop/first-hop", "The next hop to 1 host is dead"),
            Certain,
            Udr,
        ),
        case(
            "the VM's own firewall refuses Event Hubs",
            healthy().fault(dependency("event-hubs"), &Fault::LocalFirewallRejects),
            ("local-firewall/this-vm", "own firewall refuses traffic to 1 host"),
            Certain,
            LocalHost,
        ),
        case(
            "the VM's network interface goes down",
            healthy().fault(not_dns, &Fault::Silent).interface_down_from_the_start(),
            ("link-lost/this-vm", "network interface eth0 went down during the run"),
            Certain,
            LocalHost,
        ),
        case(
            "the VM has no default route",
            healthy().fault(not_dns, &Fault::NoRoute),
            ("no-route/this-vm", "This VM has no route to"),
            Certain,
            LocalHost,
        ),
        case(
            "a security module forbids connections",
            healthy().fault(speaks_tls, &Fault::NotPermitted),
            ("local-limits/this-vm", "prevent it from probing"),
            Certain,
            LocalHost,
        ),
    ]
}
