//! The catalogs of the other tiers, compared with the documentation.

use std::collections::BTreeSet;

use apim_probe::{
    azure::Cloud,
    catalog::{Catalog, Target, builtin, fill},
    explain::explain,
    model::{Direction, Need, Tier, Transport},
    plan::{Plan, PlanScope, Selection, Values},
};

/// Direction, host or tag, port, need.
type Row = (String, String, String, char);

/// The tiers of the table, and their letters.
const TIERS: [(Tier, char); 3] = [
    (Tier::PremiumV2, 'V'),
    (Tier::WorkspaceGateway, 'W'),
    (Tier::SelfHostedGateway, 'S'),
];

#[test]
fn rows_of_each_tier_equal_its_documented_rows() {
    for (tier, letter) in TIERS {
        let catalog = Catalog::of(tier);
        for (cloud, cloud_letter) in [(Cloud::Public, 'P'), (Cloud::Usgov, 'G'), (Cloud::China, 'C')] {
            let (ours, documented) = (rows(&catalog, cloud), documented(letter, cloud_letter));
            assert!(!documented.is_empty());
            assert_eq!(ours, documented, "{} in {cloud}", tier.as_str());
        }
    }
}

fn documented(tier: char, cloud: char) -> BTreeSet<Row> {
    let table = include_str!("../data/documented-tiers.txt");
    let mut rows = BTreeSet::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [tiers, clouds, direction, host, ports, count] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("not six columns: {line}");
        };
        if tiers.contains(tier) && clouds.contains(cloud) {
            let count = count.chars().next().unwrap();
            rows.extend(
                ports
                    .split(',')
                    .map(|port| (direction.into(), host.into(), port.into(), count)),
            );
        }
    }
    rows
}

fn rows(catalog: &Catalog, cloud: Cloud) -> BTreeSet<Row> {
    let here = |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
    let suffixes = &catalog.clouds[&cloud];
    let suffix = |name: &str| Some(suffixes.get(name).cloned().unwrap_or(format!("{{{name}}}")));
    let mut rows = BTreeSet::new();
    for dependency in &catalog.dependencies {
        for endpoint in dependency.endpoints.iter().filter(|endpoint| here(&endpoint.clouds)) {
            let host = match &endpoint.target {
                Target::Host(host) => fill(host, suffix).unwrap(),
                Target::Wildcard { pattern, .. } => pattern.clone(),
                Target::NameServer => "{name_server}".into(),
                Target::Anything => endpoint.source_tag.clone().unwrap(),
                Target::Addresses { .. } => unreachable!("no page gives addresses"),
            };
            let count = match endpoint.need.unwrap_or(dependency.need) {
                Need::Required => 'R',
                Need::Feature => 'F',
                Need::Documented => 'D',
            };
            let udp = if endpoint.transport == Transport::Udp {
                "/udp"
            } else {
                ""
            };
            rows.extend(endpoint.ports.iter().map(|(port, _)| {
                let direction = endpoint.direction.as_str().to_owned();
                (direction, host.clone(), format!("{port}{udp}"), count)
            }));
        }
    }
    rows
}

#[test]
fn every_dependency_has_an_impact_and_a_docs_page() {
    for (tier, _) in TIERS {
        let catalog = Catalog::of(tier);
        assert_eq!(catalog.tier, tier);
        assert!(
            !catalog.source.documented.is_empty() && catalog.source.url.starts_with("https://learn.microsoft.com/")
        );
        for dependency in &catalog.dependencies {
            let id = format!("{} {}", tier.as_str(), dependency.id);
            assert!(
                dependency.impact.ends_with('.') && dependency.impact.chars().count() <= 63,
                "{id}"
            );
            assert!(dependency.docs.is_some(), "{id}: no page");
            assert_eq!(
                dependency.feature.is_some(),
                dependency.need == Need::Feature,
                "{id}: whose feature?"
            );
        }
    }
}

#[test]
fn cloud_suffixes_are_the_same_in_every_tier() {
    let classic = Catalog::builtin();
    for (tier, _) in TIERS {
        let catalog = Catalog::of(tier);
        for cloud in Cloud::ALL {
            for (name, suffix) in &catalog.clouds[&cloud] {
                match classic.clouds[&cloud].get(name) {
                    Some(known) => assert_eq!(suffix, known, "{} {cloud} {name}", tier.as_str()),
                    None => assert_eq!(
                        (name.as_str(), suffix.as_str()),
                        ("management", cloud.management_host())
                    ),
                }
            }
        }
    }
}

#[test]
fn self_hosted_gateway_requires_only_dns_and_configuration() {
    let catalog = Catalog::of(Tier::SelfHostedGateway);
    assert!(
        catalog
            .dependencies
            .iter()
            .flat_map(|it| &it.endpoints)
            .all(|it| it.direction == Direction::Outbound)
    );
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: Some("westeurope".into()),
        vnet: None,
        name_servers: vec!["10.0.0.10:53".parse().unwrap()],
    };
    let mut values = Values::default();
    values.add("configuration_host", ["contoso.configuration.azure-api.net".to_owned()]);
    let plan = Plan::make(&catalog, &scope, &values, &Selection::default()).unwrap();
    let required: Vec<&str> = plan
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.need == Need::Required)
        .map(|endpoint| endpoint.id.as_str())
        .collect();
    assert_eq!(
        required,
        [
            "dns/10.0.0.10:53/udp",
            "configuration/contoso.configuration.azure-api.net:443"
        ]
    );
}

#[test]
fn tier_page_shows_where_to_run_and_what_is_trusted() {
    for tier in Tier::ALL {
        let page = explain(tier.as_str(), &Catalog::builtin(), Cloud::Public).unwrap();
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(tier.standpoint()), "{page}");
        assert!(flat.contains(tier.trust()), "{page}");
        assert!(flat.contains(builtin(tier).0), "{page}");
        for dependency in &Catalog::of(tier).dependencies {
            assert!(flat.contains(&dependency.id), "{}: {page}", dependency.id);
        }
        let is_url = |line: &str| line.trim_start().starts_with("https://");
        assert!(
            page.lines().all(|line| is_url(line) || line.chars().count() <= 80),
            "{page}"
        );
    }
    let page = explain("configuration", &Catalog::of(Tier::SelfHostedGateway), Cloud::Public).unwrap();
    for part in [
        "every gateway: required",
        "--set configuration_host",
        "apim-probe run --tier self-hosted-gateway --only configuration",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let other = explain("self-hosted", &Catalog::builtin(), Cloud::Public).unwrap_err();
    assert!(other.contains("self-hosted-gateway"), "{other}");
}
