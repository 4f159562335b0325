//! Compares the report with what was broken.

use apim_probe::model::{Confidence, Finding, FindingKind, Report, Suspect, Verdict};

use super::{faults::Broken, random_network::RandomNetwork};

/// Every finding of high confidence that is not true of the network, and every endpoint that is reported blocked
/// although nothing is broken there.
pub(super) fn false_findings(drawn: &RandomNetwork, report: &Report) -> Vec<String> {
    let sure = report
        .findings
        .iter()
        .filter(|finding| finding.confidence >= Confidence::High);
    let false_ones = sure.filter_map(|finding| {
        let why = false_finding(drawn, finding)?;
        let (id, confidence, title) = (&finding.id, finding.confidence.as_str(), &finding.title);
        let evidence = finding.evidence.join("\n    ");
        Some(format!(
            "{id} ({confidence}): {title}: {why}\n    {evidence}\n    fix: {}",
            finding.fix.summary
        ))
    });
    let well = |id: &str| drawn.at(id).is_empty() && !id.starts_with("dns/");
    let alarms = report
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.verdict == Verdict::Blocked && well(&endpoint.id) && !drawn.is_unsettled());
    let alarms = alarms.map(|endpoint| format!("{} is called blocked: {}", endpoint.id, endpoint.detail));
    let ways = report.findings.iter().filter_map(|finding| {
        let why = drawn.is_elsewhere(finding.path.as_ref()?)?;
        Some(format!("{}: {why}", finding.id))
    });
    false_ones.chain(alarms).chain(ways).collect()
}

/// Why a finding is false; `None` if it is true.
fn false_finding(drawn: &RandomNetwork, finding: &Finding) -> Option<String> {
    let kind = finding.kind?;
    for id in &finding.endpoints {
        let broken = drawn.at(id);
        if !broken.iter().any(|broken| broken.kinds().contains(&kind)) {
            return Some(format!("{id} is {broken:?}"));
        }
    }
    let all: Vec<Broken> = finding.endpoints.iter().flat_map(|id| drawn.at(id)).collect();
    let is_told_to_change_a_group = finding
        .fix
        .change
        .iter()
        .any(|line| line.starts_with("az network nsg rule create"));
    if is_told_to_change_a_group && !all.iter().any(|broken| broken.may_be_a_security_rule()) {
        return Some("no security rule does this".into());
    }
    let blames_this_vm = finding.suspects.first() == Some(&Suspect::LocalHost);
    if blames_this_vm && !all.iter().any(|broken| broken.is_local()) {
        return Some("this VM is well".into());
    }
    let is_known = !finding.endpoints.is_empty() || matches!(kind, FindingKind::Loss | FindingKind::KmsActivation);
    (!is_known).then(|| "it names no endpoint".into())
}
