//! The rules that fix a report: what they contain, that they stay the same, and that real parsers accept them.

use std::{
    collections::{BTreeMap, BTreeSet},
    process,
    time::Duration,
};

use apim_probe::{
    azure::Cloud,
    catalog::{self, CatalogFile, model::Catalog},
    diagnosis::{diagnose, view::Surroundings},
    model::{Cause, Report, Tier, Verdict, Vnet},
    network::{NetworkRules, Origin, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    plan::{Plan, PlanScope, Selection, Values},
    probe::{Run, control::Controls, traceroute::Traceroutes},
    rules::{
        FirewallRule, NsgRules, RenderedRules, Requirement, RuleBasis, RuleFamily, RuleFilter, RuleSet, Style, Syntax,
        missing,
    },
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::report_builder;

/// The values of the flags.
#[derive(Clone)]
struct RuleFlags {
    catalog: Catalog,
    cloud: Cloud,
    region: Option<&'static str>,
    vnet: Option<Vnet>,
    only: &'static [&'static str],
    set: &'static [(&'static str, &'static str)],
    is_forced: Option<bool>,
    network: Option<NetworkRules>,
    first_priority: Option<u16>,
}

fn default_flags() -> RuleFlags {
    RuleFlags {
        catalog: Catalog::builtin(),
        cloud: Cloud::Public,
        region: None,
        vnet: None,
        only: &[],
        set: &[],
        is_forced: Some(false),
        network: None,
        first_priority: None,
    }
}

impl RuleFlags {
    fn plan(&self) -> Plan {
        let scope = PlanScope {
            cloud: self.cloud,
            region: self.region.map(str::to_owned),
            vnet: self.vnet,
            name_servers: vec!["168.63.129.16:53".parse().unwrap(), "10.1.3.4:53".parse().unwrap()],
        };
        let mut values = Values::default();
        for (name, value) in self.set {
            values.add(name, [(*value).to_owned()]);
        }
        Plan::make(&self.catalog, &scope, &values, &self.selection()).unwrap()
    }

    fn selection(&self) -> Selection {
        Selection {
            only: self.only.iter().map(|id| (*id).to_owned()).collect(),
            ..Selection::default()
        }
    }

    fn rules(&self, kind: RuleFamily) -> RenderedRules {
        self.set(Requirement::of_plan(&self.plan()))
            .rules(kind, RuleFilter::All)
            .unwrap()
    }

    fn set(&self, requirements: Vec<Requirement>) -> RuleSet<'_> {
        let basis = RuleBasis {
            catalog: &self.catalog,
            cloud: self.cloud,
            from: Origin {
                region: self.region,
                addresses: &[],
            },
            is_forced: self.is_forced,
            network: self.network.as_ref(),
            first_priority: self.first_priority,
            own_servers: false,
            subnet: "10.1.2.0/24",
        };
        RuleSet::new(basis, requirements)
    }

    /// The rules for a report's endpoints: all, or those that are missing.
    fn reported(&self, report: &Report, kind: RuleFamily, missing_only: bool) -> RenderedRules {
        let set = self.set(Requirement::of_report(report, &self.plan(), &self.selection()));
        let ids = missing(report, kind);
        let choice = if missing_only {
            RuleFilter::For(&ids)
        } else {
            RuleFilter::All
        };
        set.rules(kind, choice).unwrap()
    }
}

fn json(rules: &RenderedRules) -> Vec<Value> {
    serde_json::from_str(&rules.render(Syntax::Json, &Style::default())).unwrap()
}

/// Each resource's properties by its name.
fn by_name(rules: &RenderedRules) -> BTreeMap<String, Value> {
    json(rules)
        .into_iter()
        .map(|rule| (text(&rule["name"]), rule["properties"].clone()))
        .collect()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// Every kind of output that needs no report.
fn every_rule_set() -> Vec<(String, RenderedRules)> {
    let mut all = Vec::new();
    for cloud in Cloud::ALL {
        for region in [None, Some("westeurope")] {
            for kind in [RuleFamily::Nsg, RuleFamily::Firewall, RuleFamily::Routes] {
                let rules = RuleFlags {
                    cloud,
                    region,
                    ..default_flags()
                }
                .rules(kind);
                all.push((format!("{cloud} {region:?} {kind:?}"), rules));
            }
        }
    }
    all
}

/// Name, direction, protocol, source, destination, port.
const DOCUMENTED_RULES: &str = "
    apim-in-ApiManagement-tcp-3443 Inbound Tcp ApiManagement VirtualNetwork 3443
    apim-in-AzureLoadBalancer-tcp-6390 Inbound Tcp AzureLoadBalancer VirtualNetwork 6390
    apim-in-Internet-tcp-443 Inbound Tcp Internet VirtualNetwork 443
    apim-in-AzureTrafficManager-tcp-443 Inbound Tcp AzureTrafficManager VirtualNetwork 443
    apim-in-VirtualNetwork-udp-4290 Inbound Udp VirtualNetwork VirtualNetwork 4290
    apim-out-VirtualNetwork-udp-4290 Outbound Udp VirtualNetwork VirtualNetwork 4290
    apim-out-Storage-tcp-443 Outbound Tcp VirtualNetwork Storage.WestEurope 443
    apim-out-Sql-tcp-1433 Outbound Tcp VirtualNetwork Sql.WestEurope 1433
    apim-out-AzureKeyVault-tcp-443 Outbound Tcp VirtualNetwork AzureKeyVault 443
    apim-out-AzureMonitor-tcp-1886 Outbound Tcp VirtualNetwork AzureMonitor 1886
    apim-out-AzureMonitor-tcp-12000 Outbound Tcp VirtualNetwork AzureMonitor 12000
    apim-out-AzureActiveDirectory-tcp-443 Outbound Tcp VirtualNetwork AzureActiveDirectory 443
    apim-out-Internet-tcp-80 Outbound Tcp VirtualNetwork Internet 80
    apim-out-Internet-tcp-443 Outbound Tcp VirtualNetwork Internet 443
    apim-out-dns-udp-53 Outbound Udp VirtualNetwork 10.1.3.4 53
    apim-out-Internet-udp-123 Outbound Udp VirtualNetwork Internet 123
";

#[test]
fn nsg_rules_match_the_documented_table() {
    let rules = by_name(
        &RuleFlags {
            region: Some("westeurope"),
            ..default_flags()
        }
        .rules(RuleFamily::Nsg),
    );
    for row in DOCUMENTED_RULES.lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let rule = rules
            .get(cells[0])
            .unwrap_or_else(|| panic!("no {row} in {:?}", rules.keys()));
        let keys = [
            "direction",
            "protocol",
            "sourceAddressPrefix",
            "destinationAddressPrefix",
            "destinationPortRange",
        ];
        assert_eq!(keys.map(|key| text(&rule[key])), cells[1..], "{row}");
    }
    assert_eq!(
        texts(&rules["apim-out-EventHub-tcp-5671-5672-443"]["destinationPortRanges"]),
        ["5671", "5672", "443"]
    );
    assert_eq!(
        texts(&rules["apim-out-kms-tcp-1688"]["destinationAddressPrefixes"]).len(),
        3
    );
    assert!(text(&rules["apim-in-ApiManagement-tcp-3443"]["description"]).starts_with("Inbound, required: "));
    // Endpoints that are retired, or tested only on request, get no rule.
    assert!(!rules.keys().any(|name| name.contains("445") || name.contains("25028")));
}

#[test]
fn nsg_rules_have_valid_arm_properties() {
    for (which, rules) in every_rule_set()
        .iter()
        .filter(|(_, rules)| matches!(rules, RenderedRules::Nsg(_)))
    {
        let mut taken = BTreeSet::new();
        for rule in json(rules) {
            let (name, properties) = (text(&rule["name"]), &rule["properties"]);
            assert!(
                name.len() <= 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
                "{name}"
            );
            let priority = properties["priority"].as_u64().unwrap();
            assert!((100..=4096).contains(&priority), "{which} {name}");
            assert!(
                taken.insert((text(&properties["direction"]), priority)),
                "{which} {name}: {priority} twice"
            );
            assert_eq!(properties["access"], "Allow");
            assert!(["Tcp", "Udp"].contains(&properties["protocol"].as_str().unwrap()));
            assert!(text(&properties["description"]).chars().count() <= 140);
            for (one, many) in [
                ("destinationAddressPrefix", "destinationAddressPrefixes"),
                ("destinationPortRange", "destinationPortRanges"),
            ] {
                assert!(
                    properties.get(one).is_some() ^ properties.get(many).is_some(),
                    "{which} {name}: {one}"
                );
            }
            // One tag per rule: lists contain addresses.
            if let Some(list) = properties.get("destinationAddressPrefixes") {
                assert!(
                    texts(list)
                        .iter()
                        .all(|entry| entry.parse::<std::net::IpAddr>().is_ok()),
                    "{which} {name}"
                );
            }
        }
    }
}

#[test]
fn regional_tags_are_used_only_for_documented_services() {
    let with = by_name(
        &RuleFlags {
            region: Some("germanywestcentral"),
            ..default_flags()
        }
        .rules(RuleFamily::Nsg),
    );
    let without = by_name(&default_flags().rules(RuleFamily::Nsg));
    assert_eq!(with.keys().collect::<Vec<_>>(), without.keys().collect::<Vec<_>>());
    let differing: Vec<(&str, String)> = with
        .iter()
        .filter(|(name, rule)| without[*name] != **rule)
        .map(|(name, rule)| (name.as_str(), text(&rule["destinationAddressPrefix"])))
        .collect();
    let expected = [
        (
            "apim-out-EventHub-tcp-5671-5672-443",
            "EventHub.GermanyWestCentral".to_owned(),
        ),
        ("apim-out-Sql-tcp-1433", "Sql.GermanyWestCentral".to_owned()),
        ("apim-out-Storage-tcp-443", "Storage.GermanyWestCentral".to_owned()),
    ];
    assert_eq!(differing, expected);
}

#[test]
fn service_tags_file_decides_the_spelling_of_a_tag() {
    let tags = br#"{"values": [{"name": "Sql.ATLANTIS", "properties": {"addressPrefixes": ["20.0.0.0/24"]}}]}"#;
    let tags = ServiceTags::parse(tags).unwrap();
    let from = RuleFlags {
        region: Some("atlantis"),
        network: Some(NetworkRules::new(None, None, Some(tags))),
        ..default_flags()
    };
    let rules = by_name(&from.rules(RuleFamily::Nsg));
    assert_eq!(
        rules["apim-out-Sql-tcp-1433"]["destinationAddressPrefix"],
        "Sql.ATLANTIS"
    );
    assert_eq!(rules["apim-out-Storage-tcp-443"]["destinationAddressPrefix"], "Storage");
}

#[test]
fn selection_and_overlay_do_not_change_a_rule() {
    let all = by_name(&default_flags().rules(RuleFamily::Nsg));
    let narrower = [
        RuleFlags {
            only: &["sql"],
            ..default_flags()
        },
        RuleFlags {
            only: &["diagnostics-port", "application-insights"],
            ..default_flags()
        },
        RuleFlags {
            only: &["kms"],
            ..default_flags()
        },
        RuleFlags {
            vnet: Some(Vnet::Internal),
            ..default_flags()
        },
        RuleFlags {
            set: &[
                ("storage_account", "a"),
                ("sql_server", "b"),
                ("event_hub_namespace", "c"),
            ],
            ..default_flags()
        },
    ];
    for given in narrower {
        let some = by_name(&given.rules(RuleFamily::Nsg));
        assert!(!some.is_empty());
        for (name, rule) in some {
            assert_eq!(all.get(&name), Some(&rule), "{:?} {name}", given.only);
        }
    }
    // A user's additions come after the existing ones.
    let overlay = CatalogFile {
        name: "more.yaml".into(),
        bytes: b"dependencies:\n  - { id: mail, title: Mail, need: feature, impact: No mail., endpoints: [{ host: mail.example.org, port: 25, protocol: tcp }] }\n".to_vec(),
    };
    let more = RuleFlags {
        catalog: catalog::load(Tier::Classic, true, &[overlay]).unwrap(),
        ..default_flags()
    };
    let mut more = by_name(&more.rules(RuleFamily::Nsg));
    assert_eq!(
        more.remove("apim-out-mail-tcp-25").unwrap()["destinationAddressPrefix"],
        "Internet"
    );
    assert_eq!(more, all);
    // Another cloud changes addresses, not names.
    let china = by_name(
        &RuleFlags {
            cloud: Cloud::China,
            ..default_flags()
        }
        .rules(RuleFamily::Nsg),
    );
    for (name, rule) in &china {
        assert_eq!(all[name]["priority"], rule["priority"], "{name}");
    }
}

#[test]
fn missing_rules_are_those_of_blocked_endpoints() {
    let from = RuleFlags {
        region: Some("westeurope"),
        set: &[("event_hub_namespace", "hub")],
        ..default_flags()
    };
    let plan = from.plan();
    let seen: [report_builder::SeenEndpoint; 3] = [
        ("sql/", Verdict::Blocked, Some(Cause::TcpTimeout), "20.61.99.193"),
        (
            "event-hubs/hub.servicebus.windows.net:5672",
            Verdict::Blocked,
            Some(Cause::TcpTimeout),
            "20.36.144.70",
        ),
        ("key-vault/", Verdict::Reachable, None, "20.43.56.38"),
    ];
    let report = report_builder::report(&plan, &seen);
    let missing = |kind, only_missing| by_name(&from.reported(&report, kind, only_missing));
    let all = missing(RuleFamily::Nsg, false);
    assert_eq!(
        all,
        by_name(&from.rules(RuleFamily::Nsg)),
        "a report asks for what its plan asks for"
    );
    let some = missing(RuleFamily::Nsg, true);
    let names: Vec<&str> = some.keys().map(String::as_str).collect();
    // The complete rule, although only one of its ports is blocked: half of it would close the others.
    assert_eq!(names, ["apim-out-EventHub-tcp-5671-5672-443", "apim-out-Sql-tcp-1433"]);
    assert!(some.iter().all(|(name, rule)| all[name] == *rule));
    assert!(missing(RuleFamily::Routes, true).is_empty());
    let firewall = missing(RuleFamily::Firewall, true);
    assert_eq!(firewall.keys().collect::<Vec<_>>(), ["apim-dependencies-missing"]);
}

#[test]
fn blocked_private_endpoint_needs_no_service_tag_rule() {
    let from = RuleFlags {
        set: &[("key_vault", "kv")],
        ..default_flags()
    };
    let missing = |address| {
        let seen: [report_builder::SeenEndpoint; 1] =
            [("key-vault/", Verdict::Blocked, Some(Cause::TcpTimeout), address)];
        let report = report_builder::report(&from.plan(), &seen);
        [RuleFamily::Nsg, RuleFamily::Firewall].map(|kind| by_name(&from.reported(&report, kind, true)).len())
    };
    assert_eq!(missing("10.1.5.4"), [0, 0]);
    assert!(missing("20.43.56.38").iter().all(|rules| *rules > 0));
}

#[test]
fn failure_after_tcp_needs_no_nsg_rule() {
    let from = RuleFlags {
        set: &[("key_vault", "kv")],
        ..default_flags()
    };
    let plan = from.plan();
    let seen: [report_builder::SeenEndpoint; 3] = [
        ("key-vault/", Verdict::Blocked, Some(Cause::DnsNxdomain), "20.43.56.38"),
        (
            "certificate-revocation/crl.microsoft.com:80",
            Verdict::Blocked,
            Some(Cause::HttpDenied),
            "20.0.0.1",
        ),
        ("azure-monitor/gcs", Verdict::Blocked, Some(Cause::TlsReset), "20.0.0.2"),
    ];
    let report = report_builder::report(&plan, &seen);
    let missing = |kind| {
        by_name(&from.reported(&report, kind, true))
            .into_keys()
            .collect::<Vec<_>>()
    };
    // A name that does not resolve, a block page and a cut at the ClientHello all passed the NSG and the routes.
    assert!(missing(RuleFamily::Nsg).is_empty(), "{:?}", missing(RuleFamily::Nsg));
    assert!(
        missing(RuleFamily::Routes).is_empty(),
        "{:?}",
        missing(RuleFamily::Routes)
    );
    assert!(!missing(RuleFamily::Firewall).is_empty());
}

#[test]
fn asymmetric_route_needs_only_a_route() {
    let from = default_flags();
    let plan = from.plan();
    let routes = Routes::parse(include_bytes!("../../../tests/data/network/routes-forced.json")).unwrap();
    let rules = NetworkRules::new(None, Some(routes), None);
    let predictions = rules.predictions(&plan, &[], &Origin::default());
    let nothing_tried = Run {
        began: Timestamp::UNIX_EPOCH,
        controls: Controls::default(),
        traceroutes: Traceroutes::default(),
        traces: vec![None; plan.endpoints.len()],
        names: BTreeMap::new(),
        duration: Duration::ZERO,
        own_network: apim_probe::probe::own_network::OwnNetwork::default(),
        interrupted: false,
    };
    let diagnosis = diagnose(&plan, &nothing_tried, Some(&predictions), Surroundings::default());
    let report = Report {
        findings: diagnosis.findings,
        ..report_builder::report(&plan, &[])
    };
    let missing = |kind| {
        by_name(&from.reported(&report, kind, true))
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(missing(RuleFamily::Routes), ["apim-management"]);
    assert!(missing(RuleFamily::Nsg).is_empty());
}

/// Every rule of a firewall's collections.
fn firewall_rules(rules: &RenderedRules) -> Vec<Value> {
    let groups = json(rules);
    let collections = groups
        .iter()
        .flat_map(|group| group["properties"]["ruleCollections"].as_array().unwrap());
    collections
        .flat_map(|collection| collection["rules"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn firewall_rules_use_fqdns_for_http_and_tags_otherwise() {
    let set = &[
        ("storage_account", "acct"),
        ("sql_server", "srv"),
        ("event_hub_namespace", "hub"),
        ("redis_host", "cache.example.org"),
    ];
    let known = firewall_rules(
        &RuleFlags {
            region: Some("westeurope"),
            set,
            ..default_flags()
        }
        .rules(RuleFamily::Firewall),
    );
    let unknown = firewall_rules(&default_flags().rules(RuleFamily::Firewall));
    for rule in known.iter().chain(&unknown) {
        assert_eq!(texts(&rule["sourceAddresses"]), ["10.1.2.0/24"]);
        if rule["ruleType"] == "ApplicationRule" {
            let protocol = &rule["protocols"][0];
            let pair = (text(&protocol["protocolType"]), protocol["port"].as_u64().unwrap());
            assert!(
                [("Http".to_owned(), 80), ("Https".to_owned(), 443)].contains(&pair),
                "{rule}"
            );
            assert!(
                texts(&rule["targetFqdns"])
                    .iter()
                    .all(|fqdn| !fqdn.contains(['{', ' '])),
                "{rule}"
            );
        } else {
            let all_of_the_web = rule["destinationAddresses"][0] == "*"
                && texts(&rule["destinationPorts"])
                    .iter()
                    .any(|port| port == "80" || port == "443");
            assert!(!all_of_the_web, "{rule}");
        }
    }
    let find = |rules: &[Value], name: &str| rules.iter().find(|rule| rule["name"] == name).cloned();
    let of = |name: &str| find(&known, name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(
        texts(&of("apim-Sql-tcp-1433")["destinationAddresses"]),
        ["Sql.WestEurope"]
    );
    assert_eq!(
        texts(&of("apim-AzureMonitor-tcp-1886")["destinationAddresses"]),
        ["AzureMonitor"]
    );
    assert_eq!(
        texts(&of("apim-EventHub-tcp-5671-5672")["destinationPorts"]),
        ["5671", "5672"]
    );
    assert_eq!(
        texts(&of("apim-event-hubs-https")["targetFqdns"]),
        ["hub.servicebus.windows.net"]
    );
    assert_eq!(texts(&of("apim-kms-tcp-1688")["destinationAddresses"]).len(), 3);
    assert_eq!(
        texts(&of("apim-redis-tcp-6380")["destinationFqdns"]),
        ["cache.example.org"]
    );
    assert_eq!(texts(&of("apim-dns-udp-53")["destinationAddresses"]), ["10.1.3.4"]);
    assert!(texts(&of("apim-storage-https")["targetFqdns"]).contains(&"acct.blob.core.windows.net".to_owned()));
    assert!(texts(&of("apim-windows-update-https")["targetFqdns"]).contains(&"*.update.microsoft.com".to_owned()));
    assert_eq!(find(&known, "apim-Storage-tcp-443"), None);
    // Names that were not given are covered by their tags.
    assert_eq!(
        texts(&find(&unknown, "apim-Storage-tcp-443").unwrap()["destinationAddresses"]),
        ["Storage"]
    );
    assert_eq!(find(&unknown, "apim-storage-https"), None);
}

#[test]
fn routes_send_management_and_kms_to_the_internet() {
    let routes = by_name(&default_flags().rules(RuleFamily::Routes));
    assert!(routes.values().all(|route| route["nextHopType"] == "Internet"));
    assert_eq!(routes["apim-management"]["addressPrefix"], "ApiManagement");
    assert_eq!(routes["apim-kms-20.118.99.224"]["addressPrefix"], "20.118.99.224/32");
    assert_eq!(routes.len(), 4);
    let gov = by_name(
        &RuleFlags {
            cloud: Cloud::Usgov,
            ..default_flags()
        }
        .rules(RuleFamily::Routes),
    );
    assert!(gov.contains_key("apim-kms-23.97.0.13") && gov.len() == 3);
    assert!(
        by_name(
            &RuleFlags {
                only: &["sql"],
                ..default_flags()
            }
            .rules(RuleFamily::Routes)
        )
        .is_empty()
    );
}

/// A value of HCL as text.
fn hcl_text(body: &hcl::Body, key: &str) -> String {
    let attribute = body
        .attributes()
        .find(|attribute| attribute.key() == key)
        .unwrap_or_else(|| panic!("no {key}"));
    match attribute.expr() {
        hcl::Expression::String(text) => text.clone(),
        hcl::Expression::TemplateExpr(template) => match &**template {
            hcl::expr::TemplateExpr::QuotedString(text) => text.clone(),
            heredoc @ hcl::expr::TemplateExpr::Heredoc(_) => panic!("{heredoc:?}"),
        },
        other => other.to_string(),
    }
}

#[test]
fn terraform_parses_and_equals_json() {
    for (which, rules) in every_rule_set() {
        let body = hcl::parse(&rules.render(Syntax::Terraform, &Style::default()))
            .unwrap_or_else(|error| panic!("{which}: {error}"));
        let resources: Vec<&hcl::Block> = body.blocks().filter(|block| block.identifier() == "resource").collect();
        let labels: BTreeSet<String> = resources.iter().map(|block| format!("{:?}", block.labels())).collect();
        assert_eq!(labels.len(), resources.len(), "{which}: a resource twice");
        let names: Vec<String> = resources.iter().map(|block| hcl_text(block.body(), "name")).collect();
        let expected: Vec<String> = json(&rules).iter().map(|rule| text(&rule["name"])).collect();
        assert_eq!(names, expected, "{which}");
        let declared: BTreeSet<&str> = body
            .blocks()
            .filter(|block| block.identifier() == "variable")
            .map(|block| block.labels()[0].as_str())
            .collect();
        let source = rules.render(Syntax::Terraform, &Style::default());
        for used in source.split("= var.").skip(1).filter_map(|rest| rest.lines().next()) {
            assert!(declared.contains(used), "{which}: var.{used} is not declared");
        }
        if let RenderedRules::Firewall(group) = &rules {
            let collections: Vec<&hcl::Block> = resources[0].body().blocks().collect();
            let count = |kind: &str| {
                let of_kind = collections.iter().filter(|block| block.identifier() == kind);
                of_kind
                    .flat_map(|block| block.body().blocks())
                    .filter(|block| block.identifier() == "rule")
                    .count()
            };
            let of_kind = |is_network: bool| {
                let all = group.collections.iter().flat_map(|collection| &collection.rules);
                all.filter(|rule| matches!(rule, FirewallRule::Network(_)) == is_network)
                    .count()
            };
            assert_eq!(count("network_rule_collection"), of_kind(true));
            assert_eq!(count("application_rule_collection"), of_kind(false));
        }
        if let RenderedRules::Nsg(NsgRules { rules: made, .. }) = &rules {
            for (block, rule) in resources.iter().zip(made) {
                assert_eq!(hcl_text(block.body(), "priority"), rule.priority.to_string());
                assert_eq!(hcl_text(block.body(), "description"), rule.description);
            }
        }
    }
}

pub(crate) fn assert_bicep(source: &str, which: &str) {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).unwrap();
    let tree = parser.parse(source, None).unwrap();
    assert!(
        !tree.root_node().has_error(),
        "{which}: {}\n{source}",
        tree.root_node().to_sexp()
    );
}

#[test]
fn bicep_parses_and_contains_every_rule() {
    for (which, rules) in every_rule_set() {
        let source = rules.render(Syntax::Bicep, &Style::default());
        assert_bicep(&source, &which);
        for rule in json(&rules) {
            assert!(source.contains(&format!("name: '{}'", text(&rule["name"]))), "{which}");
        }
    }
}

/// The flags of each command, as in the Azure CLI's `--help`.
const FLAGS: [(&str, &[&str]); 5] = [
    (
        "az network nsg rule create",
        &[
            "--resource-group",
            "--nsg-name",
            "--name",
            "--priority",
            "--direction",
            "--access",
            "--protocol",
            "--source-address-prefixes",
            "--source-port-ranges",
            "--destination-address-prefixes",
            "--destination-port-ranges",
            "--description",
        ],
    ),
    (
        "az network route-table route create",
        &[
            "--resource-group",
            "--route-table-name",
            "--name",
            "--address-prefix",
            "--next-hop-type",
        ],
    ),
    (
        "az network firewall policy rule-collection-group create",
        &["--resource-group", "--policy-name", "--name", "--priority"],
    ),
    (
        "az network firewall policy rule-collection-group collection add-filter-collection",
        &[
            "--resource-group",
            "--policy-name",
            "--rule-collection-group-name",
            "--name",
            "--collection-priority",
            "--action",
            "--rule-name",
            "--rule-type",
            "--ip-protocols",
            "--source-addresses",
            "--destination-addresses",
            "--destination-fqdns",
            "--destination-ports",
            "--protocols",
            "--target-fqdns",
        ],
    ),
    (
        "az network firewall policy rule-collection-group collection rule add",
        &[
            "--resource-group",
            "--policy-name",
            "--rule-collection-group-name",
            "--collection-name",
            "--name",
            "--rule-type",
            "--ip-protocols",
            "--source-addresses",
            "--destination-addresses",
            "--destination-fqdns",
            "--destination-ports",
            "--protocols",
            "--target-fqdns",
        ],
    ),
];

/// A command and each of its flags with its values.
type Command = (String, BTreeMap<String, Vec<String>>);

/// Every call of `az` when a shell runs the lines, with a policy whose groups exist or not.
fn az_calls(rules: &RenderedRules, groups_exist: bool) -> Vec<Command> {
    const AZ: &str = r#"
        set -eu
        RG=rg NSG=nsg POLICY=policy TABLE=table
        az() {
            if [ "$5" = show ]; then return "$MISSING"; fi
            for word in az "$@"; do printf '%s\037' "$word"; done
            echo
        }
    "#;
    let missing = u8::from(!groups_exist);
    let script = format!(
        "MISSING={missing}\n{AZ}\n{}",
        rules.render(Syntax::Az, &Style::default())
    );
    let output = process::Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(command).collect()
}

fn command(line: &str) -> Command {
    let words: Vec<&str> = line.split_terminator('\u{1f}').collect();
    let name: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| !word.starts_with("--"))
        .collect();
    let mut flags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut flag = "";
    for word in &words[name.len()..] {
        if word.starts_with("--") {
            flag = word;
            assert!(
                flags.insert(flag.to_owned(), Vec::new()).is_none(),
                "{word} twice: {line}"
            );
        } else {
            flags.get_mut(flag).unwrap().push((*word).to_owned());
        }
    }
    (name.join(" "), flags)
}

fn az_calls_for_a_new_group(rules: &RenderedRules) -> Vec<Command> {
    az_calls(rules, false)
}

#[test]
fn az_commands_use_known_flags() {
    for (which, rules) in every_rule_set() {
        let commands = az_calls_for_a_new_group(&rules);
        for (name, flags) in &commands {
            let (_, known) = FLAGS
                .iter()
                .find(|(known, _)| known == name)
                .unwrap_or_else(|| panic!("{which}: {name}"));
            for (flag, values) in flags {
                assert!(known.contains(&flag.as_str()), "{which}: {name} has no {flag}");
                assert!(!values.is_empty(), "{which}: {name} {flag} without a value");
            }
        }
        let extra = usize::from(matches!(rules, RenderedRules::Firewall(_)));
        assert_eq!(commands.len(), rules.len() + extra, "{which}");
    }
    let nsg = az_calls_for_a_new_group(&default_flags().rules(RuleFamily::Nsg));
    let sql = nsg
        .iter()
        .find(|(_, flags)| flags["--name"] == ["apim-out-Sql-tcp-1433"])
        .unwrap();
    assert_eq!(sql.1["--destination-address-prefixes"], ["Sql"]);
    assert_eq!(sql.1["--source-port-ranges"], ["*"]);
}

/// Creating a group again deletes its contents, and a second collection with the same name is refused.
#[test]
fn missing_firewall_rules_are_added_to_an_existing_group() {
    let from = default_flags();
    let set = from.set(Requirement::of_plan(&from.plan()));
    let of = |starts: &[&str]| {
        let ids: BTreeSet<String> = from
            .plan()
            .endpoints
            .into_iter()
            .map(|endpoint| endpoint.id)
            .filter(|id| starts.iter().any(|start| id.starts_with(start)))
            .collect();
        set.rules(RuleFamily::Firewall, RuleFilter::For(&ids)).unwrap()
    };
    let (sql, crl, both) = (
        of(&["sql/"]),
        of(&["certificate-revocation/"]),
        of(&["sql/", "certificate-revocation/"]),
    );
    let created = |commands: &[Command]| {
        commands
            .iter()
            .any(|(name, _)| name.ends_with("rule-collection-group create"))
    };
    assert!(created(&az_calls(&sql, false)));
    let added: Vec<Command> = [&sql, &crl]
        .into_iter()
        .flat_map(|rules| az_calls(rules, true))
        .collect();
    assert!(!created(&added));
    assert_eq!(added, az_calls(&both, true), "in two steps as in one");
    let each = |flag: &str| -> Vec<&str> { added.iter().map(|(_, flags)| flags[flag][0].as_str()).collect() };
    let names = [
        "apim-Sql-tcp-1433",
        "apim-certificate-revocation-http",
        "apim-certificate-revocation-https",
    ];
    assert_eq!(each("--name"), names);
    assert_eq!(each("--name"), each("--rule-name"));
    assert_eq!(BTreeSet::from_iter(each("--collection-priority")).len(), added.len());
}

#[test]
fn catalog_text_is_quoted_in_every_syntax() {
    let title = r#"It's ${x} %{y} \ "q" $(id) `id`; # //"#;
    let overlay = CatalogFile {
        name: "evil.yaml".into(),
        bytes: format!(
            "dependencies:\n  - {{ id: evil, title: {}, need: feature, impact: x, service_tag: Sql, endpoints: [{{ host: h.example.org, port: 7777, protocol: tcp }}] }}\n",
            serde_json::to_string(title).unwrap()
        )
        .into_bytes(),
    };
    let from = RuleFlags {
        catalog: catalog::load(Tier::Classic, true, &[overlay]).unwrap(),
        only: &["evil"],
        ..default_flags()
    };
    let rules = from.rules(RuleFamily::Nsg);
    let description = format!("feature: {title}");
    assert_eq!(json(&rules)[0]["properties"]["description"], description.as_str());
    assert_eq!(
        az_calls_for_a_new_group(&rules)[0].1["--description"],
        [description.as_str()]
    );
    assert_bicep(&rules.render(Syntax::Bicep, &Style::default()), "evil");
    assert!(
        rules
            .render(Syntax::Bicep, &Style::default())
            .contains(r"It\'s \${x} %{y} \\ "),
        "{}",
        rules.render(Syntax::Bicep, &Style::default())
    );
    let body = hcl::parse(&rules.render(Syntax::Terraform, &Style::default())).unwrap();
    let resource = body.blocks().find(|block| block.identifier() == "resource").unwrap();
    // The parser keeps the escapes of templates.
    assert_eq!(
        hcl_text(resource.body(), "description")
            .replace("$${", "${")
            .replace("%%{", "%{"),
        description
    );
}

#[test]
fn empty_rule_set_is_a_valid_document() {
    let none = default_flags()
        .set(Vec::new())
        .rules(RuleFamily::Nsg, RuleFilter::All)
        .unwrap();
    assert!(none.is_empty());
    assert_eq!(none.render(Syntax::Json, &Style::default()), "[]\n");
    assert_bicep(&none.render(Syntax::Bicep, &Style::default()), "empty");
    assert!(
        hcl::parse(&none.render(Syntax::Terraform, &Style::default()))
            .unwrap()
            .blocks()
            .next()
            .is_none()
    );
    assert!(
        none.render(Syntax::Az, &Style::default())
            .starts_with("# Generated by apim-probe")
    );
    let firewall = default_flags()
        .set(Vec::new())
        .rules(RuleFamily::Firewall, RuleFilter::All)
        .unwrap();
    assert_eq!(firewall.render(Syntax::Json, &Style::default()), "[]\n");
    assert!(az_calls_for_a_new_group(&firewall).is_empty());
}

/// A network whose subnet has these outbound rules: name, priority, access, destination and port.
fn network_with_outbound_rules(rules: &[(&str, u32, &str, &str, &str)]) -> NetworkRules {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(name, priority, access, destination, port)| {
            json!({
                "name": name, "priority": priority, "direction": "Outbound", "access": access, "protocol": "*",
                "sourceAddressPrefix": "*", "destinationAddressPrefix": destination, "destinationPortRange": port,
            })
        })
        .collect();
    let document = json!([{ "effectiveSecurityRules": rules }]).to_string();
    NetworkRules::new(Some(SecurityRules::parse(document.as_bytes()).unwrap()), None, None)
}

fn nsg(given: &RuleFlags) -> NsgRules {
    match given.rules(RuleFamily::Nsg) {
        RenderedRules::Nsg(rules) => rules,
        _ => unreachable!("rules of a security group"),
    }
}

fn priority_of(rules: &NsgRules, name: &str) -> u16 {
    rules.rules.iter().find(|rule| rule.name == name).unwrap().priority
}

#[test]
fn allow_rule_gets_a_priority_before_the_blocking_deny() {
    let denied = |rules: &[_]| RuleFlags {
        network: Some(network_with_outbound_rules(rules)),
        ..default_flags()
    };
    let free = nsg(&default_flags());
    let sql = "apim-out-Sql-tcp-1433";
    assert_eq!(priority_of(&free, sql), 2040);
    // The rules in force are unknown.
    let remarks = |rules: NsgRules| RenderedRules::Nsg(rules).remarks().join(" ");
    assert!(remarks(free.clone()).contains("put it before your own deny"));

    let from = denied(&[("DenySql", 1000, "Deny", "Internet", "1433")]);
    let rules = nsg(&from);
    assert!((100..1000).contains(&priority_of(&rules, sql)));
    // Rules that nothing denies stay where they were.
    for rule in rules.rules.iter().filter(|rule| rule.name != sql) {
        assert_eq!(rule.priority, priority_of(&free, &rule.name), "{}", rule.name);
    }
    assert!(remarks(rules.clone()).contains("come before DenySql (1000)"));
    assert!(!remarks(rules.clone()).contains("your own deny"));
    assert!(rules.clashes(from.network.as_ref().unwrap()).is_empty());

    // A deny with a higher number, or for other traffic, changes no priority.
    for elsewhere in [
        ("DenyAll", 4096, "Deny", "*", "*"),
        ("DenySsh", 100, "Deny", "*", "22"),
        ("DenyNear", 100, "Deny", "10.0.0.0/8", "443"),
    ] {
        assert_eq!(
            priority_of(&nsg(&denied(&[elsewhere])), sql),
            priority_of(&free, sql),
            "{elsewhere:?}"
        );
    }
    // A rule that was applied before keeps its number.
    let again = denied(&[(sql, 150, "Allow", "Sql", "1433"), ("DenyAll", 200, "Deny", "*", "*")]);
    assert_eq!(priority_of(&nsg(&again), sql), 150);
}

#[test]
fn deny_without_room_before_it_is_reported() {
    let from = RuleFlags {
        network: Some(network_with_outbound_rules(&[
            ("DenyWeb", 100, "Deny", "Internet", "80"),
            ("Mine", 2040, "Allow", "*", "9"),
            ("DenyAllOutBound", 65500, "Deny", "*", "*"),
        ])),
        ..default_flags()
    };
    let rules = nsg(&from);
    assert_eq!(
        rules.clashes(from.network.as_ref().unwrap()),
        ["DenyWeb (100) denies and comes before 1 of these rules"]
    );
    assert_ne!(priority_of(&rules, "apim-out-Sql-tcp-1433"), 2040);
}

#[test]
fn first_priority_flag_sets_the_lowest_priority() {
    let from = |first| RuleFlags {
        first_priority: Some(first),
        ..default_flags()
    };
    for first in [100, 300, 3900] {
        let rules = nsg(&from(first)).rules;
        let numbers = || rules.iter().filter(|rule| rule.inbound).map(|rule| rule.priority);
        assert_eq!(numbers().min(), Some(first));
        assert!(rules.iter().all(|rule| (first..=4096).contains(&rule.priority)));
    }
    let endpoints = Requirement::of_plan(&default_flags().plan());
    let late = from(4090);
    let error = late.set(endpoints).rules(RuleFamily::Nsg, RuleFilter::All).unwrap_err();
    assert!(error.contains("--first-priority"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With any contents of an NSG: no number twice, none that is taken, none after a deny, and the same for a part of
    /// the rules as for all of them.
    #[test]
    fn priorities_are_free_and_before_denies_in_any_nsg(
        taken in prop::collection::btree_map(100u32..=4096, prop::sample::select(vec!["9", "443", "1433", "*"]), 0..60),
        denies in prop::collection::btree_set(300u32..=4096, 0..3),
        first in prop::option::of(100u16..=3000),
    ) {
        let rules: Vec<_> = taken
            .iter()
            .map(|(priority, port)| {
                let access = if denies.contains(priority) { "Deny" } else { "Allow" };
                ("theirs", *priority, access, "203.0.113.9", *port)
            })
            .chain(denies.iter().filter(|deny| !taken.contains_key(deny)).map(|deny| ("deny", *deny, "Deny", "*", "*")))
            .collect();
        let from = RuleFlags { network: Some(network_with_outbound_rules(&rules)), first_priority: first, ..default_flags() };
        let all = nsg(&from);
        let held: BTreeSet<u32> = rules.iter().map(|(_, priority, ..)| *priority).collect();
        let mut given_out = BTreeSet::new();
        for rule in &all.rules {
            prop_assert!(given_out.insert((rule.inbound, rule.priority)), "{} twice", rule.priority);
            if rule.inbound {
                continue;
            }
            prop_assert!(!held.contains(&u32::from(rule.priority)), "{} is taken", rule.priority);
            for deny in rules.iter().filter(|(name, ..)| *name == "deny") {
                prop_assert!(u32::from(rule.priority) < deny.1, "{} behind {}", rule.priority, deny.1);
            }
        }
        let part = nsg(&RuleFlags { only: &["sql", "key-vault", "entra-id"], ..from });
        for rule in &part.rules {
            prop_assert!(all.rules.contains(rule), "{rule:?}");
        }
    }
}

#[test]
fn rules_use_any_instead_of_internet_under_forced_tunnelling() {
    let made = |is_forced| {
        RuleFlags {
            is_forced,
            ..default_flags()
        }
        .rules(RuleFamily::Nsg)
    };
    let plain = by_name(&made(Some(false)));
    let forced = by_name(&made(Some(true)));
    for (name, rule) in &forced {
        for (key, value) in rule.as_object().unwrap() {
            let expected = if plain[name][key] == "Internet" {
                "*".into()
            } else {
                plain[name][key].clone()
            };
            assert_eq!(*value, expected, "{name} {key}");
        }
    }
    assert_eq!(forced["apim-out-Internet-tcp-80"]["destinationAddressPrefix"], "*");
    assert_eq!(forced["apim-in-Internet-tcp-443"]["sourceAddressPrefix"], "*");
    // If that is not known, a comment says so; JSON has none, so the remark is separate.
    for syntax in [Syntax::Az, Syntax::Bicep, Syntax::Terraform] {
        let has = |is_forced, words: &str| made(is_forced).render(syntax, &Style::default()).contains(words);
        assert!(
            has(None, "rules for Internet match nothing: pass --effective-routes"),
            "{syntax:?}"
        );
        assert!(has(Some(true), "* is used instead"), "{syntax:?}");
        assert!(!has(Some(false), "0.0.0.0/0"), "{syntax:?}");
    }
    assert!(
        made(None)
            .remarks()
            .iter()
            .any(|remark| remark.contains("--effective-routes"))
    );
    assert_bicep(&made(None).render(Syntax::Bicep, &Style::default()), "unknown");
    assert!(hcl::parse(&made(None).render(Syntax::Terraform, &Style::default())).is_ok());
    // Rules without that tag need no remark.
    let sql = RuleFlags {
        only: &["sql"],
        is_forced: None,
        ..default_flags()
    };
    assert!(
        !sql.rules(RuleFamily::Nsg)
            .render(Syntax::Az, &Style::default())
            .contains("0.0.0.0/0")
    );
}
