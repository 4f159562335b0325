//! What `explain` has to say.

use std::collections::BTreeMap;

use apim_probe::{
    azure::Cloud,
    catalog::{self, File, model::Catalog},
    explain::explain,
    model::Cause,
};
use unicode_width::UnicodeWidthStr;

fn page(word: &str) -> String {
    explain(word, &Catalog::builtin(), Cloud::Public).unwrap()
}

#[test]
fn every_word_has_a_page_of_80_columns() {
    let catalog = Catalog::builtin();
    let ids = catalog.dependencies.iter().map(|dependency| dependency.id.as_str());
    for word in ids.chain(Cause::ALL.iter().map(|cause| cause.as_str())) {
        for cloud in Cloud::ALL {
            let page = explain(word, &catalog, cloud).unwrap();
            for line in page.lines() {
                assert!(line.width() <= 80, "{word}: {line}");
                assert_eq!(line, line.trim_end(), "{word}");
            }
            assert!(page.lines().count() >= 8, "{word} is hardly explained:\n{page}");
        }
    }
}

#[test]
fn what_only_comes_in_is_not_to_be_probed_from_here() {
    assert!(page("sql").contains("apim-probe run --only sql"));
    let inbound = page("load-balancer");
    assert!(!inbound.contains("apim-probe run"), "{inbound}");
    assert!(
        inbound.contains("apim-probe rules --kind nsg --only load-balancer"),
        "{inbound}"
    );
}

#[test]
fn no_two_causes_share_their_signature() {
    let mut seen = BTreeMap::new();
    for cause in Cause::ALL {
        let other = seen.insert(cause.wire(), cause);
        assert_eq!(other, None, "{cause}");
        assert!(page(cause.as_str()).contains("ON THE WIRE\n"), "{cause}");
    }
}

#[test]
fn a_dependency_is_told_from_the_catalog() {
    let sql = page("SQL");
    for part in [
        "Azure SQL (sql)",
        "every instance: required",
        "Service tag  Sql",
        "{sql_server}.database.windows.net, TCP 1433 tds",
        "--set sql_server",
        "virtual-network-reference\n  section #required-ports",
        "2026-04-30",
    ] {
        assert!(sql.contains(part), "no {part} in\n{sql}");
    }
    assert!(page("management-endpoint").contains("inbound from ApiManagement, TCP 3443"));
    assert!(page("rate-limit-sync").contains("between the instance's machines, UDP 4290"));
    assert!(page("kms").contains("20.118.99.224"));
    let gov = explain("sql", &Catalog::builtin(), Cloud::Usgov).unwrap();
    assert!(gov.contains("{sql_server}.database.usgovcloudapi.net"), "{gov}");
    // Not in this cloud: said, not left out.
    assert!(
        explain("credential-manager", &Catalog::builtin(), Cloud::China)
            .unwrap()
            .contains("  none")
    );
}

#[test]
fn a_catalog_of_the_users_own_is_explained_too() {
    let overlay = File {
        name: "mine.yaml".into(),
        bytes: b"dependencies:\n  - { id: mine, title: Mine, need: required, impact: Much., endpoints: [{ host: a.example.org, port: 443, protocol: https, note: Ask the owner. }] }\n".to_vec(),
    };
    let catalog = catalog::load(true, &[overlay]).unwrap();
    let page = explain("mine", &catalog, Cloud::Public).unwrap();
    assert!(
        page.contains("a.example.org, TCP 443 https\n    Ask the owner."),
        "{page}"
    );
}

#[test]
fn an_unknown_word_suggests_the_nearest() {
    let said = |word: &str| explain(word, &Catalog::builtin(), Cloud::Public).unwrap_err();
    for (word, nearest) in [
        ("keyvault", "did you mean key-vault?"),
        ("tcp-timout", "did you mean tcp-timeout"),
        ("AzureKeyVault", "key-vault"),
        ("entra", "entra-id"),
    ] {
        assert!(said(word).contains(nearest), "{word}: {}", said(word));
    }
    assert!(said("xyzzy").contains("the dependencies are dns, storage, sql"));
    assert!(!said("\u{1b}[31m").contains('\u{1b}'));
}
