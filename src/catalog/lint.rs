//! The rules of the format: turns what was read from files into a checked [`Catalog`].

mod duplicates;
mod endpoint;
mod host;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    decode::OpenMap,
    model::{Catalog, Dependency, EndpointSpec, SourcePage, SqlGateways},
    problem::{ByteRange, Located, Problem, suggest},
    raw,
    settings::{NAME_SERVER, REGION, SETTINGS},
};
use crate::{
    azure::{Cloud, CloudName},
    model::Tier,
    text::nearest,
};
use host::{CloudSuffixes, address, plain_host, range};

/// After this many problems the rest of a file is not checked: more would not help.
const MAX_COLLECTED: usize = 200;

/// Checks everything and reports every problem. The result may be used only if none was reported.
///
/// What was read is consumed, so that a long list of endpoints is never in memory twice.
pub(super) fn check(raw: raw::Catalog, tier: Tier, sha256: String, problems: &mut Vec<Problem>) -> Catalog {
    let clouds = suffixes(raw.clouds.as_ref(), problems);
    let mut dependencies = Vec::new();
    let list = raw.dependencies.map_or_else(Vec::new, |list| list.value);
    if list.is_empty() && !raw.broken {
        let help = "list at least one under `dependencies:`";
        problems.push(Problem::new(raw.at, "this catalog has no dependencies", help));
    }
    let ids: Vec<String> = list
        .iter()
        .filter_map(|entry| Some(entry.id.as_ref()?.value.clone()))
        .collect();
    for entry in list {
        if problems.len() > MAX_COLLECTED {
            break;
        }
        dependencies.extend(dependency(entry, &ids, &clouds, problems));
    }
    Catalog {
        tier,
        source: source(raw.source.as_ref(), problems),
        clouds,
        dependencies,
        sql_gateways: raw
            .sql_gateways
            .as_ref()
            .and_then(|gateways| sql_gateways(gateways, problems)),
        sha256,
    }
}

fn source(raw: Option<&raw::Source>, problems: &mut Vec<Problem>) -> SourcePage {
    let Some(raw) = raw else {
        return SourcePage {
            title: String::new(),
            url: String::new(),
            documented: String::new(),
            checked: None,
        };
    };
    let given = [
        ("title", raw.title.is_some()),
        ("url", raw.url.is_some()),
        ("documented", raw.documented.is_some()),
    ];
    check_given(&given, raw.at, raw.broken, problems);
    let mut text =
        |text: &Option<Located<String>>| text.as_ref().and_then(|text| prose(text, problems)).unwrap_or_default();
    let source = SourcePage {
        title: text(&raw.title),
        url: text(&raw.url),
        documented: text(&raw.documented),
        checked: raw.checked.as_ref().map(|date| date.value.clone()),
    };
    for date in [&raw.documented, &raw.checked].into_iter().flatten() {
        if date.value.parse::<jiff::civil::Date>().is_ok() {
            continue;
        }
        let message = format!("`{}` is not a date", date.value);
        problems.push(Problem::new(date.at, message, "write it as 2026-04-30"));
    }
    if let Some(url) = &raw.url {
        web_address(url, problems);
    }
    source
}

fn web_address(url: &Located<String>, problems: &mut Vec<Problem>) {
    if !url.value.starts_with("https://") && !url.value.starts_with("http://") {
        let message = format!("`{}` is not the URL of a web page", url.value);
        problems.push(Problem::new(url.at, message, "write it with https://"));
    }
}

/// The names of every cloud, by cloud.
type RawClouds = Located<OpenMap<OpenMap<Located<String>>>>;

fn suffixes(raw: Option<&RawClouds>, problems: &mut Vec<Problem>) -> CloudSuffixes {
    let mut clouds = CloudSuffixes::new();
    let Some(raw) = raw else { return clouds };
    if raw.value.0.is_empty() {
        problems.push(no_cloud(raw.at));
    }
    let mut added = Vec::new();
    for (name, OpenMap(entries)) in &raw.value.0 {
        let Some(cloud) = cloud_of(name, problems) else {
            continue;
        };
        if matches!(cloud, Cloud::Other(_)) {
            added.push((name, cloud));
        }
        let table: &mut BTreeMap<String, String> = clouds.entry(cloud).or_default();
        for (name, suffix) in entries {
            suffix_name(name, problems);
            if let Some(suffix) = plain_host(suffix, problems) {
                table.insert(name.value.clone(), suffix);
            }
        }
    }
    for (name, cloud) in added {
        complete(name, cloud, &mut clouds, problems);
    }
    clouds
}

/// The cloud of a key. A typing mistake must not create a new cloud.
fn cloud_of(name: &Located<String>, problems: &mut Vec<Problem>) -> Option<Cloud> {
    let words = Cloud::ALL.each_ref().map(Cloud::as_str);
    if let Some(cloud) = Cloud::ALL.into_iter().find(|cloud| cloud.as_str() == name.value) {
        return Some(cloud);
    }
    let help = match nearest(&name.value, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match CloudName::new(&name.value) {
            Some(own) => return Some(Cloud::Other(own)),
            None => format!(
                "write {}, or a name of at most {} lowercase letters, digits and hyphens (not first or last)",
                words.join(", "),
                CloudName::MAX_LENGTH
            ),
        },
    };
    problems.push(Problem::new(name.at, format!("`{}` is not a cloud", name.value), help));
    None
}

/// A cloud that a catalog adds must define every name that another cloud defines: hosts are formed from them.
fn complete(name: &Located<String>, cloud: Cloud, clouds: &mut CloudSuffixes, problems: &mut Vec<Problem>) {
    let all: BTreeSet<String> = clouds.values().flat_map(|table| table.keys().cloned()).collect();
    let own = clouds.entry(cloud).or_default();
    let missing: Vec<String> = all.into_iter().filter(|suffix| !own.contains_key(suffix)).collect();
    if !missing.is_empty() {
        problems.push(Problem::new(
            name.at,
            format!("the cloud `{}` lacks {}", name.value, missing.join(", ")),
            "give the suffix of each in this cloud: host names are built from them",
        ));
    }
    // Reported once, and not for every host that is formed from it.
    own.extend(missing.into_iter().map(|suffix| (suffix, "missing.invalid".to_owned())));
}

fn suffix_name(name: &Located<String>, problems: &mut Vec<Problem>) {
    let taken = [REGION, NAME_SERVER].contains(&name.value.as_str())
        || SETTINGS.iter().any(|setting| setting.name == name.value);
    if taken {
        let message = format!("`{}` is reserved for a name that the user provides", name.value);
        problems.push(Problem::new(name.at, message, "choose another name for the suffix"));
    } else if !name.value.starts_with(|c: char| c.is_ascii_lowercase())
        || name
            .value
            .contains(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
    {
        let message = format!("`{}` cannot be used between braces", name.value);
        problems.push(Problem::new(
            name.at,
            message,
            "use lowercase letters, digits and _, starting with a letter",
        ));
    }
}

fn sql_gateways(raw: &raw::SqlGateways, problems: &mut Vec<Problem>) -> Option<SqlGateways> {
    let given = [("source", raw.source.is_some()), ("regions", raw.regions.is_some())];
    check_given(&given, raw.at, raw.broken, problems);
    let source = raw.source.as_ref().and_then(|source| prose(source, problems));
    let regions = by_region(raw.regions.as_ref()?, address, problems);
    let ranges = raw
        .ranges
        .as_ref()
        .map(|ranges| by_region(ranges, range, problems))
        .unwrap_or_default();
    Some(SqlGateways {
        source: source?,
        regions,
        ranges,
    })
}

/// A table of lists by region, whose every entry is checked.
fn by_region<T>(
    table: &OpenMap<Located<Vec<Located<String>>>>,
    check: fn(&Located<String>, &mut Vec<Problem>) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Vec<T>> {
    let mut regions = BTreeMap::new();
    for (region, list) in &table.0 {
        if region.value.is_empty()
            || region
                .value
                .contains(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        {
            let help = "write it as the VM's metadata service does, like westeurope";
            problems.push(Problem::new(
                region.at,
                format!("`{}` is not a region's name", region.value),
                help,
            ));
        }
        let checked = list.value.iter().filter_map(|text| check(text, problems));
        regions.insert(region.value.clone(), checked.collect());
    }
    regions
}

fn dependency(
    raw: raw::Dependency,
    ids: &[String],
    suffixes: &CloudSuffixes,
    problems: &mut Vec<Problem>,
) -> Option<Dependency> {
    let at = raw.id.as_ref().map_or(raw.at, |id| id.at);
    if let Some(id) = &raw.id {
        check_id(id, problems);
        if raw.endpoints.is_none() && !raw.broken {
            // If the id is misspelt, this entry was meant to change another one, so its other keys are not reported.
            problems.push(without_endpoints(id, ids));
            return None;
        }
    }
    let given = [
        ("id", raw.id.is_some()),
        ("title", raw.title.is_some()),
        ("need", raw.need.is_some()),
        ("impact", raw.impact.is_some()),
        ("endpoints", raw.endpoints.is_some()),
    ];
    check_given(&given, at, raw.broken, problems);
    let title = raw.title.as_ref().and_then(|title| prose(title, problems));
    let impact = raw.impact.as_ref().and_then(|impact| prose(impact, problems));
    if let Some(tag) = &raw.service_tag {
        check_tag(tag, problems);
    }
    if let Some(docs) = &raw.docs
        && !docs.value.starts_with('#')
    {
        web_address(docs, problems);
    }
    let clouds = raw
        .clouds
        .as_ref()
        .map_or(Vec::new(), |list| cloud_list(list, suffixes, problems));
    let scope = endpoint::Inherited {
        clouds: if clouds.is_empty() {
            let all: BTreeSet<Cloud> = Cloud::ALL.into_iter().chain(suffixes.keys().copied()).collect();
            all.into_iter().collect()
        } else {
            clouds.clone()
        },
        vnet: raw.vnet.as_ref().map(|vnet| vnet.value),
        suffixes,
    };
    let endpoints = endpoints(raw.endpoints, &scope, problems);
    Some(Dependency {
        id: raw.id?.value,
        title: title?,
        need: raw.need.as_ref()?.value,
        instance_decides: raw.instance_decides.as_ref().is_some_and(|flag| flag.value),
        feature: raw.feature.as_ref().and_then(|feature| prose(feature, problems)),
        service_tag: raw.service_tag.as_ref().map(|tag| tag.value.clone()),
        impact: impact?,
        stops_activation: raw.stops_activation.as_ref().is_some_and(|stops| stops.value),
        docs: raw.docs.as_ref().map(|docs| docs.value.clone()),
        clouds,
        vnet: scope.vnet,
        on_page: raw.on_page.as_ref().map(|named| named.value),
        route_addresses: raw
            .route_addresses
            .as_ref()
            .map_or(BTreeMap::new(), |table| route_addresses(table, suffixes, problems)),
        endpoints,
    })
}

fn endpoints(
    list: Option<Located<Vec<raw::Endpoint>>>,
    scope: &endpoint::Inherited,
    problems: &mut Vec<Problem>,
) -> Vec<EndpointSpec> {
    let list = list.map_or_else(Vec::new, |list| list.value);
    let (mut checked, mut places) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
    for entry in list {
        if problems.len() > MAX_COLLECTED {
            break;
        }
        let at = entry.at;
        if let Some(endpoint) = endpoint::check(&entry, scope, problems) {
            checked.push(endpoint);
            places.push(at);
        }
    }
    duplicates::check(&checked, &places, scope, problems);
    checked
}

fn without_endpoints(id: &Located<String>, ids: &[String]) -> Problem {
    let others: Vec<&str> = ids
        .iter()
        .map(String::as_str)
        .filter(|other| *other != id.value)
        .collect();
    let help = match nearest(&id.value, &others) {
        Some(near) => format!("did you mean `{near}`? To change a known dependency, give its exact id"),
        None => "add `endpoints:`; only an entry that changes a known dependency can omit it".to_owned(),
    };
    Problem::new(id.at, format!("`{}` is new and has no endpoints", id.value), help)
}

fn check_id(id: &Located<String>, problems: &mut Vec<Problem>) {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.value.is_empty() || !id.value.chars().all(allowed) || id.value.starts_with('-') || id.value.ends_with('-') {
        let message = format!("`{}` cannot be an id", id.value);
        problems.push(Problem::new(
            id.at,
            message,
            "use lowercase letters, digits and hyphens (not first or last), as in key-vault",
        ));
    }
}

/// Service tags consist of words and regions: `Sql`, `Storage.WestEurope`, `AzureFrontDoor.FirstParty`.
fn check_tag(tag: &Located<String>, problems: &mut Vec<Problem>) {
    if tag.value.is_empty() || tag.value.contains(|c: char| !c.is_ascii_alphanumeric() && c != '.') {
        let message = format!("`{}` is not a service tag", tag.value);
        problems.push(Problem::new(tag.at, message, "name one tag, like AzureKeyVault"));
    }
}

fn cloud_list(
    list: &Located<Vec<Located<Cloud>>>,
    suffixes: &CloudSuffixes,
    problems: &mut Vec<Problem>,
) -> Vec<Cloud> {
    let mut clouds: Vec<Cloud> = Vec::new();
    for cloud in &list.value {
        exists(cloud, suffixes, problems);
        if clouds.contains(&cloud.value) {
            let message = format!("`{}` is in this list twice", cloud.value);
            problems.push(Problem::new(cloud.at, message, "list it once"));
        } else {
            clouds.push(cloud.value);
        }
    }
    clouds
}

fn route_addresses(
    raw: &Located<OpenMap<Located<Vec<Located<String>>>>>,
    suffixes: &CloudSuffixes,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Cloud, Vec<IpAddr>> {
    if raw.value.0.is_empty() {
        problems.push(no_cloud(raw.at));
    }
    let mut table = BTreeMap::new();
    for (name, list) in &raw.value.0 {
        let Some(cloud) = cloud_of(name, problems) else {
            continue;
        };
        exists(
            &Located {
                value: cloud,
                at: name.at,
            },
            suffixes,
            problems,
        );
        table.insert(cloud, addresses(list, problems));
    }
    table
}

/// Reports a cloud that no catalog has.
fn exists(cloud: &Located<Cloud>, suffixes: &CloudSuffixes, problems: &mut Vec<Problem>) {
    if matches!(cloud.value, Cloud::Other(_)) && !suffixes.contains_key(&cloud.value) {
        let known = Cloud::ALL.iter().chain(suffixes.keys()).map(Cloud::as_str);
        let words: BTreeSet<&str> = known.collect();
        let message = format!("`clouds` cannot be `{}`", cloud.value);
        problems.push(Problem::new(cloud.at, message, suggest(cloud.value.as_str(), words)));
    }
}

fn addresses(list: &Located<Vec<Located<String>>>, problems: &mut Vec<Problem>) -> Vec<IpAddr> {
    list.value.iter().filter_map(|text| address(text, problems)).collect()
}

/// Reports required keys that are missing. If an entry could not be read completely, nothing is reported as missing.
fn check_given(given: &[(&str, bool)], at: ByteRange, broken: bool, problems: &mut Vec<Problem>) {
    let missing: Vec<String> = given
        .iter()
        .filter(|(_, is_given)| !is_given)
        .map(|(key, _)| format!("`{key}`"))
        .collect();
    if let Some((last, others)) = missing.split_last().filter(|_| !broken) {
        let message = match others {
            [] => format!("{last} is missing"),
            _ => format!("{} and {last} are missing", others.join(", ")),
        };
        problems.push(Problem::new(at, message, "add what is missing to this entry"));
    }
}

/// Text for people: one line without control characters.
fn prose(text: &Located<String>, problems: &mut Vec<Problem>) -> Option<String> {
    let line = text.value.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        problems.push(Problem::new(
            text.at,
            "this text is empty",
            "write a few words, or leave the key out",
        ));
        return None;
    }
    if line.contains(char::is_control) {
        problems.push(Problem::new(
            text.at,
            "this text contains control characters",
            "write plain text",
        ));
        return None;
    }
    Some(line)
}

fn no_cloud(at: ByteRange) -> Problem {
    Problem::new(at, "no cloud is given here", "add `public:`, `usgov:` or `china:`")
}
