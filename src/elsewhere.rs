//! What a report from another place adds to a report: it stands beside each endpoint, and is evidence in each finding.
//!
//! No verdict and no confidence changes by it: a report says what was seen from here. What works from another place clears the
//! service, and what does not puts what both places share first.

use std::collections::HashMap;

use jiff::SignedDuration;

use crate::{
    azure::Cloud,
    model::{self, Cause, Endpoint, Expect, Finding, Report, Standing, Suspect, Verdict},
    text::words,
};

/// Rules change while people look for a fault: a report further away in time than this may be of another network.
const APART: SignedDuration = SignedDuration::from_hours(1);

/// A report from another place.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    name: String,
    report: Report,
}

/// What the other place says of one endpoint of a finding.
enum There {
    Works,
    Fails(Option<Cause>),
    Unknown,
}

impl Elsewhere {
    /// A report by the name of its file, beside a run in `cloud`.
    ///
    /// # Errors
    /// A sentence, where it is of another cloud.
    pub(crate) fn of(name: String, report: Report, cloud: Cloud) -> Result<Self, String> {
        let other = report.vantage.cloud;
        if other == cloud {
            Ok(Self { name, report })
        } else {
            Err(format!(
                "{name}: it is of the {other} cloud and this run of the {cloud} cloud, which have no endpoint in common"
            ))
        }
    }

    /// The report of this run with what the other place says.
    pub(crate) fn beside(&self, mut report: Report) -> Report {
        if let Some(why) = self.worthless(&report) {
            report.vantage.notices.push(why);
            return report;
        }
        let there: HashMap<&str, &Endpoint> = self.report.endpoints.iter().map(|e| (e.id.as_str(), e)).collect();
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
                    .push(format!("{} says {}{cause}", self.name, other.verdict));
            }
        }
        let is_other_subnet = match (&report.vantage.subnet, &self.report.vantage.subnet) {
            (Some(here), Some(there)) => here != there,
            _ => false,
        };
        let expected: HashMap<&str, Expect> = report.endpoints.iter().map(|e| (e.id.as_str(), e.expect)).collect();
        for finding in &mut report.findings {
            let of_services = |id: &&String| expected.get(id.as_str()) == Some(&Expect::Reachable);
            let said: Vec<There> = finding
                .endpoints
                .iter()
                .filter(of_services)
                .map(|id| There::of(there.get(id.as_str()).copied()))
                .collect();
            self.add(finding, &said, is_other_subnet);
        }
        report.vantage.notices.extend(self.notices(&report));
        report
    }

    /// Why the report says nothing of another place, where it does not.
    fn worthless(&self, report: &Report) -> Option<String> {
        let name = &self.name;
        let machine = |report: &Report| (report.vantage.host.clone(), report.vantage.addresses.clone());
        if self.report.vantage.standing == Some(Standing::NoNetwork) {
            return Some(format!(
                "--elsewhere {name}: it was made on a machine without a route to anything, and says nothing of its place"
            ));
        }
        if report.vantage.host.is_some() && machine(report) == machine(&self.report) {
            return Some(format!(
                "--elsewhere {name}: it was made on a machine of this one's name and addresses, so it is no other place; \
                 `apim-probe diff` shows what changed since"
            ));
        }
        let is_known = |endpoint: &Endpoint| self.report.endpoints.iter().any(|other| other.id == endpoint.id);
        (!report.endpoints.iter().any(is_known)).then(|| {
            format!("--elsewhere {name}: it has none of this run's endpoints (another instance, or another selection)")
        })
    }

    /// What to know of the other report.
    fn notices(&self, report: &Report) -> Vec<String> {
        let (name, there) = (&self.name, &self.report);
        let mut notices = Vec::new();
        let since = report.started_at.duration_since(there.started_at);
        if since.abs() > APART {
            let side = if since.is_negative() { "after" } else { "before" };
            notices.push(format!(
                "--elsewhere {name}: it was made {} {side} this run, and the network may have changed in between",
                words::duration(since.unsigned_abs())
            ));
        }
        if there.vantage.standing == Some(Standing::NotAzure) {
            notices.push(format!(
                "--elsewhere {name}: it was made on no Azure VM, so what works there shows that a service answers, and nothing \
                 of Azure's network"
            ));
        }
        let flags = there.selection.flags();
        if !flags.is_empty() && there.selection != report.selection {
            notices.push(format!(
                "--elsewhere {name}: it was made with {flags}, and measured nothing else"
            ));
        }
        if !there.complete {
            notices.push(format!("--elsewhere {name}: its run was interrupted"));
        }
        notices
    }

    /// Adds to a finding what the other place says of its endpoints, right behind what was seen first.
    fn add(&self, finding: &mut Finding, said: &[There], is_other_subnet: bool) {
        let Some(sentence) = self.says(said) else { return };
        finding.evidence.insert(finding.evidence.len().min(1), sentence);
        let works = said.iter().filter(|it| matches!(it, There::Works)).count();
        let fails = said.iter().filter(|it| matches!(it, There::Fails(_))).count();
        if works == said.len() {
            let is_cleared = |suspect: &Suspect| matches!(suspect, Suspect::Service | Suspect::Documentation);
            if !finding.suspects.iter().all(is_cleared) {
                finding.suspects.retain(|suspect| !is_cleared(suspect));
            }
        } else if fails == said.len() && is_other_subnet {
            // Two subnets with the same fault of their own are less likely than one that both meet.
            finding.suspects.sort_by_key(|suspect| suspect.is_local());
        }
    }

    /// One sentence; `None` where there is nothing to say.
    fn says(&self, said: &[There]) -> Option<String> {
        let name = &self.name;
        let works = said.iter().filter(|it| matches!(it, There::Works)).count();
        let causes: Vec<Option<Cause>> = said
            .iter()
            .filter_map(|it| match it {
                There::Fails(cause) => Some(*cause),
                _ => None,
            })
            .collect();
        let words_of = words::distinct(causes.iter().flatten().map(|cause| cause.as_str()));
        let why = if words_of.is_empty() {
            String::new()
        } else {
            format!(" ({})", words::list(&words_of, 3))
        };
        let all = said.len();
        let unknown = all - works - causes.len();
        let rest = match unknown {
            0 => String::new(),
            n => format!("; it did not measure {n}"),
        };
        Some(match (works, causes.len()) {
            _ if all == 0 => return None,
            (0, 0) => format!("{name}, from another place, did not measure this."),
            (1, 0) if all == 1 => {
                format!(
                    "{name}, from another place, reaches it: the service answers, and the fault is on the way from here."
                )
            }
            (n, 0) => format!(
                "{name}, from another place, reaches {n} of these {all}{rest}: the services answer, and the fault is on the way \
                 from here."
            ),
            (0, 1) if all == 1 => format!(
                "{name}, from another place, does not reach it either{why}: look at what both places share, and at the service."
            ),
            (0, n) => format!(
                "{name}, from another place, reaches none of {n} of these {all} either{why}{rest}: look at what both places \
                 share, and at the services."
            ),
            (n, m) => format!("{name}, from another place, reaches {n} of these {all} and not {m}{why}{rest}."),
        })
    }
}

impl There {
    fn of(endpoint: Option<&Endpoint>) -> Self {
        match endpoint.map(|endpoint| (endpoint.verdict, endpoint.cause)) {
            Some((verdict, _)) if verdict.is_proved() => Self::Works,
            Some((Verdict::Blocked, cause)) => Self::Fails(cause),
            _ => Self::Unknown,
        }
    }
}
