//! What the behaviour of a name server means: what is at fault, and what to change.

use std::net::IpAddr;

use crate::{
    azure::PLATFORM,
    diagnosis::{
        findings::platform::POLICIES,
        view::{NameServerView, RunView},
    },
    model::{Cause, Fix, Suspect, Transport},
};

/// What the behaviour of a server means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerBehaviour {
    /// It answers, and the answer itself is wrong.
    Answers(Cause),
    /// It sometimes answers like that, and sometimes correctly.
    AtTimes(Cause),
    /// It answers over the other transport, and nothing comes back over this one: a rule covers the other one only.
    Dropped(Transport),
    /// It answers over UDP, and refuses connections.
    NoTcp,
    /// It answers over TCP, and refuses datagrams.
    NoUdp,
    /// It answers over UDP, accepts connections, and does not answer over them.
    SilentOverTcp,
    /// It answers some queries over UDP.
    Sometimes,
    /// It accepts connections and answers no query: it is waiting for its forwarders.
    AwaitsForwarders,
    /// It refuses, over both transports or over the one that was used.
    NotListening,
    /// Nothing comes back at all.
    Silent,
}

/// If at least one query in this many gets no answer, the server is one that leaves queries unanswered.
const LOSSY: usize = 4;

impl ServerBehaviour {
    /// What a failing server (with this cause, if there is one) did in the whole run.
    pub(super) fn of(server: &NameServerView, cause: Option<Cause>) -> Self {
        let (udp, tcp) = (&server.udp, &server.tcp);
        if let Some(
            cause @ (Cause::DnsRefused
            | Cause::DnsServfail
            | Cause::DnsNxdomain
            | Cause::DnsNoAddress
            | Cause::DnsSinkhole),
        ) = cause
        {
            let is_failure = matches!(cause, Cause::DnsRefused | Cause::DnsServfail);
            return if is_failure && udp.final_answers + tcp.final_answers > 0 {
                Self::AtTimes(cause)
            } else {
                Self::Answers(cause)
            };
        }
        // A server that leaves so many UDP queries unanswered may do the same over TCP.
        let is_lossy = udp.silent * LOSSY >= udp.answered;
        match (udp.answered > 0, tcp.answered > 0) {
            (true, false) if tcp.accepted > 0 && is_lossy => Self::Sometimes,
            (true, false) if tcp.accepted > 0 => Self::SilentOverTcp,
            (true, false) if tcp.refused > 0 => Self::NoTcp,
            (true, false) if tcp.silent > 0 && !is_lossy => Self::Dropped(Transport::Tcp),
            (true, _) => Self::Sometimes,
            (false, true) if udp.refused > 0 => Self::NoUdp,
            (false, true) => Self::Dropped(Transport::Udp),
            (false, false) if tcp.accepted > 0 => Self::AwaitsForwarders,
            (false, false) if udp.refused + tcp.refused > 0 => Self::NotListening,
            (false, false) => Self::Silent,
        }
    }

    /// Whether the server itself said what is wrong.
    pub(super) fn is_an_answer(self) -> bool {
        matches!(self, Self::Answers(_))
    }

    /// Its behaviour, as the rest of a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Answers(Cause::DnsRefused) => "refuses to answer (REFUSED)",
            Self::Answers(Cause::DnsServfail) => "answers SERVFAIL",
            Self::Answers(Cause::DnsNxdomain) => "denies names that exist",
            Self::Answers(Cause::DnsSinkhole) => "gives impossible addresses",
            Self::Answers(_) => "gives no addresses",
            Self::AtTimes(Cause::DnsRefused) => "refuses some queries (REFUSED) but answers others",
            Self::AtTimes(_) => "fails for some queries (SERVFAIL) but answers others",
            Self::Dropped(Transport::Udp) => "answers over TCP 53 but not over UDP 53",
            Self::Dropped(Transport::Tcp) => "answers over UDP 53 but not over TCP 53",
            Self::NoTcp => "answers over UDP 53 but refuses TCP 53",
            Self::NoUdp => "answers over TCP 53 but refuses UDP 53",
            Self::SilentOverTcp => "accepts TCP 53 but does not answer over it",
            Self::Sometimes => "does not answer every query",
            Self::AwaitsForwarders => "accepts TCP 53 but never answers",
            Self::NotListening => "is up, but nothing listens on port 53",
            Self::Silent => "does not reply",
        }
    }

    /// What that shows, one sentence each.
    pub(super) fn evidence(self, server: IpAddr) -> Option<String> {
        let sentence = match self {
            Self::Dropped(_) => "so it is up, and a rule on the path covers one transport only",
            Self::NoTcp | Self::NoUdp => "so it is up and reachable, but does not serve one transport",
            Self::SilentOverTcp | Self::AwaitsForwarders => "so it is up and reachable",
            Self::NotListening => "so the host is reachable, but its DNS service is not running",
            Self::Answers(_) | Self::AtTimes(_) | Self::Sometimes | Self::Silent => return None,
        };
        Some(format!("{server} {}, {sentence}", self.words()))
    }

    /// Where to look, the most likely first.
    pub(super) fn suspects(self, view: &RunView<'_>, server: IpAddr) -> Vec<Suspect> {
        match self {
            // The platform's server runs on the VM's host: only a rule against its tag, or this VM itself, can prevent
            // its replies.
            Self::Silent if view.platform_dns == Some(false) => {
                vec![Suspect::Nsg, Suspect::LocalHost, Suspect::DnsServer]
            }
            Self::Answers(_) | Self::AtTimes(_) => vec![Suspect::DnsServer],
            _ if server == PLATFORM => vec![Suspect::Nsg, Suspect::LocalHost, Suspect::DnsServer],
            Self::Dropped(_) => vec![Suspect::Nsg, Suspect::FirewallNetworkRule, Suspect::DnsServer],
            Self::Silent => vec![Suspect::DnsServer, Suspect::Nsg, Suspect::Udr],
            Self::Sometimes => vec![Suspect::DnsServer, Suspect::Nva],
            Self::NoTcp | Self::NoUdp | Self::SilentOverTcp | Self::AwaitsForwarders | Self::NotListening => {
                vec![Suspect::DnsServer]
            }
        }
    }

    /// What to change at this server.
    pub(super) fn fix(self, view: &RunView<'_>, server: IpAddr) -> Fix {
        if server == PLATFORM {
            return self.at_platform();
        }
        let ask = format!("dig @{server} {}", view.plan.control_name);
        match self {
            Self::Dropped(transport) => Fix::new(format!(
                "Allow {} 53 to {server} as well, in this subnet's NSG, in the server's own NSG and in any firewall \
                 between them.",
                transport.as_str().to_uppercase()
            ))
            .look(["az network nsg rule list -g RG --nsg-name NSG --include-default -o table"]),
            Self::NoTcp => Fix::new(format!("Open TCP 53 on {server}: long answers are sent over TCP only."))
                .look([format!("dig +tcp @{server} {}", view.plan.control_name)]),
            Self::SilentOverTcp => Fix::new(format!(
                "Repair the DNS service on {server}, which accepts connections on TCP 53 but does not answer: long \
                 answers are sent over TCP only."
            ))
            .look([format!("dig +tcp @{server} {}", view.plan.control_name)]),
            Self::NoUdp | Self::NotListening => {
                Fix::new(format!("Start the DNS service on {server}, for UDP and TCP 53.")).look([SERVERS])
            }
            Self::AwaitsForwarders => Fix::new(format!(
                "{server} is running but waits for its own forwarders: make sure that it can reach them and that they \
                 answer, or have it forward to {PLATFORM}."
            ))
            .look([ask]),
            Self::Sometimes | Self::AtTimes(Cause::DnsRefused) => Fix::new(format!(
                "Check whether {server} rate-limits this subnet or is overloaded, and whether the path to it loses \
                 packets."
            )),
            Self::AtTimes(_) => Fix::new(format!(
                "Check in the log of {server} why some queries fail: a zone whose servers it cannot reach, a rate \
                 limit for this subnet, or overload."
            ))
            .look([ask]),
            Self::Silent => Fix::new(format!(
                "Start {server}, or let this subnet reach it over UDP and TCP 53. After changing the network's DNS \
                 servers, apply the network configuration to the instance."
            ))
            .look([SERVERS]),
            Self::Answers(Cause::DnsServfail) => Fix::new(format!(
                "Repair the forwarders of {server}, or have it forward other names to {PLATFORM}."
            ))
            .look([ask]),
            Self::Answers(Cause::DnsRefused) => Fix::new(format!(
                "Allow this subnet in the access list of {server} for queries and recursion, and have it forward \
                 other names to {PLATFORM}."
            ))
            .look([SERVERS]),
            Self::Answers(_) => Fix::new(format!(
                "Configure {server} to answer this subnet and to forward other names to {PLATFORM}."
            ))
            .look([SERVERS]),
        }
    }

    /// What to change if the platform's own server fails: it has no forwarders, and cannot be restarted.
    fn at_platform(self) -> Fix {
        match self {
            Self::Answers(_) | Self::AtTimes(_) => Fix::new(
                "Look for a DNS security policy that blocks these names, a private DNS zone that hides them, or a DNS \
                 forwarding ruleset that sends them to a server that fails: 168.63.129.16 does none of these by \
                 default.",
            )
            .look(POLICIES)
            .look(["az network private-dns zone list -o table"]),
            _ => Fix::new(format!(
                "Remove the NSG rule that denies the tag AzurePlatformDNS, or whatever on this VM blocks {PLATFORM}."
            ))
            .look(["az network nic list-effective-nsg -g RG -n NIC"]),
        }
    }
}

/// Shows the DNS servers of the network.
const SERVERS: &str = "az network vnet show -g RG -n VNET --query dhcpOptions.dnsServers";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::view::QueryCounts;

    /// Queries over one transport: answered, without a reply, accepted, refused.
    fn query_counts([answered, silent, accepted, refused]: [usize; 4]) -> QueryCounts {
        QueryCounts {
            answered,
            final_answers: answered,
            silent,
            accepted,
            refused,
        }
    }

    #[test]
    fn query_counts_determine_the_name_server_behaviour() {
        for (udp, tcp, reading) in [
            ([0, 9, 0, 0], [0, 0, 1, 0], ServerBehaviour::AwaitsForwarders),
            ([9, 0, 0, 0], [0, 0, 1, 0], ServerBehaviour::SilentOverTcp),
            ([9, 1, 0, 0], [0, 0, 1, 0], ServerBehaviour::SilentOverTcp),
            // It rate-limits its answers, over either transport.
            ([9, 5, 0, 0], [0, 0, 1, 0], ServerBehaviour::Sometimes),
            ([9, 0, 0, 0], [0, 0, 0, 1], ServerBehaviour::NoTcp),
            ([9, 0, 0, 0], [0, 1, 0, 0], ServerBehaviour::Dropped(Transport::Tcp)),
            ([9, 1, 0, 0], [1, 0, 0, 0], ServerBehaviour::Sometimes),
            // Queries that are lost over UDP may be lost over TCP in the same way, so this does not point to a
            // transport.
            ([9, 5, 0, 0], [0, 1, 0, 0], ServerBehaviour::Sometimes),
            ([0, 9, 0, 0], [1, 0, 0, 0], ServerBehaviour::Dropped(Transport::Udp)),
            ([0, 0, 0, 9], [1, 0, 0, 0], ServerBehaviour::NoUdp),
            ([0, 0, 0, 9], [0, 0, 0, 1], ServerBehaviour::NotListening),
            ([0, 9, 0, 0], [0, 1, 0, 0], ServerBehaviour::Silent),
        ] {
            let server = NameServerView {
                udp: query_counts(udp),
                tcp: query_counts(tcp),
            };
            assert_eq!(ServerBehaviour::of(&server, None), reading, "{server:?}");
        }
    }

    /// If it refuses at one moment and answers at another, this is a rate limit, not a rule.
    #[test]
    fn name_server_with_some_answers_fails_intermittently() {
        let server = NameServerView {
            udp: query_counts([9, 0, 0, 0]),
            tcp: QueryCounts::default(),
        };
        for cause in [Cause::DnsRefused, Cause::DnsServfail] {
            assert_eq!(
                ServerBehaviour::of(&server, Some(cause)),
                ServerBehaviour::AtTimes(cause)
            );
            assert_eq!(
                ServerBehaviour::of(&NameServerView::default(), Some(cause)),
                ServerBehaviour::Answers(cause)
            );
        }
    }
}
