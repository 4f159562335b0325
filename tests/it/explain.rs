//! The pages of `explain`.

use std::collections::BTreeMap;

use apim_probe::{
    azure::Cloud,
    catalog::{self, CatalogFile, model::Catalog},
    explain::{explain, list, words},
    model::{Cause, Tier},
};
use unicode_width::UnicodeWidthStr;

fn page(word: &str) -> String {
    explain(word, &Catalog::builtin(), Cloud::Public).unwrap()
}

#[test]
fn every_word_has_a_page_within_80_columns() {
    let catalog = Catalog::builtin();
    for word in words(&catalog) {
        for cloud in Cloud::ALL {
            let page = explain(word, &catalog, cloud).unwrap();
            for line in page.lines() {
                // A URL in two parts could not be opened.
                let is_url = line.trim_start().starts_with("https://") && !line.trim().contains(' ');
                assert!(is_url || line.width() <= 80, "{word}: {line}");
                assert_eq!(line, line.trim_end(), "{word}");
            }
            assert!(page.lines().count() >= 8, "{word} is hardly explained:\n{page}");
        }
    }
}

#[test]
fn inbound_dependency_page_suggests_rules_instead_of_run() {
    assert!(page("sql").contains("apim-probe run --only sql"));
    let inbound = page("load-balancer");
    assert!(!inbound.contains("apim-probe run"), "{inbound}");
    assert!(
        inbound.contains("apim-probe rules --kind nsg --only load-balancer"),
        "{inbound}"
    );
}

#[test]
fn every_cause_has_a_distinct_wire_signature() {
    let mut seen = BTreeMap::new();
    for cause in Cause::ALL {
        let other = seen.insert(cause.wire(), cause);
        assert_eq!(other, None, "{cause}");
        assert!(page(cause.as_str()).contains("ON THE WIRE\n"), "{cause}");
    }
}

#[test]
fn dependency_page_shows_the_catalog_entry() {
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
    // A host that is not in this cloud is reported, not omitted.
    assert!(
        explain("credential-manager", &Catalog::builtin(), Cloud::China)
            .unwrap()
            .contains("  none")
    );
}

#[test]
fn overlay_dependency_has_a_page() {
    let overlay = CatalogFile {
        name: "mine.yaml".into(),
        bytes: b"dependencies:\n  - { id: mine, title: Mine, need: required, impact: Much., endpoints: [{ host: a.example.org, port: 443, protocol: https, note: Ask the owner. }] }\n".to_vec(),
    };
    let catalog = catalog::load(Tier::Classic, true, &[overlay]).unwrap();
    let page = explain("mine", &catalog, Cloud::Public).unwrap();
    assert!(
        page.contains("a.example.org, TCP 443 https\n    Ask the owner."),
        "{page}"
    );
}

#[test]
fn unknown_word_suggests_the_nearest() {
    let message = |word: &str| explain(word, &Catalog::builtin(), Cloud::Public).unwrap_err();
    for (word, nearest) in [
        ("keyvault", "did you mean key-vault?"),
        ("tcp-timout", "did you mean tcp-timeout"),
        ("AzureKeyVault", "key-vault"),
        ("entra", "entra-id"),
        ("slq", "did you mean sql"),
        ("resdis", "did you mean redis"),
    ] {
        assert!(message(word).contains(nearest), "{word}: {}", message(word));
    }
    assert!(message("name-filtr").contains("did you mean name-filter"));
    assert!(message("xyzzy").contains("`apim-probe explain` lists them all"));
    assert!(message("nobody.example.org").starts_with("no dependency in the catalog needs `nobody.example.org`"));
    assert!(!message("\u{1b}[31m").contains('\u{1b}'));
}

#[test]
fn url_stays_in_one_part() {
    for word in words(&Catalog::builtin()) {
        for line in page(word).lines().filter(|line| line.contains("https://")) {
            let url = line.trim();
            assert!(
                url.starts_with("https://") && !url.ends_with(['-', '/', '.']),
                "{word}: {url}"
            );
        }
    }
    assert!(page("silence").contains("/virtual-network/diagnose-network-traffic-filter-problem\n"));
}

#[test]
fn host_page_has_the_need_of_each_port() {
    let host = page("crl3.digicert.com");
    assert!(host.contains("TCP 80 http\n"), "{host}");
    assert!(host.contains("TCP 443 tls (documented)\n"), "{host}");
    assert!(page("168.63.129.16").contains("DNS (dns)"));
}

#[test]
fn finding_kind_and_finding_id_have_a_page() {
    let kind = page("Name-Filter");
    for part in [
        "name-filter\n",
        "HOW IT IS RECOGNISED",
        "WHAT ELSE LOOKS LIKE IT",
        "READ MORE\n  https://learn",
    ] {
        assert!(kind.contains(part), "no {part} in\n{kind}");
    }
    let finding = page("silence/tcp-1433");
    assert!(finding.starts_with("silence\n"), "{finding}");
    assert!(finding.contains("In this id   tcp-1433"), "{finding}");
}

#[test]
fn host_page_lists_the_dependencies_that_need_it() {
    for (asked, parts) in [
        (
            "login.microsoftonline.com",
            &["Microsoft Entra ID (entra-id)", "TCP 443 https"][..],
        ),
        (
            "apirpsql7.database.windows.net:1433",
            &["Azure SQL (sql)", "TCP 1433 tds"],
        ),
        ("sql/apirpsql7.database.windows.net:1433", &["Azure SQL (sql)"]),
        (
            "V10.events.data.microsoft.com.",
            &["v10.events.data.microsoft.com in the public cloud"],
        ),
    ] {
        let page = page(asked);
        for part in parts {
            assert!(page.contains(part), "{asked}: no {part} in\n{page}");
        }
    }
    let elsewhere = explain("apirpsql7.database.windows.net", &Catalog::builtin(), Cloud::China);
    assert!(elsewhere.is_err(), "{elsewhere:?}");
    assert!(
        explain(
            "apirpsql7.database.windows.net:1434",
            &Catalog::builtin(),
            Cloud::Public
        )
        .is_err()
    );
}

#[test]
fn list_contains_every_word_within_80_columns() {
    let page = list(&Catalog::builtin());
    assert!(
        ["key-vault", "tls-untrusted", "name-filter", "premium-v2", "only-here"]
            .iter()
            .all(|word| words(&Catalog::builtin()).any(|known| known == *word))
    );
    for word in words(&Catalog::builtin()) {
        assert!(
            page.lines()
                .any(|line| line.trim_start().starts_with(&format!("{word} "))),
            "{word}"
        );
    }
    assert!(page.lines().all(|line| line.width() <= 80 && line == line.trim_end()));
}

#[test]
fn list_separates_each_word_from_its_meaning() {
    let page = list(&Catalog::builtin());
    for word in page
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
    {
        let known = word.is_empty() || explain(word, &Catalog::builtin(), Cloud::Public).is_ok();
        assert!(known, "{word} is no word:\n{page}");
    }
}
