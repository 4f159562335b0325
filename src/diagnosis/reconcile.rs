//! What the network's rules predict, compared with what was measured.
//!
//! Verdicts and causes stay as measured. The evidence gets a sentence; a finding about missing replies names the rule
//! at fault, and its suspects and confidence follow from that. Unless the rules are refuted: if something that they
//! deny answers, they are not the ones in force. If something that they allow does not answer, this refutes nothing,
//! since a firewall may follow.

use super::{
    grounds::{EvidenceWeight, Grounds},
    refutation::{answers, is_silent, was_not_tried},
    rule::Explanation,
    view::ProbedEndpoint,
};
use crate::{
    azure::NextHop,
    model::{
        Basis, Direction, Prediction, Suspect,
        prediction::{Access, Expected, NsgAttachment, RouteMatch, RuleMatch},
    },
};

/// The sentence that compares prediction and measurement; for refuted rules, only what refutes them.
pub(super) fn compare(row: &ProbedEndpoint<'_>, is_refuted: bool) -> Option<String> {
    let prediction = row.prediction?;
    let words = &prediction.words;
    if row.endpoint.direction != Direction::Outbound {
        return Some(words.clone());
    }
    if was_not_tried(row) {
        return None;
    }
    let is_proved = row.judgement.verdict.is_proved();
    match prediction.verdict {
        Expected::Deny if is_proved => Some(format!(
            "predicted deny ({words}), but it answers: the rules in force differ from the given ones"
        )),
        Expected::Deny if answers(row) => Some(format!("predicted deny ({words}), but something answers")),
        _ if is_proved || is_refuted => None,
        Expected::Allow if is_silent(row) && leads_to(prediction, &NextHop::Internet) => Some(format!(
            "{words}: that leaves a security admin rule, which effective rules do not show, or a subnet without \
             outbound access"
        )),
        _ => Some(words.clone()),
    }
}

/// Lets the rules decide what is at fault for these rows. Predictions that a row refutes do not count.
pub(super) fn refine(rows: &[ProbedEndpoint<'_>], explanation: &mut Explanation) {
    let tried: Vec<&Prediction> = rows
        .iter()
        .filter(|row| !was_not_tried(row))
        .filter_map(|row| Some((row, row.prediction?)))
        .filter(|(row, prediction)| is_silent(row) || prediction.verdict != Expected::Deny)
        .map(|(_, prediction)| prediction)
        .collect();
    let Some(first) = tried.first().copied() else {
        return;
    };
    let all = |holds: &dyn Fn(&Prediction) -> bool| tried.iter().all(|prediction| holds(prediction));
    let mut sentences: Vec<String> = Vec::new();
    for prediction in &tried {
        if !sentences.contains(&prediction.words) {
            sentences.push(prediction.words.clone());
        }
    }
    // Predictions for many endpoints differ in their addresses; two examples show the pattern.
    sentences.truncate(2);
    let so_far = std::mem::take(&mut explanation.grounds);
    if all(&|prediction| prediction.verdict == Expected::Deny) {
        explanation.suspects = suspects_of(&tried);
        explanation.grounds = Grounds::default()
            .all(EvidenceWeight::Supports(Basis::Proof), sentences)
            .and(so_far.closed());
        // A stand-in may get no reply for a reason of its own.
        if rows.iter().all(|row| row.endpoint.sql_substitute.is_some()) {
            explanation.grounds.add(
                EvidenceWeight::LeavesOpen,
                "these are the region's documented gateways, and gateways are retired over time",
            );
        }
        return;
    }
    if all(&|prediction| prediction.verdict == Expected::Allow) {
        let one_way = all(&|prediction| prediction.route == first.route);
        clear_suspects(&mut explanation.suspects, first, one_way);
    }
    explanation.grounds = so_far.all(EvidenceWeight::Notes, sentences);
}

/// The security rule that denies, where it is one.
fn denying_rule(prediction: &Prediction) -> Option<&RuleMatch> {
    prediction.nsg.as_ref().filter(|rule| rule.access == Access::Deny)
}

/// The suspects if every endpoint of a finding is predicted to be dropped.
fn suspects_of(tried: &[&Prediction]) -> Vec<Suspect> {
    let mut suspects = Vec::new();
    for prediction in tried {
        let suspect = match denying_rule(prediction) {
            Some(rule) if rule.place == NsgAttachment::Nic => Suspect::VmNicNsg,
            Some(_) => Suspect::Nsg,
            None => Suspect::Udr,
        };
        if !suspects.contains(&suspect) {
            suspects.push(suspect);
        }
    }
    suspects
}

/// Removes the suspects that the rules rule out: NSGs and routes, and with a direct route to the internet every
/// firewall.
fn clear_suspects(suspects: &mut Vec<Suspect>, prediction: &Prediction, one_way: bool) {
    let mut clear = |cleared: &[Suspect]| suspects.retain(|suspect| !cleared.contains(suspect));
    let knows_security = prediction.nsg.is_some();
    let has_hop = |route: &RouteMatch| route.next_hop.is_some();
    if one_way && leads_to(prediction, &NextHop::Internet) {
        clear(&[
            Suspect::Udr,
            Suspect::FirewallNetworkRule,
            Suspect::FirewallApplicationRule,
            Suspect::Nva,
        ]);
        if knows_security {
            // What remains is a security admin rule; missing outbound access comes first.
            suspects.sort_by_key(|suspect| *suspect == Suspect::Nsg);
        }
    } else if one_way && prediction.route.as_ref().is_some_and(has_hop) {
        clear(&[Suspect::Udr, Suspect::NoOutbound, Suspect::VmNicNsg]);
        if knows_security {
            clear(&[Suspect::Nsg]);
        }
    }
}

fn leads_to(prediction: &Prediction, hop: &NextHop) -> bool {
    let route = prediction.route.as_ref();
    route.is_some_and(|route| route.next_hop_type == *hop)
}
