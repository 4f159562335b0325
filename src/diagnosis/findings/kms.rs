//! Windows activation, where KMS can be misleading in both directions although the port looks fine.

use super::{phrases, silence};
use crate::{
    address,
    diagnosis::{
        fix,
        grounds::Grounds,
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Cause, FindingKind, Fix, Protocol, Suspect},
    rules::RuleFamily,
    text::words::count,
};

/// The KMS hosts do not reply. The platform lets 1688 through every NSG, unless the tag `AzurePlatformLKM` is denied or
/// a route for 0.0.0.0/0 is configured, which disables that rule. So a missing reply is a sign of forced tunnelling,
/// and an NSG rule that allows 1688 may not be enough to fix it.
pub(super) const SILENCE: FindingRule = FindingRule {
    kind: FindingKind::KmsSilence,
    claims: EndpointMatcher::Each(|_, row| {
        (row.endpoint.protocol == Protocol::Kms && row.cause() == Some(Cause::TcpTimeout))
            .then(|| row.endpoint.dependency.clone())
    }),
    describe: silent,
};

/// KMS answers, but the run shows signs that traffic leaves through an appliance. Then activation may still fail: it
/// must come from an Azure public address.
pub(super) const ACTIVATION: FindingRule = FindingRule {
    kind: FindingKind::KmsActivation,
    claims: EndpointMatcher::Groups(|view, _| {
        let answers =
            |row: &&ProbedEndpoint<'_>| row.endpoint.protocol == Protocol::Kms && should_work(row) && row.is_public();
        FindingGroup::unless_empty("kms", view.proved().filter(answers).copied().collect())
    }),
    describe: activation,
};

fn silent<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    Explanation {
        title: format!(
            "{}: {} gets no reply (dropped)",
            phrases::subject(rows),
            phrases::ports(rows)
        ),
        grounds: silence::similar_hosts(view, rows)
            .pattern(phrases::silence(rows))
            .note(
                "Azure lets TCP 1688 through NSGs, unless 0.0.0.0/0 is routed elsewhere or AzurePlatformLKM is denied",
            )
            .note("a 0.0.0.0/0 route that sends activation to a firewall is therefore likely"),
        suspects: vec![Suspect::Udr, Suspect::FirewallNetworkRule, Suspect::Nsg],
        fix: Fix::new(
            "Route each KMS address (/32) to Internet, so that activation leaves from an Azure address; if 0.0.0.0/0 \
             leads to a firewall in Azure (or in a secured virtual hub), a network rule there for TCP 1688 works too. \
             No NSG rule may deny AzurePlatformLKM; an https application rule for 1688 never works.",
        )
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        .change(fix::lines(RuleFamily::Routes, rows, view)),
        impact: None,
    }
}

fn activation<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let grounds = match sign_of_forced_tunnelling(view) {
        Some(sign) => Grounds::default().note(format!("{sign}, so traffic may leave through an appliance")),
        None => Grounds::default().refuted("nothing shows an appliance on the path"),
    };
    Explanation {
        title: "KMS answers, which does not prove that activation works".into(),
        grounds: grounds
            .note("activation succeeds only from an Azure public address, and the agent does not request activation"),
        suspects: vec![Suspect::Udr, Suspect::Nva],
        fix: Fix::new(
            "Route each KMS address (/32) to Internet, unless outbound traffic goes through a firewall in Azure (or \
             in a secured virtual hub).",
        )
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"])
        .change(fix::lines(RuleFamily::Routes, &group.rows, view)),
        impact: None,
    }
}

/// What only an appliance on the path makes visible.
fn sign_of_forced_tunnelling(view: &RunView<'_>) -> Option<String> {
    let rows = |test: &dyn Fn(&ProbedEndpoint<'_>) -> bool| view.rows.iter().filter(|row| test(row)).count();
    let denied = rows(&|row| row.cause() == Some(Cause::HttpDenied));
    let untrusted = rows(&|row| row.cause() == Some(Cause::TlsUntrusted));
    let cut = rows(&|row| row.is_web() && row.cause().is_some_and(Cause::is_cut));
    let refused = rows(&|row| {
        let error = row.refusal_on_the_way().filter(|error| !view.is_own(error));
        error.is_some_and(|error| error.sender.is_some_and(address::is_private))
    });
    let signs = [
        // A page and a private address are conclusive; a single cut or an unknown issuer may be the service's own
        // fault.
        (denied, 1, "answered with a block page"),
        (
            untrusted,
            2,
            "answered with a certificate that the instance does not trust",
        ),
        (cut, 3, "accepted and then cut"),
        (refused, 1, "refused by a private address"),
    ];
    let (number, _, how) = signs.into_iter().find(|(number, least, _)| number >= least)?;
    let are = if number == 1 { "is" } else { "are" };
    Some(format!("{} {are} {how}", count(number, "endpoint")))
}
