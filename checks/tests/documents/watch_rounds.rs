//! Rounds in, changes out: a watch's results from reports, without a network.

use std::fmt::Write as _;

use apim_probe::{
    diff::EndpointState,
    model::{Cause, ExitStatus, Report, Verdict},
    probe::ProbeDepth,
    watch::{
        Baseline, Watch, carry_over,
        text::{TextOptions, status},
        timeline::MAX_TRANSITIONS,
    },
};
use jiff::Timestamp;

use crate::samples;

const PLAIN: TextOptions = TextOptions {
    colour: false,
    width: None,
};
const REACHABLE: EndpointState = EndpointState {
    verdict: Verdict::Reachable,
    cause: None,
};
const SILENT: EndpointState = EndpointState {
    verdict: Verdict::Blocked,
    cause: Some(Cause::TcpTimeout),
};
const DEGRADED: EndpointState = EndpointState {
    verdict: Verdict::Degraded,
    cause: None,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

/// A round in which everything works but one endpoint.
fn round(id_part: &str, state: EndpointState) -> Report {
    let mut report = samples::all_healthy();
    let endpoint = report.endpoints.iter_mut().find(|e| e.id.contains(id_part)).unwrap();
    endpoint.verdict = state.verdict;
    endpoint.cause = state.cause;
    endpoint.as_expected = Some(state.verdict.is_proved());
    report
}

#[test]
fn change_is_reported_once_with_its_duration() {
    let mut watch = Watch::begin(&round("sql/", SILENT), at(0), None);
    assert!(
        watch
            .observe(&round("sql/", SILENT), ProbeDepth::Light, at(5))
            .is_empty()
    );
    let changes = watch.observe(&round("sql/", REACHABLE), ProbeDepth::Light, at(192));
    assert_eq!(changes.len(), 1);
    insta::assert_snapshot!(
        PLAIN.change(&changes[0], None),
        @"11:09:52 apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 blocked tcp-timeout -> reachable, after 3 min 12 s (required)"
    );
    insta::assert_snapshot!(
        changes[0].to_jsonl(),
        @r#"{"schema":"apim-probe/change/v1","at":"2026-11-18T11:09:52.000Z","round":3,"id":"sql/apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433","from":{"verdict":"blocked","cause":"tcp-timeout"},"to":{"verdict":"reachable","cause":null}}"#
    );
    assert!(
        watch
            .observe(&round("sql/", REACHABLE), ProbeDepth::Light, at(200))
            .is_empty()
    );
    assert_eq!((watch.rounds(), watch.changes()), (4, 1));
}

#[test]
fn light_round_ignores_what_only_a_full_round_sees() {
    let mut watch = Watch::begin(&round("sql/", DEGRADED), at(0), None);
    let mut observe = |state, depth, second| watch.observe(&round("sql/", state), depth, at(second)).len();
    assert_eq!(observe(REACHABLE, ProbeDepth::Light, 5), 0);
    assert_eq!(observe(SILENT, ProbeDepth::Light, 10), 1);
    assert_eq!(observe(REACHABLE, ProbeDepth::Light, 15), 1);
    assert_eq!(observe(DEGRADED, ProbeDepth::Full, 20), 1);
    assert_eq!(observe(REACHABLE, ProbeDepth::Full, 25), 1);
    // A light round that saw it also reports its end: there the first server fails, and the next one is queried.
    assert_eq!(observe(DEGRADED, ProbeDepth::Light, 30), 1);
    assert_eq!(observe(REACHABLE, ProbeDepth::Light, 35), 1);
}

#[test]
fn timeline_keeps_a_bounded_number_of_transitions() {
    let mut watch = Watch::begin(&round("sql/", REACHABLE), at(0), None);
    for n in 1..=1_001 {
        let state = if n % 2 == 1 { SILENT } else { REACHABLE };
        watch.observe(&round("sql/", state), ProbeDepth::Light, at(n * 10));
    }
    let row = watch.rows().iter().find(|row| row.id.starts_with("sql/")).unwrap();
    assert_eq!(row.timeline.changes(), 1_001);
    assert_eq!(row.timeline.transitions().count(), MAX_TRANSITIONS);
    assert_eq!(row.timeline.dropped(), 1_002 - MAX_TRANSITIONS as u64);
    // Blocked in every other interval of 10 s, and 3 s of the last one.
    assert_eq!(row.timeline.blocked(at(10_013)).as_secs(), 5_003);
}

#[test]
fn clock_set_back_gives_zero_durations() {
    let mut watch = Watch::begin(&round("sql/", SILENT), at(100), None);
    let changes = watch.observe(&round("sql/", REACHABLE), ProbeDepth::Light, at(50));
    assert!(changes[0].lasted.is_zero());
    assert!(
        PLAIN
            .summary(&watch, at(10))
            .starts_with("watched for 0 s in 2 rounds: 1 change\n")
    );
}

#[test]
fn watch_output_matches_the_snapshot() {
    let mut before = round("key-vault/", DEGRADED);
    before.endpoints.retain(|e| e.dependency != "entra");
    let baseline = Baseline::of(&before);
    let mut watch = Watch::begin(&round("sql/", SILENT), at(0), Some(baseline));
    let mut printed = PLAIN.opening(&watch);
    for (state, second) in [(REACHABLE, 100), (SILENT, 4_000), (REACHABLE, 4_005)] {
        for change in watch.observe(&round("sql/", state), ProbeDepth::Light, at(second)) {
            printed += &PLAIN.change(&change, watch.baseline());
        }
        let _ = writeln!(printed, "[{}]", status(&watch, at(second + 3), None));
    }
    printed += &PLAIN.summary(&watch, at(90_000));
    insta::assert_snapshot!(printed, @r"
    11:06:40 22 of 23 endpoints are as expected, 1 not tested; times are UTC
      apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 blocked tcp-timeout (required)
    4 endpoints differ from the baseline of 2026-11-21 20:00:00
      apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 reachable -> blocked tcp-timeout
      apikv-x7k2m4qn8dvw3.vault.azure.net:443 degraded -> reachable
      login.microsoftonline.com:443 not in the baseline -> reachable
      westeurope.login.microsoft.com:443 not in the baseline -> reachable
    11:08:20 apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 blocked tcp-timeout -> reachable, after 1 min 40 s (required); as in the baseline
    [2 rounds, 1 change, 23 of 23 endpoints are as expected, 1 not tested, 3 different from the baseline]
    12:13:20 apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 reachable -> blocked tcp-timeout, after 1 h 5 min (required); in the baseline reachable
    [3 rounds, 2 changes, 22 of 23 endpoints are as expected, 1 not tested, 4 different from the baseline: apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 blocked tcp-timeout for 3.0 s (required)]
    12:13:25 apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433 blocked tcp-timeout -> reachable, after 5.0 s (required); as in the baseline
    [4 rounds, 3 changes, 23 of 23 endpoints are as expected, 1 not tested, 3 different from the baseline]
    watched for 1 d 1 h in 4 rounds: 3 changes
      apirpsqlfi6mahlotrqv5mnk.database.windows.net:1433: blocked for 1 min 45 s (required)
        2026-11-18 11:06:40  blocked tcp-timeout
        2026-11-18 11:08:20  reachable
        2026-11-18 12:13:20  blocked tcp-timeout
        2026-11-18 12:13:25  reachable
    the other 27 endpoints did not change
    finally 23 of 23 endpoints are as expected, 1 not tested
    3 endpoints differ from the baseline of 2026-11-21 20:00:00
      apikv-x7k2m4qn8dvw3.vault.azure.net:443 degraded -> reachable
      login.microsoftonline.com:443 not in the baseline -> reachable
      westeurope.login.microsoft.com:443 not in the baseline -> reachable
    ");
}

#[test]
fn control_characters_are_escaped_in_watch_output() {
    let hostile = samples::hostile();
    let watch = Watch::begin(&hostile, at(0), None);
    let mut printed = PLAIN.opening(&watch);
    printed += &PLAIN.summary(&watch, at(5));
    printed += &status(&watch, at(5), None);
    let acts = |c: char| c != '\n' && apim_probe::text::escape(&c.to_string()) != c.to_string();
    assert!(!printed.contains(acts), "{printed:?}");
}

#[test]
fn findings_of_the_full_round_stay_after_a_light_round() {
    let mut full = round("sql/", DEGRADED);
    full.findings = samples::broken_firewall().findings;
    let mut watch = Watch::begin(&full, at(0), None);
    let light = round("sql/", REACHABLE);
    assert!(light.findings.is_empty());
    let changes = watch.observe(&light, ProbeDepth::Light, at(5));
    assert!(changes.is_empty());
    let stands = carry_over::after(light.clone(), &full, &watch, &[]);
    let sql = |report: &Report| report.endpoints.iter().find(|e| e.id.contains("sql/")).unwrap().verdict;
    assert_eq!((sql(&stands), stands.summary.degraded), (Verdict::Degraded, 1));
    assert_eq!(stands.findings, full.findings);

    // Only for blocked endpoints is the previous cause shown.
    let mut light = round("key-vault/", SILENT);
    let changes = watch.observe(&light, ProbeDepth::Light, at(10));
    assert_eq!(changes.len(), 1);
    let blocked = changes[0].id.as_str();
    let mut before = stands;
    let about = |id: &str, endpoints: &[&str]| {
        let mut finding = full.findings[0].clone();
        finding.id = id.into();
        finding.endpoints = endpoints.iter().map(|id| (*id).to_owned()).collect();
        finding
    };
    let old = about("cut/old", &["sql/a:1433"]);
    before.findings = vec![old.clone(), about("cut/of-yesterday", &["kms/a:1688", blocked])];
    let news = about("silence/new", &[blocked]);
    let still = about("silence/still", &["kms/a:1688"]);
    light.findings = vec![news.clone(), about("silence/less-sure", &["sql/a:1433"]), still.clone()];
    let stands = carry_over::after(light, &before, &watch, &[blocked]);
    assert_eq!(stands.findings, [old, still, news]);
    assert_eq!((stands.summary.degraded, stands.summary.blocked), (1, 1));
}

#[test]
fn changed_plan_keeps_the_state_of_common_endpoints() {
    let mut watch = Watch::begin(&round("sql/", REACHABLE), at(0), None);
    watch.observe(&round("sql/", SILENT), ProbeDepth::Full, at(5));
    let mut other = round("sql/", REACHABLE);
    let gone = other.endpoints.remove(0).id;
    other.endpoints.reverse();
    other.endpoints[0].id = "new/new.example:443".into();
    let (mut watch, changes) = watch.renewed(&other, at(20));
    assert_eq!(changes.len(), 1);
    let change = (
        changes[0].round,
        changes[0].from,
        changes[0].to,
        changes[0].lasted.as_secs(),
    );
    assert_eq!(change, (3, SILENT, REACHABLE, 15));
    assert_eq!((watch.rounds(), watch.changes(), watch.began()), (3, 2, at(0)));
    assert_eq!(
        (watch.known_of(&gone), watch.known_of("new/new.example:443").is_some()),
        (None, true)
    );
    assert!(watch.observe(&other, ProbeDepth::Full, at(25)).is_empty());
}

#[test]
fn terminal_lines_break_between_words() {
    let watch = Watch::begin(&samples::broken_firewall(), at(0), None);
    let reason = "timed out after 6 s; still blocked: DNS, Azure Storage, Azure SQL and 3 more";
    let exit = ExitStatus::new(1, reason);
    for width in [40, 60, 80] {
        let look = TextOptions {
            width: Some(width),
            ..PLAIN
        };
        let text = look.exit(&exit);
        assert!(text.lines().all(|line| line.len() <= width), "{text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(words.join(" "), format!("exit 1: {reason}"));
        // The status line cannot wrap: names that do not fit are left out completely.
        let line = status(&watch, at(5), Some(width));
        let named = watch.rows().iter().any(|row| line.contains(&row.label));
        assert!(!named || line.len() <= width, "{line}");
        assert!(!line.contains(':') || named, "{line}");
    }
}
