//! Facts that hold everywhere in Azure: its clouds and their hosts, the platform's addresses, how regions are spelled.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

pub mod json;
mod next_hop;
pub mod region;
pub mod resources;

pub use self::next_hop::NextHop;

/// The platform's own address, the same in every virtual network: DNS, health probes, the VM agent
/// (<https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16>).
pub const PLATFORM: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

/// The platform as a name server.
pub const PLATFORM_DNS: SocketAddr = SocketAddr::new(PLATFORM, 53);

/// The service tag for the platform's Windows activation. Only rules that deny it have an effect: the platform allows
/// activation by itself (<https://learn.microsoft.com/azure/virtual-network/service-tags-overview>).
pub const ACTIVATION: &str = "AzurePlatformLKM";

/// The address of the metadata service, the same for every VM
/// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>).
pub const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// The suffix of storage accounts with a DNS zone, `NAME.z12.blob.storage.azure.net`; Azure public only
/// (<https://learn.microsoft.com/azure/storage/common/storage-account-overview#azure-dns-zone-endpoints>).
pub const STORAGE_ZONES: &str = "storage.azure.net";

/// The suffix of all other storage accounts in Azure public.
pub const STORAGE: &str = "core.windows.net";

/// Reduces one of Azure's words to letters and digits: the API, PowerShell and the portal write it differently.
pub(crate) fn normalised(word: &str) -> String {
    let normalised = word.chars().filter(char::is_ascii_alphanumeric);
    normalised.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a name is that of a storage account with its DNS zone: `NAME.z12`.
pub fn is_zoned_account(name: &str) -> bool {
    let is_number =
        |digits: &str| !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|it| it.is_ascii_digit());
    name.split_once('.')
        .is_some_and(|(account, zone)| !account.is_empty() && zone.strip_prefix('z').is_some_and(is_number))
}

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Cloud {
    /// Azure public.
    Public,
    /// Azure US Government.
    Usgov,
    /// Azure operated by 21Vianet.
    China,
    /// A cloud that a catalog adds.
    Other(CloudName),
}

/// The name of a cloud that a catalog adds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloudName([u8; Self::MAX_LENGTH]);

impl CloudName {
    /// The maximum length of a name, in bytes.
    pub const MAX_LENGTH: usize = 24;

    /// A name of lowercase letters, digits and hyphens (not last) that starts with a letter; `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.len() <= Self::MAX_LENGTH
            && text.bytes().all(allowed);
        let mut name = [0; Self::MAX_LENGTH];
        name.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        is_name.then_some(Self(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl fmt::Debug for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Cloud {
    /// Every cloud that the built-in catalog knows, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Public, Self::Usgov, Self::China];

    /// The word in flags, catalogs and reports.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Public => "public",
            Self::Usgov => "usgov",
            Self::China => "china",
            Self::Other(name) => name.as_str(),
        }
    }

    /// One of [`Self::ALL`], by our word or Azure's own environment name, in any case (the metadata service has been
    /// seen to return `AZUREPUBLICCLOUD`).
    pub fn known(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "public" | "azurecloud" | "azurepubliccloud" => Some(Self::Public),
            "usgov" | "azureusgovernment" | "azureusgovernmentcloud" => Some(Self::Usgov),
            "china" | "azurechinacloud" => Some(Self::China),
            _ => None,
        }
    }

    /// The host of the management endpoint (Azure SDK, environment tables); a placeholder for a cloud whose host is not
    /// known.
    pub fn management_host(self) -> &'static str {
        match self {
            Self::Public => "management.azure.com",
            Self::Usgov => "management.usgovcloudapi.net",
            Self::China => "management.chinacloudapi.cn",
            Self::Other(_) => "MANAGEMENT_HOST",
        }
    }

    /// The host where Entra ID signs in; for a cloud that a catalog adds, the catalog has it.
    pub fn login_host(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::Usgov => "login.microsoftonline.us",
            Self::China => "login.chinacloudapi.cn",
            Self::Other(_) => "",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Accepts our words, Azure's own environment names in any case, and the name of a cloud that a catalog may add.
impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::known(text)
            .or_else(|| CloudName::new(text).map(Self::Other))
            .ok_or_else(|| {
                "expected public (AzureCloud), usgov (AzureUSGovernment), china (AzureChinaCloud) or the name of a cloud that \
                 --probes adds: lowercase letters, digits and hyphens (not first or last)"
                    .into()
            })
    }
}

impl TryFrom<String> for Cloud {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cloud> for String {
    fn from(cloud: Cloud) -> Self {
        cloud.as_str().to_owned()
    }
}

impl JsonSchema for Cloud {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Cloud".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "public, usgov, china, or a cloud that the catalog adds.",
            "pattern": "^[a-z][a-z0-9-]*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_cloud_names_are_parsed_and_kept() {
        let named = |text: &str| text.parse::<Cloud>().map(|cloud| cloud.to_string());
        assert_eq!(named("AzureCloud").as_deref(), Ok("public"));
        assert_eq!(named("bleu").as_deref(), Ok("bleu"));
        for wrong in ["", "Bleu", "a b", "-a", "a-", "é", &"x".repeat(25)] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
        let bleu: Cloud = serde_json::from_str("\"bleu\"").unwrap();
        assert_eq!(serde_json::to_string(&bleu).unwrap(), "\"bleu\"");
        assert_ne!(bleu, Cloud::Public);
    }
}
