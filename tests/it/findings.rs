//! From blocked rows to root causes: simulated networks with one fault each, and the finding that must come first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use apim_probe::{
    azure::{Cloud, PLATFORM},
    diagnosis::Diagnosis,
    model::{Cause, Confidence, Finding, Need, Verdict},
    plan::PlannedEndpoint,
    rules::{CommandWithUndo, RuleFamily, RuleFilter},
};
use jiff::SignedDuration;
use proptest::prelude::*;

mod answers;
mod cases;
mod kinds;
mod name_servers;
mod network;
mod no_false_findings;
mod predictions;
mod silence;
use cases::{
    AZURE_FIREWALL_DENY, CONTOSO_INSPECTION, CUSTOM_DNS, MUST_BE_BLOCKED, TERMS_PAGE, all, dependency, healthy, host,
    icmp, not_dns, port, speaks_tls,
};
use network::{Fault, Network, Server};

#[test]
fn single_fault_is_the_first_finding() {
    let cases = all();
    assert!(cases.len() >= 40);
    let mut missed = Vec::new();
    for case in &cases {
        let findings = case.network.findings();
        let Some(first) = findings.first() else {
            missed.push(format!("{}: no finding", case.what));
            continue;
        };
        let fits = first.id.starts_with(case.id)
            && (case.id.ends_with('/') || first.id == case.id)
            && first.title.contains(case.title)
            && first.confidence == case.confidence
            && first.suspects.first() == Some(&case.suspect);
        if !fits {
            missed.push(format!(
                "{}: {} {:?} {:?} {:?}",
                case.what, first.id, first.title, first.confidence, first.suspects
            ));
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {} are not the first finding:\n{}",
        missed.len(),
        cases.len(),
        missed.join("\n")
    );
}

#[test]
fn single_fault_gives_exactly_one_finding() {
    for case in all() {
        let counting: Vec<String> = case
            .network
            .findings()
            .into_iter()
            .filter(|finding| finding.confidence > Confidence::Low)
            .map(|finding| finding.title)
            .collect();
        assert_eq!(counting.len(), 1, "{}: {counting:#?}", case.what);
    }
}

#[test]
fn spurious_retransmissions_are_not_packet_loss() {
    // Everything was delayed and retransmitted; most peers reported in time that they already had the data.
    let network = healthy()
        .fault(dependency("azure-monitor"), &Fault::Retransmitted { spurious: false })
        .fault(
            |endpoint| endpoint.dependency != "azure-monitor" && speaks_tls(endpoint),
            &Fault::Retransmitted { spurious: true },
        );
    assert_eq!(network.findings(), []);
}

/// The confidence of the first finding of a kind, and its evidence.
fn first_confidence(network: &Network, kind: &str) -> (Confidence, String) {
    let findings = network.findings();
    let found = findings.iter().find(|finding| finding.id.starts_with(kind));
    let found = found.unwrap_or_else(|| panic!("no {kind}"));
    (found.confidence, found.evidence.join("; "))
}

#[test]
fn packet_loss_lowers_confidence_in_missing_replies() {
    let resent = |network: Network, share: usize| {
        let some = move |endpoint: &PlannedEndpoint| speaks_tls(endpoint) && endpoint.host.len().is_multiple_of(share);
        network
            .fault(some, &Fault::Retransmitted { spurious: false })
            .fault(port(1433), &Fault::Silent)
    };
    // A loss of a few connections in a hundred does not make six lost SYNs in a row any more likely; one in four does.
    let (sure, _) = first_confidence(&resent(healthy(), 12), "silence/");
    assert_eq!(sure, Confidence::High);
    let (_, evidence) = first_confidence(&resent(healthy(), 4), "loss/");
    assert!(
        evidence.contains("missing replies may be random packet loss"),
        "{evidence}"
    );
    // If few connections were made, a single loss is too little for a notice about the line, but enough for doubt.
    let few = healthy().only(&["sql", "microsoft-graph"]);
    let (sure, _) = first_confidence(&few.clone().fault(port(1433), &Fault::Silent), "silence/");
    assert_eq!(sure, Confidence::High);
    let (doubted, evidence) = first_confidence(&resent(few, 1), "silence/");
    assert_eq!(doubted, Confidence::Medium);
    assert!(
        evidence.contains("so the missing replies may be random packet loss"),
        "{evidence}"
    );
}

#[test]
fn resets_from_few_services_have_medium_confidence() {
    let some = healthy()
        .fault(dependency("captcha"), &Fault::Refused)
        .fault(dependency("entra-id"), &Fault::Refused)
        .fault(dependency("application-insights"), &Fault::Refused);
    let (found, evidence) = first_confidence(&some, "reset/resets");
    assert_eq!(found, Confidence::Medium);
    assert!(evidence.contains("may simply not be listening"), "{evidence}");
    let all = healthy().fault(|endpoint| endpoint.port == 443, &Fault::Refused);
    assert_eq!(first_confidence(&all, "reset/resets").0, Confidence::High);
}

#[test]
fn lost_share_counts_first_connections_that_pass() {
    let all = healthy().fault(not_dns, &Fault::EverySecondConnectionLost).findings();
    assert!(
        all[0].title.starts_with("Half of the connections are lost"),
        "{}",
        all[0].title
    );
    // Eight connections are made if one failed, and only one if it passed.
    let some = healthy()
        .fault(dependency("storage"), &Fault::EverySecondConnectionLost)
        .findings();
    let lost: usize = some[0]
        .title
        .split_once(" %")
        .expect("a share")
        .0
        .parse()
        .expect("a number");
    assert!((10..40).contains(&lost), "{}", some[0].title);
}

#[test]
fn kms_fix_mentions_egress_through_a_firewall_in_azure() {
    let answers = healthy()
        .fault(not_dns, &AZURE_FIREWALL_DENY)
        .fault(dependency("kms"), &Fault::Retransmitted { spurious: true });
    let silent = healthy().fault(dependency("kms"), &Fault::Silent);
    for network in [answers, silent] {
        let findings = network.findings();
        let of_kms = findings.iter().find(|finding| finding.id.starts_with("kms-"));
        let summary = &of_kms.expect("a finding about activation").fix.summary;
        assert!(
            summary.contains("firewall in Azure (or in a secured virtual hub)"),
            "{summary}"
        );
    }
}

/// Every simulated network, with its name.
fn networks() -> Vec<(&'static str, Network)> {
    let faulty = all().into_iter().map(|case| (case.what, case.network));
    faulty
        .chain([
            ("nothing is wrong", healthy()),
            (
                "nothing is wrong, without instance names",
                healthy().without_instance_names(),
            ),
        ])
        .collect()
}

/// What must be true of the findings of any run.
fn check_findings(what: &str, network: &Network) -> Result<(), TestCaseError> {
    let findings = network.findings();
    let diagnosis = network.diagnosis();
    prop_assert_eq!(&findings, &network.findings(), "{}: not stable", what);
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    prop_assert_eq!(ids.len(), findings.len(), "{}: ids are not unique: {:?}", what, ids);
    check_explained_once(what, network, &diagnosis, &findings)?;
    check_rules_match_the_command(what, network, &findings)?;
    check_handovers(what, &findings)?;
    for finding in &findings {
        let Finding {
            id,
            title,
            evidence,
            suspects,
            impact,
            fix,
            confidence,
            endpoints,
            ..
        } = finding;
        prop_assert!(
            !title.is_empty() && !title.contains('\n') && title.chars().count() <= 100,
            "{}: {:?}",
            what,
            title
        );
        prop_assert!(
            id.split_once('/')
                .is_some_and(|(cause, scope)| !cause.is_empty() && !scope.is_empty()),
            "{}",
            id
        );
        prop_assert!(!id.contains(' '), "{}", id);
        prop_assert!((1..=6).contains(&evidence.len()), "{}: {} has {:?}", what, id, evidence);
        let distinct: BTreeSet<&String> = evidence.iter().collect();
        prop_assert_eq!(
            distinct.len(),
            evidence.len(),
            "{}: {} says twice {:?}",
            what,
            id,
            evidence
        );
        prop_assert!(!suspects.is_empty() && !fix.summary.is_empty(), "{}: {}", what, id);
        prop_assert!(!impact.is_empty() || endpoints.is_empty(), "{}: {}", what, id);
        prop_assert!(fix.summary.chars().count() <= 300, "{}: {}: {}", what, id, fix.summary);
        let needs: Vec<Need> = network
            .plan()
            .endpoints
            .iter()
            .filter(|e| endpoints.contains(&e.id))
            .map(|e| e.need)
            .collect();
        if !needs.is_empty() && needs.iter().all(|need| *need == Need::Documented) {
            prop_assert_eq!(*confidence, Confidence::Low, "{}: {} is only documented", what, id);
        }
    }
    let low_from = findings
        .iter()
        .position(|finding| finding.confidence == Confidence::Low)
        .unwrap_or(findings.len());
    prop_assert!(
        findings[low_from..]
            .iter()
            .all(|finding| finding.confidence == Confidence::Low),
        "{}: hints are not last",
        what
    );
    Ok(())
}

/// Every endpoint that is not as expected belongs to exactly one finding about a fault.
fn check_explained_once(
    what: &str,
    network: &Network,
    diagnosis: &Diagnosis,
    findings: &[Finding],
) -> Result<(), TestCaseError> {
    let mut explained: BTreeMap<&str, usize> = BTreeMap::new();
    for id in findings.iter().flat_map(|finding| &finding.endpoints) {
        *explained.entry(id).or_default() += 1;
    }
    for (endpoint, judgement) in network.plan().endpoints.iter().zip(&diagnosis.judgements) {
        if judgement.as_expected(endpoint.expect) == Some(false) {
            let times = explained.get(endpoint.id.as_str()).copied().unwrap_or_default();
            prop_assert_eq!(
                times,
                1,
                "{}: {} ({:?}) is explained {} times",
                what,
                endpoint.id,
                judgement.cause,
                times
            );
        }
    }
    Ok(())
}

/// Every hand-over can be looked up, and asks each team for something.
fn check_handovers(what: &str, findings: &[Finding]) -> Result<(), TestCaseError> {
    for finding in findings {
        let id = &finding.id;
        let Some(handover) = &finding.handover else {
            continue;
        };
        prop_assert!((1..=50).contains(&handover.flows.len()), "{}: {}", what, id);
        prop_assert!(handover.from <= handover.to, "{}: {}", what, id);
        for flow in &handover.flows {
            prop_assert!((handover.from..=handover.to).contains(&flow.at), "{}: {}", what, id);
            let is_of_finding = |endpoint: &String| endpoint.contains(&flow.host);
            let is_name_server = flow.destination.port() == 53;
            prop_assert!(
                is_name_server || finding.endpoints.iter().any(is_of_finding),
                "{}: {} hands over {}",
                what,
                id,
                flow.host
            );
        }
        prop_assert!(!handover.owners.is_empty(), "{}: {}", what, id);
        for request in &handover.owners {
            prop_assert!(
                !request.allow.is_empty(),
                "{}: {} asks {:?} for nothing",
                what,
                id,
                request.owner
            );
            prop_assert!(!request.reproduce.is_empty(), "{}: {} {:?}", what, id, request.owner);
            prop_assert_eq!(request.change.len(), request.undo.len(), "{}: {}", what, id);
        }
        let platform_only = handover.flows.iter().all(|flow| flow.destination.ip() == PLATFORM);
        prop_assert_eq!(handover.queries.is_empty(), platform_only, "{}: {}", what, id);
    }
    Ok(())
}

/// Every rule in a fix is exactly a line of `apim-probe rules`, and so is the command that undoes it.
fn check_rules_match_the_command(what: &str, network: &Network, findings: &[Finding]) -> Result<(), TestCaseError> {
    let set = network.rule_set();
    let every: BTreeSet<String> = network
        .plan()
        .endpoints
        .iter()
        .map(|endpoint| endpoint.id.clone())
        .collect();
    let printed: BTreeSet<CommandWithUndo> = [
        (RuleFamily::Nsg, RuleFilter::All),
        (RuleFamily::Routes, RuleFilter::All),
        (RuleFamily::Firewall, RuleFilter::For(&every)),
    ]
    .into_iter()
    .flat_map(|(kind, choice)| set.rules(kind, choice).unwrap().changes())
    .collect();
    for (line, undo) in findings.iter().flat_map(|finding| finding.fix.changes()) {
        let is_rule = ["az network nsg", "az network route-table", "az network firewall"]
            .iter()
            .any(|start| line.starts_with(start));
        let change = (line.to_owned(), undo.map(str::to_owned));
        prop_assert!(!is_rule || printed.contains(&change), "{}: {:?}", what, change);
    }
    Ok(())
}

#[test]
fn findings_of_every_network_are_valid() {
    for (what, network) in networks() {
        check_findings(what, &network).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn any_fault() -> impl Strategy<Value = Option<Fault>> {
    let faults = [
        Fault::Silent,
        Fault::OneAddressSilent,
        Fault::Refused,
        icmp(13),
        icmp(1),
        Fault::DeadNextHop,
        Fault::LocalFirewallRejects,
        Fault::NoRoute,
        Fault::NotPermitted,
        Fault::CutReset,
        Fault::CutClosed,
        Fault::CutSilent,
        Fault::Alert,
        CONTOSO_INSPECTION,
        Fault::WrongName("example.net"),
        Fault::SelfSigned("portal.example.net"),
        TERMS_PAGE,
        Fault::Expired,
        AZURE_FIREWALL_DENY,
        Fault::Redirect("http://portal.example.net/"),
        Fault::Foreign,
        Fault::CutAfterTls,
        Fault::Nxdomain {
            authority: None,
            alias: None,
        },
        Fault::Nxdomain {
            authority: Some("azureprivatedns.net"),
            alias: None,
        },
        Fault::Servfail,
        Fault::ResolvesTo("0.0.0.0"),
        Fault::ResolvesTo("10.9.9.9"),
        Fault::SecondServerNxdomain,
    ];
    prop_oneof![2 => Just(None), 1 => proptest::sample::select(faults.to_vec()).prop_map(Some)]
}

fn any_server() -> impl Strategy<Value = Server> {
    prop_oneof![4 => Just(Server::Working), 1 => proptest::sample::select(Server::FAILING.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_faults_are_explained_exactly_once(
        servers in (any_server(), any_server()),
        faults in proptest::collection::vec(any_fault(), 8..40),
        platform in proptest::option::of(any::<bool>()),
        hours in proptest::option::of(-10_000_i64..10_000),
    ) {
        static NETWORK: LazyLock<Network> = LazyLock::new(|| healthy().catalog_overlay(MUST_BE_BLOCKED));
        let mut network = NETWORK.clone().name_servers(&[(CUSTOM_DNS, servers.0), ("10.0.0.5", servers.1)]);
        // The same few faults over and over, so that some affect many endpoints and some only one.
        let ids: Vec<String> = network.plan().endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
        for (id, fault) in ids.iter().zip(faults.iter().cycle()) {
            if let Some(fault) = fault {
                network = network.fault(|endpoint| endpoint.id == *id, fault);
            }
        }
        if let Some(answers) = platform {
            network = network.platform_dns(answers);
        }
        if let Some(hours) = hours {
            network = network.clock_ahead(SignedDuration::from_hours(hours), hours % 2 == 0);
        }
        check_findings("random faults", &network)?;
    }
}

#[test]
fn healthy_network_has_no_findings() {
    for (what, network) in [
        ("healthy", healthy()),
        ("unnamed", healthy().without_instance_names()),
        ("Government", healthy().in_cloud(Cloud::Usgov, "usgovvirginia")),
        ("21Vianet", healthy().in_cloud(Cloud::China, "chinaeast2")),
        (
            "a clock five seconds off",
            healthy().clock_ahead(SignedDuration::from_secs(-5), true),
        ),
    ] {
        let titles: Vec<String> = network.findings().into_iter().map(|finding| finding.title).collect();
        assert!(titles.is_empty(), "{what}: {titles:?}");
    }
}

/// Any device on the path can answer NTP and plain HTTP.
#[test]
fn unsigned_time_never_suggests_setting_the_clock() {
    let year = SignedDuration::from_hours(24 * 365);
    for (signed, certain) in [(false, false), (true, true)] {
        let findings = healthy().clock_ahead(year, signed).findings();
        let changes: Vec<&String> = findings.iter().flat_map(|finding| &finding.fix.change).collect();
        assert_eq!(!changes.is_empty(), certain, "{changes:?}");
        let findings = healthy()
            .fault(speaks_tls, &Fault::Expired)
            .clock_ahead(year, signed)
            .findings();
        let is_certain = findings.iter().any(|finding| finding.confidence == Confidence::Certain);
        assert_eq!(is_certain, certain, "{findings:?}");
    }
    // A correct clock explains nothing.
    let findings = healthy()
        .fault(speaks_tls, &Fault::Expired)
        .clock_ahead(SignedDuration::from_secs(1), true)
        .findings();
    assert!(
        findings.iter().all(|finding| !finding.id.starts_with("clock/")),
        "{findings:?}"
    );
}

/// An endpoint that is only documented, or that only an appliance makes doubtful, is just a hint.
#[test]
fn hints_have_low_confidence() {
    let gone = Fault::Nxdomain {
        authority: Some("com"),
        alias: None,
    };
    for (what, network, id) in [
        (
            "a documented host is gone",
            healthy().fault(host("csp.digicert.com"), &gone),
            "retired-hosts/documentation",
        ),
        (
            "a content network shows its own certificate",
            healthy().fault(|e| e.host.starts_with("crl3") && e.port == 443, &Fault::CutReset),
            "name-filter/names",
        ),
        (
            "NTP gets no reply",
            healthy().fault(dependency("ntp"), &Fault::Silent),
            "silence/ntp",
        ),
        (
            "\"APIM calls random IPs on 12000\": no reply there",
            healthy().fault(port(12000), &Fault::Silent),
            "silence/tcp-12000",
        ),
        (
            "the clock is an hour off and broke nothing",
            healthy().clock_ahead(SignedDuration::from_hours(1), true),
            "clock/this-vm",
        ),
    ] {
        let findings = network.findings();
        let ids: Vec<(&str, Confidence)> = findings.iter().map(|f| (f.id.as_str(), f.confidence)).collect();
        assert!(ids.contains(&(id, Confidence::Low)), "{what}: {ids:?}");
        assert!(
            ids.iter().all(|(_, confidence)| *confidence == Confidence::Low),
            "{what}: {ids:?}"
        );
    }
}

#[test]
fn kms_reply_is_doubted_if_an_appliance_is_detected() {
    let hint = |network: Network| {
        network
            .findings()
            .into_iter()
            .find(|finding| finding.id == "kms-activation/kms")
    };
    assert!(hint(healthy()).is_none(), "no sign");
    assert!(
        hint(healthy().fault(port(1433), &Fault::Silent)).is_none(),
        "silence is no sign: an NSG is silent too"
    );
    for sign in [AZURE_FIREWALL_DENY, CONTOSO_INSPECTION, Fault::CutReset, icmp(13)] {
        let hint = hint(healthy().fault(|e| not_dns(e) && matches!(e.port, 80 | 443), &sign)).expect("a hint");
        assert_eq!(hint.confidence, Confidence::Low);
        assert!(
            hint.fix
                .change
                .iter()
                .any(|line| line.contains("--next-hop-type Internet")),
            "{:?}",
            hint.fix
        );
    }
}

#[test]
fn router_refusal_covers_silent_hosts_of_the_same_rule_only() {
    // Event Hubs is refused on one port and gets no reply on another under the same rule; SQL gets no reply for another
    // reason.
    let network = healthy()
        .fault(|e| dependency("application-insights")(e), &Fault::Silent)
        .fault(host("dc.services.visualstudio.com"), &icmp(13))
        .fault(port(1433), &Fault::Silent);
    let findings = network.findings();
    let router = findings
        .iter()
        .find(|finding| finding.id.ends_with("/10.1.2.4"))
        .expect("the router");
    assert!(
        router
            .endpoints
            .iter()
            .any(|id| id.starts_with("application-insights/rt.")),
        "{:?}",
        router.endpoints
    );
    assert!(
        router
            .evidence
            .iter()
            .any(|sentence| sentence.contains("routers rate-limit")),
        "{:?}",
        router.evidence
    );
    assert!(findings.iter().any(|finding| finding.id == "silence/tcp-1433"));
}

#[test]
fn dead_name_server_is_the_only_finding() {
    let network = Network::with_name_servers(&[(CUSTOM_DNS, Server::Silent)]).platform_dns(true);
    let findings = network.findings();
    let [only] = findings.as_slice() else {
        panic!("{} findings", findings.len())
    };
    let hosts = network
        .diagnosis()
        .judgements
        .iter()
        .filter(|judgement| judgement.verdict == Verdict::Blocked)
        .count();
    assert_eq!(only.endpoints.len(), hosts);
    assert!(
        only.evidence
            .iter()
            .any(|sentence| sentence.contains("168.63.129.16 answers")),
        "{:?}",
        only.evidence
    );
}

#[test]
fn findings_are_ordered_by_need() {
    let network = healthy()
        .fault(dependency("defender"), &Fault::CutReset)
        .fault(dependency("application-insights"), &CONTOSO_INSPECTION)
        .fault(port(1433), &Fault::Silent)
        .fault(dependency("key-vault"), &Fault::OneAddressSilent)
        .fault(
            host("csp.digicert.com"),
            &Fault::Nxdomain {
                authority: None,
                alias: None,
            },
        );
    let findings = network.findings();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.need, finding.stops_activation))
        .collect();
    assert_eq!(
        found,
        [
            ("silence/tcp-1433", Some(Need::Required), true),
            // It works, but with a defect: activation does not stop.
            ("some-addresses/key-vault", Some(Need::Required), false),
            ("inspection/contoso-inspection-ca", Some(Need::Feature), false),
            ("name-filter/names", Some(Need::Feature), false),
            ("kms-activation/kms", Some(Need::Feature), false),
            ("retired-hosts/documentation", Some(Need::Documented), false),
        ]
    );
}

#[test]
fn findings_that_stop_activation_come_first() {
    let ids = |network: Network| -> Vec<String> { network.findings().into_iter().map(|finding| finding.id).collect() };
    let both = |first: &str, second: &str| {
        healthy()
            .fault(dependency(first), &Fault::Refused)
            .fault(dependency(second), &Fault::Silent)
    };
    // Many more endpoints of Azure Monitor than of SQL fail, and the instance starts without them.
    assert_eq!(
        ids(both("azure-monitor", "sql"))[..2],
        ["silence/tcp-1433", "reset/azure-monitor"]
    );
    assert_eq!(ids(both("sql", "storage"))[..2], ["silence/tag-storage", "reset/sql"]);
    assert_eq!(
        ids(both("key-vault", "sql"))[..2],
        ["silence/tcp-1433", "reset/key-vault"]
    );
    // The catalog decides what stops activation.
    let entra = healthy().catalog_overlay("dependencies: [{ id: entra-id, stops_activation: true }]");
    let entra = entra
        .fault(dependency("azure-monitor"), &Fault::Refused)
        .fault(dependency("entra-id"), &Fault::Silent);
    assert_eq!(ids(entra)[..2], ["silence/entra-id", "reset/azure-monitor"]);
    // A user who waives it declares that it stops nothing.
    let waived =
        both("azure-monitor", "sql").catalog_overlay("dependencies: [{ id: sql, need: feature, feature: None }]");
    let waived = waived
        .fault(dependency("azure-monitor"), &Fault::Refused)
        .fault(dependency("sql"), &Fault::Silent);
    assert_eq!(ids(waived)[..2], ["reset/azure-monitor", "silence/tcp-1433"]);
}

#[test]
fn fix_contains_tag_port_and_host_of_the_rule() {
    let first = |network: Network| network.findings().into_iter().next().expect("a finding");

    let sql = first(healthy().fault(port(1433), &Fault::Silent));
    assert!(
        sql.fix.summary.contains("TCP 1433 to Sql.WestEurope"),
        "{}",
        sql.fix.summary
    );
    assert!(
        sql.fix.change[0].contains("--name apim-out-Sql-tcp-1433 --priority 2040 ")
            && sql.fix.change[0]
                .contains("--destination-address-prefixes Sql.WestEurope --destination-port-ranges 1433 "),
        "{}",
        sql.fix.change[0]
    );
    assert!(
        sql.fix.summary.contains("put it before your own deny"),
        "{}",
        sql.fix.summary
    );

    let page = first(healthy().fault(port(80), &AZURE_FIREWALL_DENY));
    let rule = &page.fix.change[1];
    assert!(
        rule.contains("ApplicationRule") && rule.contains("Http=80") && rule.contains(" crl3.digicert.com"),
        "{rule}"
    );

    let cut = first(healthy().fault(|e| e.host.ends_with(".data.microsoft.com"), &Fault::CutReset));
    assert!(
        cut.fix.change[1].contains(" '*.data.microsoft.com'"),
        "{}",
        cut.fix.change[1]
    );

    let kms = first(healthy().fault(dependency("kms"), &Fault::Silent));
    assert!(
        kms.fix.change[0].contains("/32 --next-hop-type Internet"),
        "{}",
        kms.fix.change[0]
    );
}

/// The protocol is not HTTP: an https application rule makes the firewall accept and the service fail.
#[test]
fn non_http_port_gets_no_application_rule() {
    for fault in [
        Fault::Silent,
        Fault::CutReset,
        Fault::CutSilent,
        Fault::Foreign,
        icmp(13),
        Fault::Refused,
    ] {
        for not_http in [1433, 1886, 5671, 5672, 1688] {
            for finding in healthy().fault(port(not_http), &fault).findings() {
                let rules = finding
                    .fix
                    .change
                    .iter()
                    .filter(|line| line.contains("ApplicationRule"));
                assert_eq!(rules.count(), 0, "{not_http} {fault:?}: {:?}", finding.fix.change);
            }
        }
    }
}

#[test]
fn fix_contains_a_connectivity_check_in_every_cloud() {
    for (cloud, region, management) in [
        (Cloud::Public, "westeurope", "management.azure.com"),
        (Cloud::Usgov, "usgovvirginia", "management.usgovcloudapi.net"),
        (Cloud::China, "chinaeast2", "management.chinacloudapi.cn"),
    ] {
        let findings = healthy()
            .in_cloud(cloud, region)
            .fault(port(1433), &Fault::Silent)
            .findings();
        let check = findings[0].fix.verify.last().expect("a command");
        let (line, body) = check.split_once(" --body ").expect("a body");
        assert!(
            line.starts_with(&format!(
                "az rest --method post --url \"https://{management}/subscriptions/"
            )),
            "{line}"
        );
        let body: serde_json::Value = serde_json::from_str(body.trim_matches('\'')).expect("JSON");
        assert_eq!(body["source"]["region"], region);
        assert_eq!(body["destination"]["port"], 1433);
        assert!(
            body["destination"]["address"]
                .as_str()
                .is_some_and(|address| address.starts_with("apirpsql1."))
        );
    }
}

#[test]
fn silent_subset_of_the_catalog_is_not_reported_as_no_outbound() {
    let findings = healthy()
        .only(&["sql", "dns"])
        .fault(port(1433), &Fault::Silent)
        .findings();
    assert_eq!(findings[0].id, "silence/tcp-1433");
    assert_eq!(findings[0].cause, Some(Cause::TcpTimeout));
}
