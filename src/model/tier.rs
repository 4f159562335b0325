//! The tiers of API Management that have a catalog.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tier of API Management, as far as its network needs differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Developer and Premium, injected into a virtual network.
    #[default]
    Classic,
    /// Premium v2, injected into a virtual network.
    PremiumV2,
    /// A workspace gateway in a virtual network.
    WorkspaceGateway,
    /// A self-hosted gateway, in a container anywhere.
    SelfHostedGateway,
}

impl Tier {
    /// All of them, the default first.
    pub const ALL: [Self; 4] = [
        Self::Classic,
        Self::PremiumV2,
        Self::WorkspaceGateway,
        Self::SelfHostedGateway,
    ];

    /// The word in flags and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::PremiumV2 => "premium-v2",
            Self::WorkspaceGateway => "workspace-gateway",
            Self::SelfHostedGateway => "self-hosted-gateway",
        }
    }

    /// The tier with that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == word)
    }

    /// A description in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Classic => "An instance of a classic tier (Developer, Premium) in a virtual network",
            Self::PremiumV2 => "An instance of the Premium v2 tier, injected into a virtual network",
            Self::WorkspaceGateway => "A workspace gateway in a virtual network",
            Self::SelfHostedGateway => "A self-hosted gateway: a container on your own cluster or machine",
        }
    }

    /// The noun for one of them.
    pub fn subject(self) -> &'static str {
        match self {
            Self::Classic | Self::PremiumV2 => "instance",
            Self::WorkspaceGateway | Self::SelfHostedGateway => "gateway",
        }
    }

    /// Where to run the agent so that it sees what this tier sees.
    pub fn standpoint(self) -> &'static str {
        match self {
            Self::Classic => {
                "on a VM in the instance's subnet, or in one with the same NSG, route table and DNS servers"
            }
            Self::PremiumV2 => {
                "on a VM in a sibling subnet with the same NSG, route table and DNS servers: the instance's own subnet is \
                 delegated to Microsoft.Web/hostingEnvironments and cannot contain a VM"
            }
            Self::WorkspaceGateway => {
                "on a VM in a sibling subnet with the same NSG, route table and DNS servers: the gateway's own subnet is \
                 delegated to Microsoft.Web and cannot contain a VM"
            }
            Self::SelfHostedGateway => {
                "in a pod next to the gateway's, with the same DNS and network policies, or else on a node of its \
                 cluster"
            }
        }
    }

    /// The roots that certificates are verified with.
    pub fn trust(self) -> &'static str {
        match self {
            Self::SelfHostedGateway => {
                "Mozilla's roots, as in a Linux container. The gateway uses its image's own list: pass it with \
                 --ca-file if the two may differ"
            }
            _ => "Mozilla's roots plus the few that only Windows trusts: the instance's machines run Windows",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tier_name_in_flags_equals_its_name_in_json() {
        for tier in Tier::ALL {
            assert_eq!(Tier::named(tier.as_str()), Some(tier));
            assert_eq!(serde_json::to_value(tier).unwrap(), tier.as_str());
        }
    }
}
