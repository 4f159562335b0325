//! What the network's rules predict, put beside what was measured.
//!
//! Verdicts and causes stay what was measured. Evidence gets a sentence; a finding about silence gets the rule at fault,
//! and its suspects and confidence follow from that. Unless the rules are refuted: what they deny answers, so that they are
//! not those in force here. What they allow and is silent refutes nothing, since a firewall may follow.

use std::fmt;

use super::{
    findings::draft::Draft,
    view::{Row, RunView},
};
use crate::{
    model::{
        Cause, Confidence, Direction, Prediction, Stage, Suspect, Transport, Verdict,
        prediction::{Access, Expected, Place, RouteMatch, RuleMatch},
    },
    network::routes::NextHop,
};

/// Whether packets were dropped in silence, as Azure's rules drop them.
fn is_silent(row: &Row<'_>) -> bool {
    match row.judgement.cause {
        Some(Cause::TcpTimeout) => true,
        Some(Cause::HelloTimeout) => row.endpoint.transport == Transport::Udp,
        Some(Cause::DnsTimeout) => row.tested_server().is_some(),
        _ => false,
    }
}

/// Whether nothing was sent to the endpoint itself.
fn was_not_dialled(row: &Row<'_>) -> bool {
    let of_the_name = row.judgement.stage == Some(Stage::Dns);
    row.judgement.verdict == Verdict::NotTested
        || (of_the_name && row.judgement.outcomes.iter().all(|outcome| outcome.tcp.is_none()))
}

/// Whether something at the endpoint answered, in whatever way: Azure's rules drop in silence.
fn answers(row: &Row<'_>) -> bool {
    if was_not_dialled(row) {
        return false;
    }
    row.judgement.verdict.is_proved()
        || match row.judgement.cause {
            None => row.judgement.verdict == Verdict::Unproven,
            // Nobody, or somebody on the way.
            Some(Cause::TcpUnreachable | Cause::TcpNoRoute | Cause::UdpUnreachable) => false,
            Some(cause) => cause.stage() != Some(Stage::Dns) && !is_silent(row),
        }
}

/// That what the rules deny answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refutation {
    /// How many endpoints do.
    answering: usize,
    /// One of them.
    example: String,
}

impl Refutation {
    /// What a run shows; only what this machine sends can be measured, so that it says nothing of what
    /// comes in.
    pub fn of(view: &RunView<'_>) -> Option<Self> {
        let is_denied = |row: &&Row<'_>| {
            let denies = |prediction: &Prediction| prediction.verdict == Expected::Deny;
            row.endpoint.direction == Direction::Outbound && row.prediction.is_some_and(denies) && answers(row)
        };
        let mut refuting = view.rows.iter().filter(is_denied);
        let example = refuting.next()?.endpoint.id.clone();
        Some(Self {
            answering: refuting.count() + 1,
            example,
        })
    }
}

impl fmt::Display for Refutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the given rules do not match what was measured: another network card, or an old export. "
        )?;
        match self.answering {
            1 => write!(f, "{}, which they deny, answers", self.example)?,
            all => write!(f, "{all} endpoints that they deny answer, {} among them", self.example)?,
        }
        f.write_str("; what they say of outbound traffic is left aside")
    }
}

/// The sentence that puts prediction and measurement side by side; of refuted rules, only what refutes them.
pub fn compare(row: &Row<'_>, is_refuted: bool) -> Option<String> {
    let prediction = row.prediction?;
    let words = &prediction.words;
    if row.endpoint.direction != Direction::Outbound {
        return Some(words.clone());
    }
    if was_not_dialled(row) {
        return None;
    }
    let is_proved = row.judgement.verdict.is_proved();
    match prediction.verdict {
        Expected::Deny if is_proved => Some(format!(
            "predicted deny ({words}), yet it answers: other rules than the given ones are in force"
        )),
        Expected::Deny if answers(row) => Some(format!("predicted deny ({words}), yet something answers")),
        _ if is_proved || is_refuted => None,
        Expected::Allow if is_silent(row) && leads_to(prediction, &NextHop::Internet) => Some(format!(
            "{words}: what remains is a security admin rule, which effective rules do not show, or a subnet without a way out"
        )),
        _ => Some(words.clone()),
    }
}

/// Lets the rules say who is at fault, where they are not refuted.
pub fn refine(draft: &mut Draft<'_>, is_refuted: bool) {
    let counts = |row: &&Row<'_>| !was_not_dialled(row) && !is_refuted;
    let dialled: Vec<(bool, &Prediction)> = draft
        .rows
        .iter()
        .filter(counts)
        .filter_map(|row| Some((is_silent(row), row.prediction?)))
        .collect();
    let Some((silent, first)) = dialled.first().copied() else {
        return;
    };
    let all = |holds: &dyn Fn(&Prediction) -> bool| dialled.iter().all(|(_, prediction)| holds(prediction));
    if silent && all(&|prediction| prediction.verdict == Expected::Deny) {
        draft.suspects = culprits(&dialled);
        if draft.confidence != Confidence::Low {
            // A stand-in may be silent for a reason of its own: gateways are retired.
            let only_stand_ins = draft.rows.iter().all(|row| row.endpoint.stand_in.is_some());
            draft.confidence = if only_stand_ins {
                Confidence::High
            } else {
                Confidence::Certain
            };
        }
        if let Some(rule) = denier(first).filter(|rule| all(&|prediction| denier(prediction) == Some(*rule))) {
            let so_far = &draft.fix.summary;
            draft.fix.summary = format!(
                "{so_far} It must come before NSG rule {} ({}).",
                rule.name, rule.priority
            );
        }
    } else if all(&|prediction| prediction.verdict == Expected::Allow) {
        let one_way = all(&|prediction| prediction.route == first.route);
        acquit(&mut draft.suspects, first, one_way);
    }
    let mut sentences: Vec<String> = Vec::new();
    for (_, prediction) in &dialled {
        if !sentences.contains(&prediction.words) {
            sentences.push(prediction.words.clone());
        }
    }
    // What the rules say of many endpoints differs in their addresses; two examples show the pattern.
    sentences.truncate(2);
    draft.evidence.splice(0..0, sentences);
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
fn acquit(suspects: &mut Vec<Suspect>, prediction: &Prediction, one_way: bool) {
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
            // What is left of it is a security admin rule; a missing way out comes first.
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
    route.is_some_and(|route| route.next_hop_type == hop.as_str())
}
