//! The evaluator compared with a second, naive one, which evaluates one address at a time and follows the
//! documentation literally.

use apim_probe::azure::NextHop;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A rule. There are only 16 addresses, at `20.0.0.0/28`, and four tags of four addresses each.
#[derive(Debug, Clone)]
struct Rule {
    priority: u32,
    allow: bool,
    port: Option<u16>,
    source: Destination,
    destination: Destination,
}

#[derive(Debug, Clone, PartialEq)]
enum Destination {
    Any,
    Tag(u8),
    Prefix(u8, u8),
    Own,
    Network,
    Internet,
}

#[derive(Debug, Clone)]
struct Route {
    user: u8,
    host: u8,
    length: u8,
    hop: &'static str,
    tag: Option<&'static str>,
    active: bool,
}

const SQL: u16 = 1433;

fn prefix_contains(host: u8, length: u8, address: u8) -> bool {
    // Lengths below 28 cover all 16 addresses.
    length < 28 || (address >> (32 - length)) == (host >> (32 - length))
}

fn destination_matches(far: &Destination, address: u8, network: &dyn Fn(u8) -> bool) -> bool {
    match far {
        Destination::Any => true,
        Destination::Tag(tag) => address / 4 == *tag,
        Destination::Prefix(host, length) => prefix_contains(*host, *length, address),
        Destination::Own => false,
        Destination::Network => network(address),
        Destination::Internet => !network(address),
    }
}

/// An NSG's result for one address: the first rule by priority that matches it.
fn first_matching_rule<'r>(rules: &'r [Rule], address: u8, network: &dyn Fn(u8) -> bool) -> Option<&'r Rule> {
    let here = |far: &Destination| matches!(far, Destination::Any | Destination::Own | Destination::Network);
    rules
        .iter()
        .filter(|rule| rule.port.is_none_or(|port| port == SQL))
        .filter(|rule| here(&rule.source) && destination_matches(&rule.destination, address, network))
        .min_by_key(|rule| rule.priority)
}

/// The route for one address: the longest prefix, then the source, with the exceptions that the documentation makes.
fn best_route(routes: &[Route], address: u8) -> Option<&Route> {
    let active = || {
        routes
            .iter()
            .filter(|route| route.active && prefix_contains(route.host, route.length, address))
    };
    let by_tag = |route: &Route| route.user == 0 && route.tag.is_some();
    let overridden = active().any(|route| by_tag(route) && route.hop != "Internet");
    let endpoint = |route: &Route| route.hop == "VirtualNetworkServiceEndpoint";
    let preferred = active().any(|route| {
        route.user == 2 && (route.hop.starts_with('V') && !endpoint(route) || endpoint(route) && !overridden)
    });
    active()
        .filter(|route| !(endpoint(route) && overridden))
        .filter(|route| !(route.user == 1 && preferred))
        .min_by_key(|route| (32 - route.length, !endpoint(route), route.user, by_tag(route)))
}

fn any_destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        2 => Just(Destination::Any),
        3 => (0_u8..4).prop_map(Destination::Tag),
        3 => (0_u8..16, 28_u8..=32).prop_map(|(host, length)| Destination::Prefix(host, length)),
        1 => Just(Destination::Network),
        2 => Just(Destination::Internet),
    ]
}

fn any_source() -> impl Strategy<Value = Destination> {
    prop_oneof![
        Just(Destination::Any),
        Just(Destination::Own),
        Just(Destination::Network),
        Just(Destination::Prefix(0, 28))
    ]
}

fn any_nsg_rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (
        any::<bool>(),
        prop_oneof![Just(None), Just(Some(SQL)), Just(Some(443))],
        any_source(),
        any_destination(),
    );
    prop::collection::vec(rule, 0..8).prop_map(|rules| {
        let defaults = [
            (65000, true, Destination::Network, Destination::Network),
            (65001, true, Destination::Any, Destination::Internet),
            (65500, false, Destination::Any, Destination::Any),
        ];
        let own = rules
            .into_iter()
            .enumerate()
            .map(|(at, (allow, port, source, destination))| Rule {
                priority: 100 + u32::try_from(at).unwrap() * 10,
                allow,
                port,
                source,
                destination,
            });
        let defaults = defaults.map(|(priority, allow, source, destination)| Rule {
            priority,
            allow,
            port: None,
            source,
            destination,
        });
        own.chain(defaults).collect()
    })
}

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let user = (
        0_u8..16,
        28_u8..=32,
        prop_oneof![Just("Internet"), Just("VirtualAppliance"), Just("None")],
        any::<bool>(),
    )
        .prop_map(|(host, length, hop, tag)| (0, host, length, hop, tag.then_some("Sql")));
    let gateway = (0_u8..16, 28_u8..=32).prop_map(|(host, length)| (1, host, length, "VirtualNetworkGateway", None));
    let system = (
        0_u8..16,
        28_u8..=32,
        prop_oneof![Just("VNetPeering"), Just("VirtualNetworkServiceEndpoint"), Just("None")],
    )
        .prop_map(|(host, length, hop)| (2, host, length, hop, None));
    let route =
        (prop_oneof![user, gateway, system], any::<u8>()).prop_map(|((user, host, length, hop, tag), dice)| Route {
            user,
            host: host >> (32 - length) << (32 - length),
            length,
            hop,
            tag,
            active: dice > 30,
        });
    let default = prop_oneof![
        Just((0, "VirtualAppliance")),
        Just((1, "VirtualNetworkGateway")),
        Just((2, "Internet"))
    ];
    (prop::collection::vec(route, 0..7), default).prop_map(|(mut routes, (user, hop))| {
        routes.push(Route {
            user,
            host: 0,
            length: 0,
            hop,
            tag: None,
            active: true,
        });
        // Two routes of one rank for one prefix do not occur.
        let mut seen = std::collections::HashSet::new();
        routes.retain(|route| seen.insert((route.user, route.host, route.length, route.tag)));
        routes
    })
}

fn prefix_of(host: u8, length: u8) -> String {
    if length == 0 {
        "0.0.0.0/0".into()
    } else {
        format!("20.0.0.{host}/{length}")
    }
}

fn prefix_text(far: &Destination) -> String {
    match far {
        Destination::Any => "*".into(),
        Destination::Tag(tag) => format!("Tag{tag}"),
        Destination::Prefix(host, length) => prefix_of(*host, *length),
        Destination::Own => "10.1.0.0/16".into(),
        Destination::Network => "VirtualNetwork".into(),
        Destination::Internet => "Internet".into(),
    }
}

/// The same as Azure's documents.
fn export(groups: &[Vec<Rule>], routes: &[Route]) -> NetworkRules {
    let places = ["subnet", "networkInterface"];
    let document: Vec<Value> = groups
        .iter()
        .zip(places)
        .map(|(rules, place)| {
            // The order in a file has no meaning.
            let rules: Vec<Value> = rules
                .iter()
                .rev()
                .map(|rule| {
                    json!({ "name": format!("{place}-{}", rule.priority), "priority": rule.priority, "direction": "Outbound",
                        "access": if rule.allow { "Allow" } else { "Deny" }, "protocol": "Tcp",
                        "sourceAddressPrefix": prefix_text(&rule.source), "destinationAddressPrefix": prefix_text(&rule.destination),
                        "destinationPortRange": rule.port.map_or_else(|| "0-65535".into(), |port| format!("{port}-{port}")) })
                })
                .collect();
            json!({ "association": { place: { "id": "x" } }, "effectiveSecurityRules": rules })
        })
        .collect();
    let sources = ["User", "VirtualNetworkGateway", "Default"];
    let mut table: Vec<Value> = routes
        .iter()
        .map(|route| {
            json!({ "name": null, "source": sources[usize::from(route.user)], "nextHopType": route.hop,
                "state": if route.active { "Active" } else { "Invalid" },
                "addressPrefix": [prefix_of(route.host, route.length)],
                "destinationServiceTags": Vec::from_iter(route.tag) })
        })
        .collect();
    table.push(
        json!({ "source": "Default", "state": "Active", "addressPrefix": ["10.1.0.0/16"], "nextHopType": "VnetLocal" }),
    );
    let tags: Vec<Value> = (0..4)
        .map(|tag| json!({ "name": format!("Tag{tag}"), "properties": { "addressPrefixes": [format!("20.0.0.{}/30", tag * 4)] } }))
        .collect();
    NetworkRules::new(
        Some(SecurityRules::parse(json!(document).to_string().as_bytes()).unwrap()),
        Some(Routes::parse(json!(table).to_string().as_bytes()).unwrap()),
        Some(ServiceTags::parse(json!({ "values": tags }).to_string().as_bytes()).unwrap()),
    )
}

/// The naive evaluator's result for one address.
fn evaluate_naively(
    groups: &[Vec<Rule>],
    routes: &[Route],
    address: u8,
) -> (bool, Option<String>, Option<&'static str>) {
    // The network, its peers, what gateways connect, and every user-defined or BGP prefix.
    let network = |address: u8| {
        routes.iter().any(|route| {
            route.active
                && prefix_contains(route.host, route.length, address)
                && (route.user < 2 || route.hop == "VNetPeering" || route.hop == "VirtualNetworkGateway")
        })
    };
    let places = ["subnet", "networkInterface"];
    let denied = groups.iter().zip(places).find_map(|(rules, place)| {
        let rule = first_matching_rule(rules, address, &network)?;
        (!rule.allow).then(|| format!("{place}-{}", rule.priority))
    });
    let route = best_route(routes, address);
    let dropped = route.is_some_and(|route| route.hop == "None");
    (denied.is_none() && !dropped, denied, route.map(|route| route.hop))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn one_address_is_decided_like_the_reference(groups in prop::collection::vec(any_nsg_rules(), 0..=2), routes in any_routes(), address in 0_u8..16) {
        let rules = export(&groups, &routes);
        let text = format!("20.0.0.{address}");
        let found = predict(&rules, "sql/", &[&text]);
        let (allowed, denied, hop) = evaluate_naively(&groups, &routes, address);
        let verdict = if allowed { Expected::Allow } else { Expected::Deny };
        prop_assert_eq!(found.verdict, verdict, "{}", found.words);
        prop_assert_eq!(found.route.map(|route| route.next_hop_type), hop.map(NextHop::of));
        if let Some(name) = denied {
            prop_assert_eq!(found.nsg.unwrap().name, name);
        }
    }

    #[test]
    fn several_addresses_are_decided_only_if_all_agree(
        groups in prop::collection::vec(any_nsg_rules(), 0..=2), routes in any_routes(), addresses in prop::collection::btree_set(0_u8..16, 1..6)
    ) {
        let rules = export(&groups, &routes);
        let texts: Vec<String> = addresses.iter().map(|address| format!("20.0.0.{address}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let found = predict(&rules, "sql/", &texts);
        let each: Vec<bool> = addresses.iter().map(|address| evaluate_naively(&groups, &routes, *address).0).collect();
        match found.verdict {
            Expected::Allow => prop_assert!(each.iter().all(|allowed| *allowed), "{}", found.words),
            Expected::Deny => prop_assert!(each.iter().all(|allowed| !*allowed), "{}", found.words),
            Expected::Unknown => prop_assert!(addresses.len() > 1, "{}", found.words),
        }
    }
}
