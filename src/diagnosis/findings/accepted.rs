//! Ports that somebody accepts for everyone and that lead nowhere.

use super::{
    cut,
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView, is_tcp},
    },
    model::{Cause, Confidence, Suspect},
};

/// Outside 80 and 443: accepted, then cut before the service said a word of its own protocol. An Azure Firewall accepts
/// 1433 for everyone, and every port that any application rule names. The remedy is a network rule: an https application
/// rule is what makes it accept and then fail, since what is spoken there is not HTTP.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let rows = pool.take(|row| {
        is_tcp(row) && !row.is_web() && row.tested_server().is_none() && row.cause().is_some_and(Cause::is_cut)
    });
    if rows.is_empty() {
        Vec::new()
    } else {
        vec![draft(view, rows)]
    }
}

fn draft<'a>(view: &RunView<'a>, rows: Vec<Row<'a>>) -> Draft<'a> {
    let ports = say::ports(&rows);
    let title = match (say::titles(&rows).as_slice(), What::of(&rows, "")) {
        ([one], What::Cause(cause)) => format!("{one}: {}", cause.headline(&ports)),
        ([one], What::Word(_)) => format!("{one}: {ports} is accepted, then cut"),
        _ => format!("{ports}: accepted for everyone, and leading nowhere"),
    };
    let habit = if rows.iter().any(|row| row.endpoint.port == 1433) {
        "an Azure Firewall accepts TCP 1433 for everyone, whatever its rules say"
    } else {
        "an Azure Firewall accepts a port for everyone once any application rule names it"
    };
    let mut evidence = vec![
        "whoever accepts says no word of the service's protocol".into(),
        habit.into(),
    ];
    let nobody = cut::accepted_for_nobody(view, &rows);
    let unmasked = nobody.is_some();
    if let Some(nobody) = nobody {
        evidence.insert(0, nobody);
    }
    evidence.extend(say::examples(&rows));
    let silent = rows
        .iter()
        .all(|row| matches!(row.cause(), Some(Cause::HelloTimeout | Cause::TlsTimeout)));
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "accepted"),
        scope: "ports".into(),
        title,
        confidence: match (unmasked, silent) {
            (true, _) => Confidence::Certain,
            (false, true) => Confidence::Medium,
            (false, false) => Confidence::High,
        },
        evidence,
        suspects: vec![
            Suspect::FirewallNetworkRule,
            Suspect::FirewallApplicationRule,
            Suspect::Nva,
        ],
        fix: fix::allow_in_firewall(&rows, view),
        rows,
    }
}
