//! What the agent must report, and how its report differs.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{
    firewall::glob_matches,
    network::{LabNetwork, ServiceAddress},
    relay::RelayedFlow,
};

/// The agent's exit status and the report that it must print.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedOutcome {
    /// The exit status. With 2 nothing was probed, and there is no report; with 4 there may be none.
    pub exit: i32,
    /// Fields of the report's summary.
    #[serde(default)]
    pub summary: BTreeMap<String, Value>,
    /// Endpoints by id, `*` matching any characters; each must match at least one. The first match counts.
    #[serde(default)]
    pub endpoints: Vec<ExpectedEndpoint>,
    /// The verdicts allowed for endpoints that are not listed above.
    #[serde(default = "reachable_or_not_tested")]
    pub other_endpoints: Vec<String>,
    /// The first findings, in order. An empty list: there must be none.
    pub findings: Option<Vec<ExpectedFinding>>,
    /// No finding may be more confident than this.
    pub max_confidence: Option<String>,
    /// Phrases of the notices.
    #[serde(default)]
    pub notices: Phrases,
    /// Phrases on stderr.
    #[serde(default)]
    pub stderr: Phrases,
    /// The number of flows to each of these destinations: TCP connections, or pairs of UDP ports; excluding those with
    /// a low TTL.
    #[serde(default)]
    pub flows: BTreeMap<ServiceAddress, usize>,
    /// Whether packets with a low TTL, which reach the first hops only, are sent; requires a `link` with `count_flows`.
    pub low_ttl_packets: Option<bool>,
    /// The number of requests to the management endpoint or the metadata service that contain each of these texts. A
    /// request is `GET /path?query`, or a POST with its body.
    #[serde(default)]
    pub requests: BTreeMap<String, usize>,
    /// Texts that stdout must contain, in any format.
    #[serde(default)]
    pub stdout: Phrases,
    /// Texts that neither stdout nor stderr may contain.
    #[serde(default)]
    pub output_excludes: Phrases,
    /// Maximum duration of the whole run, in milliseconds: a limit against hanging, not a measure of speed.
    pub max_duration_ms: Option<f64>,
}

/// The expected result for one endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEndpoint {
    /// Its id, `*` matching any characters.
    pub id: String,
    /// Its verdict.
    pub verdict: String,
    /// Its cause, `none` for null. If not given, a reachable endpoint must have none.
    pub cause: Option<String>,
    /// Whether it is as the catalog expects.
    pub as_expected: Option<bool>,
    /// How many connections were made to it, and how many of them passed.
    pub flows: Option<ExpectedFlows>,
    /// Phrases that its detail or its evidence must have.
    #[serde(default)]
    pub evidence: Phrases,
    /// Phrases that neither may have.
    #[serde(default)]
    pub evidence_excludes: Phrases,
    /// Maximum duration, in milliseconds: a limit against hanging, not a measure of speed.
    pub max_duration_ms: Option<f64>,
}

/// The expected numbers of connections to one endpoint.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFlows {
    /// Connections that were made.
    pub tried: u64,
    /// Those of them over which it was verified.
    pub passed: u64,
}

/// The expected finding.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedFinding {
    /// Its id, `*` matching any characters.
    pub id: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// Its confidence.
    pub confidence: Option<String>,
    /// How many endpoints it explains.
    pub endpoints: Option<usize>,
    /// Suspects that it must list.
    pub suspects: Vec<String>,
    /// Suspects that it must not list.
    pub not_suspects: Vec<String>,
    /// The hops up to where the packets stop, one address each; `?` for a hop that does not answer. An empty list: no
    /// path.
    pub path: Option<Vec<String>>,
    /// Phrases that neither its title nor its evidence may have.
    pub excludes: Phrases,
    /// Phrases of its title, evidence or fix.
    pub contains: Phrases,
    /// Phrases in its hand-over, a connection as `tcp source -> destination host`. An empty list: there must be no
    /// hand-over.
    pub handover: Option<Phrases>,
}

/// One phrase or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrases(pub Vec<String>);

fn reachable_or_not_tested() -> Vec<String> {
    vec!["reachable".into(), "not-tested".into()]
}

impl ExpectedOutcome {
    /// Every destination with a wrong number of flows, one line each.
    pub fn compare_flows(&self, network: &LabNetwork, flows: &[RelayedFlow]) -> Vec<String> {
        let to = |at: &ServiceAddress| {
            let addresses = network.addresses(&at.host);
            let is_there = move |flow: &&RelayedFlow| {
                let (address, port) = flow.destination;
                addresses.contains(&address.into())
                    && at.port == Some(port)
                    && at.transport == flow.transport
                    && !flow.low_ttl
            };
            flows.iter().filter(is_there).count()
        };
        let wrong = self.flows.iter().filter(|(at, wanted)| to(at) != **wanted);
        let low_ttl = flows.iter().filter(|flow| flow.low_ttl).count();
        let other = self.low_ttl_packets.filter(|wanted| *wanted != (low_ttl > 0));
        wrong
            .map(|(at, wanted)| format!("{} flows to {at}, expected {wanted}", to(at)))
            .chain(other.map(|_| format!("{low_ttl} flows had a low TTL")))
            .collect()
    }

    /// Every request that was received more or less often than expected, one line each.
    pub fn compare_requests(&self, requests: &[String]) -> Vec<String> {
        let times = |words: &String| requests.iter().filter(|line| line.contains(words.as_str())).count();
        let wrong = self.requests.iter().filter(|(words, wanted)| times(words) != **wanted);
        wrong
            .map(|(words, wanted)| format!("{words} was requested {} times, expected {wanted}", times(words)))
            .collect()
    }

    /// Every difference between the agent's report and the expectation, one line each; none means that all is as
    /// expected.
    pub fn compare(&self, status: Option<i32>, stdout: &str, stderr: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        if status != Some(self.exit) {
            wrong.push(format!(
                "exit status {}, expected {}",
                status.map_or("none".into(), |s| s.to_string()),
                self.exit
            ));
        }
        self.stderr.missing_in(stderr, "stderr", &mut wrong);
        self.stdout.missing_in(stdout, "stdout", &mut wrong);
        self.output_excludes.found_in(stdout, "stdout", &mut wrong);
        self.output_excludes.found_in(stderr, "stderr", &mut wrong);
        let may_lack_report = self.exit == 2 || self.exit == 4 && self.endpoints.is_empty();
        if may_lack_report && stdout.trim().is_empty() {
            return wrong;
        }
        match serde_json::from_str(stdout) {
            Ok(report) => self.compare_report(&report, &mut wrong),
            Err(error) => wrong.push(format!("stdout is not a report: {error}")),
        }
        wrong
    }

    fn compare_report(&self, report: &Value, wrong: &mut Vec<String>) {
        for (field, expected) in &self.summary {
            let got = &report["summary"][field];
            if got != expected {
                wrong.push(format!("summary.{field} is {got}, expected {expected}"));
            }
        }
        self.compare_endpoints(list(&report["endpoints"]), wrong);
        self.compare_findings(list(&report["findings"]), wrong);
        self.notices
            .missing_in(&texts(&report["vantage"]["notices"]), "the notices", wrong);
        at_most(&report["duration_ms"], self.max_duration_ms, "the run", wrong);
    }

    fn compare_endpoints(&self, got: &[Value], wrong: &mut Vec<String>) {
        let mut matched = vec![false; self.endpoints.len()];
        for endpoint in got {
            let id = text(&endpoint["id"]);
            let expected = self
                .endpoints
                .iter()
                .position(|expected| glob_matches(&expected.id, id));
            if let Some(at) = expected {
                matched[at] = true;
                self.endpoints[at].compare(endpoint, wrong);
            } else {
                let verdict = text(&endpoint["verdict"]);
                if !self.other_endpoints.iter().any(|allowed| allowed == verdict) {
                    let (cause, detail) = (text(&endpoint["cause"]), text(&endpoint["detail"]));
                    wrong.push(format!(
                        "{id} is {verdict} {cause} ({detail}), expected {}",
                        self.other_endpoints.join(" or ")
                    ));
                }
            }
        }
        for (expected, _) in self.endpoints.iter().zip(matched).filter(|(_, matched)| !matched) {
            wrong.push(format!("{} is not in the report", expected.id));
        }
    }

    fn compare_findings(&self, got: &[Value], wrong: &mut Vec<String>) {
        if let Some(expected) = &self.findings {
            if expected.is_empty() && !got.is_empty() {
                wrong.push(format!("{} findings, expected none", got.len()));
            }
            for (at, expected) in expected.iter().enumerate() {
                match got.get(at) {
                    Some(finding) => expected.compare(finding, at, wrong),
                    None => wrong.push(format!("finding {at} is missing: {expected:?}")),
                }
            }
        }
        if let Some(most) = &self.max_confidence {
            for finding in got
                .iter()
                .filter(|finding| rank(text(&finding["confidence"])) > rank(most))
            {
                wrong.push(format!(
                    "finding {} is {}, expected {most} at most",
                    finding["id"], finding["confidence"]
                ));
            }
        }
    }
}

impl ExpectedEndpoint {
    fn compare(&self, got: &Value, wrong: &mut Vec<String>) {
        let id = text(&got["id"]);
        let verdict = text(&got["verdict"]);
        if verdict != self.verdict {
            wrong.push(format!("{id} is {verdict}, expected {}", self.verdict));
        }
        let cause = got["cause"].as_str().unwrap_or("none");
        let expected = self
            .cause
            .as_deref()
            .or((self.verdict == "reachable").then_some("none"));
        if let Some(expected) = expected.filter(|expected| *expected != cause) {
            wrong.push(format!("{id} has the cause {cause}, expected {expected}"));
        }
        let got_flows = got["flows"].as_object();
        let pair = got_flows.map(|flows| (flows["tried"].as_u64(), flows["passed"].as_u64()));
        if let Some(ExpectedFlows { tried, passed }) = self.flows
            && pair != Some((Some(tried), Some(passed)))
        {
            wrong.push(format!("{id}: flows is {}, expected {passed} of {tried}", got["flows"]));
        }
        if let Some(expected) = self.as_expected.filter(|expected| got["as_expected"] != *expected) {
            wrong.push(format!(
                "{id}: as_expected is {}, expected {expected}",
                got["as_expected"]
            ));
        }
        let evidence = format!("{}\n{}", text(&got["detail"]), texts(&got["evidence"]));
        self.evidence.missing_in(&evidence, id, wrong);
        for phrase in self
            .evidence_excludes
            .0
            .iter()
            .filter(|phrase| evidence.contains(phrase.as_str()))
        {
            wrong.push(format!("{id} says “{phrase}”"));
        }
        at_most(&got["duration_ms"], self.max_duration_ms, id, wrong);
    }
}

impl ExpectedFinding {
    fn compare(&self, got: &Value, at: usize, wrong: &mut Vec<String>) {
        if let Some(expected) = self.id.as_deref().filter(|glob| !glob_matches(glob, text(&got["id"]))) {
            wrong.push(format!("finding {at} is {}, expected {expected}", got["id"]));
        }
        for (field, expected) in [("cause", &self.cause), ("confidence", &self.confidence)] {
            if let Some(expected) = expected.as_deref().filter(|expected| got[field] != **expected) {
                wrong.push(format!("finding {at}: {field} is {}, expected {expected}", got[field]));
            }
        }
        let endpoints = list(&got["endpoints"]).len();
        if let Some(expected) = self.endpoints.filter(|expected| *expected != endpoints) {
            wrong.push(format!(
                "finding {at} explains {endpoints} endpoints, expected {expected}"
            ));
        }
        for suspect in &self.suspects {
            if !list(&got["suspects"]).iter().any(|got| got == suspect) {
                wrong.push(format!(
                    "finding {at} does not suspect {suspect}, but {}",
                    got["suspects"]
                ));
            }
        }
        for suspect in &self.not_suspects {
            if list(&got["suspects"]).iter().any(|got| got == suspect) {
                wrong.push(format!("finding {at} suspects {suspect}"));
            }
        }
        let hops = list(&got["path"]["hops"]).iter();
        let hops: Vec<&str> = hops.map(|hop| hop["address"].as_str().unwrap_or("?")).collect();
        if let Some(expected) = self.path.as_ref().filter(|expected| **expected != hops) {
            wrong.push(format!("finding {at} has the path {hops:?}, expected {expected:?}"));
        }
        let seen = format!("{}\n{}", text(&got["title"]), texts(&got["evidence"]));
        for phrase in self.excludes.0.iter().filter(|phrase| seen.contains(phrase.as_str())) {
            wrong.push(format!("finding {at} says “{phrase}”"));
        }
        let said = [
            text(&got["title"]),
            &texts(&got["evidence"]),
            text(&got["fix"]["summary"]),
            &["change", "undo", "look", "verify"]
                .map(|kind| texts(&got["fix"][kind]))
                .join("\n"),
        ]
        .join("\n");
        self.contains.missing_in(&said, &format!("finding {at}"), wrong);
        let handover = &got["handover"];
        match &self.handover {
            Some(phrases) if phrases.0.is_empty() && !handover.is_null() => {
                wrong.push(format!("finding {at} is handed over: {handover}"));
            }
            Some(phrases) => {
                phrases.missing_in(&handed_over(handover), &format!("the hand-over of finding {at}"), wrong);
            }
            None => {}
        }
    }
}

/// All texts of a hand-over.
fn handed_over(handover: &Value) -> String {
    let flows = list(&handover["flows"]).iter().map(|flow| {
        let [transport, source, destination, host] =
            ["transport", "source", "destination", "host"].map(|key| text(&flow[key]));
        format!("{transport} {source} -> {destination} {host}")
    });
    let queries = list(&handover["queries"]).iter();
    let queries = queries.map(|query| format!("{}: {}", text(&query["for"]), text(&query["text"])));
    let owners = list(&handover["owners"]).iter().map(|request| {
        let said = ["allow", "change", "reproduce"].map(|key| texts(&request[key]));
        format!("{}: {}", text(&request["owner"]), said.join("\n"))
    });
    flows.chain(queries).chain(owners).collect::<Vec<_>>().join("\n")
}

impl Phrases {
    fn missing_in(&self, text: &str, whose: &str, wrong: &mut Vec<String>) {
        for phrase in self.0.iter().filter(|phrase| !text.contains(phrase.as_str())) {
            wrong.push(format!("{whose} does not say “{phrase}”"));
        }
    }

    fn found_in(&self, text: &str, whose: &str, wrong: &mut Vec<String>) {
        for phrase in self.0.iter().filter(|phrase| text.contains(phrase.as_str())) {
            wrong.push(format!("{whose} says “{phrase}”"));
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value) -> String {
    list(value).iter().map(text).collect::<Vec<_>>().join("\n")
}

fn at_most(got: &Value, most: Option<f64>, whose: &str, wrong: &mut Vec<String>) {
    if let Some(most) = most.filter(|most| got.as_f64().is_none_or(|got| got > *most)) {
        wrong.push(format!("{whose} took {got} ms, expected {most} at most"));
    }
}

fn rank(confidence: &str) -> usize {
    ["low", "medium", "high", "certain"]
        .iter()
        .position(|word| *word == confidence)
        .unwrap_or(usize::MAX)
}

impl<'de> Deserialize<'de> for Phrases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Phrases;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a phrase or a list of phrases")
            }

            fn visit_str<E>(self, phrase: &str) -> Result<Phrases, E> {
                Ok(Phrases(vec![phrase.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut phrases: A) -> Result<Phrases, A::Error> {
                let mut all = Vec::new();
                while let Some(phrase) = phrases.next_element()? {
                    all.push(phrase);
                }
                Ok(Phrases(all))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{
        "duration_ms": 1200.5,
        "vantage": { "notices": ["HTTPS_PROXY is ignored"] },
        "summary": { "verdict": "blocked", "blocked": 1 },
        "findings": [ { "id": "tcp-timeout/sql", "cause": "tcp-timeout", "title": "dropped", "confidence": "high",
                        "endpoints": ["sql/a:1433"], "evidence": ["5 SYNs"], "suspects": ["nsg"], "fix": { "summary": "Allow Sql" },
                        "handover": { "flows": [ { "transport": "tcp", "source": "10.1.0.4:5", "destination": "20.1.2.3:1433", "host": "a" } ],
                                      "queries": [ { "for": "nva", "text": "tcp src" } ],
                                      "owners": [ { "owner": "firewall", "allow": ["Sql"], "reproduce": ["curl"] } ] } } ],
        "endpoints": [
            { "id": "sql/a:1433", "verdict": "blocked", "cause": "tcp-timeout", "detail": "no answer", "evidence": ["5 SYNs"],
              "as_expected": false, "duration_ms": 1000.0 },
            { "id": "entra/b:443", "verdict": "reachable", "cause": null, "detail": "fine", "evidence": [], "as_expected": true,
              "duration_ms": 4.0 } ] }"#;

    fn wrong(expect: &str) -> Vec<String> {
        let expect: ExpectedOutcome = serde_yaml::from_str(expect).unwrap();
        expect.compare(Some(1), REPORT, "warning: late")
    }

    #[test]
    fn matching_report_has_no_differences() {
        let expect = "exit: 1
summary: { verdict: blocked, blocked: 1 }
endpoints: [ { id: 'sql/*', verdict: blocked, cause: tcp-timeout, as_expected: false, evidence: [SYN, no answer], max_duration_ms: 1100 } ]
findings: [ { id: '*/sql', cause: tcp-timeout, confidence: high, endpoints: 1, suspects: [nsg], contains: [dropped, Allow],
              handover: ['tcp 10.1.0.4:5 -> 20.1.2.3:1433 a', 'nva: tcp src', 'firewall: Sql', curl] } ]
notices: HTTPS_PROXY
stderr: late
max_duration_ms: 1500";
        assert_eq!(wrong(expect), [""; 0]);
    }

    #[test]
    fn each_difference_is_named() {
        for (expect, difference) in [
            ("exit: 0", "exit status 1, expected 0"),
            ("exit: 1\nsummary: { blocked: 2 }", "summary.blocked is 1, expected 2"),
            (
                "exit: 1",
                "sql/a:1433 is blocked tcp-timeout (no answer), expected reachable or not-tested",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'kms/*', verdict: blocked } ]",
                "kms/* is not in the report",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: reachable } ]",
                "sql/a:1433 is blocked, expected reachable",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: blocked, cause: x } ]",
                "has the cause tcp-timeout, expected x",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: blocked, evidence: ICMP } ]",
                "does not say “ICMP”",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: blocked, evidence_excludes: SYN } ]",
                "says “SYN”",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: blocked, as_expected: true } ]",
                "as_expected is false",
            ),
            (
                "exit: 1\nendpoints: [ { id: 'sql/*', verdict: blocked, max_duration_ms: 9 } ]",
                "took 1000.0 ms",
            ),
            ("exit: 1\nfindings: []", "1 findings, expected none"),
            ("exit: 1\nfindings: [ {}, {} ]", "finding 1 is missing"),
            (
                "exit: 1\nfindings: [ { suspects: [udr] } ]",
                "finding 0 does not suspect udr",
            ),
            (
                "exit: 1\nfindings: [ { handover: AZFWNetworkRule } ]",
                "the hand-over of finding 0 does not say “AZFWNetworkRule”",
            ),
            ("exit: 1\nfindings: [ { handover: [] } ]", "finding 0 is handed over"),
            ("exit: 1\nmax_confidence: low", "expected low at most"),
            ("exit: 1\nmax_duration_ms: 1000", "the run took 1200.5 ms"),
            ("exit: 1\noutput_excludes: late", "stderr says “late”"),
            ("exit: 1\noutput_excludes: HTTPS_PROXY", "stdout says “HTTPS_PROXY”"),
            ("exit: 1\nstderr: early", "stderr does not say “early”"),
        ] {
            let wrong = wrong(expect);
            assert!(
                wrong.iter().any(|line| line.contains(difference)),
                "{expect}\n{wrong:#?}"
            );
        }
    }

    #[test]
    fn stdout_without_a_report_is_a_difference() {
        let expect: ExpectedOutcome = serde_yaml::from_str("exit: 0").unwrap();
        assert!(expect.compare(Some(0), "hello", "")[0].starts_with("stdout is not a report"));
        assert_eq!(expect.compare(None, REPORT, "")[0], "exit status none, expected 0");
    }
}
