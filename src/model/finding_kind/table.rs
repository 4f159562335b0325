//! The kinds of findings, one row each. Scripts rely on the words, so their meaning never changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KindFacts;

const REFERENCE: &str = "https://learn.microsoft.com/azure/api-management/virtual-network-reference";
const NSG: &str = "https://learn.microsoft.com/azure/virtual-network/diagnose-network-traffic-filter-problem";
const ROUTES: &str = "https://learn.microsoft.com/azure/virtual-network/diagnose-network-routing-problem";
const FIREWALL: &str = "https://learn.microsoft.com/azure/firewall/rule-processing";
const NAMES: &str =
    "https://learn.microsoft.com/azure/virtual-network/virtual-networks-name-resolution-for-vms-and-role-instances";
const PRIVATE_NAMES: &str = "https://learn.microsoft.com/azure/private-link/private-endpoint-dns";

finding_kinds! {
    Open {
        word: "open",
        meaning: "Traffic that the catalog says must be blocked gets out.",
        scope: "The dependency.",
        seen: "An endpoint with `expect: blocked` was reached and verified.",
        lookalikes: &["Nothing: an answer at protocol depth shows that the traffic gets out."],
        docs: NSG,
    }
    NeverTried {
        word: "never-tried",
        meaning: "Traffic that must be blocked was not tried, so it is not known to be blocked.",
        scope: "The dependency.",
        seen: "The name of an endpoint with `expect: blocked` did not resolve, so no packet was sent to it.",
        lookalikes: &["A name server that denies the name on purpose: then the block is in DNS, and connecting by address bypasses it."],
        docs: REFERENCE,
    }
    LocalFirewall {
        word: "local-firewall",
        meaning: "This VM's own firewall refuses or drops the agent's traffic.",
        scope: "Always this-vm.",
        seen: "An ICMP error came at once from one of this VM's own addresses; or the kernel could not retransmit its \
            SYNs (TCP_INFO), so they never left this VM.",
        lookalikes: &[
            "A dead next hop: then the kernel reports host unreachable only after about three seconds.",
            "A rule on the path that drops: then the kernel can retransmit its SYNs.",
        ],
        docs: REFERENCE,
    }
    LinkLost {
        word: "link-lost",
        meaning: "This VM lost its network interface, address or route during the run.",
        scope: "Always this-vm.",
        seen: "The kernel reported the change (rtnetlink), and packets to addresses that it had a route to before \
               could no longer leave. The finding covers endpoints that failed only during that time.",
        lookalikes: &["Nothing: the kernel itself reports it. It affects this VM, not the instance."],
        docs: REFERENCE,
    }
    NoRoute {
        word: "no-route",
        meaning: "This VM has no route to some addresses: no network interface that is up, no address, or no entry in its \
            routing table.",
        scope: "Always this-vm.",
        seen: "`connect` or `send` failed locally, before any packet was sent (ENETUNREACH, EHOSTUNREACH). The kernel's list \
            of interfaces (rtnetlink) shows what is missing.",
        lookalikes: &["Nothing: the kernel itself reports it. It affects this VM, not the instance."],
        docs: ROUTES,
    }
    LocalLimits {
        word: "local-limits",
        meaning: "This VM could not run some probes: it ran out of a resource, or blocked the traffic.",
        scope: "What is missing (name-servers, open-files, memory, source-ports …), or this-vm for a refusal.",
        seen: "A system call failed locally: descriptors, ports, memory, permissions, no name server configured.",
        lookalikes: &["Nothing: the kernel itself reports it. It affects this VM, not the instance."],
        docs: REFERENCE,
    }
    LocalStub {
        word: "local-stub",
        meaning: "A stub resolver on this VM gives no answer; the instance does not use it.",
        scope: "Always this-vm.",
        seen: "The name server that failed has a loopback address, and no other name server was configured.",
        lookalikes: &["The server behind the stub is down: pass --dns-server with its address, and the report shows it."],
        docs: NAMES,
    }
    DeadNextHop {
        word: "dead-next-hop",
        meaning: "The next hop of a route does not answer ARP, or neighbour discovery over IPv6.",
        scope: "Always first-hop.",
        seen: "This VM's own kernel reports host unreachable after three requests for the next hop, one second \
               apart; or its neighbour table lists the next hop as FAILED or INCOMPLETE (ip neigh).",
        lookalikes: &[
            "This VM's own firewall: its error comes at once.",
            "A router on the path without a route: then the ICMP error has another sender.",
        ],
        docs: ROUTES,
    }
    NoOutbound {
        word: "no-outbound",
        meaning: "No public host answers: this VM has no outbound access, so nothing is known about the instance.",
        scope: "Always internet.",
        seen: "Names resolve, but no public host answers (at least three were tried; services with a service endpoint \
            do not count).",
        lookalikes: &[
            "An NSG that denies Internet: pass --effective-nsg, or look at the effective rules.",
            "A route for 0.0.0.0/0 to an appliance that drops everything: pass --effective-routes.",
            "The instance has its own public address, so it may have outbound access where this VM has none.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
    }
    WayOut {
        word: "way-out",
        meaning: "No public host answers, and 0.0.0.0/0 leads to an appliance, a gateway or nowhere; this affects the \
            instance too.",
        scope: "default-route, or denied if the network's rules deny all of it.",
        seen: "As for no-outbound, and the given rules and routes show a user-defined or BGP route for 0.0.0.0/0, or a \
               denial.",
        lookalikes: &["A subnet without outbound access: then there is no such route."],
        docs: ROUTES,
    }
    DnsPolicy {
        word: "dns-policy",
        meaning: "A DNS security policy linked to the network blocks names.",
        scope: "alias, or servfail if only that shows it.",
        seen: "The answer is the alias blockpolicy.azuredns.invalid, or 168.63.129.16 fails for names while others of their \
               domain resolve.",
        lookalikes: &["A DNS forwarding ruleset that sends the names to a server that fails: SERVFAIL as well."],
        docs: "https://learn.microsoft.com/azure/dns/dns-security-policy",
    }
    PacketSize {
        word: "packet-size",
        meaning: "Full-size packets are lost, small ones pass.",
        scope: "Always path.",
        seen: "Two connections with segments of the usual size stopped responding after our first data, and two with \
               segments of 536 bytes worked.",
        lookalikes: &[
            "One instance of a pair that loses connections: then connections with the same size differ.",
            "A link that loses packets: then other connections needed retransmission.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning",
    }
    Flows {
        word: "flows",
        meaning: "Some connections to an address work and others do not: one instance of a pair fails.",
        scope: "pair; or the dependency, if only one destination is affected.",
        seen: "Connections to the same address and port from different source ports give different results, for several hosts.",
        lookalikes: &[
            "SNAT port exhaustion: the NAT's metrics show it.",
            "A service with a failing front end: then only its hosts are affected.",
            "A link that loses packets: then working connections needed retransmission.",
        ],
        docs: "https://learn.microsoft.com/azure/architecture/networking/guide/network-virtual-appliance-high-availability",
    }
    Loss {
        word: "loss",
        meaning: "The path loses packets, or is slow.",
        scope: "Always path.",
        seen: "Working connections needed retransmission, or have round trips of about a second. If that is so \
            frequent that missing replies may be random loss, no rule is suspected.",
        lookalikes: &["A slow name server: repeated queries alone do not count."],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning",
    }
    NoNames {
        word: "no-names",
        meaning: "No name resolves.",
        scope: "Always name-servers.",
        seen: "No name in the plan resolves to an address. How each name server behaves over UDP and TCP, and whether \
               168.63.129.16 answers, show where the fault is.",
        lookalikes: &[
            "A dead server and a path that drops UDP 53 look the same over UDP: TCP 53 distinguishes them.",
            "A server with dead forwarders accepts TCP 53 but does not answer: the server itself is up.",
        ],
        docs: NAMES,
    }
    SomeNames {
        word: "some-names",
        meaning: "A name server fails for some names and answers for others.",
        scope: "names-of- followed by the server's address.",
        seen: "Lookups of some names fail at a server (no reply, REFUSED, SERVFAIL, or NXDOMAIN from a server that \
               denies existing names), and others succeed.",
        lookalikes: &[
            "A forwarder for these zones that no longer exists.",
            "Lost or rate-limited queries: then different names, in unrelated zones, fail in each run.",
            "Truncated replies (TC=1) while TCP 53 is closed: the evidence says so.",
        ],
        docs: NAMES,
    }
    NameServer {
        word: "name-server",
        meaning: "A name server fails its own test, although names resolve.",
        scope: "The server's address.",
        seen: "The server was queried for the cloud's login host over UDP and TCP, and one or both failed.",
        lookalikes: &[
            "A rule that covers one transport only: then the other one answers.",
            "A server that does not listen: it answers with a reset or ICMP port unreachable.",
        ],
        docs: NAMES,
    }
    PrivateZone {
        word: "private-zone",
        meaning: "A private DNS zone hides a public name.",
        scope: "The zone, or unnamed if the answer does not name it.",
        seen: "The denial comes from Azure private DNS (SOA azureprivatedns.net) or from a privatelink zone, or \
               follows an alias into such a zone.",
        lookalikes: &["A zone on a custom name server: it has a different SOA."],
        docs: "https://learn.microsoft.com/azure/dns/private-dns-fallback",
    }
    PrivateEndpoint {
        word: "private-endpoint",
        meaning: "A private endpoint does not answer: it was deleted, or its subnet blocks the traffic.",
        scope: "Its address, or several.",
        seen: "The name resolves through a privatelink alias to private addresses, and all of them refuse or do not \
            answer.",
        lookalikes: &["A firewall between this subnet and the endpoint's subnet. A rule with a service tag fixes neither \
            problem."],
        docs: PRIVATE_NAMES,
    }
    Sinkhole {
        word: "sinkhole",
        meaning: "Names resolve to an address that no service can have.",
        scope: "The address.",
        seen: "The answer is 0.0.0.0, loopback, link-local, or another address that no Azure service can have.",
        lookalikes: &["Not a hosts file: the agent queries the name servers itself."],
        docs: NAMES,
    }
    PrivateAddress {
        word: "private-address",
        meaning: "Names resolve to a private address without a private link, and the service was not verified there.",
        scope: "The address.",
        seen: "The answer is a private address, its aliases do not go through a privatelink zone, and the service was \
               not verified there.",
        lookalikes: &["A private endpoint whose record was copied by hand: then the service works, and there is no finding."],
        docs: PRIVATE_NAMES,
    }
    NamePolicy {
        word: "name-policy",
        meaning: "A name server denies names of several dependencies.",
        scope: "names-of- followed by the server's address.",
        seen: "NXDOMAIN for names of three or more dependencies.",
        lookalikes: &["Retired names: the documentation would then be out of date for several services at once, which is rare."],
        docs: NAMES,
    }
    MissingName {
        word: "missing-name",
        meaning: "According to the name server, a name does not exist or has no address.",
        scope: "The dependency.",
        seen: "NXDOMAIN, or an answer without an address, for names of one or two dependencies.",
        lookalikes: &[
            "A misspelt name, or one from another cloud.",
            "A zone on the name server itself that lacks the record: its SOA is in the evidence.",
        ],
        docs: NAMES,
    }
    Clock {
        word: "clock",
        meaning: "This VM's clock is wrong, so certificates cannot be checked.",
        scope: "Always this-vm.",
        seen: "Servers report a different time, or the certificates of at least three hosts are outside their validity \
               period at the same time.",
        lookalikes: &[
            "Certificates that really are expired: they do not all expire on the same day, and the clock agrees with \
             the servers' dates.",
            "The servers' dates are not authenticated, so this is never certain.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-machines/linux/time-sync",
    }
    Inspection {
        word: "inspection",
        meaning: "TLS is inspected: certificates are issued by a CA that the instance does not trust.",
        scope: "The CA.",
        seen: "Several certificates come from one issuer that the instance does not trust. If the hosts belong to \
               several owners, nothing else explains it: no public CA issues certificates for Azure, DigiCert and \
               Windows Update at once.",
        lookalikes: &[
            "A host with its own private CA: then only one owner's hosts are affected.",
            "A server that does not send its intermediate certificates: that is unproven, not a finding.",
        ],
        docs: "https://learn.microsoft.com/azure/firewall/premium-features",
    }
    BackendCa {
        word: "backend-ca",
        meaning: "A backend's certificate is issued by a CA that the instance does not have.",
        scope: "The issuer.",
        seen: "The chain of a host that only the instance's own documents list ends neither in a Windows root nor in a \
               CA certificate uploaded to the instance, and the instance validates it.",
        lookalikes: &[
            "A device that inspects TLS: then Azure hosts present certificates from the same issuer.",
            "A CA certificate uploaded after the documents were collected: collect them again.",
        ],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-howto-ca-certificates",
    }
    WrongName {
        word: "wrong-name",
        meaning: "Hosts present a certificate for another name.",
        scope: "The name in the certificate.",
        seen: "The chain is trusted, but its names do not match the host; or hosts of several owners present the same \
            untrusted certificate, as a captive portal does.",
        lookalikes: &[
            "A DNS record that points to another server: compare the address with what 168.63.129.16 answers.",
            "A device that answers instead of several hosts.",
        ],
        docs: NAMES,
    }
    ExpiredCertificate {
        word: "expired-certificate",
        meaning: "A certificate is expired or not yet valid.",
        scope: "The dependency.",
        seen: "The chain is trusted except for its dates, and too few hosts are affected to suspect the clock.",
        lookalikes: &["A wrong clock: if servers report the time, the notices say how far off the clock is."],
        docs: "https://learn.microsoft.com/azure/virtual-machines/linux/time-sync",
    }
    IcmpRefusal {
        word: "icmp-refusal",
        meaning: "A device refuses traffic with an ICMP error.",
        scope: "The sender of the error; or the dependency, if the target itself sent it or the sender is not known.",
        seen: "An ICMP error with its sender: administratively prohibited, port or protocol unreachable.",
        lookalikes: &["Nothing: the error names its sender. Routers rate-limit ICMP errors, so other traffic under the same rule may get no reply."],
        docs: NSG,
    }
    IcmpUnreachable {
        word: "icmp-unreachable",
        meaning: "A router on the path has no route to the address.",
        scope: "The sender of the error.",
        seen: "An ICMP error (network or host unreachable, or TTL exceeded) from a router on the path.",
        lookalikes: &["A firewall set to reject with host unreachable: check its log."],
        docs: ROUTES,
    }
    DenyPage {
        word: "deny-page",
        meaning: "A firewall or proxy answers HTTP instead of the service.",
        scope: "The product that answers, identified by its page; page-… if hosts of several owners return one page that names no product.",
        seen: "HTTP 470, 407, a known block page, a redirect to another owner's host, or the same page instead of the \
               files requested from hosts of several owners.",
        lookalikes: &[
            "A service that redirects to its own host in another domain: `names` in the catalog covers that.",
            "The page of a CDN that is the service's own front end: it does not count as a block page.",
        ],
        docs: FIREWALL,
    }
    NameFilter {
        word: "name-filter",
        meaning: "A firewall accepts connections, then cuts them because of the host name in the request.",
        scope: "names; or others, for hosts without a confirming control, if a control confirms the filter for other \
                hosts.",
        seen: "The connection is accepted and cut right after the ClientHello or the request. It is certain if a \
               control with another name got through at the same address, immediately before the endpoint's own name \
               was cut again.",
        lookalikes: &[
            "A failing service: then another name at the same address is cut as well, which the control shows.",
            "Connections whose result depends on the source port: several are made before this is reported.",
        ],
        docs: FIREWALL,
    }
    CutPort {
        word: "cut-port",
        meaning: "Everything on a port is accepted and then cut: a firewall lets none of it through.",
        scope: "The ports.",
        seen: "Connections are accepted and cut before the service sends anything, and nothing on the port works. \
               Either 192.0.2.1 (reserved, unused) also accepts on that port and is cut in the same way, or services \
               of at least three dependencies are cut.",
        lookalikes: &[
            "A failing service: then 192.0.2.1 does not accept, and one dependency is affected.",
            "A failing service behind a device that accepts for every address and forwards everything: then \
             connections to 192.0.2.1 end differently.",
        ],
        docs: FIREWALL,
    }
    Cut {
        word: "cut",
        meaning: "Connections are accepted, then cut; nothing shows which device does it.",
        scope: "The dependency.",
        seen: "The connection is accepted, then ends or gets no reply before the service is verified. No control \
            shows that a filter matches host names, or that a device accepts the port for every address.",
        lookalikes: &[
            "A firewall that cuts whatever it has no rule for.",
            "The service itself, if it is down behind its load balancer.",
        ],
        docs: FIREWALL,
    }
    Reset {
        word: "reset",
        meaning: "Connection attempts are refused with a reset.",
        scope: "resets, if a device resets connections to several dependencies; otherwise the dependency.",
        seen: "The SYN is answered with a reset. If connections to three or more dependencies are reset, a device on \
               the path does it: Azure services do not all stop listening at once.",
        lookalikes: &["A service that does not listen on this port: then only one dependency is affected.", "An NSG never \
            resets: it drops."],
        docs: ROUTES,
    }
    KmsSilence {
        word: "kms-silence",
        meaning: "Windows activation traffic is dropped, typically because of forced tunnelling.",
        scope: "kms.",
        seen: "The KMS addresses do not answer on TCP 1688, which Azure lets through NSGs unless 0.0.0.0/0 is routed \
               elsewhere or AzurePlatformLKM is denied.",
        lookalikes: &["A rule that denies the tag AzurePlatformLKM: pass --effective-nsg."],
        docs: "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/custom-routes-enable-kms-activation",
    }
    Silence {
        word: "silence",
        meaning: "Packets are dropped: nothing comes back.",
        scope: "The ports (tcp-1433), if no host answers on them; otherwise the service tag (tag-sql) or the dependency.",
        seen: "Several connections or addresses get no reply to any SYN or datagram. Which other ports, hosts and tags \
               answer shows what is affected.",
        lookalikes: &[
            "An NSG rule, a security admin rule, a firewall's network rule, a route to nowhere: pass --effective-nsg \
             and --effective-routes to have the rule named.",
            "A host that is down: then the others answer.",
            "A link that loses packets: then other connections needed retransmission.",
            "SNAT port exhaustion: then a host that accepted a connection earlier does not answer when it is tried \
             again.",
            "A router that refuses with ICMP errors and rate-limits them: then similar connections get the error.",
            "This VM's own firewall: then the kernel could not retransmit its SYNs.",
        ],
        docs: NSG,
    }
    WrongService {
        word: "wrong-service",
        meaning: "Something answers, but not this service.",
        scope: "The dependency.",
        seen: "The first bytes that come back belong to another protocol.",
        lookalikes: &["A proxy or firewall that answers for every address.", "Another service at the same address and port."],
        docs: FIREWALL,
    }
    SomeAddresses {
        word: "some-addresses",
        meaning: "Some addresses of a name work and others fail.",
        scope: "The dependency.",
        seen: "At least one address worked, and at least one did not.",
        lookalikes: &["A front end that is temporarily down.", "A rule or route that covers only some of the addresses."],
        docs: NSG,
    }
    LateCut {
        word: "late-cut",
        meaning: "The service was verified, and then the connection was cut.",
        scope: "The dependency.",
        seen: "A verified handshake, then a reset, a close or a timeout instead of a reply.",
        lookalikes: &["A device that inspects traffic after letting it through.", "An overloaded service."],
        docs: FIREWALL,
    }
    DnsDiffers {
        word: "dns-differs",
        meaning: "Name servers give different kinds of answers.",
        scope: "Always name-servers.",
        seen: "One configured server gives an address, and another gives none, a private address or an impossible one.",
        lookalikes: &["Different public addresses are normal for anything behind a CDN, and are not a finding."],
        docs: NAMES,
    }
    KmsActivation {
        word: "kms-activation",
        meaning: "KMS answers, but traffic seems to leave through an appliance, and then activation fails.",
        scope: "kms.",
        seen: "KMS works, and other rows show an appliance on the path: block pages, TLS inspection, cut connections, ICMP errors.",
        lookalikes: &["An appliance that handles only part of the traffic: this is only a hint."],
        docs: "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/custom-routes-enable-kms-activation",
    }
    RetiredHosts {
        word: "retired-hosts",
        meaning: "Hosts that are retired but still in the documentation.",
        scope: "Always documentation.",
        seen: "Every name server, including Azure's, answers that the name does not exist, and the host is only documented.",
        lookalikes: &["Nothing that needs action."],
        docs: REFERENCE,
    }
    InstanceView {
        word: "instance-view",
        meaning: "The instance's own network status differs from what this VM saw, or reports a fault.",
        scope: "instance-fails, vm-fails, dns-servers, inbound, internal or stale.",
        seen: "The instance's network status is compared with this run.",
        lookalikes: &["An old document: its time is in the evidence."],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-using-with-vnet",
    }
    OtherRules {
        word: "other-rules",
        meaning: "This VM and the instance do not have the same NSG or route table.",
        scope: "Always subnet.",
        seen: "The management endpoint shows different NSGs or route tables for this VM (its network interface and \
            subnet) and for the instance's subnet.",
        lookalikes: &["Two NSGs or route tables with the same rules: then the results here also apply to the instance."],
        docs: NSG,
    }
    EndpointPolicy {
        word: "endpoint-policy",
        meaning: "A service endpoint policy on the subnet does not include the instance's own storage accounts.",
        scope: "The name of the policy.",
        seen: "The instance's subnet reaches Azure Storage through a service endpoint, and a policy lists the allowed \
               accounts. An instance's accounts are in a Microsoft subscription.",
        lookalikes: &["A policy that lists an alias for Azure services: it may allow the accounts."],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoint-policies-overview",
    }
    OwnHostname {
        word: "own-hostname",
        meaning: "Inside this network, a host name of an internal instance does not resolve to its private address.",
        scope: "nowhere, public or elsewhere.",
        seen: "The name servers deny the name, or answer with an address that is not the instance's private one.",
        lookalikes: &[
            "An application gateway or load balancer in front of the instance, with a custom host name: then its \
             address is correct.",
            "Private addresses that changed after the documents were collected, for example with a new subnet or \
             network mode: collect them again.",
        ],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-using-with-internal-vnet",
    }
    NsgDeny {
        word: "nsg-deny",
        meaning: "The network's own rules deny traffic that a probe from here cannot test.",
        scope: "The dependency and its port.",
        seen: "The effective security rules deny inbound or peer traffic that the instance needs.",
        lookalikes: &["A security admin rule that always allows: effective rules do not show it."],
        docs: REFERENCE,
    }
    AsymmetricRoute {
        word: "asymmetric-route",
        meaning: "Requests come in over the internet, but replies leave through an appliance.",
        scope: "The dependency.",
        seen: "The effective routes send replies to the service tag ApiManagement to a next hop other than Internet.",
        lookalikes: &["Nothing: an appliance drops replies for connections whose start it has not seen."],
        docs: REFERENCE,
    }
}
