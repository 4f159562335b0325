//! The type of a route's next hop.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::normalised;

/// The type of a route's next hop. Azure adds types from time to time, so the list is open.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub enum NextHop {
    /// Within the virtual network, including peered ones and private endpoints.
    Network(String),
    /// To the internet, or along Azure's backbone to a service.
    Internet,
    /// To a service through a service endpoint, bypassing every firewall.
    ServiceEndpoint,
    /// To an appliance, including `VirtualApplianceEcmp`.
    Appliance(String),
    /// To a virtual network gateway.
    Gateway,
    /// Nowhere: the traffic is dropped.
    None,
    /// A type that this program does not know.
    Other(String),
}

impl NextHop {
    /// The word that Azure uses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Network(kind) | Self::Appliance(kind) | Self::Other(kind) => kind,
            Self::Internet => "Internet",
            Self::ServiceEndpoint => "VirtualNetworkServiceEndpoint",
            Self::Gateway => "VirtualNetworkGateway",
            Self::None => "None",
        }
    }

    /// Reads the words of the API and those of the portal (virtual-networks-udr-overview, "Next hop types across Azure
    /// tools"). A connected group of a network manager and an `ExpressRoute` gateway count as the virtual network.
    pub fn of(word: &str) -> Self {
        const NETWORKS: [(&str, &str); 9] = [
            ("vnetlocal", "VnetLocal"),
            ("virtualnetwork", "VnetLocal"),
            ("vnetpeering", "VNetPeering"),
            ("virtualnetworkpeering", "VNetPeering"),
            ("vnetglobalpeering", "VNetGlobalPeering"),
            ("globalvnetpeering", "VNetGlobalPeering"),
            ("interfaceendpoint", "InterfaceEndpoint"),
            ("connectedgroup", "ConnectedGroup"),
            ("hypernetgateway", "HyperNetGateway"),
        ];
        let normalised = normalised(word);
        if let Some((_, kind)) = NETWORKS.iter().find(|(known, _)| *known == normalised) {
            return Self::Network((*kind).into());
        }
        match normalised.as_str() {
            "internet" => Self::Internet,
            "virtualnetworkserviceendpoint" => Self::ServiceEndpoint,
            "virtualnetworkgateway" => Self::Gateway,
            "none" | "null" => Self::None,
            "virtualappliance" => Self::Appliance("VirtualAppliance".into()),
            appliance if appliance.starts_with("virtualappliance") => Self::Appliance(word.into()),
            _ => Self::Other(word.into()),
        }
    }
}

impl Serialize for NextHop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for NextHop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer).map(|word| Self::of(&word))
    }
}
