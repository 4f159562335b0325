//! What the network's own rules add to a diagnosis: evidence, suspects, confidence, and findings about traffic that no
//! probe can test.

use apim_probe::{
    diagnosis::{Diagnosis, outcome::Judgement},
    model::{Cause, Confidence, Finding, Fix, Suspect, Verdict, Vnet, prediction::Expected},
};

use super::{
    cases::{dependency, not_dns},
    network::{Fault, Network},
};

const NSG_LOCKED_DOWN: &[u8] = include_bytes!("../../data/network/nsg-locked-down.json");
const NSG_FORCED: &[u8] = include_bytes!("../../data/network/nsg-forced.json");
const NSG_NIC_ONLY: &[u8] = include_bytes!("../../data/network/nsg-nic-only.powershell.json");
const ROUTES_PLAIN: &[u8] = include_bytes!("../../data/network/routes-plain.json");
const ROUTES_FORCED: &[u8] = include_bytes!("../../data/network/routes-forced.json");
const ROUTES_PRECEDENCE: &[u8] = include_bytes!("../../data/network/routes-precedence.json");
const SERVICE_TAGS: &[u8] = include_bytes!("../../data/network/service-tags.json");

/// A healthy network with these rules, in which SQL and Key Vault have addresses in their tags; only these dependencies
/// are checked among those that the rules deny.
fn network_with_rules(nsg: &[u8], routes: &[u8], only: &[&str]) -> Network {
    Network::healthy()
        .only(only)
        .effective_rules(Some(nsg), routes, SERVICE_TAGS)
        .resolving_to(dependency("sql"), "20.61.99.193")
        .resolving_to(dependency("key-vault"), "20.43.56.38")
}

/// A network whose rules deny something that the instance needs.
pub(super) fn locked_down() -> Network {
    network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &[])
}

/// A network whose replies to the management traffic leave through a firewall.
pub(super) fn forced_tunnelling() -> Network {
    Network::healthy().effective_rules(Some(NSG_FORCED), ROUTES_FORCED, SERVICE_TAGS)
}

fn judgement_of<'a>(network: &Network, diagnosis: &'a Diagnosis, dependency: &str) -> &'a Judgement {
    let rows = network.plan().endpoints.iter().zip(&diagnosis.judgements);
    let mut of = rows.filter(|(endpoint, _)| endpoint.dependency == dependency);
    of.next().unwrap().1
}

fn finding<'a>(diagnosis: &'a Diagnosis, id: &str) -> Option<&'a Finding> {
    diagnosis.findings.iter().find(|finding| finding.id == id)
}

#[test]
fn all_public_hosts_silent_points_at_the_default_route() {
    let silent = Network::healthy().fault(not_dns, &Fault::Silent);
    let first = |network: Network| network.findings().swap_remove(0);
    let nothing_known = first(silent.clone());
    assert_eq!(
        (nothing_known.id.as_str(), nothing_known.confidence),
        ("no-outbound/internet", Confidence::Medium)
    );
    assert!(nothing_known.title.contains("nothing is known about the instance"));
    let elsewhere = first(silent.effective_rules(None, ROUTES_FORCED, SERVICE_TAGS));
    assert_eq!(
        (elsewhere.id.as_str(), elsewhere.confidence, elsewhere.suspects.first()),
        (
            "way-out/default-route",
            Confidence::High,
            Some(&Suspect::FirewallNetworkRule)
        )
    );
    assert!(
        elsewhere.title.ends_with("0.0.0.0/0 leads to the appliance 10.1.2.4"),
        "{}",
        elsewhere.title
    );
}

const SQL_DENIED: &str = "NSG rule DenyInternet (4096, subnet) denies TCP 1433 to 20.61.99.193";

#[test]
fn silence_predicted_by_an_nsg_deny_is_certain() {
    let network = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql", "key-vault"])
        .fault(dependency("sql"), &Fault::Silent);
    let diagnosis = network.diagnosis();
    assert_eq!(
        judgement_of(&network, &diagnosis, "sql").evidence.last().unwrap(),
        SQL_DENIED
    );
    let found = finding(&diagnosis, "silence/tcp-1433").unwrap();
    assert_eq!(
        (found.confidence, &found.suspects[..]),
        (Confidence::Certain, &[Suspect::Nsg][..])
    );
    assert_eq!(found.evidence[0], SQL_DENIED);
    let fix = &found.fix.summary;
    assert!(
        fix.ends_with("in the subnet's NSG, before DenyInternet (4096)."),
        "{fix}"
    );
    let rows = network.plan().endpoints.iter().zip(&diagnosis.predictions);
    let sql: Vec<Expected> = rows
        .filter(|(endpoint, _)| endpoint.dependency == "sql")
        .map(|(_, prediction)| prediction.as_ref().unwrap().verdict)
        .collect();
    assert_eq!(sql, [Expected::Deny]);
    assert_eq!(diagnosis.predictions.len(), network.plan().endpoints.len());
}

#[test]
fn silent_regional_gateways_are_never_certain() {
    let gateways = Network::healthy()
        .without_instance_names()
        .only(&["sql"])
        .effective_rules(Some(NSG_LOCKED_DOWN), ROUTES_PLAIN, SERVICE_TAGS);
    let diagnosis = gateways.fault(dependency("sql"), &Fault::Silent).diagnosis();
    let found = finding(&diagnosis, "silence/tcp-1433").unwrap();
    assert_eq!(
        (found.confidence, &found.suspects[..]),
        (Confidence::High, &[Suspect::Nsg][..])
    );
}

#[test]
fn silence_despite_allow_rules_points_at_the_next_hop() {
    let behind =
        network_with_rules(NSG_NIC_ONLY, ROUTES_FORCED, &["key-vault"]).fault(dependency("key-vault"), &Fault::Silent);
    let diagnosis = behind.diagnosis();
    let words = "allowed, next hop is 10.1.2.4: check the firewall there";
    assert_eq!(
        judgement_of(&behind, &diagnosis, "key-vault").evidence.last().unwrap(),
        words
    );
    let found = finding(&diagnosis, "silence/tag-azure-key-vault").unwrap();
    assert_eq!(found.suspects, [Suspect::FirewallNetworkRule]);
    assert_eq!(found.confidence, Confidence::High);

    let immediate =
        network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["key-vault"]).fault(dependency("key-vault"), &Fault::Silent);
    let diagnosis = immediate.diagnosis();
    let sentence = judgement_of(&immediate, &diagnosis, "key-vault")
        .evidence
        .last()
        .unwrap();
    assert!(sentence.contains("security admin rule"), "{sentence}");
    let found = finding(&diagnosis, "silence/tag-azure-key-vault").unwrap();
    assert_eq!(found.suspects, [Suspect::VmNicNsg, Suspect::Nsg]);
}

#[test]
fn deny_on_the_vm_nic_suspects_only_the_nic_nsg() {
    let diagnosis = network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["sql"])
        .fault(dependency("sql"), &Fault::Silent)
        .diagnosis();
    let found = finding(&diagnosis, "silence/tcp-1433").unwrap();
    assert_eq!(found.suspects, [Suspect::VmNicNsg]);
    assert!(found.evidence[0].starts_with("NSG rule DenySql (100, NIC)"));
}

#[test]
fn route_with_next_hop_none_suspects_the_udr() {
    let network = network_with_rules(NSG_NIC_ONLY, ROUTES_PRECEDENCE, &["key-vault"])
        .fault(dependency("key-vault"), &Fault::Silent);
    let diagnosis = network.diagnosis();
    let found = finding(&diagnosis, "silence/tag-azure-key-vault").unwrap();
    assert_eq!(
        (found.confidence, &found.suspects[..]),
        (Confidence::Certain, &[Suspect::Udr][..])
    );
}

/// Changing something that is not at fault has no effect, however well the change is written.
#[test]
fn fix_changes_only_the_component_at_fault() {
    let fix = |network: Network, id: &str| finding(&network.diagnosis(), id).unwrap().fix.clone();
    let lines = |fix: &Fix, start: &str| fix.change.iter().filter(|line| line.starts_with(start)).count();
    let (group, firewall) = ("az network nsg rule create", "az network firewall policy");

    let sql = || dependency("sql");
    let denied = fix(
        network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(sql(), &Fault::Silent),
        "silence/tcp-1433",
    );
    assert_eq!((lines(&denied, group), lines(&denied, firewall)), (1, 0));

    let vault = || dependency("key-vault");
    let behind = fix(
        network_with_rules(NSG_NIC_ONLY, ROUTES_FORCED, &["key-vault"]).fault(vault(), &Fault::Silent),
        "silence/tag-azure-key-vault",
    );
    assert!(
        behind.summary.contains("the firewall at 10.1.2.4"),
        "{}",
        behind.summary
    );
    assert_eq!(lines(&behind, group), 0);
    assert!(lines(&behind, firewall) > 1, "{:?}", behind.change);

    // An NSG of this VM alone concerns only this VM.
    let own = fix(
        network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["sql"]).fault(sql(), &Fault::Silent),
        "silence/tcp-1433",
    );
    assert!(
        own.summary.contains("network interface, before DenySql (100)"),
        "{}",
        own.summary
    );
    assert_eq!(own.change, Vec::<String>::new());

    let nowhere = fix(
        network_with_rules(NSG_NIC_ONLY, ROUTES_PRECEDENCE, &["key-vault"]).fault(vault(), &Fault::Silent),
        "silence/tag-azure-key-vault",
    );
    assert!(
        nowhere.summary.starts_with("Change the next hop of the route "),
        "{}",
        nowhere.summary
    );
    assert_eq!((lines(&nowhere, group), lines(&nowhere, firewall)), (0, 0));

    let out = fix(
        network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["key-vault"]).fault(vault(), &Fault::Silent),
        "silence/tag-azure-key-vault",
    );
    assert!(out.summary.contains("NAT gateway"), "{}", out.summary);
    assert_eq!(out.change, Vec::<String>::new());
}

#[test]
fn fix_rules_match_the_rules_command() {
    for (nsg, routes) in [
        (NSG_LOCKED_DOWN, ROUTES_PLAIN),
        (NSG_LOCKED_DOWN, ROUTES_FORCED),
        (NSG_NIC_ONLY, ROUTES_FORCED),
        (NSG_NIC_ONLY, ROUTES_PRECEDENCE),
    ] {
        for fault in [Fault::Silent, Fault::CutReset] {
            let network = Network::healthy()
                .effective_rules(Some(nsg), routes, SERVICE_TAGS)
                .fault(|_| true, &fault);
            super::check_rules_match_the_command("network with rules", &network, &network.findings()).unwrap();
        }
    }
}

#[test]
fn refuted_prediction_is_reported_and_changes_no_verdict() {
    let open = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]);
    let diagnosis = open.diagnosis();
    let sql = judgement_of(&open, &diagnosis, "sql");
    assert_eq!(
        sql.evidence.last().unwrap(),
        &format!("predicted deny ({SQL_DENIED}), but it answers: the rules in force differ from the given ones")
    );
    assert_eq!(sql.verdict, Verdict::Reachable);
    // A reset is an answer: an NSG drops silently.
    let reset = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(dependency("sql"), &Fault::CutReset);
    let diagnosis = reset.diagnosis();
    let sentence = judgement_of(&reset, &diagnosis, "sql").evidence.last().unwrap();
    assert!(sentence.ends_with("but something answers"), "{sentence}");
    let found = &diagnosis.findings[0];
    assert_eq!(found.cause, Some(Cause::HelloReset));
    assert_ne!(found.confidence, Confidence::Certain);
    assert!(found.suspects.len() > 1, "{:?}", found.suspects);
}

#[test]
fn rules_refuted_by_an_answer_are_ignored() {
    // The rules deny both: Event Hubs gets no reply, and SQL answers.
    let refuting = network_with_rules(
        NSG_LOCKED_DOWN,
        ROUTES_PLAIN,
        &["sql", "event-hubs", "management-endpoint"],
    )
    .fault(dependency("event-hubs"), &Fault::Silent);
    let diagnosis = refuting.diagnosis();
    let sentence = diagnosis.refutation.as_deref().unwrap();
    assert!(
        sentence.starts_with(
            "the given rules do not match the measurements: they are from another network interface, or outdated. "
        ),
        "{sentence}"
    );
    assert!(
        sentence.contains("sql/apirpsql1.database.windows.net:1433, which they deny, answers"),
        "{sentence}"
    );
    // So they do not explain missing replies,
    let without = Network::healthy().only(&["sql", "event-hubs"]);
    let plain = without.fault(dependency("event-hubs"), &Fault::Silent).diagnosis();
    let of_the_hubs = |diagnosis: &Diagnosis| {
        let is_of_them = |finding: &&Finding| finding.endpoints.iter().any(|id| id.starts_with("event-hubs/"));
        diagnosis.findings.iter().find(is_of_them).unwrap().clone()
    };
    let (found, unruled) = (of_the_hubs(&diagnosis), of_the_hubs(&plain));
    assert_eq!(
        (found.confidence, &found.suspects),
        (unruled.confidence, &unruled.suspects)
    );
    assert_eq!(found.evidence, unruled.evidence);
    assert_eq!(found.fix.summary, unruled.fix.summary);
    let hub = judgement_of(&refuting, &diagnosis, "event-hubs");
    assert!(
        !hub.evidence.iter().any(|line| line.contains("DenyInternet")),
        "{:?}",
        hub.evidence
    );
    // but their predictions for inbound traffic, which no probe can refute, stay.
    assert!(finding(&diagnosis, "nsg-deny/management-endpoint:3443").is_some());
    // Their predictions stay in the document.
    assert!(
        diagnosis
            .predictions
            .iter()
            .flatten()
            .any(|prediction| prediction.verdict == Expected::Deny)
    );
}

#[test]
fn missing_reply_or_icmp_error_does_not_refute_the_rules() {
    let silent =
        network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["key-vault"]).fault(dependency("key-vault"), &Fault::Silent);
    assert_eq!(silent.diagnosis().refutation, None);
    // Nor does an ICMP error from a device on the path.
    let unreachable = Fault::Icmp {
        sender: "10.1.2.1".parse().unwrap(),
        kind: 3,
        code: 13,
    };
    let refused = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(dependency("sql"), &unreachable);
    assert_eq!(refused.diagnosis().refutation, None);
    let silent = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(dependency("sql"), &Fault::Silent);
    assert_eq!(silent.diagnosis().refutation, None);
    for answer in [Fault::Refused, Fault::CutReset] {
        let answers = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(dependency("sql"), &answer);
        assert!(answers.diagnosis().refutation.is_some(), "{answer:?}");
    }
}

#[test]
fn unresolved_name_is_not_explained_by_nsg_rules() {
    let fault = Fault::Nxdomain {
        authority: None,
        alias: None,
    };
    let with = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &["sql"]).fault(dependency("sql"), &fault);
    let without = Network::healthy().only(&["sql"]).fault(dependency("sql"), &fault);
    let diagnosis = with.diagnosis();
    let plain = without.diagnosis();
    assert_eq!(
        judgement_of(&with, &diagnosis, "sql").evidence,
        judgement_of(&without, &plain, "sql").evidence
    );
    let first = &plain.findings[0];
    assert_eq!(finding(&diagnosis, &first.id), Some(first));
}

#[test]
fn denied_inbound_traffic_becomes_a_finding() {
    let network = network_with_rules(NSG_LOCKED_DOWN, ROUTES_PLAIN, &[]).fault(dependency("sql"), &Fault::Silent);
    let diagnosis = network.diagnosis();
    let denied = finding(&diagnosis, "nsg-deny/management-endpoint:3443").unwrap();
    assert_eq!(denied.endpoints, ["management-endpoint/*:3443"]);
    assert_eq!(
        denied.fix.summary,
        "Allow TCP 3443 from ApiManagement to VirtualNetwork in the subnet's NSG, before DenyAllInBound (65500)."
    );
    let [allow] = denied.fix.change.as_slice() else {
        panic!("{:?}", denied.fix.change)
    };
    for part in [
        "--name apim-in-ApiManagement-tcp-3443 ",
        "--direction Inbound ",
        "--source-address-prefixes ApiManagement ",
    ] {
        assert!(allow.contains(part), "{allow}");
    }
    // It is not known whether clients are outside.
    assert_eq!(
        finding(&diagnosis, "nsg-deny/client-traffic:443").unwrap().confidence,
        Confidence::Low
    );
    assert_eq!(finding(&diagnosis, "nsg-deny/load-balancer:6390"), None);
    assert_eq!(finding(&diagnosis, "nsg-deny/traffic-manager:443"), None);
    let row = judgement_of(&network, &diagnosis, "management-endpoint");
    assert_eq!((row.verdict, row.cause), (Verdict::NotTested, Some(Cause::NotOutbound)));
    assert!(row.evidence[0].contains("DenyAllInBound"), "{:?}", row.evidence);
}

#[test]
fn asymmetric_route_becomes_a_finding() {
    let network = Network::healthy().effective_rules(Some(NSG_FORCED), ROUTES_FORCED, SERVICE_TAGS);
    let diagnosis = network.diagnosis();
    let lost = finding(&diagnosis, "asymmetric-route/management-endpoint").unwrap();
    assert!(
        lost.fix.change[0].contains("--name apim-management --address-prefix ApiManagement "),
        "{:?}",
        lost.fix.change
    );
    assert_eq!(
        (lost.confidence, &lost.suspects[..]),
        (Confidence::Certain, &[Suspect::Udr][..])
    );
    assert!(
        lost.title.ends_with("but replies leave through 10.1.2.4"),
        "{}",
        lost.title
    );
    assert_eq!(lost.endpoints, ["management-endpoint/*:3443"]);
    // Everything counts as the virtual network, so its NSG allows the requests.
    assert_eq!(finding(&diagnosis, "nsg-deny/management-endpoint:3443"), None);
}

#[test]
fn asymmetric_route_is_found_without_nsg_rules() {
    let network = Network::healthy()
        .in_vnet(Vnet::Internal)
        .effective_rules(None, ROUTES_FORCED, SERVICE_TAGS);
    let findings = network.diagnosis().findings;
    let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["asymmetric-route/management-endpoint"]);
    assert_eq!(findings[0].endpoints, ["management-endpoint/*:3443"]);
}

#[test]
fn address_outside_its_service_tag_is_noted() {
    let network =
        network_with_rules(NSG_NIC_ONLY, ROUTES_PLAIN, &["storage"]).resolving_to(dependency("storage"), "52.239.1.1");
    assert_eq!(
        judgement_of(&network, &network.diagnosis(), "storage")
            .evidence
            .last()
            .unwrap(),
        "52.239.1.1 is not in the service tag Storage: a rule with this tag does not cover that"
    );
}
