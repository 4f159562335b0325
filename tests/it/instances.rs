//! The instance's own lists: every form of them, what they become, and that none of their secrets is kept.

use apim_probe::{
    azure::Cloud,
    catalog::Catalog,
    import::{Imports, instance::Instance},
    model::{Cause, Need, Protocol, Tier, VantageSource},
    plan::{Plan, PlanScope, PlannedEndpoint, Selection, Values, document, text},
};
use proptest::prelude::*;
use serde_json::json;

/// What must never be kept.
const SECRET: &str = "S3CR3T";

/// The plan with a document of the instance, and the notices about it.
fn planned(document: &str) -> (Plan, Vec<String>) {
    let loaded = Instance::read(document, "instance.json").unwrap();
    let imports = Imports::gather(loaded.documents).of(loaded.instance);
    let (catalog, region) = (Catalog::builtin(), Some("westeurope"));
    let joined = imports
        .join(catalog, &Values::default(), Cloud::Public, region)
        .unwrap();
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: region.map(str::to_string),
        vnet: None,
        name_servers: vec![],
    };
    let plan = Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()).unwrap();
    (plan, joined.notices)
}

fn instance_endpoints(plan: &Plan) -> Vec<&PlannedEndpoint> {
    plan.endpoints
        .iter()
        .filter(|endpoint| endpoint.of_instance.is_some())
        .collect()
}

fn ids(document: &str) -> Vec<String> {
    instance_endpoints(&planned(document).0)
        .iter()
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn row<'a>(plan: &'a Plan, id: &str) -> &'a PlannedEndpoint {
    plan.endpoints
        .iter()
        .find(|endpoint| endpoint.id == id)
        .unwrap_or_else(|| panic!("no {id}"))
}

fn refused(document: &str) -> String {
    Instance::read(document, "instance.json").unwrap_err()
}

const ID: &str = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";

#[test]
fn every_document_form_gives_the_same_endpoint() {
    let rest = json!({
        "id": format!("{ID}/backends/orders"),
        "type": "Microsoft.ApiManagement/service/backends",
        "name": "orders",
        "properties": { "url": "https://orders.example:8443/v1", "protocol": "http" },
    });
    // As `az` prints it: without `properties`.
    let flat = json!({
        "id": format!("{ID}/backends/orders"), "type": "Microsoft.ApiManagement/service/backends", "name": "orders",
        "url": "https://orders.example:8443/v1", "protocol": "http", "properties": null,
    });
    // The output of --query, below a key that says what it is.
    let bare = json!({ "name": "orders", "url": "https://orders.example:8443/v1" });
    for document in [
        rest.clone(),
        flat.clone(),
        json!([rest]),
        json!([flat]),
        json!({ "value": [rest], "count": 7, "nextLink": "" }),
        json!({ "backends": { "value": [rest] } }),
        json!({ "backends": [ { "value": [], "nextLink": "https://management.azure.com:443/x" }, { "value": [flat] } ] }),
        json!({ "Backends": [bare], "loggers": null, "networkStatus": null }),
        json!({ "body": { "value": [flat] } }),
    ] {
        assert_eq!(
            ids(&document.to_string()),
            ["backends/orders.example:8443"],
            "{document}"
        );
    }
    let powershell =
        format!(r#"{{ "Id": "{ID}/backends/orders", "BackendId": "orders", "Url": "https://orders.example:8443" }}"#);
    assert_eq!(ids(&powershell), ["backends/orders.example:8443"]);
}

#[test]
fn other_documents_are_refused_with_their_kind() {
    for (document, phrase) in [
        (
            r#"{"id": "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Web/sites/x"}"#,
            "microsoft.web/sites, which belongs to another service",
        ),
        (
            r#"[{"type": "Microsoft.Compute/virtualMachines", "name": "x"}]"#,
            "another service",
        ),
        (
            r#"{"error": {"code": "AuthorizationFailed", "message": "no"}}"#,
            "AuthorizationFailed",
        ),
        ("<html></html>", "web page"),
        ("", "is empty"),
        (r#"{"access_token": "x"}"#, "looks like another kind of object"),
        ("[1, 2]", "looks like a list of plain values"),
        ("null", "is null"),
    ] {
        let refusal = refused(document);
        assert!(
            refusal.starts_with("instance.json ") && refusal.contains(phrase),
            "{document}: {refusal}"
        );
        assert!(refusal.contains("scripts/collect.sh"), "{refusal}");
    }
    let other = ID.replace("contoso", "fabrikam");
    let two = json!([{ "id": format!("{ID}/backends/a") }, { "id": format!("{other}/backends/b") }]);
    assert!(
        refused(&two.to_string()).contains("a different instance"),
        "{}",
        refused(&two.to_string())
    );
    let of = |id: &str| {
        Instance::read(&json!([{ "id": format!("{id}/backends/a") }]).to_string(), "x")
            .unwrap()
            .instance
    };
    assert!(of(ID).and(of(&other)).unwrap_err().contains("a different instance"));
    assert!(of(ID).and(of(&ID.to_uppercase())).is_ok());
}

#[test]
fn empty_or_unsupported_lists_give_a_notice() {
    for (document, phrase) in [
        (json!({ "value": [], "count": 0 }), "is an empty list"),
        (json!([]), "is an empty list"),
        (
            json!({ "tags": { "value": [ { "id": format!("{ID}/tags/a") } ] }, "apis": [] }),
            "also contains tags",
        ),
        (
            json!({ "loggers": { "error": { "code": "AuthorizationFailed", "message": "no" } } }),
            "does not have its loggers: AuthorizationFailed, no",
        ),
    ] {
        let (plan, notices) = planned(&document.to_string());
        assert!(instance_endpoints(&plan).is_empty());
        assert!(
            notices.iter().any(|notice| notice.contains(phrase)),
            "{document}: {notices:?}"
        );
    }
}

#[test]
fn secrets_are_never_kept() {
    let url = format!("https://user:{SECRET}@host.example/{SECRET}?code={SECRET}#{SECRET}");
    let policy = format!(
        "<policies><inbound><authentication-basic username=\"{SECRET}\" password=\"{SECRET}\" /><set-header name=\"x\">\
         <value>{SECRET}</value></set-header><send-request><set-url>{url}</set-url><set-body>{SECRET}</set-body>\
         <proxy url=\"http://u:{SECRET}@proxy.example:8080\" username=\"u\" password=\"{SECRET}\" /></send-request>\
         <set-backend-service base-url=\"{}\" /></inbound></policies>",
        url.replace('&', "&amp;")
    );
    let document = json!({
        "service": { "name": "contoso", "properties": {
            "gatewayUrl": "https://contoso.azure-api.net", "virtualNetworkType": "Internal",
            "hostnameConfigurations": [ { "type": "Proxy", "hostName": "api.example", "keyVaultId": format!("https://v.vault.azure.net/secrets/{SECRET}"),
                "encodedCertificate": SECRET, "certificatePassword": SECRET } ],
            "certificates": [ { "storeName": "Root", "encodedCertificate": SECRET, "certificatePassword": SECRET,
                "certificate": { "subject": "CN=x", "thumbprint": "00" } } ] } },
        "loggers": [ { "name": "l", "properties": { "loggerType": "azureEventHub", "credentials": {
            "connectionString": format!("Endpoint=sb://eh.servicebus.windows.net/;SharedAccessKey={SECRET}"), "instrumentationKey": SECRET } } } ],
        "caches": [ { "name": "c", "properties": { "connectionString": format!("c.redis.cache.windows.net:6380,password={SECRET}") } } ],
        "backends": [ { "name": "b", "properties": { "url": url, "credentials": { "authorization": { "scheme": "Basic", "parameter": SECRET },
            "query": { "sig": [SECRET] }, "header": { "x-functions-key": [SECRET] }, "certificate": [SECRET] },
            "proxy": { "url": url, "username": SECRET, "password": SECRET } } } ],
        "apis": [ { "name": "a", "properties": { "displayName": "A", "serviceUrl": url, "subscriptionKeyParameterNames": { "header": SECRET } } } ],
        "namedValues": [ { "name": "n", "properties": { "displayName": "n", "secret": true, "value": SECRET } },
            { "name": "m", "properties": { "displayName": "m", "secret": false, "value": url } } ],
        "certificates": [ { "name": "x", "properties": { "data": SECRET, "password": SECRET, "subject": "CN=x" } } ],
        "identityProviders": [ { "name": "aad", "properties": { "type": "aad", "clientId": "x", "clientSecret": SECRET, "authority": url } } ],
        "openidConnectProviders": [ { "name": "o", "properties": { "metadataEndpoint": url, "clientSecret": SECRET } } ],
        "authorizationServers": [ { "name": "s", "properties": { "tokenEndpoint": url, "clientSecret": SECRET,
            "resourceOwnerUsername": SECRET, "resourceOwnerPassword": SECRET, "tokenBodyParameters": [ { "name": "p", "value": SECRET } ] } } ],
        "authorizationProviders": [ { "name": "p", "properties": { "oauth2": { "grantTypes": { "clientCredentials": {
            "clientSecret": SECRET, "tokenUrl": url, "scopes": SECRET } } } } } ],
        "gateways": [ { "name": "g", "properties": { "keys": { "primary": SECRET } } } ],
        "policies": [ { "id": format!("{ID}/policies/policy"), "properties": { "value": policy } } ],
        "policyFragments": [ { "id": format!("{ID}/policyFragments/f"), "properties": { "value": format!("<fragment>{policy}</fragment>") } } ],
    });
    let loaded = Instance::read(&document.to_string(), "instance.json").unwrap();
    // Text that is never kept cannot appear in any format of any report.
    let kept = format!("{loaded:?}");
    assert!(
        kept.contains("host.example") && kept.contains("proxy.example"),
        "{kept}"
    );
    assert!(!kept.contains(SECRET), "{kept}");
    let (plan, notices) = planned(&document.to_string());
    assert!(!format!("{plan:?} {notices:?}").contains(SECRET));
    // Nor does any error message contain it.
    let text = document.to_string();
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    let list = format!("Name  : b\nUrl   : https://b.example\nKey   : {SECRET}...\n");
    for broken in [
        &text[..text.len() - 1],
        &pretty[..pretty.len() / 2],
        &format!("{text}{text}"),
        &list,
        &text.replace("contoso", "x\u{7}"),
    ] {
        if let Err(refusal) = Instance::read(broken, "instance.json") {
            assert!(!refusal.contains(SECRET), "{refusal}");
        }
    }
}

#[test]
fn shared_host_is_planned_once_with_all_its_users() {
    let backend = |name: &str, url: &str| json!({ "name": name, "properties": { "url": url } });
    let api = |name: &str, url: &str| json!({ "name": name, "properties": { "displayName": name, "serviceUrl": url, "isCurrent": true } });
    let policy = |scope: &str, xml: &str| json!({ "id": format!("{ID}{scope}/policies/policy"), "properties": { "value": format!("<policies><inbound>{xml}</inbound></policies>") } });
    let document = json!({
        "backends": [ backend("one", "https://Shared.example/a"), backend("two", "https://shared.example:443/b"), backend("three", "http://shared.example/") ],
        "apis": [ api("Orders", "https://shared.example"), api("Billing", "wss://billing.example/ws"),
            { "name": "Orders;rev=2", "properties": { "displayName": "Orders", "serviceUrl": "https://old.example", "isCurrent": false } } ],
        "policies": [
            policy("/apis/Billing", "<set-backend-service backend-id=\"one\" />"),
            policy("/products/starter", "<choose><when condition=\"x\"><set-backend-service backend-id=\"two\" /></when></choose>"),
            policy("", "<validate-jwt><openid-config url=\"https://login.microsoftonline.com/x/v2.0\" /></validate-jwt>"),
        ],
    });
    let (plan, notices) = planned(&document.to_string());
    let own: Vec<&str> = instance_endpoints(&plan)
        .iter()
        .map(|endpoint| endpoint.id.as_str())
        .collect();
    assert_eq!(
        own,
        [
            "backends/shared.example:443",
            "backends/shared.example:80",
            "backends/billing.example:443"
        ]
    );
    let shared = row(&plan, "backends/shared.example:443");
    assert_eq!((shared.need, shared.protocol), (Need::Feature, Protocol::Tls));
    assert_eq!(shared.title, "Backend one, Backend two and Backend of API Orders");
    assert_eq!(
        shared.feature.as_deref(),
        Some("API Billing, product starter and API Orders")
    );
    assert_eq!(
        shared.impact,
        "Every call to API Billing fails. Every call to product starter that its policy sends to backend two fails. Every call \
         to API Orders fails."
    );
    assert_eq!(
        row(&plan, "backends/billing.example:443").impact,
        "Every call to API Billing fails, unless a policy sends it elsewhere."
    );
    // A host in the catalog is not planned again, and its entry says what else uses it.
    let login = row(&plan, "entra-id/login.microsoftonline.com:443");
    assert!(
        login
            .note
            .as_deref()
            .is_some_and(|note| note.contains("Token issuer of every API")),
        "{login:?}"
    );
    assert!(
        notices
            .iter()
            .any(|notice| notice == "1 revision of APIs that is not current: skipped"),
        "{notices:?}"
    );
}

#[test]
fn named_values_in_urls_are_resolved_unless_secret() {
    let document = json!({
        "apis": [ { "name": "a", "properties": { "serviceUrl": "https://{{host}}:8443/x" } }, { "name": "b", "properties": { "serviceUrl": "{{base-url}}/v1" } },
            { "name": "c", "properties": { "serviceUrl": "https://{{hidden}}/v1" } }, { "name": "d", "properties": { "serviceUrl": "https://{{nobody}}.example/v1" } } ],
        "namedValues": [ { "name": "1", "properties": { "displayName": "host", "value": "named.example", "secret": false } },
            { "name": "2", "properties": { "displayName": "base-url", "value": "http://base.example/api", "secret": false } },
            { "name": "3", "properties": { "displayName": "hidden", "secret": true } } ],
    });
    let (plan, _) = planned(&document.to_string());
    let rows: Vec<(&str, Option<Cause>)> = instance_endpoints(&plan)
        .iter()
        .map(|it| (it.id.as_str(), it.untested.as_ref().map(|untested| untested.cause)))
        .collect();
    assert_eq!(
        rows,
        [
            ("backends/named.example:8443", None),
            ("backends/base.example:80", None),
            ("backends/{{hidden}}:443", Some(Cause::NeedsValue)),
            ("backends/{{nobody}}.example:443", Some(Cause::NeedsValue)),
        ]
    );
    // No flag provides a named value.
    let vantage = document::PlanVantage {
        cloud: Cloud::Public,
        region: None,
        vnet: None,
        source: VantageSource::Default,
    };
    let page = text::render(&document::PlanDocument::new(&plan, vantage, vec![], vec![]));
    assert!(
        page.contains("2 endpoints would not be probed because the host is hidden in a named value")
            && !page.contains("--set hidden"),
        "{page}"
    );
}

#[test]
fn invalid_backend_hosts_give_a_notice_and_are_skipped() {
    let urls = [
        "https://good.example",
        "https://short/",
        "https://x.example:0/",
        "https://x.example:99999",
        "ftp://x.example",
        "https://",
        "nonsense here",
        "https://127.0.0.1/",
        "https://169.254.169.254/metadata",
    ];
    let backends: Vec<_> = urls
        .iter()
        .enumerate()
        .map(|(n, url)| json!({ "name": format!("b{n}"), "properties": { "url": url } }))
        .collect();
    let (plan, notices) = planned(&json!({ "backends": backends }).to_string());
    assert_eq!(instance_endpoints(&plan).len(), 1);
    let notice = notices
        .iter()
        .find(|notice| notice.contains("name no host that can be connected to, so not probed"))
        .unwrap();
    assert!(
        notice.contains("\"https://short\" (not a fully qualified name) (Backend b1)") && notice.contains("6 more"),
        "{notice}"
    );
}

#[test]
fn five_thousand_backends_are_planned_with_a_notice() {
    let backends: Vec<_> = (0..5_000)
        .map(|n| json!({ "name": format!("b{n}"), "properties": { "url": format!("https://b{n}.example") } }))
        .collect();
    let (plan, notices) = planned(&json!({ "backends": backends }).to_string());
    assert_eq!(instance_endpoints(&plan).len(), 5_000);
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("has 5000 backends and other hosts")),
        "{notices:?}"
    );
}

#[test]
fn instance_that_is_activating_is_planned_with_a_notice() {
    let document = json!({ "name": "Contoso", "location": "East US", "type": "Microsoft.ApiManagement/service", "properties": {
        "provisioningState": "Activating", "gatewayUrl": "https://Contoso.azure-api.net", "virtualNetworkType": "Internal",
        "privateIPAddresses": null, "additionalLocations": null, "virtualNetworkConfiguration": null, "certificates": null,
        "hostnameConfigurations": [ { "type": "Proxy", "hostName": null }, { "type": "Scm", "hostName": "x.scm.azure-api.net" } ] } });
    let (plan, notices) = planned(&document.to_string());
    assert_eq!(
        instance_endpoints(&plan)
            .iter()
            .map(|it| it.id.as_str())
            .collect::<Vec<_>>(),
        ["own-hostnames/contoso.azure-api.net:443"]
    );
    assert!(
        notices.iter().any(|notice| notice.contains("not ready (Activating)")),
        "{notices:?}"
    );
    let service = Instance::read(&document.to_string(), "x")
        .unwrap()
        .instance
        .service
        .unwrap();
    assert_eq!(service.locations[0].region.as_deref(), Some("eastus"));
}

#[test]
fn instance_in_another_cloud_is_refused() {
    let document =
        json!({ "properties": { "gatewayUrl": "https://contoso.azure-api.us", "virtualNetworkType": "Internal" } });
    let loaded = Instance::read(&document.to_string(), "instance.json").unwrap();
    let imports = Imports::default().of(loaded.instance);
    let refusal = imports
        .join(Catalog::builtin(), &Values::default(), Cloud::Public, None)
        .unwrap_err();
    assert!(
        refusal.contains("instance.json") && refusal.contains("--cloud usgov"),
        "{refusal}"
    );
}

#[test]
fn empty_entries_do_not_affect_other_backends() {
    for (document, phrase) in [
        (
            json!({ "backends": [ { "name": "a", "properties": { "url": "https://a.example" } }, null ], "apis": [null] }),
            "",
        ),
        (
            json!({ "backends": [ { "name": "a", "properties": { "url": "https://a.example" } } ], "loggers": { "value": null } }),
            "",
        ),
        (
            json!({ "backends": [ { "name": "a", "properties": { "url": "https://a.example" } }, { "name": "b" } ] }),
            "no URL is known for 1 backend, so not probed: b",
        ),
        (
            json!({ "backends": [ { "name": "a", "properties": { "url": "https://a.example" } }, { "name": "b", "properties": { "url": "https://[::1]:8443" } } ] }),
            "not the address of another machine",
        ),
    ] {
        let (plan, notices) = planned(&document.to_string());
        assert_eq!(instance_endpoints(&plan).len(), 1, "{document}");
        let notices = notices.join("; ");
        assert!(
            notices.contains(phrase) && notices.is_empty() == phrase.is_empty(),
            "{document}: {notices}"
        );
    }
    let gateway = json!({ "type": "Microsoft.ApiManagement/gateways", "name": "g" });
    assert!(refused(&gateway.to_string()).contains("--tier workspace-gateway"));
}

#[test]
fn tier_is_read_from_the_sku() {
    for (sku, tier) in [
        (json!({ "name": "Developer" }), Some(Tier::Classic)),
        (json!({ "name": "Premium", "capacity": 2 }), Some(Tier::Classic)),
        (json!({ "name": "PremiumV2" }), Some(Tier::PremiumV2)),
        (json!({ "name": "StandardV2" }), Some(Tier::PremiumV2)),
        // As PowerShell prints it.
        (json!("PremiumV2"), Some(Tier::PremiumV2)),
        (json!({ "name": "Consumption" }), None),
        (json!(null), None),
    ] {
        let document = json!({ "type": "Microsoft.ApiManagement/service", "name": "c", "sku": sku, "properties": {} });
        let read = Instance::read(&document.to_string(), "x").unwrap();
        assert_eq!(read.instance.service.unwrap().tier(), tier, "{document}");
    }
}

#[test]
fn loggers_and_caches_are_planned_in_every_tier() {
    let document = json!({
        "loggers": [ { "name": "l", "properties": { "loggerType": "azureEventHub",
            "resourceId": "/subscriptions/1/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/Audit" } } ],
        "caches": [ { "name": "c", "properties": {
            "resourceId": "https://management.azure.com/subscriptions/1/resourceGroups/rg/providers/Microsoft.Cache/redis/Fast" } } ],
    });
    for (tier, expected) in [
        (
            Tier::Classic,
            [
                "event-hubs/audit.servicebus.windows.net:5671",
                "redis/fast.redis.cache.windows.net:6380",
            ],
        ),
        (
            Tier::PremiumV2,
            [
                "imported/audit.servicebus.windows.net:5671",
                "imported/fast.redis.cache.windows.net:6380",
            ],
        ),
    ] {
        let imports = Imports::default().of(Instance::read(&document.to_string(), "x").unwrap().instance);
        let joined = imports
            .join(Catalog::of(tier), &Values::default(), Cloud::Public, None)
            .unwrap();
        let scope = PlanScope {
            cloud: Cloud::Public,
            region: None,
            vnet: None,
            name_servers: vec![],
        };
        let plan = Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()).unwrap();
        for id in expected {
            row(&plan, id);
        }
    }
}

#[test]
fn only_and_skip_accept_ids_that_only_instances_have() {
    let only = |ids: &[&str]| Selection {
        only: ids.iter().map(ToString::to_string).collect(),
        ..Selection::default()
    };
    let catalog = Catalog::builtin();
    let scope = PlanScope {
        cloud: Cloud::Public,
        region: None,
        vnet: None,
        name_servers: vec![],
    };
    let made = |selection: &Selection| Plan::make(&catalog, &scope, &Values::default(), selection);
    let none = made(&only(&["backends"])).unwrap_err();
    assert!(
        none.contains("--only backends") && none.contains("--instance"),
        "{none}"
    );
    let some = only(&["sql", "own-*"]);
    assert!(
        made(&some).is_ok()
            && some
                .idle(&catalog)
                .is_some_and(|phrase| phrase.contains("--only own-*:"))
    );
    assert_eq!(only(&["sql"]).idle(&catalog), None);
    let skip = Selection {
        skip: vec!["policy-targets".into()],
        ..Selection::default()
    };
    assert!(made(&skip).is_ok());
    let typo = made(&only(&["bakends"])).unwrap_err();
    assert!(typo.contains("did you mean backends?"), "{typo}");
}

/// Code in policies, as in `rawxml`: not valid XML until it is removed.
#[test]
fn policies_are_read_as_xml_and_rawxml() {
    let code = "@{ var s = \"} < & \\\" )\"; // }\n return a < b && c > d ? \"{\" : @\"x\"\"}\"; }";
    let raw = format!(
        "<policies><inbound><set-variable value=\"@(a < b ? \"x\" : \"y)\")\" name=\"v\" /><set-body>{code}</set-body>\
         <send-request><set-url>https://audit.example/v1</set-url></send-request>\
         <send-request><set-url>@($\"https://{{host}}/x\")</set-url></send-request></inbound></policies>"
    );
    let escaped = "<!-- x -->\r\n<policies><inbound><set-body>@{ return a &lt; b; }</set-body><send-one-way-request><set-url>https://audit.example\
                   </set-url></send-one-way-request></inbound></policies>";
    for text in [raw.as_str(), escaped] {
        let document = json!({ "id": format!("{ID}/policies/policy"), "properties": { "value": text } });
        let (plan, notices) = planned(&document.to_string());
        assert_eq!(
            instance_endpoints(&plan)
                .iter()
                .map(|it| it.id.as_str())
                .collect::<Vec<_>>(),
            ["policy-targets/audit.example:443"],
            "{notices:?}"
        );
    }
    let broken = json!({ "id": format!("{ID}/apis/a/policies/policy"), "properties": { "value": "<policies><inbound></policies>" } });
    let (_, notices) = planned(&broken.to_string());
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("the policies of API a are not XML")),
        "{notices:?}"
    );
}

proptest! {
    #[test]
    fn any_text_does_not_panic(text: String) {
        let _ = Instance::read(&text, "x");
    }

    #[test]
    fn any_policy_and_any_url_do_not_panic(xml in "[<>@(){}\"'a-z/= &;-]{0,200}", url: String) {
        let document = json!({ "policies": [ { "name": "policy", "properties": { "value": xml } } ], "backends": [ { "name": "b", "properties": { "url": url } } ] });
        let loaded = Instance::read(&document.to_string(), "x").unwrap();
        let imports = Imports::default().of(loaded.instance);
        let _ = imports.join(Catalog::builtin(), &Values::default(), Cloud::Public, None);
    }
}
