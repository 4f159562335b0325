//! Clocks, endpoints that work with a defect, single hosts, and endpoints that must be blocked.

use apim_probe::{
    azure::Cloud,
    model::{
        Confidence::{Certain, High, Medium},
        Suspect::{DnsServer, FirewallApplicationRule, LocalHost, Nsg, Nva, PrivateDnsZone, Service, TlsInspection},
    },
};
use jiff::SignedDuration;

use super::super::network::{Fault, Network, Server, addresses};
use super::{CUSTOM_DNS, Case, MUST_BE_BLOCKED, case, dependency, healthy, host, port, speaks_tls};

/// The cases.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    let two = |first, second| Network::with_name_servers(&[(CUSTOM_DNS, first), ("10.0.0.5", second)]);
    vec![
        case(
            "the clock is a year behind",
            healthy().fault(speaks_tls, &Fault::NotYetValid),
            ("clock/this-vm", "This VM's clock is wrong"),
            High,
            LocalHost,
        ),
        case(
            "the clock is a year ahead, and was measured",
            healthy()
                .fault(speaks_tls, &Fault::Expired)
                .clock_ahead(SignedDuration::from_hours(24 * 365), true),
            ("clock/this-vm", "This VM's clock is off by 365 d"),
            Certain,
            LocalHost,
        ),
        case(
            "the clock is a year ahead, according to unverified peers",
            healthy()
                .fault(speaks_tls, &Fault::Expired)
                .clock_ahead(SignedDuration::from_hours(24 * 365), false),
            ("clock/this-vm", "This VM's clock may be off by 365 d"),
            High,
            LocalHost,
        ),
        case(
            "one certificate has expired, and an unverified peer reports a clock an hour ahead",
            healthy()
                .fault(host("issuer.pki.azure.com"), &Fault::Expired)
                .clock_ahead(SignedDuration::from_hours(1), false),
            (
                "expired-certificate/internal-pki",
                "the certificate is expired or not yet valid",
            ),
            Medium,
            LocalHost,
        ),
        case(
            "one instance of a firewall pair drops its connections",
            healthy().fault(speaks_tls, &Fault::EverySecondConnectionLost),
            ("flows/pair", "Half of the connections are lost: one instance of a pair"),
            Medium,
            Nva,
        ),
        case(
            "a tunnel has a smaller MTU than its ends assume",
            healthy().fault(speaks_tls, &Fault::FullSizePacketsLost),
            ("packet-size/path", "Full-size packets are lost"),
            Certain,
            Nva,
        ),
        case(
            "the path loses packets, and retransmission recovers them",
            healthy().fault(speaks_tls, &Fault::Retransmitted { spurious: false }),
            ("loss/path", "The path loses packets"),
            High,
            Nva,
        ),
        case(
            "one certificate has expired",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::Expired),
            (
                "expired-certificate/internal-pki",
                "the certificate is expired or not yet valid",
            ),
            Medium,
            LocalHost,
        ),
        case(
            "one of two addresses of the vault is silent",
            healthy().fault(dependency("key-vault"), &Fault::OneAddressSilent),
            ("some-addresses/key-vault", "Azure Key Vault: 1 of 2 addresses fails"),
            Medium,
            Nsg,
        ),
        case(
            "connections are cut after a verified handshake",
            healthy().fault(dependency("application-insights"), &Fault::CutAfterTls),
            ("late-cut/application-insights", "works, but with an anomaly"),
            Medium,
            Nva,
        ),
        case(
            "the second of two name servers denies one name",
            two(Server::Working, Server::Working).fault(dependency("entra-id"), &Fault::SecondServerNxdomain),
            ("dns-differs/name-servers", "Name servers give different answers for"),
            Medium,
            DnsServer,
        ),
        case(
            "a certificate for another name on one host",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::WrongName("example.net")),
            ("wrong-name/example-net", "the certificate is for example.net"),
            Medium,
            DnsServer,
        ),
        case(
            "a target itself refuses with an ICMP error",
            healthy().fault(
                dependency("redis"),
                &Fault::Icmp {
                    sender: addresses("cache.example.net")[0],
                    kind: 3,
                    code: 3,
                },
            ),
            (
                "icmp-refusal/redis",
                "External Redis cache: TCP 6380 is refused with an ICMP error",
            ),
            Certain,
            Nva,
        ),
        case(
            "something other than TLS answers",
            healthy().fault(host("issuer.pki.azure.com"), &Fault::Foreign),
            ("wrong-service/internal-pki", "TCP 443 answers, but not with TLS"),
            Medium,
            FirewallApplicationRule,
        ),
        case(
            "what must be blocked is open",
            healthy().catalog_overlay(MUST_BE_BLOCKED),
            (
                "open/egress",
                "Traffic that must not get out: TCP 443 must be blocked but is not",
            ),
            Certain,
            Nsg,
        ),
        case(
            "what must be blocked has no address",
            healthy().catalog_overlay(MUST_BE_BLOCKED).fault(
                dependency("egress"),
                &Fault::Nxdomain {
                    authority: None,
                    alias: None,
                },
            ),
            ("never-tried/egress", "was not tried"),
            Medium,
            DnsServer,
        ),
        case(
            "one host of many does not reply",
            healthy().fault(host("dc.applicationinsights.azure.com"), &Fault::Silent),
            ("silence/application-insights", ", 1 of 8 hosts"),
            Medium,
            Nsg,
        ),
        case(
            "the service refuses, in the Government cloud",
            healthy()
                .in_cloud(Cloud::Usgov, "usgovvirginia")
                .fault(port(1433), &Fault::Refused),
            ("reset/sql", "Azure SQL: TCP 1433 is refused with a reset"),
            Medium,
            Nva,
        ),
        case(
            "the cache has a self-issued certificate",
            healthy().fault(
                dependency("redis"),
                &Fault::Inspected {
                    issuer: "CN=cache.example.net",
                    trusted_by_vm: false,
                },
            ),
            (
                "inspection/cache-example-net",
                "External Redis cache: its certificate is issued by cache.example.net",
            ),
            High,
            TlsInspection,
        ),
        case(
            "a host that a feature needs does not exist",
            healthy().fault(
                dependency("captcha"),
                &Fault::Nxdomain {
                    authority: Some("microsoft.com"),
                    alias: None,
                },
            ),
            (
                "missing-name/captcha",
                "Developer portal CAPTCHA: the name does not resolve",
            ),
            High,
            DnsServer,
        ),
        case(
            "the firewall answers with an alert",
            healthy().fault(dependency("microsoft-graph"), &Fault::Alert),
            (
                "name-filter/names",
                "Microsoft Graph: TCP 443 answers the ClientHello with an alert",
            ),
            Medium,
            FirewallApplicationRule,
        ),
        case(
            "a backend has a certificate of the company's own CA",
            healthy().instance_document(ORDERS).fault(
                host("orders.corp.example"),
                &Fault::Inspected {
                    issuer: "O=Corp, CN=Corp Issuing CA",
                    trusted_by_vm: true,
                },
            ),
            (
                "backend-ca/corp-issuing-ca",
                "Backend of API Orders: its certificate is from Corp Issuing CA",
            ),
            Medium,
            Service,
        ),
        case(
            "the names of an internal instance are missing in DNS",
            healthy().instance_document(INTERNAL).fault(
                dependency("own-hostnames"),
                &Fault::Nxdomain {
                    authority: Some("azure-api.net"),
                    alias: None,
                },
            ),
            (
                "own-hostname/nowhere",
                "contoso.azure-api.net does not exist in this network",
            ),
            Certain,
            PrivateDnsZone,
        ),
    ]
}

const ORDERS: &str =
    r#"{ "apis": [ { "properties": { "displayName": "Orders", "serviceUrl": "https://orders.corp.example" } } ] }"#;
const INTERNAL: &str = r#"{ "properties": { "gatewayUrl": "https://contoso.azure-api.net", "virtualNetworkType": "Internal",
    "privateIPAddresses": [ "10.1.0.5" ] } }"#;
