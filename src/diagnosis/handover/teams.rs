//! Which teams may have to act, and what each of them is asked to do.

use super::reproduce::reproduction;
use crate::{
    diagnosis::{
        fix,
        view::{ProbedEndpoint, RunView, should_work},
    },
    model::{Finding, Fix, Need, Owner, Request, Suspect},
    rules::RuleFamily,
};

/// A block for each suspect of a finding, in its order.
pub(super) fn requests(finding: &Finding, rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<Request> {
    let mut owners: Vec<Owner> = Vec::new();
    for owner in finding.suspects.iter().filter_map(|suspect| owner(*suspect)) {
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let is_missing_rule = is_missing_rule(finding, rows);
    let request = |owner: Owner| {
        let suspects = |suspect: Suspect| is_missing_rule && finding.suspects.contains(&suspect);
        let by_rule = match owner {
            Owner::Firewall => suspects(Suspect::FirewallNetworkRule) || suspects(Suspect::FirewallApplicationRule),
            Owner::NsgAndRoutes => suspects(Suspect::Nsg),
            Owner::Dns => false,
        };
        let (allow, change) = match (owner, by_rule) {
            (Owner::Firewall, true) => (
                through_firewall(rows, view),
                fix::lines(RuleFamily::Firewall, rows, view),
            ),
            (Owner::NsgAndRoutes, true) => {
                let mut allow = through_group(rows, view);
                if suspects(Suspect::Udr) {
                    allow.push("Route table: a next hop that forwards it".to_owned());
                }
                (allow, fix::lines(RuleFamily::Nsg, rows, view))
            }
            _ => (
                vec![finding.fix.summary.clone()],
                finding
                    .fix
                    .changes()
                    .filter(|(line, _)| runs(line) == owner)
                    .map(|(line, undo)| (line.to_owned(), undo.map(str::to_owned)))
                    .collect(),
            ),
        };
        let Fix {
            change,
            undo,
            placeholders,
            ..
        } = fix::finish(Fix::default().change(change), &[], view);
        Request {
            owner,
            need: finding.need.unwrap_or(Need::Documented),
            stops_activation: finding.stops_activation,
            impact: finding.impact.clone(),
            allow,
            change,
            undo,
            placeholders,
            reproduce: first(rows).map(|row| reproduction(row, view)).into_iter().collect(),
        }
    };
    owners.into_iter().map(request).collect()
}

/// The most important row, the first of equals.
fn first<'r, 'a>(rows: &'r [ProbedEndpoint<'a>]) -> Option<&'r ProbedEndpoint<'a>> {
    rows.iter()
        .filter(|row| row.trace.is_some())
        .min_by_key(|row| (row.endpoint.need, row.index))
}

/// The team that owns a suspect; `None` if only this VM, the service or the documentation can be changed.
fn owner(suspect: Suspect) -> Option<Owner> {
    match suspect {
        Suspect::Nsg | Suspect::Udr | Suspect::NoOutbound => Some(Owner::NsgAndRoutes),
        Suspect::FirewallNetworkRule
        | Suspect::FirewallApplicationRule
        | Suspect::TlsInspection
        | Suspect::Nva
        | Suspect::Proxy => Some(Owner::Firewall),
        Suspect::DnsServer | Suspect::PrivateDnsZone => Some(Owner::Dns),
        Suspect::VmNicNsg | Suspect::LocalHost | Suspect::Service | Suspect::Documentation => None,
    }
}

/// The team that runs a command.
fn runs(command: &str) -> Owner {
    let starts = |words: &[&str]| words.iter().any(|word| command.starts_with(word));
    if starts(&["az network firewall"]) {
        Owner::Firewall
    } else if starts(&["az network private-dns", "az network dns", "az dns-resolver", "az apim"]) {
        Owner::Dns
    } else {
        Owner::NsgAndRoutes
    }
}

/// Whether rules that allow something fix it: not for findings about the line, about what must stay blocked, or about
/// names and name servers.
fn is_missing_rule(finding: &Finding, rows: &[ProbedEndpoint<'_>]) -> bool {
    let is_let_through =
        |row: &ProbedEndpoint<'_>| should_work(row) && !row.fails_by_name() && row.tested_server().is_none();
    !finding.is_about_the_link() && rows.iter().all(is_let_through)
}

fn through_group(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<String> {
    let traffic = fix::traffic(rows, view).into_iter();
    traffic
        .map(|traffic| format!("NSG, outbound, from VirtualNetwork: {traffic}"))
        .collect()
}

/// Every rule completely: application rules for what they can judge, network rules for the rest.
fn through_firewall(rows: &[ProbedEndpoint<'_>], view: &RunView<'_>) -> Vec<String> {
    let (web, others): (Vec<ProbedEndpoint<'_>>, Vec<ProbedEndpoint<'_>>) = rows.iter().partition(|row| row.is_web());
    let subnet = view.place.rules.and_then(|rules| rules.subnet());
    let from = subnet.map_or_else(|| "the instance's subnet".to_owned(), str::to_owned);
    let or = fix::only_tag(&web, view).map_or_else(String::new, |tag| format!(" (or a network rule to {tag})"));
    let by_name = fix::by_name(&web)
        .into_iter()
        .map(|(what, names)| format!("Application rule, from {from}: {what} to {}{or}", names.join(", ")));
    let by_address = fix::traffic(&others, view)
        .into_iter()
        .map(|traffic| format!("Network rule, from {from}: {traffic}"));
    by_name.chain(by_address).collect()
}
