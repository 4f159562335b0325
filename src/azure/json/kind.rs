//! What kind of Azure document this is, judged by the keys of its entries.

use super::Object;

/// A document that a flag takes, or one that people often pass by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// The effective rules of a network interface.
    EffectiveNsg,
    /// The effective routes of a network interface.
    EffectiveRoutes,
    /// Service tags and their prefixes.
    ServiceTags,
    /// The network status of an instance.
    NetworkStatus,
    /// The outbound dependencies of an instance.
    Dependencies,
    /// Effective rules without the group that they belong to.
    LooseRules,
    /// A network security group itself.
    SecurityGroup,
    /// The configured rules of a network security group.
    ConfiguredRules,
    /// Network Watcher's view of the rules on a VM.
    SecurityView,
    /// A route table itself, or its routes.
    RouteTable,
    /// The routes of a virtual hub.
    HubRoutes,
    /// What a virtual network gateway or a route server learned or advertises.
    GatewayRoutes,
    /// Network Watcher's answer for one destination.
    NextHop,
    /// A network interface.
    NetworkInterface,
    /// A virtual network or a subnet.
    VirtualNetwork,
    /// An instance itself.
    Instance,
    /// A report from this program.
    Report,
    /// Another document of this program.
    Own,
    /// An operation that has not finished.
    Operation,
    /// A template of Azure Resource Manager.
    Template,
    /// The state or the plan of Terraform.
    Terraform,
}

impl DocumentKind {
    /// Recognises the kind from the keys of an entry.
    pub fn of(entry: &Object<'_>) -> Option<Self> {
        let inner = entry.properties();
        let has = |key: &str| entry.own(key).is_some() || inner.as_ref().is_some_and(|inner| inner.own(key).is_some());
        let all = |keys: &[&str]| keys.iter().all(|key| has(key));
        let any = |keys: &[&str]| keys.iter().any(|key| has(key));
        if let Some(schema) = entry.text("schema").filter(|schema| schema.starts_with("apim-probe/")) {
            let is_report = schema.contains("/report/");
            return Some(if is_report { Self::Report } else { Self::Own });
        }
        let kind = if has("effectiveSecurityRules") {
            Self::EffectiveNsg
        } else if any(&["securityRules", "defaultSecurityRules"]) {
            Self::SecurityGroup
        } else if has("securityRuleAssociations") {
            Self::SecurityView
        } else if all(&["direction", "access"]) && any(&["priority", "protocol"]) {
            if any(&["provisioningState", "etag", "id"]) {
                Self::ConfiguredRules
            } else {
                Self::LooseRules
            }
        } else if all(&["nextHopType", "routeTableId"]) {
            Self::NextHop
        } else if has("nextHopType") && any(&["asPath", "nextHops", "routeOrigin", "origin"]) {
            Self::HubRoutes
        } else if has("network") && any(&["sourcePeer", "asPath", "localAddress"]) {
            Self::GatewayRoutes
        } else if has("nextHopType") && any(&["state", "source"]) {
            Self::EffectiveRoutes
        } else if any(&["nextHopType", "routes"]) {
            Self::RouteTable
        } else if all(&["addressPrefixes", "name"]) && !any(&["provisioningState", "ipConfigurations"]) {
            Self::ServiceTags
        } else if any(&["networkStatus", "connectivityStatus", "dnsServers"])
            || all(&["name", "status"]) && any(&["lastUpdated", "lastStatusChange", "isOptional", "resourceType"])
        {
            Self::NetworkStatus
        } else if all(&["category", "endpoints"]) || has("endpointDetails") {
            Self::Dependencies
        } else if has("gatewayUrl") {
            Self::Instance
        } else if has("ipConfigurations") && any(&["macAddress", "enableIPForwarding", "virtualMachine"]) {
            Self::NetworkInterface
        } else if has("addressSpace") || all(&["addressPrefix", "privateEndpointNetworkPolicies"]) {
            Self::VirtualNetwork
        } else if all(&["$schema", "contentVersion"]) {
            Self::Template
        } else if has("terraform_version") {
            Self::Terraform
        } else if matches!(
            entry.text("status").as_deref(),
            Some("InProgress" | "Running" | "Accepted")
        ) {
            Self::Operation
        } else {
            return None;
        };
        Some(kind)
    }

    /// The word in reports and flags; empty for a kind that no flag takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::EffectiveNsg => "effective-nsg",
            Self::EffectiveRoutes => "effective-routes",
            Self::ServiceTags => "service-tags",
            Self::NetworkStatus => "network-status",
            Self::Dependencies => "dependencies",
            Self::Instance => "instance",
            _ => "",
        }
    }

    /// What it is, within a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::EffectiveNsg => "effective security rules",
            Self::EffectiveRoutes => "effective routes",
            Self::ServiceTags => "service tags",
            Self::NetworkStatus => "an instance's network status",
            Self::Dependencies => "an instance's outbound dependencies",
            Self::LooseRules => {
                "effective security rules without their NSG, so it is not known whether they apply to the subnet"
            }
            Self::SecurityGroup => "a network security group itself (az network nsg show)",
            Self::ConfiguredRules => "the configured rules of a network security group (az network nsg rule list)",
            Self::SecurityView => {
                "Network Watcher's view of a VM's rules (az network watcher show-security-group-view)"
            }
            Self::RouteTable => "a route table itself (az network route-table show)",
            Self::HubRoutes => {
                "the routes of a virtual hub (az network vhub get-effective-routes), not of a network interface"
            }
            Self::GatewayRoutes => "the routes of a gateway or a route server, not of a network interface",
            Self::NextHop => "Network Watcher's next hop for one address (az network watcher show-next-hop)",
            Self::NetworkInterface => "a network interface itself (az network nic show)",
            Self::VirtualNetwork => "a virtual network itself (az network vnet show)",
            Self::Instance => "the instance itself (az apim show)",
            Self::Report => "a report from this program, for diff, compare, rules --report and --elsewhere",
            Self::Own => "another document from this program",
            Self::Operation => "an Azure operation that had not finished",
            Self::Template => "an Azure Resource Manager template",
            Self::Terraform => "a Terraform state",
        }
    }

    /// The keys that must be present so that nothing was lost in converting to a table or a list.
    pub(super) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::EffectiveNsg => &["association", "effectiveSecurityRules"],
            Self::EffectiveRoutes => &["source", "state", "addressPrefix", "nextHopType", "nextHopIpAddress"],
            Self::ServiceTags => &["name", "addressPrefixes"],
            _ => &[],
        }
    }

    /// The command that creates it: the Azure CLI's, or PowerShell's for those who use that.
    pub fn command(self, powershell: bool) -> &'static str {
        match (self, powershell) {
            (Self::EffectiveNsg, false) => {
                "az network nic list-effective-nsg --resource-group GROUP --name NIC > nsg.json"
            }
            (Self::EffectiveNsg, true) => {
                "Get-AzEffectiveNetworkSecurityGroup -ResourceGroupName GROUP -NetworkInterfaceName NIC | \
                 ConvertTo-Json -Depth 10 > nsg.json"
            }
            (Self::EffectiveRoutes, false) => {
                "az network nic show-effective-route-table --resource-group GROUP --name NIC > routes.json"
            }
            (Self::EffectiveRoutes, true) => {
                "Get-AzEffectiveRouteTable -ResourceGroupName GROUP -NetworkInterfaceName NIC | ConvertTo-Json -Depth \
                 10 > routes.json"
            }
            (Self::ServiceTags, false) => "az network list-service-tags --location REGION > tags.json",
            (Self::ServiceTags, true) => {
                "Get-AzNetworkServiceTag -Location REGION | ConvertTo-Json -Depth 10 > tags.json"
            }
            (Self::Dependencies, false) => {
                "az rest --method get --url \
                 \"RESOURCE_ID/outboundNetworkDependenciesEndpoints?api-version=2024-05-01\" > dependencies.json"
            }
            (Self::Dependencies, true) => {
                "(Invoke-AzRestMethod -Path \
                 \"RESOURCE_ID/outboundNetworkDependenciesEndpoints?api-version=2024-05-01\").Content > \
                 dependencies.json"
            }
            (Self::Instance, _) => "scripts/collect.sh RESOURCE_ID > instance.json",
            (_, false) => {
                "az rest --method get --url \"RESOURCE_ID/networkstatus?api-version=2024-05-01\" > status.json"
            }
            (_, true) => {
                "Get-AzApiManagementNetworkStatus -ResourceGroupName GROUP -Name INSTANCE | ConvertTo-Json -Depth 10 \
                 > status.json"
            }
        }
    }

    /// Such documents, at the beginning of a sentence.
    pub(super) fn documents(self) -> &'static str {
        match self {
            Self::EffectiveNsg => "the effective rules of a running VM's network interface",
            Self::EffectiveRoutes => "the effective routes of a running VM's network interface",
            Self::ServiceTags => "the service tags",
            Self::Dependencies => "the dependencies of an instance",
            Self::Instance => "the documents of an instance",
            _ => "the network status of an instance",
        }
    }
}
