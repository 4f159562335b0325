//! Name servers that fail in one way and work in another: the finding, and what to change where.

use apim_probe::model::{Confidence, Finding};

use super::{
    cases::{CUSTOM_DNS, dependency, host},
    network::{Fault, Network, Server},
};

const PLATFORM: &str = "168.63.129.16";

fn first(network: &Network) -> Finding {
    network.findings().into_iter().next().expect("a finding")
}

fn dns(does: Server) -> Network {
    Network::with_name_servers(&[(CUSTOM_DNS, does)])
}

/// All texts of a finding.
fn all_text(finding: &Finding) -> String {
    format!(
        "{} | {} | {} | {:?}",
        finding.title,
        finding.evidence.join(". "),
        finding.fix.summary,
        finding.fix.look
    )
}

#[test]
fn server_that_accepts_tcp_and_never_answers_needs_forwarders() {
    for network in [
        dns(Server::AcceptsTcpNeverAnswers),
        Network::with_name_servers(&[
            (CUSTOM_DNS, Server::AcceptsTcpNeverAnswers),
            ("10.0.0.5", Server::AcceptsTcpNeverAnswers),
        ]),
    ] {
        let finding = first(&network);
        assert!(finding.fix.summary.contains("forwarders"), "{}", all_text(&finding));
        assert!(!finding.fix.summary.contains("Start"), "{}", all_text(&finding));
    }
    // Two servers, two faults: each gets its own fix.
    let both = first(&Network::with_name_servers(&[
        (CUSTOM_DNS, Server::AcceptsTcpNeverAnswers),
        ("10.0.0.5", Server::NotListening),
    ]));
    for phrase in ["forwarders", "service on 10.0.0.5", "nothing listens", "accepts TCP 53"] {
        assert!(all_text(&both).contains(phrase), "{phrase}: {}", all_text(&both));
    }
}

#[test]
fn truncated_reply_suggests_opening_tcp_53() {
    for network in [
        dns(Server::Truncates),
        dns(Server::Working).fault(host("apirpsql1.database.windows.net"), &Fault::ReplyTruncated),
        dns(Server::Working).fault(dependency("storage"), &Fault::ReplyTruncated),
    ] {
        let finding = first(&network);
        assert!(
            finding.fix.summary.contains("Open TCP 53 on 10.0.0.4"),
            "{}",
            all_text(&finding)
        );
        assert!(!all_text(&finding).contains("zones"), "{}", all_text(&finding));
        assert!(finding.title.contains("refuses TCP 53"), "{}", all_text(&finding));
    }
}

#[test]
fn accepted_tcp_53_needs_no_allow_rule() {
    let finding = first(&dns(Server::NoAnswerOverTcp));
    assert_eq!(finding.id, "name-server/10.0.0.4");
    for phrase in ["NSG", "Open TCP 53", "Allow"] {
        assert!(!all_text(&finding).contains(phrase), "{phrase}: {}", all_text(&finding));
    }
    assert!(
        finding.fix.summary.contains("does not answer"),
        "{}",
        all_text(&finding)
    );
}

/// Some queries are lost, refused or failed while others in the same zone are answered: a rate limit, not a missing
/// zone.
#[test]
fn rate_limited_queries_are_not_a_missing_zone() {
    for fault in [Fault::NameUnanswered, Fault::NameRefused, Fault::Servfail] {
        let network = dns(Server::Working).fault(host("sws.update.microsoft.com"), &fault);
        let neighbours = network
            .plan()
            .endpoints
            .iter()
            .filter(|e| e.host.ends_with(".update.microsoft.com"));
        assert!(neighbours.count() > 1, "nothing to compare with");
        let finding = first(&network);
        assert!(finding.id.starts_with("some-names/"), "{}", all_text(&finding));
        assert!(
            finding.confidence <= Confidence::Medium,
            "{fault:?}: {}",
            all_text(&finding)
        );
        assert!(
            finding.fix.summary.contains("rate-limits"),
            "{fault:?}: {}",
            all_text(&finding)
        );
        assert!(
            !finding.fix.summary.contains("forward"),
            "{fault:?}: {}",
            all_text(&finding)
        );
    }
    // No other name in the zone was queried: it may be the zone, and may be random.
    let lone = first(&dns(Server::Working).fault(host("apirpsql1.database.windows.net"), &Fault::NameUnanswered));
    assert_eq!(lone.confidence, Confidence::Medium, "{}", all_text(&lone));
    assert!(
        all_text(&lone).contains("may also have been lost"),
        "{}",
        all_text(&lone)
    );
}

#[test]
fn fix_never_asks_to_configure_the_platform_name_server() {
    for does in Server::FAILING {
        for finding in Network::with_name_servers(&[(PLATFORM, does)]).findings() {
            let fix = &finding.fix.summary;
            for phrase in [
                "forward to 168",
                "forward what",
                "forward other",
                "Start 168",
                "on 168.63.129.16",
                "Have 168",
                "Configure 168",
            ] {
                assert!(!fix.contains(phrase), "{does:?}: {}", all_text(&finding));
            }
        }
    }
    for fault in [
        Fault::Servfail,
        Fault::NameRefused,
        Fault::NameUnanswered,
        Fault::Nxdomain {
            authority: Some("net"),
            alias: None,
        },
    ] {
        let finding = first(&Network::healthy().fault(dependency("sql"), &fault));
        assert!(
            !finding.fix.summary.contains("forward to 168"),
            "{}",
            all_text(&finding)
        );
    }
    let differ = Network::with_name_servers(&[(CUSTOM_DNS, Server::Working), (PLATFORM, Server::Working)])
        .fault(dependency("entra-id"), &Fault::SecondServerNxdomain);
    let finding = first(&differ);
    assert!(
        finding.id.starts_with("dns-differs/") && finding.fix.summary.contains("other name servers"),
        "{}",
        all_text(&finding)
    );
    // The finding about another server that fails is reported as well.
    let beside = Network::with_name_servers(&[(CUSTOM_DNS, Server::AnswersServfail), (PLATFORM, Server::Working)]);
    let finding = first(&beside);
    assert!(
        finding.fix.summary.contains("Repair the forwarders of 10.0.0.4"),
        "{}",
        all_text(&finding)
    );
}

/// If a NAT has run out of ports, TCP 53 gets no reply like everything else that is new, while UDP queries get through.
#[test]
fn silent_tcp_53_needs_a_late_connection_for_high_confidence() {
    let silent = || dns(Server::UdpOnly);
    let cut_short = || dns(Server::Working).fault(dependency("storage"), &Fault::ReplyTruncated);
    for (network, confidence, phrase) in [
        (
            silent().late_connection(true),
            Confidence::High,
            "so connections get out",
        ),
        (
            silent().late_connection(false),
            Confidence::Medium,
            "SNAT port exhaustion, a link",
        ),
        (silent(), Confidence::Medium, "connections may be lost"),
        (cut_short(), Confidence::High, "refuses TCP 53"),
    ] {
        let finding = first(&network);
        assert_eq!(finding.confidence, confidence, "{}", all_text(&finding));
        assert!(all_text(&finding).contains(phrase), "{phrase}: {}", all_text(&finding));
    }
}
