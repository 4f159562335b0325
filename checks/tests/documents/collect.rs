//! `scripts/collect.sh` with a fake Azure CLI: what it requests, what its file contains, and what it
//! reports as missing. For PowerShell's script, only the syntax and the lists are checked.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Output},
};

use apim_probe::{
    azure::Cloud,
    catalog::Catalog,
    import::{
        Imports,
        instance::{Instance, InstancePart},
    },
    plan::{Plan, PlanScope, Selection, Values},
};
use serde_json::{Map, Value, json};

const ID: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";
const ENDPOINT: &str = "https://management.azure.com";
/// Every document of an instance, with a secret at every possible place.
const BUNDLE: &str = include_str!("../../../tests/data/instances/secrets.json");
const SH: &str = include_str!("../../../scripts/collect.sh");
const PS1: &str = include_str!("../../../scripts/collect.ps1");

/// Azure's replies, by URL.
type Answers = Map<String, Value>;

/// The instance of [`BUNDLE`] at the endpoint; policies are requested as XML.
fn complete_answers() -> Answers {
    let bundle: Answers = serde_json::from_str(BUNDLE).unwrap();
    let mut answers: Answers = bundle
        .into_iter()
        .map(|(list, answer)| match list.as_str() {
            "service" => (url(""), answer),
            "policies" => (url("/policies") + "&format=xml", json!({ "value": answer })),
            _ => (
                url(&format!("/{list}")),
                json!({ "value": answer, "count": 1, "nextLink": "" }),
            ),
        })
        .collect();
    answers.insert(url("/networkstatus"), json!([]));
    answers.insert(url("/outboundNetworkDependenciesEndpoints"), json!({ "value": [] }));
    answers
}

fn url(below: &str) -> String {
    format!("{ENDPOINT}{ID}{below}?api-version=2024-05-01")
}

/// The script's output, and its requests.
struct Collected {
    output: Output,
    calls: Vec<String>,
}

impl Collected {
    fn file(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The endpoints that are planned with the file, and the notices about it.
    fn planned(&self) -> (BTreeSet<String>, String) {
        assert!(self.output.status.success(), "{}", self.stderr());
        planned(&self.file())
    }
}

fn planned(bundle: &str) -> (BTreeSet<String>, String) {
    let loaded = Instance::read(bundle, "instance.json").unwrap();
    let imports = Imports::gather(loaded.documents).of(loaded.instance);
    let (catalog, region) = (Catalog::builtin(), Some("westeurope".to_owned()));
    let joined = imports
        .join(catalog, &Values::default(), Cloud::Public, region.as_deref())
        .unwrap();
    let scope = PlanScope {
        cloud: Cloud::Public,
        region,
        vnet: None,
        name_servers: vec![],
    };
    let plan = Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()).unwrap();
    let ids = plan.endpoints.into_iter().map(|endpoint| endpoint.id);
    (ids.collect(), joined.notices.join("\n"))
}

fn collect(answers: &Answers) -> Collected {
    run(answers, &[ID])
}

fn run(answers: &Answers, arguments: &[&str]) -> Collected {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(env!("CARGO_BIN_EXE_fake-az"), at("az")).unwrap();
    // Replaces `sleep`, so that the script does not wait until throttling ends.
    fs::write(at("sleep"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("sleep"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("answers"), Value::Object(answers.clone()).to_string()).unwrap();
    let output = Command::new("bash")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/collect.sh"))
        .args(arguments)
        .env(
            "PATH",
            format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap()),
        )
        .env("AZ_ANSWERS", at("answers"))
        .env("AZ_CALLS", at("calls"))
        .output()
        .unwrap();
    let calls = fs::read_to_string(at("calls")).unwrap_or_default();
    Collected {
        output,
        calls: calls.lines().map(str::to_owned).collect(),
    }
}

#[test]
fn collected_file_gives_the_same_plan_as_azure() {
    let collected = collect(&complete_answers());
    let (ids, notices) = collected.planned();
    assert_eq!(ids, planned(BUNDLE).0);
    assert!(
        ids.contains("backends/orders.example:8443") && ids.contains("identity-providers/grant.example:443"),
        "{ids:?}"
    );
    assert!(!notices.contains("does not have"), "{notices}");
    // Every list of the instance is requested once, and the policies of each current API.
    for part in InstancePart::ALL {
        let format = if part == InstancePart::Policies {
            "&format=xml"
        } else {
            ""
        };
        let below = if part.path().is_empty() {
            String::new()
        } else {
            format!("/{}", part.path())
        };
        let asked = collected
            .calls
            .iter()
            .filter(|call| **call == url(&below) + format)
            .count();
        assert_eq!(asked, 1, "{}", part.key());
    }
    for api in ["shop", "odd"] {
        assert!(
            collected
                .calls
                .contains(&(url(&format!("/apis/{api}/policies")) + "&format=xml"))
        );
    }
}

#[test]
fn collected_file_contains_no_credentials() {
    let file = collect(&complete_answers()).file();
    assert!(file.contains("orders.example"), "{file}");
    for kind in [
        "pfx",
        "key",
        "auth",
        "certificate",
        "client",
        "secret",
        "owner",
        "scope",
        "tag",
        "custom",
        "subject",
        "description",
    ] {
        assert!(
            !file.contains(&format!("hunter2-{kind}")),
            "hunter2-{kind} is in the file:\n{file}"
        );
    }
}

#[test]
fn every_page_of_a_list_is_collected() {
    let mut answers = complete_answers();
    let backend = |name: &str| json!({ "id": format!("{ID}/backends/{name}"), "name": name, "properties": { "url": format!("https://{name}.example") } });
    let next = format!("https://management.azure.com:443{ID}/backends?api-version=2024-05-01&%24skip=100");
    answers.insert(url("/backends"), json!({ "value": [backend("one")], "nextLink": next }));
    answers.insert(next, json!({ "value": [backend("two")], "nextLink": "" }));
    let (ids, notices) = collect(&answers).planned();
    assert!(
        ids.contains("backends/one.example:443") && ids.contains("backends/two.example:443"),
        "{ids:?}"
    );
    assert!(!notices.contains("does not have"), "{notices}");
}

#[test]
fn refused_lists_are_reported_and_the_rest_is_collected() {
    let mut answers = complete_answers();
    answers.insert(url("/backends"), "AuthorizationFailed".into());
    answers.insert(url("/networkstatus"), "Forbidden".into());
    answers.remove(&url("/gateways"));
    let collected = collect(&answers);
    let (ids, notices) = collected.planned();
    assert!(
        ids.contains("backends/shop.example:443") && !ids.contains("backends/orders.example:8443"),
        "{ids:?}"
    );
    assert!(
        notices.contains("does not have its backends: AuthorizationFailed"),
        "{notices}"
    );
    assert!(notices.contains("Forbidden"), "{notices}");
    // Azure has no such list: nothing is missing.
    assert!(!notices.contains("gateways"), "{notices}");
    let stderr = collected.stderr();
    assert!(
        stderr.contains("not collected") && stderr.contains("/backends?") && !stderr.contains("/gateways?"),
        "{stderr}"
    );
}

#[test]
fn endless_or_circular_pages_are_stopped() {
    let (first, second) = (url("/backends"), url("/backends") + "&%24skip=1");
    let page = |next: &str| json!({ "value": [], "nextLink": next });
    let mut circle = complete_answers();
    circle.insert(first.clone(), page(&second));
    circle.insert(second.clone(), page(&first));
    let mut itself = complete_answers();
    itself.insert(first.clone(), page(&second));
    itself.insert(second.clone(), page(&second));
    let mut endless = complete_answers();
    let nth = |n: usize| format!("{first}&%24skip={n}");
    endless.insert(first.clone(), page(&nth(1)));
    endless.extend((1..200).map(|n| (nth(n), page(&nth(n + 1)))));
    for (answers, most) in [(circle, 3), (itself, 2), (endless, 100)] {
        let collected = collect(&answers);
        let notices = collected.planned().1;
        assert!(
            notices.contains("does not have its backends: PagesWithoutEnd"),
            "{notices}"
        );
        let asked = collected
            .calls
            .iter()
            .filter(|call| call.contains("/backends?"))
            .count();
        assert!(asked <= most, "{asked} pages");
    }
}

#[test]
fn next_links_to_other_hosts_are_not_followed() {
    for elsewhere in [
        format!("https://evil.example{ID}/backends?api-version=2024-05-01"),
        format!("https://management.azure.com.evil.example{ID}/backends"),
        format!("https://management.azure.com@evil.example{ID}/backends"),
        format!("http://management.azure.com{ID}/backends"),
    ] {
        let mut answers = complete_answers();
        answers.insert(url("/backends"), json!({ "value": [], "nextLink": elsewhere }));
        let collected = collect(&answers);
        let notices = collected.planned().1;
        assert!(
            notices.contains("does not have its backends: NextPageElsewhere"),
            "{notices}"
        );
        assert!(collected.stderr().contains(&elsewhere), "{}", collected.stderr());
        assert!(!collected.calls.contains(&elsewhere));
    }
}

#[test]
fn unreadable_instance_gives_no_file() {
    for code in [
        "AuthorizationFailed",
        "ResourceNotFound",
        "ExpiredAuthenticationToken",
        "TooManyRequests",
    ] {
        let mut answers = complete_answers();
        answers.insert(url(""), code.into());
        let collected = collect(&answers);
        assert_eq!(
            (collected.output.status.code(), collected.file().as_str()),
            (Some(1), ""),
            "{code}"
        );
        assert!(
            collected.stderr().contains("the instance itself cannot be read"),
            "{}",
            collected.stderr()
        );
        let tries = if code == "TooManyRequests" { 4 } else { 1 };
        assert_eq!(collected.calls.len(), tries, "{code}");
    }
}

#[test]
fn invalid_resource_id_is_refused_without_calling_az() {
    let dots = format!("{}/..", ID.trim_end_matches("/contoso"));
    let query = format!("{ID}?x=y");
    let foreign = ID.replace("Microsoft.ApiManagement/service", "Microsoft.Web/sites");
    for arguments in [&[][..], &["contoso"], &[&dots], &[&query], &[&foreign], &[ID, ID]] {
        let collected = run(&complete_answers(), arguments);
        assert_eq!(collected.output.status.code(), Some(2), "{arguments:?}");
        assert!(collected.stderr().contains("usage: scripts/collect.sh RESOURCE_ID") && collected.calls.is_empty());
    }
    for same in [ID.to_uppercase(), format!("{ID}/")] {
        assert_ne!(
            run(&complete_answers(), &[&same]).output.status.code(),
            Some(2),
            "{same}"
        );
    }
}

/// It is not run here: only its syntax and its lists can be checked.
#[test]
fn powershell_script_parses_and_collects_the_same_lists() {
    let mut parser = tree_sitter::Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).unwrap();
    let tree = parser.parse(PS1, None).unwrap();
    assert!(!tree.root_node().has_error(), "{}", tree.root_node().to_sexp());
    for part in InstancePart::ALL {
        let key = part.key();
        assert!(
            PS1.contains(&format!("{key} = ")) || PS1.contains(&format!("['{key}']")),
            "collect.ps1 lacks {key}"
        );
        assert!(
            SH.contains(&format!("list {key} ")) || SH.contains(&format!("\"{key}\":")),
            "collect.sh lacks {key}"
        );
    }
}
