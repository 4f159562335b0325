//! Private DNS zones that lack a record and therefore hide the public name.

use super::phrases;
use crate::{
    diagnosis::{
        dns::hidden::{Hidden, PrivateZoneSign, hidden, is_of_gateways},
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::{
        quote,
        words::{count, list},
    },
};

/// Names that a private zone denies. A zone linked to the network answers for every name in it, so a missing record
/// hides the public one. Evidence is the SOA record in the answer, the platform's own answer if a forwarder omits that
/// record, or an alias that ends in a `privatelink` zone.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::PrivateZone,
    claims: EndpointMatcher::Each(|view, row| {
        let (zone, _) = hiding_zone(view, row)?;
        Some(zone.unwrap_or_else(|| "unnamed".into()))
    }),
    describe,
};

/// The zone that hides the row's name, from the strongest evidence in any answer.
fn hiding_zone<'a>(view: &RunView<'a>, row: &ProbedEndpoint<'a>) -> Option<(Option<String>, PrivateZoneSign)> {
    if !matches!(row.cause(), Some(Cause::DnsNxdomain | Cause::DnsNoAddress)) || row.tested_server().is_some() {
        return None;
    }
    let signs = view
        .answers(row)
        .filter_map(|reply| match hidden(&row.endpoint.host, reply.answer()?)? {
            Hidden::ByZone { zone, shown_by } => Some((zone, shown_by)),
            Hidden::ByPolicy => None,
        });
    signs.max_by_key(|(_, sign)| *sign)
}

/// Prefixes of the names of API Management's own accounts, servers and vaults: they are Microsoft's, and no customer
/// can have a private endpoint to them.
const MANAGED: [&str; 4] = ["apimst", "apimgmtst", "apirpsql", "apikv-"];

/// The tags of services in which each customer has their own resources.
const CUSTOMER_OWNED: [&str; 4] = ["Storage", "Sql", "AzureKeyVault", "EventHub"];

fn is_microsofts(row: &ProbedEndpoint<'_>) -> bool {
    let is_managed = MANAGED.iter().any(|prefix| row.endpoint.host.starts_with(prefix));
    is_managed || !(row.tag().is_empty() || CUSTOMER_OWNED.contains(&row.tag()))
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let shown: Vec<(Option<String>, PrivateZoneSign)> = rows.iter().filter_map(|row| hiding_zone(view, row)).collect();
    let zone = shown.first().and_then(|(zone, _)| zone.as_deref());
    let weakest = shown
        .iter()
        .map(|(_, sign)| *sign)
        .min()
        .unwrap_or(PrivateZoneSign::Name);
    let name = zone.map_or_else(String::new, |zone| format!(" {zone}"));
    let title = match hosts[..] {
        [_] => format!("{}: the private zone{name} has no record", phrases::leader(rows)),
        _ => format!("The private zone{name} hides {}", count(hosts.len(), "name")),
    };
    let basis = match weakest {
        PrivateZoneSign::Authority => Basis::Proof,
        PrivateZoneSign::Alias => Basis::Pattern,
        PrivateZoneSign::Name => Basis::Ambiguous,
    };
    let mut grounds = Grounds::default()
        .all(EvidenceWeight::Supports(basis), phrases::examples(rows))
        .note("a zone linked to the network answers for all names in it, and hides the public ones");
    if weakest < PrivateZoneSign::Authority {
        grounds =
            grounds.note("the answer has no SOA record that would show which zone it is from: forwarders omit it");
    }
    Explanation {
        title,
        grounds,
        suspects: vec![Suspect::PrivateDnsZone],
        fix: remedy(zone, rows),
        impact: None,
    }
}

fn remedy(zone: Option<&str>, rows: &[ProbedEndpoint<'_>]) -> Fix {
    let quoted = zone.map_or_else(|| "ZONE".into(), quote);
    let update = |policy: &str| {
        format!("az network private-dns link vnet update -g RG -z {quoted} -n LINK --resolution-policy {policy}")
    };
    Fix::new(summary(zone, rows))
        .look([format!(
            "az network private-dns record-set a list -g RG -z {quoted} -o table"
        )])
        .change([(update("NxDomainRedirect"), Some(update("Default")))])
}

fn summary(zone: Option<&str>, rows: &[ProbedEndpoint<'_>]) -> String {
    const FALL_BACK: &str = "let it fall back to public DNS (NxDomainRedirect)";
    if let Some(zone) = zone.filter(|zone| is_of_gateways(zone)) {
        return format!(
            "A private zone {zone} hides every other instance: add the missing records, replace the zone with one per \
             host name of the internal instance, or {FALL_BACK}."
        );
    }
    let (theirs, own): (Vec<ProbedEndpoint<'_>>, Vec<ProbedEndpoint<'_>>) =
        rows.iter().copied().partition(is_microsofts);
    let (theirs, own) = (phrases::hosts(&theirs), phrases::hosts(&own));
    match (theirs.len(), own.len()) {
        (_, 0) => format!(
            "Unlink the zone from this network, or {FALL_BACK}: {} {} Microsoft's, and you cannot add a record for it.",
            list(&theirs, 2),
            if theirs.len() == 1 { "is" } else { "are" }
        ),
        (0, _) => format!(
            "Add the private endpoint's record for {}, unlink the zone, or {FALL_BACK}.",
            list(&own, 2)
        ),
        (_, _) => format!(
            "Add the record for {}; the other hidden names are Microsoft's: unlink the zone, or {FALL_BACK}.",
            list(&own, 1)
        ),
    }
}
