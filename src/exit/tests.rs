//! The statuses as a table: one run per row, each endpoint in one word.

use jiff::Timestamp;

use super::judge;
use crate::{
    azure::Cloud,
    model::{
        Agent, Cause, Direction, DnsStage, EndpointReport, ExitStatus, Expect, FailOn, Need, Overall, Policy, Protocol,
        Report, SCHEMA, SelectionReport, StageOutcome, StageReports, Summary, Transport, VantageReport, VantageSource,
        Verdict,
    },
};

/// An endpoint from `R:reachable`: its need (`R`, `F`, `D`; followed by `!` if it must be blocked), its verdict, and
/// after a slash its cause. `~` before the verdict: its name was looked up.
fn endpoint(word: &str) -> EndpointReport {
    let (need, rest) = word.split_once(':').unwrap();
    let (verdict, cause) = match rest.split_once('/') {
        Some((verdict, cause)) => (verdict, Some(cause.parse::<Cause>().unwrap())),
        None => (rest, None),
    };
    let (looked_up, verdict) = match verdict.strip_prefix('~') {
        Some(verdict) => (true, verdict),
        None => (false, verdict),
    };
    let verdict = match verdict {
        "reachable" => Verdict::Reachable,
        "degraded" => Verdict::Degraded,
        "blocked" => Verdict::Blocked,
        "unproven" => Verdict::Unproven,
        "not-tested" => Verdict::NotTested,
        other => panic!("{other} is not a verdict"),
    };
    let expect = if need.ends_with('!') {
        Expect::Blocked
    } else {
        Expect::Reachable
    };
    let failed_lookup = cause.is_some_and(|c| c.as_str().starts_with("dns-"));
    let as_expected = match verdict {
        Verdict::Reachable | Verdict::Degraded => Some(expect == Expect::Reachable),
        Verdict::Blocked => Some(expect == Expect::Blocked && !failed_lookup),
        Verdict::Unproven | Verdict::NotTested => None,
    };
    let dns = looked_up.then(|| DnsStage {
        outcome: StageOutcome::Failed(Cause::DnsNxdomain),
        ms: 1.0,
        server: None,
        rcode: None,
        cnames: vec![],
        addresses: vec![],
    });
    EndpointReport {
        id: "sql/{sql_server}.database.example:1433".into(),
        dependency: "sql".into(),
        title: "Azure SQL".into(),
        service_tag: None,
        need: match need.trim_end_matches('!') {
            "R" => Need::Required,
            "F" => Need::Feature,
            "D" => Need::Documented,
            other => panic!("{other} is not a need"),
        },
        feature: None,
        host: "{sql_server}.database.example".into(),
        pattern: None,
        port: 1433,
        transport: Transport::Tcp,
        protocol: Protocol::Tds,
        direction: Direction::Outbound,
        source_tag: None,
        verdict,
        cause,
        detail: "Too many open files.".into(),
        evidence: vec![],
        expect,
        as_expected,
        duration_ms: None,
        flows: None,
        stages: StageReports {
            dns,
            ..StageReports::default()
        },
        predicted: None,
        from_instance: None,
        elsewhere: None,
    }
}

fn report(words: &str) -> Report {
    let endpoints: Vec<EndpointReport> = words.split_whitespace().map(endpoint).collect();
    Report {
        schema: SCHEMA.into(),
        agent: Agent {
            version: String::new(),
            catalog_documented: None,
            catalog_sha256: String::new(),
            tier: crate::model::Tier::default(),
        },
        started_at: Timestamp::UNIX_EPOCH,
        duration_ms: 1.0,
        complete: true,
        redacted: false,
        vantage: VantageReport {
            cloud: Cloud::Public,
            region: None,
            vnet: None,
            source: VantageSource::Default,
            standing: None,
            metadata_failure: None,
            instance_subnet: None,
            host: None,
            addresses: vec![],
            subnet: None,
            clock_skew_ms: None,
            resolvers: vec![],
            control_name: None,
            imports: vec![],
            notices: vec![],
        },
        selection: SelectionReport::default(),
        exit: None,
        summary: Summary::of(&endpoints),
        findings: vec![],
        endpoints,
    }
}

const UNSET: Option<FailOn> = None;
const REQUIRED: Option<FailOn> = Some(FailOn::Required);
const ANY: Option<FailOn> = Some(FailOn::Any);
const NEVER: Option<FailOn> = Some(FailOn::Never);

#[rustfmt::skip]
const TABLE: &[(&str, Option<FailOn>, bool, u8)] = &[
    // Everything works.
    ("R:reachable",                                          UNSET,    false, 0),
    ("R:degraded",                                           UNSET,    false, 0),
    ("R:reachable R:degraded F:reachable",                   UNSET,    false, 0),
    ("",                                                     UNSET,    false, 0),
    // Required and blocked.
    ("R:blocked/tcp-timeout",                                UNSET,    false, 1),
    ("R:blocked/tcp-timeout",                                REQUIRED, false, 1),
    ("R:blocked/tcp-timeout",                                ANY,      false, 1),
    ("R:blocked/tcp-timeout",                                NEVER,    false, 0),
    ("R:blocked/tcp-timeout",                                UNSET,    true,  1),
    ("R:reachable R:blocked/tls-untrusted",                  UNSET,    false, 1),
    // A feature's endpoint decides on request, or if nothing required is selected.
    ("R:reachable F:blocked/tcp-timeout",                    UNSET,    false, 0),
    ("R:reachable F:blocked/tcp-timeout",                    REQUIRED, false, 0),
    ("R:reachable F:blocked/tcp-timeout",                    ANY,      false, 1),
    ("R:reachable F:blocked/tcp-timeout",                    NEVER,    false, 0),
    ("F:reachable F:blocked/tcp-timeout",                    UNSET,    false, 1),
    ("F:reachable F:blocked/tcp-timeout",                    REQUIRED, false, 0),
    ("F:reachable",                                          UNSET,    false, 0),
    // A service that may not be offered never decides.
    ("R:reachable D:blocked/tcp-timeout",                    UNSET,    false, 0),
    ("R:reachable D:blocked/tcp-timeout",                    ANY,      false, 0),
    ("D:blocked/tcp-timeout",                                UNSET,    false, 0),
    ("D:blocked/tcp-timeout",                                ANY,      false, 0),
    ("D:unproven D:not-tested/deadline",                     UNSET,    false, 0),
    ("D!:reachable",                                         ANY,      false, 0),
    // Neither verified nor blocked.
    ("R:unproven/hello-unexpected",                          UNSET,    false, 3),
    ("R:unproven/hello-unexpected",                          UNSET,    true,  0),
    ("R:unproven",                                           NEVER,    false, 0),
    ("R:not-tested/needs-value",                             UNSET,    false, 3),
    ("R:not-tested/needs-value",                             UNSET,    true,  0),
    ("R:not-tested/deadline R:reachable",                    UNSET,    false, 3),
    ("R:not-tested/deadline R:reachable",                    UNSET,    true,  3),
    ("R:not-tested/local-fault R:reachable",                 UNSET,    false, 3),
    ("R:not-tested/local-fault R:reachable",                 UNSET,    true,  3),
    ("R:not-tested/local-fault R:reachable",                 NEVER,    false, 0),
    ("R:reachable F:unproven F:not-tested/needs-value",      UNSET,    false, 0),
    ("R:reachable F:unproven F:not-tested/needs-value",      ANY,      false, 0),
    ("F:not-tested/needs-value",                             UNSET,    false, 3),
    ("F:not-tested/needs-value",                             UNSET,    true,  0),
    ("F:not-tested/needs-value",                             REQUIRED, false, 0),
    ("R:~not-tested/retired",                                UNSET,    false, 3),
    ("R:~not-tested/retired",                                UNSET,    true,  0),
    // Excluded.
    ("R:reachable R:not-tested/retired",                     UNSET,    false, 0),
    ("R:reachable R:not-tested/wildcard",                    UNSET,    false, 0),
    ("R:reachable R:not-tested/not-outbound",                UNSET,    false, 0),
    ("R:reachable R:not-tested/skipped",                     UNSET,    false, 0),
    ("R:not-tested/skipped",                                 UNSET,    false, 0),
    ("R:not-tested/skipped F:blocked/tcp-timeout",           UNSET,    false, 1),
    // Blocked beats not verified.
    ("R:blocked/tcp-timeout R:not-tested/needs-value",       UNSET,    false, 1),
    ("R:blocked/tcp-timeout R:not-tested/deadline",          UNSET,    false, 1),
    // Negative tests.
    ("R!:blocked/tcp-timeout",                               UNSET,    false, 0),
    ("R!:reachable",                                         UNSET,    false, 1),
    ("R!:degraded",                                          UNSET,    false, 1),
    ("R!:blocked/dns-nxdomain",                              UNSET,    false, 1),
    ("R!:unproven",                                          UNSET,    false, 3),
    ("R!:unproven",                                          UNSET,    true,  0),
    ("R:reachable F!:reachable",                             UNSET,    false, 1),
    ("R:reachable F!:reachable",                             REQUIRED, false, 1),
    ("R:reachable F!:reachable",                             NEVER,    false, 0),
    ("R:reachable F!:unproven",                              UNSET,    false, 3),
    ("R:reachable F!:blocked/tcp-timeout",                   ANY,      false, 0),
    // The agent could not probe.
    ("R:not-tested/local-fault",                             UNSET,    false, 4),
    ("R:not-tested/local-fault R:not-tested/needs-value",    UNSET,    false, 4),
    ("R:not-tested/local-fault R:not-tested/not-outbound",   NEVER,    false, 4),
    ("R:not-tested/local-fault F:blocked/tcp-timeout",       UNSET,    false, 3),
    ("R:not-tested/local-fault R:blocked/tcp-timeout",       UNSET,    false, 1),
];

#[test]
fn every_run_gives_its_documented_exit_status() {
    for &(words, fail_on, allow_untested, code) in TABLE {
        let status = judge(
            &report(words),
            Policy {
                fail_on,
                allow_untested,
            },
            None,
        );
        assert_eq!(
            status.code, code,
            "{words:?} with {fail_on:?}, allow_untested {allow_untested}: {status}"
        );
    }
}

#[test]
fn agent_failure_gives_status_4_in_any_case() {
    let mut report = report("R:blocked/tcp-timeout");
    report.complete = false;
    let status = judge(
        &report,
        Policy {
            fail_on: NEVER,
            allow_untested: true,
        },
        Some("cannot write report.json"),
    );
    assert_eq!(status, ExitStatus::new(4, "cannot write report.json"));
}

#[test]
fn interrupted_run_gives_status_130() {
    let mut report = report("R:blocked/tcp-timeout R:not-tested/deadline");
    report.complete = false;
    for fail_on in [UNSET, NEVER] {
        let status = judge(
            &report,
            Policy {
                fail_on,
                allow_untested: false,
            },
            None,
        );
        assert_eq!(status.to_string(), "exit 130: interrupted, 1 of 2 endpoints not tested");
    }
}

#[test]
fn exit_reason_describes_what_decided() {
    for (words, reason) in [
        ("R:reachable", "every required endpoint is reachable or degraded"),
        ("F:reachable", "every optional endpoint is reachable or degraded"),
        ("D:reachable", "nothing that decides the exit status was selected"),
        ("R:blocked/tcp-timeout", "Azure SQL is blocked"),
        ("R:not-tested/needs-value", "pass --network-status, or set sql_server"),
        (
            "R:not-tested/deadline R:reachable",
            "1 endpoint not reached before the deadline, raise --deadline",
        ),
        (
            "R:not-tested/local-fault R:reachable",
            "this machine could not probe 1 endpoint",
        ),
        (
            "R:not-tested/local-fault",
            "nothing could be tried: Too many open files",
        ),
        ("R:unproven", "Azure SQL is not verified"),
        (
            "R!:reachable",
            "{sql_server}.database.example:1433 must be blocked but is not",
        ),
        (
            "R!:blocked/dns-nxdomain",
            "{sql_server}.database.example:1433 must be blocked, but the name lookup failed",
        ),
    ] {
        assert_eq!(judge(&report(words), Policy::default(), None).reason, reason, "{words}");
    }
    let never = judge(
        &report("R:blocked/tcp-timeout"),
        Policy {
            fail_on: NEVER,
            allow_untested: false,
        },
        None,
    );
    assert_eq!(
        never.to_string(),
        "exit 0: --fail-on never; otherwise 1, Azure SQL is blocked"
    );
    let allowed = judge(
        &report("R:unproven"),
        Policy {
            fail_on: UNSET,
            allow_untested: true,
        },
        None,
    );
    assert_eq!(allowed.reason, "nothing required is blocked, 1 endpoint not verified");
}

#[test]
fn summary_counts_required_and_feature_endpoints() {
    let report = report(
        "R:reachable R:degraded R:blocked/tcp-timeout R!:blocked/tcp-timeout F:blocked/tcp-timeout R!:reachable \
         F!:degraded F:unproven R:not-tested/wildcard D:reachable D:degraded D:blocked/tcp-timeout D!:reachable",
    );
    let summary = Summary {
        verdict: Overall::Blocked,
        total: 13,
        counted: 9,
        reachable: 2,
        degraded: 2,
        blocked: 3,
        unproven: 1,
        not_tested: 1,
        noted: 2,
        required_blocked: 1,
        unexpectedly_open: 2,
    };
    assert_eq!(report.summary, summary);
}

#[test]
fn overall_verdict_follows_the_required_endpoints() {
    for (words, verdict) in [
        ("R:reachable F:blocked/tcp-timeout", Overall::Reachable),
        ("F:blocked/tcp-timeout", Overall::Reachable),
        ("R:blocked/tcp-timeout", Overall::Blocked),
        ("F!:reachable", Overall::Blocked),
        ("R:not-tested/local-fault", Overall::Incomplete),
        ("R:unproven", Overall::Incomplete),
    ] {
        assert_eq!(Summary::of(&report(words).endpoints).verdict, verdict, "{words}");
    }
}
