//! Rules that are missing for a port or a tag.

use apim_probe::model::{
    Confidence::High,
    Suspect::{Nsg, Udr},
};

use super::super::network::Fault;
use super::{Case, case, dependency, healthy, port, tag};

/// The cases.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "the NSG has no rule for Sql",
            healthy().fault(port(1433), &Fault::Silent),
            ("silence/tcp-1433", "Azure SQL: TCP 1433 gets no reply (dropped)"),
            High,
            Nsg,
        ),
        case(
            "the NSG has no rule for Sql, and there is no instance yet",
            healthy().without_instance_names().fault(port(1433), &Fault::Silent),
            ("silence/tcp-1433", "Azure SQL: TCP 1433 gets no reply (dropped)"),
            High,
            Nsg,
        ),
        case(
            "the NSG has no rule for Internet:80",
            healthy().fault(port(80), &Fault::Silent),
            ("silence/tcp-80", "TCP 80 gets no reply (dropped), 13 hosts"),
            High,
            Nsg,
        ),
        case(
            "\"NSG built from the table, Internet denied\": no rule for Internet:443",
            healthy().fault(|e| tag("Internet")(e) && e.port == 443, &Fault::Silent),
            (
                "silence/tag-internet",
                "TCP 443 to the tag Internet gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for port 1886 of Azure Monitor is missing",
            healthy().fault(port(1886), &Fault::Silent),
            ("silence/tcp-1886", "Azure Monitor: TCP 1886 gets no reply (dropped)"),
            High,
            Nsg,
        ),
        case(
            "the rule for the AMQP ports of Event Hubs is missing",
            healthy().fault(|e| port(5671)(e) || port(5672)(e), &Fault::Silent),
            (
                "silence/tcp-5671-5672",
                "Azure Event Hubs: TCP 5671, 5672 gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for AzureMonitor is missing",
            healthy().fault(tag("AzureMonitor"), &Fault::Silent),
            (
                "silence/tag-azure-monitor",
                "to the tag AzureMonitor gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
        case(
            "\"Publishing wasn't scheduled\": the rule for Storage is missing",
            healthy().fault(tag("Storage"), &Fault::Silent),
            (
                "silence/tag-storage",
                "TCP 443 to the tag Storage gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for Key Vault is missing",
            healthy().fault(tag("AzureKeyVault"), &Fault::Silent),
            (
                "silence/tag-azure-key-vault",
                "Azure Key Vault: TCP 443 gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
        case(
            "the rule for Entra ID is missing",
            healthy().fault(tag("AzureActiveDirectory"), &Fault::Silent),
            (
                "silence/tag-azure-active-directory",
                "to the tag AzureActiveDirectory gets no reply",
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
                "silence/azure-monitor",
                "Azure Monitor: TCP 443 gets no reply (dropped), 3 of",
            ),
            High,
            Nsg,
        ),
        case(
            "KMS 0xC004F074 under forced tunnelling",
            healthy().fault(dependency("kms"), &Fault::Silent),
            (
                "kms-silence/kms",
                "Windows activation (KMS): TCP 1688 gets no reply (dropped)",
            ),
            High,
            Udr,
        ),
        case(
            "the external cache, which has no tag, is silent",
            healthy().fault(dependency("redis"), &Fault::Silent),
            (
                "silence/tcp-6380",
                "External Redis cache: TCP 6380 gets no reply (dropped)",
            ),
            High,
            Nsg,
        ),
    ]
}
