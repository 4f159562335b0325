//! Private DNS zones that hide a name.

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::view::{Pool, Row, RunView},
    model::{Cause, Confidence, Fix, Suspect},
    text::{
        quote,
        words::{count, list},
    },
};

/// Names that a private zone denies: the authority of the answer is Azure's private DNS (`azureprivatedns.net`), or a
/// `privatelink` zone. A zone linked to the network answers for everything in it, so a record that is missing there hides
/// the public one. Nothing else answers like that: certain.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups = pool.take_by(|row| {
        let denied = matches!(row.cause(), Some(Cause::DnsNxdomain | Cause::DnsNoAddress));
        let answer = row.trace?.name.as_ref()?.decision()?.answer()?;
        let authority = answer.authority.as_ref().filter(|soa| denied && soa.is_private())?;
        Some(zone(&authority.zone, &answer.cnames))
    });
    groups.into_iter().map(|(zone, rows)| draft(zone, rows)).collect()
}

/// The zone that answered. The server of all private zones tells none by itself: then it is the `privatelink` zone that
/// the aliases lead into, and unknown where they lead into none.
fn zone(authority: &str, cnames: &[String]) -> Option<String> {
    if !authority.ends_with("azureprivatedns.net") {
        return Some(authority.trim_end_matches('.').to_string());
    }
    let alias = cnames.last()?.trim_end_matches('.');
    let at = alias
        .find("privatelink.")
        .filter(|at| *at == 0 || alias[..*at].ends_with('.'))?;
    Some(alias[at..].to_string())
}

fn draft(zone: Option<String>, rows: Vec<Row<'_>>) -> Draft<'_> {
    let hosts = say::hosts(&rows);
    let name = zone.as_ref().map_or_else(String::new, |zone| format!(" {zone}"));
    let title = match hosts[..] {
        [_] => format!("{}: the private zone{name} has no record", say::leader(&rows)),
        _ => format!("The private zone{name} hides {}", count(hosts.len(), "name")),
    };
    let quoted = zone.as_deref().map_or_else(|| "ZONE".into(), quote);
    let mut evidence = say::examples(&rows);
    evidence.push("a zone linked to the network answers for all of its names, and hides the public ones".into());
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::of(&rows, "dns-nxdomain"),
        scope: zone.map_or_else(|| "private-zone".into(), |zone| format!("private-zone-{zone}")),
        title,
        confidence: Confidence::Certain,
        evidence,
        suspects: vec![Suspect::PrivateDnsZone],
        fix: Fix::new(format!(
                "Add {} to the private zone, or unlink the zone from this network, or let the link fall back to public DNS.",
                list(&hosts, 2)
            )).look([format!("az network private-dns record-set a list -g RG -z {quoted} -o table")]).change([
                format!(
                    "az network private-dns link vnet update -g RG -z {quoted} -n LINK --resolution-policy NxDomainRedirect"
                ),
            ]),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::zone;

    #[test]
    fn the_zone_is_named_where_it_is_known() {
        for (authority, alias, expected) in [
            (
                "privatelink.vaultcore.azure.net",
                None,
                Some("privatelink.vaultcore.azure.net"),
            ),
            (
                "azureprivatedns.net",
                Some("kv.privatelink.vaultcore.azure.net"),
                Some("privatelink.vaultcore.azure.net"),
            ),
            (
                "azureprivatedns.net",
                Some("privatelink.vaultcore.azure.net."),
                Some("privatelink.vaultcore.azure.net"),
            ),
            ("azureprivatedns.net", Some("kv.myprivatelink.example.net"), None),
            ("azureprivatedns.net", None, None),
        ] {
            let cnames: Vec<String> = alias.iter().map(ToString::to_string).collect();
            assert_eq!(zone(authority, &cnames).as_deref(), expected, "{authority} {alias:?}");
        }
    }
}
