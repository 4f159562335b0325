//! The causes, a row each: what scripts rely on (the word never changes its meaning), what a headline says, whom it
//! suspects, and what `explain` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Basis, Ending, Facts};
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

const NOBODY: &[Suspect] = &[];
const MAKERS_OF_CUTS: &[&str] = &[
    "An Azure Firewall accepts for everyone on 80, 443 and 1433, reads the server name, and finds no application rule.",
    "Another firewall filters by name in the same way.",
    "The service, or a proxy in front of it, is unwell: then another name at the same address is cut as well.",
];
const CHECKS_OF_CUTS: &[&str] = &[
    "Look for the host in the firewall's application rules; a wildcard *.x.y does not cover x.y.",
    "An application rule of the kind https fits 443 only: for 1433, 1688, 1886 and 5671 use network rules (mssql:1433 \
     exists too, but fits servers with the policy Proxy alone).",
    "Read the firewall's log for this name at this time.",
];
const CHECKS_OF_CUT_CONVERSATIONS: &[&str] = &[
    "Check that the firewall has a network rule, not an application rule, for this port.",
    "Read the firewall's log for this address at this time.",
];
const REFUSERS: &[&str] = &[
    "An appliance on the way denies and says so; its address is the error's sender.",
    "A router behind the next hop has no route.",
];
const CHECKS_OF_REFUSALS: &[&str] = &[
    "Look into the rules of the sender that the evidence names.",
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
            "An NSG or firewall lets TCP 53 pass and not UDP 53, or neither.",
            "The custom name server is down, or the route to it leads nowhere.",
        ],
        check: &[
            "See whether 168.63.129.16 answers: if so, the path to the custom server is at fault, not DNS as such.",
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
            "The server only answers clients of certain networks, and this subnet is not among them.",
            "It does not recurse, and no forwarder is set.",
        ],
        check: &[
            "Allow the subnet on the name server, and forward to 168.63.129.16.",
            "Ask 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
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
        wire: "The name server replies with SERVFAIL, often after seconds.",
        usually: &[
            "Its forwarder does not answer: a firewall on the way, or a forwarder that is gone.",
            "DNSSEC validation fails, as behind a proxy that rewrites answers.",
            "168.63.129.16 itself fails: a DNS security policy, or a forwarding ruleset with a dead target.",
        ],
        check: &[
            "Ask the server's forwarder directly, from the server.",
            "Ask 168.63.129.16 for the same name: if it answers, only the custom server is at fault.",
        ],
    }
    DnsNxdomain {
        word: "dns-nxdomain",
        meaning: "The name server says that the name does not exist.",
        headline: "the name does not resolve",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[DnsServer, PrivateDnsZone, Documentation],
        wire: "The name server replies with NXDOMAIN: there is no such name.",
        usually: &[
            "A private DNS zone linked to the network hides the public name and lacks a record for it.",
            "The custom name server holds a zone of the same name.",
            "The name is wrong, or belongs to another cloud.",
        ],
        check: &[
            "Look at the SOA in the reply: azureprivatedns.net means a private zone of Azure.",
            "Add the record, unlink the zone, or set resolutionPolicy NxDomainRedirect on its link.",
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
        wire: "The name server replies without an error and without an address.",
        usually: &[
            "A private DNS zone holds the name but no A record.",
            "A DNS security policy blocks it: the alias is blockpolicy.azuredns.invalid.",
            "The name only has IPv6 addresses.",
        ],
        check: &[
            "Look up the name's records on the server that holds the zone.",
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
        wire: "The reply holds an address where no service can be: 0.0.0.0, loopback, link-local, documentation, the block \
               page of a DNS filter, or one address for names of many owners.",
        usually: &[
            "A filtering name server sinks names by list.",
            "A hosts file or a test zone was left behind.",
        ],
        check: &[
            "Ask the filter's owner to let the name pass.",
            "Compare the answer with that of 168.63.129.16.",
        ],
    }
    DnsPrivateAddress {
        word: "dns-private-address",
        meaning: "The name resolves to a private address without a private link, and nothing proves itself there.",
        headline: "the name resolves to a private address without answer",
        stage: DNS,
        ending: Answer,
        basis: Pattern,
        suspects: &[PrivateDnsZone, DnsServer],
        wire: "The reply holds a private address without a privatelink alias, and the service does not prove itself there.",
        usually: &[
            "A custom zone points the name at an internal proxy or appliance.",
            "A private endpoint that was removed, with its record still there.",
        ],
        check: &[
            "Find out which zone answers, and what stands at that address.",
            "Compare with 168.63.129.16.",
        ],
    }
    TcpTimeout {
        word: "tcp-timeout",
        meaning: "Connection attempts are dropped in silence.",
        headline: "{ports} is dropped in silence",
        stage: TCP,
        ending: Silence,
        basis: Pattern,
        suspects: &[Nsg, FirewallNetworkRule, Udr, VmNicNsg],
        wire: "SYN after SYN goes out, and nothing at all comes back: no reset, no ICMP.",
        usually: &[
            "An NSG rule of the subnet denies; NSGs drop in silence. A security admin rule does so too, and stands in no NSG.",
            "The route leads to an appliance or gateway that drops, is down, or does not forward.",
            "A network rule is missing in the firewall: ports other than 80, 443 and 1433 are dropped there.",
            "The subnet has no way out at all: no NAT gateway, no public address. Then everything public times out.",
        ],
        check: &[
            "Export effective rules and routes and pass --effective-nsg and --effective-routes: the rule gets a name.",
            "See whether another port of the same host answers: then it is about the port.",
            "A rule on the network interface of this VM does not concern the instance.",
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
            "An appliance is set to reset what it denies. Azure's own rules never do: they drop.",
            "Nothing listens on that port: a wrong port, or a stale address.",
        ],
        check: &[
            "Compare the time to live of the reset with that of a good answer.",
            "Look into the appliance's log.",
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
        usually: REFUSERS,
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
        wire: "Nothing is sent: this machine's own routing table has no way to the address.",
        usually: &[
            "The interface is down, or has no default gateway.",
            "An IPv6 address on a machine with IPv4 only.",
        ],
        check: &[
            "Run `ip route get ADDRESS` on this machine.",
            "Run the agent where the instance would stand.",
        ],
    }
    PathMtu {
        word: "path-mtu",
        meaning: "Packets of full size towards this machine are lost, and small ones pass.",
        headline: "full-size packets of {ports} are lost",
        stage: TCP,
        ending: Silence,
        basis: Proof,
        suspects: &[Nva, Udr],
        wire: "The connection opens, our first bytes are acknowledged, and the large packets of the answer never come, though smaller ones behind them may. Connections that ask for segments of 536 bytes work: it is said only where two of the usual kind fell silent and two of the small kind proved the service. Only the way towards this VM is seen, and the other one where the catalog asks for a path, by a request of 1,400 bytes; behind a proxy that ends TCP, nothing.",
        usually: &[
            "A tunnel or VPN on the way carries less than 1,500 bytes, and the ICMP errors that would say so are filtered.",
            "An appliance drops fragments or large packets.",
        ],
        check: &[
            "Let ICMP type 3, code 4 (\"fragmentation needed\") through on the way.",
            "Clamp the MSS on the tunnel; 1350 suits most.",
            "ping -M do -s 1372 ADDRESS, and smaller, finds the size that passes where ping is answered.",
        ],
    }
    TlsReset {
        word: "tls-reset",
        meaning: "The connection is reset after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then reset at the ClientHello",
        stage: TLS,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello goes out, and a reset comes back in place of a certificate; where one came first, the detail says so.",
        usually: MAKERS_OF_CUTS,
        check: CHECKS_OF_CUTS,
    }
    TlsClosed {
        word: "tls-closed",
        meaning: "The connection is closed after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then closed at the ClientHello",
        stage: TLS,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello goes out, and the other side closes in order (FIN) without a word of TLS; where a certificate came first, the detail says so.",
        usually: MAKERS_OF_CUTS,
        check: CHECKS_OF_CUTS,
    }
    TlsTimeout {
        word: "tls-timeout",
        meaning: "Nothing more comes after the ClientHello, before the handshake is complete.",
        headline: "{ports} is accepted, then silent after the ClientHello",
        stage: TLS,
        ending: Silence,
        basis: Pattern,
        suspects: &[FirewallApplicationRule, Nva],
        wire: "TCP is accepted, the ClientHello goes out, and nothing comes back: no certificate, no reset, no close; where a certificate came first, the detail says so.",
        usually: &[
            "An Azure Firewall accepts for everyone on 80, 443 and 1433, reads the server name, and finds no application rule.",
            "Another firewall filters by name in the same way.",
            "The path drops large packets, or the service hangs: then another name at the same address gets no answer either.",
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
        wire: "The ClientHello is answered with a TLS alert in place of a certificate.",
        usually: &[
            "A middlebox objects to the version, the ciphers or the server name.",
            "The service does not know the name: a wrong host, or a private endpoint of another service.",
        ],
        check: &[
            "Read the alert's name in the evidence.",
            "Try the same from outside this network.",
        ],
    }
    TlsNotTls {
        word: "tls-not-tls",
        meaning: "The ClientHello is answered with something that is not TLS.",
        headline: "{ports} answers, but not with TLS",
        stage: TLS,
        ending: Stranger,
        basis: Ambiguous,
        suspects: &[FirewallApplicationRule, Proxy],
        wire: "Plain bytes come back where TLS should begin, often a page in HTTP.",
        usually: &[
            "A proxy or firewall answers in the clear.",
            "The port is served by something else.",
        ],
        check: &[
            "Read the first bytes in the evidence: they often name the device.",
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
            "A firewall decrypts TLS and signs with a company's own CA. The instance does not trust it.",
            "The server does not send its intermediate certificates: unproven, since Windows would fetch them.",
            "Microsoft's private CA (AME Infra CA) serves some of its own hosts: degraded, not blocked.",
        ],
        check: &[
            "Read the issuer in the evidence: one issuer over many hosts is an inspecting firewall.",
            "Missing intermediates are fetched over port 80: caissuers.microsoft.com, cacerts.digicert.com.",
            "Exempt these hosts from inspection; the instance cannot be given a CA for this.",
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
            "An appliance shows a certificate of its own.",
            "A content network answers for a host that it does not serve over TLS.",
        ],
        check: &[
            "Compare the address with what 168.63.129.16 answers.",
            "Read the subject in the evidence.",
        ],
    }
    TlsExpired {
        word: "tls-expired",
        meaning: "The certificate has expired, or is not valid yet.",
        headline: "the certificate has ended or has not begun",
        stage: TLS,
        ending: Answer,
        basis: Ambiguous,
        suspects: &[LocalHost, Service],
        wire: "The handshake is complete, but the certificate has ended or has not begun.",
        usually: &[
            "This machine's clock is wrong.",
            "The certificate is indeed old: an appliance's, or the service's.",
        ],
        check: &[
            "Check the clock first: `timedatectl`.",
            "Read the dates in the evidence.",
        ],
    }
    HelloTimeout {
        word: "hello-timeout",
        meaning: "The service does not answer in its protocol.",
        headline: "{ports} is accepted, then silent" over_udp: "{ports} gets no answer",
        stage: HELLO,
        ending: Silence,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The connection is accepted and the first words of the protocol are not answered; over UDP, no datagram comes back.",
        usually: &[
            "A firewall accepted in place of the service and drops what follows.",
            "For UDP, any silent drop: NSG, route, firewall.",
        ],
        check: &[
            "Check that the firewall has a network rule, not an application rule, for this port.",
            "Pass --effective-nsg and --effective-routes to see whether Azure itself drops it.",
        ],
    }
    HelloReset {
        word: "hello-reset",
        meaning: "The connection is reset in the middle of the conversation.",
        headline: "{ports} is accepted, then reset",
        stage: HELLO,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The conversation begins and a reset ends it.",
        usually: &[
            "A firewall accepted the connection and cut it once it saw what is spoken.",
            "Intrusion prevention objects to the protocol.",
        ],
        check: CHECKS_OF_CUT_CONVERSATIONS,
    }
    HelloClosed {
        word: "hello-closed",
        meaning: "The connection is closed in the middle of the conversation.",
        headline: "{ports} is accepted, then closed",
        stage: HELLO,
        ending: Cut,
        basis: Pattern,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "The conversation begins, and the other side closes in order (FIN) before it has answered.",
        usually: &[
            "A firewall accepted the connection and closed it once it saw what is spoken.",
            "The service closes what it does not like: another protocol, or too many clients.",
        ],
        check: CHECKS_OF_CUT_CONVERSATIONS,
    }
    HelloUnexpected {
        word: "hello-unexpected",
        meaning: "Something answered, but not as this service does.",
        headline: "{ports} is answered by something else",
        stage: HELLO,
        ending: Stranger,
        basis: Ambiguous,
        suspects: &[FirewallNetworkRule, FirewallApplicationRule, Nva],
        wire: "Something answers, but not in the protocol of this service.",
        usually: &[
            "An appliance answers for every address.",
            "Another service listens at that port or address.",
        ],
        check: &[
            "Read the first bytes in the evidence.",
            "Compare the address with what 168.63.129.16 answers.",
        ],
    }
    HttpDenied {
        word: "http-denied",
        meaning: "A firewall or proxy answered in place of the service.",
        headline: "a firewall or proxy denies {ports}",
        stage: HELLO,
        ending: Refusal,
        basis: Proof,
        suspects: &[FirewallApplicationRule, Proxy],
        wire: "HTTP is answered by something else than the service: status 470, 407, a deny page, or a redirect elsewhere.",
        usually: &[
            "An Azure Firewall without an application rule answers 470 and \"Action: Deny\".",
            "A proxy wants credentials, which the instance does not have.",
        ],
        check: &[
            "Read the answer in the evidence: it often names the rule or the device.",
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
            "An appliance refuses in the name of the service.",
        ],
        check: &["Compare the sender of the ICMP error with the address that was asked."],
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
        usually: REFUSERS,
        check: CHECKS_OF_REFUSALS,
    }
    NeedsValue {
        word: "needs-value",
        meaning: "The host contains a name that is not known yet.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "Nothing is sent: the host has a name in it that only you know.",
        usually: &["The instance's own storage accounts, servers and vaults are not known before it exists."],
        check: &["Pass --set NAME=VALUE, --region, --network-status or --dependencies; list shows which is missing."],
    }
    Wildcard {
        word: "wildcard",
        meaning: "The documentation names a wildcard, and no host under it is known.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "Nothing is sent: a wildcard is no host.",
        usually: &["The documentation names *.something, and no host under it is known."],
        check: &["Name a member in a --probes file, if you know one."],
    }
    Retired {
        word: "retired",
        meaning: "The host is gone: the documentation is behind.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "Nothing is sent, or no server knows the name: the host is gone.",
        usually: &["The documentation, or what instances report, is behind."],
        check: &["Take the host out of your allow lists, and put its successor in."],
    }
    NotOutbound {
        word: "not-outbound",
        meaning: "It concerns inbound or peer traffic, which a probe in the subnet cannot test.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "Nothing is sent: the traffic comes in, or flows between the instance's machines.",
        usually: &["A machine in the subnet cannot play the other side."],
        check: &[
            "Pass --effective-nsg and --effective-routes: these rows are predicted from the rules.",
            "Look at the network status of the instance itself.",
        ],
    }
    Deadline {
        word: "deadline",
        meaning: "The deadline of the run came first.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "The run ended before this was done.",
        usually: &[
            "--deadline is short, or many endpoints wait for silence.",
            "The run was interrupted.",
        ],
        check: &["Raise --deadline or --concurrency, or lower --timeout."],
    }
    Skipped {
        word: "skipped",
        meaning: "The user left it out.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Ambiguous,
        suspects: NOBODY,
        wire: "Nothing is sent: it was left out.",
        usually: &["--skip names it, or it is only probed when --only names it."],
        check: &["Pass --only with its id."],
    }
    LocalFault {
        word: "local-fault",
        meaning: "This machine could not try.",
        headline: "not tested",
        stage: None,
        ending: NotSent,
        basis: Proof,
        suspects: &[LocalHost],
        wire: "Nothing is sent: this machine could not try.",
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
