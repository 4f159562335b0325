//! Network interfaces, subnets and their NSGs and policies, as the management endpoint returns them (Microsoft.Network
//! 2024-05-01: `networkInterfaces`, `virtualNetworks/subnets`, `serviceEndpointPolicies`).

use serde::Deserialize;

use crate::model::Standing;

/// The subnet of this VM and that of the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subnets {
    /// This VM's network interface and its subnet.
    pub here: Option<(NetworkInterface, Subnet)>,
    /// The instance's subnet, in the location that this run is about.
    pub instance: Option<Subnet>,
    /// The service endpoint policies of both.
    pub policies: Vec<EndpointPolicy>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkInterface {
    /// Its resource id.
    pub id: String,
    /// Its MAC address, twelve hexadecimal digits.
    pub mac: String,
    /// Its own network security group.
    pub security_group: Option<String>,
    /// The subnets of its addresses, the primary one first.
    pub subnets: Vec<String>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subnet {
    /// Its resource id.
    pub id: String,
    /// The resource id of its network security group.
    pub security_group: Option<String>,
    /// The resource id of its route table.
    pub route_table: Option<String>,
    /// The services with service endpoints, such as `Microsoft.Storage`.
    pub service_endpoints: Vec<String>,
    /// The resource ids of its service endpoint policies.
    pub policies: Vec<String>,
}

/// A service endpoint policy: only the listed resources of a service can be reached through the endpoint
/// (<https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoint-policies-overview>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// Its resource id.
    pub id: String,
    /// Its entries for Azure Storage: resource ids, or aliases such as `/services/Azure`.
    pub storage: Vec<String>,
}

impl Subnets {
    /// What this VM's place shows about the instance's network; `None` if either subnet is not known.
    pub fn standing(&self) -> Option<Standing> {
        let ((_, here), theirs) = self.here.as_ref().zip(self.instance.as_ref())?;
        Some(if here.id.eq_ignore_ascii_case(&theirs.id) {
            Standing::InSubnet
        } else {
            Standing::AzureVm
        })
    }

    /// All ids in it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        let nics = self.here.iter().flat_map(|(nic, _)| {
            let subnets = nic.subnets.iter();
            std::iter::once(&nic.id).chain(&nic.security_group).chain(subnets)
        });
        let subnets = self.here.iter().map(|(_, subnet)| subnet).chain(&self.instance);
        let guards = subnets.flat_map(|subnet| {
            let guards = subnet.security_group.iter().chain(&subnet.route_table);
            std::iter::once(&subnet.id).chain(guards).chain(&subnet.policies)
        });
        let policies = self.policies.iter();
        let policies = policies.flat_map(|policy| std::iter::once(&policy.id).chain(&policy.storage));
        nics.chain(guards).chain(policies).map(String::as_str)
    }

    /// The instance's subnet, if it is known to differ from this VM's.
    pub fn elsewhere(&self) -> Option<&Subnet> {
        let standing = self.standing();
        self.instance.as_ref().filter(|_| standing == Some(Standing::AzureVm))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithProperties<T> {
    #[serde(default)]
    id: String,
    properties: T,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

fn id(reference: Option<Reference>) -> Option<String> {
    reference.map(|reference| reference.id)
}

fn ids(references: Option<Vec<Reference>>) -> Vec<String> {
    references
        .unwrap_or_default()
        .into_iter()
        .map(|reference| reference.id)
        .collect()
}

/// The network interfaces of a VM, the primary one first.
pub fn nic_ids_of(machine: &str) -> Vec<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct VirtualMachine {
        network_profile: Option<Profile>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Profile {
        network_interfaces: Option<Vec<Listed>>,
    }
    #[derive(Deserialize)]
    struct Listed {
        id: String,
        properties: Option<Rank>,
    }
    #[derive(Deserialize)]
    struct Rank {
        primary: Option<bool>,
    }
    let machine: Option<WithProperties<VirtualMachine>> = serde_json::from_str(machine).ok();
    let profile = machine.and_then(|machine| machine.properties.network_profile);
    let mut listed = profile
        .and_then(|profile| profile.network_interfaces)
        .unwrap_or_default();
    listed.sort_by_key(|nic| nic.properties.as_ref().and_then(|rank| rank.primary) != Some(true));
    listed.into_iter().map(|nic| nic.id).collect()
}

impl NetworkInterface {
    /// Reads a network interface; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Properties {
            mac_address: Option<String>,
            network_security_group: Option<Reference>,
            ip_configurations: Option<Vec<WithProperties<Address>>>,
        }
        #[derive(Deserialize)]
        struct Address {
            primary: Option<bool>,
            subnet: Option<Reference>,
        }
        let WithProperties { id: own, properties } = serde_json::from_str::<WithProperties<Properties>>(text).ok()?;
        let mut addresses = properties.ip_configurations?;
        addresses.sort_by_key(|address| address.properties.primary != Some(true));
        Some(Self {
            id: own,
            mac: digits(&properties.mac_address.unwrap_or_default()),
            security_group: id(properties.network_security_group),
            subnets: addresses
                .into_iter()
                .filter_map(|address| id(address.properties.subnet))
                .collect(),
        })
    }
}

/// A MAC address as twelve digits in upper case, from any notation: `00-0D-3A-F8-06-EC`, `000D3AF806EC`.
pub fn digits(mac: &str) -> String {
    let digits = mac.chars().filter(char::is_ascii_hexdigit);
    digits.map(|digit| digit.to_ascii_uppercase()).collect()
}

impl Subnet {
    /// Reads a subnet; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Properties {
            network_security_group: Option<Reference>,
            route_table: Option<Reference>,
            service_endpoints: Option<Vec<ServiceEndpoint>>,
            service_endpoint_policies: Option<Vec<Reference>>,
        }
        #[derive(Deserialize)]
        struct ServiceEndpoint {
            service: Option<String>,
        }
        let WithProperties { id: own, properties } = serde_json::from_str::<WithProperties<Properties>>(text).ok()?;
        let endpoints = properties.service_endpoints.unwrap_or_default();
        Some(Self {
            id: own,
            security_group: id(properties.network_security_group),
            route_table: id(properties.route_table),
            service_endpoints: endpoints.into_iter().filter_map(|endpoint| endpoint.service).collect(),
            policies: ids(properties.service_endpoint_policies),
        })
    }

    /// Whether Azure Storage is reached through an endpoint of this subnet.
    pub fn has_storage_endpoint(&self) -> bool {
        let services = &mut self.service_endpoints.iter();
        services.any(|service| service.to_ascii_lowercase().starts_with("microsoft.storage"))
    }

    /// The resource id of its virtual network.
    pub fn network(&self) -> &str {
        self.id.split("/subnets/").next().unwrap_or_default()
    }
}

impl EndpointPolicy {
    /// Reads a service endpoint policy; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Properties {
            service_endpoint_policy_definitions: Option<Vec<WithProperties<Definition>>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Definition {
            service: Option<String>,
            service_resources: Option<Vec<String>>,
        }
        let WithProperties { id, properties } = serde_json::from_str::<WithProperties<Properties>>(text).ok()?;
        let definitions = properties.service_endpoint_policy_definitions.unwrap_or_default();
        let of_storage = definitions
            .into_iter()
            .map(|definition| definition.properties)
            .filter(|definition| {
                let service = definition.service.as_deref().unwrap_or("Microsoft.Storage");
                service.to_ascii_lowercase().starts_with("microsoft.storage")
            });
        Some(Self {
            id,
            storage: of_storage
                .flat_map(|definition| definition.service_resources.unwrap_or_default())
                .collect(),
        })
    }
}

/// The last part of a resource id.
pub fn name(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nic_json_gives_mac_nsg_and_primary_subnet_first() {
        let nic = r#"{"id":"/nic","properties":{"macAddress":"00-0D-3A-F8-06-EC","networkSecurityGroup":{"id":"/nsg"},
            "ipConfigurations":[{"properties":{"subnet":{"id":"/b"}}},{"properties":{"primary":true,"subnet":{"id":"/a"}}}]}}"#;
        let nic = NetworkInterface::read(nic).unwrap();
        assert_eq!(nic.mac, digits("000d3af806ec"));
        assert_eq!(
            (nic.security_group.as_deref(), &nic.subnets[..]),
            (Some("/nsg"), &["/a".to_string(), "/b".into()][..])
        );
        let machine = r#"{"properties":{"networkProfile":{"networkInterfaces":[{"id":"/1"},{"id":"/2","properties":{"primary":true}}]}}}"#;
        assert_eq!(nic_ids_of(machine), ["/2", "/1"]);
    }

    #[test]
    fn subnet_json_gives_route_table_and_endpoint_policies() {
        let subnet = r#"{"id":"/vnet/subnets/a","properties":{"routeTable":{"id":"/rt"},"networkSecurityGroup":null,
            "serviceEndpoints":[{"service":"Microsoft.Storage.Global"}],"serviceEndpointPolicies":[{"id":"/p"}]}}"#;
        let subnet = Subnet::read(subnet).unwrap();
        assert_eq!(
            (subnet.network(), subnet.route_table.as_deref()),
            ("/vnet", Some("/rt"))
        );
        assert!(subnet.has_storage_endpoint() && subnet.policies == ["/p"] && subnet.security_group.is_none());
        let policy = r#"{"id":"/p","properties":{"serviceEndpointPolicyDefinitions":[{"properties":{"service":"Microsoft.Storage",
            "serviceResources":["/subscriptions/1"]}}]}}"#;
        assert_eq!(EndpointPolicy::read(policy).unwrap().storage, ["/subscriptions/1"]);
    }

    proptest! {
        #[test]
        fn any_text_does_not_panic(text: String) {
            let _ = (nic_ids_of(&text), NetworkInterface::read(&text), Subnet::read(&text), EndpointPolicy::read(&text));
        }
    }
}
