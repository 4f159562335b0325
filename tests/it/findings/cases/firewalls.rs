//! Firewalls and proxies that answer.

use apim_probe::model::{
    Confidence::{Certain, High, Medium},
    Suspect::{DnsServer, FirewallApplicationRule, FirewallNetworkRule, Proxy, Service, TlsInspection},
};

use super::super::network::{Cutter, Fault};
use super::{
    AZURE_FIREWALL_DENY, CONTOSO_INSPECTION, Case, TERMS_PAGE, case, dependency, healthy, host, not_dns, port,
    speaks_tls, tag,
};

/// The cases.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "an Azure Firewall denies HTTP",
            healthy().fault(port(80), &AZURE_FIREWALL_DENY),
            ("deny-page/azure-firewall", "Azure Firewall denies TCP 80 to 17 hosts"),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "an Azure Firewall denies the revocation hosts",
            healthy().fault(
                |e| dependency("certificate-revocation")(e) && e.port == 80,
                &AZURE_FIREWALL_DENY,
            ),
            (
                "deny-page/azure-firewall",
                "Certificate revocation: Azure Firewall denies TCP 80",
            ),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "a transparent proxy requires a login",
            healthy().fault(port(80), &Fault::Page { status: 407, body: "" }),
            (
                "deny-page/a-proxy-that-requires-a-login",
                "A proxy that requires a login denies TCP 80",
            ),
            Certain,
            Proxy,
        ),
        case(
            "a portal redirects every request to itself",
            healthy().fault(port(80), &Fault::Redirect("http://portal.example.net/login")),
            (
                "deny-page/portal-example-net",
                "TCP 80 to 17 hosts is redirected to portal.example.net",
            ),
            High,
            Proxy,
        ),
        case(
            "\"tcpping works on 443, app fails\": no application rule for one host",
            healthy()
                .fault(host("azurewatsonanalysis-prod.core.windows.net"), &Fault::CutReset)
                .cut_by(Cutter::NameFilter),
            (
                "name-filter/names",
                "Internal diagnostics: TCP 443 is accepted, then reset",
            ),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "the firewall has no application rule for hosts with the tag Internet",
            healthy()
                .fault(|e| tag("Internet")(e) && e.port == 443, &Fault::CutReset)
                .cut_by(Cutter::NameFilter),
            ("name-filter/names", "is accepted, then cut by host name"),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "the firewall cuts in different ways",
            healthy()
                .fault(dependency("application-insights"), &Fault::CutClosed)
                .fault(dependency("defender"), &Fault::CutSilent)
                .fault(dependency("captcha"), &Fault::Alert),
            ("name-filter/names", "is accepted, then cut, while other hosts work"),
            Medium,
            FirewallApplicationRule,
        ),
        case(
            "of two names at one address, one passes and one is cut",
            healthy()
                .sharing_addresses("wdcp.microsoft.com", "wdcpalt.microsoft.com")
                .fault(host("wdcp.microsoft.com"), &Fault::CutReset),
            (
                "name-filter/names",
                "Microsoft Defender: TCP 443 is accepted, then reset",
            ),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "every handshake on 443 is cut",
            healthy()
                .fault(|e| e.port == 443, &Fault::CutReset)
                .cut_by(Cutter::PortFilter),
            ("cut-port/tcp-443", "A firewall cuts all traffic on TCP 443, "),
            Certain,
            FirewallApplicationRule,
        ),
        case(
            "an Azure Firewall accepts 1433 and closes",
            healthy()
                .fault(port(1433), &Fault::CutClosed)
                .cut_by(Cutter::PortFilter),
            ("cut-port/tcp-1433", "Azure SQL: TCP 1433 is accepted, then closed"),
            High,
            FirewallNetworkRule,
        ),
        case(
            "an https rule for 1886 makes the firewall accept it",
            healthy()
                .fault(port(1886), &Fault::CutSilent)
                .cut_by(Cutter::PortFilter),
            (
                "cut-port/tcp-1886",
                "Azure Monitor: TCP 1886 is accepted, then gets no reply",
            ),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "every port that is not HTTP is accepted, then reset",
            healthy()
                .fault(|e| not_dns(e) && !matches!(e.port, 80 | 443 | 123), &Fault::CutReset)
                .cut_by(Cutter::PortFilter),
            ("cut-port/", "A firewall cuts all traffic on"),
            Certain,
            FirewallNetworkRule,
        ),
        case(
            "\"TCP 1688 established\": an https rule for KMS",
            healthy()
                .fault(dependency("kms"), &Fault::CutReset)
                .cut_by(Cutter::PortFilter),
            (
                "cut-port/tcp-1688",
                "Windows activation (KMS): TCP 1688 is accepted, then reset",
            ),
            High,
            FirewallNetworkRule,
        ),
        case(
            "every handshake on 443 is cut, and no control was made",
            healthy().fault(|e| e.port == 443, &Fault::CutReset),
            ("cut-port/tcp-443", "A firewall cuts all traffic on TCP 443, "),
            High,
            FirewallApplicationRule,
        ),
        case(
            "one host is cut, and no control was made",
            healthy().fault(host("azurewatsonanalysis-prod.core.windows.net"), &Fault::CutReset),
            ("name-filter/names", "TCP 443 is accepted, then reset"),
            Medium,
            FirewallApplicationRule,
        ),
        case(
            "SQL resets what it accepts, and no control was made",
            healthy().fault(port(1433), &Fault::CutReset),
            ("cut/sql", "Azure SQL: TCP 1433 is accepted, then reset"),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "a service resets every handshake, regardless of the name",
            healthy()
                .fault(dependency("captcha"), &Fault::CutReset)
                .cut_by(Cutter::Service),
            ("cut/captcha", "TCP 443 is accepted, then reset"),
            Medium,
            Service,
        ),
        case(
            "something else answers on 1433",
            healthy().fault(port(1433), &Fault::Foreign),
            (
                "wrong-service/sql",
                "Azure SQL: TCP 1433 is answered by something other than the service",
            ),
            Medium,
            FirewallNetworkRule,
        ),
        case(
            "TLS is inspected everywhere, and this VM trusts the issuer",
            healthy().fault(speaks_tls, &CONTOSO_INSPECTION),
            (
                "inspection/contoso-inspection-ca",
                "is inspected by Contoso Inspection CA",
            ),
            Certain,
            TlsInspection,
        ),
        case(
            "a portal shows its own certificate for every host",
            healthy().fault(speaks_tls, &Fault::SelfSigned("portal.example.net")),
            ("wrong-name/portal-example-net", "A portal or appliance answers TLS to"),
            Certain,
            Proxy,
        ),
        case(
            "the same page for every host on port 80, without a product name",
            healthy().fault(port(80), &TERMS_PAGE),
            (
                "deny-page/page-terms-of-use",
                "17 hosts answer TCP 80 with the same page: \"Terms of use\"",
            ),
            High,
            Proxy,
        ),
        case(
            "TLS is inspected for one host",
            healthy().fault(host("issuer.pki.azure.com"), &CONTOSO_INSPECTION),
            (
                "inspection/contoso-inspection-ca",
                "its certificate is issued by Contoso Inspection CA",
            ),
            High,
            TlsInspection,
        ),
        case(
            "a device shows its own certificate for every host",
            healthy().fault(speaks_tls, &Fault::WrongName("login.portal.example.net")),
            (
                "wrong-name/login-portal-example-net",
                "present the certificate of login.portal.example.net",
            ),
            High,
            DnsServer,
        ),
    ]
}
