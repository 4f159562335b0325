//! What the network's rules add to a report: evidence, suspects, confidence, and findings about what no probe sees.

use std::{fs, path::PathBuf};

use apim_probe::{
    azure::Cloud,
    catalog::model::Catalog,
    model::{Cause, Confidence, Endpoint, Finding, Report, Suspect, Verdict, Vnet, prediction::Expected},
    network::{NetworkRules, beside, nsg::SecurityRules, routes::Routes, service_tags::ServiceTags},
    plan::{Plan, Scope, Selection, Values},
};

use crate::made::{Seen, report};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/data/network")
            .join(name),
    )
    .unwrap()
}

fn rules(nsg: &str, routes: &str) -> NetworkRules {
    NetworkRules::new(
        Some(SecurityRules::parse(&fixture(nsg)).unwrap()),
        Some(Routes::parse(&fixture(routes)).unwrap()),
        Some(ServiceTags::parse(&fixture("service-tags.json")).unwrap()),
    )
}

/// A plan in which the region's gateways stand in for the SQL server.
fn plan() -> Plan {
    plan_with(&Values::default())
}

fn plan_with(values: &Values) -> Plan {
    let scope = Scope {
        cloud: Cloud::Public,
        region: Some("westeurope".into()),
        vnet: None,
        name_servers: vec!["10.1.3.4:53".parse().unwrap()],
    };
    Plan::make(&Catalog::builtin(), &scope, values, &Selection::default()).unwrap()
}

fn of<'a>(report: &'a Report, start: &str) -> &'a Endpoint {
    report
        .endpoints
        .iter()
        .find(|endpoint| endpoint.id.starts_with(start))
        .unwrap()
}

fn finding<'a>(report: &'a Report, id: &str) -> Option<&'a Finding> {
    report.findings.iter().find(|finding| finding.id == id)
}

const SQL: &str = "sql/";
const VAULT: &str = "key-vault/";
const SQL_SILENT: Seen = (SQL, Verdict::Blocked, Some(Cause::TcpTimeout), "20.61.99.193");

#[test]
fn silence_that_a_rule_explains_is_certain() {
    let mut values = Values::default();
    values.add("sql_server", ["apirpsql7".to_owned()]);
    let plan = plan_with(&values);
    let mut report = report(&plan, &[SQL_SILENT]);
    let predictions = beside::apply(&rules("nsg-locked-down.json", "routes-plain.json"), &plan, &mut report);
    let words = "NSG rule DenyInternet (4096, subnet) denies TCP 1433 to 20.61.99.193";
    assert_eq!(of(&report, SQL).evidence, ["measured", words]);
    let found = finding(&report, &format!("tcp-timeout/{}", of(&report, SQL).dependency)).unwrap();
    assert_eq!(
        (found.confidence, &found.suspects[..]),
        (Confidence::Certain, &[Suspect::Nsg][..])
    );
    assert_eq!(found.evidence, [words, "measured"]);
    assert_eq!(
        found.fix.summary,
        "Allow it. It must come before NSG rule DenyInternet (4096)."
    );
    assert_eq!(predictions.len(), report.endpoints.len());
    let at = report
        .endpoints
        .iter()
        .position(|endpoint| endpoint.id.starts_with(SQL))
        .unwrap();
    assert_eq!(predictions[at].as_ref().unwrap().verdict, Expected::Deny);
}

#[test]
fn silence_of_a_stand_in_is_never_certain() {
    let plan = plan();
    let mut report = report(&plan, &[SQL_SILENT]);
    beside::apply(&rules("nsg-locked-down.json", "routes-plain.json"), &plan, &mut report);
    let found = finding(&report, &format!("tcp-timeout/{}", of(&report, SQL).dependency)).unwrap();
    assert_eq!(
        (found.confidence, &found.suspects[..]),
        (Confidence::High, &[Suspect::Nsg][..])
    );
}

#[test]
fn silence_that_rules_allow_points_at_the_next_hop() {
    let plan = plan();
    let mut behind = report(
        &plan,
        &[(VAULT, Verdict::Blocked, Some(Cause::TcpTimeout), "20.43.56.38")],
    );
    beside::apply(
        &rules("nsg-nic-only.powershell.json", "routes-forced.json"),
        &plan,
        &mut behind,
    );
    let words = "allowed, next hop is 10.1.2.4: look at the firewall there";
    assert_eq!(of(&behind, VAULT).evidence[1], words);
    assert_eq!(behind.findings[0].suspects, [Suspect::FirewallNetworkRule]);
    assert_eq!(behind.findings[0].confidence, Confidence::High);

    let mut straight = report(
        &plan,
        &[(VAULT, Verdict::Blocked, Some(Cause::TcpTimeout), "20.43.56.38")],
    );
    beside::apply(
        &rules("nsg-nic-only.powershell.json", "routes-plain.json"),
        &plan,
        &mut straight,
    );
    assert!(
        of(&straight, VAULT).evidence[1].contains("security admin rule"),
        "{:?}",
        of(&straight, VAULT).evidence
    );
    assert_eq!(straight.findings[0].suspects, [Suspect::NoOutbound, Suspect::Nsg]);
}

#[test]
fn a_rule_on_this_vm_alone_is_not_held_against_the_subnet() {
    let plan = plan();
    let mut report = report(&plan, &[SQL_SILENT]);
    beside::apply(
        &rules("nsg-nic-only.powershell.json", "routes-plain.json"),
        &plan,
        &mut report,
    );
    assert_eq!(report.findings[0].suspects, [Suspect::VmNicNsg]);
    assert!(report.findings[0].evidence[0].starts_with("NSG rule DenySql (100, NIC)"));
}

#[test]
fn a_route_to_nowhere_is_blamed() {
    let plan = plan();
    let mut report = report(
        &plan,
        &[(VAULT, Verdict::Blocked, Some(Cause::TcpTimeout), "20.43.56.38")],
    );
    beside::apply(
        &rules("nsg-nic-only.powershell.json", "routes-contest.json"),
        &plan,
        &mut report,
    );
    assert_eq!(
        (report.findings[0].confidence, &report.findings[0].suspects[..]),
        (Confidence::Certain, &[Suspect::Udr][..])
    );
}

#[test]
fn a_prediction_that_fails_is_said_and_changes_nothing() {
    let plan = plan();
    let locked = rules("nsg-locked-down.json", "routes-plain.json");
    let mut open = report(&plan, &[(SQL, Verdict::Reachable, None, "20.61.99.193")]);
    beside::apply(&locked, &plan, &mut open);
    assert_eq!(
        of(&open, SQL).evidence[1],
        "predicted deny (NSG rule DenyInternet (4096, subnet) denies TCP 1433 to 20.61.99.193), yet it answers: other rules than the given ones are in force"
    );
    assert_eq!(of(&open, SQL).verdict, Verdict::Reachable);
    // A reset is an answer: an NSG drops in silence.
    let mut reset = report(
        &plan,
        &[(SQL, Verdict::Blocked, Some(Cause::HelloReset), "20.61.99.193")],
    );
    beside::apply(&locked, &plan, &mut reset);
    assert!(of(&reset, SQL).evidence[1].ends_with("yet something answers"));
    let found = finding(&reset, "hello-reset/sql").unwrap();
    assert_eq!((found.confidence, found.suspects.len()), (Confidence::High, 4));
}

#[test]
fn a_name_that_does_not_resolve_is_no_matter_for_these_rules() {
    let plan = plan();
    let mut report = report(&plan, &[(SQL, Verdict::Blocked, Some(Cause::DnsNxdomain), "")]);
    let before = report.findings[0].clone();
    beside::apply(&rules("nsg-locked-down.json", "routes-plain.json"), &plan, &mut report);
    assert_eq!(of(&report, SQL).evidence, ["measured"]);
    assert_eq!(finding(&report, &before.id), Some(&before));
}

#[test]
fn what_no_probe_sees_becomes_a_finding() {
    let plan = plan();
    let mut report = report(&plan, &[SQL_SILENT]);
    beside::apply(&rules("nsg-locked-down.json", "routes-plain.json"), &plan, &mut report);
    let denied = finding(&report, "nsg-deny/management-endpoint:3443").unwrap();
    assert_eq!(denied.endpoints, ["management-endpoint/*:3443"]);
    assert_eq!(
        denied.fix.summary,
        "Allow TCP 3443 from ApiManagement to VirtualNetwork in the subnet's NSG, before rule DenyAllInBound (65500)."
    );
    // Whether clients come from outside, nobody said.
    assert_eq!(
        finding(&report, "nsg-deny/client-traffic:443").unwrap().confidence,
        Confidence::Low
    );
    assert_eq!(finding(&report, "nsg-deny/load-balancer:6390"), None);
    assert_eq!(finding(&report, "nsg-deny/traffic-manager:443"), None);
    let row = of(&report, "management-endpoint/");
    assert_eq!((row.verdict, row.cause), (Verdict::NotTested, Some(Cause::NotOutbound)));
    assert!(row.evidence[1].contains("DenyAllInBound"), "{:?}", row.evidence);
}

#[test]
fn replies_that_are_lost_become_a_finding() {
    let plan = plan();
    let mut report = report(&plan, &[]);
    beside::apply(&rules("nsg-forced.json", "routes-forced.json"), &plan, &mut report);
    let lost = finding(&report, "asymmetric-route/management-endpoint").unwrap();
    assert_eq!(
        (lost.confidence, &lost.suspects[..]),
        (Confidence::Certain, &[Suspect::Udr][..])
    );
    assert!(lost.title.ends_with("replies leave through 10.1.2.4"), "{}", lost.title);
    assert_eq!(lost.endpoints, ["management-endpoint/*:3443"]);
    // Everything counts as the virtual network, so its group lets the requests in.
    assert_eq!(finding(&report, "nsg-deny/management-endpoint:3443"), None);
}

#[test]
fn the_way_back_alone_is_one_finding() {
    let plan = plan();
    let mut report = report(&plan, &[]);
    report.vantage.vnet = Some(Vnet::Internal);
    let routes = Routes::parse(&fixture("routes-forced.json")).unwrap();
    beside::apply(&NetworkRules::new(None, Some(routes), None), &plan, &mut report);
    let ids: Vec<&str> = report.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["asymmetric-route/management-endpoint"]);
    assert_eq!(report.findings[0].endpoints, ["management-endpoint/*:3443"]);
}

#[test]
fn an_address_outside_its_tag_is_remarked() {
    let plan = plan();
    let mut report = report(&plan, &[("storage/", Verdict::Reachable, None, "52.239.1.1")]);
    beside::apply(
        &rules("nsg-nic-only.powershell.json", "routes-plain.json"),
        &plan,
        &mut report,
    );
    assert_eq!(
        of(&report, "storage/").evidence[1],
        "52.239.1.1 is not in the service tag Storage: a rule by tag does not cover that"
    );
}
