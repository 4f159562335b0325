//! What changed between two reports.

use std::net::IpAddr;

use apim_probe::{
    azure::Cloud,
    diff::{self, ChangeKind, ChangeWeight, Diff, EndpointDifference},
    model::{Cause, EndpointReport, Need, Protocol, Report, Verdict},
    report::{Detail, Format, Options},
};
use proptest::prelude::*;

use super::{
    PLAIN, every_sample, rendered,
    samples::{self, SampleDependency, WithVerdict as _},
    snapshot,
};

fn between(before: &Report, after: &Report) -> Diff {
    Diff::between(before, after).expect("both are of one cloud")
}

fn text(diff: &Diff, width: usize) -> String {
    let exit = diff.status();
    diff::text::render(
        diff,
        &Options {
            exit: &exit,
            policy: apim_probe::model::Policy::default(),
            width,
            colour: false,
            unicode: true,
            detail: Detail::Brief,
            again: None,
        },
    )
}

/// The kinds of changes for one endpoint.
fn kinds(before: EndpointReport, after: EndpointReport) -> (Vec<ChangeKind>, usize, usize) {
    let (before, after) = (
        samples::report(vec![before], vec![]),
        samples::report(vec![after], vec![]),
    );
    let diff = between(&before, &after);
    (
        diff.changes.iter().map(|change| change.kind).collect(),
        diff.regressions,
        diff.fixes,
    )
}

fn sql() -> EndpointReport {
    samples::SQL.at("sql.example", 1433, Protocol::Tds)
}

fn blocked(endpoint: EndpointReport) -> EndpointReport {
    endpoint.with_verdict(Verdict::Blocked, Cause::TcpTimeout, "No answer.")
}

fn untested(endpoint: EndpointReport) -> EndpointReport {
    endpoint.with_verdict(Verdict::NotTested, Cause::Deadline, "Too late.")
}

fn optional() -> EndpointReport {
    EndpointReport {
        need: Need::Feature,
        ..sql()
    }
}

fn documented() -> EndpointReport {
    EndpointReport {
        need: Need::Documented,
        ..sql()
    }
}

#[test]
fn change_kinds_count_as_regression_or_fix() {
    let degraded = |e: EndpointReport| e.with_verdict(Verdict::Degraded, Cause::TcpTimeout, "1 of 2 addresses.");
    let reset = sql().with_verdict(Verdict::Blocked, Cause::TlsReset, "Reset.");
    let forbidden = || sql().must_be_blocked();
    for (before, after, expected) in vec![
        (sql(), sql(), (vec![], 0, 0)),
        (sql(), blocked(sql()), (vec![ChangeKind::NewlyBlocked], 1, 0)),
        (degraded(sql()), blocked(sql()), (vec![ChangeKind::NewlyBlocked], 1, 0)),
        (blocked(sql()), sql(), (vec![ChangeKind::Fixed], 0, 1)),
        (sql(), degraded(sql()), (vec![ChangeKind::VerdictChanged], 0, 0)),
        (blocked(sql()), reset, (vec![ChangeKind::CauseChanged], 0, 0)),
        (sql(), untested(sql()), (vec![ChangeKind::VerdictChanged], 1, 0)),
        (
            untested(sql()),
            blocked(sql()),
            (vec![ChangeKind::VerdictChanged], 0, 0),
        ),
        (optional(), blocked(optional()), (vec![ChangeKind::NewlyBlocked], 1, 0)),
        (
            optional(),
            untested(optional()),
            (vec![ChangeKind::VerdictChanged], 0, 0),
        ),
        (
            documented(),
            blocked(documented()),
            (vec![ChangeKind::NewlyBlocked], 0, 0),
        ),
        // For an endpoint that must be blocked, working is a regression.
        (blocked(forbidden()), forbidden(), (vec![ChangeKind::Fixed], 1, 0)),
        (
            forbidden(),
            blocked(forbidden()),
            (vec![ChangeKind::NewlyBlocked], 0, 1),
        ),
    ] {
        let case = format!("{} -> {}", before.verdict, after.verdict);
        assert_eq!(kinds(before, after), expected, "{case}");
    }
}

#[test]
fn address_and_issuer_changes_are_reported_separately() {
    let mut moved = sql();
    moved.stages.dns.as_mut().unwrap().addresses = vec![IpAddr::from([20, 60, 1, 9]), IpAddr::from([20, 60, 1, 8])];
    moved.stages.tls.as_mut().unwrap().issuer = Some("CN=Contoso Inspection CA".into());
    assert_eq!(
        kinds(sql(), moved.clone()),
        (vec![ChangeKind::AddressesChanged, ChangeKind::IssuerChanged], 0, 0)
    );
    let (kinds_of_both, ..) = kinds(sql(), blocked(moved));
    assert_eq!(
        kinds_of_both,
        [
            ChangeKind::NewlyBlocked,
            ChangeKind::AddressesChanged,
            ChangeKind::IssuerChanged
        ]
    );

    let mut turned = sql();
    let dns = turned.stages.dns.as_mut().unwrap();
    dns.addresses = vec![IpAddr::from([20, 60, 1, 5]), IpAddr::from([20, 60, 1, 4])];
    let mut other_order = turned.clone();
    other_order.stages.dns.as_mut().unwrap().addresses.reverse();
    assert_eq!(
        kinds(turned, other_order),
        (vec![], 0, 0),
        "the order of addresses means nothing"
    );
}

#[test]
fn replaced_addresses_and_issuers_give_no_change() {
    let signed = |address: u8, untrusted: bool, issuer: &str| {
        let mut endpoint = sql();
        endpoint.stages.dns.as_mut().unwrap().addresses = vec![IpAddr::from([20, 60, 1, address])];
        let tls = endpoint.stages.tls.as_mut().unwrap();
        tls.outcome = untrusted.then_some(Cause::TlsUntrusted).into();
        tls.issuer = Some(issuer.into());
        endpoint
    };
    let changes = |before: EndpointReport, after: EndpointReport, is_redacted: bool| {
        let mut before = samples::report(vec![before], vec![]);
        let mut after = samples::report(vec![after], vec![]);
        (before.redacted, after.redacted) = (is_redacted, is_redacted);
        let (there, back) = (between(&before, &after), between(&after, &before));
        assert_eq!(there.changes.len(), back.changes.len());
        there.changes.iter().map(|change| change.kind).collect::<Vec<_>>()
    };
    let untrusted = || (signed(4, true, "CN=Contoso CA"), signed(5, true, "CN=issuer-1"));
    let trusted = || (signed(4, false, "CN=DigiCert"), signed(5, false, "CN=Microsoft RSA"));
    let both = [ChangeKind::AddressesChanged, ChangeKind::IssuerChanged];
    for ((before, after), is_redacted, expected) in [
        (untrusted(), true, &[][..]),
        (untrusted(), false, &both),
        (trusted(), true, &[ChangeKind::IssuerChanged]),
        (trusted(), false, &both),
    ] {
        assert_eq!(changes(before, after, is_redacted), expected, "{is_redacted}");
    }
}

#[test]
fn redacted_hosts_are_compared_only_if_both_reports_match() {
    let at = |id: &str, host: &str| {
        let mut endpoint = sql();
        (endpoint.id, endpoint.host) = (id.into(), host.into());
        endpoint
    };
    let login = || {
        let mut endpoint = at("entra-id/login.microsoftonline.com:443", "login.microsoftonline.com");
        endpoint.dependency = "entra-id".into();
        endpoint
    };
    let first = || {
        at(
            "sql/sql-server-1.database.windows.net:1433",
            "sql-server-1.database.windows.net",
        )
    };
    let second = || {
        at(
            "sql/sql-server-2.database.windows.net:1433",
            "sql-server-2.database.windows.net",
        )
    };
    let own = || at("sql/orders.database.windows.net:1433", "orders.database.windows.net");
    let mut of_catalog = login();
    (of_catalog.id, of_catalog.dependency) = (
        "dependency-1/login.microsoftonline.com:443".into(),
        "dependency-1".into(),
    );
    let of_catalog = || of_catalog.clone();
    for (name, before, after, redacted, ids) in [
        // One plan, run twice.
        (
            "same",
            vec![first(), second()],
            vec![blocked(first()), second()],
            (true, true),
            vec![first().id],
        ),
        // The first one in one report may be the second in the other.
        (
            "fewer",
            vec![first(), second()],
            vec![blocked(first())],
            (true, true),
            vec![],
        ),
        (
            "original after",
            vec![first()],
            vec![blocked(own())],
            (true, false),
            vec![],
        ),
        (
            "original before",
            vec![own()],
            vec![blocked(first())],
            (false, true),
            vec![],
        ),
        (
            "of a catalog",
            vec![of_catalog()],
            vec![login()],
            (true, false),
            vec![login().id],
        ),
        (
            "known",
            vec![login(), first()],
            vec![blocked(login())],
            (true, true),
            vec![login().id],
        ),
        (
            "originals",
            vec![own()],
            vec![blocked(first())],
            (false, false),
            vec![first().id, own().id],
        ),
    ] {
        let mut before = samples::report(before, vec![]);
        let mut after = samples::report(after, vec![]);
        (before.redacted, after.redacted) = redacted;
        let changed: Vec<String> = between(&before, &after)
            .changes
            .into_iter()
            .map(|change| change.id)
            .collect();
        assert_eq!(changed, ids, "{name}");
    }
}

#[test]
fn removed_endpoint_is_not_a_regression() {
    let before = samples::report(vec![sql()], vec![]);
    let after = samples::report(vec![], vec![]);
    let diff = between(&before, &after);
    assert_eq!((diff.changes[0].kind, diff.regressions), (ChangeKind::Removed, 0));
    assert_eq!(diff.status().code, 0);
    assert_eq!(between(&after, &before).changes[0].kind, ChangeKind::Added);
}

#[test]
fn reports_from_different_clouds_are_refused() {
    let before = samples::all_healthy();
    let mut after = before.clone();
    after.vantage.cloud = Cloud::China;
    let error = Diff::between(&before, &after).unwrap_err().to_string();
    assert_eq!(
        error,
        "the first report is from the public cloud and the second from the china cloud"
    );
}

/// A broken network, then the same after a change that fixed most of it and broke something else.
fn before_and_after() -> (Report, Report) {
    let before = samples::broken_firewall();
    let mut endpoints = samples::healthy();
    endpoints[4] = blocked(endpoints[4].clone());
    endpoints[5].stages.tls.as_mut().unwrap().issuer = Some("CN=Contoso Inspection CA".into());
    endpoints[6] = endpoints[6].clone().blocked(Cause::TlsReset, "Reset.");
    endpoints[7].stages.dns.as_mut().unwrap().addresses = vec![IpAddr::from([20, 60, 1, 9])];
    endpoints.remove(8);
    endpoints.push(samples::KMS.at("kms.core.windows.net", 1688, Protocol::Kms));
    let mut after = samples::report(endpoints, vec![]);
    after.started_at = "2026-11-21T20:10:00Z".parse().unwrap();
    (before, after)
}

#[test]
fn diff_matches_the_snapshots() {
    let (before, after) = before_and_after();
    let diff = between(&before, &after);
    for width in [80, 140] {
        snapshot(&format!("diff-{width}"), &text(&diff, width));
    }
    snapshot("diff-json", &diff.to_json());
    let same = between(&before, &before);
    snapshot("diff-unchanged", &text(&same, 80));
}

#[test]
fn written_report_is_read_back_unchanged() {
    for (name, report) in every_sample() {
        let mut document: serde_json::Value = serde_json::from_str(&rendered(&report, Format::Json, &PLAIN)).unwrap();
        // A later program with the same schema may write more.
        document["summary"]["something_new"] = true.into();
        let read = diff::read::report(&document.to_string()).unwrap();
        assert_eq!(between(&report, &read).changes, [], "{name}");
    }
}

#[test]
fn control_characters_are_escaped_in_the_diff() {
    let before = samples::hostile();
    let mut after = before.clone();
    after.endpoints[1] = blocked(after.endpoints[1].clone());
    let tls = after.endpoints[0].stages.tls.as_mut().unwrap();
    tls.issuer = Some("\u{1b}[2Jother".into());
    after.endpoints.remove(2);
    for (a, b) in [(&before, &after), (&after, &before)] {
        let printed = text(&between(a, b), 80);
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed}");
    }
}

prop_compose! {
    fn any_endpoint(n: usize)(
        verdict in prop::sample::select(&[
            Verdict::Reachable, Verdict::Degraded, Verdict::Blocked, Verdict::Unproven, Verdict::NotTested,
        ][..]),
        cause in prop::option::of(prop::sample::select(Cause::ALL)),
        need in prop::sample::select(&[Need::Required, Need::Feature, Need::Documented][..]),
        negative in any::<bool>(),
        addresses in prop::collection::vec(0..4u8, 0..3),
        issuer in prop::option::of("CN=[AB]"),
    ) -> EndpointReport {
        let of: SampleDependency = samples::SQL;
        let mut endpoint = of.at(&format!("host{n}.example"), 1433, Protocol::Tds).with_verdict(verdict, cause, "");
        endpoint.need = need;
        if negative {
            endpoint = endpoint.must_be_blocked();
        }
        if let Some(dns) = &mut endpoint.stages.dns {
            dns.addresses = addresses.into_iter().map(|last| IpAddr::from([20, 0, 0, last])).collect();
        }
        if let Some(tls) = &mut endpoint.stages.tls {
            tls.issuer = issuer;
        }
        endpoint
    }
}

/// A report of any of twelve endpoints.
fn any_report() -> impl Strategy<Value = Report> {
    prop::sample::subsequence((0..12).collect::<Vec<usize>>(), 0..=12)
        .prop_flat_map(|ids| ids.into_iter().map(any_endpoint).collect::<Vec<_>>())
        .prop_map(|endpoints| samples::report(endpoints, vec![]))
}

/// The change in the reverse comparison.
fn mirrored(change: &EndpointDifference) -> EndpointDifference {
    EndpointDifference {
        id: change.id.clone(),
        kind: match change.kind {
            ChangeKind::NewlyBlocked => ChangeKind::Fixed,
            ChangeKind::Fixed => ChangeKind::NewlyBlocked,
            ChangeKind::Added => ChangeKind::Removed,
            ChangeKind::Removed => ChangeKind::Added,
            same => same,
        },
        before: change.after,
        after: change.before,
        weight: match change.weight {
            ChangeWeight::Regression => ChangeWeight::Fix,
            ChangeWeight::Fix => ChangeWeight::Regression,
            ChangeWeight::Neutral => ChangeWeight::Neutral,
        },
        detail: None,
    }
}

/// Changes in an order that both directions share, without their descriptions.
fn comparable(changes: impl Iterator<Item = EndpointDifference>) -> Vec<String> {
    let mut texts: Vec<String> = changes
        .map(|change| format!("{:?}", EndpointDifference { detail: None, ..change }))
        .collect();
    texts.sort();
    texts
}

proptest! {
    #[test]
    fn reversed_diff_mirrors_the_diff(before in any_report(), after in any_report()) {
        let (way, back) = (between(&before, &after), between(&after, &before));
        prop_assert_eq!((way.regressions, way.fixes), (back.fixes, back.regressions));
        prop_assert_eq!(comparable(way.changes.into_iter()), comparable(back.changes.iter().map(mirrored)));
    }

    #[test]
    fn report_does_not_differ_from_itself(report in any_report()) {
        prop_assert_eq!(between(&report, &report).changes, []);
    }
}
