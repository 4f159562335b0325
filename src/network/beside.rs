//! What the rules predict, put beside what was measured: evidence, suspects, and findings about what a probe cannot see.

use std::net::IpAddr;

use super::{NetworkRules, Standpoint, addresses::AddressSet, routes::NextHop};
use crate::{
    address::{self, is_private},
    model::{
        self, Cause, Confidence, Direction, Finding, Need, Prediction, Report, Suspect, Transport, Verdict,
        prediction::{Access, Expected, Place, RuleMatch},
    },
    plan::{self, Destination, Plan},
};

mod unseen;

/// Adds to a report what the rules have to say, and gives the prediction for each of its endpoints, in its order.
///
/// Verdicts and causes stay what was measured. Evidence gets a sentence, findings about silence get the rule at fault, their
/// suspects and confidence follow from it, and inbound and peer traffic, which no probe sees, gets findings of its own.
pub fn apply(rules: &NetworkRules, plan: &Plan, report: &mut Report) -> Vec<Option<Prediction>> {
    let region = report.vantage.region.clone();
    let here = address::parsed(&report.vantage.addresses);
    let from = Standpoint {
        region: region.as_deref(),
        addresses: &here,
    };
    for notice in rules.notices(&from) {
        if !report.vantage.notices.contains(&notice) {
            report.vantage.notices.push(notice);
        }
    }
    let rows: Vec<Option<Row<'_>>> = report
        .endpoints
        .iter()
        .map(|measured| {
            let planned = plan.endpoints.iter().find(|planned| planned.id == measured.id)?;
            let prediction = rules.predict(planned, &looked_up(measured), &from);
            Some(Row { planned, prediction })
        })
        .collect();
    for (measured, row) in report.endpoints.iter_mut().zip(&rows) {
        let Some(row) = row else { continue };
        let addresses = looked_up(measured);
        measured.evidence.extend(
            row.prediction
                .as_ref()
                .and_then(|prediction| compare(measured, row.planned, prediction)),
        );
        measured.evidence.extend(rules.outside_its_tag(row.planned, &addresses));
    }
    for finding in &mut report.findings {
        let of_finding = report
            .endpoints
            .iter()
            .zip(&rows)
            .filter(|(measured, _)| finding.endpoints.contains(&measured.id));
        let predicted: Vec<(&model::Endpoint, &Row<'_>)> = of_finding
            .filter_map(|(measured, row)| row.as_ref().map(|row| (measured, row)))
            .collect();
        refine(finding, &predicted);
    }
    let unseen = unseen::findings(
        rules,
        &rows.iter().flatten().collect::<Vec<_>>(),
        report.vantage.vnet,
        &from,
    );
    for (need, finding) in unseen {
        insert(report, need, finding);
    }
    rows.into_iter().map(|row| row.and_then(|row| row.prediction)).collect()
}

/// A planned endpoint and what the rules say of it.
struct Row<'a> {
    planned: &'a plan::Endpoint,
    prediction: Option<Prediction>,
}

impl NetworkRules {
    /// A remark where a documented service answers from outside its service tag: rules by tag do not cover it.
    fn outside_its_tag(&self, endpoint: &plan::Endpoint, addresses: &[IpAddr]) -> Option<String> {
        let tag = endpoint
            .service_tag
            .as_deref()
            .filter(|tag| !tag.eq_ignore_ascii_case(super::INTERNET))?;
        let known = self.tags.addresses(tag)?;
        let outside: AddressSet = addresses
            .iter()
            .copied()
            .filter(|address| !is_private(*address) && !known.contains(*address))
            .collect();
        let verb = if outside.size() == 1 { "is" } else { "are" };
        (!outside.is_empty())
            .then(|| format!("{outside} {verb} not in the service tag {tag}: a rule by tag does not cover that"))
    }
}

/// The addresses that were dialled, or else those that the name resolved to.
fn looked_up(endpoint: &model::Endpoint) -> Vec<IpAddr> {
    let dialled: Vec<IpAddr> = endpoint
        .stages
        .tcp
        .iter()
        .filter_map(|stage| stage.address.parse().ok())
        .collect();
    if !dialled.is_empty() {
        return dialled;
    }
    let resolved = endpoint.stages.dns.iter().flat_map(|stage| &stage.addresses);
    resolved.filter_map(|text| text.parse().ok()).collect()
}

/// Whether packets were dropped in silence, as Azure's rules drop them.
fn is_silent(measured: &model::Endpoint, planned: &plan::Endpoint) -> bool {
    match measured.cause {
        Some(Cause::TcpTimeout) => true,
        Some(Cause::HelloTimeout) => measured.transport == Transport::Udp,
        Some(Cause::DnsTimeout) => matches!(planned.destination, Destination::NameServer(_)),
        _ => false,
    }
}

/// Whether nothing was sent to the endpoint itself.
fn was_not_dialled(measured: &model::Endpoint, planned: &plan::Endpoint) -> bool {
    let of_the_name = measured.cause.is_some_and(|cause| cause.as_str().starts_with("dns-"));
    measured.verdict == Verdict::NotTested
        || (of_the_name && measured.stages.tcp.is_empty() && !matches!(planned.destination, Destination::NameServer(_)))
}

/// The sentence that puts prediction and measurement side by side.
fn compare(measured: &model::Endpoint, planned: &plan::Endpoint, prediction: &Prediction) -> Option<String> {
    let words = &prediction.words;
    if planned.direction != Direction::Outbound {
        return Some(words.clone());
    }
    if was_not_dialled(measured, planned) {
        return None;
    }
    let dropped = is_silent(measured, planned);
    match prediction.verdict {
        Expected::Deny if measured.verdict.is_proved() => Some(format!(
            "predicted deny ({words}), yet it answers: other rules than the given ones are in force"
        )),
        Expected::Deny if !dropped => Some(format!("predicted deny ({words}), yet something answers")),
        _ if measured.verdict.is_proved() => None,
        Expected::Allow if dropped && leads_to(prediction, &NextHop::Internet) => Some(format!(
            "{words}: what remains is a security admin rule, which effective rules do not show, or a subnet without a way out"
        )),
        _ => Some(words.clone()),
    }
}

/// Lets the rules say who is at fault.
fn refine(finding: &mut Finding, rows: &[(&model::Endpoint, &Row<'_>)]) {
    let dialled: Vec<(bool, &Prediction)> = rows
        .iter()
        .filter(|(measured, row)| !was_not_dialled(measured, row.planned))
        .filter_map(|(measured, row)| Some((is_silent(measured, row.planned), row.prediction.as_ref()?)))
        .collect();
    let Some((silent, first)) = dialled.first().copied() else {
        return;
    };
    let all = |holds: &dyn Fn(&Prediction) -> bool| dialled.iter().all(|(_, prediction)| holds(prediction));
    if silent && all(&|prediction| prediction.verdict == Expected::Deny) {
        finding.suspects = culprits(&dialled);
        if finding.confidence != Confidence::Low {
            // A stand-in may be silent for a reason of its own: gateways are retired.
            let only_stand_ins = rows.iter().all(|(_, row)| row.planned.stand_in.is_some());
            finding.confidence = if only_stand_ins {
                Confidence::High
            } else {
                Confidence::Certain
            };
        }
        if let Some(rule) = denier(first).filter(|rule| all(&|prediction| denier(prediction) == Some(*rule))) {
            let so_far = &finding.fix.summary;
            finding.fix.summary = format!(
                "{so_far} It must come before NSG rule {} ({}).",
                rule.name, rule.priority
            );
        }
    } else if all(&|prediction| prediction.verdict == Expected::Allow) {
        acquit(finding, first, all(&|prediction| prediction.route == first.route));
    }
    let mut sentences: Vec<String> = Vec::new();
    for (_, prediction) in &dialled {
        if !sentences.contains(&prediction.words) {
            sentences.push(prediction.words.clone());
        }
    }
    // What the rules say of many endpoints differs in their addresses; two examples show the pattern.
    sentences.truncate(2);
    finding.evidence.splice(0..0, sentences);
}

/// The security rule that denies, where it is one.
fn denier(prediction: &Prediction) -> Option<&RuleMatch> {
    prediction.nsg.as_ref().filter(|rule| rule.access == Access::Deny)
}

/// The suspects where every endpoint of a finding is predicted to be dropped.
fn culprits(dialled: &[(bool, &Prediction)]) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    for (_, prediction) in dialled {
        let suspect = match denier(prediction) {
            Some(rule) if rule.place == Place::Nic => Suspect::VmNicNsg,
            Some(_) => Suspect::Nsg,
            None => Suspect::Udr,
        };
        if !suspects.contains(&suspect) {
            suspects.push(suspect);
        }
    }
    suspects
}

/// Takes off the list whom the rules clear: security groups and routes, and behind a way straight out every firewall.
fn acquit(finding: &mut Finding, prediction: &Prediction, one_way: bool) {
    let keep =
        |finding: &mut Finding, cleared: &[Suspect]| finding.suspects.retain(|suspect| !cleared.contains(suspect));
    let knows_security = prediction.nsg.is_some();
    if one_way && leads_to(prediction, &NextHop::Internet) {
        keep(
            finding,
            &[
                Suspect::Udr,
                Suspect::FirewallNetworkRule,
                Suspect::FirewallApplicationRule,
                Suspect::Nva,
            ],
        );
        if knows_security {
            // What is left of it is a security admin rule; a missing way out comes first.
            finding.suspects.sort_by_key(|suspect| *suspect == Suspect::Nsg);
        }
    } else if one_way && prediction.route.as_ref().is_some_and(|route| route.next_hop.is_some()) {
        keep(finding, &[Suspect::Udr, Suspect::NoOutbound, Suspect::VmNicNsg]);
        if knows_security {
            keep(finding, &[Suspect::Nsg]);
        }
    }
}

fn leads_to(prediction: &Prediction, hop: &NextHop) -> bool {
    prediction
        .route
        .as_ref()
        .is_some_and(|route| route.next_hop_type == hop.as_str())
}

/// Puts a finding behind those that weigh as much.
fn insert(report: &mut Report, need: Need, finding: Finding) {
    let weight = |finding: &Finding| {
        let needs = report
            .endpoints
            .iter()
            .filter(|endpoint| finding.endpoints.contains(&endpoint.id));
        needs.map(|endpoint| endpoint.need).min().unwrap_or(Need::Required)
    };
    let at = report
        .findings
        .iter()
        .position(|other| weight(other) > need)
        .unwrap_or(report.findings.len());
    report.findings.insert(at, finding);
}
