//! Private DNS zones that hide a name.

use super::{
    draft::{Draft, Rank, What},
    row::{Picture, Pool, Row},
    say,
};
use crate::{
    diagnosis::{
        cause::{Cause, Confidence, Suspect},
        dns, fix,
    },
    report::{
        Fix,
        words::{count, list},
    },
};

/// Names that a private zone denies: the authority of the answer is Azure's private DNS (`azureprivatedns.net`), or a
/// `privatelink` zone. A zone linked to the network answers for everything in it, so a record that is missing there hides
/// the public one. Nothing else answers like that: certain.
pub fn recognise<'a>(_: &Picture<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups = pool.take_by(|row| {
        matches!(row.cause(), Some(Cause::DnsNxdomain | Cause::DnsNoAddress))
            .then(|| zone(row))
            .flatten()
    });
    groups.into_iter().map(|(zone, rows)| draft(&zone, rows)).collect()
}

/// The private zone that answered: the longest name known of it.
fn zone(row: &Row<'_>) -> Option<String> {
    let answer = row.trace?.name.as_ref()?.decision()?.answer()?;
    let authority = answer.authority.as_deref().filter(|zone| dns::is_private_zone(zone))?;
    let hidden = answer.cnames.last().map_or(row.endpoint.host.as_str(), String::as_str);
    // The host that serves all private zones tells no zone by itself: it is then the parent of the name that is missing.
    let named = if authority.ends_with("azureprivatedns.net") {
        parent(hidden)
    } else {
        authority
    };
    Some(named.trim_end_matches('.').to_string())
}

fn parent(name: &str) -> &str {
    name.split_once('.').map_or(name, |(_, parent)| parent)
}

fn draft<'a>(zone: &str, rows: Vec<Row<'a>>) -> Draft<'a> {
    let hosts = say::hosts(&rows);
    let title = match hosts[..] {
        [_] => format!("{}: the private zone {zone} has no record", say::subject(&rows)),
        _ => format!("The private zone {zone} hides {}", count(hosts.len(), "name")),
    };
    let quoted = fix::quote(zone);
    let mut evidence = say::examples(&rows);
    evidence.push(format!(
        "a zone linked to the network answers for all of {zone}, its public records included"
    ));
    Draft {
        rank: Rank::Amiss,
        what: What::of(&rows, "dns-nxdomain"),
        scope: format!("private-zone-{zone}"),
        title,
        confidence: Confidence::Certain,
        evidence,
        suspects: vec![Suspect::PrivateDnsZone],
        fix: Fix {
            summary: format!(
                "Add {} to the private zone, or unlink the zone from this network, or let the link fall back to public DNS \
                 (NxDomainRedirect).",
                list(&hosts, 2)
            ),
            commands: vec![
                format!("az network private-dns record-set a list -g RG -z {quoted} -o table"),
                format!(
                    "az network private-dns link vnet update -g RG -z {quoted} -n LINK --resolution-policy NxDomainRedirect"
                ),
            ],
        },
        rows,
    }
}
