//! Windows activation, which lies in both directions.

use super::{
    draft::{Draft, Severity, What},
    icmp, say,
};
use crate::{
    address,
    diagnosis::{
        fix,
        view::{Pool, Row, RunView, should_work},
    },
    model::{Cause, Confidence, Fix, Protocol, Suspect},
    rules::Kind,
    text::words::count,
};

/// Silence of the KMS hosts. The platform lets 1688 through every NSG, unless the tag `AzurePlatformLKM` is denied or a
/// route for 0.0.0.0/0 is configured, which switches that rule off. So silence is a sign of forced tunnelling, and an
/// NSG that allows 1688 alone may not mend it.
pub fn recognise_silence<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let rows = pool.take(|row| row.endpoint.protocol == Protocol::Kms && row.cause() == Some(Cause::TcpTimeout));
    if rows.is_empty() {
        return Vec::new();
    }
    let evidence = vec![
        say::silence(&rows),
        "the platform lets 1688 through NSGs, except where 0.0.0.0/0 is routed away or AzurePlatformLKM is denied"
            .into(),
        "so a 0.0.0.0/0 route that sends activation into a firewall is likely".into(),
    ];
    vec![Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "kms"),
        scope: say::scope(&rows, "kms"),
        title: format!("{}: {} is dropped in silence", say::subject(&rows), say::ports(&rows)),
        confidence: Confidence::High,
        evidence,
        suspects: vec![Suspect::Udr, Suspect::FirewallNetworkRule, Suspect::Nsg],
        fix: Fix::new(
            "Route each KMS address (/32) to Internet, so that activation leaves from an Azure address; an https \
                      application rule for 1688 never works.",
        )
        .change(fix::lines(Kind::Routes, &rows, view)),
        rows,
    }]
}

/// KMS answers, but this run saw signs that traffic leaves through an appliance. Then activation may fail all the same:
/// it must come from a public address of Azure's.
pub fn recognise_hint<'a>(view: &RunView<'a>, _: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let answering: Vec<Row<'a>> = view
        .proved()
        .filter(|row| row.endpoint.protocol == Protocol::Kms && should_work(row) && row.is_public())
        .copied()
        .collect();
    let Some(sign) = sign_of_forced_tunnelling(view).filter(|_| !answering.is_empty()) else {
        return Vec::new();
    };
    vec![Draft {
        impact: None,
        severity: Severity::Degradation,
        what: What::Word("kms-activation"),
        scope: say::scope(&answering, "kms"),
        title: "KMS answers, which does not prove that activation works".into(),
        confidence: Confidence::Low,
        evidence: vec![
            format!("{sign}, so traffic may leave through an appliance"),
            "activation succeeds only from a public address of Azure's, and the agent never asks for one".into(),
        ],
        suspects: vec![Suspect::Udr, Suspect::Nva],
        fix: Fix::new(
            "If 0.0.0.0/0 is routed to an appliance or on premises, route each KMS address (/32) to Internet.",
        )
        .change(fix::lines(Kind::Routes, &answering, view)),
        rows: answering,
    }]
}

/// What only an appliance on the way makes visible.
fn sign_of_forced_tunnelling(view: &RunView<'_>) -> Option<String> {
    let rows = |test: &dyn Fn(&Row<'_>) -> bool| view.rows.iter().filter(|row| test(row)).count();
    let denied = rows(&|row| row.cause() == Some(Cause::HttpDenied));
    let inspected = rows(&|row| row.cause() == Some(Cause::TlsUntrusted));
    let cut = rows(&|row| row.is_web() && row.cause().is_some_and(Cause::is_cut));
    let refused = rows(&|row| {
        icmp::is_refused_on_the_way(view, row)
            && row
                .icmp()
                .any(|(error, _)| error.sender.is_some_and(address::is_private))
    });
    let signs = [
        // A page and a private address speak for themselves; a lone cut or a lone strange issuer may be the service's.
        (denied, 1, "denied by a page"),
        (inspected, 2, "inspected"),
        (cut, 3, "accepted and then cut"),
        (refused, 1, "refused by a private address"),
    ];
    let (number, _, how) = signs.into_iter().find(|(number, least, _)| number >= least)?;
    let are = if number == 1 { "is" } else { "are" };
    Some(format!("{} {are} {how}", count(number, "endpoint")))
}
