//! Endpoints that the page lists although the service is not known to offer them: they must not raise false alarms.

use std::collections::BTreeSet;

use super::{context::Context, dns::hidden::hidden};
use crate::{
    diagnosis::outcome::Judgement,
    model::{Cause, Need, Verdict},
    plan::{Plan, PlannedEndpoint},
};

/// Judges `documented` endpoints again, considering the others.
pub(super) fn reconsider(plan: &Plan, context: &Context, judgements: &mut [Judgement]) {
    let proved: BTreeSet<&str> = plan
        .endpoints
        .iter()
        .zip(judgements.iter())
        .filter(|(_, judgement)| judgement.verdict.is_proved())
        .map(|(endpoint, _)| endpoint.host.as_str())
        .collect();
    for (endpoint, judgement) in plan.endpoints.iter().zip(judgements) {
        if endpoint.need != Need::Documented || judgement.verdict != Verdict::Blocked {
            continue;
        }
        if is_silence_or_refusal(judgement.cause) && proved.contains(endpoint.host.as_str()) {
            judgement.verdict = Verdict::Unproven;
            judgement
                .evidence
                .push("another port of this host works, so this one may simply not be offered".into());
        } else if judgement.cause == Some(Cause::DnsNxdomain) && is_unknown_everywhere(endpoint, context) {
            retire(endpoint, judgement);
        }
    }
}

fn is_silence_or_refusal(cause: Option<Cause>) -> bool {
    matches!(
        cause,
        Some(Cause::TcpTimeout | Cause::TcpRefused | Cause::HelloTimeout | Cause::UdpRefused)
    )
}

/// Whether every server, including the platform's, answers that the name does not exist, and nothing in Azure itself
/// hides it.
fn is_unknown_everywhere(endpoint: &PlannedEndpoint, context: &Context) -> bool {
    context.name(&endpoint.host).is_some_and(|name| {
        name.everything_said()
            .filter_map(|reply| reply.answer())
            .all(|answer| answer.rcode == "NXDOMAIN" && hidden(&endpoint.host, answer).is_none())
    })
}

fn retire(endpoint: &PlannedEndpoint, judgement: &mut Judgement) {
    judgement.verdict = Verdict::NotTested;
    judgement.cause = Some(Cause::Retired);
    judgement.detail = format!(
        "no name server knows {}: the documentation is out of date",
        endpoint.host
    );
}
