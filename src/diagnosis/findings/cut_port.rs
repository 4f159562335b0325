//! Ports on which every connection is accepted and then cut: somebody answers for everyone and lets nothing pass.

use super::{cut, say};
use crate::{
    diagnosis::{
        fix,
        grounds::Grounds,
        rule::{Account, Claims, Group, Rule},
        view::{Row, RunView},
    },
    model::{Cause, FindingKind, Suspect},
    text::words::count,
};

/// Services of so many dependencies are not all unwell at once.
const FEWEST_DEPENDENCIES: usize = 3;

/// Accepted, then cut before the service said a word, and nothing on the port proves itself. An Azure Firewall accepts 80, 443
/// and 1433 for everyone, and every port that any application rule names. The control shows it: 192.0.2.1, which nobody owns,
/// is accepted as well. Without that it takes several dependencies on the port.
///
/// What is spoken outside 80 and 443 is not HTTP: the remedy is a network rule, as an https application rule is what makes the
/// firewall accept and then fail.
pub(super) const RULE: Rule = Rule {
    kind: FindingKind::CutPort,
    claims: Claims::Groups(|view, unexplained| {
        let cut: Vec<Row<'_>> = unexplained.iter().filter(|row| cut::is_cut(row)).copied().collect();
        let passes = |port: u16| view.proved().any(|row| row.is_tcp() && row.endpoint.port == port);
        let closed: Vec<Row<'_>> = cut.into_iter().filter(|row| !passes(row.endpoint.port)).collect();
        let is_shown = |row: &Row<'_>| view.controls.intercepts(row.endpoint.port);
        let (shown, others): (Vec<Row<'_>>, Vec<Row<'_>>) = closed.iter().partition(|row| is_shown(row));
        let mut groups = Group::unless_empty(say::port_scope(&shown), shown);
        groups.extend(Group::by(&others, |row| Some(say::port_scope(&[*row]))));
        groups
    }),
    describe,
};

fn describe<'a>(view: &RunView<'a>, group: &Group<'a>) -> Account {
    let rows = &group.rows;
    let ports = say::ports(rows);
    let dependencies = say::dependencies(rows).len();
    let mut grounds = match say::nobody(view, rows) {
        Some(accepted) => Grounds::default().proof(accepted),
        None if dependencies < FEWEST_DEPENDENCIES => Grounds::default().refuted("nothing shows who cuts"),
        None => Grounds::default(),
    };
    if let Some(control) = cut::control(view, rows, false) {
        grounds = grounds.sign(control);
    }
    let what = format!("{}, and nothing on {ports} gets through", cut::seen(rows));
    grounds = if dependencies < FEWEST_DEPENDENCIES {
        grounds
            .note(what)
            .open("behind the device that accepts, the service itself could be unwell")
    } else {
        grounds.pattern(what)
    };
    let web = rows.iter().filter(|row| row.is_web()).count();
    let is_shown = say::nobody(view, rows).is_some();
    let habit = match rows.iter().any(|row| row.endpoint.port == 1433) {
        _ if !is_shown => "the connection itself is accepted: a test of the port alone shows it open",
        true => "an Azure Firewall accepts TCP 1433 for everyone, whatever its rules say",
        false if web == rows.len() => "the connection itself is accepted: a test of the port alone shows it open",
        false => "an Azure Firewall accepts a port for everyone once any application rule names it",
    };
    let title = match (say::titles(rows).as_slice(), shared_cause(rows)) {
        ([one], Some(cause)) => format!("{one}: {}", cause.headline(&ports)),
        ([one], None) => format!("{one}: {ports} is accepted, then cut"),
        _ => format!(
            "A firewall cuts everything on {ports}, {}",
            count(say::hosts(rows).len(), "host")
        ),
    };
    Account {
        title,
        grounds: grounds.note(habit),
        suspects: if web == rows.len() {
            vec![Suspect::FirewallApplicationRule, Suspect::Nva, Suspect::Proxy]
        } else {
            vec![
                Suspect::FirewallNetworkRule,
                Suspect::FirewallApplicationRule,
                Suspect::Nva,
            ]
        },
        fix: fix::through_firewall(rows, view),
        impact: None,
    }
}

fn shared_cause(rows: &[Row<'_>]) -> Option<Cause> {
    let first = rows.first()?.cause()?;
    rows.iter().all(|row| row.cause() == Some(first)).then_some(first)
}
