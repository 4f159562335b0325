//! Host names of an internal instance that do not resolve to its private address.
//!
//! No verdict changes because of this: the result for the address that the name resolved to stays.

use std::net::{IpAddr, SocketAddr};

use super::phrases;
use crate::{
    address,
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    import::OWN_HOSTNAMES,
    model::{Basis, Cause, FindingKind, Fix, Suspect},
    text::{
        quote,
        words::{count, distinct, list},
    },
};

/// Names that do not resolve, resolve to a public address, or resolve to another one; one finding for each.
pub(super) const RULE: FindingRule = FindingRule {
    kind: FindingKind::OwnHostname,
    claims: EndpointMatcher::Groups(|view, _| {
        FindingGroup::by(&view.rows, |row| Some(wrong_target(row)?.word().to_owned()))
    }),
    describe,
};

/// What a name resolves to, if not to the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
enum WrongTarget {
    Nowhere,
    Public(Vec<IpAddr>),
    Elsewhere(Vec<IpAddr>),
}

impl WrongTarget {
    fn word(&self) -> &'static str {
        match self {
            Self::Nowhere => "nowhere",
            Self::Public(_) => "public",
            Self::Elsewhere(_) => "elsewhere",
        }
    }
}

fn wrong_target(row: &ProbedEndpoint<'_>) -> Option<WrongTarget> {
    let own = row
        .endpoint
        .of_instance
        .as_ref()
        .filter(|_| row.endpoint.dependency == OWN_HOSTNAMES)?;
    if matches!(row.cause(), Some(Cause::DnsNxdomain | Cause::DnsNoAddress)) {
        return Some(WrongTarget::Nowhere);
    }
    let addresses: Vec<IpAddr> = row.judgement.addresses().iter().map(SocketAddr::ip).collect();
    let is_wrong = |address: &&IpAddr| match own.leads_to.as_slice() {
        // As long as the documents do not contain the address, any private one may be right.
        [] => !address::is_private(**address),
        right => !right.contains(address),
    };
    let wrong: Vec<IpAddr> = addresses.iter().filter(is_wrong).copied().collect();
    if wrong.is_empty() {
        None
    } else if wrong.iter().all(|address| !address::is_private(*address)) {
        Some(WrongTarget::Public(wrong))
    } else {
        Some(WrongTarget::Elsewhere(wrong))
    }
}

fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let who = match hosts[..] {
        [one] => format!("The instance's own name {one}"),
        ref many => format!("{} of the instance's own", count(many.len(), "name")),
    };
    let (resolve, does) = if hosts.len() == 1 {
        ("resolves", "does")
    } else {
        ("resolve", "do")
    };
    let title = match group.scope.as_str() {
        "nowhere" => format!("{who} {does} not exist in this network"),
        "public" => format!("{who} {resolve} to a public address"),
        _ => format!("{who} {resolve} to an address other than the instance's"),
    };
    let right = rows
        .iter()
        .find_map(|row| row.endpoint.of_instance.as_ref()?.leads_to.first().copied());
    let vip = right.map_or_else(|| "PRIVATE_ADDRESS".to_owned(), |address| address.to_string());
    Explanation {
        title,
        grounds: grounds(view, rows, right),
        suspects: vec![Suspect::PrivateDnsZone, Suspect::DnsServer],
        fix: Fix::new(format!(
            "For each name, add a record for {}: a private zone for the full name, with the address at @, or \
             a record on the network's own name servers. Never create a zone azure-api.net: it would hide the names of \
             other instances.",
            right.map_or_else(
                || "the instance's private address".to_owned(),
                |address| format!("its private address {address}")
            )
        ))
        .look(hosts.first().map(|host| fix::dig(None, host)))
        .change(
            hosts
                .iter()
                .flat_map(|host| records(host, &vip))
                .map(|(line, undo)| (line, Some(undo))),
        ),
        impact: None,
    }
}

fn grounds(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>], right: Option<IpAddr>) -> Grounds {
    let mut grounds = Grounds::default();
    for row in rows {
        let host = &row.endpoint.host;
        match wrong_target(row) {
            Some(WrongTarget::Nowhere) => {
                grounds.add(
                    EvidenceWeight::Supports(Basis::Proof),
                    format!("{host}: {}", row.judgement.detail),
                );
            }
            Some(WrongTarget::Public(addresses) | WrongTarget::Elsewhere(addresses)) => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                let addresses = list(&distinct(addresses.iter().map(String::as_str)), 3);
                let but = right.map_or_else(String::new, |right| {
                    format!(", but the instance's private address is {right}")
                });
                grounds.add(
                    EvidenceWeight::Supports(Basis::Pattern),
                    format!("{host} resolves to {addresses}{but}"),
                );
                let own = row.endpoint.of_instance.as_ref();
                if own.is_some_and(|own| !own.validation.chain) {
                    grounds.add(
                        EvidenceWeight::LeavesOpen,
                        format!(
                            "{host} is a custom name: it may be intended to resolve to an application gateway or load \
                             balancer in front of the instance"
                        ),
                    );
                }
            }
            None => {}
        }
        if let Some(zone) = reserved_zone(view, row) {
            grounds.add(
                EvidenceWeight::Notes,
                format!("a zone {zone} answers on a name server of this network: it hides every name that it does not contain; remove it"),
            );
        }
    }
    grounds
}

/// A zone for all names of API Management, which no network should have, if an answer shows one.
fn reserved_zone(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> Option<String> {
    const RESERVED: [&str; 3] = ["azure-api.net", "azure-api.us", "azure-api.cn"];
    let mut zones = view.answers(row).filter_map(|reply| {
        let authority = reply.answer()?.authority.as_ref()?;
        let zone = authority.zone.trim_end_matches('.').to_ascii_lowercase();
        let is_public = PUBLIC_SERVERS
            .iter()
            .any(|suffix| authority.primary.trim_end_matches('.').ends_with(suffix));
        (RESERVED.contains(&zone.as_str()) && !is_public).then_some(zone)
    });
    zones.next()
}

/// The name servers of the public zones.
const PUBLIC_SERVERS: [&str; 5] = [
    "azure-dns.com",
    "azure-dns.net",
    "azure-dns.org",
    "azure-dns.info",
    "msft.net",
];

/// A zone for one complete name, with its address, linked to a network; each command with the one that takes it back.
fn records(host: &str, vip: &str) -> [(String, String); 3] {
    let name = quote(host);
    let zone = |verb: &str| format!("az network private-dns zone {verb} --resource-group RG --name {name}");
    let record = |verb: &str| {
        format!(
            "az network private-dns record-set a {verb} --resource-group RG --zone-name {name} --record-set-name @ \
             --ipv4-address {vip}"
        )
    };
    let link = |verb: &str| {
        format!("az network private-dns link vnet {verb} --resource-group RG --zone-name {name} --name apim")
    };
    [
        (zone("create"), zone("delete") + " --yes"),
        (record("add-record"), record("remove-record")),
        (
            link("create") + " --virtual-network VNET --registration-enabled false",
            link("delete") + " --yes",
        ),
    ]
}
