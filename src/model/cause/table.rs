//! The causes, one row each: the word, on which scripts rely and whose meaning never changes, its headline, its
//! suspects, and what `explain` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Basis, CauseFacts, FailureMode};
use crate::model::{
    Stage,
    Suspect::{
        self, DnsServer, Documentation, FirewallApplicationRule, FirewallNetworkRule, LocalHost, Nsg, Nva,
        PrivateDnsZone, Proxy, Service, TlsInspection, Udr, VmNicNsg,
    },
};

const DNS: Option<Stage> = Some(Stage::Dns);
const TCP: Option<Stage> = Some(Stage::Tcp);
const TLS: Option<Stage> = Some(Stage::Tls);
const HELLO: Option<Stage> = Some(Stage::Hello);

const NO_SUSPECTS: &[Suspect] = &[];
const MAKERS_OF_CUTS: &[&str] = &[
    "An Azure Firewall accepts connections to any address on 80, 443 and 1433, reads the server name, and finds no \
     matching application rule.",
    "Another firewall filters by host name in the same way.",
    "The service, or a proxy in front of it, is failing: then another name at the same address is cut as well.",
];
const CHECKS_OF_CUTS: &[&str] = &[
    "Look for the host in the firewall's application rules; a wildcard *.x.y does not cover x.y.",
    "An https application rule works for 443 only: for 1433, 1688, 1886 and 5671 use network rules (mssql:1433 exists \
     too, but works only with servers whose connection policy is Proxy).",
    "Search the firewall's log for this name at this time.",
];
const CHECKS_OF_CUT_CONVERSATIONS: &[&str] = &[
    "Check that the firewall has a network rule, not an application rule, for this port.",
    "Search the firewall's log for this address at this time.",
];
const SUSPECTS_OF_REFUSAL: &[&str] = &[
    "An appliance on the path denies the traffic and reports it; the sender of the error is its address.",
    "A router beyond the next hop has no route.",
];
const CHECKS_OF_REFUSALS: &[&str] = &[
    "Check the rules of the sender named in the evidence.",
    "Check the effective route to the address.",
];

causes! {
    DnsTimeout {
        word: "dns-timeout",
        meaning: "No name server replied.",
        headline: "no name server replies",
        stage: DNS,
        ending: Silence,
        basis: Pattern,
        suspects: &[DnsServer, Nsg, Udr],
        wire: "The query goes out and no reply comes back from any server, over UDP or TCP.",
        usually: &[
            "An NSG or firewall allows TCP 53 but not UDP 53, or neither.",
            "The custom name server is down, or there is no working route to it.",
        ],
        check: &[
            "Check whether 168.63.129.16 answers: if so, the path to the custom server is at fault, not DNS itself.",
            "Check NSG rules for UDP and TCP 53, and the route to the server.",
            "After changing the network's DNS servers, run Apply network configuration on the instance.",
        ],
    }
    DnsRefused {
        word: "dns-refused",
        meaning: "The name server refuses to answer this machine.",
        headline: "the name server refuses to answer",
        stage: DNS,
        ending: Refusal,
        basis: Pattern,
        suspects: &[DnsServer],
        wire: "The name server replies at once with REFUSED.",
        usually: &[
            "The server answers only clients from certain networks, and this subnet is not one of them.",
            "It does not recurse, and no forwarder is set.",
        ],
        check: &[
            "Allow the subnet on the name server, and forward to 168.63.129.16.",
            "Query 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
        ],
    }
    DnsServfail {
        word: "dns-servfail",
        meaning: "The name server failed to find an answer.",
        headline: "the name server fails to find an answer",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[DnsServer],
        wire: "The name server replies with SERVFAIL, often after several seconds.",
        usually: &[
            "Its forwarder does not answer: a firewall blocks the path, or the forwarder no longer exists.",
            "DNSSEC validation fails, for example behind a proxy that rewrites answers.",
            "168.63.129.16 itself fails: a DNS security policy, or a forwarding ruleset with a dead target.",
        ],
        check: &[
            "Query the server's forwarder directly, from the server.",
            "Query 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
        ],
    }
    DnsNxdomain {
        word: "dns-nxdomain",
        meaning: "The name server answers that the name does not exist.",
        headline: "the name does not resolve",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[DnsServer, PrivateDnsZone, Documentation],
        wire: "The name server replies with NXDOMAIN: there is no such name.",
        usually: &[
            "A private DNS zone linked to the network hides the public name and lacks a record for it.",
            "The custom name server has a zone with the same name.",
            "The name is wrong, or belongs to another cloud.",
        ],
        check: &[
            "Look at the SOA in the reply: azureprivatedns.net means an Azure private DNS zone.",
            "Add the record, unlink the zone, or set resolutionPolicy to NxDomainRedirect on its link.",
        ],
    }
    DnsNoAddress {
        word: "dns-no-address",
        meaning: "The name exists but has no address.",
        headline: "the name has no address",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[PrivateDnsZone, DnsServer],
        wire: "The name server replies with NOERROR but no address.",
        usually: &[
            "A private DNS zone contains the name but no A record.",
            "A DNS security policy blocks it: the alias is blockpolicy.azuredns.invalid.",
            "The name has only IPv6 addresses.",
        ],
        check: &[
            "Look up the name's records on the zone's own server.",
            "Compare with 168.63.129.16.",
        ],
    }
    DnsSinkhole {
        word: "dns-sinkhole",
        meaning: "The name resolves to an address that cannot be the service's.",
        headline: "the name resolves to an impossible address",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[PrivateDnsZone, DnsServer],
        wire: "The reply contains an address that no service can have (0.0.0.0, loopback, link-local, a documentation \
               address), the address of a DNS filter's block page, or the same address for names that belong to many \
               owners.",
        usually: &[
            "A filtering name server sinkholes names on a list.",
            "A leftover hosts file or test zone.",
        ],
        check: &[
            "Ask the filter's owner to allow the name.",
            "Compare the answer with that of 168.63.129.16.",
        ],
    }
    DnsPrivateAddress {
        word: "dns-private-address",
        meaning: "The name resolves to a private address without a private link, and the service was not verified there.",
        headline: "the name resolves to a private address that does not work",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[PrivateDnsZone, DnsServer],
        wire: "The reply contains a private address without a privatelink alias, and the service is not verified there.",
        usually: &[
            "A custom zone points the name at an internal proxy or appliance.",
            "A private endpoint was removed, but its DNS record was not.",
        ],
        check: &[
            "Find out which zone answers, and what is at that address.",
            "Compare with 168.63.129.16.",
        ],
    }
    TcpTimeout {
        word: "tcp-timeout",
        meaning: "Connection attempts get no reply (silently dropped).",
        headline: "{ports} gets no reply (dropped)",
        stage: TCP,
        ending: Silence,
        basis: Pattern,
        suspects: &[Nsg, FirewallNetworkRule, Udr, VmNicNsg],
        wire: "The SYN is sent repeatedly, and nothing comes back: no reset, no ICMP error.",
        usually: &[
            "An NSG rule on the subnet denies it: NSGs drop silently. So does a security admin rule, which is not \
             part of any NSG.",
            "The route leads to an appliance or gateway that drops the packets, is down, or does not forward them.",
            "The firewall lacks a network rule: it drops ports other than 80, 443 and 1433.",
            "The subnet has no outbound access: no NAT gateway, no public address. Then every public address times \
             out.",
        ],
        check: &[
            "Export the effective rules and routes and pass --effective-nsg and --effective-routes: this names the rule.",
            "Check whether another port of the same host answers: then only this port is affected.",
            "A rule on this VM's own network interface does not apply to the instance.",
        ],
    }
    TcpRefused {
        word: "tcp-refused",
        meaning: "Connection attempts are answered with a reset.",
        headline: "{ports} is refused with a reset",
        stage: TCP,
        ending: Refusal,
        basis: Pattern,
        suspects: &[Nva, Service],
        wire: "The SYN is answered with a reset.",
        usually: &[
            "An appliance is configured to reset denied connections. Azure's own rules never do that: they drop.",
            "Nothing listens on that port: the port is wrong, or the address is out of date.",
        ],
        check: &[
            "Compare the TTL of the reset with the TTL of a good reply.",
            "Check the appliance's log.",
        ],
    }
    TcpUnreachable {
        word: "tcp-unreachable",
        meaning: "Connection attempts are answered with an ICMP error.",
        headline: "{ports} is refused with an ICMP error",
        stage: TCP,
        ending: Refusal,
        basis: Proof,
        suspects: &[Nva, FirewallNetworkRule, Udr],
        wire: "The SYN is answered with an ICMP error: administratively prohibited, host, port or network unreachable.",
        usually: SUSPECTS_OF_REFUSAL,
        check: CHECKS_OF_REFUSALS,
    }
    TcpNoRoute {
        word: "tcp-no-route",
        meaning: "This machine has no route to the address.",
        headline: "this machine has no route",
        stage: TCP,
        ending: NotSent,
        basis: Proof,
        suspects: &[LocalHost],
        wire: "Nothing is sent: this machine's own routing table has no route to the address.",
        usually: &[
            "The interface is down, or has no default gateway.",
            "An IPv6 address on an IPv4-only machine.",
        ],
        check: &[
            "Run `ip route get ADDRESS` on this machine.",
            "Run the agent in the instance's subnet.",
        ],
    }
    PathMtu {
        word: "path-mtu",
        meaning: "Full-size packets towards this machine are lost, small ones pass.",
        headline: "full-size packets of {ports} are lost",
        stage: TCP,
        ending: Silence,
        basis: Proof,
        suspects: &[Nva, Udr],
        wire: "The connection opens and our first bytes are acknowledged, but the large packets of the reply never \
            arrive, although smaller ones after them may. Connections with an MSS of 536 bytes work. This cause is \
            reported only if two connections with the usual MSS stopped responding and two with the small one worked. \
            It covers only packets towards this VM. The other direction is tested, with a request of 1,400 bytes, \
                only where the catalog has a path. Neither can be seen behind a proxy that terminates TCP.",
        usually: &[
            "A tunnel or VPN on the path carries less than 1,500 bytes, and the ICMP errors that would report it are \
             filtered.",
            "An appliance drops fragments or large packets.",
        ],
        check: &[
            "Allow ICMP type 3, code 4 (\"fragmentation needed\") along the path.",
            "Clamp the MSS on the tunnel; 1350 suits most tunnels.",
            "If the address answers ping, find the size that passes with `ping -M do -s 1372 ADDRESS`, then smaller \
             sizes.",
        ],
    }
    TlsReset {
        word: "tls-reset",
        meaning: "The connection is reset after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then reset right after the ClientHello",
        stage: TLS,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello is sent, and a reset comes back instead of a certificate; if a certificate came first, the detail says so.",
        usually: MAKERS_OF_CUTS,
        check: CHECKS_OF_CUTS,
    }
    TlsClosed {
        word: "tls-closed",
        meaning: "The connection is closed after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then closed right after the ClientHello",
        stage: TLS,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello is sent, and the other side closes the connection (FIN) without sending any TLS; if a certificate came first, the detail says so.",
        usually: MAKERS_OF_CUTS,
        check: CHECKS_OF_CUTS,
    }
    TlsTimeout {
        word: "tls-timeout",
        meaning: "No reply after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then gets no reply after the ClientHello",
        stage: TLS,
        ending: Silence,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello is sent, and nothing comes back: no certificate, no reset, no close; if a certificate came first, the detail says so.",
        usually: &[
            "An Azure Firewall accepts connections to any address on 80, 443 and 1433, reads the server name, and \
             finds no matching application rule.",
            "Another firewall filters by host name in the same way.",
            "The path drops large packets, or the service hangs: then another name at the same address gets no reply \
             either.",
        ],
        check: CHECKS_OF_CUTS,
    }
    TlsAlert {
        word: "tls-alert",
        meaning: "The ClientHello is answered with a TLS alert.",
        headline: "{ports} answers the ClientHello with an alert",
        stage: TLS,
        ending: Cut,
        basis: Ambiguous,
        suspects: &[FirewallApplicationRule, Nva, Service],
        wire: "The ClientHello is answered with a TLS alert instead of a certificate.",
        usually: &[
            "A middlebox rejects the version, the ciphers or the server name.",
            "The service does not know the name: a wrong host, or a private endpoint of another service.",
        ],
        check: &[
            "Check the alert's name in the evidence.",
            "Try the same host from outside this network.",
        ],
    }
    TlsNotTls {
        word: "tls-not-tls",
        meaning: "The ClientHello is answered with something that is not TLS.",
        headline: "{ports} answers, but not with TLS",
        stage: TLS,
        ending: WrongPeer,
        basis: Ambiguous,
        suspects: &[FirewallApplicationRule, Proxy],
        wire: "Plaintext comes back instead of TLS, often an HTTP page.",
        usually: &[
            "A proxy or firewall answers in plaintext.",
            "Another service listens on the port.",
        ],
        check: &[
            "Check the first bytes in the evidence: they often name the device.",
            "Check the firewall's rule for this port.",
        ],
    }
    TlsUntrusted {
        word: "tls-untrusted",
        meaning: "The certificate chain does not end in a root that the instance trusts.",
        headline: "the instance does not trust the certificate",
        stage: TLS,
        ending: Answer,
        basis: Pattern,
        suspects: &[TlsInspection],
        wire: "The handshake is complete, but the chain ends in a root that is not public.",
        usually: &[
            "A firewall inspects TLS and signs with a company CA, which the instance does not trust.",
            "The server does not send its intermediate certificates: unproven, since Windows would fetch them.",
            "Microsoft's private CA (AME Infra CA) issues the certificates of some of its own hosts: degraded, not \
             blocked.",
        ],
        check: &[
            "Check the issuer in the evidence: one issuer for many hosts means a firewall that inspects TLS.",
            "Missing intermediates are fetched over port 80: caissuers.microsoft.com, cacerts.digicert.com.",
            "Exempt these hosts from inspection; you cannot add a CA to the instance for this.",
        ],
    }
    TlsWrongName {
        word: "tls-wrong-name",
        meaning: "The certificate belongs to another name.",
        headline: "the certificate belongs to another name",
        stage: TLS,
        ending: Answer,
        basis: Ambiguous,
        suspects: &[DnsServer, Nva, Service],
        wire: "The handshake is complete, but the certificate is for other names.",
        usually: &[
            "DNS points the name at another server.",
            "An appliance presents its own certificate.",
            "A CDN answers for a host that it does not serve over TLS.",
        ],
        check: &[
            "Compare the address with what 168.63.129.16 answers.",
            "Check the subject in the evidence.",
        ],
    }
    TlsExpired {
        word: "tls-expired",
        meaning: "The certificate has expired, or is not valid yet.",
        headline: "the certificate is expired or not yet valid",
        stage: TLS,
        ending: Answer,
        basis: Ambiguous,
        suspects: &[LocalHost, Service],
        wire: "The handshake is complete, but the certificate is expired or not yet valid.",
        usually: &[
            "This machine's clock is wrong.",
            "The certificate really is expired: the appliance's or the service's.",
        ],
        check: &[
            "Check the clock first: `timedatectl`.",
            "Check the dates in the evidence.",
        ],
    }
    HelloTimeout {
        word: "hello-timeout",
        meaning: "The service does not answer in its protocol.",
        headline: "{ports} is accepted, then gets no reply" over_udp: "{ports} gets no reply",
        stage: HELLO,
        ending: Silence,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The connection is accepted, but the first protocol message gets no reply; over UDP, no datagram comes back.",
        usually: &[
            "A firewall accepted the connection instead of the service, and drops everything after that.",
            "For UDP, any silent drop: NSG, route, firewall.",
        ],
        check: &[
            "Check that the firewall has a network rule, not an application rule, for this port.",
            "Pass --effective-nsg and --effective-routes to see whether Azure itself drops it.",
        ],
    }
    HelloReset {
        word: "hello-reset",
        meaning: "The connection is reset during the exchange.",
        headline: "{ports} is accepted, then reset",
        stage: HELLO,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The exchange starts, then a reset ends it.",
        usually: &[
            "A firewall accepted the connection and cut it once it recognised the protocol.",
            "Intrusion prevention rejects the protocol.",
        ],
        check: CHECKS_OF_CUT_CONVERSATIONS,
    }
    HelloClosed {
        word: "hello-closed",
        meaning: "The connection is closed during the exchange.",
        headline: "{ports} is accepted, then closed",
        stage: HELLO,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The exchange starts, then the other side closes the connection (FIN) before it has replied.",
        usually: &[
            "A firewall accepted the connection and closed it once it recognised the protocol.",
            "The service closes connections that it does not accept: another protocol, or too many clients.",
        ],
        check: CHECKS_OF_CUT_CONVERSATIONS,
    }
    HelloUnexpected {
        word: "hello-unexpected",
        meaning: "Something answered, but not the way this service would.",
        headline: "{ports} is answered by something other than the service",
        stage: HELLO,
        ending: WrongPeer,
        basis: Ambiguous,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "Something answers, but not in the protocol of this service.",
        usually: &[
            "An appliance answers for every address.",
            "Another service listens on that port or address.",
        ],
        check: &[
            "Check the first bytes in the evidence.",
            "Compare the address with what 168.63.129.16 answers.",
        ],
    }
    HttpDenied {
        word: "http-denied",
        meaning: "A firewall or proxy answered instead of the service.",
        headline: "a firewall or proxy denies {ports}",
        stage: HELLO,
        ending: Refusal,
        basis: Proof,
        suspects: &[FirewallApplicationRule, Proxy],
        wire: "Something other than the service answers over HTTP: status 470 or 407, a block page, or a redirect to \
            another site.",
        usually: &[
            "An Azure Firewall without a matching application rule answers 470 and \"Action: Deny\".",
            "A proxy requires credentials, which the instance does not have.",
        ],
        check: &[
            "Check the reply in the evidence: it often names the rule or the device.",
            "Add an application rule for HTTP on port 80 to the host.",
        ],
    }
    UdpRefused {
        word: "udp-refused",
        meaning: "The datagram is answered with ICMP port unreachable.",
        headline: "{ports} is refused (ICMP port unreachable)",
        stage: HELLO,
        ending: Refusal,
        basis: Pattern,
        suspects: &[Nva, FirewallNetworkRule, Udr],
        wire: "The datagram is answered with ICMP port unreachable.",
        usually: &[
            "Nothing listens on that port at the address.",
            "An appliance refuses the traffic on behalf of the service.",
        ],
        check: &["Compare the sender of the ICMP error with the address that was probed."],
    }
    UdpUnreachable {
        word: "udp-unreachable",
        meaning: "The datagram is answered with an ICMP error.",
        headline: "{ports} is refused with an ICMP error",
        stage: HELLO,
        ending: Refusal,
        basis: Proof,
        suspects: &[Nva, FirewallNetworkRule, Udr],
        wire: "The datagram is answered with an ICMP error other than port unreachable: prohibited, host or network unreachable.",
        usually: SUSPECTS_OF_REFUSAL,
        check: CHECKS_OF_REFUSALS,
    }
    NeedsValue {
        word: "needs-value",
        meaning: "The host name contains a value that is not known yet.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "Nothing is sent: the host name contains a value that only you know.",
        usually: &["The instance's own storage accounts, servers and vaults are not known until it exists."],
        check: &["Pass --set NAME=VALUE, --region, --network-status or --dependencies; `apim-probe list` shows what is missing."],
    }
    Wildcard {
        word: "wildcard",
        meaning: "The documentation lists a wildcard, and no host under it is known.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "Nothing is sent: a wildcard is not a host.",
        usually: &["The documentation lists *.something, and no host under it is known."],
        check: &["If you know a host under it, list it under `members` in a --probes file."],
    }
    Retired {
        word: "retired",
        meaning: "The host is retired, but still in the documentation.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "Nothing is sent, or no name server knows the name: the host no longer exists.",
        usually: &["The documentation, or an instance's own list, is out of date."],
        check: &["Replace the host with its successor in your allow lists."],
    }
    NotOutbound {
        word: "not-outbound",
        meaning: "Inbound or peer traffic, which a probe in the subnet cannot test.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "Nothing is sent: the traffic is inbound, or flows between the instance's machines.",
        usually: &["A probe in the subnet cannot act as the other side."],
        check: &[
            "Pass --effective-nsg and --effective-routes: the result is then predicted from the rules.",
            "Look at the network status of the instance itself.",
        ],
    }
    Deadline {
        word: "deadline",
        meaning: "The run's deadline passed first.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "The run ended before this was tested.",
        usually: &[
            "--deadline is short, or many endpoints time out.",
            "The run was interrupted.",
        ],
        check: &["Raise --deadline or --concurrency, or lower --timeout."],
    }
    Skipped {
        word: "skipped",
        meaning: "Excluded by --skip, or not selected.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NO_SUSPECTS,
        wire: "Nothing is sent: it was skipped.",
        usually: &["--skip lists it, or it is probed only when --only lists it."],
        check: &["Pass --only with its id."],
    }
    LocalFault {
        word: "local-fault",
        meaning: "This machine could not run the probe.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Proof,
        suspects: &[LocalHost],
        wire: "Nothing is sent: this machine could not run the probe.",
        usually: &[
            "It ran out of descriptors, ports or memory.",
            "A local firewall or a sandbox forbids it: EPERM, EACCES.",
        ],
        check: &[
            "Raise `ulimit -n` or lower --concurrency.",
            "Look at this machine's own firewall and security profile.",
        ],
    }
}
