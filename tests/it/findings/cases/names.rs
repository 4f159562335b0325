//! Name servers, zones and names.

use apim_probe::model::{
    Confidence::{Certain, High, Medium},
    Suspect::{DnsServer, Nsg, PrivateDnsZone},
};

use super::super::network::{Fault, Network, Server};
use super::{CUSTOM_DNS, Case, case, dependency, healthy, host};

/// The cases.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    let dns = |does| Network::with_name_servers(&[(CUSTOM_DNS, does)]);
    let two = |first, second| Network::with_name_servers(&[(CUSTOM_DNS, first), ("10.0.0.5", second)]);
    vec![
        case(
            "the custom name server is dead, the platform's name server answers",
            dns(Server::Silent).platform_dns(true),
            (
                "no-names/name-servers",
                "Name server 10.0.0.4 does not reply: no name resolves",
            ),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server is dead, no control was made",
            dns(Server::Silent),
            ("no-names/name-servers", "no name resolves"),
            High,
            DnsServer,
        ),
        case(
            "no name server answers, the platform's included",
            dns(Server::Silent).platform_dns(false),
            ("no-names/name-servers", "no name resolves"),
            High,
            Nsg,
        ),
        case(
            "the platform's name server is denied by its tag",
            Network::with_name_servers(&[("168.63.129.16", Server::Silent)]),
            ("no-names/name-servers", "168.63.129.16 does not reply"),
            High,
            Nsg,
        ),
        case(
            "both custom name servers are dead",
            two(Server::Silent, Server::Silent),
            ("no-names/name-servers", "none of 2 name servers"),
            High,
            DnsServer,
        ),
        case(
            "the custom name server refuses this subnet",
            dns(Server::AnswersRefused),
            ("no-names/name-servers", "refuses to answer"),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server does not forward",
            dns(Server::AnswersServfail),
            ("no-names/name-servers", "SERVFAIL"),
            Certain,
            DnsServer,
        ),
        case(
            "the custom name server denies every name of Azure",
            dns(Server::AnswersNxdomain),
            ("no-names/name-servers", "denies names that exist: no name resolves"),
            Certain,
            DnsServer,
        ),
        case(
            "nothing listens on port 53 of the custom name server",
            dns(Server::NotListening),
            ("no-names/name-servers", "no name resolves"),
            High,
            DnsServer,
        ),
        case(
            "\"DNS resolver subnet NSG blocked UDP 53\": a rule for TCP only",
            dns(Server::TcpOnly),
            (
                "no-names/name-servers",
                "answers over TCP 53 but not over UDP 53: no name resolves",
            ),
            High,
            Nsg,
        ),
        case(
            "TCP 53 is blocked, UDP 53 works",
            dns(Server::UdpOnly).late_connection(true),
            ("name-server/10.0.0.4", "answers over UDP 53 but not over TCP 53"),
            High,
            Nsg,
        ),
        case(
            "one of two name servers is dead",
            two(Server::Silent, Server::Working),
            ("name-server/10.0.0.4", "Name server 10.0.0.4 does not reply"),
            High,
            DnsServer,
        ),
        case(
            "the second of two name servers denies everything",
            two(Server::Working, Server::AnswersNxdomain),
            ("name-server/10.0.0.5", "Name server 10.0.0.5 denies names that exist"),
            Certain,
            DnsServer,
        ),
        case(
            "one name fails, possibly because of its zone",
            dns(Server::Working).fault(host("apirpsql1.database.windows.net"), &Fault::Servfail),
            (
                "some-names/names-of-10.0.0.4",
                "1 name does not resolve: 10.0.0.4 answers SERVFAIL",
            ),
            Medium,
            DnsServer,
        ),
        case(
            "one name fails that the platform resolves",
            dns(Server::Working)
                .fault(host("apirpsql1.database.windows.net"), &Fault::Servfail)
                .platform_answers_every_name(),
            ("some-names/names-of-10.0.0.4", "10.0.0.4 answers SERVFAIL"),
            Certain,
            DnsServer,
        ),
        case(
            "a DNS filter denies names of many dependencies",
            dns(Server::Working).fault(
                |e| {
                    host("go.microsoft.com")(e)
                        || dependency("defender")(e)
                        || dependency("internal-pki")(e)
                        || dependency("captcha")(e)
                },
                &Fault::Nxdomain {
                    authority: None,
                    alias: None,
                },
            ),
            ("name-policy/names-of-10.0.0.4", "do not exist according to 10.0.0.4"),
            High,
            DnsServer,
        ),
        case(
            "a name resolves to a sinkhole address",
            healthy().fault(dependency("entra-id"), &Fault::ResolvesTo("0.0.0.0")),
            ("sinkhole/0.0.0.0", "resolve to 0.0.0.0, which cannot be correct"),
            Certain,
            DnsServer,
        ),
        case(
            "a firewall's DNS filter answers for Entra",
            healthy().fault(dependency("entra-id"), &Fault::ResolvesTo("208.91.112.55")),
            (
                "sinkhole/208.91.112.55",
                "resolve to 208.91.112.55, the sinkhole of FortiGate",
            ),
            Certain,
            DnsServer,
        ),
        case(
            "a DNS filter answers with its own address for names of many owners",
            healthy().fault(
                |e| {
                    dependency("entra-id")(e)
                        || dependency("key-vault")(e)
                        || host("crl3.digicert.com")(e)
                        || host("apimst1.blob.core.windows.net")(e)
                        || host("mscrl.microsoft.com")(e)
                },
                &Fault::ResolvesTo("81.2.69.160"),
            ),
            (
                "sinkhole/81.2.69.160",
                "7 names resolve to 81.2.69.160, where no service was verified",
            ),
            High,
            DnsServer,
        ),
        case(
            "a DNS security policy blocks names",
            healthy().fault(
                |e| dependency("key-vault")(e) || dependency("captcha")(e),
                &Fault::AliasWithoutAddress("blockpolicy.azuredns.invalid"),
            ),
            ("dns-policy/alias", "A DNS security policy blocks 4 names"),
            Certain,
            DnsServer,
        ),
        case(
            "a DNS security policy fails for one name, and others of its domain resolve",
            healthy().fault(host("apimst1.table.core.windows.net"), &Fault::Servfail),
            (
                "dns-policy/servfail",
                "Azure Storage: a DNS security policy blocks its name",
            ),
            High,
            DnsServer,
        ),
        case(
            "the platform fails for the only name of a domain",
            healthy().fault(host("login.microsoftonline.com"), &Fault::Servfail),
            (
                "some-names/names-of-168.63.129.16",
                "1 name does not resolve: 168.63.129.16 answers SERVFAIL",
            ),
            Medium,
            DnsServer,
        ),
        case(
            "a private endpoint does not answer",
            healthy().fault(
                dependency("key-vault"),
                &Fault::AliasTo {
                    alias: "apikv-1.privatelink.vaultcore.azure.net",
                    to: "10.1.5.4",
                },
            ),
            (
                "private-endpoint/10.1.5.4",
                "Azure Key Vault: the private endpoint 10.1.5.4 does not answer",
            ),
            High,
            PrivateDnsZone,
        ),
        case(
            "a forwarder strips the SOA of a private zone without the record",
            dns(Server::Working).fault(
                dependency("key-vault"),
                &Fault::Nxdomain {
                    authority: None,
                    alias: Some("apikv-1.privatelink.vaultcore.azure.net"),
                },
            ),
            (
                "private-zone/privatelink.vaultcore.azure.net",
                "the private zone privatelink.vaultcore.azure.net has no record",
            ),
            High,
            PrivateDnsZone,
        ),
        case(
            "names resolve to the address of a removed private endpoint",
            healthy().fault(dependency("storage"), &Fault::ResolvesTo("10.9.9.9")),
            (
                "private-address/10.9.9.9",
                "3 names resolve to 10.9.9.9, where no service was verified",
            ),
            High,
            DnsServer,
        ),
        case(
            "a private zone has no record of the key vault",
            healthy().fault(
                dependency("key-vault"),
                &Fault::Nxdomain {
                    authority: Some("privatelink.vaultcore.azure.net"),
                    alias: Some("apikv-1.privatelink.vaultcore.azure.net"),
                },
            ),
            (
                "private-zone/privatelink.vaultcore.azure.net",
                "the private zone privatelink.vaultcore.azure.net has no record",
            ),
            Certain,
            PrivateDnsZone,
        ),
        case(
            "the private DNS of Azure answers for a zone that shadows the public one",
            healthy().fault(
                dependency("storage"),
                &Fault::Nxdomain {
                    authority: Some("azureprivatedns.net"),
                    alias: Some("apimst1.privatelink.blob.core.windows.net"),
                },
            ),
            (
                "private-zone/privatelink.blob.core.windows.net",
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
            ("missing-name/storage", "Azure Storage: the name does not resolve"),
            High,
            DnsServer,
        ),
    ]
}
