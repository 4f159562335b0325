//! SYNs that are answered with a reset.

use super::{left, say};
use crate::{
    diagnosis::{
        fix,
        grounds::{Grounds, Weight},
        rule::{Account, Claims, Group, Rule},
        view::RunView,
    },
    model::{Cause, FindingKind, Fix, Suspect},
};

/// One service may not listen on a port; services of several dependencies do not all stop listening.
const FEWEST_DEPENDENCIES: usize = 3;

/// SYNs of several dependencies are answered with resets: a device on the way refuses in their place. An NSG never resets.
pub(super) const RESETS: Rule = Rule {
    kind: FindingKind::Reset,
    claims: Claims::Each(|_, row| {
        let refused = row.cause() == Some(Cause::TcpRefused) && row.tested_server().is_none();
        refused.then(|| "resets".into())
    }),
    describe: resets,
};

/// What is left of resets: the service itself is a suspect.
pub(super) const LEFT: Rule = Rule {
    kind: FindingKind::Reset,
    claims: Claims::Groups(|view, rows| left::of(view, rows, FindingKind::Reset)),
    describe: |view, group| {
        let account = left::describe(view, group, "is refused with a reset");
        Account {
            grounds: account
                .grounds
                .open("a service that does not listen on this port answers in the same way"),
            ..account
        }
    },
};

fn resets<'a>(view: &RunView<'a>, group: &Group<'a>) -> Account {
    let rows = &group.rows;
    let all = format!(
        "{} of {} answer our SYN with a reset",
        say::host_count(rows),
        say::subject(rows)
    );
    let grounds = if say::dependencies(rows).len() < FEWEST_DEPENDENCIES {
        Grounds::default().refuted("services of one or two dependencies may not listen there")
    } else {
        Grounds::default()
            .pattern(all)
            .pattern("services of Azure that listen elsewhere do not all refuse: a device on the way does")
    };
    let allow = fix::allow_at("the device that resets", rows, view);
    Account {
        title: format!(
            "A device on the way resets {} to {}",
            say::ports(rows),
            say::host_count(rows)
        ),
        grounds: grounds.all(Weight::Tells, say::examples(rows)),
        suspects: vec![Suspect::Nva, Suspect::FirewallNetworkRule, Suspect::Udr],
        fix: Fix::new(allow.summary).look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        impact: None,
    }
}
