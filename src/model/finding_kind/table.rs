//! The kinds of findings, a row each: the word never changes its meaning, as scripts rely on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Facts;

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
        meaning: "What the catalog says must be blocked gets out.",
        scope: "The dependency.",
        seen: "An endpoint with `expect: blocked` proved itself.",
        alike: &["Nothing: an answer at protocol depth shows that the traffic gets out."],
        docs: NSG,
    }
    NeverTried {
        word: "never-tried",
        meaning: "What must be blocked was never tried, so no block is shown.",
        scope: "The dependency.",
        seen: "The name of an endpoint with `expect: blocked` gave no address, so no packet was sent to it.",
        alike: &["A name server that denies the name on purpose: then the block is in DNS, and an address gets past it."],
        docs: REFERENCE,
    }
    LocalFirewall {
        word: "local-firewall",
        meaning: "This VM's own firewall refuses or drops the agent's traffic.",
        scope: "Always this-vm.",
        seen: "An ICMP error came from an address of this VM itself, at once; or the kernel could not send its SYNs again \
               (TCP_INFO), so that they never left this VM.",
        alike: &[
            "A dead next hop: the kernel then says host unreachable only after about three seconds.",
            "A rule on the way that drops: there the kernel can send its SYNs again.",
        ],
        docs: REFERENCE,
    }
    NoRoute {
        word: "no-route",
        meaning: "This VM's routing table has no way to some addresses.",
        scope: "Always this-vm.",
        seen: "`connect` or `send` failed by itself, before any packet left (ENETUNREACH, EHOSTUNREACH).",
        alike: &["Nothing: the kernel says so itself. It is about this VM, not about the instance."],
        docs: ROUTES,
    }
    LocalLimits {
        word: "local-limits",
        meaning: "This VM could not try: it ran out of something, or forbids it.",
        scope: "Always this-vm.",
        seen: "A system call failed by itself: descriptors, ports, memory, permission, no name server configured.",
        alike: &["Nothing: the kernel says so itself. It is about this VM, not about the instance."],
        docs: REFERENCE,
    }
    LocalStub {
        word: "local-stub",
        meaning: "A stub resolver on this VM gives no answer, which the instance does not share.",
        scope: "Always this-vm.",
        seen: "The name server that failed has a loopback address, and no other one was configured.",
        alike: &["The server behind the stub is dead: pass --dns-server with its address, and the report says so."],
        docs: NAMES,
    }
    DeadNextHop {
        word: "dead-next-hop",
        meaning: "Nobody answers for the next hop of a route.",
        scope: "Always first-hop.",
        seen: "This VM's own kernel says host unreachable after it asked three times, a second apart, for the next hop's \
               hardware address (ARP).",
        alike: &[
            "This VM's own firewall: it answers at once.",
            "A router on the way without a route: then the ICMP error has another sender.",
        ],
        docs: ROUTES,
    }
    NoOutbound {
        word: "no-outbound",
        meaning: "No public host answers: this VM has no outbound access, so nothing is known about the instance.",
        scope: "Always internet.",
        seen: "Every public host outside the services with service endpoints is silent (three at least), while names \
               resolve.",
        alike: &[
            "An NSG that denies Internet: pass --effective-nsg, or look at the effective rules.",
            "A route for 0.0.0.0/0 to an appliance that drops everything: pass --effective-routes.",
            "The instance has a public address of its own, so it may have a way out where this VM has none.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access",
    }
    WayOut {
        word: "way-out",
        meaning: "No public host answers, and 0.0.0.0/0 leads to an appliance, a gateway or nowhere, for the instance too.",
        scope: "default-route, or denied where the network's rules deny all of it.",
        seen: "As for no-outbound, and the given rules show a route of a user or of BGP for 0.0.0.0/0, or a denial.",
        alike: &["A subnet without outbound access: then no such route is in force."],
        docs: ROUTES,
    }
    DnsPolicy {
        word: "dns-policy",
        meaning: "A DNS security policy that is linked to the network blocks names.",
        scope: "alias, or servfail where only that shows it.",
        seen: "The answer is the alias blockpolicy.azuredns.invalid, or 168.63.129.16 fails for names while others of their \
               domain resolve.",
        alike: &["A rule of a DNS forwarding ruleset that sends the names to a server that fails: SERVFAIL as well."],
        docs: "https://learn.microsoft.com/azure/dns/dns-security-policy",
    }
    PacketSize {
        word: "packet-size",
        meaning: "Packets of full size are lost, and small ones pass.",
        scope: "Always path.",
        seen: "Two connections with segments of the usual size fell silent after we spoke, and two with segments of 536 bytes \
               proved the service.",
        alike: &[
            "One instance of a pair that loses connections: then connections of one size differ.",
            "A line that loses packets: then others needed retransmission.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning",
    }
    Flows {
        word: "flows",
        meaning: "Of several connections to one address some pass and others do not: one instance of a pair fails.",
        scope: "pair; the dependency, where only one destination shows it.",
        seen: "Connections to the same address and port from different source ports fare differently, over several hosts.",
        alike: &[
            "A NAT that has run out of ports (SNAT): its metrics tell.",
            "A service whose own front end is divided: then only its hosts show it.",
            "A line that loses packets: then connections that pass needed retransmission.",
        ],
        docs: "https://learn.microsoft.com/azure/architecture/networking/guide/network-virtual-appliance-high-availability",
    }
    Loss {
        word: "loss",
        meaning: "The path loses packets, or is slow.",
        scope: "Always path.",
        seen: "Connections that passed had to send something again, or have round trips of about a second; where that is so \
               often that chance explains silence, no rule is blamed for it.",
        alike: &["A name server that is slow: repeated questions alone do not count."],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-tcpip-performance-tuning",
    }
    NoNames {
        word: "no-names",
        meaning: "No name resolves.",
        scope: "Always name-servers.",
        seen: "Not one name of the plan gives an address. What each name server did over UDP and TCP, and whether \
               168.63.129.16 answers, says whose fault it is.",
        alike: &[
            "A dead server and a path that drops UDP 53 look alike over UDP: TCP 53 tells them apart.",
            "A server with dead forwarders accepts TCP 53 and stays silent: it is alive.",
        ],
        docs: NAMES,
    }
    SomeNames {
        word: "some-names",
        meaning: "A name server fails for some names while it answers for others.",
        scope: "names-of- and the server's address.",
        seen: "The lookups of some names fail at a server (no reply, REFUSED, SERVFAIL, or a denial by a server that denies \
               what exists), and others succeed.",
        alike: &[
            "A forwarder for these zones that is gone.",
            "Lost or rate-limited questions: then other names in no common zone fail from run to run.",
            "Replies that are cut short (TC=1) where TCP 53 is closed: the evidence says so.",
        ],
        docs: NAMES,
    }
    NameServer {
        word: "name-server",
        meaning: "A name server fails its own test, while names resolve.",
        scope: "The server's address.",
        seen: "The server was asked for the cloud's login host over UDP and TCP, and one of the two or both failed.",
        alike: &[
            "A rule that names one transport only: the other one then answers.",
            "A server that does not listen: it answers with a reset or ICMP port unreachable.",
        ],
        docs: NAMES,
    }
    PrivateZone {
        word: "private-zone",
        meaning: "A private DNS zone hides a public name.",
        scope: "The zone, or unnamed where the answer does not name it.",
        seen: "The denial comes from Azure's private DNS (SOA azureprivatedns.net) or from a privatelink zone, or it stands \
               behind an alias into such a zone.",
        alike: &["A zone on a custom name server: its SOA is another."],
        docs: "https://learn.microsoft.com/azure/dns/private-dns-fallback",
    }
    PrivateEndpoint {
        word: "private-endpoint",
        meaning: "A private endpoint does not answer: it is gone, or closed.",
        scope: "Its address, or several.",
        seen: "The name leads through a privatelink alias to private addresses, and all of them are silent or refuse.",
        alike: &["A firewall between this subnet and the endpoint's. A rule by service tag is no mend for either."],
        docs: PRIVATE_NAMES,
    }
    Sinkhole {
        word: "sinkhole",
        meaning: "Names resolve to an address where no service can be.",
        scope: "The address.",
        seen: "The answer is 0.0.0.0, loopback, link-local, or another address that no service of Azure can have.",
        alike: &["A hosts file does not matter: the agent asks the name servers itself."],
        docs: NAMES,
    }
    PrivateAddress {
        word: "private-address",
        meaning: "Names resolve to a private address, without a private link, where nothing proves itself.",
        scope: "The address.",
        seen: "The answer is a private address, its aliases lead through no privatelink zone, and the service did not prove \
               itself there.",
        alike: &["A private endpoint whose record was copied by hand: then the service proves itself, and there is no finding."],
        docs: PRIVATE_NAMES,
    }
    NamePolicy {
        word: "name-policy",
        meaning: "A name server denies names of several dependencies.",
        scope: "names-of- and the server's address.",
        seen: "NXDOMAIN for names of three dependencies or more.",
        alike: &["Names that are gone: the documentation is then behind for several services at once, which is rare."],
        docs: NAMES,
    }
    MissingName {
        word: "missing-name",
        meaning: "A name does not exist for the name server, or has no address.",
        scope: "The dependency.",
        seen: "NXDOMAIN, or an answer without an address, for names of one or two dependencies.",
        alike: &[
            "A misspelt name, or one of another cloud.",
            "A zone of its own on the name server that lacks the record: its SOA is in the evidence.",
        ],
        docs: NAMES,
    }
    Clock {
        word: "clock",
        meaning: "This VM's clock is wrong, so that no certificate can be judged.",
        scope: "Always this-vm.",
        seen: "Servers give another time, or certificates of three hosts or more are out of their time at once.",
        alike: &[
            "Certificates that have really ended: not on the same day, and the clock is then right by the servers' dates.",
            "The dates that servers give are not authenticated, so this is never certain.",
        ],
        docs: "https://learn.microsoft.com/azure/virtual-machines/linux/time-sync",
    }
    Inspection {
        word: "inspection",
        meaning: "TLS is inspected: certificates come from a CA that the instance does not trust.",
        scope: "The CA.",
        seen: "Certificates of one issuer that the instance does not trust. Over hosts of several owners nothing else explains \
               it: no company signs for Azure, DigiCert and Windows Update at once.",
        alike: &[
            "A host with a private CA of its own: then it is one owner's hosts only.",
            "A server that leaves out its intermediate certificates: that is unproven, no finding.",
        ],
        docs: "https://learn.microsoft.com/azure/firewall/premium-features",
    }
    BackendCa {
        word: "backend-ca",
        meaning: "A backend's certificate comes from a CA that the instance does not have.",
        scope: "The issuer.",
        seen: "The chain of a host that only the instance's own documents name leads neither to a root of Windows nor to a CA \
               certificate that was uploaded to the instance, which validates it.",
        alike: &[
            "A device that breaks TLS open: then hosts of Azure's show certificates of the same issuer.",
            "An uploaded CA certificate that the documents do not show, as they are older: collect them again.",
        ],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-howto-ca-certificates",
    }
    WrongName {
        word: "wrong-name",
        meaning: "Hosts show a certificate for another name.",
        scope: "The name in the certificate.",
        seen: "The chain is trusted, and its names do not fit the host; or hosts of several owners show one certificate that \
               nobody trusts, as a portal does.",
        alike: &[
            "A record that leads to another server: compare the address with what 168.63.129.16 answers.",
            "A device that answers in the place of several hosts.",
        ],
        docs: NAMES,
    }
    ExpiredCertificate {
        word: "expired-certificate",
        meaning: "A certificate has ended or has not begun.",
        scope: "The dependency.",
        seen: "The chain is trusted but for its dates, and too few hosts show it to blame the clock.",
        alike: &["A wrong clock: where servers give the time, the notices say how far it is off."],
        docs: "https://learn.microsoft.com/azure/virtual-machines/linux/time-sync",
    }
    IcmpRefusal {
        word: "icmp-refusal",
        meaning: "Somebody refuses traffic with an ICMP error.",
        scope: "The sender of the error; the dependency, where the target itself or nobody known sent it.",
        seen: "An ICMP error with its sender: administratively prohibited, port or protocol unreachable.",
        alike: &["Nothing: the error names its sender. Routers limit how many they send, so others of the same rule stay silent."],
        docs: NSG,
    }
    IcmpUnreachable {
        word: "icmp-unreachable",
        meaning: "A router on the way knows no way to the address.",
        scope: "The sender of the error.",
        seen: "An ICMP error that says network or host unreachable, or time to live exceeded, from a router on the way.",
        alike: &["A firewall that is set to reject with host unreachable: its log tells."],
        docs: ROUTES,
    }
    DenyPage {
        word: "deny-page",
        meaning: "A firewall or proxy answers HTTP in place of the service.",
        scope: "Who answers, by the words of the page; page-… where hosts of several owners show one page that names nobody.",
        seen: "HTTP 470, 407, a known deny page, a redirect to somebody else's host, or one page in place of what hosts of several \
               owners were asked for.",
        alike: &[
            "A service that redirects to a host of its own under another domain: `names` in the catalog covers that.",
            "The page of a content network, which is the service's own front: it is not counted.",
        ],
        docs: FIREWALL,
    }
    NameFilter {
        word: "name-filter",
        meaning: "A firewall accepts connections and cuts them by the name that they ask for.",
        scope: "names; others, for what no control shows, beside names that one does.",
        seen: "The connection is accepted and cut at the ClientHello or the request. It is certain where a control with \
               another name got through at the same address, right beside the endpoint's own name that was cut again.",
        alike: &[
            "A service that is unwell: then another name at the same address is cut as well, which the control shows.",
            "Connections that differ by their source port: several are made before this is said.",
        ],
        docs: FIREWALL,
    }
    CutPort {
        word: "cut-port",
        meaning: "Everything on a port is accepted and then cut: a firewall lets nothing of it pass.",
        scope: "The ports.",
        seen: "Connections are accepted and cut before the service says a word, and nothing on the port proves itself. Either \
               192.0.2.1, which nobody owns, is accepted on the same port too and cut there in the same way, or services of \
               three dependencies or more are cut.",
        alike: &[
            "A service that is unwell: then nobody accepts for 192.0.2.1, and it is one dependency.",
            "A service that is unwell behind a device that accepts for everyone and passes everything on: then what goes to \
             192.0.2.1 ends in another way.",
        ],
        docs: FIREWALL,
    }
    Cut {
        word: "cut",
        meaning: "Connections are accepted and cut, and nothing shows by whom.",
        scope: "The dependency.",
        seen: "The connection is accepted and ends or falls silent before the service has shown itself, and no control shows that \
               it goes by the name or that the port is accepted for everyone.",
        alike: &[
            "A firewall that cuts whatever it has no rule for.",
            "The service itself, where it is down behind its load balancer.",
        ],
        docs: FIREWALL,
    }
    Reset {
        word: "reset",
        meaning: "Connection attempts are refused with a reset.",
        scope: "resets, where a device does so for several dependencies; else the dependency.",
        seen: "The SYN is answered with a reset. Over three dependencies or more a device on the way does it: services of Azure do \
               not all stop listening.",
        alike: &["A service that does not listen on this port: one dependency only.", "An NSG never resets: it drops."],
        docs: ROUTES,
    }
    KmsSilence {
        word: "kms-silence",
        meaning: "Windows activation is dropped, as forced tunnelling does it.",
        scope: "kms.",
        seen: "The KMS addresses do not answer on TCP 1688, which the platform lets through NSGs unless 0.0.0.0/0 is routed \
               elsewhere or AzurePlatformLKM is denied.",
        alike: &["A rule that denies the tag AzurePlatformLKM: pass --effective-nsg."],
        docs: "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/custom-routes-enable-kms-activation",
    }
    Silence {
        word: "silence",
        meaning: "Packets are dropped: nothing at all comes back.",
        scope: "The ports (tcp-1433), where nobody answers on them; else the service tag (tag-sql) or the dependency.",
        seen: "Several connections or addresses get no answer to any SYN, or datagrams none. Which ports, hosts and tags answer \
               beside it shows what it is about.",
        alike: &[
            "An NSG rule, a security admin rule, a firewall's network rule, a route to nowhere: pass --effective-nsg and \
             --effective-routes, and the rule gets a name.",
            "A host that is down: one of many that answer.",
            "A line that loses packets: then others needed retransmission.",
            "A NAT that has run out of ports: then a host that had accepted a connection is silent when it is tried once more.",
            "A router that refuses with ICMP, and limits the errors that it sends: then others like it are refused.",
            "This VM's own firewall: then the kernel could not send its SYNs again.",
        ],
        docs: NSG,
    }
    WrongService {
        word: "wrong-service",
        meaning: "Something answers, but not this service.",
        scope: "The dependency.",
        seen: "The first bytes that come back are of another protocol.",
        alike: &["A proxy or firewall that answers for every address.", "Another service at the same address and port."],
        docs: FIREWALL,
    }
    SomeAddresses {
        word: "some-addresses",
        meaning: "Some addresses of a name work and others fail.",
        scope: "The dependency.",
        seen: "At least one address proved itself, and at least one did not.",
        alike: &["A front end that is down for the moment.", "A rule or route that covers a part of the addresses only."],
        docs: NSG,
    }
    LateCut {
        word: "late-cut",
        meaning: "The service proved itself, and then the conversation was cut.",
        scope: "The dependency.",
        seen: "A verified handshake, and then a reset, a close or silence in place of a reply.",
        alike: &["A device that looks into what it has let through.", "A service that is overloaded."],
        docs: FIREWALL,
    }
    DnsDiffers {
        word: "dns-differs",
        meaning: "Name servers give answers of different kinds.",
        scope: "Always name-servers.",
        seen: "One configured server gives an address, and another none, a private or an impossible one.",
        alike: &["Different public addresses are normal for anything behind a content network, and are no finding."],
        docs: NAMES,
    }
    KmsActivation {
        word: "kms-activation",
        meaning: "KMS answers, but traffic seems to leave through an appliance, from where activation fails.",
        scope: "kms.",
        seen: "KMS proved itself, and other rows show an appliance on the way: deny pages, inspection, cuts, ICMP errors.",
        alike: &["An appliance that only sees a part of the traffic: this is a hint and no more."],
        docs: "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/custom-routes-enable-kms-activation",
    }
    RetiredHosts {
        word: "retired-hosts",
        meaning: "The documentation names hosts that no longer exist.",
        scope: "Always documentation.",
        seen: "Every name server, the platform's included, says that the name does not exist, and it is only documented.",
        alike: &["Nothing that needs a change."],
        docs: REFERENCE,
    }
    InstanceView {
        word: "instance-view",
        meaning: "What the instance says of its own network differs from what this VM saw, or tells of a fault.",
        scope: "instance-fails, vm-fails, dns-servers, inbound, internal or stale.",
        seen: "The instance's network status is set beside this run.",
        alike: &["An old document: its time is in the evidence."],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-using-with-vnet",
    }
    OtherRules {
        word: "other-rules",
        meaning: "This VM and the instance do not share the same NSG or route table.",
        scope: "Always subnet.",
        seen: "The network interface and the subnet of this VM and the subnet of the instance, as the management endpoint gives them, \
               name different groups or tables.",
        alike: &["Two groups or tables with the same rules: then what is seen here holds for the instance as well."],
        docs: NSG,
    }
    EndpointPolicy {
        word: "endpoint-policy",
        meaning: "A service endpoint policy of the subnet leaves out the instance's own storage accounts.",
        scope: "The name of the policy.",
        seen: "The instance's subnet reaches Azure Storage through a service endpoint, and a policy lists which accounts may be \
               reached. Those of an instance are in a subscription of Microsoft's.",
        alike: &["A policy that lists an alias of Azure's services: it may let the accounts through."],
        docs: "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoint-policies-overview",
    }
    OwnHostname {
        word: "own-hostname",
        meaning: "A host name of an internal instance does not lead to its private address inside this network.",
        scope: "nowhere, public or elsewhere.",
        seen: "The name servers deny the name, or answer with an address that is not the instance's private one.",
        alike: &[
            "An application gateway or load balancer in front of the instance, with a custom host name: then its address is right.",
            "Private addresses that changed after the documents were collected, as when the subnet or the kind of network \
             changed: collect them again.",
        ],
        docs: "https://learn.microsoft.com/azure/api-management/api-management-using-with-internal-vnet",
    }
    NsgDeny {
        word: "nsg-deny",
        meaning: "The network's own rules deny traffic that no probe from here can see.",
        scope: "The dependency and its port.",
        seen: "The effective security rules deny inbound or peer traffic that the instance needs.",
        alike: &["A security admin rule that always allows: effective rules do not show it."],
        docs: REFERENCE,
    }
    AsymmetricRoute {
        word: "asymmetric-route",
        meaning: "Requests come in over the internet, and replies leave through an appliance.",
        scope: "The dependency.",
        seen: "The effective routes send replies to the service tag ApiManagement to a next hop other than Internet.",
        alike: &["Nothing: an appliance drops replies of connections that it has not seen begin."],
        docs: REFERENCE,
    }
}
