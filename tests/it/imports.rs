//! The instance's own documents, in every form, and every way in which a file can be the wrong one.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use apim_probe::{
    azure::Cloud,
    catalog::{Catalog, SETTINGS},
    cli::SettingArg,
    import::{DocumentKind, ImportedDocument, Imports, view::StatusState},
    model::{Need, Protocol},
    plan::{Plan, PlanScope, PlannedEndpoint, ProbeTarget, Selection, Values},
};
use proptest::prelude::*;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/imports")
        .join(name)
}

fn status(name: &str) -> ImportedDocument {
    ImportedDocument::load(&file(name), DocumentKind::NetworkStatus).unwrap()
}

fn dependencies(name: &str) -> ImportedDocument {
    ImportedDocument::load(&file(name), DocumentKind::Dependencies).unwrap()
}

/// The plan with documents, in West Europe unless given otherwise.
fn plan(documents: Vec<ImportedDocument>, settings: &[(&str, &str)], region: Option<&str>) -> (Plan, Vec<String>) {
    let mut values = Values::default();
    for (name, value) in settings {
        values.add(name, [(*value).to_string()]);
    }
    let imports = Imports::gather(documents);
    let joined = imports.join(CATALOG.clone(), &values, Cloud::Public, region).unwrap();
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: region.map(str::to_string),
        vnet: None,
        name_servers: vec![],
    };
    (
        Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()).unwrap(),
        joined.notices,
    )
}

fn plan_in_west_europe(documents: Vec<ImportedDocument>) -> Plan {
    plan(documents, &[], Some("westeurope")).0
}

fn row<'a>(plan: &'a Plan, id: &str) -> &'a PlannedEndpoint {
    let rows: Vec<&PlannedEndpoint> = plan.endpoints.iter().filter(|endpoint| endpoint.id == id).collect();
    assert_eq!(rows.len(), 1, "{id} in {:#?}", ids(plan));
    rows[0]
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect()
}

const STATUS_FORMATS: [&str; 4] = [
    "status-by-service.json",
    "status-by-location.json",
    "status-example.json",
    "status-powershell.json",
];

#[test]
fn every_network_status_format_gives_the_same_entries() {
    let reference = status(STATUS_FORMATS[0]);
    assert_eq!(reference.view.locations[0].region.as_deref(), Some("westeurope"));
    assert!(reference.notices.is_empty(), "{:?}", reference.notices);
    for shape in STATUS_FORMATS {
        let document = status(shape);
        assert_eq!(document.targets, reference.targets, "{shape}");
        let [location] = &document.view.locations[..] else {
            panic!("{shape}")
        };
        assert_eq!(location.name_servers, ["168.63.129.16"], "{shape}");
        let stands = |document: &ImportedDocument| {
            let statuses = &document.view.locations[0].statuses;
            statuses
                .iter()
                .map(|it| (it.name.clone(), it.subject.clone(), it.state.clone(), it.is_stale))
                .collect::<Vec<_>>()
        };
        assert_eq!(stands(&document), stands(&reference), "{shape}");
        assert!(document.imported.as_of.is_some(), "{shape}");
    }
}

#[test]
fn old_network_status_entries_are_stale() {
    for shape in STATUS_FORMATS {
        let document = status(shape);
        let stale: Vec<&str> = document.view.locations[0]
            .statuses
            .iter()
            .filter(|it| it.is_stale)
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(stale, ["Scm"], "{shape}");
    }
    // For a live reply the clock counts, and everything in the file is old.
    let text = std::fs::read_to_string(file(STATUS_FORMATS[0])).unwrap();
    let later = "2026-12-24T00:00:00Z".parse().unwrap();
    let live = ImportedDocument::read(&text, "live", DocumentKind::NetworkStatus, Some(later)).unwrap();
    assert!(live.view.locations[0].statuses.iter().all(|it| it.is_stale));
}

#[test]
fn instance_error_text_is_kept_verbatim() {
    let document = status(STATUS_FORMATS[0]);
    let sql = document.view.locations[0]
        .statuses
        .iter()
        .find(|it| it.name.contains("database"))
        .unwrap();
    assert_eq!(
        (&sql.state, sql.error.as_deref()),
        (&StatusState::Failure, Some("connection timed out"))
    );
    assert_eq!(sql.since.unwrap().to_string(), "2026-11-14T03:53:44.1786214Z");
}

#[test]
fn network_status_fills_the_plan() {
    let plan = plan_in_west_europe(vec![status(STATUS_FORMATS[0])]);
    for (id, need, protocol) in [
        (
            "storage/apimstmain2.blob.core.windows.net:443",
            Need::Required,
            Protocol::Https,
        ),
        (
            "storage/apimstmain2.table.core.windows.net:443",
            Need::Required,
            Protocol::Https,
        ),
        (
            "storage/apimstmain2.queue.core.windows.net:443",
            Need::Feature,
            Protocol::Https,
        ),
        (
            "storage/apimstqueue1.queue.core.windows.net:443",
            Need::Feature,
            Protocol::Https,
        ),
        (
            "storage/apimstmain2.file.core.windows.net:445",
            Need::Feature,
            Protocol::Smb,
        ),
        (
            "sql/apirpsqlmain3.database.windows.net:1433",
            Need::Required,
            Protocol::Tds,
        ),
        (
            "key-vault/apikv-main4.vault.azure.net:443",
            Need::Required,
            Protocol::Https,
        ),
        (
            "azure-monitor/gcs.prod.monitoring.core.windows.net:443",
            Need::Required,
            Protocol::Tls,
        ),
        (
            "azure-monitor/prod2.prod.microsoftmetrics.com:1886",
            Need::Feature,
            Protocol::Tls,
        ),
        // The documentation requires what the instance marks as optional.
        (
            "azure-monitor/global.prod.microsoftmetrics.com:443",
            Need::Required,
            Protocol::Tls,
        ),
        (
            "entra-id/westeurope.login.microsoft.com:443",
            Need::Feature,
            Protocol::Https,
        ),
        ("entra-id/login.windows.net:443", Need::Feature, Protocol::Https),
        (
            "captcha/partner.prod.repmap.microsoft.com:443",
            Need::Feature,
            Protocol::Tls,
        ),
        ("smtp/smtpi-ch1.msn.com:25028", Need::Documented, Protocol::Tcp),
    ] {
        let row = row(&plan, id);
        assert_eq!((row.need, row.protocol), (need, protocol), "{id}");
        assert_eq!(row.untested, None, "{id}");
    }
    let unknown = |prefix: &str| {
        ids(&plan)
            .into_iter()
            .filter(|id| id.starts_with(prefix) && id.contains('{'))
            .count()
    };
    assert_eq!(
        ["storage/", "sql/", "key-vault/", "portal-publishing/"].map(unknown),
        [0; 4]
    );
    assert!(
        !ids(&plan)
            .iter()
            .any(|id| id.starts_with("imported/") || id.contains("management.azure-api.net"))
    );
}

#[test]
fn set_flag_adds_to_imported_names() {
    let settings = [("storage_account", "mine"), ("sql_server", "mine")];
    let (plan, _) = plan(vec![status(STATUS_FORMATS[0])], &settings, Some("westeurope"));
    for id in [
        "storage/mine.blob.core.windows.net:443",
        "storage/apimstmain2.blob.core.windows.net:443",
        "sql/mine.database.windows.net:1433",
        "sql/apirpsqlmain3.database.windows.net:1433",
    ] {
        row(&plan, id);
    }
    assert!(!ids(&plan).contains(&"storage/apimstqueue1.blob.core.windows.net:443"));
}

#[test]
fn unknown_setting_error_lists_the_valid_names() {
    let message = "storage=x".parse::<SettingArg>().unwrap_err();
    for setting in SETTINGS {
        assert!(message.contains(setting.name), "{message}");
    }
    let several: SettingArg = "storage_account=one,Two".parse().unwrap();
    assert_eq!(several.values, ["one", "two"]);
}

#[test]
fn storage_account_name_fills_rows_missing_in_the_document() {
    let text = r#"{"dnsServers":[],"connectivityStatus":[
        {"name":"only.blob.core.windows.net","status":"success","resourceType":"BlobStorage","isOptional":false}]}"#;
    let plan = plan_in_west_europe(vec![
        ImportedDocument::read(text, "short", DocumentKind::NetworkStatus, None).unwrap(),
    ]);
    assert_eq!(
        row(&plan, "storage/only.table.core.windows.net:443").need,
        Need::Required
    );
    row(&plan, "sql/gateways-westeurope:1433");
    row(&plan, "key-vault/{key_vault}.vault.azure.net:443");
}

/// A network status whose rows are hosts with a resource type, optional or not.
fn status_with(rows: &[(&str, &str, bool)]) -> ImportedDocument {
    let rows: Vec<serde_json::Value> = rows
        .iter()
        .map(|(name, kind, optional)| {
            serde_json::json!({ "name": name, "status": "success", "resourceType": kind, "isOptional": optional })
        })
        .collect();
    let text = serde_json::json!({ "dnsServers": [], "connectivityStatus": rows }).to_string();
    ImportedDocument::read(&text, "made", DocumentKind::NetworkStatus, None).unwrap()
}

#[test]
fn instance_decides_whether_entra_id_is_required() {
    const LOGIN: &str = "entra-id/login.microsoftonline.com:443";
    const REGIONAL: &str = "entra-id/westeurope.login.microsoft.com:443";
    let login = |optional| ("login.microsoftonline.com", "AzureActiveDirectory", optional);
    let regional = |optional| {
        let host = "https://westeurope.login.microsoft.com";
        (host, "RegionalAzureActiveDirectory", optional)
    };
    let elsewhere = (
        "https://centraluseuap.login.microsoft.com",
        "RegionalAzureActiveDirectory",
        true,
    );
    for (rows, need) in [
        (vec![login(true), regional(true)], Need::Feature),
        (vec![login(true)], Need::Feature),
        (vec![elsewhere], Need::Feature),
        (vec![login(false), regional(true)], Need::Required),
        (vec![("a.blob.core.windows.net", "BlobStorage", true)], Need::Required),
    ] {
        let (plan, notices) = plan(vec![status_with(&rows)], &[], Some("westeurope"));
        assert_eq!([LOGIN, REGIONAL].map(|id| row(&plan, id).need), [need; 2], "{rows:?}");
        let is_noticed = notices
            .iter()
            .any(|notice| notice == "the instance marks Microsoft Entra ID as optional, so it counts as a feature");
        assert_eq!(is_noticed, need == Need::Feature, "{notices:?}");
    }
    // A list of dependencies does not contain this.
    let (plan, _) = plan(vec![dependencies("dependencies-2.json")], &[], Some("westeurope"));
    assert_eq!(row(&plan, LOGIN).need, Need::Required);
}

#[test]
fn storage_account_with_dns_zone_adds_its_other_services() {
    let blob = ("apimst7.z12.blob.storage.azure.net", "BlobStorage", false);
    let plan = plan_in_west_europe(vec![status_with(&[blob])]);
    for (id, need) in [
        ("storage/apimst7.z12.blob.storage.azure.net:443", Need::Required),
        ("storage/apimst7.z12.table.storage.azure.net:443", Need::Required),
        ("storage/apimst7.z12.queue.storage.azure.net:443", Need::Feature),
        (
            "portal-publishing/apimst7.z12.blob.storage.azure.net:443",
            Need::Feature,
        ),
    ] {
        assert_eq!(row(&plan, id).need, need, "{id}");
    }
    assert!(
        !ids(&plan)
            .iter()
            .any(|id| id.contains("storage_account") || id.starts_with("imported/"))
    );
    // A host that only looks like it is a separate one.
    for host in [
        "a.z12.blob.storage.azure.net.example.com",
        "a.zone.blob.storage.azure.net",
    ] {
        let plan = plan_in_west_europe(vec![status_with(&[(host, "BlobStorage", false)])]);
        row(&plan, &format!("storage/{host}:443"));
        row(&plan, "storage/{storage_account}.table.core.windows.net:443");
    }
}

#[test]
fn storage_account_with_dns_zone_is_accepted_by_set() {
    let setting: SettingArg = "storage_account=apimst7.z12,other".parse().unwrap();
    let settings: Vec<(&str, &str)> = setting
        .values
        .iter()
        .map(|value| ("storage_account", value.as_str()))
        .collect();
    let (plan, _) = plan(vec![], &settings, Some("westeurope"));
    row(&plan, "storage/apimst7.z12.table.storage.azure.net:443");
    row(&plan, "storage/other.table.core.windows.net:443");
    for wrong in [
        "storage_account=a.blob",
        "storage_account=a.z12.blob.storage.azure.net",
        "storage_account=.z12",
        "storage_account=a\u{1b}.z12",
        "key_vault=a.z12",
    ] {
        assert!(wrong.parse::<SettingArg>().is_err(), "{wrong}");
    }
}

#[test]
fn sql_gateway_ranges_replace_missing_gateway_addresses() {
    let (plan, _) = plan(vec![], &[], Some("eastus3"));
    let gateways = row(&plan, "sql/gateways-eastus3:1433");
    let ProbeTarget::Addresses { addresses, any: true } = &gateways.destination else {
        panic!("{gateways:?}")
    };
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        [
            "134.138.83.32",
            "134.138.83.33",
            "134.138.83.34",
            "134.138.83.35",
            "134.138.96.48",
            "134.138.96.49",
            "134.138.96.50",
            "134.138.96.51"
        ]
    );
    assert_eq!(gateways.names, ["*.database.windows.net"]);
    let note = gateways.note.as_deref().unwrap();
    assert!(
        note.contains("11000 to 11999") && note.contains("a timeout proves nothing"),
        "{note}"
    );
}

#[test]
fn dependency_pages_are_merged() {
    let (plan, notices) = plan(
        vec![dependencies("dependencies-1.json"), dependencies("dependencies-2.json")],
        &[],
        None,
    );
    assert!(!notices.iter().any(|notice| notice.contains("nextLink")), "{notices:?}");
    for account in ["apimstone1", "apimsttwo2", "apimstthree3"] {
        assert_eq!(
            row(&plan, &format!("storage/{account}.blob.core.windows.net:443")).need,
            Need::Required
        );
        row(&plan, &format!("storage/{account}.table.core.windows.net:443"));
    }
    for (id, need, protocol) in [
        (
            "storage/apimstone1.file.core.windows.net:445",
            Need::Documented,
            Protocol::Smb,
        ),
        (
            "event-hubs/apimone1eh.servicebus.windows.net:443",
            Need::Feature,
            Protocol::Https,
        ),
        (
            "event-hubs/apimone1eh.servicebus.windows.net:5671",
            Need::Feature,
            Protocol::Amqps,
        ),
        (
            "event-hubs/apimone1eh.servicebus.windows.net:5672",
            Need::Feature,
            Protocol::Amqp,
        ),
        (
            "event-hubs/apimtwo2eh.servicebus.windows.net:5671",
            Need::Feature,
            Protocol::Amqps,
        ),
        (
            "certificate-revocation/crl.microsoft.com:80",
            Need::Feature,
            Protocol::Http,
        ),
        (
            "certificate-revocation/crl9.example.com:80",
            Need::Feature,
            Protocol::Http,
        ),
        (
            "azure-monitor/prod7.prod.microsoftmetrics.com:1886",
            Need::Feature,
            Protocol::Tls,
        ),
    ] {
        let row = row(&plan, id);
        assert_eq!((row.need, row.protocol, &row.untested), (need, protocol, &None), "{id}");
    }
    for id in [
        "certificate-revocation/ocsp.msocsp.com:80",
        "microsoft-graph/graph.windows.net:443",
    ] {
        let retired = row(&plan, id);
        assert_eq!(retired.untested.as_ref().unwrap().cause.as_str(), "retired", "{id}");
    }
    assert!(!ids(&plan).contains(&"entra-id/graph.windows.net:443"));
    // An entry with only addresses is verified with the names of similar entries.
    let addresses = row(&plan, "sql/20.61.99.200:1433");
    assert_eq!((addresses.need, addresses.protocol), (Need::Required, Protocol::Tds));
    assert_eq!(addresses.names, ["*.database.windows.net"]);
    let ProbeTarget::Addresses { addresses, any: false } = &addresses.destination else {
        panic!("{addresses:?}")
    };
    assert_eq!(addresses.len(), 2);
}

#[test]
fn missing_dependency_page_gives_a_notice() {
    let (_, notices) = plan(vec![dependencies("dependencies-1.json")], &[], None);
    assert!(notices.iter().any(|notice| notice.contains("nextLink")), "{notices:?}");
}

#[test]
fn both_documents_give_each_endpoint_once() {
    let documents = [
        status(STATUS_FORMATS[0]),
        dependencies("dependencies-1.json"),
        dependencies("dependencies-2.json"),
    ];
    let plan = plan_in_west_europe(documents.into());
    let mut unique = ids(&plan);
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), plan.endpoints.len());
    // Only the status contains the need.
    assert_eq!(
        row(&plan, "storage/apimstmain2.blob.core.windows.net:443").need,
        Need::Required
    );
}

#[test]
fn other_region_of_the_instance_is_a_separate_row() {
    let (plan, notices) = plan(vec![status(STATUS_FORMATS[0])], &[], Some("northeurope"));
    row(&plan, "entra-id/westeurope.login.microsoft.com:443");
    row(&plan, "entra-id/northeurope.login.microsoft.com:443");
    assert!(
        notices.iter().any(|notice| notice.contains("runs in westeurope")),
        "{notices:?}"
    );
}

#[test]
fn unknown_resource_types_are_probed_with_a_notice() {
    let text = r#"{"connectivityStatus":[
        {"name":"a.example.com:5671","status":"success","resourceType":"Quantum","isOptional":false},
        {"name":"https://b.example.com","status":"asleep","resourceType":"Quantum","isOptional":true},
        {"name":"x7.database.windows.net","status":"success","resourceType":"FutureSql","isOptional":false},
        {"name":"not a host","status":"success","resourceType":"BlobStorage","isOptional":true},
        {"name":"169.254.169.254","status":"success","resourceType":"BlobStorage","isOptional":true},
        {"name":"c.blob.core.windows.net","status":"success","resourceType":"BlobStorage","isOptional":false},
        {"name":"c.blob.core.windows.net","status":"failure","resourceType":"BlobStorage","isOptional":false,
         "lastUpdated":"2026-11-21T16:41:44Z"},
        {"status":"success"}, 7]}"#;
    let document = ImportedDocument::read(text, "odd", DocumentKind::NetworkStatus, None).unwrap();
    let again = document.view.locations[0]
        .statuses
        .iter()
        .filter(|it| it.name.starts_with("c."))
        .collect::<Vec<_>>();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].state, StatusState::Failure);
    let (plan, notices) = plan(vec![document], &[], Some("westeurope"));
    assert_eq!(row(&plan, "imported/a.example.com:5671").need, Need::Required);
    assert_eq!(row(&plan, "imported/a.example.com:5671").protocol, Protocol::Amqps);
    assert_eq!(row(&plan, "imported/b.example.com:443").need, Need::Feature);
    // The host shows what its type does not.
    assert_eq!(row(&plan, "sql/x7.database.windows.net:1433").need, Need::Required);
    for phrase in [
        "unknown resource types, probed anyway: \"Quantum\" (a.example.com:5671)",
        "unknown statuses: \"asleep\"",
        "not host names, so not probed: \"not a host\" (BlobStorage)",
        "listed twice, using the newer entry: c.blob.core.windows.net",
        "probed under \"imported\"",
    ] {
        assert!(
            notices.iter().any(|notice| notice.contains(phrase)),
            "{phrase}: {notices:#?}"
        );
    }
}

#[test]
fn more_than_5000_entries_are_refused() {
    let statuses = format!("{{\"connectivityStatus\":[{}]}}", vec!["{}"; 6_000].join(","));
    let endpoint = |number: usize| {
        let name = format!("h{number}.example.com");
        serde_json::json!({ "domainName": name, "endpointDetails": [{ "port": 443 }] })
    };
    let endpoints: Vec<_> = (0..6_000).map(endpoint).collect();
    let dependencies = serde_json::json!({ "value": [{ "category": "Azure SQL", "endpoints": endpoints }] });
    for (text, kind) in [
        (statuses, DocumentKind::NetworkStatus),
        (dependencies.to_string(), DocumentKind::Dependencies),
    ] {
        let message = ImportedDocument::read(&text, "file.json", kind, None).unwrap_err();
        assert!(message.starts_with("file.json has more than 5000 entries"), "{message}");
    }
}

#[test]
fn file_over_32_mb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.json");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let message = ImportedDocument::load(&path, DocumentKind::NetworkStatus).unwrap_err();
    assert!(message.contains("larger than 32 MB"), "{message}");
    let message = ImportedDocument::load(&folder.path().join("none.json"), DocumentKind::NetworkStatus).unwrap_err();
    assert!(message.starts_with("cannot read "), "{message}");
}

#[test]
fn empty_document_gives_a_notice() {
    for (text, kind) in [
        ("[]", DocumentKind::NetworkStatus),
        ("{\"value\":[]}", DocumentKind::Dependencies),
    ] {
        let document = ImportedDocument::read(text, "empty.json", kind, None).unwrap();
        assert_eq!((document.imported.endpoints, document.notices.len()), (0, 1), "{text}");
    }
}

#[test]
fn instance_in_another_cloud_is_refused() {
    let text =
        r#"{"connectivityStatus":[{"name":"https://kv7.vault.usgovcloudapi.net","resourceType":"AzureKeyVault"}]}"#;
    let document = ImportedDocument::read(text, "gov.json", DocumentKind::NetworkStatus, None).unwrap();
    let join = |cloud| {
        let imports = Imports::gather(vec![document.clone()]);
        imports.join(CATALOG.clone(), &Values::default(), cloud, None)
    };
    let message = join(Cloud::Public).unwrap_err();
    for phrase in ["gov.json", "usgov", "kv7.vault.usgovcloudapi.net", "--cloud usgov"] {
        assert!(message.contains(phrase), "{message}");
    }
    assert!(join(Cloud::China).is_err());
    assert!(join(Cloud::Usgov).is_ok());
}

/// Documents in the right form with arbitrary content.
fn any_documents() -> impl Strategy<Value = [String; 2]> {
    let word = prop_oneof![
        any::<String>(),
        "[a-z0-9.:/{}*-]{0,40}",
        "[a-z]{1,8}\\.(blob|queue)\\.core\\.windows\\.net(:[0-9]{1,6})?",
        prop_oneof![Just("BlobStorage"), Just("Azure SQL"), Just("Email"), Just("success")].prop_map(str::to_string),
    ];
    let value = prop_oneof![
        4 => word.prop_map(serde_json::Value::from),
        1 => any::<Option<i64>>().prop_map(serde_json::Value::from),
    ];
    let entry = (value.clone(), value.clone(), value.clone(), value).prop_map(|(name, kind, port, time)| {
        let status = serde_json::json!({ "name": name, "resourceType": kind, "status": kind, "lastUpdated": time });
        let details = serde_json::json!([{ "port": port, "ipAddress": name }]);
        let category =
            serde_json::json!({ "category": kind, "endpoints": [{ "domainName": name, "endpointDetails": details }] });
        (status, category)
    });
    prop::collection::vec(entry, 0..6).prop_map(|entries| {
        let (statuses, categories): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        [
            serde_json::json!({ "connectivityStatus": statuses, "dnsServers": categories }).to_string(),
            serde_json::json!({ "value": categories }).to_string(),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_does_not_panic([status, dependencies] in any_documents()) {
        for (text, kind) in [(status, DocumentKind::NetworkStatus), (dependencies, DocumentKind::Dependencies)] {
            // A text may happen to look like a nested object truncated by PowerShell (`@{…`): then it is refused.
            let Ok(document) = ImportedDocument::read(&text, "any", kind, None) else { continue };
            let imports = Imports::gather(vec![document]);
            let joined = imports.join(CATALOG.clone(), &Values::default(), Cloud::Public, None).unwrap();
            let scope = PlanScope { cloud: Cloud::Public, region: None, vnet: None, name_servers: vec![] };
            let plan = Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()).unwrap();
            let mut unique = ids(&plan);
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), plan.endpoints.len());
        }
    }
}
