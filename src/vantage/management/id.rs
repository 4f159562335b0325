//! The resource id of an instance, as in URLs.

use std::str::FromStr;

use crate::azure::resources::Resource;

/// The resource id of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId(String);

impl FromStr for ResourceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().trim_end_matches('/').split('/').collect();
        let is_name = |part: &str| {
            // A path of dots would lead to another resource.
            !matches!(part, "" | "." | "..")
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.()".contains(&byte))
        };
        match parts[..] {
            [
                "",
                subscriptions,
                subscription,
                groups,
                group,
                providers,
                provider,
                service,
                name,
            ] if subscriptions.eq_ignore_ascii_case("subscriptions")
                && groups.eq_ignore_ascii_case("resourceGroups")
                && providers.eq_ignore_ascii_case("providers")
                && provider.eq_ignore_ascii_case("Microsoft.ApiManagement")
                && service.eq_ignore_ascii_case("service")
                && [subscription, group, name].into_iter().all(is_name) =>
            {
                Ok(Self(parts.join("/")))
            }
            _ => Err(
                "expected /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ApiManagement/service/NAME, \
                      as `az apim show --name NAME --resource-group GROUP --query id --output tsv` prints it"
                    .into(),
            ),
        }
    }
}

impl ResourceId {
    /// As in a URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The instance as a resource, for commands.
    pub(crate) fn resource(&self) -> Option<Resource> {
        Resource::of_id(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/0-1/resourceGroups/rg_1/providers/Microsoft.ApiManagement/service/contoso";

    #[test]
    fn only_api_management_resource_ids_are_parsed() {
        assert_eq!(ID.parse(), Ok(ResourceId(ID.into())));
        assert_eq!(format!("{ID}/").parse(), Ok(ResourceId(ID.into())));
        assert!(ID.to_ascii_uppercase().parse::<ResourceId>().is_ok());
        for wrong in [
            "",
            "contoso",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.ApiManagement/service/a?b=c",
            "/subscriptions//resourceGroups/g/providers/Microsoft.ApiManagement/service/a",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.ApiManagement/service/..",
            "/subscriptions/0/resourceGroups/./providers/Microsoft.ApiManagement/service/a",
            "/subscriptions/../resourceGroups/g/providers/Microsoft.ApiManagement/service/a",
            &format!("https://management.azure.com{ID}"),
        ] {
            assert!(wrong.parse::<ResourceId>().is_err(), "{wrong}");
        }
    }
}
