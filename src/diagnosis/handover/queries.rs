//! Where to look up flows: Azure Firewall's structured logs and packet capture, flow logs, any other appliance.
//!
//! Tables and columns are those of <https://learn.microsoft.com/azure/firewall/monitor-firewall-reference> and
//! <https://learn.microsoft.com/azure/network-watcher/traffic-analytics-schema>.

use std::{collections::BTreeMap, net::IpAddr};

use jiff::{SignedDuration, Timestamp};

use super::{
    Window,
    kql::{between, literal, literals, numbers},
    observations::Observation,
};
use crate::{
    azure::PLATFORM,
    model::{Protocol, Query, QueryLanguage, QueryTarget, Transport, json},
    text::words::join,
};

/// How far two clocks may be apart, and how late a log may write a row.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);
/// Traffic Analytics groups the flows of one hour.
const ONE_QUERY_SPAN: SignedDuration = SignedDuration::from_mins(65);
/// Maximum number of addresses in one filter of Azure Firewall's packet capture
/// (<https://learn.microsoft.com/azure/firewall/packet-capture>).
const MAX_ADDRESSES: usize = 5;
/// The port of name servers.
const DNS: u16 = 53;

/// Every query for these flows. None for traffic that never leaves the platform: neither rules nor logs see it.
pub(super) fn queries(seen: &[Observation], own: &[IpAddr], window: Window) -> Vec<Query> {
    let seen: Vec<&Observation> = seen
        .iter()
        .filter(|seen| seen.flow.destination.ip() != PLATFORM)
        .collect();
    if seen.is_empty() {
        return Vec::new();
    }
    let facts = QueryFacts::of(&seen, own, window);
    let queries = [
        Some(facts.network_rules()),
        facts.application_rules(),
        Some(facts.other_tables()),
        facts.dns_proxy(),
        Some(facts.packet_capture(&seen)),
        Some(facts.network_flow_logs()),
        Some(facts.group_flow_logs()),
        Some(facts.five_tuples(&seen)),
    ];
    queries.into_iter().flatten().collect()
}

/// The values in the queries, each once.
struct QueryFacts {
    sources: Vec<IpAddr>,
    /// Source ports of traffic that application rules may judge.
    source_ports: Vec<u16>,
    destinations: Vec<IpAddr>,
    ports: Vec<u16>,
    /// Names that application rules may judge.
    names: Vec<String>,
    /// Names that were looked up.
    questions: Vec<String>,
    window: Window,
}

impl QueryFacts {
    fn of(seen: &[&Observation], own: &[IpAddr], window: Window) -> Self {
        let flows = || seen.iter().map(|seen| &seen.flow);
        let mut sources = distinct(flows().filter_map(|flow| Some(flow.source?.ip())));
        if sources.is_empty() {
            own.clone_into(&mut sources);
        }
        let by_name = || {
            seen.iter()
                .filter(|seen| is_judged_by_name(seen))
                .map(|seen| &seen.flow)
        };
        let questions = seen.iter().filter(|seen| seen.protocol == Protocol::Dns);
        Self {
            sources,
            source_ports: distinct(by_name().filter_map(|flow| Some(flow.source?.port()))),
            destinations: distinct(flows().map(|flow| flow.destination.ip())),
            ports: distinct(flows().map(|flow| flow.destination.port())),
            names: distinct(by_name().map(|flow| flow.host.clone())),
            questions: distinct(questions.map(|seen| seen.flow.host.clone())),
            window,
        }
    }

    /// `TimeGenerated between (…) and SourceIp in (…)`: columns that every table of the firewall has.
    fn here_and_then(&self) -> String {
        let (from, to) = around(self.window, CLOCKS);
        let then = between("TimeGenerated", from, to);
        if self.sources.is_empty() {
            return then;
        }
        format!("{then}\n| where SourceIp in {}", literals(&self.sources))
    }

    fn network_rules(&self) -> Query {
        let text = format!(
            "AZFWNetworkRule\n| where {}\n| where DestinationIp in {} and DestinationPort in {}\n| project TimeGenerated, \
             SourceIp, SourcePort, DestinationIp, DestinationPort, Protocol, Action, ActionReason, Policy, \
             RuleCollectionGroup, RuleCollection, Rule\n| sort by TimeGenerated asc\n{READING}",
            self.here_and_then(),
            literals(&self.destinations),
            numbers(&self.ports),
        );
        kql(QueryTarget::AzureFirewall, "Azure Firewall, network rules", text)
    }

    /// Application rules are logged by name only, and a client that sends no name leaves no row.
    fn application_rules(&self) -> Option<Query> {
        if self.names.is_empty() {
            return None;
        }
        let by_port = if self.source_ports.is_empty() {
            String::new()
        } else {
            format!(" or SourcePort in {}", numbers(&self.source_ports))
        };
        let text = format!(
            "AZFWApplicationRule\n| where {}\n| where DestinationPort in {} and (Fqdn in~ {}{by_port})\n| project \
             TimeGenerated, SourceIp, SourcePort, Fqdn, DestinationPort, Protocol, Action, ActionReason, IsTlsInspected, \
             Policy, RuleCollectionGroup, RuleCollection, Rule\n| sort by TimeGenerated asc\n{READING}",
            self.here_and_then(),
            numbers(&self.ports),
            literals(&self.names),
        );
        Some(kql(
            QueryTarget::AzureFirewall,
            "Azure Firewall, application rules",
            text,
        ))
    }

    /// What blocks or loses packets, apart from rules. The tables exist only if they are enabled.
    fn other_tables(&self) -> Query {
        let (addresses, ports) = (literals(&self.destinations), numbers(&self.ports));
        let by_name = if self.names.is_empty() {
            String::new()
        } else {
            format!(" or Fqdn in~ {}", literals(&self.names))
        };
        let there = format!("DestinationIp in {addresses} and DestinationPort in {ports}");
        let text = format!(
            "union isfuzzy=true withsource=Table\n    (AZFWThreatIntel | where DestinationIp in {addresses}{by_name}),\n    \
             (AZFWIdpsSignature | where {there}),\n    (AZFWFlowTrace | where {there})\n| where {}\n| sort by TimeGenerated \
             asc\n// AZFWFlowTrace with the flag INVALID: packets take a different path in one direction.",
            self.here_and_then(),
        );
        kql(
            QueryTarget::AzureFirewall,
            "Azure Firewall, threat intelligence, intrusion detection and flow trace",
            text,
        )
    }

    /// Queries to the firewall as DNS proxy.
    fn dns_proxy(&self) -> Option<Query> {
        if self.questions.is_empty() {
            return None;
        }
        let text = format!(
            "AZFWDnsQuery\n| where {}\n| where trim_end(@\"\\.\", QueryName) in~ {}\n| project TimeGenerated, SourceIp, \
             SourcePort, QueryName, QueryType, ResponseCode, ErrorNumber, ErrorMessage\n| sort by TimeGenerated \
                 asc\n// No row, but rows for other queries at that time: this query never reached the firewall's DNS proxy.",
            self.here_and_then(),
            literals(&self.questions),
        );
        Some(kql(QueryTarget::AzureFirewall, "Azure Firewall as DNS proxy", text))
    }

    /// Virtual network flow logs. For public destinations `SrcIp` and `DestIp` are empty, and the address is in a list.
    fn network_flow_logs(&self) -> Query {
        let (from, to) = around(self.window, ONE_QUERY_SPAN);
        let source = self.source_or_blank("SrcIp");
        let text = format!(
            "NTANetAnalytics\n| where SubType == \"FlowLog\" and {}\n| where DestPort in {} and (DestIp in {} or {}){source}\n\
             | project FlowStartTime, SrcIp, SrcVm, SrcNic, DestIp, DestPublicIps, DestPort, L4Protocol, FlowDirection, \
             FlowStatus, AclGroup, AclRule, DeniedOutFlows\n| sort by DeniedOutFlows desc\n{LATE}",
            between("FlowStartTime", from, to),
            numbers(&self.ports),
            literals(&self.destinations),
            self.in_list("DestPublicIps"),
        );
        kql(
            QueryTarget::FlowLogs,
            "Virtual network flow logs (Traffic Analytics)",
            text,
        )
    }

    /// NSG flow logs, which will be retired on 2027-09-30.
    fn group_flow_logs(&self) -> Query {
        let (from, to) = around(self.window, ONE_QUERY_SPAN);
        let source = if self.sources.is_empty() {
            String::new()
        } else {
            let sources = literals(&self.sources);
            format!("\n| where SrcIP_s in {sources} or VMIP_s in {sources}")
        };
        let text = format!(
            "AzureNetworkAnalytics_CL\n| where SubType_s == \"FlowLog\" and {}\n| where DestPort_d in {} and (DestIP_s in {} \
             or {}){source}\n| project FlowStartTime_t, SrcIP_s, VMIP_s, DestIP_s, DestPublicIPs_s, DestPort_d, \
             FlowDirection_s, FlowStatus_s, NSGList_s, NSGRule_s, NSGRules_s, DeniedOutFlows_d\n| sort by DeniedOutFlows_d \
             desc\n{LATE}",
            between("FlowStartTime_t", from, to),
            numbers(&self.ports),
            literals(&self.destinations),
            self.in_list("DestPublicIPs_s"),
        );
        kql(QueryTarget::FlowLogs, "NSG flow logs (Traffic Analytics)", text)
    }

    fn source_or_blank(&self, column: &str) -> String {
        if self.sources.is_empty() {
            return String::new();
        }
        let sources = literals(&self.sources);
        format!("\n| where {column} in {sources} or isempty({column})")
    }

    /// Whether one of the destinations is in a list of addresses, `IP|started|ended|… IP|…`.
    fn in_list(&self, column: &str) -> String {
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = self.destinations.iter().partition(|address| address.is_ipv4());
        let any = (!v4.is_empty()).then(|| {
            let quoted: Vec<String> = v4.iter().map(|address| literal(&address.to_string())).collect();
            format!("has_any_ipv4({column}, dynamic([{}]))", quoted.join(", "))
        });
        let others = v6
            .iter()
            .map(|address| format!("{column} has {}", literal(&address.to_string())));
        any.into_iter().chain(others).collect::<Vec<_>>().join(" or ")
    }

    /// Azure Firewall's packet capture accepts addresses and ports, but no names and no ranges.
    fn packet_capture(&self, seen: &[&Observation]) -> Query {
        let mut lines = Vec::new();
        for (transport, by_address) in by_transport(seen) {
            let addresses: Vec<IpAddr> = by_address.keys().copied().collect();
            for some in addresses.chunks(MAX_ADDRESSES) {
                let ports = distinct(some.iter().flat_map(|address| by_address[address].iter().copied()));
                lines.push(format!(
                    "protocol {}; source {}; destination {}; destination ports {}",
                    transport.as_str().to_uppercase(),
                    join(&self.sources, ","),
                    join(some, ","),
                    join(ports, ","),
                ));
            }
        }
        let numbered = lines.len() > 1;
        let filters: Vec<String> = (1..)
            .zip(lines)
            .map(|(number, line)| {
                if numbered {
                    format!("filter {number}: {line}")
                } else {
                    line
                }
            })
            .collect();
        let text = format!(
            "{}\nno TCP flags; add the prefix of AzureFirewallSubnet to the sources, as application rules and SNAT \
             send from there; probe again while the capture runs",
            filters.join("\n")
        );
        Query {
            target: QueryTarget::AzureFirewall,
            language: QueryLanguage::Text,
            title: "Azure Firewall, filter for a packet capture".into(),
            text,
        }
    }

    /// A line for each destination port: protocol, source and destination with their ports, and the time.
    fn five_tuples(&self, seen: &[&Observation]) -> Query {
        let (from, to) = self.window;
        let mut groups: BTreeMap<(&str, u16), Vec<&Observation>> = BTreeMap::new();
        for one in seen {
            let flow = &one.flow;
            let key = (flow.transport.as_str(), flow.destination.port());
            groups.entry(key).or_default().push(one);
        }
        let lines: Vec<String> = groups
            .into_iter()
            .map(|((transport, port), seen)| {
                let source_ports = distinct(seen.iter().filter_map(|seen| Some(seen.flow.source?.port())));
                let source_ports = if source_ports.is_empty() {
                    "any".to_owned()
                } else {
                    join(source_ports, ",")
                };
                format!(
                    "{transport} src {} sport {source_ports} dst {} dport {port} from {} to {}",
                    join(&self.sources, ","),
                    join(distinct(seen.iter().map(|seen| seen.flow.destination.ip())), ","),
                    json::stamp(from),
                    json::stamp(to),
                )
            })
            .collect();
        Query {
            target: QueryTarget::Nva,
            language: QueryLanguage::Text,
            title: "Any other appliance, five-tuple".into(),
            text: lines.join("\n"),
        }
    }
}

/// How to read the rows of the firewall's rule tables.
const READING: &str = "// Deny: the row names the rule, or shows that none matched. Allow: it passed here, so look \
                       beyond the firewall. No row, but rows for other traffic at that time: it never reached the \
                       firewall, so check the NSG and routes. No rows at all: the log is not enabled, or is delayed.";
/// How to read flow logs.
const LATE: &str = "// Rows can be up to two hours late. Denied: the row names the rule. Allowed: no NSG rule or \
                    security admin rule blocked it. Traffic that a firewall drops shows as allowed here.";

/// Whether application rules can judge the protocol: HTTP, TLS and SQL, on any port.
fn is_judged_by_name(seen: &Observation) -> bool {
    let speaks = matches!(
        seen.protocol,
        Protocol::Http | Protocol::Https | Protocol::Tls | Protocol::Tds | Protocol::Amqps | Protocol::Redis
    );
    speaks && seen.flow.destination.port() != DNS && seen.flow.host.parse::<IpAddr>().is_err()
}

type Ports = Vec<u16>;

/// The destination ports by transport and address.
fn by_transport(seen: &[&Observation]) -> Vec<(Transport, BTreeMap<IpAddr, Ports>)> {
    let of = |transport: Transport| {
        let mut by_address: BTreeMap<IpAddr, Ports> = BTreeMap::new();
        let flows = seen.iter().filter(|seen| seen.flow.transport == transport);
        for to in flows.map(|seen| seen.flow.destination) {
            let ports = by_address.entry(to.ip()).or_default();
            if !ports.contains(&to.port()) {
                ports.push(to.port());
            }
        }
        (transport, by_address)
    };
    [Transport::Tcp, Transport::Udp]
        .map(of)
        .into_iter()
        .filter(|(_, by_address)| !by_address.is_empty())
        .collect()
}

fn kql(target: QueryTarget, title: &str, text: String) -> Query {
    Query {
        target,
        language: QueryLanguage::Kql,
        title: title.into(),
        text,
    }
}

/// A time window, extended by this much before and after.
fn around((from, to): Window, by: SignedDuration) -> Window {
    (
        from.checked_sub(by).unwrap_or(Timestamp::MIN),
        to.checked_add(by).unwrap_or(Timestamp::MAX),
    )
}

/// Each value once, in the order in which they first appear.
fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut known = Vec::new();
    for value in values {
        if !known.contains(&value) {
            known.push(value);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::{Observation, queries};
    use crate::model::{Need, Protocol, Query, QueryLanguage, QueryTarget, SeenFlow, Transport};

    fn observation(source: &str, destination: &str, host: &str, protocol: Protocol) -> Observation {
        let destination: SocketAddr = destination.parse().unwrap();
        let is_udp = matches!(protocol, Protocol::Dns | Protocol::Ntp);
        Observation {
            flow: SeenFlow {
                source: source.parse().ok(),
                destination,
                host: host.into(),
                transport: if is_udp { Transport::Udp } else { Transport::Tcp },
                at: "2026-11-21T20:00:00Z".parse().unwrap(),
                cause: None,
            },
            end: "2026-11-21T20:00:05.250Z".parse().unwrap(),
            need: Need::Required,
            protocol,
            repetition: 0,
        }
    }

    fn queries_for(seen: &[Observation]) -> Vec<Query> {
        let own: IpAddr = "10.1.0.4".parse().unwrap();
        let window = (seen[0].flow.at, seen[0].end);
        queries(seen, &[own], window)
    }

    fn all_text(queries: &[Query]) -> String {
        let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
        texts.join("\n")
    }

    #[test]
    fn firewall_log_queries_match_fqdns_addresses_and_ports() {
        let of = [
            observation(
                "10.1.0.4:50112",
                "20.1.2.3:1433",
                "a.database.windows.net",
                Protocol::Tds,
            ),
            observation(
                "10.1.0.4:50113",
                "20.1.2.4:1433",
                "a.database.windows.net",
                Protocol::Tds,
            ),
        ];
        let queries = queries_for(&of);
        let lines = |table: &str| -> Vec<&str> {
            let query = queries.iter().find(|query| query.text.starts_with(table)).unwrap();
            assert_eq!(query.language, QueryLanguage::Kql);
            query.text.lines().collect()
        };
        let network = lines("AZFWNetworkRule\n");
        assert_eq!(
            network[1],
            "| where TimeGenerated between (datetime(2026-11-21T19:55:00.000Z) .. datetime(2026-11-21T20:05:05.250Z))"
        );
        assert_eq!(network[2], r#"| where SourceIp in ("10.1.0.4")"#);
        assert_eq!(
            network[3],
            r#"| where DestinationIp in ("20.1.2.3", "20.1.2.4") and DestinationPort in (1433)"#
        );
        assert_eq!(
            lines("AZFWApplicationRule\n")[3],
            r#"| where DestinationPort in (1433) and (Fqdn in~ ("a.database.windows.net") or SourcePort in (50112, 50113))"#
        );
        assert_eq!(
            lines("NTANetAnalytics\n")[2],
            r#"| where DestPort in (1433) and (DestIp in ("20.1.2.3", "20.1.2.4") or has_any_ipv4(DestPublicIps, dynamic(["20.1.2.3", "20.1.2.4"])))"#
        );
        let nva = queries.iter().find(|query| query.target == QueryTarget::Nva).unwrap();
        assert_eq!(
            nva.text,
            "tcp src 10.1.0.4 sport 50112,50113 dst 20.1.2.3,20.1.2.4 dport 1433 from 2026-11-21T20:00:00.000Z to \
             2026-11-21T20:00:05.250Z"
        );
    }

    #[test]
    fn hostile_name_stays_inside_kql_quotes() {
        let name = "a\"); AZFWDnsQuery //\n| take 1\\";
        let text = all_text(&queries_for(&[observation(
            "10.1.0.4:5",
            "20.1.2.3:443",
            name,
            Protocol::Https,
        )]));
        assert!(
            text.contains(r#"Fqdn in~ ("a\"); AZFWDnsQuery //\u000a| take 1\\")"#),
            "{text}"
        );
        // Outside of strings, every query is the same as for any other name.
        let outside = |text: &str| {
            let mut plain = String::new();
            let mut chars = text.chars();
            let mut quoted = false;
            while let Some(c) = chars.next() {
                match c {
                    '"' => quoted = !quoted,
                    '\\' if quoted => {
                        chars.next();
                    }
                    _ if quoted => {}
                    _ => plain.push(c),
                }
            }
            assert!(!quoted, "an open quote in {text}");
            plain
        };
        let usual = all_text(&queries_for(&[observation(
            "10.1.0.4:5",
            "20.1.2.3:443",
            "a.example",
            Protocol::Https,
        )]));
        assert_eq!(outside(&text), outside(&usual));
    }

    #[test]
    fn packet_capture_filter_holds_five_addresses_and_no_host_name() {
        let of: Vec<Observation> = (1..=7)
            .map(|n| observation("10.1.0.4:5", &format!("20.1.2.{n}:443"), "a.example", Protocol::Https))
            .collect();
        let queries = queries_for(&of);
        let capture = queries.iter().find(|query| query.title.contains("capture")).unwrap();
        let lines: Vec<&str> = capture.text.lines().collect();
        assert_eq!(
            lines[0],
            "filter 1: protocol TCP; source 10.1.0.4; destination 20.1.2.1,20.1.2.2,20.1.2.3,20.1.2.4,20.1.2.5; destination \
             ports 443"
        );
        assert_eq!(
            lines[1],
            "filter 2: protocol TCP; source 10.1.0.4; destination 20.1.2.6,20.1.2.7; destination ports 443"
        );
        assert_eq!(lines.len(), 3);
        assert!(!capture.text.contains("a.example"));
    }

    #[test]
    fn dns_query_gives_dns_proxy_log_query_and_capture_filter() {
        let text = all_text(&queries_for(&[observation(
            "10.1.0.4:5",
            "10.2.0.4:53",
            "a.example",
            Protocol::Dns,
        )]));
        assert!(
            text.contains(r#"trim_end(@"\.", QueryName) in~ ("a.example")"#),
            "{text}"
        );
        assert!(!text.contains("AZFWApplicationRule"), "{text}");
        assert!(
            text.contains("udp src 10.1.0.4 sport 5 dst 10.2.0.4 dport 53"),
            "{text}"
        );
    }

    #[test]
    fn query_to_the_platform_dns_gives_no_log_query() {
        assert_eq!(
            queries_for(&[observation(
                "10.1.0.4:5",
                "168.63.129.16:53",
                "a.example",
                Protocol::Dns
            )]),
            []
        );
    }

    #[test]
    fn ipv4_and_ipv6_targets_are_matched_by_address_not_fqdn() {
        let text = all_text(&queries_for(&[
            observation("[fd00::4]:5", "[2603:1030::1]:443", "2603:1030::1", Protocol::Tls),
            observation("", "20.1.2.3:443", "20.1.2.3", Protocol::Tls),
        ]));
        assert!(
            text.contains(r#"has_any_ipv4(DestPublicIps, dynamic(["20.1.2.3"])) or DestPublicIps has "2603:1030::1""#),
            "{text}"
        );
        assert!(!text.contains("Fqdn"), "{text}");
    }
}
