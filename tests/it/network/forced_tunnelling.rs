//! Hub and spoke: a user-defined or BGP route covers 0.0.0.0/0, and Azure counts everything as `VirtualNetwork`.

use serde_json::{Value, json};

use super::*;

/// How an export lists the two tags under forced tunnelling.
const EXPORTS: [&str; 4] = ["spelled out", "tag map", "null", "absent"];

/// The restrictive NSG as exported if a route covers 0.0.0.0/0.
fn export(how: &str) -> SecurityRules {
    let mut document: Value = serde_json::from_slice(&fixture("nsg-locked-down.json")).unwrap();
    let group = &mut document["value"][0];
    for rule in group["effectiveSecurityRules"].as_array_mut().unwrap() {
        for side in ["Source", "Destination"] {
            let tag = rule[format!("{}AddressPrefix", side.to_lowercase())].as_str().unwrap();
            let expanded = format!("expanded{side}AddressPrefix");
            let addresses = match tag {
                "VirtualNetwork" => json!(["0.0.0.0/0"]),
                "Internet" => json!([]),
                _ => continue,
            };
            match how {
                "spelled out" => rule[expanded] = addresses,
                "null" | "tag map" => rule[expanded] = Value::Null,
                _ => drop(rule.as_object_mut().unwrap().remove(&expanded)),
            }
        }
    }
    if how == "tag map" {
        group["tagMap"] =
            json!({ "VirtualNetwork": ["0.0.0.0/0"], "Internet": [], "AzureLoadBalancer": ["168.63.129.16/32"] });
    }
    SecurityRules::parse(document.to_string().as_bytes()).unwrap()
}

fn default_route(source: &str, hop: &str, addresses: &[&str]) -> Routes {
    let document = json!([
        { "source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"], "nextHopType": "VnetLocal", "nextHopIpAddress": [] },
        { "source": source, "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": hop, "nextHopIpAddress": addresses },
        { "source": "Default", "state": "Active", "addressPrefix": ["10.0.0.0/8"], "nextHopType": "None", "nextHopIpAddress": [] },
    ]);
    Routes::parse(document.to_string().as_bytes()).unwrap()
}

fn to_appliance() -> Routes {
    default_route("User", "VirtualAppliance", &["10.1.9.4"])
}

#[test]
fn deny_internet_rule_never_matches() {
    for how in EXPORTS {
        let rules = NetworkRules::new(Some(export(how)), Some(to_appliance()), None);
        assert_eq!(rules.is_forced(), Some(true), "{how}");
        for (start, addresses) in [
            ("sql/", &["20.61.99.193"][..]),
            ("event-hubs/", &[]),
            ("certificate-revocation/crl3.digicert.com:80", &[]),
            ("ntp/", &[]),
        ] {
            assert_eq!(
                prediction_text(&rules, start, addresses),
                "allow: allowed, next hop is 10.1.9.4: check the firewall there",
                "{how} {start}"
            );
        }
        let rule = predict(&rules, "sql/", &["20.61.99.193"]).nsg.unwrap();
        assert_eq!(rule.name, "AllowVnetOutBound", "{how}");
        // Without the 0/0 route, the same rule applies.
        if !["spelled out", "tag map"].contains(&how) {
            let plain = NetworkRules::new(Some(export(how)), Some(default_route("Default", "Internet", &[])), None);
            assert_eq!(
                predict(&plain, "sql/", &["20.61.99.193"]).verdict,
                Expected::Deny,
                "{how}"
            );
            assert_eq!(plain.is_forced(), Some(false));
        }
    }
}

#[test]
fn no_outbound_endpoint_is_predicted_denied() {
    let here = ["10.1.2.7".parse().unwrap()];
    let from = Origin {
        region: Some("westeurope"),
        addresses: &here,
    };
    for how in EXPORTS {
        for routes in [Some(to_appliance()), None] {
            let rules = NetworkRules::new(Some(export(how)), routes, None);
            for endpoint in plan().endpoints.iter().filter(|it| it.direction == Direction::Outbound) {
                let found = rules.predict(endpoint, &[], &from).unwrap();
                assert_ne!(found.verdict, Expected::Deny, "{how} {}: {}", endpoint.id, found.words);
                assert!(!found.words.contains("no route leads"), "{}", found.words);
            }
        }
    }
}

#[test]
fn bgp_default_route_counts_like_a_udr() {
    for (source, hop, addresses) in [
        ("VirtualNetworkGateway", "VirtualNetworkGateway", &["10.1.255.4"][..]),
        ("User", "VirtualNetworkGateway", &[]),
        ("Default", "VirtualNetworkGateway", &["10.100.0.68"]),
    ] {
        let rules = NetworkRules::new(Some(export("null")), Some(default_route(source, hop, addresses)), None);
        // A secured virtual hub looks the same: nothing shows that the network behind it is your own.
        assert_eq!(
            prediction_text(&rules, "sql/", &["20.61.99.193"]),
            "allow: allowed, next hop is the virtual network gateway or hub: check the firewall of a secured virtual \
             hub, or of your own network behind the gateway",
            "{source}"
        );
    }
}

#[test]
fn two_half_routes_count_as_a_default_route() {
    let document = json!([
        { "source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"], "nextHopType": "VnetLocal" },
        { "source": "User", "state": "Active", "addressPrefix": ["0.0.0.0/1"], "nextHopType": "VirtualAppliance", "nextHopIpAddress": ["10.1.9.4"] },
        { "source": "User", "state": "Active", "addressPrefix": ["128.0.0.0/1"], "nextHopType": "VirtualAppliance", "nextHopIpAddress": ["10.1.9.4"] },
        { "source": "Default", "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": "Internet" },
    ]);
    let routes = Routes::parse(document.to_string().as_bytes()).unwrap();
    let rules = NetworkRules::new(Some(export("null")), Some(routes), None);
    assert_eq!(predict(&rules, "sql/", &["20.61.99.193"]).verdict, Expected::Allow);
    assert_eq!(rules.is_forced(), Some(true));
}

#[test]
fn missing_routes_and_expansions_give_unknown() {
    let rules = NetworkRules::new(Some(export("null")), None, None);
    assert_eq!(rules.is_forced(), None);
    assert_eq!(
        prediction_text(&rules, "sql/", &["20.61.99.193"]),
        "unknown: NSG rule DenyInternet (4096, subnet) denies TCP 1433 to 20.61.99.193, unless a user or BGP route \
         covers 0.0.0.0/0: pass --effective-routes"
    );
    // What holds in both cases is reported as usual.
    assert_eq!(
        prediction_text(&rules, "storage/", &[]),
        "allow: NSG rule AllowStorage (200, subnet) allows TCP 443 to Storage"
    );
    // An export that spells the tags out needs no routes.
    let with_addresses = NetworkRules::new(Some(export("spelled out")), None, None);
    assert_eq!(
        predict(&with_addresses, "sql/", &["20.61.99.193"]).verdict,
        Expected::Allow
    );
}

#[test]
fn contradicting_rules_and_routes_give_unknown() {
    let rules = rules(Some("nsg-locked-down.json"), Some("routes-forced.json"), None);
    let prediction = predict(&rules, "sql/", &["20.61.99.193"]);
    assert_eq!(prediction.verdict, Expected::Unknown);
    assert!(
        prediction
            .words
            .contains("do not agree on whether a user or BGP route covers 0.0.0.0/0"),
        "{}",
        prediction.words
    );
    let notices = rules.notices(&Origin::default());
    assert!(notices.iter().any(|notice| notice.contains("0.0.0.0/0")), "{notices:?}");
}

#[test]
fn asymmetric_route_is_still_predicted() {
    for how in EXPORTS {
        for tags in [None, Some(ServiceTags::parse(&fixture("service-tags.json")).unwrap())] {
            let rules = NetworkRules::new(Some(export(how)), Some(to_appliance()), tags);
            let prediction = predict(&rules, "management-endpoint/", &[]);
            assert_eq!(prediction.verdict, Expected::Deny, "{how}: {}", prediction.words);
            assert!(
                prediction.words.ends_with("which never saw the request: they are lost"),
                "{}",
                prediction.words
            );
            assert_eq!(prediction.route.unwrap().next_hop.as_deref(), Some("10.1.9.4"));
        }
    }
}

#[test]
fn kms_is_subject_to_nsg_rules_under_forced_tunnelling() {
    let denied = |tag: &str, routes: Option<Routes>| {
        let document = json!([{ "association": { "subnet": { "id": "s" } }, "effectiveSecurityRules": [
            { "name": "Deny1688", "priority": 100, "direction": "Outbound", "access": "Deny", "protocol": "All",
              "sourceAddressPrefix": "*", "destinationAddressPrefix": tag, "destinationPortRange": "0-65535" },
            { "name": "AllowAll", "priority": 200, "direction": "Outbound", "access": "Allow", "protocol": "All",
              "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "0-65535" }] }]);
        let security = SecurityRules::parse(document.to_string().as_bytes()).unwrap();
        predict(
            &NetworkRules::new(Some(security), routes, None),
            "kms/azkms",
            &["20.118.99.224"],
        )
        .verdict
    };
    let plain = || default_route("Default", "Internet", &[]);
    // The platform allows activation in spite of every rule except those that name its tag.
    assert_eq!(denied("20.118.99.224/32", Some(plain())), Expected::Allow);
    assert_eq!(denied("20.118.99.224/32", Some(to_appliance())), Expected::Deny);
    assert_eq!(denied("20.118.99.224/32", None), Expected::Unknown);
    for routes in [Some(plain()), Some(to_appliance()), None] {
        assert_eq!(denied("AzurePlatformLKM", routes), Expected::Deny);
    }
}
