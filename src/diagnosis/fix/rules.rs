//! The rules that allow rows. Those in a fix are what `apim-probe rules` prints, with the same name and priority: the
//! module `rules` makes both.

use std::{collections::BTreeSet, net::IpAddr};

use super::inspect::SUBNET;
use crate::{
    address,
    azure::{ACTIVATION, NextHop},
    diagnosis::{
        refutation::Refutation,
        traceroute::evidence::last_hop,
        view::{ProbedEndpoint, RunView},
    },
    model::{
        Direction, Fix, Prediction, Transport,
        prediction::{Access, Expected, NsgAttachment, RuleMatch},
    },
    rules::{CommandWithUndo, RenderedRules, RuleFamily, RuleFilter},
    text::words::{distinct, list},
};

/// Everything outside the virtual network.
const INTERNET: &str = "Internet";

/// The rules of a kind that these rows require; `None` if none are known. A rule with a service tag never covers a
/// private endpoint.
fn made(kind: RuleFamily, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Option<RenderedRules> {
    let covered = rows.iter().filter(|row| private_endpoints(row).is_empty());
    let ids: BTreeSet<String> = covered.map(|row| row.endpoint.id.clone()).collect();
    view.place.rules?.rules(kind, RuleFilter::For(&ids)).ok()
}

/// The lines of these rules.
pub(crate) fn lines(kind: RuleFamily, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<CommandWithUndo> {
    made(kind, rows, view).map_or_else(Vec::new, |rules| rules.changes())
}

/// The tag that is enough for the instance's region.
fn narrowest(tag: &str, view: &RunView<'_>) -> String {
    view.place.rules.map_or_else(|| tag.to_owned(), |rules| rules.tag(tag))
}

/// `TCP 1433 to Sql.WestEurope and TCP 443 to AzureKeyVault`, and how many more.
fn what(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> String {
    let named = traffic(rows, view);
    list(&named.iter().map(String::as_str).collect::<Vec<_>>(), 3)
}

/// These rows as rules by address see them, each `TCP 1433 to Sql.WestEurope`: by service tag and transport, in the
/// order of the rows; without a tag, by dependency.
pub(crate) fn traffic(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<String> {
    let mut traffic: Vec<(Transport, String, Vec<u16>)> = Vec::new();
    for row in rows {
        let endpoint = row.endpoint;
        let tag = Some(row.tag()).filter(|tag| !tag.is_empty() && *tag != ACTIVATION);
        let to = match (private_endpoints(row).as_slice(), tag) {
            ([], Some(tag)) => narrowest(tag, view),
            ([], None) => endpoint.title.clone(),
            (addresses, _) => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                let whose = if row.endpoint.of_instance.is_some() {
                    "the address"
                } else {
                    "the private endpoint"
                };
                format!("{whose} {}", list(&addresses, 2))
            }
        };
        let at = traffic
            .iter()
            .position(|(transport, known, _)| (*transport, known) == (endpoint.transport, &to));
        let at = at.unwrap_or_else(|| {
            traffic.push((endpoint.transport, to, Vec::new()));
            traffic.len() - 1
        });
        let ports = &mut traffic[at].2;
        if !ports.contains(&endpoint.port) {
            ports.push(endpoint.port);
        }
    }
    traffic
        .iter()
        .map(|(transport, to, ports)| {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!("{} {} to {to}", transport.as_str().to_uppercase(), ports.join(", "))
        })
        .collect()
}

/// These rows as rules by name see them, by protocol and port: `http:80` and its names.
pub(crate) fn by_name<'a>(rows: &[ProbedEndpoint<'a>]) -> Vec<(&'static str, Vec<&'a str>)> {
    let names = |port: u16| distinct(rows.iter().filter(|row| row.endpoint.port == port).map(|row| name(row)));
    let parts = [("http:80", names(80)), ("https:443", names(443))];
    parts.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

/// The addresses of private endpoints of a service with a tag, or of a backend in a private network, each once however many
/// connections were made to it; none if any of its addresses is public.
fn private_endpoints(row: &ProbedEndpoint<'_>) -> Vec<IpAddr> {
    let outcomes = row.judgement.outcomes.iter();
    let is_somewhere = !row.tag().is_empty() || row.endpoint.of_instance.is_some();
    let mut tried: Vec<IpAddr> = Vec::new();
    for address in outcomes.map(|outcome| outcome.address.ip()).filter(|_| is_somewhere) {
        if !tried.contains(&address) {
            tried.push(address);
        }
    }
    if tried.iter().all(|address| address::is_private(*address)) {
        tried
    } else {
        Vec::new()
    }
}

/// Allows rows wherever packets are judged by address and port and the given rules leave open that they are blocked.
pub(crate) fn allow(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let what = what(rows, view);
    let in_firewall = if rows.iter().all(|row| row.tag() == INTERNET && row.is_web()) {
        "with an application rule for the names"
    } else {
        "with a network rule"
    };
    match at_fault(rows, view) {
        Some(AtFault::Group) => {
            let (place, lines) = in_group(rows, view);
            Fix::new(format!("Allow {what} in the subnet's NSG{place}.")).change(lines)
        }
        Some(AtFault::OtherGroup(rule)) => Fix::new(match rule.place {
            NsgAttachment::Nic => format!(
                "Allow {what} in the NSG of this VM's own network interface, before {} ({}): it does not apply to the \
                 instance.",
                rule.name, rule.priority
            ),
            NsgAttachment::Subnet | NsgAttachment::NetworkManager => format!(
                "Allow {what} in the network manager's security admin rules, before {} ({}): NSG rules cannot \
                 override them.",
                rule.name, rule.priority
            ),
        }),
        Some(AtFault::Route(prefix)) => Fix::new(format!(
            "Change the next hop of the route {prefix} to one that forwards {what}, or add more specific routes."
        ))
        .look(["az network nic show-effective-route-table -g RG -n NIC -o table"]),
        Some(AtFault::WayOut) => Fix::new(format!(
            "The given NSG and routes allow {what}: give the subnet outbound access, such as a NAT gateway, or look \
             for a security admin rule of a network manager."
        ))
        .look([SUBNET]),
        Some(AtFault::NextHop(hop)) => Fix::new(format!("Allow {what} {in_firewall} in the firewall at {hop}."))
            .change(lines(RuleFamily::Firewall, rows, view)),
        None => {
            if let Some(hop) = last_hop(view, rows) {
                return Fix::new(format!(
                    "Allow {what} {in_firewall} in the firewall at {hop} or behind it."
                ))
                .change(lines(RuleFamily::Firewall, rows, view));
            }
            let (place, lines) = in_group(rows, view);
            Fix::new(format!(
                "Allow {what} in the subnet's NSG{place}, and {in_firewall} in any firewall on the path."
            ))
            .change(lines)
        }
    }
}

/// The only place where something must change for all of these rows, according to the given rules.
enum AtFault<'a> {
    /// The NSG of the subnet.
    Group,
    /// A rule that the subnet's NSG cannot override.
    OtherGroup(&'a RuleMatch),
    /// The route that leads nowhere, by its prefix.
    Route(&'a str),
    /// Neither NSGs nor routes.
    WayOut,
    /// The appliance that a route leads to, by its address.
    NextHop(&'a str),
}

fn at_fault<'a>(rows: &[ProbedEndpoint<'a>], view: &RunView<'_>) -> Option<AtFault<'a>> {
    let predictions: Option<Vec<&Prediction>> = rows.iter().map(|row| row.prediction).collect();
    let predictions = predictions.filter(|_| Refutation::of(view).is_none())?;
    let (first, others) = predictions.split_first()?;
    let of = |prediction: &&'a Prediction| {
        let prediction = *prediction;
        let route = prediction.route.as_ref();
        match (prediction.verdict, &prediction.nsg) {
            (Expected::Deny, Some(rule)) if rule.access == Access::Deny => Some(match rule.place {
                NsgAttachment::Subnet => AtFault::Group,
                NsgAttachment::Nic | NsgAttachment::NetworkManager => AtFault::OtherGroup(rule),
            }),
            (Expected::Deny, _) => route.map(|route| AtFault::Route(&route.prefix)),
            (Expected::Allow, Some(_)) => {
                let route = route?;
                if route.next_hop_type == NextHop::Internet {
                    return Some(AtFault::WayOut);
                }
                route.next_hop.as_deref().map(AtFault::NextHop)
            }
            _ => None,
        }
    };
    let same = |one: &AtFault<'_>, other: &AtFault<'_>| match (one, other) {
        (AtFault::Group, AtFault::Group) | (AtFault::WayOut, AtFault::WayOut) => true,
        (AtFault::OtherGroup(one), AtFault::OtherGroup(other)) => one == other,
        (AtFault::Route(one), AtFault::Route(other)) | (AtFault::NextHop(one), AtFault::NextHop(other)) => one == other,
        _ => false,
    };
    let first = of(first)?;
    others
        .iter()
        .all(|other| of(other).is_some_and(|other| same(&first, &other)))
        .then_some(first)
}

/// Where to put rules in the subnet's NSG, and the commands that create them.
fn in_group(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> (String, Vec<CommandWithUndo>) {
    let Some(RenderedRules::Nsg(rules)) = made(RuleFamily::Nsg, rows, view) else {
        return (String::new(), Vec::new());
    };
    // Measurements can refute what is predicted for outbound traffic only.
    let is_refuted =
        rows.iter().any(|row| row.endpoint.direction == Direction::Outbound) && Refutation::of(view).is_some();
    let (before, behind) = (rules.preceded(), rules.preceding());
    let named = |denies: &[String]| list(&denies.iter().map(String::as_str).collect::<Vec<_>>(), 3);
    let place = match (before.as_slice(), behind.as_slice()) {
        _ if !rules.is_known() || is_refuted => " (put it before your own deny)".to_owned(),
        ([], []) => String::new(),
        (before, []) => format!(", before {}", named(before)),
        (_, behind) => format!(", and move {} after it: no earlier priority is free", named(behind)),
    };
    (place, RenderedRules::Nsg(rules).changes())
}

/// Allows inbound rows, or those between machines, in the subnet's NSG.
pub(crate) fn let_in(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let (place, lines) = in_group(rows, view);
    let named: Vec<String> = rows
        .iter()
        .map(|row| {
            let source = row.endpoint.source_tag.as_deref().unwrap_or(INTERNET);
            let transport = row.endpoint.transport.as_str().to_uppercase();
            format!("{transport} {} from {source}", row.endpoint.port)
        })
        .collect();
    let named = distinct(named.iter().map(String::as_str));
    Fix::new(format!(
        "Allow {} to VirtualNetwork in the subnet's NSG{place}.",
        list(&named, 4)
    ))
    .change(lines)
}

/// Allows rows on 80 and 443 in a firewall that decides by name. The rule itself resolves the names.
pub(crate) fn allow_by_name(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let parts = by_name(rows);
    let most = if parts.iter().map(|(_, names)| names.len()).sum::<usize>() > 3 {
        2
    } else {
        3
    };
    let allowed: Vec<String> = parts
        .iter()
        .map(|(what, names)| format!("{what} to {}", list(names, most)))
        .collect();
    let or = only_tag(rows, view).map_or_else(String::new, |tag| format!(", or a network rule to {tag}"));
    let summary = format!("Add an application rule for {}{or}.", allowed.join(" and "));
    Fix::new(summary).change(lines(RuleFamily::Firewall, rows, view))
}

/// The tag with which a network rule allows these rows, if one is enough for all of them.
pub(crate) fn only_tag(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Option<String> {
    let tags = distinct(rows.iter().map(ProbedEndpoint::tag));
    match tags.as_slice() {
        [tag] if !tag.is_empty() && *tag != INTERNET => Some(narrowest(tag, view)),
        _ => None,
    }
}

/// The name in an application rule: the documented wildcard if the host belongs to one.
fn name<'a>(row: &ProbedEndpoint<'a>) -> &'a str {
    row.endpoint.pattern.as_deref().unwrap_or(&row.endpoint.host)
}

/// Allows rows in a firewall that accepts their connections and forwards none. They are not HTTP, or not on its ports,
/// and an application rule would break them: network rules only.
pub(crate) fn allow_in_firewall(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    let summary = format!(
        "Allow {} in the firewall with a network rule, never with an https application rule.",
        what(rows, view)
    );
    Fix::new(summary).change(lines(RuleFamily::Firewall, rows, view))
}

/// Allows rows in a device that refuses them by address and port, and whose own address is known.
pub(crate) fn allow_at(who: &str, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Fix {
    Fix::new(format!("Configure {who} to allow {}.", what(rows, view))).change(lines(RuleFamily::Firewall, rows, view))
}
