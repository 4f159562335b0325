//! From blocked rows to root causes: imagined networks with one fault each, and the finding that must come first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use apim_probe::{
    catalog::{Cloud, Need},
    diagnosis::{
        Diagnosis,
        cause::{Cause, Confidence, Suspect, Verdict},
    },
    plan::Endpoint,
    report::Finding,
};
use jiff::SignedDuration;
use proptest::prelude::*;

#[path = "support/network.rs"]
mod network;
use network::{Fault, Network, Server};

/// A network with one fault, and what must be said of it first.
struct Case {
    /// What is wrong, in words; where the symptom table of the field has it, by its quotation.
    what: &'static str,
    network: Network,
    /// The id of the first finding.
    id: &'static str,
    /// Words of its title.
    title: &'static str,
    confidence: Confidence,
    /// The first place to look at.
    suspect: Suspect,
}

fn case(
    what: &'static str,
    network: Network,
    (id, title): (&'static str, &'static str),
    confidence: Confidence,
    suspect: Suspect,
) -> Case {
    Case {
        what,
        network,
        id,
        title,
        confidence,
        suspect,
    }
}

fn of<'a>(dependency: &'a str) -> impl Fn(&Endpoint) -> bool + 'a {
    move |endpoint| endpoint.dependency == dependency
}

fn host<'a>(host: &'a str) -> impl Fn(&Endpoint) -> bool + 'a {
    move |endpoint| endpoint.host == host
}

fn port(port: u16) -> impl Fn(&Endpoint) -> bool {
    move |endpoint| endpoint.port == port && endpoint.dependency != "dns"
}

fn tag<'a>(tag: &'a str) -> impl Fn(&Endpoint) -> bool + 'a {
    move |endpoint| endpoint.service_tag.as_deref() == Some(tag)
}

fn beyond_dns(endpoint: &Endpoint) -> bool {
    endpoint.dependency != "dns"
}

fn speaks_tls(endpoint: &Endpoint) -> bool {
    endpoint.protocol.speaks_tls()
}

fn icmp(code: u8) -> Fault {
    Fault::Icmp {
        sender: "10.1.2.4".parse().unwrap(),
        kind: 3,
        code,
    }
}

const AZURE_FIREWALL: Fault = Fault::Page {
    status: 470,
    body: "Action: Deny. Reason: No rule matched. Proceeding with default action.",
};
const CONTOSO: Fault = Fault::Inspected {
    issuer: "O=Contoso, CN=Contoso Inspection CA",
    trusted_by_vm: true,
};
const CUSTOM_DNS: &str = "10.0.0.4";

fn healthy() -> Network {
    Network::healthy()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Confidence::{Certain, High, Medium};
    use Suspect::{
        DnsServer, FirewallApplicationRule, FirewallNetworkRule, LocalHost, NoOutbound, Nsg, Nva, PrivateDnsZone,
        Proxy, Service, TlsInspection, Udr,
    };
    let dns = |does| Network::with(&[(CUSTOM_DNS, does)]);
    let two = |first, second| Network::with(&[(CUSTOM_DNS, first), ("10.0.0.5", second)]);
    vec![
        // No way out.
        case(
            "everything public is silent: a private subnet without NAT",
            healthy().fault(beyond_dns, &Fault::Silent),
            ("tcp-timeout/no-outbound", "no way out"),
            High,
            NoOutbound,
        ),
        case(
            "everything is silent but what service endpoints carry",
            healthy().fault(
                |e| {
                    beyond_dns(e)
                        && !["Storage", "Sql", "AzureKeyVault", "EventHub"]
                            .iter()
                            .any(|t| tag(t)(e))
                },
                &Fault::Silent,
            ),
            ("tcp-timeout/no-outbound", "no way out"),
            Medium,
            NoOutbound,
        ),
        case(
            "everything is silent before there is an instance",
            healthy().unnamed().fault(beyond_dns, &Fault::Silent),
            ("tcp-timeout/no-outbound", "no way out"),
            High,
            NoOutbound,
        ),
        case(
            "the next hop of the default route is dead",
            healthy().fault(beyond_dns, &Fault::DeadNextHop),
            ("tcp-unreachable/dead-next-hop", "The next hop to 60 hosts is dead"),
            Certain,
            Udr,
        ),
        case(
            "the next hop of one route is dead",
            healthy().fault(tag("Sql"), &Fault::DeadNextHop),
            ("tcp-unreachable/dead-next-hop", "The next hop to 1 host is dead"),
            Certain,
            Udr,
        ),
        case(
            "the VM's own firewall refuses Event Hubs",
            healthy().fault(of("event-hubs"), &Fault::OwnFirewall),
            (
                "tcp-unreachable/firewall-of-this-vm",
                "own firewall refuses traffic to 1 host",
            ),
            Certain,
            LocalHost,
        ),
        case(
            "the VM has no default route",
            healthy().fault(beyond_dns, &Fault::NoRoute),
            ("tcp-no-route/routes-of-this-vm", "routing table has no way"),
            Certain,
            LocalHost,
        ),
        case(
            "a security module forbids connections",
            healthy().fault(|e| speaks_tls(e), &Fault::NotPermitted),
            ("local-fault/limits-of-this-vm", "keep it from trying"),
            Certain,
            LocalHost,
        ),
        // Name servers.
        case(
            "the custom name server is dead, the platform's answers",
            dns(Server::Silent).platform_dns(true),
            (
                "dns-timeout/name-servers",
                "Name server 10.0.0.4 does not reply: no name resolves",
            ),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server is dead, no control was made",
            dns(Server::Silent),
            ("dns-timeout/name-servers", "no name resolves"),
            High,
            DnsServer,
        ),
        case(
            "no name server answers, the platform's included",
            dns(Server::Silent).platform_dns(false),
            ("dns-timeout/name-servers", "no name resolves"),
            High,
            Nsg,
        ),
        case(
            "the platform's name server is denied by its tag",
            Network::with(&[("168.63.129.16", Server::Silent)]),
            ("dns-timeout/name-servers", "168.63.129.16 does not reply"),
            High,
            Nsg,
        ),
        case(
            "both custom name servers are dead",
            two(Server::Silent, Server::Silent),
            ("dns-timeout/name-servers", "none of 2 name servers"),
            High,
            DnsServer,
        ),
        case(
            "the custom name server refuses this subnet",
            dns(Server::Refuses),
            ("dns-refused/name-servers", "refuses to answer"),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server does not forward",
            dns(Server::Fails),
            ("dns-servfail/name-servers", "SERVFAIL"),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server denies every name of Azure",
            dns(Server::Denies),
            ("dns-nxdomain/name-servers", "denies names that exist: no name resolves"),
            Certain,
            DnsServer,
        ),
        case(
            "nothing listens on port 53 of the custom name server",
            dns(Server::NotListening),
            ("dns-timeout/name-servers", "no name resolves"),
            High,
            DnsServer,
        ),
        case(
            "\"DNS resolver subnet NSG blocked UDP 53\": a rule for TCP only",
            dns(Server::TcpOnly),
            ("dns-timeout/name-servers", "UDP 53 is dropped, so no name resolves"),
            High,
            Nsg,
        ),
        case(
            "TCP 53 is blocked, UDP 53 works",
            dns(Server::UdpOnly),
            ("tcp-timeout/10.0.0.4", "TCP 53 does not answer, UDP does"),
            High,
            Nsg,
        ),
        case(
            "one of two name servers is dead",
            two(Server::Silent, Server::Well),
            ("dns/10.0.0.4", "Name server 10.0.0.4 does not reply"),
            High,
            DnsServer,
        ),
        case(
            "the second of two name servers denies everything",
            two(Server::Well, Server::Denies),
            ("dns-nxdomain/10.0.0.5", "Name server 10.0.0.5 denies names that exist"),
            Certain,
            DnsServer,
        ),
        case(
            "one zone is forwarded to nowhere",
            dns(Server::Well).fault(host("apirpsql1.database.windows.net"), &Fault::Servfail),
            (
                "dns-servfail/names-of-10.0.0.4",
                "1 name does not resolve: 10.0.0.4 finds no answer",
            ),
            Certain,
            DnsServer,
        ),
        case(
            "a DNS filter denies names of many dependencies",
            dns(Server::Well).fault(
                |e| host("go.microsoft.com")(e) || of("defender")(e) || of("internal-pki")(e) || of("captcha")(e),
                &Fault::Nxdomain {
                    authority: None,
                    alias: None,
                },
            ),
            ("dns-nxdomain/names", "do not exist for 10.0.0.4"),
            High,
            DnsServer,
        ),
        case(
            "a name is sunk",
            healthy().fault(of("entra-id"), &Fault::Leads("0.0.0.0")),
            ("dns-sinkhole/0.0.0.0", "resolve to 0.0.0.0, which cannot be right"),
            Certain,
            DnsServer,
        ),
        case(
            "names lead to an old private endpoint",
            healthy().fault(of("storage"), &Fault::Leads("10.9.9.9")),
            (
                "dns-private-address/10.9.9.9",
                "3 names resolve to 10.9.9.9, where nothing proves itself",
            ),
            High,
            DnsServer,
        ),
        case(
            "a private zone has no record of the key vault",
            healthy().fault(
                of("key-vault"),
                &Fault::Nxdomain {
                    authority: Some("privatelink.vaultcore.azure.net"),
                    alias: Some("apikv-1.privatelink.vaultcore.azure.net"),
                },
            ),
            (
                "dns-nxdomain/private-zone-privatelink.vaultcore.azure.net",
                "the private zone privatelink.vaultcore.azure.net has no record",
            ),
            Certain,
            PrivateDnsZone,
        ),
        case(
            "the private DNS of Azure answers for a zone that shadows the public one",
            healthy().fault(
                of("storage"),
                &Fault::Nxdomain {
                    authority: Some("azureprivatedns.net"),
                    alias: Some("apimst1.privatelink.blob.core.windows.net"),
                },
            ),
            (
                "dns-nxdomain/private-zone-privatelink.blob.core.windows.net",
                "The private zone privatelink.blob.core.windows.net hides 3 names",
            ),
            Certain,
            PrivateDnsZone,
        ),
        case(
            "the name of the storage account is misspelt",
            healthy().fault(
                |e| e.host.starts_with("apimst1"),
                &Fault::Nxdomain {
                    authority: Some("core.windows.net"),
                    alias: None,
                },
            ),
            ("dns-nxdomain/storage", "Azure Storage: the name does not resolve"),
            High,
            DnsServer,
        ),
        // Rules for a port or a tag.
        case(
            "the NSG has no rule for Sql",
            healthy().fault(port(1433), &Fault::Silent),
            ("tcp-timeout/sql", "Azure SQL: TCP 1433 is dropped in silence"),
            High,
            Nsg,
        ),
        case(
            "the NSG has no rule for Sql, and there is no instance yet",
            healthy().unnamed().fault(port(1433), &Fault::Silent),
            ("tcp-timeout/sql", "Azure SQL: TCP 1433 is dropped in silence"),
            High,
            Nsg,
        ),
        case(
            "the NSG has no rule for Internet:80",
            healthy().fault(port(80), &Fault::Silent),
            ("tcp-timeout/port-80", "TCP 80 is dropped in silence, to 10 hosts"),
            High,
            Nsg,
        ),
        case(
            "\"NSG built from the table, Internet denied\": no rule for Internet:443",
            healthy().fault(|e| tag("Internet")(e) && e.port == 443, &Fault::Silent),
            (
                "tcp-timeout/tag-internet",
                "TCP 443 to the tag Internet is dropped in silence",
            ),
            High,
            Nsg,
        ),
        case(
            "port 1886 of Azure Monitor is missing",
            healthy().fault(port(1886), &Fault::Silent),
            ("tcp-timeout/port-1886", "Azure Monitor: TCP 1886 is dropped in silence"),
            High,
            Nsg,
        ),
        case(
            "the AMQP ports of Event Hubs are missing",
            healthy().fault(|e| port(5671)(e) || port(5672)(e), &Fault::Silent),
            (
                "tcp-timeout/port-5671-5672",
                "Azure Event Hubs: TCP 5671, 5672 is dropped in silence",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for AzureMonitor is missing",
            healthy().fault(tag("AzureMonitor"), &Fault::Silent),
            (
                "tcp-timeout/tag-azure-monitor",
                "to the tag AzureMonitor is dropped in silence",
            ),
            High,
            Nsg,
        ),
        case(
            "\"Publishing wasn't scheduled\": the rule for Storage is missing",
            healthy().fault(tag("Storage"), &Fault::Silent),
            (
                "tcp-timeout/tag-storage",
                "TCP 443 to the tag Storage is dropped in silence",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for Key Vault is missing",
            healthy().fault(tag("AzureKeyVault"), &Fault::Silent),
            (
                "tcp-timeout/key-vault",
                "Azure Key Vault: TCP 443 is dropped in silence",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for Entra ID is missing",
            healthy().fault(tag("AzureActiveDirectory"), &Fault::Silent),
            (
                "tcp-timeout/tag-azure-active-directory",
                "to the tag AzureActiveDirectory is dropped",
            ),
            High,
            Nsg,
        ),
        case(
            "two hosts of Azure Monitor are silent",
            healthy().fault(
                |e| e.host.starts_with("shoebox2") && e.host != "shoebox2-red",
                &Fault::Silent,
            ),
            (
                "tcp-timeout/azure-monitor",
                "Azure Monitor: TCP 443 is dropped in silence (3 of",
            ),
            High,
            Nsg,
        ),
        case(
            "KMS 0xC004F074 under forced tunnelling",
            healthy().fault(of("kms"), &Fault::Silent),
            (
                "tcp-timeout/kms",
                "Windows activation (KMS): TCP 1688 is dropped in silence",
            ),
            High,
            Udr,
        ),
        case(
            "the external cache, which has no tag, is silent",
            healthy().fault(of("redis"), &Fault::Silent),
            (
                "tcp-timeout/redis",
                "External Redis cache: TCP 6380 is dropped in silence",
            ),
            High,
            Nsg,
        ),
        // Firewalls that answer.
        case(
            "an Azure Firewall denies HTTP",
            healthy().fault(port(80), &AZURE_FIREWALL),
            ("http-denied/azure-firewall", "Azure Firewall denies TCP 80 to 14 hosts"),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "an Azure Firewall denies the revocation hosts",
            healthy().fault(|e| of("certificate-revocation")(e) && e.port == 80, &AZURE_FIREWALL),
            (
                "http-denied/azure-firewall",
                "Certificate revocation: Azure Firewall denies TCP 80",
            ),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "a transparent proxy wants a login",
            healthy().fault(port(80), &Fault::Page { status: 407, body: "" }),
            (
                "http-denied/a-proxy-that-wants-a-login",
                "A proxy that wants a login denies TCP 80",
            ),
            Certain,
            Proxy,
        ),
        case(
            "a portal sends every request elsewhere",
            healthy().fault(port(80), &Fault::Redirect("http://portal.example.net/login")),
            (
                "http-denied/portal-example-net",
                "TCP 80 to 14 hosts is redirected to portal.example.net",
            ),
            Certain,
            Proxy,
        ),
        case(
            "\"tcpping works on 443, app fails\": no application rule for one host",
            healthy().fault(host("azurewatsonanalysis-prod.core.windows.net"), &Fault::CutReset),
            (
                "tls-reset/names",
                "Internal diagnostics: TCP 443 is accepted, then reset",
            ),
            High,
            FirewallApplicationRule,
        ),
        case(
            "the firewall has no application rule for whatever is on the Internet",
            healthy().fault(|e| tag("Internet")(e) && e.port == 443, &Fault::CutReset),
            ("tls-reset/names", "A firewall cuts"),
            High,
            FirewallApplicationRule,
        ),
        case(
            "the firewall cuts in different ways",
            healthy()
                .fault(of("application-insights"), &Fault::CutClosed)
                .fault(of("defender"), &Fault::CutSilent)
                .fault(of("captcha"), &Fault::Alert),
            ("cut/names", "by their names"),
            High,
            FirewallApplicationRule,
        ),
        case(
            "at one address one name passes and another does not",
            healthy()
                .sharing("wdcp.microsoft.com", "wdcpalt.microsoft.com")
                .fault(host("wdcp.microsoft.com"), &Fault::CutReset),
            ("tls-reset/names", "Microsoft Defender: TCP 443 is accepted, then reset"),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "every handshake on 443 is cut",
            healthy().fault(|e| e.port == 443, &Fault::CutReset),
            ("tls-reset/names", "A firewall cuts everything on TCP 443, 53 hosts"),
            High,
            FirewallApplicationRule,
        ),
        case(
            "an Azure Firewall accepts 1433 and closes",
            healthy().fault(port(1433), &Fault::CutClosed),
            ("hello-closed/ports", "Azure SQL: TCP 1433 is accepted, then closed"),
            High,
            FirewallNetworkRule,
        ),
        case(
            "an https rule for 1886 makes the firewall accept it",
            healthy().fault(port(1886), &Fault::CutSilent),
            ("tls-timeout/ports", "Azure Monitor: TCP 1886 is accepted, then silent"),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "every port that is not HTTP is accepted and leads nowhere",
            healthy().fault(|e| beyond_dns(e) && !matches!(e.port, 80 | 443 | 123), &Fault::CutReset),
            ("accepted/ports", "accepted for everyone, and leading nowhere"),
            High,
            FirewallNetworkRule,
        ),
        case(
            "\"TCP 1688 established\": an https rule for KMS",
            healthy().fault(of("kms"), &Fault::CutReset),
            (
                "hello-reset/ports",
                "Windows activation (KMS): TCP 1688 is accepted, then reset",
            ),
            High,
            FirewallNetworkRule,
        ),
        case(
            "something else answers on 1433",
            healthy().fault(port(1433), &Fault::Foreign),
            (
                "hello-unexpected/sql",
                "Azure SQL: TCP 1433 is answered by something else",
            ),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "TLS is inspected everywhere, and this VM trusts it",
            healthy().fault(speaks_tls, &CONTOSO),
            (
                "tls-untrusted/contoso-inspection-ca",
                "is inspected by Contoso Inspection CA",
            ),
            Certain,
            TlsInspection,
        ),
        case(
            "TLS is inspected for one host",
            healthy().fault(host("issuer.pki.azure.com"), &CONTOSO),
            (
                "tls-untrusted/contoso-inspection-ca",
                "its certificate comes from Contoso Inspection CA",
            ),
            High,
            TlsInspection,
        ),
        case(
            "a device shows its own certificate for every host",
            healthy().fault(speaks_tls, &Fault::WrongName("login.portal.example.net")),
            (
                "tls-wrong-name/login-portal-example-net",
                "show the certificate of login.portal.example.net",
            ),
            High,
            DnsServer,
        ),
        // Routers and resets.
        case(
            "a router prohibits Event Hubs",
            healthy().fault(of("event-hubs"), &icmp(13)),
            (
                "tcp-unreachable/10.1.2.4",
                "Azure Event Hubs: 10.1.2.4 refuses TCP 5671, 5672, 443",
            ),
            Certain,
            FirewallNetworkRule,
        ),
        case(
            "a router prohibits everything, and tells only some",
            healthy().fault(beyond_dns, &Fault::Silent).fault(
                |e| of("entra-id")(e) || of("sql")(e) || of("kms")(e) || of("captcha")(e),
                &icmp(13),
            ),
            ("refused/10.1.2.4", "10.1.2.4 refuses"),
            Certain,
            FirewallNetworkRule,
        ),
        case(
            "a router knows no way",
            healthy().fault(beyond_dns, &icmp(0)),
            ("tcp-unreachable/routes-of-10.1.2.4", "10.1.2.4 knows no way to"),
            Certain,
            Udr,
        ),
        case(
            "a device resets everything",
            healthy().fault(beyond_dns, &Fault::Refused),
            ("tcp-refused/resets", "A device on the way resets"),
            High,
            Nva,
        ),
        case(
            "one service does not listen",
            healthy().fault(of("redis"), &Fault::Refused),
            (
                "tcp-refused/redis",
                "External Redis cache: TCP 6380 is refused with a reset",
            ),
            High,
            Nva,
        ),
        // Clocks, and what works with something wrong beside.
        case(
            "the clock is a year behind",
            healthy().fault(speaks_tls, &Fault::NotYetValid),
            ("tls-expired/clock", "This VM's clock is wrong"),
            High,
            LocalHost,
        ),
        case(
            "the clock is a year ahead, and was measured",
            healthy()
                .fault(speaks_tls, &Fault::Expired)
                .clock_skew(SignedDuration::from_hours(24 * 365)),
            ("tls-expired/clock", "This VM's clock is off by 365 days"),
            Certain,
            LocalHost,
        ),
        case(
            "one certificate has expired",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::Expired),
            ("tls-expired/internal-pki", "the certificate has ended or has not begun"),
            Medium,
            LocalHost,
        ),
        case(
            "one of two addresses of the vault is silent",
            healthy().fault(of("key-vault"), &Fault::OneAddressSilent),
            (
                "tcp-timeout/key-vault-addresses",
                "Azure Key Vault: 1 of 2 addresses fail",
            ),
            Medium,
            Nsg,
        ),
        case(
            "conversations are cut behind a verified handshake",
            healthy().fault(of("application-insights"), &Fault::CutBehindTls),
            ("hello-reset/application-insights-shaken", "works, with something odd"),
            Medium,
            Nva,
        ),
        case(
            "the second of two name servers does not know one name",
            two(Server::Well, Server::Well).fault(of("entra-id"), &Fault::SecondServerDenies),
            ("dns-differs/name-servers", "Name servers differ about"),
            Medium,
            DnsServer,
        ),
        case(
            "a certificate for another name on one host",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::WrongName("example.net")),
            ("tls-wrong-name/example-net", "the certificate is for example.net"),
            Medium,
            DnsServer,
        ),
        case(
            "a target refuses by itself",
            healthy().fault(
                of("redis"),
                &Fault::Icmp {
                    sender: network::addresses("cache.example.net")[0],
                    kind: 3,
                    code: 3,
                },
            ),
            (
                "tcp-unreachable/redis",
                "External Redis cache: TCP 6380 is refused with an ICMP error",
            ),
            Certain,
            Nva,
        ),
        case(
            "something other than TLS answers",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::Foreign),
            ("tls-not-tls/internal-pki", "TCP 443 answers, but not with TLS"),
            Medium,
            FirewallApplicationRule,
        ),
        case(
            "what must be blocked is open",
            healthy().overlaid(MUST_BE_BLOCKED),
            (
                "open/egress",
                "Traffic that must not get out: TCP 443 must be blocked and is not",
            ),
            Certain,
            Nsg,
        ),
        case(
            "what must be blocked has no address",
            healthy().overlaid(MUST_BE_BLOCKED).fault(
                of("egress"),
                &Fault::Nxdomain {
                    authority: None,
                    alias: None,
                },
            ),
            ("never-tried/egress", "was never tried"),
            Medium,
            DnsServer,
        ),
        case(
            "silence of the service itself, one host of many",
            healthy().fault(host("dc.applicationinsights.azure.com"), &Fault::Silent),
            ("tcp-timeout/application-insights", "(1 of 8 hosts)"),
            Medium,
            Nsg,
        ),
        case(
            "the service refuses, in the Government cloud",
            healthy()
                .in_cloud(Cloud::Usgov, "usgovvirginia")
                .fault(port(1433), &Fault::Refused),
            ("tcp-refused/sql", "Azure SQL: TCP 1433 is refused with a reset"),
            High,
            Nva,
        ),
        case(
            "the cache's certificate is its own",
            healthy().fault(
                of("redis"),
                &Fault::Inspected {
                    issuer: "CN=cache.example.net",
                    trusted_by_vm: false,
                },
            ),
            (
                "tls-untrusted/cache-example-net",
                "External Redis cache: its certificate comes from cache.example.net",
            ),
            High,
            TlsInspection,
        ),
        case(
            "a host is gone although a feature needs it",
            healthy().fault(
                of("captcha"),
                &Fault::Nxdomain {
                    authority: Some("microsoft.com"),
                    alias: None,
                },
            ),
            (
                "dns-nxdomain/captcha",
                "Developer portal CAPTCHA: the name does not resolve",
            ),
            High,
            DnsServer,
        ),
        case(
            "the firewall answers with an alert",
            healthy().fault(of("microsoft-graph"), &Fault::Alert),
            (
                "tls-alert/names",
                "Microsoft Graph: TCP 443 answers the ClientHello with an alert",
            ),
            High,
            FirewallApplicationRule,
        ),
    ]
    .into_iter()
    .inspect(|case| assert!(!matches!(case.suspect, Service), "{}: nobody begins there", case.what))
    .collect()
}

const MUST_BE_BLOCKED: &str = "
schema: 1
dependencies:
  - id: egress
    title: Traffic that must not get out
    need: required
    impact: Data could leave the network.
    endpoints:
      - { host: pastebin.example.net, port: 443, protocol: https, expect: blocked }
";

#[test]
fn one_fault_is_named_first() {
    let cases = cases();
    assert!(cases.len() >= 40);
    let mut missed = Vec::new();
    for case in &cases {
        let findings = case.network.findings();
        let Some(first) = findings.first() else {
            missed.push(format!("{}: no finding", case.what));
            continue;
        };
        let fits = first.id.starts_with(case.id)
            && (case.id.ends_with('/') || first.id == case.id)
            && first.title.contains(case.title)
            && first.confidence == case.confidence
            && first.suspects.first() == Some(&case.suspect);
        if !fits {
            missed.push(format!(
                "{}: {} {:?} {:?} {:?}",
                case.what, first.id, first.title, first.confidence, first.suspects
            ));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {} are not named first:\n{}",
        missed.len(),
        cases.len(),
        missed.join("\n")
    );
}

#[test]
fn one_fault_is_one_finding() {
    for case in cases() {
        let counting: Vec<String> = case
            .network
            .findings()
            .into_iter()
            .filter(|finding| finding.confidence > Confidence::Low)
            .map(|finding| finding.title)
            .collect();
        assert_eq!(counting.len(), 1, "{}: {counting:#?}", case.what);
    }
}

/// Every imagined network, with its name.
fn networks() -> Vec<(&'static str, Network)> {
    let faulty = cases().into_iter().map(|case| (case.what, case.network));
    faulty
        .chain([
            ("nothing is wrong", healthy()),
            ("nothing is wrong, and nothing named", healthy().unnamed()),
        ])
        .collect()
}

/// What must hold of the findings of any run.
fn check(what: &str, network: &Network) -> Result<(), TestCaseError> {
    let findings = network.findings();
    let diagnosis = network.diagnosis();
    prop_assert_eq!(&findings, &network.findings(), "{}: not stable", what);
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    prop_assert_eq!(ids.len(), findings.len(), "{}: ids are not unique: {:?}", what, ids);
    explained_once(what, network, &diagnosis, &findings)?;
    for finding in &findings {
        let Finding {
            id,
            title,
            evidence,
            suspects,
            impact,
            fix,
            confidence,
            endpoints,
            ..
        } = finding;
        prop_assert!(
            !title.is_empty() && !title.contains('\n') && title.chars().count() <= 100,
            "{}: {:?}",
            what,
            title
        );
        prop_assert!(
            id.split_once('/')
                .is_some_and(|(cause, scope)| !cause.is_empty() && !scope.is_empty()),
            "{}",
            id
        );
        prop_assert!(!id.contains(' '), "{}", id);
        prop_assert!((1..=6).contains(&evidence.len()), "{}: {} has {:?}", what, id, evidence);
        let distinct: BTreeSet<&String> = evidence.iter().collect();
        prop_assert_eq!(
            distinct.len(),
            evidence.len(),
            "{}: {} says twice {:?}",
            what,
            id,
            evidence
        );
        prop_assert!(!suspects.is_empty() && !fix.summary.is_empty(), "{}: {}", what, id);
        prop_assert_eq!(impact.is_empty(), endpoints.is_empty(), "{}: {}", what, id);
        prop_assert!(fix.summary.chars().count() <= 250, "{}: {}: {}", what, id, fix.summary);
        let needs: Vec<Need> = network
            .plan()
            .endpoints
            .iter()
            .filter(|e| endpoints.contains(&e.id))
            .map(|e| e.need)
            .collect();
        if needs.iter().all(|need| *need == Need::Documented) {
            prop_assert_eq!(*confidence, Confidence::Low, "{}: {} is only documented", what, id);
        }
    }
    let low_from = findings
        .iter()
        .position(|finding| finding.confidence == Confidence::Low)
        .unwrap_or(findings.len());
    prop_assert!(
        findings[low_from..]
            .iter()
            .all(|finding| finding.confidence == Confidence::Low),
        "{}: hints are not last",
        what
    );
    Ok(())
}

/// Every endpoint that is not as expected belongs to exactly one finding about what is amiss.
fn explained_once(
    what: &str,
    network: &Network,
    diagnosis: &Diagnosis,
    findings: &[Finding],
) -> Result<(), TestCaseError> {
    let mut explained: BTreeMap<&str, usize> = BTreeMap::new();
    for id in findings.iter().flat_map(|finding| &finding.endpoints) {
        *explained.entry(id).or_default() += 1;
    }
    for (endpoint, judgement) in network.plan().endpoints.iter().zip(&diagnosis.judgements) {
        if judgement.as_expected(endpoint.expect) == Some(false) {
            let times = explained.get(endpoint.id.as_str()).copied().unwrap_or_default();
            prop_assert_eq!(
                times,
                1,
                "{}: {} ({:?}) is explained {} times",
                what,
                endpoint.id,
                judgement.cause,
                times
            );
        }
    }
    Ok(())
}

#[test]
fn what_holds_of_all_findings() {
    for (what, network) in networks() {
        check(what, &network).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn any_fault() -> impl Strategy<Value = Option<Fault>> {
    let faults = [
        Fault::Silent,
        Fault::OneAddressSilent,
        Fault::Refused,
        icmp(13),
        icmp(1),
        Fault::DeadNextHop,
        Fault::OwnFirewall,
        Fault::NoRoute,
        Fault::NotPermitted,
        Fault::CutReset,
        Fault::CutClosed,
        Fault::CutSilent,
        Fault::Alert,
        CONTOSO,
        Fault::WrongName("example.net"),
        Fault::Expired,
        AZURE_FIREWALL,
        Fault::Redirect("http://portal.example.net/"),
        Fault::Foreign,
        Fault::CutBehindTls,
        Fault::Nxdomain {
            authority: None,
            alias: None,
        },
        Fault::Nxdomain {
            authority: Some("azureprivatedns.net"),
            alias: None,
        },
        Fault::Servfail,
        Fault::Leads("0.0.0.0"),
        Fault::Leads("10.9.9.9"),
        Fault::SecondServerDenies,
    ];
    prop_oneof![2 => Just(None), 1 => proptest::sample::select(faults.to_vec()).prop_map(Some)]
}

fn any_server() -> impl Strategy<Value = Server> {
    use Server::{Denies, Fails, NotListening, Refuses, Silent, TcpOnly, UdpOnly, Well};
    prop_oneof![4 => Just(Well), 1 => proptest::sample::select(vec![Silent, TcpOnly, UdpOnly, Refuses, Fails, Denies, NotListening])]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_wrong_is_explained_once(
        servers in (any_server(), any_server()),
        faults in proptest::collection::vec(any_fault(), 8..40),
        platform in proptest::option::of(any::<bool>()),
        hours in proptest::option::of(-10_000_i64..10_000),
    ) {
        static NETWORK: LazyLock<Network> = LazyLock::new(|| healthy().overlaid(MUST_BE_BLOCKED));
        let mut network = NETWORK.clone().served_by(&[(CUSTOM_DNS, servers.0), ("10.0.0.5", servers.1)]);
        // The same few faults over and over, so that some are wide and some are lone.
        let ids: Vec<String> = network.plan().endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
        for (id, fault) in ids.iter().zip(faults.iter().cycle()) {
            if let Some(fault) = fault {
                network = network.fault(|endpoint| endpoint.id == *id, fault);
            }
        }
        if let Some(answers) = platform {
            network = network.platform_dns(answers);
        }
        if let Some(hours) = hours {
            network = network.clock_skew(SignedDuration::from_hours(hours));
        }
        check("random faults", &network)?;
    }
}

#[test]
fn nothing_wrong_is_nothing_found() {
    for (what, network) in [
        ("healthy", healthy()),
        ("unnamed", healthy().unnamed()),
        ("Government", healthy().in_cloud(Cloud::Usgov, "usgovvirginia")),
        ("21Vianet", healthy().in_cloud(Cloud::China, "chinaeast2")),
        (
            "a clock five seconds off",
            healthy().clock_skew(SignedDuration::from_secs(-5)),
        ),
    ] {
        let titles: Vec<String> = network.findings().into_iter().map(|finding| finding.title).collect();
        assert!(titles.is_empty(), "{what}: {titles:?}");
    }
}

/// What the page names although it need not answer, and what only an appliance makes doubtful, is a hint and no more.
#[test]
fn hints_stay_low() {
    let gone = Fault::Nxdomain {
        authority: Some("com"),
        alias: None,
    };
    for (what, network, id) in [
        (
            "a documented host is gone",
            healthy().fault(host("csp.digicert.com"), &gone),
            "retired/documentation",
        ),
        (
            "a content network shows its own certificate",
            healthy().fault(|e| e.host.starts_with("crl3") && e.port == 443, &Fault::CutReset),
            "tls-reset/names",
        ),
        (
            "NTP gets no answer",
            healthy().fault(of("ntp"), &Fault::Silent),
            "hello-timeout/ntp",
        ),
        (
            "\"APIM calls random IPs on 12000\": nobody answers there",
            healthy().fault(port(12000), &Fault::Silent),
            "tcp-timeout/port-12000",
        ),
        (
            "the clock is an hour off and broke nothing",
            healthy().clock_skew(SignedDuration::from_hours(1)),
            "clock/clock",
        ),
    ] {
        let findings = network.findings();
        let ids: Vec<(&str, Confidence)> = findings.iter().map(|f| (f.id.as_str(), f.confidence)).collect();
        assert!(ids.contains(&(id, Confidence::Low)), "{what}: {ids:?}");
        assert!(
            ids.iter().all(|(_, confidence)| *confidence == Confidence::Low),
            "{what}: {ids:?}"
        );
    }
}

#[test]
fn an_answer_of_kms_is_doubted_where_an_appliance_shows_itself() {
    let hint = |network: Network| {
        network
            .findings()
            .into_iter()
            .find(|finding| finding.id == "kms-activation/kms")
    };
    assert!(hint(healthy()).is_none(), "no sign");
    assert!(
        hint(healthy().fault(port(1433), &Fault::Silent)).is_none(),
        "silence is no sign: an NSG is silent too"
    );
    for sign in [AZURE_FIREWALL, CONTOSO, Fault::CutReset, icmp(13)] {
        let hint = hint(healthy().fault(|e| beyond_dns(e) && matches!(e.port, 80 | 443), &sign)).expect("a hint");
        assert_eq!(hint.confidence, Confidence::Low);
        assert!(
            hint.fix
                .commands
                .iter()
                .any(|line| line.contains("--next-hop-type Internet")),
            "{:?}",
            hint.fix
        );
    }
}

#[test]
fn silence_beside_refusals_belongs_to_the_router_only_where_it_can() {
    // Event Hubs is refused on one port and silent on another of the same rule; SQL is silent for a reason of its own.
    let network = healthy()
        .fault(|e| of("application-insights")(e), &Fault::Silent)
        .fault(host("dc.services.visualstudio.com"), &icmp(13))
        .fault(port(1433), &Fault::Silent);
    let findings = network.findings();
    let router = findings
        .iter()
        .find(|finding| finding.id.ends_with("/10.1.2.4"))
        .expect("the router");
    assert!(
        router
            .endpoints
            .iter()
            .any(|id| id.starts_with("application-insights/rt.")),
        "{:?}",
        router.endpoints
    );
    assert!(
        router
            .evidence
            .iter()
            .any(|sentence| sentence.contains("routers limit")),
        "{:?}",
        router.evidence
    );
    assert!(findings.iter().any(|finding| finding.id == "tcp-timeout/sql"));
}

#[test]
fn a_dead_name_server_explains_every_host() {
    let network = Network::with(&[(CUSTOM_DNS, Server::Silent)]).platform_dns(true);
    let findings = network.findings();
    let [only] = findings.as_slice() else {
        panic!("{} findings", findings.len())
    };
    let hosts = network
        .diagnosis()
        .judgements
        .iter()
        .filter(|judgement| judgement.verdict == Verdict::Blocked)
        .count();
    assert_eq!(only.endpoints.len(), hosts);
    assert!(
        only.evidence
            .iter()
            .any(|sentence| sentence.contains("168.63.129.16 answers")),
        "{:?}",
        only.evidence
    );
}

#[test]
fn several_faults_rank_by_what_the_instance_cannot_do_without() {
    let network = healthy()
        .fault(of("defender"), &Fault::CutReset)
        .fault(of("application-insights"), &CONTOSO)
        .fault(port(1433), &Fault::Silent)
        .fault(of("key-vault"), &Fault::OneAddressSilent)
        .fault(
            host("csp.digicert.com"),
            &Fault::Nxdomain {
                authority: None,
                alias: None,
            },
        );
    let ids: Vec<String> = network.findings().into_iter().map(|finding| finding.id).collect();
    assert_eq!(
        ids,
        [
            "tcp-timeout/sql",
            "tls-untrusted/contoso-inspection-ca",
            "tls-reset/names",
            "tcp-timeout/key-vault-addresses",
            "kms-activation/kms",
            "retired/documentation",
        ]
    );
}

#[test]
fn fixes_name_the_rule() {
    let first = |network: Network| network.findings().into_iter().next().expect("a finding");

    let sql = first(healthy().fault(port(1433), &Fault::Silent));
    assert!(
        sql.fix.summary.contains("TCP 1433 to Sql.WestEurope"),
        "{}",
        sql.fix.summary
    );
    assert!(
        sql.fix.commands[0].ends_with("--destination-address-prefixes Sql.WestEurope --destination-port-ranges 1433"),
        "{}",
        sql.fix.commands[0]
    );

    let page = first(healthy().fault(port(80), &AZURE_FIREWALL));
    let rule = &page.fix.commands[0];
    assert!(
        rule.contains("ApplicationRule") && rule.contains("Http=80") && rule.contains(" crl3.digicert.com"),
        "{rule}"
    );

    let cut = first(healthy().fault(|e| e.host.ends_with(".data.microsoft.com"), &Fault::CutReset));
    assert!(
        cut.fix.commands[0].ends_with("--target-fqdns '*.data.microsoft.com'"),
        "{}",
        cut.fix.commands[0]
    );

    let kms = first(healthy().fault(of("kms"), &Fault::Silent));
    assert!(
        kms.fix.commands[0].contains("/32 --next-hop-type Internet"),
        "{}",
        kms.fix.commands[0]
    );
}

/// What is spoken there is not HTTP: an https application rule makes the firewall accept and the service fail.
#[test]
fn no_application_rule_for_what_is_not_http() {
    for fault in [
        Fault::Silent,
        Fault::CutReset,
        Fault::CutSilent,
        Fault::Foreign,
        icmp(13),
        Fault::Refused,
    ] {
        for not_http in [1433, 1886, 5671, 5672, 1688] {
            for finding in healthy().fault(port(not_http), &fault).findings() {
                let rules = finding
                    .fix
                    .commands
                    .iter()
                    .filter(|line| line.contains("ApplicationRule"));
                assert_eq!(rules.count(), 0, "{not_http} {fault:?}: {:?}", finding.fix.commands);
            }
        }
    }
}

#[test]
fn every_finding_over_tcp_can_be_confirmed_from_the_instance() {
    for (cloud, region, management) in [
        (Cloud::Public, "westeurope", "management.azure.com"),
        (Cloud::Usgov, "usgovvirginia", "management.usgovcloudapi.net"),
        (Cloud::China, "chinaeast2", "management.chinacloudapi.cn"),
    ] {
        let findings = healthy()
            .in_cloud(cloud, region)
            .fault(port(1433), &Fault::Silent)
            .findings();
        let check = findings[0].fix.commands.last().expect("a command");
        let (line, body) = check.split_once(" --body ").expect("a body");
        assert!(
            line.starts_with(&format!(
                "az rest --method post --url \"https://{management}/subscriptions/"
            )),
            "{line}"
        );
        let body: serde_json::Value = serde_json::from_str(body.trim_matches('\'')).expect("JSON");
        assert_eq!(body["source"]["region"], region);
        assert_eq!(body["destination"]["port"], 1433);
        assert!(
            body["destination"]["address"]
                .as_str()
                .is_some_and(|address| address.starts_with("apirpsql1."))
        );
    }
}

#[test]
fn a_subset_of_the_catalog_is_no_way_out_to_judge_by() {
    let findings = healthy()
        .only(&["sql", "dns"])
        .fault(port(1433), &Fault::Silent)
        .findings();
    assert_eq!(findings[0].id, "tcp-timeout/sql");
    assert_eq!(findings[0].cause, Some(Cause::TcpTimeout));
}
