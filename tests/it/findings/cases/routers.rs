//! Routers and resets.

use apim_probe::model::{
    Confidence::{Certain, High, Medium},
    Suspect::{FirewallNetworkRule, Nva, Udr},
};

use super::super::network::Fault;
use super::{Case, case, dependency, healthy, icmp, not_dns};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "a router prohibits Event Hubs",
            healthy().fault(dependency("event-hubs"), &icmp(13)),
            (
                "icmp-refusal/10.1.2.4",
                "Azure Event Hubs: 10.1.2.4 refuses TCP 5671, 5672, 443",
            ),
            Certain,
            FirewallNetworkRule,
        ),
        case(
            "a router prohibits everything, and sends ICMP errors for some hosts",
            healthy().fault(not_dns, &Fault::Silent).fault(
                |e| {
                    dependency("entra-id")(e)
                        || dependency("sql")(e)
                        || dependency("kms")(e)
                        || dependency("captcha")(e)
                },
                &icmp(13),
            ),
            ("icmp-refusal/10.1.2.4", "10.1.2.4 refuses"),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "a router has no route",
            healthy().fault(not_dns, &icmp(0)),
            ("icmp-unreachable/10.1.2.4", "10.1.2.4 has no route to"),
            Certain,
            Udr,
        ),
        case(
            "a device resets everything",
            healthy().fault(not_dns, &Fault::Refused),
            ("reset/resets", "A device on the path resets"),
            High,
            Nva,
        ),
        case(
            "one service does not listen",
            healthy().fault(dependency("redis"), &Fault::Refused),
            ("reset/redis", "External Redis cache: TCP 6380 is refused with a reset"),
            Medium,
            Nva,
        ),
    ]
}
