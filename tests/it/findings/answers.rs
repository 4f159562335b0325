//! Answers from other devices: pages, certificates, and errors that identify their sender.

use apim_probe::model::{Finding, Suspect, Verdict};

use super::{
    cases::{dependency, healthy, host, icmp, port},
    network::{Fault, Network, addresses},
};

fn verdict(network: &Network, id: &str) -> Verdict {
    let judged = network.plan().endpoints.iter().zip(network.diagnosis().judgements);
    let found = judged.map(|(endpoint, judgement)| (endpoint.id.clone(), judgement.verdict));
    found
        .clone()
        .find(|(known, _)| known == id)
        .unwrap_or_else(|| panic!("no {id} in {:?}", found.collect::<Vec<_>>()))
        .1
}

const LINK: &str = "microsoft-links/go.microsoft.com:80";

#[test]
fn page_is_unproven_if_other_hosts_replace_objects_by_pages() {
    let link = host("go.microsoft.com");
    let page = |body| Fault::Page { status: 200, body };
    let other = healthy().fault(|e| link(e) && e.port == 80, &page("<p>Hello</p>"));
    assert_eq!(verdict(&other, LINK), Verdict::Reachable, "nothing is replaced");
    let replaced = other
        .clone()
        .fault(host("crl3.digicert.com"), &page("<p>Please wait</p>"));
    assert_eq!(verdict(&replaced, LINK), Verdict::Unproven);
    // A missing file replaces nothing.
    let gone = other.fault(
        host("crl3.digicert.com"),
        &Fault::Page {
            status: 404,
            body: "<title>Not Found</title>",
        },
    );
    assert_eq!(verdict(&gone, LINK), Verdict::Reachable);
}

/// A number, a date and the host differ from page to page.
#[test]
fn block_pages_match_apart_from_host_and_numbers() {
    let page = |body| Fault::Page { status: 403, body };
    let network = healthy()
        .fault(
            host("crl3.digicert.com"),
            &page("<p>Not allowed here: http://crl3.digicert.com/ (case 4f11)"),
        )
        .fault(
            |e| host("crl.microsoft.com")(e) && e.port == 80,
            &page("<p>Not allowed  here: http://crl.microsoft.com/ (case 9c12)"),
        );
    let ids: Vec<String> = network.findings().into_iter().map(|finding| finding.id).collect();
    assert!(ids.iter().any(|id| id.starts_with("deny-page/page-")), "{ids:?}");
    // With only one owner, the page may be the owner's.
    let network = healthy().fault(
        |e| matches!(e.host.as_str(), "crl.microsoft.com" | "www.microsoft.com") && e.port == 80,
        &page("<p>Not allowed here.</p>"),
    );
    assert_eq!(network.findings(), [], "of one owner");
}

#[test]
fn icmp_port_unreachable_does_not_suspect_the_udr() {
    for code in [2, 3] {
        let Some(finding) = healthy()
            .fault(dependency("event-hubs"), &icmp(code))
            .findings()
            .into_iter()
            .next()
        else {
            panic!("no finding")
        };
        assert_eq!(finding.id, "icmp-refusal/10.1.2.4");
        assert!(
            finding.title.contains("10.1.2.4 rejects TCP 5671, 5672, 443"),
            "{}",
            finding.title
        );
        assert!(!finding.suspects.contains(&Suspect::Udr), "{:?}", finding.suspects);
    }
}

/// An NSG and a route drop silently: a device that answers with an error or a reset is neither.
#[test]
fn reset_or_icmp_error_suggests_no_nsg_change() {
    let by_itself = Fault::Icmp {
        sender: addresses("cache.example.net")[0],
        kind: 3,
        code: 3,
    };
    for (what, network) in [
        ("a reset of one", healthy().fault(dependency("redis"), &Fault::Refused)),
        ("a reset of all", healthy().fault(port(443), &Fault::Refused)),
        (
            "the target's own error",
            healthy().fault(dependency("redis"), &by_itself),
        ),
        ("a router's error", healthy().fault(dependency("sql"), &icmp(3))),
        ("a cut", healthy().fault(dependency("sql"), &Fault::CutReset)),
    ] {
        for finding in network.findings() {
            let Finding { fix, title, .. } = &finding;
            assert!(!fix.summary.contains("NSG"), "{what}: {title}: {}", fix.summary);
            assert!(
                !fix.change.iter().any(|line| line.contains("network nsg")),
                "{what}: {title}: {:?}",
                fix.change
            );
            assert!(!fix.summary.contains("to ."), "{what}: {title}: {}", fix.summary);
        }
    }
}
