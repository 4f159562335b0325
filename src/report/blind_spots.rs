//! What a run that found nothing wrong still cannot see, and how to check that.

use crate::{
    model::{Confidence, Direction, ExitStatus, Need, Report, Verdict},
    text::words,
};

use super::view;

/// One sentence for each thing, if the run is good; nothing if there are findings to look at first.
pub fn blind_spots(report: &Report, exit: &ExitStatus) -> Vec<String> {
    let (counting, _) = view::split_findings(report);
    let is_good = exit.code == ExitStatus::REACHABLE
        && counting.iter().all(|finding| finding.confidence == Confidence::Low)
        && report.endpoints.iter().any(|endpoint| endpoint.verdict.is_proved());
    if !is_good {
        return Vec::new();
    }
    let mut spots = Vec::new();
    spots.extend(untested(report));
    spots.extend(inbound(report));
    let asked = report
        .vantage
        .imports
        .iter()
        .any(|imported| imported.document == "network-status");
    if !asked {
        spots.push(
            "The instance's own name servers, routes and outbound path, which may differ from this VM's: --service ID \
             or --network-status FILE compares the instance's own status with this run."
                .into(),
        );
    }
    spots.push(
        "Firewalls and access rights of Storage, SQL, Key Vault and Event Hubs, which take effect only after a login: \
         check Networking and Access control of each in the portal."
            .into(),
    );
    spots
}

fn untested(report: &Report) -> Option<String> {
    let left_out = |endpoint: &&crate::model::EndpointReport| {
        endpoint.need != Need::Documented
            && endpoint.verdict == Verdict::NotTested
            && endpoint.direction == Direction::Outbound
    };
    let count = report.endpoints.iter().filter(left_out).count();
    let titles = words::distinct(report.endpoints.iter().filter(left_out).map(|e| e.title.as_str()));
    (count > 0).then(|| {
        format!(
            "{} not tested ({}): NOT TESTED above shows why, and which flags to pass.",
            words::count(count, "endpoint"),
            words::list(&titles, 4)
        )
    })
}

fn inbound(report: &Report) -> Option<String> {
    let comes_in = |endpoint: &&crate::model::EndpointReport| endpoint.direction != Direction::Outbound;
    let count = report.endpoints.iter().filter(comes_in).count();
    let is_predicted = report
        .endpoints
        .iter()
        .filter(comes_in)
        .any(|endpoint| endpoint.predicted.is_some());
    (count > 0 && !is_predicted).then(|| {
        format!(
            "Inbound and peer traffic ({}): --effective-nsg FILE evaluates the rules for it.",
            words::count(count, "endpoint")
        )
    })
}
