//! What a report from another place adds to a report: it is shown with each endpoint, and is evidence in each finding.
//!
//! No verdict or confidence changes because of it: a report shows what was seen from here. If something works from
//! another place at the same time and address, the service is not at fault; if it does not, what both places share is
//! the first suspect.

use std::collections::HashMap;

use jiff::SignedDuration;

use crate::{
    azure::Cloud,
    import::is_own,
    model::{self, Cause, EndpointReport, Expect, Finding, Report, Standing, Suspect, Verdict},
    redact,
    text::words,
};

/// Rules change while people look for a fault: a report made further apart in time may show another state of the
/// network.
pub(crate) const APART: SignedDuration = SignedDuration::from_hours(1);

/// A report from another place.
#[derive(Debug, Clone)]
pub(crate) struct ReportElsewhere {
    name: String,
    /// The report, excluding endpoints under stand-ins.
    report: Report,
}

/// The other place's result for one endpoint of a finding.
enum RemoteResult {
    /// The service that was tried from here answers there.
    Answers,
    /// Something works there, and why it may not be the service that was tried from here, or not at this time.
    Works(&'static str),
    Fails(Option<Cause>),
    Unknown,
}

impl ReportElsewhere {
    /// A report, labelled with its file name, for a run in `cloud`.
    ///
    /// # Errors
    ///
    /// A sentence, if it is from another cloud.
    pub(crate) fn of(name: String, mut report: Report, cloud: Cloud) -> Result<Self, String> {
        let other = report.vantage.cloud;
        if other == cloud {
            let is_known = redact::known(&report);
            report.endpoints.retain(is_known);
            Ok(Self { name, report })
        } else {
            Err(format!(
                "{name}: it is from the {other} cloud and this run is in the {cloud} cloud, which have no endpoint in common"
            ))
        }
    }

    /// The report of this run, with the other place's results.
    pub(crate) fn beside(&self, mut report: Report) -> Report {
        if let Some(why) = self.worthless(&report) {
            report.vantage.notices.push(why);
            return report;
        }
        let there: HashMap<&str, &EndpointReport> = self.report.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
        for endpoint in &mut report.endpoints {
            let Some(other) = there.get(endpoint.id.as_str()) else {
                continue;
            };
            endpoint.elsewhere = Some(model::Elsewhere {
                report: self.name.clone(),
                verdict: other.verdict,
                cause: other.cause,
            });
            if matches!(
                endpoint.verdict,
                Verdict::Blocked | Verdict::Unproven | Verdict::Degraded
            ) {
                let cause = other.cause.map_or_else(String::new, |cause| format!(" ({cause})"));
                endpoint
                    .evidence
                    .push(format!("{}: {}{cause}", self.name, other.verdict));
            }
        }
        let is_other_subnet = match (&report.vantage.subnet, &self.report.vantage.subnet) {
            (Some(here), Some(there)) => here != there && !self.report.redacted,
            _ => false,
        };
        let is_lately = self.since(&report).abs() <= APART;
        let here: HashMap<&str, &EndpointReport> = report.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
        for finding in &mut report.findings {
            let tried = finding.endpoints.iter().filter_map(|id| here.get(id.as_str()));
            let results: Vec<RemoteResult> = tried
                .filter(|endpoint| endpoint.expect == Expect::Reachable)
                .map(|endpoint| self.says_of(endpoint, there.get(endpoint.id.as_str()).copied(), is_lately))
                .collect();
            self.add(finding, &results, is_other_subnet && is_lately);
        }
        report.vantage.notices.extend(self.notices(&report));
        report
    }

    /// How long before this run the other report was made.
    fn since(&self, report: &Report) -> SignedDuration {
        report.started_at.duration_since(self.report.started_at)
    }

    /// Why the report shows nothing about another place, if so.
    fn worthless(&self, report: &Report) -> Option<String> {
        let name = &self.name;
        let machine = |report: &Report| (report.vantage.host.clone(), report.vantage.addresses.clone());
        if self.report.vantage.standing == Some(Standing::NoNetwork) {
            return Some(format!(
                "--elsewhere {name}: it was made on a machine without a route to anything, so it shows nothing about \
                 its place"
            ));
        }
        if !self.report.redacted && report.vantage.host.is_some() && machine(report) == machine(&self.report) {
            return Some(format!(
                "--elsewhere {name}: it was made on a machine with the same name and addresses as this one, so it is \
                 not another place; `apim-probe diff` shows what has changed since"
            ));
        }
        let is_shared = |endpoint: &EndpointReport| self.report.endpoints.iter().any(|other| other.id == endpoint.id);
        (!report.endpoints.iter().any(is_shared)).then(|| {
            let why = if self.report.redacted {
                "it was made with --redact: use the original report"
            } else {
                "another instance, or another selection"
            };
            format!("--elsewhere {name}: it has none of this run's endpoints ({why})")
        })
    }

    /// Notices about the other report.
    fn notices(&self, report: &Report) -> Vec<String> {
        let (name, there) = (&self.name, &self.report);
        let mut notices = Vec::new();
        let since = self.since(report);
        if since.abs() > APART {
            let side = if since.is_negative() { "after" } else { "before" };
            notices.push(format!(
                "--elsewhere {name}: it was made {} {side} this run, and the network may have changed in between",
                words::duration(since.unsigned_abs())
            ));
        }
        if there.vantage.standing == Some(Standing::NotAzure) {
            notices.push(format!(
                "--elsewhere {name}: it was not made on an Azure VM, so what works there shows that a service answers, \
                 but nothing about Azure's network"
            ));
        }
        if there.vantage.is_place_unknown() {
            notices.push(format!(
                "--elsewhere {name}: the metadata service gave no usable answer there, so it is unknown whether it was \
                 made on an Azure VM"
            ));
        }
        let flags = there.selection.flags();
        if !flags.is_empty() && there.selection != report.selection {
            notices.push(format!(
                "--elsewhere {name}: it was made with {flags}, and tested nothing else"
            ));
        }
        if there.redacted {
            notices.push(format!(
                "--elsewhere {name}: it was made with --redact, so it shows nothing about your own hosts and addresses"
            ));
        }
        if !there.complete {
            notices.push(format!("--elsewhere {name}: its run was interrupted"));
        }
        notices
    }

    /// The other place's result for an endpoint that was tried from here.
    fn says_of(&self, here: &EndpointReport, there: Option<&EndpointReport>, is_lately: bool) -> RemoteResult {
        let Some(there) = there else {
            return RemoteResult::Unknown;
        };
        match there.verdict {
            Verdict::Blocked => RemoteResult::Fails(there.cause),
            Verdict::Unproven | Verdict::NotTested => RemoteResult::Unknown,
            Verdict::Reachable | Verdict::Degraded if !is_lately => RemoteResult::Works("at another time"),
            Verdict::Degraded => RemoteResult::Works("though not every time"),
            Verdict::Reachable if self.report.redacted => RemoteResult::Works("at an address that its report hides"),
            Verdict::Reachable if !here.shares_address_with(there) => {
                RemoteResult::Works("at an address that was not tried from here")
            }
            // A backend's own firewall may allow the other place and not this one.
            Verdict::Reachable if is_own(&here.dependency) => {
                RemoteResult::Works("and may allow some clients and not others")
            }
            Verdict::Reachable => RemoteResult::Answers,
        }
    }

    /// Adds the other place's results to a finding, right after the first observation.
    fn add(&self, finding: &mut Finding, results: &[RemoteResult], is_other_subnet: bool) {
        let Some(sentence) = describe(&self.name, results) else {
            return;
        };
        finding.evidence.insert(finding.evidence.len().min(1), sentence);
        if results.iter().all(|it| matches!(it, RemoteResult::Answers)) {
            let is_cleared = |suspect: &Suspect| matches!(suspect, Suspect::Service | Suspect::Documentation);
            if !finding.suspects.iter().all(is_cleared) {
                finding.suspects.retain(|suspect| !is_cleared(suspect));
            }
        } else if is_other_subnet && results.iter().all(|it| matches!(it, RemoteResult::Fails(_))) {
            // Two subnets with the same fault each are less likely than one fault that both share.
            finding.suspects.sort_by_key(|suspect| suspect.is_local());
        }
    }
}

/// What stands between a report's name and its results, in a sentence about another place.
const FROM: &str = ", from another place, ";

/// What the other place shows about a finding, if a report from there was given.
pub(crate) fn result_for(finding: &Finding) -> Option<&str> {
    let mut evidence = finding.evidence.iter().map(String::as_str);
    evidence.find(|sentence| sentence.contains(FROM))
}

/// A place's results for the endpoints of a finding, in one sentence; `None` if there are none.
fn describe(name: &str, results: &[RemoteResult]) -> Option<String> {
    let works = results
        .iter()
        .filter(|it| matches!(it, RemoteResult::Answers | RemoteResult::Works(_)))
        .count();
    let doubts = words::distinct(results.iter().filter_map(|it| match it {
        RemoteResult::Works(doubt) => Some(*doubt),
        _ => None,
    }));
    let causes: Vec<Option<Cause>> = results
        .iter()
        .filter_map(|it| match it {
            RemoteResult::Fails(cause) => Some(*cause),
            _ => None,
        })
        .collect();
    let words_of = words::distinct(causes.iter().flatten().map(|cause| cause.as_str()));
    let why = if words_of.is_empty() {
        String::new()
    } else {
        format!(" ({})", words::list(&words_of, 3))
    };
    let all = results.len();
    let unknown = all - works - causes.len();
    let rest = match unknown {
        0 => String::new(),
        n => format!("; it shows nothing about the other {n}"),
    };
    Some(match (works, causes.len()) {
        _ if all == 0 => return None,
        (0, 0) => format!("{name}{FROM}shows nothing about this."),
        (1, 0) if all == 1 && doubts.is_empty() => {
            format!("{name}{FROM}reaches it: the service answers, so the fault is on the path from here.")
        }
        (1, 0) if all == 1 => {
            format!("{name}{FROM}reaches it: it answered there, {}.", doubts.join(", "))
        }
        (1, 0) if !doubts.is_empty() => format!(
            "{name}{FROM}reaches 1 of these {all}: it answered there, {}{rest}.",
            doubts.join(", ")
        ),
        (n, 0) if !doubts.is_empty() => format!(
            "{name}{FROM}reaches {n} of these {all}: they answered there, some of them {}{rest}.",
            words::list(&doubts, 3)
        ),
        (1, 0) => format!(
            "{name}{FROM}reaches 1 of these {all}: that service answers, so for it the fault is on \
             the path from here{rest}."
        ),
        (n, 0) if n == all => {
            format!("{name}{FROM}reaches all {all}: the services answer, so the fault is on the path from here.")
        }
        (n, 0) => format!(
            "{name}{FROM}reaches {n} of these {all}: those services answer, so for them the fault is \
             on the path from here{rest}."
        ),
        (0, 1) if all == 1 => {
            format!("{name}{FROM}does not reach it either{why}: check what both places share, and the service.")
        }
        (0, n) if n == all => format!(
            "{name}{FROM}reaches none of these {all} either{why}: check what both places share, and \
             the services."
        ),
        (0, n) => format!(
            "{name}{FROM}does not reach {n} of these {all} either{why}: for those, check what both \
             places share, and the services{rest}."
        ),
        (n, m) => format!("{name}{FROM}reaches {n} of these {all} and not {m}{why}{rest}."),
    })
}

#[cfg(test)]
mod tests {
    use super::RemoteResult;
    use crate::model::Cause;

    #[test]
    fn sentence_about_another_report_counts_its_untested_endpoints() {
        let describe = |works: usize, fails: usize, unknown: usize| {
            let results = (0..works).map(|_| RemoteResult::Answers);
            let results = results.chain((0..fails).map(|_| RemoteResult::Fails(Some(Cause::TcpTimeout))));
            let results: Vec<RemoteResult> = results.chain((0..unknown).map(|_| RemoteResult::Unknown)).collect();
            super::describe("hub.json", &results).unwrap_or_default()
        };
        for (works, fails) in [(1, 0), (3, 0), (0, 1), (0, 3), (2, 1)] {
            let partly = describe(works, fails, 2);
            let all = works + fails + 2;
            assert!(partly.contains(&format!("of these {all}")), "{partly}");
            assert!(partly.ends_with("; it shows nothing about the other 2."), "{partly}");
            assert!(
                fails * works > 0
                    || ["for it", "for them", "for those"]
                        .iter()
                        .any(|whom| partly.contains(whom)),
                "{partly}"
            );
            assert!(
                !describe(works, fails, 0).contains("nothing"),
                "{}",
                describe(works, fails, 0)
            );
        }
        assert_eq!(
            describe(0, 0, 2),
            "hub.json, from another place, shows nothing about this."
        );
    }
}
