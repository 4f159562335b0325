//! The words in documents for the catalog's dependencies.

use crate::azure::normalised;

/// The meaning of a word in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something that the instance connects to: the dependency's id, and the port if the host does not contain one.
    Outbound(&'static str, Option<u16>),
    /// Something that connects to the instance.
    Inbound,
    /// A part of the instance itself.
    Internal,
}

/// The `resourceType` of a network status (values seen from 2019 to 2025).
pub(super) fn of_resource_type(word: &str) -> Option<Meaning> {
    use Meaning::{Inbound, Internal, Outbound};
    Some(match normalised(word).as_str() {
        "blobstorage" | "tablestorage" | "queuestorage" | "queue" | "smtpqueue" => Outbound("storage", Some(443)),
        "filestorage" => Outbound("storage", Some(445)),
        "sqldatabase" => Outbound("sql", Some(1433)),
        "azurekeyvault" | "keyvault" => Outbound("key-vault", Some(443)),
        "eventhub" | "azureeventhub" => Outbound("event-hubs", None),
        "monitoring" | "metrics" => Outbound("azure-monitor", Some(443)),
        "azureactivedirectory" | "regionalazureactivedirectory" => Outbound("entra-id", Some(443)),
        "captchaendpoint" => Outbound("captcha", Some(443)),
        "applicationinsights" => Outbound("application-insights", Some(443)),
        "email" => Outbound("smtp", Some(25028)),
        "apimanagementcontrolplaneinbound" => Inbound,
        "internalcache" | "sourcecontrol" => Internal,
        _ => return None,
    })
}

/// The `category` of a list of outbound dependencies.
pub(super) fn of_category(word: &str) -> Option<&'static str> {
    Some(match normalised(word).as_str() {
        "azurestorage" => "storage",
        "azuresql" => "sql",
        "azurekeyvault" => "key-vault",
        "azureeventhub" | "azureeventhubs" => "event-hubs",
        "azuremonitor" => "azure-monitor",
        "azureactivedirectory" | "microsoftentraid" => "entra-id",
        "sslcertificateverification" => "certificate-revocation",
        "portalcaptcha" => "captcha",
        "azuresmtp" => "smtp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn resource_types_and_categories_map_to_catalog_dependencies() {
        let known: Vec<String> = Catalog::builtin()
            .dependencies
            .into_iter()
            .map(|dependency| dependency.id)
            .collect();
        let types = [
            "BlobStorage",
            "TableStorage",
            "Queue",
            "SmtpQueue",
            "FileStorage",
            "SQLDatabase",
            "AzureKeyVault",
            "EventHub",
            "Monitoring",
            "Metrics",
            "AzureActiveDirectory",
            "RegionalAzureActiveDirectory",
            "CaptchaEndpoint",
            "ApplicationInsights",
            "Email",
        ];
        for word in types {
            let Some(Meaning::Outbound(id, _)) = of_resource_type(word) else {
                panic!("{word} is not known")
            };
            assert!(known.iter().any(|known| known == id), "{word}: {id}");
        }
        let categories = [
            "Azure SMTP",
            "Azure SQL",
            "Azure Storage",
            "Azure Event Hub",
            "SSL Certificate Verification",
            "Azure Monitor",
            "Portal Captcha",
            "Azure Active Directory",
            "Azure Key Vault",
        ];
        for word in categories {
            let id = of_category(word).unwrap_or_else(|| panic!("{word} is not known"));
            assert!(known.iter().any(|known| known == id), "{word}: {id}");
        }
    }

    #[test]
    fn inbound_and_internal_resource_types_are_recognised() {
        assert_eq!(
            of_resource_type("ApiManagement Control Plane - inbound"),
            Some(Meaning::Inbound)
        );
        assert_eq!(of_resource_type("InternalCache"), Some(Meaning::Internal));
        assert_eq!(of_resource_type("Quantum"), None);
    }
}
