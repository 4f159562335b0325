//! The stand-in for a SQL server whose name is not known. A missing reply from it shows less than one from the server
//! itself.

use crate::{
    diagnosis::outcome::Judgement,
    model::{Cause, Verdict},
    plan::{Plan, SqlSubstitute},
};

/// Judges stand-ins again, if they did not answer at all.
pub(super) fn reconsider(plan: &Plan, judgements: &mut [Judgement]) {
    for (endpoint, judgement) in plan.endpoints.iter().zip(judgements) {
        let Some(sql_substitute) = endpoint.sql_substitute.filter(|_| is_silent(judgement)) else {
            continue;
        };
        match sql_substitute {
            SqlSubstitute::Gateways => judgement.evidence.push(
                "these are the region's documented gateways, and gateways are retired over time: \
                 --set sql_server=NAME tests the server itself"
                    .into(),
            ),
            SqlSubstitute::Ranges => {
                judgement.verdict = Verdict::Unproven;
                judgement.detail = format!(
                    "none of {} addresses in the region's ranges answers, and it is not documented which of them \
                     listen: pass --set sql_server=NAME",
                    judgement.addresses().len()
                );
            }
        }
    }
}

fn is_silent(judgement: &Judgement) -> bool {
    judgement.verdict == Verdict::Blocked && matches!(judgement.cause, Some(Cause::TcpTimeout | Cause::TcpRefused))
}
