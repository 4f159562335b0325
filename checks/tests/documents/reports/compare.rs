//! The same endpoints from several places, and the conclusions.

use apim_probe::{
    azure::Cloud,
    compare::{Comparison, Conclusion, DifferenceKind, Incomparable, NamedReport, html, markdown, text},
    model::{Cause, EndpointReport, ExitStatus, Need, Protocol, Report, Standing, Suspect},
    report::{Detail, Options},
    schema::Document,
};
use apim_probe_checks::validate;

use super::{
    samples::{self, WithVerdict as _},
    snapshot,
};

/// A report of one place: its name, its subnet, and the results for SQL, Key Vault and Event Hubs.
fn report_from(name: &str, subnet: u8, seen: [&str; 3]) -> NamedReport {
    let of = |endpoint: EndpointReport, seen: &str| match seen {
        "ok" => endpoint,
        "-" => endpoint.untested(Cause::NeedsValue, "A value is missing."),
        "?" => endpoint.with_verdict(apim_probe::model::Verdict::Unproven, None, "Something answers."),
        cause => endpoint.blocked(cause.parse().unwrap(), "Blocked."),
    };
    let [sql, vault, hubs] = seen;
    let endpoints = vec![
        of(samples::SQL.at("s.database.windows.net", 1433, Protocol::Tds), sql),
        of(samples::KEY_VAULT.at("v.vault.azure.net", 443, Protocol::Https), vault),
        of(
            samples::EVENT_HUBS.at("e.servicebus.windows.net", 5671, Protocol::Amqps),
            hubs,
        ),
        samples::ENTRA.at("login.microsoftonline.com", 443, Protocol::Https),
    ];
    let mut report = samples::report(endpoints, vec![]);
    report.vantage.host = Some(format!("vm-{name}"));
    report.vantage.addresses = vec![[10, subnet, 0, 4].into()];
    report.vantage.subnet = Some(format!("10.{subnet}.0.0/24"));
    report.duration_ms += f64::from(subnet);
    NamedReport {
        name: name.into(),
        report,
    }
}

fn compared(reports: &[NamedReport]) -> Comparison {
    let comparison = Comparison::of(reports).unwrap();
    validate(Document::Compare, &serde_json::from_str(&comparison.to_json()).unwrap()).unwrap();
    comparison
}

fn options(exit: &ExitStatus, width: usize) -> Options<'_> {
    Options {
        exit,
        policy: apim_probe::model::Policy::default(),
        width,
        colour: false,
        unicode: true,
        detail: Detail::Brief,
        again: None,
    }
}

fn rendered(comparison: &Comparison, width: usize) -> String {
    text::render(comparison, &options(&comparison.status(), width))
}

/// The one conclusion about SQL.
fn sql_conclusion(comparison: &Comparison) -> Option<&Conclusion> {
    let about = |it: &&Conclusion| it.endpoints.iter().any(|id| id.starts_with("sql/"));
    comparison.conclusions.iter().find(about)
}

#[test]
fn pattern_of_results_gives_kind_and_places() {
    let silent = "tcp-timeout";
    for (seen, concluded) in [
        (["ok", "ok", "ok"], None),
        ([silent, "ok", "ok"], Some((DifferenceKind::OnlyHere, vec!["a"]))),
        (["ok", silent, "ok"], Some((DifferenceKind::OnlyHere, vec!["b"]))),
        ([silent, "ok", "-"], Some((DifferenceKind::OnlyHere, vec!["a"]))),
        (
            [silent, silent, silent],
            Some((DifferenceKind::Everywhere, vec!["a", "b", "c"])),
        ),
        (
            [silent, silent, "-"],
            Some((DifferenceKind::Everywhere, vec!["a", "b"])),
        ),
        (
            [silent, "tls-reset", silent],
            Some((DifferenceKind::Everywhere, vec!["a", "b", "c"])),
        ),
        ([silent, silent, "ok"], Some((DifferenceKind::AllButHere, vec!["c"]))),
        ([silent, "?", "ok"], Some((DifferenceKind::Differs, vec!["a"]))),
        // A result from a single place shows nothing about places.
        ([silent, "-", "-"], None),
        (["-", "-", "-"], None),
    ] {
        let names = ["a", "b", "c"];
        let reports: Vec<NamedReport> = names
            .iter()
            .zip(1..)
            .zip(seen)
            .map(|((name, subnet), sql)| report_from(name, subnet, [sql, "ok", "ok"]))
            .collect();
        let comparison = compared(&reports);
        let found = sql_conclusion(&comparison).map(|it| (it.kind, it.vantages.iter().map(String::as_str).collect()));
        assert_eq!(found, concluded, "{seen:?}");
        let status = comparison.status().code;
        let blocked = seen.iter().any(|cause| cause.contains("-t") || cause.contains("tls"));
        assert_eq!(status, u8::from(blocked), "{seen:?}: {}", comparison.status());
    }
}

#[test]
fn suspects_follow_the_pattern_and_the_cause() {
    let only = |cause| {
        [
            report_from("a", 1, [cause, "ok", "ok"]),
            report_from("b", 2, ["ok", "ok", "ok"]),
        ]
    };
    let both = |cause| {
        [
            report_from("a", 1, [cause, "ok", "ok"]),
            report_from("b", 2, [cause, "ok", "ok"]),
        ]
    };
    for (reports, accused, cleared) in [
        (
            only("tcp-timeout"),
            vec![Suspect::Nsg, Suspect::Udr, Suspect::VmNicNsg],
            Suspect::Service,
        ),
        (only("dns-timeout"), vec![Suspect::DnsServer], Suspect::VmNicNsg),
        (
            only("tls-reset"),
            vec![Suspect::Udr, Suspect::FirewallApplicationRule],
            Suspect::Service,
        ),
        (
            both("tcp-timeout"),
            vec![Suspect::FirewallNetworkRule, Suspect::Service],
            Suspect::Nsg,
        ),
        (
            both("dns-nxdomain"),
            vec![Suspect::DnsServer, Suspect::PrivateDnsZone],
            Suspect::Nsg,
        ),
        (
            both("http-denied"),
            vec![Suspect::FirewallApplicationRule],
            Suspect::Service,
        ),
    ] {
        let comparison = compared(&reports);
        let suspects = &sql_conclusion(&comparison).unwrap().suspects;
        assert!(
            accused.iter().all(|it| suspects.contains(it)),
            "{accused:?} {suspects:?}"
        );
        assert!(!suspects.contains(&cleared), "{cleared:?} {suspects:?}");
    }
}

#[test]
fn reply_from_another_address_is_stated() {
    let silent = "tcp-timeout";
    let sentence = "the service answers, but at addresses that were not tried at a";
    let mut reports = [
        report_from("a", 1, [silent, "ok", "ok"]),
        report_from("b", 2, ["ok"; 3]),
    ];
    let text = |reports: &[NamedReport]| sql_conclusion(&compared(reports)).unwrap().text.to_lowercase();
    assert!(text(&reports).contains("the service answers, so"), "{}", text(&reports));
    // For example if only one of them has a private endpoint.
    resolve_to(&mut reports[0].report.endpoints[0], 4);
    assert!(text(&reports).contains(sentence), "{}", text(&reports));
    let mut all_but_one = vec![
        reports[0].clone(),
        report_from("c", 3, [silent, "ok", "ok"]),
        reports[1].clone(),
    ];
    assert!(
        text(&all_but_one).contains("the service answers, so"),
        "{}",
        text(&all_but_one)
    );
    resolve_to(&mut all_but_one[1].report.endpoints[0], 5);
    assert!(text(&all_but_one).contains(sentence), "{}", text(&all_but_one));
    // A replacement does not show which address it stands for.
    reports[0].report.redacted = true;
    reports[0].report.endpoints[0].host = "login.microsoftonline.com".into();
    assert!(text(&reports).contains("the service answers, so"), "{}", text(&reports));

    let mut two = [
        report_from("a", 1, [silent, silent, "ok"]),
        report_from("b", 2, ["ok"; 3]),
    ];
    resolve_to(&mut two[0].report.endpoints[1], 4);
    assert!(text(&two).contains("but 1 of them at addresses"), "{}", text(&two));
}

/// Changes the address of an endpoint's name.
fn resolve_to(endpoint: &mut EndpointReport, last: u8) {
    let address = [10, 9, 0, last].into();
    endpoint.stages.dns.as_mut().unwrap().addresses = vec![address];
    endpoint.stages.tcp.iter_mut().for_each(|tcp| tcp.address = address);
}

#[test]
fn difference_in_one_subnet_suspects_only_the_vm() {
    let mut reports = [
        report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
        report_from("b", 2, ["ok", "ok", "ok"]),
    ];
    reports[1].report.vantage.subnet = reports[0].report.vantage.subnet.clone();
    let comparison = compared(&reports);
    assert_eq!(
        sql_conclusion(&comparison).unwrap().suspects,
        [Suspect::VmNicNsg, Suspect::LocalHost]
    );

    let mut both = [
        report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
        report_from("b", 2, ["tcp-timeout", "ok", "ok"]),
    ];
    both[1].report.vantage.subnet = both[0].report.vantage.subnet.clone();
    let comparison = compared(&both);
    let conclusion = sql_conclusion(&comparison).unwrap();
    assert!(conclusion.suspects.contains(&Suspect::Nsg), "{conclusion:?}");
    assert!(conclusion.text.contains("one subnet"), "{}", conclusion.text);
}

#[test]
fn same_prefix_in_two_networks_counts_as_two_places() {
    // The same prefix and address, whatever the machines are called.
    for host in ["vm-a", "vm-b"] {
        let mut reports = [
            report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
            report_from("b", 1, ["ok", "ok", "ok"]),
        ];
        reports[1].report.vantage.host = Some(host.into());
        let comparison = compared(&reports);
        let conclusion = sql_conclusion(&comparison).unwrap();
        assert!(conclusion.suspects.contains(&Suspect::Nsg), "{host}: {conclusion:?}");
        let printed = rendered(&comparison, 80);
        assert!(
            !printed.contains("one machine") && !printed.contains("same subnet"),
            "{printed}"
        );
    }
}

#[test]
fn machine_outside_azure_shows_nothing_about_azures_network() {
    let laptop = |sql| {
        let mut named = report_from("laptop", 9, [sql, "ok", "ok"]);
        named.report.vantage.standing = Some(Standing::NotAzure);
        named
    };
    let silent = "tcp-timeout";
    let of_azure = [
        Suspect::Nsg,
        Suspect::Udr,
        Suspect::VmNicNsg,
        Suspect::FirewallNetworkRule,
    ];
    let concluded = |reports: &[NamedReport]| sql_conclusion(&compared(reports)).unwrap().clone();
    // What fails only there is the fault of its own network.
    for others in [
        vec![report_from("a", 1, ["ok"; 3])],
        vec![report_from("a", 1, ["ok"; 3]), report_from("b", 2, ["ok"; 3])],
    ] {
        let conclusion = concluded(&[vec![laptop(silent)], others].concat());
        assert!(
            !of_azure.iter().any(|it| conclusion.suspects.contains(it)),
            "{conclusion:?}"
        );
        assert!(
            conclusion.text.contains("nothing about Azure's network"),
            "{}",
            conclusion.text
        );
    }
    // What fails there and at one VM: the service, or else a separate fault for each.
    let conclusion = concluded(&[laptop(silent), report_from("a", 1, [silent, "ok", "ok"])]);
    assert_eq!(conclusion.suspects[0], Suspect::Service, "{conclusion:?}");
    assert!(!conclusion.text.contains("share"), "{}", conclusion.text);
    let conclusion = concluded(&[
        laptop(silent),
        report_from("a", 1, [silent, "ok", "ok"]),
        report_from("b", 2, [silent, "ok", "ok"]),
    ]);
    assert_eq!(conclusion.suspects[0], Suspect::Service, "{conclusion:?}");
    // If a third place shows that the service works, the VM's network remains suspect.
    let conclusion = concluded(&[
        laptop(silent),
        report_from("a", 1, [silent, "ok", "ok"]),
        report_from("b", 2, ["ok"; 3]),
    ]);
    assert_eq!(conclusion.kind, DifferenceKind::AllButHere);
    assert!(conclusion.suspects.contains(&Suspect::Nsg), "{conclusion:?}");
    assert!(!conclusion.text.contains("the others share"), "{}", conclusion.text);
}

#[test]
fn redacted_hosts_with_equal_replacements_are_not_compared() {
    let mut reports = [
        report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
        report_from("b", 1, ["ok", "ok", "ok"]),
    ];
    for named in &mut reports {
        named.report.redacted = true;
        named.report.vantage.host = Some("machine-1".into());
        named.report.endpoints[3] = named.report.endpoints[3].clone().blocked(Cause::TcpTimeout, "x");
        // As in the built-in catalog.
        named.report.endpoints[3].dependency = "entra-id".into();
    }
    let comparison = compared(&reports);
    // One server at each place, which may be two; servers common to all are compared.
    assert!(sql_conclusion(&comparison).is_none(), "{:?}", comparison.conclusions);
    assert_eq!(comparison.conclusions.len(), 1, "{:?}", comparison.conclusions);
    let printed = rendered(&comparison, 80);
    assert!(
        printed.contains("made with --redact") && !printed.contains("one subnet"),
        "{printed}"
    );
    assert!(
        !printed.contains("one machine") && !printed.contains("same name"),
        "{printed}"
    );
}

#[test]
fn long_place_names_stay_distinguishable() {
    let silent = ["tcp-timeout", "ok", "ok"];
    for (names, labels) in [
        (
            ["subscription-production-hub-a", "subscription-production-hub-b"],
            ["subscripti…ion-hub-a  ", "subscripti…ion-hub-b  "],
        ),
        (
            [
                "production-westeurope-hub-and-spoke-1-of-2",
                "production-westeurope-hub-and-other-1-of-2",
            ],
            ["production…ke-1-of-2  ", "production…er-1-of-2  "],
        ),
        (
            ["production-1-of-westeurope", "production-2-of-westeurope"],
            ["#1  ", "#2  "],
        ),
    ] {
        let reports = [report_from(names[0], 1, silent), report_from(names[1], 2, ["ok"; 3])];
        let printed = rendered(&compared(&reports), 80);
        for (name, label) in names.iter().zip(labels) {
            let legend = format!("\n{label}{name}: ");
            assert!(
                format!("\n{printed}").contains(&legend),
                "{legend} is missing in\n{printed}"
            );
        }
        let heading = printed
            .lines()
            .find(|line| labels.iter().all(|label| line.contains(label.trim())));
        assert!(heading.is_some(), "no line holds both of {labels:?}:\n{printed}");
    }
}

#[test]
fn differences_between_the_runs_give_notices() {
    type Change = fn(&mut Report);
    let changes: [(&str, Change); 9] = [
        ("machines with the same name", |report| {
            report.vantage.host = Some("vm-a".into());
            report.vantage.addresses = vec![[10, 1, 0, 4].into()];
            report.vantage.subnet = Some("10.1.0.0/24".into());
            report.started_at = "2026-11-21T20:10:00Z".parse().unwrap();
        }),
        ("interrupted", |report| report.complete = false),
        ("not an Azure VM", |report| {
            report.vantage.standing = Some(Standing::NotAzure);
        }),
        ("a was made 4 d", |report| {
            report.started_at = "2026-11-26T01:00:00Z".parse().unwrap();
        }),
        ("different catalogs", |report| {
            report.agent.catalog_documented = Some("2025-10-01".into());
        }),
        ("different versions", |report| report.agent.version = "0.0.9".into()),
        ("different regions", |report| {
            report.vantage.region = Some("northeurope".into());
        }),
        ("different scopes: b (with --only sql)", |report| {
            report.selection.only = Some(vec!["sql".into()]);
        }),
        ("1 tested endpoint is not in every report", |report| {
            report.endpoints[0].id = "sql/other.database.windows.net:1433".into();
            report.endpoints.remove(0);
        }),
    ];
    for (phrase, change) in changes {
        let mut reports = [report_from("a", 1, ["ok"; 3]), report_from("b", 2, ["ok"; 3])];
        assert!(
            compared(&reports).notices.is_empty(),
            "{:?}",
            compared(&reports).notices
        );
        change(&mut reports[1].report);
        let notices = compared(&reports).notices;
        assert!(
            notices.iter().any(|notice| notice.contains(phrase)),
            "{phrase}: {notices:?}"
        );
    }
}

#[test]
fn incomparable_reports_are_refused_with_the_reason() {
    let (a, b) = (report_from("a", 1, ["ok"; 3]), report_from("b", 2, ["ok"; 3]));
    let refused = |reports: &[NamedReport]| Comparison::of(reports).unwrap_err();
    assert_eq!(refused(&[]), Incomparable::TooFew);
    assert_eq!(refused(std::slice::from_ref(&a)), Incomparable::TooFew);
    let twice = NamedReport {
        name: "copy".into(),
        report: a.report.clone(),
    };
    assert_eq!(
        refused(&[a.clone(), twice]),
        Incomparable::SameReport("a".into(), "copy".into())
    );
    let mut named_alike = b.clone();
    named_alike.name = "a".into();
    assert_eq!(refused(&[a.clone(), named_alike]), Incomparable::SameName("a".into()));
    let mut elsewhere = b.clone();
    elsewhere.report.vantage.cloud = Cloud::China;
    assert!(matches!(refused(&[a.clone(), elsewhere]), Incomparable::OtherCloud(..)));
    let mut blind = b.clone();
    blind.report.vantage.standing = Some(Standing::NoNetwork);
    assert_eq!(refused(&[a.clone(), blind]), Incomparable::NoNetwork("b".into()));
    let mut apart = b;
    apart.report.endpoints.retain(|endpoint| endpoint.dependency == "sql");
    let mut rest = a;
    rest.report.endpoints.retain(|endpoint| endpoint.dependency != "sql");
    assert!(matches!(refused(&[rest, apart]), Incomparable::NothingShared(_)));
}

#[test]
fn place_without_network_is_left_out() {
    let mut reports = [
        report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
        report_from("b", 2, ["ok"; 3]),
        report_from("c", 3, ["tcp-no-route"; 3]),
    ];
    reports[2].report.vantage.standing = Some(Standing::NoNetwork);
    let comparison = compared(&reports);
    let conclusion = sql_conclusion(&comparison).unwrap();
    assert_eq!(
        (conclusion.kind, conclusion.vantages.as_slice()),
        (DifferenceKind::OnlyHere, &["a".to_owned()][..])
    );
    assert!(comparison.endpoints.iter().all(|row| row.seen[2].is_none()));
}

#[test]
fn documented_endpoints_give_no_conclusion() {
    let mut reports = [
        report_from("a", 1, ["tcp-timeout", "ok", "ok"]),
        report_from("b", 2, ["ok"; 3]),
    ];
    for named in &mut reports {
        named.report.endpoints[0].need = Need::Documented;
    }
    let comparison = compared(&reports);
    assert_eq!((comparison.status().code, comparison.conclusions.len()), (0, 0));
}

#[test]
fn text_and_markdown_match_the_snapshots() {
    let three = [
        report_from("hub", 1, ["ok", "tls-untrusted", "ok"]),
        report_from("spoke-a", 2, ["tcp-timeout", "tls-untrusted", "-"]),
        report_from("spoke-b", 3, ["ok", "tls-untrusted", "tcp-refused"]),
    ];
    let comparison = compared(&three);
    snapshot("compare-text", &rendered(&comparison, 80));
    let exit = comparison.status();
    snapshot("compare-markdown", &markdown::render(&comparison, &options(&exit, 80)));
    let many: Vec<NamedReport> = (1..=20)
        .map(|n| {
            report_from(
                &format!("spoke-{n}"),
                n,
                [if n < 3 { "tcp-timeout" } else { "ok" }, "ok", "ok"],
            )
        })
        .collect();
    snapshot("compare-many", &rendered(&compared(&many), 80));
}

#[test]
fn comparison_fits_the_width_and_escapes_names() {
    let mut hostile = NamedReport {
        name: "\u{1b}[2J<script>|`x`\u{202e}".into(),
        report: samples::hostile(),
    };
    hostile.report.vantage.cloud = Cloud::Public;
    let mut other = NamedReport {
        name: "other".into(),
        report: hostile.report.clone(),
    };
    other.report.endpoints[0] = other.report.endpoints[0].clone().blocked(Cause::TcpTimeout, "x");
    let comparison = compared(&[hostile, other]);
    let exit = comparison.status();
    for width in [40, 60, 80, 200] {
        for line in rendered(&comparison, width).lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
    let html = html::render(&comparison, &options(&exit, 80));
    assert!(!html.contains("<script"), "{html}");
    for text in [
        rendered(&comparison, 80),
        html,
        markdown::render(&comparison, &options(&exit, 80)),
        comparison.to_json(),
    ] {
        let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!text.contains(acts), "{text:?}");
    }
}

#[test]
fn html_has_a_cell_per_endpoint_and_place() {
    let comparison = compared(&[
        report_from("a", 1, ["ok"; 3]),
        report_from("b", 2, ["tcp-timeout", "ok", "ok"]),
    ]);
    let exit = comparison.status();
    let html = html::render(&comparison, &options(&exit, 80));
    assert_eq!(
        html.matches("<th role=\"rowheader\" scope=\"row\"").count(),
        comparison.endpoints.len()
    );
    assert_eq!(html.matches("<td role=\"cell\" class=\"bad\"").count(), 1);
    for request in ["src=", "http:", "https:", "url(", "@import", "<link"] {
        assert!(!html.contains(request), "{request}");
    }
}
