//! Configured rules and routes, instead of the effective ones, which few users may read.
//!
//! They lack what Azure adds for a network interface: security admin rules, BGP and peering routes. What they lack is
//! not guessed.

use serde_json::{Value, json};

use crate::model::prediction::NsgAttachment;

/// The rules of network security groups (`GET networkSecurityGroups/{name}`), in the form of effective rules. Anything
/// else is skipped.
pub fn security(groups: &[(NsgAttachment, String)]) -> Vec<u8> {
    let group = |(place, text): &(NsgAttachment, String)| {
        let group: Value = serde_json::from_str(text).ok()?;
        let properties = group.get("properties")?;
        let listed = ["securityRules", "defaultSecurityRules"]
            .into_iter()
            .filter_map(|key| properties.get(key)?.as_array())
            .flatten();
        let rules: Vec<Value> = listed
            .filter_map(|rule| {
                let mut flat = rule.get("properties")?.clone();
                flat.as_object_mut()?.insert("name".into(), rule.get("name")?.clone());
                Some(flat)
            })
            .collect();
        let guards = if *place == NsgAttachment::Nic {
            "networkInterface"
        } else {
            "subnet"
        };
        let id = group.get("id").cloned().unwrap_or_default();
        Some(json!({
            "networkSecurityGroup": { "id": id },
            "association": { guards: { "id": "configured" } },
            "effectiveSecurityRules": rules,
        }))
    };
    let groups: Vec<Value> = groups.iter().filter_map(group).collect();
    json!({ "value": groups }).to_string().into_bytes()
}

/// The routes of a route table (`GET routeTables/{name}`) and the prefixes of the virtual network (`GET
/// virtualNetworks/{name}`), in the form of effective routes.
pub fn routes(table: Option<&str>, network: Option<&str>) -> Vec<u8> {
    let read = |text: Option<&str>| serde_json::from_str::<Value>(text?).ok();
    let (table, network) = (read(table).unwrap_or_default(), read(network).unwrap_or_default());
    let own = network["properties"]["addressSpace"]["addressPrefixes"].as_array();
    let own = own.into_iter().flatten().map(|prefix| {
        json!({ "source": "Default", "state": "Active", "addressPrefix": [prefix], "nextHopType": "VnetLocal" })
    });
    let of_users = table["properties"]["routes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|route| {
            let properties = route.get("properties")?;
            let hop = properties["nextHopIpAddress"].as_str().filter(|hop| !hop.is_empty());
            Some(json!({
                "name": route.get("name"), "source": "User", "state": "Active",
                "addressPrefix": [properties.get("addressPrefix")?], "nextHopType": properties.get("nextHopType")?,
                "nextHopIpAddress": hop.into_iter().collect::<Vec<_>>(),
            }))
        });
    // A route to a service tag has a name instead of a prefix.
    let is_prefix = |route: &Value| {
        route["addressPrefix"][0]
            .as_str()
            .is_some_and(|prefix| prefix.contains('/'))
    };
    let routes: Vec<Value> = own.chain(of_users).filter(is_prefix).collect();
    json!({ "value": routes }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{nsg::SecurityRules, routes::Routes};

    #[test]
    fn configured_nsg_rules_are_read_like_effective_rules() {
        let rule = |name: &str, priority: u32| {
            format!(
                r#"{{"name":"{name}","properties":{{"priority":{priority},"direction":"Outbound","access":"Deny","protocol":"Tcp",
                    "sourcePortRange":"*","destinationPortRanges":["1433","443-445"],"sourceAddressPrefix":"*","destinationAddressPrefix":"Sql"}}}}"#
            )
        };
        let group = format!(
            r#"{{"id":"/x/nsg-apim","properties":{{"securityRules":[{}],"defaultSecurityRules":[{}]}}}}"#,
            rule("no-sql", 200),
            rule("DenyAllOutBound", 65500)
        );
        let rules = SecurityRules::parse(&security(&[
            (NsgAttachment::Subnet, group),
            (NsgAttachment::Nic, "<html>".into()),
        ]))
        .unwrap();
        assert_eq!(rules.groups.len(), 1);
        let group = &rules.groups[0];
        assert_eq!(
            (group.name.as_deref(), group.place),
            (Some("nsg-apim"), NsgAttachment::Subnet)
        );
        assert!(group.rules[0].name == "no-sql" && group.rules.len() >= 2);
    }

    #[test]
    fn configured_routes_are_read_like_effective_routes() {
        let table = r#"{"properties":{"routes":[{"name":"all","properties":{"addressPrefix":"0.0.0.0/0",
            "nextHopType":"VirtualAppliance","nextHopIpAddress":"10.9.0.4"}},
            {"name":"management","properties":{"addressPrefix":"ApiManagement","nextHopType":"Internet"}}]}}"#;
        let network = r#"{"properties":{"addressSpace":{"addressPrefixes":["10.1.0.0/16"]}}}"#;
        let both = Routes::parse(&routes(Some(table), Some(network))).unwrap();
        assert!(both.is_forced() && both.own_network().to_string() == "10.1.0.0-10.1.255.255");
        let without = Routes::parse(&routes(None, Some(network))).unwrap();
        assert!(without.default_route().is_none() && !without.is_forced());
    }
}
