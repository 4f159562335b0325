//! The connections that the instance itself is asked to test, and what its answers add to a report.
//!
//! ```text
//! Report ─ chosen ─▶ checks ─ management endpoint ─▶ answers ─ added ─▶ Report
//! ```
//! No verdict changes because of it: a report shows what was seen from here, and the instance's results next to that.

mod answer;

use std::collections::HashSet;

use serde_json::{Value, json};

pub use self::answer::read;
use crate::{
    model::{Cause, Direction, EndpointReport, FromInstance, Need, Protocol, Report, Stage, Transport, Verdict},
    text::{one_line, quote, words},
};

/// Maximum number of checks: each takes seconds, and only one runs at a time.
pub(crate) const MAX_CHECKS: usize = 20;
/// Maximum number of issues that are named, and of characters of each that are shown.
const MAX_ISSUES: usize = 3;
const MAX_CHARACTERS: usize = 200;
/// Any HTTP status shows that the instance got through.
const STATUSES: [u16; 20] = [
    200, 201, 202, 204, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 411, 415, 426,
];

/// One check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Check {
    /// The endpoint's index in the report.
    pub index: usize,
    /// The body of the request.
    pub body: Value,
}

/// The outcome of a check.
pub(crate) type CheckResult = Result<FromInstance, String>;

/// Everything that is blocked or unproven here and that `connectivityCheck` can test, in the order in which it is
/// requested: one endpoint of each finding first, then what is required, then what features need.
pub(crate) fn checks(report: &Report, region: &str) -> Vec<Check> {
    let index = |id: &String| report.endpoints.iter().position(|endpoint| endpoint.id == *id);
    let is_asked = |index: &usize| is_in_question(&report.endpoints[*index]);
    let first = |ids: &Vec<String>| {
        let indices = ids.iter().filter_map(index).filter(is_asked);
        indices.min_by_key(|index| (report.endpoints[*index].need, *index))
    };
    let representatives = report.findings.iter().filter_map(|finding| first(&finding.endpoints));
    let mut rest: Vec<usize> = (0..report.endpoints.len()).filter(is_asked).collect();
    rest.sort_by_key(|index| report.endpoints[*index].need);
    let mut seen = HashSet::new();
    representatives
        .chain(rest)
        .filter(|index| {
            let endpoint = &report.endpoints[*index];
            seen.insert((endpoint.host.clone(), endpoint.port))
        })
        .map(|index| Check {
            index,
            body: body(&report.endpoints[index], region),
        })
        .collect()
}

/// Whether this run leaves open how the instance fares, and the instance can test it: only TCP.
fn is_in_question(endpoint: &EndpointReport) -> bool {
    matches!(endpoint.verdict, Verdict::Blocked | Verdict::Unproven)
        && endpoint.need != Need::Documented
        && endpoint.transport == Transport::Tcp
        && endpoint.direction == Direction::Outbound
}

/// The request for one endpoint. If TLS or HTTP is spoken, the instance must speak it too: a firewall accepts
/// connections for any address.
fn body(endpoint: &EndpointReport, region: &str) -> Value {
    let host = address(endpoint);
    let (protocol, address) = match endpoint.protocol {
        Protocol::Https | Protocol::Tls => ("HTTPS", format!("https://{host}")),
        Protocol::Http => ("HTTP", format!("http://{host}")),
        _ => ("TCP", host),
    };
    let mut body = json!({
        "source": { "region": region },
        "destination": { "address": address, "port": endpoint.port },
        "preferredIPVersion": "IPv4",
        "protocol": protocol,
    });
    if protocol != "TCP" {
        body["protocolConfiguration"] =
            json!({ "HTTPConfiguration": { "method": "GET", "validStatusCodes": STATUSES, "headers": [] } });
    }
    body
}

/// The target of the instance's connection: the name, or the first address if several stand for one endpoint.
fn address(endpoint: &EndpointReport) -> String {
    let first = endpoint.stages.tcp.first().map(|stage| stage.address.to_string());
    match first {
        Some(first) if !endpoint.host.contains('.') => first,
        _ => endpoint.host.clone(),
    }
}

/// Adds the instance's results: to each endpoint, and to each finding for which it was asked. `answers` are in the
/// order of `checks`; there are fewer if the run ended early, for the reason in `why`. `line` is the command for an
/// operator.
pub(crate) fn added(
    mut report: Report,
    checks: &[Check],
    answers: Vec<CheckResult>,
    why: &str,
    line: impl Fn(&Value) -> String,
) -> Report {
    let left = &checks[answers.len().min(checks.len())..];
    for check in left {
        let sentence = format!("the instance was not asked to test this ({why}): {}", line(&check.body));
        report.endpoints[check.index].evidence.push(sentence);
    }
    if !left.is_empty() {
        let target = |check: &Check| report.endpoints[check.index].target();
        let targets: Vec<&str> = left.iter().map(target).collect();
        let notice = format!(
            "--confirm: the instance was not asked to test {} ({why}); the evidence of each has its `az rest` line",
            words::list(&targets, 3)
        );
        report.vantage.notices.push(notice);
    }
    for (check, answer) in checks.iter().zip(answers) {
        for index in same_group(&report, check.index) {
            let endpoint = &mut report.endpoints[index];
            let describe = match &answer {
                Ok(answer) => describe(endpoint, answer),
                Err(why) => format!("the instance gave no result for {}: {why}", endpoint.target()),
            };
            endpoint.evidence.push(describe.clone());
            endpoint.from_instance = answer.as_ref().ok().cloned().map(Box::new);
            let id = &report.endpoints[index].id;
            let finding = report
                .findings
                .iter_mut()
                .find(|finding| finding.endpoints.contains(id));
            let describe = capital(&describe);
            if let Some(finding) = finding.filter(|finding| !finding.evidence.contains(&describe)) {
                finding.evidence.push(describe);
            }
        }
    }
    report
}

/// The endpoints that are the same target for the instance: several dependencies may need one host and port.
fn same_group(report: &Report, index: usize) -> Vec<usize> {
    let one = &report.endpoints[index];
    let is_same_group = |index: &usize| {
        let other = &report.endpoints[*index];
        is_in_question(other) && (&other.host, other.port) == (&one.host, one.port)
    };
    (0..report.endpoints.len()).filter(is_same_group).collect()
}

/// What an answer means compared with what was seen from here.
fn describe(endpoint: &EndpointReport, answer: &FromInstance) -> String {
    let target = endpoint.target();
    let status = &answer.status;
    let probes = match (answer.probes_sent, answer.probes_failed) {
        (Some(sent), Some(failed)) if sent > 0 => format!(", {failed} of its {sent} probes failed"),
        _ => String::new(),
    };
    let issues: Vec<String> = answer
        .hops
        .iter()
        .flat_map(|hop| {
            let place = hop.address.as_deref().unwrap_or(&hop.kind);
            hop.issues.iter().map(move |issue| format!("{issue} at {place}"))
        })
        .collect();
    let issues: Vec<&str> = issues.iter().map(String::as_str).collect();
    let issues = match words::list(&issues, MAX_ISSUES) {
        none if none.is_empty() => none,
        issues => one_line(&format!(", {issues}"), MAX_CHARACTERS),
    };
    match answer.got_through() {
        Some(false) => format!("the instance confirms it: {status} to {target}{probes}{issues}"),
        Some(true) if answer.protocol == "TCP" && opens_here_too(endpoint) => format!(
            "the instance opens a TCP connection to {target}, like this VM ({status}), which shows nothing about what \
             follows"
        ),
        Some(true) if answer.protocol == "TCP" && matches!(endpoint.port, 80 | 443 | 1433) => format!(
            "the instance opens a TCP connection to {target} ({status}), which confirms nothing behind an Azure \
             Firewall: it accepts {} to any address",
            endpoint.port
        ),
        Some(true) => format!(
            "the instance itself reaches {target} ({status}{probes}): check this VM's network interface, rules or DNS"
        ),
        None => format!("the instance reports {status} for {target}{probes}{issues}, which is not conclusive"),
    }
}

/// Whether a connection was accepted here, so that one more from the instance shows nothing new.
fn opens_here_too(endpoint: &EndpointReport) -> bool {
    let later = endpoint
        .cause
        .and_then(Cause::stage)
        .is_some_and(|stage| stage > Stage::Tcp);
    later || endpoint.verdict == Verdict::Unproven
}

/// The command with which a user who has the permission asks the instance.
pub(crate) fn line(management: &str, service: &str, body: &Value) -> String {
    format!(
        "az rest --method post --url \"https://{management}{service}/connectivityCheck?api-version=2024-05-01\" --body {}",
        quote(&body.to_string())
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, verdict: &str, cause: Option<&str>, need: &str, protocol: &str) -> Value {
        let (dependency, target) = id.split_once('/').unwrap();
        let (host, port) = target.split_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        json!({
            "id": id, "dependency": dependency, "title": dependency, "service_tag": null, "need": need, "feature": null,
            "host": host, "pattern": null, "port": port, "transport": "tcp", "protocol": protocol, "verdict": verdict,
            "cause": cause, "detail": "", "evidence": [], "expect": "reachable", "as_expected": null, "duration_ms": null,
            "stages": { "dns": null, "tcp": [], "tls": null, "hello": null }
        })
    }

    fn endpoints() -> Vec<EndpointReport> {
        let all = [
            endpoint("a/a.example:443", "blocked", Some("tls-reset"), "feature", "https"),
            endpoint("b/b.example:1433", "blocked", Some("tcp-timeout"), "required", "tds"),
            endpoint("c/c.example:443", "reachable", None, "required", "https"),
            endpoint("d/d.example:12000", "unproven", None, "documented", "tcp"),
            endpoint("e/e.example:5671", "blocked", Some("tls-timeout"), "required", "amqps"),
        ];
        all.into_iter()
            .map(|one| serde_json::from_value(one).unwrap())
            .collect()
    }

    #[test]
    fn answer_from_the_instance_is_described_by_its_evidence() {
        let answer = |status: &str, protocol: &str| {
            let text = json!({ "connectionStatus": status, "probesSent": 3, "probesFailed": 1, "hops": [
                { "type": "Source", "address": "10.1.1.4", "issues": [ { "type": "NetworkSecurityRule" } ] } ] });
            read(&text.to_string(), protocol, jiff::Timestamp::UNIX_EPOCH).unwrap()
        };
        let all = endpoints();
        for (endpoint, status, protocol, words) in [
            (
                &all[0],
                "Reachable",
                "HTTPS",
                "check this VM's network interface, rules or DNS",
            ),
            (&all[0], "Disconnected", "HTTPS", "the instance confirms it"),
            (&all[1], "Connected", "TCP", "confirms nothing behind an Azure Firewall"),
            (&all[1], "Unreachable", "TCP", "NetworkSecurityRule at 10.1.1.4"),
            (&all[4], "Connected", "TCP", "shows nothing about what follows"),
            (&all[4], "Degraded", "TCP", "is not conclusive"),
        ] {
            let text = describe(endpoint, &answer(status, protocol));
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn https_endpoint_is_checked_over_https_and_sql_over_tcp() {
        let all = endpoints();
        let web = body(&all[0], "westeurope");
        assert_eq!(
            (&web["protocol"], &web["destination"]["address"]),
            (&json!("HTTPS"), &json!("https://a.example"))
        );
        assert!(web["protocolConfiguration"]["HTTPConfiguration"]["validStatusCodes"].is_array());
        let sql = body(&all[1], "westeurope");
        assert_eq!(
            (&sql["protocol"], &sql["destination"]),
            (&json!("TCP"), &json!({ "address": "b.example", "port": 1433 }))
        );
        let asked: Vec<bool> = all.iter().map(is_in_question).collect();
        assert_eq!(asked, [true, true, false, false, true]);
    }
}
