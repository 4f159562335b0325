//! The table of rules: every kind has a meaning, a rule and a case.

use std::collections::BTreeSet;

use apim_probe::{
    diagnosis::findings::RULES,
    import::{
        subnets::{EndpointPolicy, NetworkInterface, Subnet, Subnets},
        view::{InstanceView, Location},
    },
    model::{Cause, FindingKind},
};

use super::{
    cases::{all, dependency, healthy, host, port},
    network::{Fault, Network, Server},
    predictions,
};

/// Networks in which a later finding matters, not the first one.
fn networks_with_later_findings() -> Vec<Network> {
    let gone = Fault::Nxdomain {
        authority: Some("com"),
        alias: None,
    };
    let elsewhere = InstanceView {
        locations: vec![Location {
            region: None,
            name_servers: vec!["10.9.9.9".into()],
            statuses: Vec::new(),
        }],
        remarks: Vec::new(),
    };
    vec![
        healthy().fault(host("csp.digicert.com"), &gone),
        healthy().fault(port(80), &super::AZURE_FIREWALL_DENY),
        healthy().instance_view(elsewhere),
        healthy().with_subnets(differing_subnets()),
        Network::with_name_servers(&[("127.0.0.53", Server::Silent)]),
        predictions::locked_down(),
        predictions::forced_tunnelling().fault(super::not_dns, &Fault::Silent),
        predictions::forced_tunnelling(),
    ]
}

/// Two subnets with different rules, and a policy on the instance's.
fn differing_subnets() -> Subnets {
    let subnet = |name: &str| Subnet {
        id: format!("/vnet/subnets/{name}"),
        security_group: Some(format!("/nsg-{name}")),
        service_endpoints: vec!["Microsoft.Storage".into()],
        policies: vec!["/policies/ours".into()],
        ..Subnet::default()
    };
    Subnets {
        here: Some((NetworkInterface::default(), subnet("vm"))),
        instance: Some(subnet("apim")),
        policies: vec![EndpointPolicy {
            id: "/policies/ours".into(),
            storage: vec!["/subscriptions/1".into()],
        }],
    }
}

#[test]
fn nsg_or_endpoint_policy_of_one_subnet_only_is_reported() {
    let findings = |subnets| {
        let found = healthy().with_subnets(subnets).diagnosis().findings;
        found
            .into_iter()
            .map(|finding| (finding.id, finding.title))
            .collect::<Vec<_>>()
    };
    let [policy, rules] = &findings(differing_subnets())[..] else {
        panic!()
    };
    assert!(policy.0 == "endpoint-policy/ours" && policy.1.contains("storage accounts"));
    assert!(rules.0 == "other-rules/subnet" && rules.1.contains("same NSG:"));
    let mut shared = differing_subnets();
    shared.instance = shared.here.as_ref().map(|(_, subnet)| subnet.clone());
    shared.policies.clear();
    assert_eq!(findings(shared.clone()), []);
    // An instance never has an NSG on a network interface.
    shared.here.as_mut().unwrap().0.security_group = Some("/nsg-card".into());
    let found = findings(shared);
    assert!(found.len() == 1 && found[0].1.contains("same NSG:"), "{found:?}");
    let unknown = Subnets {
        instance: None,
        policies: Vec::new(),
        ..differing_subnets()
    };
    assert_eq!(findings(unknown), []);
}

#[test]
fn every_finding_kind_has_a_rule_and_a_case() {
    let known: BTreeSet<FindingKind> = FindingKind::ALL.iter().copied().collect();
    let ruled: BTreeSet<FindingKind> = RULES.iter().map(|rule| rule.kind).collect();
    assert_eq!(ruled, known, "a rule or a kind is missing");
    let networks = all()
        .into_iter()
        .map(|case| case.network)
        .chain(networks_with_later_findings());
    let seen: BTreeSet<FindingKind> = networks
        .flat_map(|network| network.diagnosis().findings)
        .filter_map(|finding| finding.kind)
        .collect();
    let missing: Vec<&FindingKind> = known.difference(&seen).collect();
    assert!(missing.is_empty(), "no case finds {missing:?}");
}

/// The first half of an id is always its kind, whatever the causes of the endpoints.
#[test]
fn finding_id_starts_with_its_kind() {
    for network in all()
        .into_iter()
        .map(|case| case.network)
        .chain(networks_with_later_findings())
    {
        for finding in network.diagnosis().findings {
            let kind = finding.kind.expect("a kind");
            assert_eq!(finding.id.split('/').next(), Some(kind.as_str()));
            assert_eq!(finding.docs.as_deref(), Some(kind.docs()));
        }
    }
}

#[test]
fn mixed_causes_do_not_change_the_finding_id() {
    let first = |network: Network| network.findings().into_iter().next().expect("a finding");
    let one = first(healthy().fault(dependency("defender"), &Fault::CutReset));
    let mixed = healthy().fault(dependency("defender"), &Fault::CutReset);
    let mixed = first(mixed.fault(dependency("captcha"), &Fault::CutClosed));
    assert_eq!(
        (one.id.as_str(), one.cause),
        ("name-filter/names", Some(Cause::TlsReset))
    );
    assert_eq!((mixed.id.as_str(), mixed.cause), ("name-filter/names", None));
}
