//! What missing replies mean if nothing answers any more.

use std::time::Duration;

use apim_probe::model::{Confidence, Finding};

use super::{
    cases::{dependency, healthy, port},
    network::{Fault, Network},
};

/// The finding with this id.
fn finding(network: &Network, id: &str) -> Finding {
    let mut findings = network.findings().into_iter();
    findings.find(|finding| finding.id == id).unwrap()
}

/// If a NAT runs out of ports during the run, nothing that comes later is answered.
#[test]
fn silence_needs_a_later_reply_for_high_confidence() {
    let later = Duration::from_secs(3);
    for (id, whose) in [("silence/tcp-1433", port(1433)), ("kms-silence/kms", port(1688))] {
        let silent = healthy().fault(whose, &Fault::Silent);
        for (network, confidence, says) in [
            (silent.clone(), Confidence::High, None),
            (
                silent.clone().silent_hosts_tried_after(later),
                Confidence::Medium,
                Some("later connection to a public IPv4 address was answered"),
            ),
            (
                silent.clone().silent_hosts_tried_after(later).late_connection(true),
                Confidence::High,
                None,
            ),
            (
                silent.silent_hosts_tried_after(later).late_connection(false),
                Confidence::Medium,
                Some("but not a later one"),
            ),
        ] {
            let finding = finding(&network, id);
            assert_eq!(finding.confidence, confidence, "{id}: {:#?}", finding.evidence);
            if let Some(says) = says {
                assert!(
                    finding.evidence.iter().any(|it| it.contains(says)),
                    "{:#?}",
                    finding.evidence
                );
            }
        }
    }
}

/// An answer from a private network shows nothing about a NAT.
#[test]
fn reply_from_a_private_address_shows_nothing_about_the_nat() {
    let silent = healthy()
        .only(&["sql", "key-vault"])
        .fault(dependency("sql"), &Fault::Silent);
    assert_eq!(finding(&silent, "silence/tcp-1433").confidence, Confidence::High);
    let inside = silent.resolving_to(dependency("key-vault"), "10.1.2.5");
    assert_eq!(finding(&inside, "silence/tcp-1433").confidence, Confidence::Medium);
}
