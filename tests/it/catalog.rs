//! The built-in catalog compared with the documentation, and the errors for invalid catalogs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
};

use apim_probe::{
    azure::Cloud,
    catalog::{
        BUILTIN, Catalog, CatalogFile, EndpointSpec, MAX_SIZE, SETTINGS, Target, fill, json_schema, load, placeholders,
        render,
    },
    model::{Direction, Need, Protocol, Tier, Transport, Vnet},
};
use proptest::prelude::*;

/// One port of one host in one cloud, and how it counts.
type Row = (String, String, char);

#[test]
fn builtin_hosts_equal_the_documented_hosts() {
    let catalog = Catalog::builtin();
    for (cloud, letter) in [(Cloud::Public, 'P'), (Cloud::Usgov, 'G'), (Cloud::China, 'C')] {
        let ours = outbound(&catalog, cloud);
        let documented = documented(letter);
        let missing: Vec<_> = documented.difference(&ours).collect();
        let surplus: Vec<_> = ours.difference(&documented).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{cloud}: missing {missing:#?}, surplus {surplus:#?}"
        );
    }
}

/// The table of documented hosts, for one cloud.
fn documented(cloud: char) -> BTreeSet<Row> {
    let table = include_str!("../data/documented-hosts.txt");
    let mut rows = BTreeSet::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let [clouds, host, ports, count] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("not four columns: {line}");
        };
        if clouds.contains(cloud) {
            rows.extend(
                ports
                    .split(',')
                    .map(|port| (host.into(), port.into(), count.chars().next().unwrap())),
            );
        }
    }
    rows
}

/// The catalog's entries for one cloud, with the suffixes filled in.
fn outbound(catalog: &Catalog, cloud: Cloud) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for (need, endpoint) in applicable(catalog, cloud) {
        let count = match need {
            _ if endpoint.retired.is_some() => 'X',
            Need::Required => 'R',
            Need::Feature => 'F',
            Need::Documented => 'D',
        };
        let hosts = match &endpoint.target {
            Target::Host(host) => vec![host.clone()],
            Target::Wildcard { pattern, members } if members.is_empty() => vec![pattern.clone()],
            Target::Wildcard { members, .. } => members.clone(),
            Target::NameServer => vec!["{name_server}".into()],
            Target::Addresses { .. } | Target::Anything => continue,
        };
        let suffix = |name: &str| {
            Some(
                catalog.clouds[&cloud]
                    .get(name)
                    .cloned()
                    .unwrap_or(format!("{{{name}}}")),
            )
        };
        for host in hosts {
            let host = fill(&host, suffix).unwrap();
            let transport = if endpoint.transport == Transport::Udp {
                "/udp"
            } else {
                ""
            };
            rows.extend(
                endpoint
                    .ports
                    .iter()
                    .map(|(port, _)| (host.clone(), format!("{port}{transport}"), count)),
            );
        }
    }
    rows
}

fn applicable(catalog: &Catalog, cloud: Cloud) -> impl Iterator<Item = (Need, &EndpointSpec)> {
    let exists = move |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
    let dependencies = catalog
        .dependencies
        .iter()
        .filter(move |dependency| exists(&dependency.clouds));
    dependencies.flat_map(move |dependency| {
        let endpoints = dependency
            .endpoints
            .iter()
            .filter(move |endpoint| exists(&endpoint.clouds));
        endpoints.map(|endpoint| (endpoint.need.unwrap_or(dependency.need), endpoint))
    })
}

#[test]
fn inbound_and_peer_rows_equal_the_documented_rows() {
    let catalog = Catalog::builtin();
    let mut rows = BTreeSet::new();
    for dependency in &catalog.dependencies {
        for endpoint in dependency
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.direction != Direction::Outbound)
        {
            assert_eq!(endpoint.target, Target::Anything, "{}", dependency.id);
            for (port, _) in &endpoint.ports {
                rows.insert((
                    endpoint.direction.as_str(),
                    endpoint.source_tag.as_deref().unwrap_or_default(),
                    *port,
                    endpoint.transport.as_str(),
                    endpoint.need.unwrap_or(dependency.need).as_str(),
                    endpoint.vnet.or(dependency.vnet).map(Vnet::as_str),
                ));
            }
        }
    }
    let documented = [
        ("inbound", "Internet", 443, "tcp", "required", Some("external")),
        ("inbound", "Internet", 80, "tcp", "feature", Some("external")),
        ("inbound", "ApiManagement", 3443, "tcp", "required", None),
        ("inbound", "AzureLoadBalancer", 6390, "tcp", "required", None),
        ("inbound", "AzureLoadBalancer", 6391, "tcp", "feature", None),
        (
            "inbound",
            "AzureTrafficManager",
            443,
            "tcp",
            "feature",
            Some("external"),
        ),
        ("peer", "VirtualNetwork", 6381, "tcp", "feature", None),
        ("peer", "VirtualNetwork", 6382, "tcp", "feature", None),
        ("peer", "VirtualNetwork", 6383, "tcp", "feature", None),
        ("peer", "VirtualNetwork", 4290, "udp", "feature", None),
    ];
    assert_eq!(rows, documented.into_iter().collect());
}

#[test]
fn service_tags_equal_those_of_the_documented_rules() {
    let catalog = Catalog::builtin();
    for (id, tag) in [
        ("storage", "Storage"),
        ("sql", "Sql"),
        ("key-vault", "AzureKeyVault"),
        ("entra-id", "AzureActiveDirectory"),
        ("azure-monitor", "AzureMonitor"),
        ("certificate-revocation", "Internet"),
        ("event-hubs", "EventHub"),
        ("credential-manager", "AzureConnectors"),
        ("diagnostics-port", "AzureMonitor"),
    ] {
        let dependency = catalog.dependencies.iter().find(|dependency| dependency.id == id);
        assert_eq!(dependency.unwrap().service_tag.as_deref(), Some(tag), "{id}");
    }
}

#[test]
fn every_wildcard_but_one_lists_member_hosts() {
    for endpoint in Catalog::builtin()
        .dependencies
        .iter()
        .flat_map(|dependency| &dependency.endpoints)
    {
        if let Target::Wildcard { pattern, members } = &endpoint.target {
            assert_eq!(members.is_empty(), pattern == "*.ctldl.windowsupdate.com", "{pattern}");
        }
    }
}

#[test]
fn every_impact_fits_on_one_line() {
    for dependency in Catalog::builtin().dependencies {
        assert!(
            dependency.impact.chars().count() <= 63,
            "{}: {}",
            dependency.id,
            dependency.impact
        );
    }
}

#[test]
fn every_dependency_has_an_impact_and_a_docs_page() {
    let catalog = Catalog::builtin();
    assert_eq!(catalog.source.documented, "2026-04-30");
    for dependency in &catalog.dependencies {
        let id = &dependency.id;
        let sentence = dependency.impact.ends_with('.') && dependency.impact.matches(". ").count() == 0;
        assert!(sentence, "{id}: the impact is not one sentence");
        assert!(dependency.docs.is_some(), "{id}: no page");
        assert_eq!(
            dependency.feature.is_some(),
            dependency.need == Need::Feature,
            "{id}: whose feature?"
        );
        for endpoint in &dependency.endpoints {
            let replaced = endpoint.retired.is_some() && endpoint.replaced_by.is_none();
            assert!(!replaced, "{id}: a retired host without a successor");
            if endpoint.need == Some(Need::Documented) && endpoint.retired.is_none() {
                assert!(dependency.need != Need::Documented, "{id}: says it twice");
            }
        }
    }
}

#[test]
fn every_setting_is_used_by_its_dependency() {
    let catalogs = Tier::ALL.map(Catalog::of);
    for setting in SETTINGS {
        let used = catalogs
            .iter()
            .flat_map(|catalog| &catalog.dependencies)
            .filter(|dependency| dependency.id == setting.dependency)
            .flat_map(|dependency| &dependency.endpoints)
            .any(|endpoint| {
                matches!(&endpoint.target, Target::Host(host) if placeholders(host).any(|name| name == setting.name))
            });
        assert!(used, "{}", setting.name);
    }
}

#[test]
fn revocation_paths_are_valid_ocsp_and_crl_requests() {
    let paths: BTreeMap<_, _> = Catalog::builtin()
        .dependencies
        .into_iter()
        .flat_map(|dependency| dependency.endpoints)
        .filter_map(|endpoint| match endpoint.target {
            Target::Host(host) => Some((host, endpoint.path?)),
            _ => None,
        })
        .collect();
    for (host, prefix) in [("oneocsp.microsoft.com", "/ocsp/"), ("ocsp.digicert.com", "/")] {
        let encoded = paths[host].strip_prefix(prefix).unwrap();
        let base64 = encoded.replace("%2F", "/").replace("%2B", "+").replace("%3D", "=");
        let request = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap();
        // OCSPRequest ▸ tbsRequest ▸ requestList ▸ Request ▸ CertID ▸ AlgorithmIdentifier sha1 (RFC 6960 section 4.1.1).
        let mut rest = &request[..];
        for _ in 0..6 {
            assert_eq!(rest[0], 0x30, "{host}: a SEQUENCE");
            let header = 2;
            assert!(usize::from(rest[1]) <= rest.len() - header, "{host}: the length fits");
            rest = &rest[header..];
        }
        assert_eq!(rest[..7], [0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a], "{host}: SHA-1");
        assert_eq!(usize::from(request[1]) + 2, request.len(), "{host}: nothing behind it");
    }
    assert_eq!(paths["crl3.digicert.com"], "/DigiCertGlobalRootG2.crl");
    assert_eq!(paths["cacerts.digicert.com"], "/DigiCertGlobalRootG2.crt");
}

#[test]
fn sql_gateways_and_kms_routes_cover_every_cloud() {
    let catalog = Catalog::builtin();
    let gateways = catalog.sql_gateways.unwrap();
    assert_eq!(gateways.regions.len(), 78);
    for (region, first) in [
        ("westeurope", "20.61.99.192"),
        ("germanywestcentral", "51.116.149.32"),
        ("australiasoutheast", "13.77.49.33"),
        ("australiacentral2", "20.36.113.33"),
        ("centralindia", "20.192.43.160"),
        ("southeastasia", "20.195.65.33"),
        ("eastus2euap", "20.51.17.168"),
        ("usgovvirginia", "13.72.48.140"),
        ("usdodeast", "52.126.200.3"),
        ("chinaeast2", "52.130.120.89"),
    ] {
        assert_eq!(gateways.regions[region][0].to_string(), first, "{region}");
    }
    let ranges: Vec<(&str, Vec<String>)> = gateways
        .ranges
        .iter()
        .map(|(region, ranges)| (region.as_str(), ranges.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(
        ranges,
        [
            (
                "denmarkeast",
                ["9.205.48.96/27", "9.205.72.48/29", "9.205.96.48/29", "9.205.112.48/29"]
                    .map(String::from)
                    .to_vec()
            ),
            (
                "eastus3",
                ["134.138.83.32/27", "134.138.96.48/29"].map(String::from).to_vec()
            ),
            ("indiasouthcentral", vec!["172.198.99.32/27".into()]),
            ("northeastus5", vec!["172.194.84.96/27".into()]),
        ]
    );
    assert!(
        !gateways
            .ranges
            .keys()
            .any(|region| gateways.regions.contains_key(region))
    );
    let kms = catalog
        .dependencies
        .iter()
        .find(|dependency| dependency.id == "kms")
        .unwrap();
    let count = |cloud| kms.route_addresses[&cloud].len();
    assert_eq!(Cloud::ALL.map(count), [3, 2, 3]);
}

#[test]
fn smb_and_smtp_are_probed_only_when_named() {
    for endpoint in Catalog::builtin()
        .dependencies
        .iter()
        .flat_map(|dependency| &dependency.endpoints)
    {
        let quiet = endpoint
            .ports
            .iter()
            .any(|(port, protocol)| *protocol == Protocol::Smb || *port == 25028);
        assert_eq!(endpoint.only_when_named, quiet, "{:?}", endpoint.target);
    }
}

/// Each file of `tests/data/bad-catalogs`, with its complete error message.
#[test]
fn errors_for_invalid_catalogs_match_the_snapshots() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad-catalogs");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        names.extend(name.strip_suffix(".yaml").map(str::to_owned));
    }
    names.sort();
    assert!(names.len() > 30, "the folder is not there: {names:?}");
    for name in names {
        let bytes = fs::read(folder.join(format!("{name}.yaml"))).unwrap();
        let file = CatalogFile {
            name: format!("{name}.yaml"),
            bytes,
        };
        let errors = load(Tier::Classic, name.starts_with("overlay-"), &[file]).expect_err(&name);
        insta::with_settings!({
            snapshot_path => "../data/bad-catalogs", prepend_module_to_snapshot => false, omit_expression => true
        }, { insta::assert_snapshot!(name.clone(), render(&errors, false)) });
    }
}

fn catalog_file(name: &str, text: impl Into<Vec<u8>>) -> CatalogFile {
    CatalogFile {
        name: name.to_owned(),
        bytes: text.into(),
    }
}

/// The message for a single file.
fn error_text(text: impl Into<Vec<u8>>) -> String {
    load(Tier::Classic, false, &[catalog_file("x.yaml", text)])
        .unwrap_err()
        .to_string()
}

#[test]
fn hostile_catalogs_give_a_short_error() {
    let deep = |open: &str| open.repeat(10_000);
    let indented: Vec<String> = (0..2_000)
        .map(|depth| {
            format!(
                "{}a:
",
                " ".repeat(depth)
            )
        })
        .collect();
    let level = |number: usize| {
        let below = if number == 0 {
            "x".to_owned()
        } else {
            format!("*a{}", number - 1)
        };
        format!("a{number}: &a{number} [{}]\n", vec![below; 10].join(", "))
    };
    let bomb: String = (0..9).map(level).collect();
    // Each is compared with all the others for a suggestion.
    let strangers = (0..20_000)
        .map(|number| format!("{{id: stranger-{number}}}, "))
        .collect::<Vec<_>>()
        .concat();
    let strange_names = (0..20_000)
        .map(|number| format!("n{number}: x.y, "))
        .collect::<Vec<_>>()
        .concat();
    let unfilled = (0..5_000)
        .map(|number| {
            let host = format!("host: \"{{unknown_name_{number}}}\", port: 1, protocol: tls");
            format!("{{id: a{number}, title: t, need: required, impact: i, endpoints: [{{ {host} }}]}}, ")
        })
        .collect::<Vec<_>>()
        .concat();
    let many = format!("dependencies: [{}]", "a, ".repeat(MAX_SIZE / 4));
    for (text, phrase) in [
        (deep("["), "nested too deeply"),
        (deep("{a: "), "nested too deeply"),
        (deep("- "), "nested too deeply"),
        (indented.concat(), "nested too deeply"),
        (bomb, "too large for a catalog"),
        (many, "too large for a catalog"),
        ("x".repeat(MAX_SIZE + 1), "larger than 4 MB"),
        (format!("dependencies: [{strangers}]"), "has no endpoints"),
        (
            format!("clouds: {{ public: {{ {strange_names} }} }}\ndependencies: [{unfilled}]"),
            "nothing fills",
        ),
    ] {
        let words = error_text(text);
        assert!(words.contains(phrase), "{phrase}: {words}");
        assert!(words.len() < 40_000, "{phrase}: {} bytes of words", words.len());
    }
}

#[test]
fn non_text_bytes_are_reported() {
    assert!(error_text(b"dependencies:\n  - \xff".to_vec()).contains("x.yaml:2:5"));
    assert!(error_text(b"\xfe\xff\0d\xd8".to_vec()).contains("byte 0xFE is not UTF-8"));
    assert!(error_text(b"\x7fELF\x02\x01\x01\0\0".to_vec()).contains("not YAML"));
}

#[test]
fn file_over_4_mb_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"dependencies: []").unwrap();
    file.as_file().set_len(100 << 20).unwrap();
    let message = CatalogFile::read(file.path()).unwrap_err().to_string();
    assert!(message.contains("larger than 4 MB"), "{message}");
}

#[test]
fn many_errors_are_counted_and_the_first_25_shown() {
    let entries: Vec<String> = (0..1_000)
        .map(|number| format!("- {{ id: Bad{number}, x: 1 }}"))
        .collect();
    let errors = load(
        Tier::Classic,
        false,
        &[catalog_file("x.yaml", format!("dependencies:\n{}", entries.join("\n")))],
    )
    .unwrap_err();
    assert_eq!(errors.count(), 1_000, "a thousand of two thousand are kept");
    assert!(render(&errors, false).ends_with("… and 975 more\n"));
    let last = errors.summaries().last().unwrap();
    assert_eq!((last.file, last.line, last.column), ("x.yaml", 1_001, 17));
}

#[test]
fn errors_are_coloured_only_on_request() {
    let errors = load(Tier::Classic, false, &[catalog_file("x.yaml", "a: 1")]).unwrap_err();
    assert!(render(&errors, true).contains("\u{1b}["));
    assert!(!render(&errors, false).contains('\u{1b}'));
}

#[test]
fn no_catalog_file_is_an_error() {
    assert!(
        load(Tier::Classic, false, &[])
            .unwrap_err()
            .to_string()
            .contains("no dependencies")
    );
}

#[test]
fn builtin_as_its_own_overlay_changes_only_the_digest() {
    let once = Catalog::builtin();
    let twice = load(Tier::Classic, true, &[catalog_file("again.yaml", BUILTIN)]).unwrap();
    assert_ne!(once.sha256, twice.sha256);
    assert_eq!(
        Catalog {
            sha256: once.sha256.clone(),
            ..twice
        },
        once
    );
    let alone = load(Tier::Classic, false, &[catalog_file("alone.yaml", BUILTIN)]).unwrap();
    assert_eq!(alone, once);
    assert_eq!(alone.sha256.len(), 64);
}

#[test]
fn overlay_changes_replaces_and_adds_dependencies() {
    let overlay = catalog_file(
        "overlay.yaml",
        r#"
clouds:
  public: { internal: corp.example.com }
sql_gateways:
  regions: { westeurope: [192.0.2.1], testregion: [192.0.2.2], eastus3: [192.0.2.3] }
  ranges: { denmarkeast: [192.0.2.0/24] }
dependencies:
  - { id: windows-update, need: documented }
  - id: ntp
    title: Our clock
    need: required
    impact: Clocks drift.
    endpoints:
      - { host: "ntp.{internal}", port: 123, protocol: ntp, clouds: [public] }
  - id: internal-api
    title: Internal API
    need: required
    impact: Backends fail.
    endpoints:
      - { addresses: [10.0.0.4, 10.0.0.5], any_address: true, port: 443, protocol: https, names: ["api.{sql}"] }
      - { host: evil.example.com, port: 443, protocol: tls, expect: blocked }
"#,
    );
    let later = catalog_file(
        "later.yaml",
        "dependencies: [{ id: internal-api, need: feature, feature: Ours }]",
    );
    let before = Catalog::builtin();
    let after = load(Tier::Classic, true, &[overlay, later]).unwrap();

    let find = |catalog: &Catalog, id: &str| catalog.dependencies.iter().find(|it| it.id == id).unwrap().clone();
    let changed = find(&after, "windows-update");
    assert_eq!(changed.need, Need::Documented);
    assert_eq!(changed.endpoints, find(&before, "windows-update").endpoints);
    let replaced = find(&after, "ntp");
    assert_eq!((replaced.title.as_str(), replaced.endpoints.len()), ("Our clock", 1));
    assert_eq!(
        replaced.service_tag, None,
        "what an entry with endpoints does not say is gone"
    );
    let added = after.dependencies.last().unwrap();
    assert_eq!((added.id.as_str(), added.need), ("internal-api", Need::Feature));
    assert!(matches!(&added.endpoints[0].target, Target::Addresses { addresses, any: true } if addresses.len() == 2));

    let order = |catalog: &Catalog| catalog.dependencies.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(order(&after)[..order(&before).len()], order(&before));
    assert_eq!(after.clouds[&Cloud::Public]["sql"], "database.windows.net");
    assert_eq!(after.source, before.source);
    let gateways = after.sql_gateways.unwrap();
    assert_eq!(
        gateways.regions["westeurope"],
        ["192.0.2.1".parse::<std::net::IpAddr>().unwrap()]
    );
    assert_eq!(gateways.regions.len(), before.sql_gateways.unwrap().regions.len() + 2);
    assert_eq!(gateways.ranges["denmarkeast"][0].to_string(), "192.0.2.0/24");
    assert_eq!(gateways.ranges.len(), 4);
}

#[test]
fn json_schema_contains_the_catalog_keys() {
    let schema = serde_json::to_value(json_schema()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let endpoint = schema["$defs"]["Endpoint"]["properties"].as_object().unwrap();
    for key in [
        "host",
        "members",
        "any_address",
        "only_when_named",
        "replaced_by",
        "protocols",
        "expect",
    ] {
        assert!(endpoint.contains_key(key), "{key}");
    }
    assert!(!endpoint.contains_key("at") && !endpoint.contains_key("broken"));
    assert_eq!(schema["$defs"]["Dependency"]["required"], serde_json::json!(["id"]));
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        load_and_check_errors(bytes);
    }

    #[test]
    fn any_text_does_not_panic(text in "(dependencies|clouds|id|host|[-:{}\\[\\]&*!|>'\"%@`#,? \n\t]|\\PC){0,80}") {
        load_and_check_errors(text.into_bytes());
    }

    #[test]
    fn damaged_builtin_catalog_does_not_panic(
        from in 0..BUILTIN.len(),
        length in 0usize..40,
        patch in proptest::collection::vec(any::<char>(), 0..20),
    ) {
        let mut bytes = BUILTIN.as_bytes().to_vec();
        let patch: String = patch.into_iter().collect();
        bytes.splice(from..(from + length).min(BUILTIN.len()), patch.into_bytes());
        load_and_check_errors(bytes);
    }

    #[test]
    fn any_host_does_not_panic(host in "\\PC{0,20}|[a-z{}*._:/-]{0,20}") {
        let text = serde_json::json!({ "dependencies": [{
            "id": "a", "title": "A", "need": "required", "impact": "B.",
            "endpoints": [{ "host": host, "port": 443, "protocol": "tls" }],
        }] });
        load_and_check_errors(text.to_string().into_bytes());
    }
}

#[test]
fn errors_escape_invisible_and_bidi_characters() {
    for hidden in [
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{202e}',
        '\u{206a}',
        '\u{fff9}',
        '\u{e0041}',
    ] {
        load_and_check_errors(format!("dependencies:\n  - id: a{hidden}b\n    wrong{hidden}key: 1\n").into_bytes());
    }
}

/// Loads it, and renders its errors, without a panic and without control characters.
fn load_and_check_errors(bytes: Vec<u8>) {
    if let Err(errors) = load(Tier::Classic, false, &[catalog_file("\u{1b}[2J.yaml", bytes)]) {
        assert!(errors.count() > 0);
        let words = render(&errors, false);
        let moves = words.chars().find(|c| apim_probe::text::is_harmful(*c) && *c != '\n');
        assert_eq!(moves, None, "{words:?}");
        assert_eq!(errors.summaries().count(), errors.count());
    }
}

/// The public cloud's suffixes, as those of another cloud.
fn clouds_section(name: &str) -> String {
    let public = &Catalog::builtin().clouds[&Cloud::Public];
    let suffixes: Vec<String> = public
        .keys()
        .map(|suffix| format!("{suffix}: {}.{name}.example", suffix.replace('_', "-")))
        .collect();
    format!("clouds: {{ {name}: {{ {} }} }}\n", suffixes.join(", "))
}

#[test]
fn overlay_adds_a_cloud() {
    let bleu: Cloud = "bleu".parse().unwrap();
    let mine = "dependencies:\n  - id: mine\n    title: Mine\n    need: required\n    impact: Much.\n    clouds: [bleu]\n    \
                endpoints: [ { host: \"a.{storage}\", port: 443, protocol: tls } ]\n";
    let overlay = catalog_file("bleu.yaml", clouds_section("bleu") + mine);
    let catalog = load(Tier::Classic, true, &[overlay]).unwrap();
    assert_eq!(catalog.knows(bleu), Ok(()));
    assert_eq!(catalog.clouds.len(), 4);
    let rows = outbound(&catalog, bleu);
    let has = |host: &str| rows.iter().any(|(it, ..)| it == host);
    assert!(
        has("a.storage.bleu.example") && has("{storage_account}.blob.storage.bleu.example"),
        "{rows:#?}"
    );
    assert!(!has("gcs.prod.monitoring.core.windows.net"), "{rows:#?}");
    // The known clouds are unchanged.
    assert_eq!(
        outbound(&catalog, Cloud::China),
        outbound(&Catalog::builtin(), Cloud::China)
    );
}

#[test]
fn unknown_cloud_error_lists_the_required_suffixes() {
    let message = Catalog::builtin().knows("delos".parse().unwrap()).unwrap_err();
    for part in [
        "no cloud delos",
        "--probes",
        "event_hubs",
        "regional_login",
        "clouds: [delos]",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    for cloud in Cloud::ALL {
        assert_eq!(Catalog::builtin().knows(cloud), Ok(()));
    }
}
