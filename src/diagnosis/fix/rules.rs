//! The rules that let rows through: by service tag in an NSG, by name or by service tag in an Azure Firewall.

use crate::{
    azure::region::regional,
    diagnosis::view::{Row, RunView},
    model::{Fix, Transport},
    text::{
        quote,
        words::{distinct, list},
    },
};

/// This tag only works in rules that deny: the platform lets activation through by itself.
const DENY_ONLY: &str = "AzurePlatformLKM";
/// Everything outside the virtual network.
const INTERNET: &str = "Internet";
/// How many rules are written out; a longer list is `apim-probe rules`' business.
const MOST_RULES: usize = 4;

/// Ports of one transport to one destination.
#[derive(Debug)]
struct Rule {
    /// `Allow-Sql`; the ports come behind it.
    name: String,
    /// A service tag, or addresses where the service has none.
    destinations: Vec<String>,
    /// The destination in words.
    to: String,
    transport: Transport,
    ports: Vec<u16>,
}

impl Rule {
    fn ports(&self, separator: &str) -> String {
        self.ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(separator)
    }

    /// The name that the rule gets: `Allow-Sql-1433`.
    fn name(&self) -> String {
        format!("{}-{}", self.name, self.ports("-"))
    }
}

/// One rule for each service tag and transport, in the order of the rows; without a tag, for each dependency.
fn rules(rows: &[Row<'_>], view: &RunView<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for row in rows {
        let endpoint = row.endpoint;
        let tag = Some(row.tag()).filter(|tag| !tag.is_empty() && *tag != DENY_ONLY);
        let name = format!("Allow-{}", tag.unwrap_or(&endpoint.dependency));
        let known = rules
            .iter()
            .position(|rule| rule.name == name && rule.transport == endpoint.transport);
        let at = known.unwrap_or(rules.len());
        if known.is_none() {
            rules.push(Rule {
                name,
                destinations: Vec::new(),
                to: tag.map_or_else(|| endpoint.title.clone(), |tag| narrowest(tag, view)),
                transport: endpoint.transport,
                ports: Vec::new(),
            });
        }
        let rule = &mut rules[at];
        if !rule.ports.contains(&endpoint.port) {
            rule.ports.push(endpoint.port);
        }
        let destinations = if tag.is_some() {
            vec![rule.to.clone()]
        } else {
            addresses(row)
        };
        for destination in destinations {
            if !rule.destinations.contains(&destination) {
                rule.destinations.push(destination);
            }
        }
    }
    rules
}

fn addresses(row: &Row<'_>) -> Vec<String> {
    let addresses: Vec<String> = row
        .judgement
        .outcomes
        .iter()
        .map(|outcome| outcome.address.ip().to_string())
        .collect();
    if addresses.is_empty() {
        vec!["ADDRESS".into()]
    } else {
        addresses
    }
}

/// `TCP 1433 to Sql.WestEurope and TCP 443 to AzureKeyVault`.
fn what(rules: &[Rule]) -> String {
    let one = |rule: &Rule| {
        format!(
            "{} {} to {}",
            rule.transport.as_str().to_uppercase(),
            rule.ports(", "),
            rule.to
        )
    };
    let named: Vec<String> = rules.iter().map(one).collect();
    list(&named.iter().map(String::as_str).collect::<Vec<_>>(), 3)
}

/// Lets rows through wherever packets are judged by address and port.
pub fn allow(rows: &[Row<'_>], view: &RunView<'_>) -> Fix {
    let rules = rules(rows, view);
    let firewall = if rows.iter().all(|row| row.tag() == INTERNET && row.is_web()) {
        "with an application rule for the names"
    } else {
        "with a network rule"
    };
    let summary = format!(
        "Allow {} in the subnet's NSG, and {firewall} in any firewall on the way.",
        what(&rules)
    );
    let commands = rules
        .iter()
        .take(MOST_RULES)
        .zip(priorities(rows, view))
        .map(|(rule, priority)| in_nsg(rule, priority));
    Fix::new(summary).change(commands)
}

/// A priority for each row, none of which another finding gives: Azure refuses the second rule of one priority.
fn priorities(rows: &[Row<'_>], view: &RunView<'_>) -> impl Iterator<Item = usize> {
    let place = |row: &Row<'_>| {
        view.plan
            .endpoints
            .iter()
            .position(|endpoint| endpoint.id == row.endpoint.id)
    };
    let mut places: Vec<usize> = rows.iter().filter_map(place).collect();
    places.sort_unstable();
    places.into_iter().map(|place| FIRST_PRIORITY + place)
}

/// Behind the rules of a complete set, which begin at 2000.
const FIRST_PRIORITY: usize = 3000;

fn in_nsg(rule: &Rule, priority: usize) -> String {
    let protocol = match rule.transport {
        Transport::Tcp => "Tcp",
        Transport::Udp => "Udp",
    };
    format!(
        "az network nsg rule create -g RG --nsg-name NSG -n {} --priority {priority} --direction Outbound --access Allow \
         --protocol {protocol} --source-address-prefixes VirtualNetwork --destination-address-prefixes {} \
         --destination-port-ranges {}",
        rule.name(),
        words(&rule.destinations),
        rule.ports(" ")
    )
}

/// The tag that is enough where the instance is.
fn narrowest(tag: &str, view: &RunView<'_>) -> String {
    regional(tag, view.place.region).unwrap_or_else(|| tag.to_owned())
}

/// Lets rows on 80 and 443 through a firewall that judges by name. The rule resolves the names itself.
pub fn allow_by_name(rows: &[Row<'_>], view: &RunView<'_>) -> Fix {
    let names = |port: u16| distinct(rows.iter().filter(|row| row.endpoint.port == port).map(|row| name(row)));
    let (http, https) = (names(80), names(443));
    let parts = [(80, "Http", &http), (443, "Https", &https)];
    let most = if http.len() + https.len() > 3 { 2 } else { 3 };
    let allowed: Vec<String> = parts
        .iter()
        .filter(|(_, _, names)| !names.is_empty())
        .map(|(port, word, names)| format!("{}:{port} to {}", word.to_lowercase(), list(names, most)))
        .collect();
    let tags: Vec<String> = distinct(rows.iter().map(Row::tag))
        .into_iter()
        .filter(|tag| *tag != INTERNET)
        .map(|tag| narrowest(tag, view))
        .collect();
    let or = match tags.as_slice() {
        [tag] if rows.iter().all(|row| row.tag() != INTERNET) => format!(", or a network rule to {tag}"),
        _ => String::new(),
    };
    let summary = format!(
        "Add an application rule to the firewall that allows {}{or}.",
        allowed.join(" and ")
    );
    let command = |(port, word, names): &(u16, &str, &Vec<&str>)| {
        format!(
            "az network firewall policy rule-collection-group collection add-filter-collection -g RG --policy-name POLICY \
             --rcg-name GROUP --name apim-{} --collection-priority {} --action Allow --rule-type ApplicationRule \
             --rule-name apim-{} --source-addresses SUBNET --protocols {word}={port} --target-fqdns {}",
            word.to_lowercase(),
            2000 + port,
            word.to_lowercase(),
            words(names)
        )
    };
    Fix::new(summary).change(parts.iter().filter(|(_, _, names)| !names.is_empty()).map(command))
}

/// Arguments of a command.
fn words(words: &[impl AsRef<str>]) -> String {
    words
        .iter()
        .map(|word| quote(word.as_ref()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The name in an application rule: the documented wildcard where the host stands for one.
fn name<'a>(row: &Row<'a>) -> &'a str {
    row.endpoint.pattern.as_deref().unwrap_or(&row.endpoint.host)
}

/// Lets rows through a firewall that accepts their connections and forwards none. What is spoken there is not HTTP, or
/// not on its ports, and an application rule would break it: network rules only.
pub fn allow_in_firewall(rows: &[Row<'_>], view: &RunView<'_>) -> Fix {
    let rules = rules(rows, view);
    let summary = format!(
        "Allow {} in the firewall with a network rule, never with an https application rule.",
        what(&rules)
    );
    Fix::new(summary).change(in_firewall(&rules))
}

/// Lets rows through somebody who refuses them by address and port, and is known by his own address.
pub fn allow_at(who: &str, rows: &[Row<'_>], view: &RunView<'_>) -> Fix {
    let rules = rules(rows, view);
    Fix::new(format!("Let {who} pass {}.", what(&rules))).change(in_firewall(&rules))
}

fn in_firewall(rules: &[Rule]) -> Vec<String> {
    let command = |(rule, number): (&Rule, u32)| {
        format!(
            "az network firewall policy rule-collection-group collection add-filter-collection -g RG --policy-name POLICY \
             --rcg-name GROUP --name apim-{} --collection-priority {} --action Allow --rule-type NetworkRule --rule-name {} \
             --source-addresses SUBNET --ip-protocols {} --destination-addresses {} --destination-ports {}",
            rule.name().to_lowercase(),
            1000 + 10 * number,
            rule.name(),
            rule.transport.as_str().to_uppercase(),
            words(&rule.destinations),
            rule.ports(" ")
        )
    };
    rules.iter().take(MOST_RULES).zip(1..).map(command).collect()
}
