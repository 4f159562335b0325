//! What is the same everywhere in Azure: its clouds and their hosts, the platform's addresses, how regions are spelled.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use schemars::JsonSchema;
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

/// The tag of the platform's Windows activation. It only works in rules that deny: the platform lets activation through by
/// itself (<https://learn.microsoft.com/azure/virtual-network/service-tags-overview>).
pub const ACTIVATION: &str = "AzurePlatformLKM";

/// Where every VM finds its metadata service
/// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>).
pub const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// The suffix of storage accounts with a DNS zone, `NAME.z12.blob.storage.azure.net`; Azure public only
/// (<https://learn.microsoft.com/azure/storage/common/storage-account-overview#azure-dns-zone-endpoints>).
pub const STORAGE_ZONES: &str = "storage.azure.net";

/// The suffix of all other storage accounts in Azure public.
pub const STORAGE: &str = "core.windows.net";

/// A word of Azure's as the API, PowerShell and the portal all write it, but for case and blanks.
pub(crate) fn letters(word: &str) -> String {
    let letters = word.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a name is that of a storage account with its DNS zone: `NAME.z12`.
pub fn is_zoned_account(name: &str) -> bool {
    let is_number =
        |digits: &str| !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|it| it.is_ascii_digit());
    name.split_once('.')
        .is_some_and(|(account, zone)| !account.is_empty() && zone.strip_prefix('z').is_some_and(is_number))
}

/// One of Azure's clouds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Azure public.
    Public,
    /// Azure US Government.
    Usgov,
    /// Azure operated by 21Vianet.
    China,
}

impl Cloud {
    /// Every cloud, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Public, Self::Usgov, Self::China];

    /// The word in flags, catalogs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Usgov => "usgov",
            Self::China => "china",
        }
    }

    /// The host of the management endpoint (Azure SDK, environment tables).
    pub fn management_host(self) -> &'static str {
        match self {
            Self::Public => "management.azure.com",
            Self::Usgov => "management.usgovcloudapi.net",
            Self::China => "management.chinacloudapi.cn",
        }
    }

    /// The host where Entra ID signs in.
    pub fn login_host(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::Usgov => "login.microsoftonline.us",
            Self::China => "login.chinacloudapi.cn",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes our words and Azure's own environment names, in any case
/// (the metadata service has been seen to answer `AZUREPUBLICCLOUD`).
impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "public" | "azurecloud" | "azurepubliccloud" => Ok(Self::Public),
            "usgov" | "azureusgovernment" | "azureusgovernmentcloud" => Ok(Self::Usgov),
            "china" | "azurechinacloud" => Ok(Self::China),
            _ => Err("expected public (AzureCloud), usgov (AzureUSGovernment) or china (AzureChinaCloud)".into()),
        }
    }
}
