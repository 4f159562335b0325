//! The network's own rules: what is read, how Azure would decide, and what is shown next to the measurement.

use std::{fs, net::IpAddr, path::PathBuf, sync::LazyLock};

use apim_probe::{
    azure::Cloud,
    catalog::model::Catalog,
    model::{
        Direction, Prediction,
        prediction::{Expected, NsgAttachment},
    },
    network::{NetworkRules, Origin, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    plan::{Plan, PlanScope, PlannedEndpoint, Selection, Values},
};

mod forced_tunnelling;
mod reference_evaluator;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/network")
            .join(name),
    )
    .unwrap()
}

fn rules(nsg: Option<&str>, routes: Option<&str>, tags: Option<&str>) -> NetworkRules {
    NetworkRules::new(
        nsg.map(|name| SecurityRules::parse(&fixture(name)).unwrap()),
        routes.map(|name| Routes::parse(&fixture(name)).unwrap()),
        tags.map(|name| ServiceTags::parse(&fixture(name)).unwrap()),
    )
}

fn plan() -> Plan {
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: Some("westeurope".into()),
        vnet: None,
        name_servers: vec!["168.63.129.16:53".parse().unwrap(), "10.1.3.4:53".parse().unwrap()],
    };
    Plan::make(&Catalog::builtin(), &scope, &Values::default(), &Selection::default()).unwrap()
}

fn endpoint(start: &str) -> PlannedEndpoint {
    static PLAN: LazyLock<Plan> = LazyLock::new(plan);
    let found = PLAN.endpoints.iter().find(|endpoint| endpoint.id.starts_with(start));
    found
        .unwrap_or_else(|| panic!("no endpoint begins with {start}"))
        .clone()
}

fn predict(rules: &NetworkRules, start: &str, addresses: &[&str]) -> Prediction {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let here = ["10.1.2.7".parse().unwrap()];
    let from = Origin {
        region: Some("westeurope"),
        addresses: &here,
    };
    rules.predict(&endpoint(start), &addresses, &from).unwrap()
}

/// `verdict: words`, as one line.
fn prediction_text(rules: &NetworkRules, start: &str, addresses: &[&str]) -> String {
    let prediction = predict(rules, start, addresses);
    format!("{}: {}", prediction.verdict.as_str(), prediction.words)
}

#[test]
fn outbound_prediction_names_the_deciding_nsg_rule() {
    let rules = rules(
        Some("nsg-locked-down.json"),
        Some("routes-plain.json"),
        Some("service-tags.json"),
    );
    let table = [
        (
            "storage/",
            &["20.60.1.2"][..],
            "allow: NSG rule AllowStorage (200, subnet) allows TCP 443 to 20.60.1.2, and the route 0.0.0.0/0 \
             (default) leads to the internet",
        ),
        (
            "sql/",
            &["20.61.99.193"],
            "deny: NSG rule DenyInternet (4096, subnet) denies TCP 1433 to 20.61.99.193",
        ),
        // Before a DNS lookup, the service tags decide.
        (
            "storage/",
            &[],
            "allow: NSG rule AllowStorage (200, subnet) allows TCP 443 to Storage, and the route 0.0.0.0/0 (default) \
             leads to the internet",
        ),
        (
            "event-hubs/",
            &[],
            "deny: NSG rule DenyInternet (4096, subnet) denies TCP 5671 to EventHub",
        ),
        // A host without a tag counts as the internet.
        (
            "certificate-revocation/crl.microsoft.com:80",
            &[],
            "deny: NSG rule DenyInternet (4096, subnet) denies TCP 80 to the internet",
        ),
        // A storage address that the tag does not cover matches the next rule.
        (
            "storage/",
            &["20.60.1.2", "52.239.1.1"],
            "unknown: NSG rules split TCP 443 with 20.60.1.2, 52.239.1.1: AllowStorage (200, subnet) allows \
             20.60.1.2; DenyInternet (4096, subnet) denies 52.239.1.1; the route 0.0.0.0/0 (default) leads to the \
             internet",
        ),
        // A private endpoint is within the network.
        (
            "sql/",
            &["10.1.9.5"],
            "allow: NSG rule AllowVnetOutBound (65000, subnet) allows TCP 1433 to 10.1.9.5, and the route 10.1.0.0/16 \
             (default) leads to the virtual network",
        ),
        (
            "sql/",
            &["10.77.0.5"],
            "deny: NSG rule DenyAllOutBound (65500, subnet) denies TCP 1433 to 10.77.0.5, and the route 10.0.0.0/8 \
             (default) leads nowhere: Azure drops it",
        ),
    ];
    for (start, addresses, words) in table {
        assert_eq!(
            prediction_text(&rules, start, addresses),
            words,
            "{start} {addresses:?}"
        );
    }
    let rule = predict(&rules, "sql/", &["20.61.99.193"]).nsg.unwrap();
    assert_eq!(
        (rule.name.as_str(), rule.priority, rule.place),
        ("DenyInternet", 4096, NsgAttachment::Subnet)
    );
    assert_eq!(rule.group.as_deref(), Some("nsg-apim"));
}

#[test]
fn platform_dns_and_kms_bypass_nsg_rules() {
    let plain = rules(Some("nsg-locked-down.json"), Some("routes-plain.json"), None);
    assert_eq!(
        prediction_text(&plain, "dns/168.63.129.16", &[]),
        "allow: 168.63.129.16 is an Azure platform address: neither NSG rules nor routes block it"
    );
    assert_eq!(predict(&plain, "dns/10.1.3.4", &[]).verdict, Expected::Allow);
    // Windows activation bypasses NSG rules, unless a route covers everything.
    assert_eq!(
        prediction_text(&plain, "kms/azkms", &["20.118.99.224"]),
        "allow: Azure lets Windows activation through regardless of NSG rules such as DenyInternet, and the route \
         0.0.0.0/0 (default) leads to the internet"
    );
    let forced = rules(None, Some("routes-forced.json"), None);
    let words = predict(&forced, "kms/azkms", &["20.118.99.224"]).words;
    assert!(words.contains("works only from an Azure public address"), "{words}");
    assert!(words.contains("unless the firewall there is in Azure"), "{words}");
}

/// One NSG on the subnet with one rule before the defaults, as exported.
fn rules_with(rule: &serde_json::Value) -> NetworkRules {
    let mut rule = rule.clone();
    for (key, value) in [
        ("priority", "100"),
        ("direction", "Outbound"),
        ("access", "Deny"),
        ("sourceAddressPrefix", "*"),
    ] {
        rule.as_object_mut().unwrap().entry(key).or_insert_with(|| value.into());
    }
    let all = |name: &str, priority: u32, access: &str| {
        serde_json::json!({ "name": name, "priority": priority, "direction": "Outbound", "access": access, "protocol": "All",
            "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "0-65535" })
    };
    let document = serde_json::json!([{ "association": { "subnet": { "id": "s" } },
        "effectiveSecurityRules": [rule, all("AllowAll", 4000, "Allow"), all("DenyAllOutBound", 65500, "Deny")] }]);
    let security = SecurityRules::parse(document.to_string().as_bytes()).unwrap();
    NetworkRules::new(
        Some(security),
        Some(Routes::parse(&fixture("routes-plain.json")).unwrap()),
        None,
    )
}

#[test]
fn deny_by_platform_tag_applies_to_that_platform_service() {
    let by_tag = |tag: &str, expanded: serde_json::Value| {
        rules_with(
            &serde_json::json!({ "name": "DenyPlatform", "protocol": "All", "destinationAddressPrefix": tag,
            "expandedDestinationAddressPrefix": expanded, "destinationPortRange": "0-65535" }),
        )
    };
    for expanded in [
        serde_json::json!(null),
        serde_json::json!([]),
        serde_json::json!(["168.63.129.16/32", "fe80::1234:5678:9abc/128"]),
    ] {
        let dns = by_tag("AzurePlatformDNS", expanded);
        assert_eq!(
            prediction_text(&dns, "dns/168.63.129.16", &[]),
            "deny: NSG rule DenyPlatform (100, subnet) denies UDP 53 to 168.63.129.16, through the tag AzurePlatformDNS"
        );
        // It applies to the platform's name server and nothing else.
        assert_eq!(predict(&dns, "dns/10.1.3.4", &[]).verdict, Expected::Allow);
        assert_eq!(predict(&dns, "kms/azkms", &["20.118.99.224"]).verdict, Expected::Allow);
    }
    for expanded in [
        serde_json::json!(null),
        serde_json::json!(["20.118.99.224/32", "40.83.235.53/32"]),
    ] {
        let kms = by_tag("AzurePlatformLKM", expanded);
        for addresses in [&["20.118.99.224"][..], &[]] {
            let found = predict(&kms, "kms/azkms", addresses);
            assert_eq!(found.verdict, Expected::Deny, "{}", found.words);
            assert!(
                found.words.ends_with("through the tag AzurePlatformLKM"),
                "{}",
                found.words
            );
        }
        assert_eq!(predict(&kms, "dns/168.63.129.16", &[]).verdict, Expected::Allow);
    }
    // Nothing else blocks the platform's traffic.
    let everything = by_tag("*", serde_json::json!(null));
    assert_eq!(predict(&everything, "dns/168.63.129.16", &[]).verdict, Expected::Allow);
    assert_eq!(
        predict(&everything, "kms/azkms", &["20.118.99.224"]).verdict,
        Expected::Allow
    );
    assert_eq!(predict(&everything, "sql/", &["20.61.99.193"]).verdict, Expected::Deny);
}

#[test]
fn service_tag_does_not_cover_a_private_endpoint() {
    let deny = |destination: serde_json::Value| {
        let mut rule = serde_json::json!({ "name": "DenySql", "protocol": "Tcp", "destinationPortRange": "1433" });
        rule.as_object_mut()
            .unwrap()
            .extend(destination.as_object().unwrap().clone());
        rules_with(&rule)
    };
    let by_tag = deny(serde_json::json!({ "destinationAddressPrefix": "Sql" }));
    assert_eq!(predict(&by_tag, "sql/", &["20.61.99.193"]).verdict, Expected::Deny);
    // The private endpoint has an address in the network, or in one that it peers with.
    assert_eq!(predict(&by_tag, "sql/", &["10.1.9.5"]).verdict, Expected::Allow);
    assert_eq!(
        predict(&by_tag, "sql/", &["20.61.99.193", "10.1.9.5"]).verdict,
        Expected::Unknown
    );
    // An application security group can contain the endpoint, but no public service.
    let by_group = deny(serde_json::json!({ "destinationAddressPrefixes": [],
        "destinationApplicationSecurityGroups": [{ "id": "/subscriptions/s/…/asg-sql" }] }));
    assert_eq!(predict(&by_group, "sql/", &["20.61.99.193"]).verdict, Expected::Allow);
    assert_eq!(
        prediction_text(&by_group, "sql/", &["10.1.9.5"]),
        "unknown: depends on the members of the application security group in NSG rule DenySql (100, subnet), or else \
         AllowAll (4000, subnet) allows TCP 1433 to 10.1.9.5; the route 10.1.0.0/16 (default) leads to the virtual \
         network"
    );
    // A network can have public addresses of its own: then a service tag shows nothing there either.
    let routes = serde_json::json!([
        { "source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"], "nextHopType": "VnetLocal" },
        { "source": "Default", "state": "Active", "addressPrefix": ["20.61.0.0/16"], "nextHopType": "VNetPeering" },
        { "source": "Default", "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": "Internet" }]);
    let security = serde_json::json!([{ "association": { "subnet": { "id": "s" } }, "effectiveSecurityRules": [
        { "name": "DenySql", "priority": 100, "direction": "Outbound", "access": "Deny", "protocol": "Tcp", "sourceAddressPrefix": "*",
          "destinationAddressPrefix": "Sql", "destinationPortRange": "1433" },
        { "name": "AllowVnetOutBound", "priority": 65000, "direction": "Outbound", "access": "Allow", "protocol": "All",
          "sourceAddressPrefix": "VirtualNetwork", "destinationAddressPrefix": "VirtualNetwork", "destinationPortRange": "0-65535" }] }]);
    let peered = NetworkRules::new(
        Some(SecurityRules::parse(security.to_string().as_bytes()).unwrap()),
        Some(Routes::parse(routes.to_string().as_bytes()).unwrap()),
        None,
    );
    assert_eq!(predict(&peered, "sql/", &["20.61.99.193"]).verdict, Expected::Allow);
}

#[test]
fn virtual_network_tag_is_derived_from_the_routes() {
    let route = |source: &str, prefix: &str, hop: &str| serde_json::json!({ "source": source, "state": "Active", "addressPrefix": [prefix], "nextHopType": hop, "nextHopIpAddress": [] });
    let routes = serde_json::json!([
        route("Default", "10.1.0.0/16", "VnetLocal"),
        route("Default", "10.2.0.0/16", "VNetPeering"),
        route("Default", "10.3.0.0/16", "VNetGlobalPeering"),
        route("Default", "10.4.0.0/16", "ConnectedGroup"),
        route("Default", "10.5.0.0/16", "HyperNetGateway"),
        route("VirtualNetworkGateway", "172.20.0.0/16", "VirtualNetworkGateway"),
        route("User", "20.118.99.224/32", "Internet"),
        route("User", "203.0.113.0/24", "None"),
        route("User", "192.168.7.0/24", "VirtualAppliance"),
        route("Default", "20.150.0.0/17", "VirtualNetworkServiceEndpoint"),
        route("Default", "0.0.0.0/0", "Internet"),
        route("Default", "10.0.0.0/8", "None"),
    ]);
    let network = Routes::parse(routes.to_string().as_bytes()).unwrap().virtual_network();
    for (address, is_in) in [
        ("10.1.2.3", true),
        ("10.2.2.3", true),
        ("10.3.2.3", true),
        ("10.4.2.3", true),
        ("10.5.2.3", true),
        ("172.20.1.1", true),
        ("20.118.99.224", true),
        ("203.0.113.9", true),
        ("192.168.7.1", true),
        ("168.63.129.16", true),
        ("20.150.0.9", false),
        ("10.9.0.1", false),
        ("8.8.8.8", false),
    ] {
        assert_eq!(network.contains(address.parse().unwrap()), is_in, "{address}");
    }
}

#[test]
fn deny_from_virtual_network_blocks_load_balancer_probes() {
    let document = serde_json::json!([{ "association": { "subnet": { "id": "s" } }, "effectiveSecurityRules": [
        { "name": "DenyVnetIn", "priority": 4000, "direction": "Inbound", "access": "Deny", "protocol": "All",
          "sourceAddressPrefix": "VirtualNetwork", "destinationAddressPrefix": "*", "destinationPortRange": "0-65535" },
        { "name": "AllowAzureLoadBalancerInBound", "priority": 65001, "direction": "Inbound", "access": "Allow", "protocol": "All",
          "sourceAddressPrefix": "AzureLoadBalancer", "destinationAddressPrefix": "*", "destinationPortRange": "0-65535" }] }]);
    let security = SecurityRules::parse(document.to_string().as_bytes()).unwrap();
    let rules = NetworkRules::new(
        Some(security),
        Some(Routes::parse(&fixture("routes-plain.json")).unwrap()),
        None,
    );
    assert_eq!(
        prediction_text(&rules, "load-balancer/", &[]),
        "deny: NSG rule DenyVnetIn (4000, subnet) denies TCP 6390 from AzureLoadBalancer"
    );
}

#[test]
fn inbound_and_peer_rows_get_predictions() {
    let plain = rules(
        Some("nsg-locked-down.json"),
        Some("routes-plain.json"),
        Some("service-tags.json"),
    );
    let table = [
        (
            "management-endpoint/",
            Expected::Deny,
            "DenyAllInBound (65500, subnet) denies TCP 3443 from ApiManagement",
        ),
        (
            "load-balancer/",
            Expected::Allow,
            "AllowLoadBalancerProbe (300, subnet) allows TCP 6390 from AzureLoadBalancer",
        ),
        (
            "client-traffic/*:443",
            Expected::Deny,
            "DenyAllInBound (65500, subnet) denies TCP 443 from the internet",
        ),
        ("internal-cache/*:6382", Expected::Allow, "VirtualNetwork"),
        ("rate-limit-sync/", Expected::Allow, "UDP 4290"),
    ];
    for (start, verdict, words) in table {
        let prediction = predict(&plain, start, &[]);
        assert_eq!(prediction.verdict, verdict, "{start}: {}", prediction.words);
        assert!(prediction.words.contains(words), "{start}: {}", prediction.words);
    }
    let nic_only = rules(Some("nsg-nic-only.powershell.json"), None, None);
    assert_eq!(
        predict(&nic_only, "management-endpoint/", &[]).verdict,
        Expected::Unknown
    );
    let without = NetworkRules::new(Some(SecurityRules::parse(br#"{"value": []}"#).unwrap()), None, None);
    assert_eq!(
        prediction_text(&without, "management-endpoint/", &[]),
        "deny: the subnet has no NSG, and without one the instance's load balancer blocks all inbound traffic"
    );
    assert_eq!(predict(&without, "sql/", &[]).verdict, Expected::Allow);
}

#[test]
fn asymmetric_route_denies_the_management_endpoint() {
    let forced = rules(None, Some("routes-forced.json"), Some("service-tags.json"));
    assert_eq!(
        prediction_text(&forced, "management-endpoint/", &[]),
        "deny: replies to ApiManagement leave through the route 0.0.0.0/0 (user, to-firewall) to the appliance \
         10.1.2.4, which never saw the request: they are lost"
    );
    // Without the addresses of the tag, and without a route that could be it, the result is the same.
    let untold = rules(None, Some("routes-forced.json"), None);
    assert_eq!(predict(&untold, "management-endpoint/", &[]).verdict, Expected::Deny);
    // A user-defined route to the internet could be the missing one.
    let some_route = rules(None, Some("routes-precedence.json"), None);
    assert_eq!(
        predict(&some_route, "management-endpoint/", &[]).verdict,
        Expected::Unknown
    );
    // A route to the activation hosts cannot be the missing one, nor can one whose tag is in the export.
    let with = |name: &str, prefixes: &[&str], tags: &[&str]| {
        let route = serde_json::json!({ "source": "User", "state": "Active", "name": name, "addressPrefix": prefixes,
            "destinationServiceTags": tags, "nextHopType": "Internet" });
        let mut document: serde_json::Value = serde_json::from_slice(&fixture("routes-forced.json")).unwrap();
        document["value"].as_array_mut().unwrap().push(route);
        let routes = Routes::parse(document.to_string().as_bytes()).unwrap();
        let activation = Catalog::builtin().route_addresses().collect::<Vec<_>>();
        let rules = NetworkRules::new(None, Some(routes), None).with_activation_at(activation.into_iter());
        predict(&rules, "management-endpoint/", &[]).verdict
    };
    assert_eq!(with("kms", &["20.118.99.224/32"], &[]), Expected::Deny);
    assert_eq!(with("other", &["20.118.99.225/32"], &[]), Expected::Unknown);
    assert_eq!(
        with("storage", &["20.60.0.0/16", "20.61.0.0/16"], &["Storage.WestEurope"]),
        Expected::Deny
    );
    assert_eq!(
        with("cloud", &["13.64.0.0/16", "13.65.0.0/16"], &["AzureCloud"]),
        Expected::Unknown
    );
    assert_eq!(
        with("apim", &["13.64.39.16/32", "40.74.146.80/31"], &["ApiManagement"]),
        Expected::Allow
    );
    // Replies to the load balancer's probes bypass all routes.
    assert_eq!(predict(&forced, "load-balancer/", &[]).verdict, Expected::Unknown);
    assert_eq!(predict(&forced, "load-balancer/", &[]).route, None);
    let plain = rules(None, Some("routes-plain.json"), Some("service-tags.json"));
    assert_eq!(predict(&plain, "management-endpoint/", &[]).verdict, Expected::Allow);
}

#[test]
fn route_selection_follows_azure_precedence() {
    let precedence = rules(None, Some("routes-precedence.json"), None);
    let table = [
        // Of three routes of one length, the user-defined one takes precedence.
        ("20.1.2.3", Some("tie"), "VirtualApplianceEcmp"),
        // Azure's own routes of the network and its peers take precedence over longer BGP routes.
        ("10.2.9.1", None, "VNetPeering"),
        ("10.3.0.1", None, "VirtualNetworkGateway"),
        // A service endpoint takes precedence over a user-defined route with a shorter or equal prefix, but not over a
        // longer one.
        ("20.150.0.9", Some("storage"), "None"),
        ("20.150.1.9", None, "VirtualNetworkServiceEndpoint"),
        ("20.151.0.9", None, "VirtualNetworkServiceEndpoint"),
        // But not over a route by service tag, unless its next hop is the internet as well.
        ("20.152.0.9", Some("storage-by-tag"), "VirtualAppliance"),
        ("20.153.0.9", None, "VirtualNetworkServiceEndpoint"),
        // Among equal prefixes an explicit one takes precedence, then a regional tag, a whole one, and AzureCloud.
        ("20.154.0.9", Some("explicit"), "None"),
        ("20.154.1.9", Some("regional-tag"), "Internet"),
        ("20.154.2.9", Some("whole-tag"), "VirtualAppliance"),
        ("20.154.3.9", Some("regional-cloud"), "None"),
        ("20.43.56.38", Some("hole"), "None"),
        ("20.118.99.224", Some("kms"), "Internet"),
        ("52.0.0.1", None, "QuantumTunnel"),
    ];
    for (address, name, next_hop) in table {
        let prediction = predict(&precedence, "sql/", &[address]);
        let route = prediction.route.unwrap();
        assert_eq!(route.next_hop_type.as_str(), next_hop, "{address}");
        let by = name.map_or_else(|| "(default)".into(), |name| format!(", {name})"));
        let by = if next_hop == "VirtualNetworkGateway" {
            "(BGP)".into()
        } else {
            by
        };
        assert!(prediction.words.contains(&by), "{address}: {}", prediction.words);
    }
    let route = predict(&precedence, "sql/", &["20.1.2.3"]).route.unwrap();
    assert_eq!(route.next_hop.as_deref(), Some("10.2.0.4 or 10.2.0.5"));
    assert_eq!(
        prediction_text(&precedence, "sql/", &["20.1.2.3"]),
        "allow: the route 0.0.0.0/0 (user, tie) leads to the appliance 10.2.0.4 or 10.2.0.5: check the firewall there"
    );
    assert_eq!(
        prediction_text(&precedence, "key-vault/", &["20.43.56.38"]),
        "deny: the route 20.43.56.0/24 (user, hole) leads nowhere: Azure drops it"
    );
}

#[test]
fn allow_rules_point_at_the_firewall_at_the_next_hop() {
    let open = rules(Some("nsg-nic-only.powershell.json"), Some("routes-forced.json"), None);
    assert_eq!(
        prediction_text(&open, "key-vault/", &["20.43.56.38"]),
        "allow: allowed, next hop is 10.1.2.4: check the firewall there"
    );
}

#[test]
fn nic_rule_is_distinguished_from_subnet_rule() {
    let nic_only = rules(Some("nsg-nic-only.powershell.json"), Some("routes-plain.json"), None);
    let prediction = predict(&nic_only, "sql/", &["20.61.99.193"]);
    assert_eq!(
        prediction.words,
        "NSG rule DenySql (100, NIC) denies TCP 1433 to 20.61.99.193"
    );
    assert_eq!(prediction.nsg.unwrap().place, NsgAttachment::Nic);
}

#[test]
fn tags_without_known_addresses_give_unknown() {
    let document = br#"[{"association": {"subnet": {"id": "s"}}, "effectiveSecurityRules": [
        {"name": "AllowSqlHere", "priority": 100, "direction": "Outbound", "access": "Allow", "protocol": "Tcp",
         "sourceAddressPrefix": "*", "destinationAddressPrefix": "Sql.NorthEurope", "destinationPortRange": "1433"},
        {"name": "AllowAzure", "priority": 110, "direction": "Outbound", "access": "Allow", "protocol": "Tcp",
         "sourceAddressPrefix": "*", "destinationAddressPrefix": "AzureCloud", "destinationPortRange": "5671"},
        {"name": "AllowVault", "priority": 120, "direction": "Outbound", "access": "Allow", "protocol": "Tcp",
         "sourceAddressPrefix": "*", "destinationAddressPrefix": "AzureKeyVault", "destinationPortRange": "443"},
        {"name": "DenyAll", "priority": 4000, "direction": "Outbound", "access": "Deny", "protocol": "*",
         "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "0-65535"}]}]"#;
    let parsed = SecurityRules::parse(document).unwrap();
    let untold = NetworkRules::new(Some(parsed.clone()), None, None);
    assert_eq!(
        prediction_text(&untold, "sql/", &["20.61.99.193"]),
        "unknown: depends on the addresses in NSG rule AllowSqlHere (100, subnet): pass --service-tags, or else \
         DenyAll (4000, subnet) denies TCP 1433 to 20.61.99.193"
    );
    assert_eq!(predict(&untold, "event-hubs/", &[]).verdict, Expected::Unknown);
    // The rule names the endpoint's own tag: its addresses are not needed.
    assert_eq!(
        predict(&untold, "key-vault/", &["20.43.56.38"]).verdict,
        Expected::Allow
    );
    // Tags of different services share no address.
    assert_eq!(predict(&untold, "storage/", &["20.60.1.2"]).verdict, Expected::Deny);
    let tags =
        br#"{"values": [{"name": "Sql.NorthEurope", "properties": {"addressPrefixes": ["52.146.133.128/27"]}}]}"#;
    let with_tags = NetworkRules::new(Some(parsed), None, Some(ServiceTags::parse(tags).unwrap()));
    assert_eq!(predict(&with_tags, "sql/", &["20.61.99.193"]).verdict, Expected::Deny);
    assert_eq!(
        predict(&with_tags, "sql/", &["52.146.133.130"]).verdict,
        Expected::Allow
    );
}

#[test]
fn regional_service_tag_is_found_by_its_suffix() {
    let tags = ServiceTags::parse(&fixture("service-tags.json")).unwrap();
    assert_eq!(
        tags.canonical_name("storage.germanywestcentral"),
        Some("Storage.GermanyWestCentral")
    );
    assert!(tags.addresses("Storage.germanywc").is_none());
}

#[test]
fn security_admin_rules_are_evaluated_before_nsg_rules() {
    let rule = |priority: u32, access: &str, port: u16| {
        format!(
            r#"{{"name": "r{port}", "priority": {priority}, "direction": "Outbound", "access": "{access}", "protocol": "All",
            "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "{port}"}}"#
        )
    };
    let document = format!(
        r#"{{"value": [
            {{"association": {{"subnet": {{"id": "s"}}}}, "effectiveSecurityRules": [{}, {}]}},
            {{"association": {{"networkManager": {{"id": "m"}}}}, "effectiveSecurityRules": [{}, {}]}}]}}"#,
        rule(100, "Deny", 1433),
        rule(100, "Allow", 443),
        rule(1, "AlwaysAllow", 1433),
        rule(2, "Deny", 443)
    );
    let rules = NetworkRules::new(Some(SecurityRules::parse(document.as_bytes()).unwrap()), None, None);
    assert_eq!(predict(&rules, "sql/", &["20.61.99.193"]).verdict, Expected::Allow);
    let vault = predict(&rules, "key-vault/", &["20.43.56.38"]);
    assert_eq!(
        (vault.verdict, vault.nsg.unwrap().place),
        (Expected::Deny, NsgAttachment::NetworkManager)
    );
}

#[test]
fn rules_from_another_virtual_network_give_a_notice() {
    let rules = rules(Some("nsg-locked-down.json"), Some("routes-plain.json"), None);
    let notices = |address: &str| {
        let here = [address.parse().unwrap()];
        rules.notices(&Origin {
            region: None,
            addresses: &here,
        })
    };
    assert_eq!(notices("10.1.2.7"), Vec::<String>::new());
    assert_eq!(
        notices("10.9.0.4"),
        [
            "no address of this machine (10.9.0.4) is in the virtual network of the given rules \
             (10.1.0.0-10.1.255.255): the rules are those of another network interface"
        ]
    );
}

#[test]
fn unreadable_rule_field_is_named_with_its_rule() {
    let rule = |field: &str, value: &str| {
        let mut rule = serde_json::json!({"name": "r", "priority": 1, "direction": "Outbound", "access": "Allow",
            "protocol": "All", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "destinationPortRange": "80"});
        rule[field] = serde_json::from_str(value).unwrap();
        let document = serde_json::json!([{"effectiveSecurityRules": [rule]}]).to_string();
        SecurityRules::parse(document.as_bytes()).map(drop)
    };
    for (field, value, words) in [
        (
            "access",
            "\"Maybe\"",
            "has the rule r with access \"Maybe\", which is not recognised",
        ),
        ("direction", "null", "has the rule r without direction"),
        ("priority", "\"first\"", "priority \"first\""),
        (
            "destinationPortRange",
            "\"80-99999\"",
            "destinationPortRange \"80-99999\"",
        ),
        ("destinationPortRange", "null", "without destinationPortRange"),
        (
            "destinationAddressPrefix",
            "\"10.0.0.0/40\"",
            "\"10.0.0.0/40\", which is not a prefix",
        ),
        (
            "expandedDestinationAddressPrefix",
            "[\"Storage\"]",
            "\"Storage\", which is not a prefix",
        ),
    ] {
        let error = rule(field, value).unwrap_err();
        assert!(error.contains(words), "{error}\nand not: {words}");
    }
    for (field, value) in [
        ("destinationPortRanges", "[\"80\", \"443-443\"]"),
        ("destinationPortRange", "\"*\""),
        ("destinationPortRange", "80"),
        ("expandedDestinationAddressPrefix", "null"),
        (
            "destinationAddressPrefixes",
            "[\"*\", \"Storage\", \"10.0.0.0/8\", \"2603:1030::/64\"]",
        ),
        ("protocol", "\"Icmp\""),
    ] {
        assert_eq!(rule(field, value), Ok(()), "{field} {value}");
    }
}

#[test]
fn every_endpoint_gets_a_prediction() {
    let all = rules(
        Some("nsg-locked-down.json"),
        Some("routes-forced.json"),
        Some("service-tags.json"),
    );
    let from = Origin {
        region: None,
        addresses: &[],
    };
    for endpoint in plan().endpoints {
        let prediction = all.predict(&endpoint, &[], &from).unwrap();
        assert!(!prediction.words.is_empty(), "{}", endpoint.id);
        assert!(
            prediction.words.is_ascii() && !prediction.words.contains("  "),
            "{}",
            prediction.words
        );
    }
    let none = NetworkRules::new(
        None,
        None,
        Some(ServiceTags::parse(&fixture("service-tags.json")).unwrap()),
    );
    assert_eq!(none.predict(&endpoint("sql/"), &[], &from), None);
}

mod hostile {
    use super::*;
    use proptest::prelude::*;

    /// JSON of the right keys and of the wrong kinds.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("-1e400".to_owned()),
            Just("[]".to_owned()),
            Just("\"0.0.0.0/0\"".to_owned()),
            Just("\"\\ud800\"".to_owned()),
            "\"[*a-zA-Z0-9./:-]{0,12}\"",
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            let key = prop::sample::select(vec![
                "value",
                "values",
                "name",
                "properties",
                "addressPrefixes",
                "effectiveSecurityRules",
                "association",
                "subnet",
                "access",
                "direction",
                "priority",
                "destinationPortRange",
                "destinationAddressPrefix",
                "nextHopType",
                "state",
                "addressPrefix",
                "nextHop",
                "error",
                "schema",
                "tagMap",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
                prop::collection::vec((key, inner), 0..6).prop_map(|fields| {
                    let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", fields.join(","))
                }),
            ]
        })
    }

    fn read(bytes: &[u8]) {
        let _ = SecurityRules::parse(bytes);
        let _ = Routes::parse(bytes);
        let _ = ServiceTags::parse(bytes);
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            read(&bytes);
        }

        #[test]
        fn any_json_does_not_panic(text in json()) {
            read(text.as_bytes());
        }

        #[test]
        fn truncated_json_does_not_panic(length in 0_usize..9000) {
            let whole = fixture("nsg-locked-down.json");
            read(&whole[..length.min(whole.len())]);
        }
    }

    #[test]
    fn deep_json_does_not_overflow_the_stack() {
        read("[".repeat(200_000).as_bytes());
        read(format!("{}{}", "{\"value\":".repeat(100_000), "}".repeat(100_000)).as_bytes());
    }
}
