//! The catalog compared with today's page and with changed ones.

use std::collections::BTreeSet;

use apim_probe::{
    azure::Cloud,
    catalog::Catalog,
    drift::{Drift, PageReading, PageRow},
    model::{Direction, Transport},
};
use proptest::prelude::*;

/// A page with the documentation's structure, in our own words.
const PAGE: &str = include_str!("../data/drift/page.md");

fn drift(page: &str) -> Drift {
    Drift::between(&Catalog::builtin(), PageReading::of(page, "page.md").unwrap())
}

/// The differences from today's page; the replaced text must exist.
fn drift_after(changes: &[(&str, &str)]) -> Drift {
    let mut page = PAGE.to_owned();
    for (from, to) in changes {
        assert!(page.contains(from), "{from}");
        page = page.replacen(from, to, 1);
    }
    drift(&page)
}

fn hosts(rows: &[PageRow]) -> Vec<&str> {
    rows.iter().filter_map(|row| row.host.as_deref()).collect()
}

/// The row of the page's table with this beginning.
fn table_row(tag: &str) -> &'static str {
    PAGE.split_inclusive('\n')
        .find(|line| line.contains(tag) && line.starts_with("| "))
        .unwrap()
}

#[test]
fn current_page_shows_no_drift() {
    let drift = drift(PAGE);
    assert_eq!(
        drift.page.title.as_deref(),
        Some("Virtual network configuration reference: API Management")
    );
    assert_eq!(drift.page.documented.as_deref(), Some("2026-04-30"));
    assert_eq!((&drift.added[..], &drift.dropped[..]), (&[][..], &[][..]));
    assert_eq!((drift.changed.len(), &drift.unread[..]), (0, &[][..]));
    assert_eq!(drift.status().code, 0);
}

#[test]
fn removed_host_is_reported_as_dropped() {
    let catalog = Catalog::builtin();
    let reading = PageReading::of(PAGE, "page.md").unwrap();
    let all: BTreeSet<&str> = hosts(&reading.rows).into_iter().collect();
    assert!(all.len() >= 40, "{all:?}");
    for host in all {
        let mut without = reading.clone();
        without.rows.retain(|row| row.host.as_deref() != Some(host));
        let drift = Drift::between(&catalog, without);
        let dropped: BTreeSet<&str> = hosts(&drift.dropped).into_iter().collect();
        assert_eq!(dropped, BTreeSet::from([host]), "{drift:#?}");
        assert!(drift.added.is_empty() && drift.changed.is_empty(), "{drift:#?}");
    }
}

#[test]
fn removed_table_row_is_reported_as_dropped() {
    let rows: Vec<&str> = PAGE
        .split_inclusive('\n')
        .filter(|line| line.contains(" Allow | "))
        .collect();
    assert!(rows.len() >= 12, "{rows:#?}");
    for row in rows {
        let drift = drift_after(&[(row, "")]);
        assert!(!drift.dropped.is_empty(), "{row}");
        assert!(
            drift.added.is_empty() && drift.changed.is_empty() && drift.unread.is_empty(),
            "{row}: {drift:#?}"
        );
        assert!(drift.dropped.iter().all(|it| it.host.is_none()), "{row}");
    }
}

#[test]
fn added_changed_and_dropped_rows_are_distinguished() {
    let drift = drift_after(&[
        (
            "<li>global.prod.microsoftmetrics.com</li>",
            "<li>global.prod.microsoftmetrics.com</li><li>edge.handler.example.azure.com</li>",
        ),
        ("| Sql | 1433 |", "| Sql | 1434 |"),
        (table_row("| EventHub |"), ""),
        ("ms.date: 04/30/2026", "ms.date: 11/02/2026"),
    ]);
    assert_eq!(drift.page.documented.as_deref(), Some("2026-11-02"));
    let [added] = &drift.added[..] else {
        panic!("{drift:#?}")
    };
    assert_eq!(added.host.as_deref(), Some("edge.handler.example.azure.com"));
    assert_eq!(
        (added.cloud, added.tag.as_deref(), added.port),
        (Some(Cloud::Public), Some("AzureMonitor"), None)
    );
    let [changed] = &drift.changed[..] else {
        panic!("{drift:#?}")
    };
    assert_eq!((changed.before.port, changed.after.port), (Some(1433), Some(1434)));
    assert_eq!(changed.after.tag.as_deref(), Some("Sql"));
    let ports: Vec<_> = drift.dropped.iter().map(|row| (row.tag.as_deref(), row.port)).collect();
    assert_eq!(
        ports,
        [
            (Some("EventHub"), Some(5671)),
            (Some("EventHub"), Some(5672)),
            (Some("EventHub"), Some(443))
        ]
    );
    assert!(drift.unread.is_empty(), "{:?}", drift.unread);
    assert_eq!(drift.status().code, 1);
}

#[test]
fn new_host_is_found_in_any_markdown_element() {
    let host = "new.edge.example.com";
    for (what, from, to) in [
        (
            "a sentence",
            "Outbound access on port `53` is needed.",
            "Outbound access on port `53` is needed, and `new.edge.example.com` on port 443.",
        ),
        (
            "a list",
            "* Allow outbound UDP access",
            "* Allow outbound access on ports `8080` to `new.edge.example.com`.\n* Allow outbound UDP access",
        ),
        (
            "a list below a sentence",
            "* Allow outbound UDP access",
            "* Allow outbound access on port 8443 to:\n  * new.edge.example.com\n* Allow outbound UDP access",
        ),
        (
            "without marks",
            "Prefer the **ApiManagement** tag.",
            "Allow outbound access on port 443 to new.edge.example.com.",
        ),
        (
            "with its port",
            "Prefer the **ApiManagement** tag.",
            "Allow outbound access to `new.edge.example.com:8443`.",
        ),
        (
            "a quote",
            "> It is about the classic tiers alone.",
            "> It is about `new.edge.example.com`.",
        ),
        ("a purpose", "**SQL**", "**SQL** at `new.edge.example.com`"),
        (
            "a link's text",
            "See [the overview](concepts.md).",
            "See [new.edge.example.com](concepts.md).",
        ),
        (
            "a code block",
            "Prefer the **ApiManagement** tag.",
            "```\nnew.edge.example.com\n```",
        ),
        (
            "small letters or not",
            "Prefer the **ApiManagement** tag.",
            "Allow `new.EDGE.example.com` on port 443.",
        ),
    ] {
        let drift = drift_after(&[(from, to)]);
        assert_eq!(hosts(&drift.added), [host], "{what}: {drift:#?}");
        assert!(
            drift.dropped.is_empty() && drift.changed.is_empty(),
            "{what}: {drift:#?}"
        );
    }
    let below = drift_after(&[(
        "* Allow outbound UDP access",
        "* Allow outbound access on port 8443 to:\n  * new.edge.example.com\n* Allow outbound UDP access",
    )]);
    assert_eq!(
        (below.added[0].port, below.added[0].direction),
        (Some(8443), Some(Direction::Outbound))
    );
}

#[test]
fn new_rules_and_changed_ports_are_reported() {
    let more = drift_after(&[("| 1886, 443 |", "| 1886, 443, 12000 |")]);
    // The catalog has port 12000 of Azure Monitor, however the page describes it.
    assert!(more.added.is_empty(), "{more:#?}");
    let more = drift_after(&[("| Storage | 443 |", "| Storage | 443, 445-447 |")]);
    let ports: Vec<_> = more.added.iter().map(|row| row.port.unwrap()).collect();
    assert_eq!(ports, [446, 447]);
    let rule = "| Outbound | VirtualNetwork | * | ServiceBus | 5671 | TCP/UDP | Allow | New | External |\n";
    let new = drift_after(&[(table_row("| Sql |"), &format!("{}{rule}", table_row("| Sql |")))]);
    let added: Vec<_> = new
        .added
        .iter()
        .map(|row| (row.tag.as_deref().unwrap(), row.transport.unwrap()))
        .collect();
    assert_eq!(added, [("ServiceBus", Transport::Tcp), ("ServiceBus", Transport::Udp)]);
    let moved = drift_after(&[(
        "on port `443` to the following endpoint for internal PKI",
        "on port `8443` to the following endpoint for internal PKI",
    )]);
    let [change] = &moved.changed[..] else {
        panic!("{moved:#?}")
    };
    assert_eq!(change.after.host.as_deref(), Some("issuer.pki.azure.com"));
    assert_eq!((change.before.port, change.after.port), (Some(443), Some(8443)));
    let other = drift_after(&[(" 4290 | UDP |", " 4290 | TCP |")]);
    let [change] = &other.changed[..] else {
        panic!("{other:#?}")
    };
    assert_eq!(change.after.transport, Some(Transport::Tcp));
    // A host that was removed in one cloud only.
    let gone = drift_after(&[("<li>prod5.prod.microsoftmetrics.com</li>", "")]);
    assert!(
        gone.dropped.iter().all(|row| row.cloud == Some(Cloud::Usgov)),
        "{gone:#?}"
    );
    assert_eq!(hosts(&gone.dropped), ["prod5.prod.microsoftmetrics.com"; 2]);
}

#[test]
fn unreadable_content_is_reported_with_its_line() {
    for (what, from, to, message) in [
        (
            "a direction",
            "| Outbound | VirtualNetwork | * | Sql |",
            "| Sideways | VirtualNetwork | * | Sql |",
            "Sideways",
        ),
        ("ports in words", "| Sql | 1433 |", "| Sql | the usual |", "the usual"),
        ("a protocol", "| Sql | 1433 | TCP |", "| Sql | 1433 | ICMP |", "ICMP"),
        (
            "a denial",
            "| Sql | 1433 | TCP | Allow |",
            "| Sql | 1433 | TCP | Deny |",
            "Deny",
        ),
        ("a cloud", "| Azure Government  |", "| Azure Bleu  |", "Azure Bleu"),
        (
            "an included file",
            "## DNS access\n",
            "## DNS access\n\n[!INCLUDE [more-ports](../more.md)]\n",
            "more-ports",
        ),
        (
            "HTML",
            "Prefer the **ApiManagement** tag.",
            "<div>\nnew.edge.example.com\n</div>",
            "new.edge.example.com",
        ),
        (
            "a link",
            "Prefer the **ApiManagement** tag.",
            "Allow <https://new.edge.example.com/>.",
            "https://new.edge.example.com/",
        ),
        (
            "a number",
            "Prefer the **ApiManagement** tag.",
            "Allow outbound traffic by way of 8443.",
            "8443",
        ),
        (
            "a section",
            "## Control plane",
            "## Kubernetes\n\nAll of it.\n\n## Control plane",
            "#kubernetes",
        ),
        (
            "a section that is gone",
            "## KMS endpoint",
            "## Windows",
            "#kms-endpoint",
        ),
    ] {
        let drift = drift_after(&[(from, to)]);
        assert!(
            drift.unread.iter().any(|line| line.contains(message)),
            "{what}: {drift:#?}"
        );
        assert_eq!(drift.status().code, 1, "{what}");
    }
    let drift = drift_after(&[("| Sql | 1433 | TCP |", "| Sql | 1433 | ICMP |")]);
    let line = PAGE.lines().position(|line| line.contains("| Sql |")).unwrap() + 1;
    assert!(
        drift.unread[0].starts_with(&format!("line {line}: ")),
        "{:?}",
        drift.unread
    );
}

#[test]
fn other_pages_and_unknown_headings_are_refused() {
    let refused = |page: &str| PageReading::of(page, "page.md").unwrap_err();
    for (page, message) in [
        ("", "contains no table of required ports"),
        ("# Hello\n\nNothing here.\n", "contains no table of required ports"),
        ("<!DOCTYPE html><html></html>", "is HTML"),
        ("{}", "page.md"),
    ] {
        assert!(refused(page).contains(message), "{page}: {}", refused(page));
    }
    let strange = PAGE.replace("Destination port ranges", "Way out");
    let line = PAGE.lines().position(|line| line.starts_with("| Direction")).unwrap() + 1;
    let message = refused(&strange);
    assert!(
        message.contains(&format!("line {line} ")) && message.contains("\"Way out\""),
        "{message}"
    );
    let another = format!("{PAGE}\n| Region | Address |\n|---|---|\n| westus | 192.0.2.1 |\n");
    assert!(refused(&another).contains("\"Region\""), "{}", refused(&another));
}

#[test]
fn line_endings_bom_and_markdown_variants_show_no_drift() {
    for page in [
        PAGE.replace('\n', "\r\n"),
        format!("\u{feff}{PAGE}"),
        PAGE.replace("ms.date: 04/30/2026", "ms.date: 2026-04-30T00:00:00Z"),
        PAGE.replace("* Allow", "- Allow"),
        PAGE.replace("<region>", "{region}"),
        PAGE.replace(" & ", " and "),
    ] {
        let drift = drift(&page);
        assert_eq!(drift.status().code, 0, "{drift:#?}");
        assert_eq!(drift.page.documented.as_deref(), Some("2026-04-30"));
    }
}

#[test]
fn instance_dependency_list_reports_no_dropped_rows() {
    let page = r#"{"value": [
        {"category": "Azure Storage", "endpoints": [{"domainName": "apimst1.blob.core.windows.net", "endpointDetails": [{"port": 443}]}]},
        {"category": "Azure SQL", "endpoints": [{"domainName": "apimsql1.database.windows.net", "endpointDetails": [{"port": 1435}]}]},
        {"category": "Other", "endpoints": [{"domainName": "new.edge.example.com", "endpointDetails": [{"port": 443}]}]}
    ]}"#;
    let drift = drift(page);
    assert_eq!(hosts(&drift.added), ["new.edge.example.com"], "{drift:#?}");
    let [change] = &drift.changed[..] else {
        panic!("{drift:#?}")
    };
    assert_eq!(change.before.host.as_deref(), Some("{sql_server}.database.windows.net"));
    assert_eq!((change.before.port, change.after.port), (Some(1433), Some(1435)));
    assert!(drift.dropped.is_empty(), "{drift:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_does_not_panic(text in "(?s).{0,400}") {
        let _ = PageReading::of(&text, "page.md").map(|reading| Drift::between(&Catalog::builtin(), reading));
    }

    #[test]
    fn mutated_page_does_not_panic(from in 0..PAGE.len(), length in 0..400_usize, patch in "[|<>`*#\\[\\]\n0-9a-z .{}-]{0,40}") {
        let mut bytes = PAGE.as_bytes().to_vec();
        bytes.splice(from..(from + length).min(PAGE.len()), patch.into_bytes());
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(reading) = PageReading::of(&text, "page.md") {
            let lines = text.lines().count();
            prop_assert!(reading.rows.iter().all(|row| row.line.is_some_and(|line| line >= 1 && line <= lines + 1)));
        }
    }
}
