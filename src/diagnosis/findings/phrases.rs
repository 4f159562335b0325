//! Sentences about what many rows have in common: one for all of them instead of one for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    diagnosis::view::{ProbedEndpoint, RunView},
    model::{Cause, Need},
    net::tcp::TcpEnd,
    probe::control::TEST_NET_1,
    text::words::{self, count, distinct, list},
};

pub(super) use crate::text::slug;

/// Maximum length of two titles in a headline, in bytes.
const SHORT: usize = 30;

/// Maximum number of ports that are named; more are counted.
const MAX_PORTS: usize = 4;

/// The ports of some rows, as in a rule: `TCP 5671, 5672`; if there are many, their number: `9 TCP ports`.
pub(super) fn ports(rows: &[ProbedEndpoint<'_>]) -> String {
    let mut by_transport: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    for row in rows {
        let ports = by_transport.entry(row.endpoint.transport.as_str()).or_default();
        if !ports.contains(&row.endpoint.port) {
            ports.push(row.endpoint.port);
        }
    }
    let named = by_transport.iter().map(|(transport, ports)| {
        let transport = transport.to_uppercase();
        if ports.len() > MAX_PORTS {
            return format!("{} {transport} ports", ports.len());
        }
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        format!("{transport} {}", ports.join(", "))
    });
    named.collect::<Vec<_>>().join(" and ")
}

/// The ports of some rows as a scope: `tcp-5671-5672`, `udp-123`.
pub(super) fn port_scope(rows: &[ProbedEndpoint<'_>]) -> String {
    let mut by_transport: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for row in rows {
        let ports = by_transport.entry(row.endpoint.transport.as_str()).or_default();
        ports.insert(row.endpoint.port);
    }
    let named = by_transport.iter().map(|(transport, ports)| {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        format!("{transport}-{}", ports.join("-"))
    });
    named.collect::<Vec<_>>().join("-")
}

/// What a host shows that answered one connection and not the next: no rule does that.
pub(super) fn lost(host: &str) -> String {
    format!(
        "{host} answered one connection but not a later one: connections are lost regardless of their destination \
         (SNAT port exhaustion, a link that went down or loses packets)"
    )
}

/// A port of these rows on which connections to a reserved, unused address are accepted.
pub(super) fn middlebox(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Option<String> {
    let mut ports = rows.iter().map(|row| row.endpoint.port);
    let port = ports.find(|port| view.controls.intercepts(*port))?;
    Some(format!(
        "{TEST_NET_1}:{port} (reserved, unused) accepts too: a middlebox answers for every address"
    ))
}

/// The distinct hosts, in order.
pub(super) fn hosts<'a>(rows: impl IntoIterator<Item = &'a ProbedEndpoint<'a>>) -> Vec<&'a str> {
    distinct(rows.into_iter().map(|row| row.endpoint.host.as_str()))
}

/// How many distinct hosts: `1 host`, `12 hosts`.
pub(super) fn host_count(rows: &[ProbedEndpoint<'_>]) -> String {
    count(hosts(rows).len(), "host")
}

/// The titles of their dependencies, in order.
pub(super) fn titles<'a>(rows: impl IntoIterator<Item = &'a ProbedEndpoint<'a>>) -> Vec<&'a str> {
    distinct(rows.into_iter().map(|row| row.endpoint.title.as_str()))
}

/// The owner of some rows: the dependency's title, or the titles of the instance's own hosts, each of which has its
/// own.
pub(super) fn whose(rows: &[ProbedEndpoint<'_>]) -> String {
    if rows.iter().all(|row| row.endpoint.of_instance.is_some()) {
        list(&titles(rows), 2)
    } else {
        rows.first().map_or_else(String::new, |row| row.endpoint.title.clone())
    }
}

/// How rows with one cause end: in the cause's own words, unless the handshake got further than they say.
pub(super) fn headline(rows: &[ProbedEndpoint<'_>], cause: Cause) -> String {
    let ports = ports(rows);
    let way = match cause {
        Cause::TlsReset => "reset",
        Cause::TlsClosed => "closed",
        Cause::TlsTimeout => "gets no reply",
        _ => return cause.headline(&ports),
    };
    match rows.iter().filter(|row| row.was_greeted()).count() {
        0 => cause.headline(&ports),
        greeted if greeted == rows.len() => format!("{ports} is accepted, then {way} after the certificate"),
        _ => format!("{ports} is accepted, then {way} during the handshake"),
    }
}

/// `3 other endpoints are verified`.
pub(super) fn others_prove(number: usize) -> String {
    match number {
        1 => "1 other endpoint works".into(),
        _ => format!("{number} other endpoints work"),
    }
}

/// `3 other hosts get through`.
pub(super) fn others_get_through(number: usize) -> String {
    let verb = if number == 1 { "gets" } else { "get" };
    format!("{} {verb} through", count(number, "other host"))
}

/// The ids of their dependencies, in order.
pub(super) fn dependencies<'a>(rows: &[ProbedEndpoint<'a>]) -> Vec<&'a str> {
    distinct(rows.iter().map(|row| row.endpoint.dependency.as_str()))
}

/// What a finding affects: `Azure SQL`, `Azure SQL and Azure Storage`, `5 dependencies`.
pub(super) fn subject(rows: &[ProbedEndpoint<'_>]) -> String {
    match titles(rows)[..] {
        [one] => one.into(),
        [one, two] if one.len() + two.len() < SHORT => format!("{one} and {two}"),
        ref many => count(many.len(), "dependency"),
    }
}

/// The most important dependency, for a finding about one host of it.
pub(super) fn leader<'a>(rows: &[ProbedEndpoint<'a>]) -> &'a str {
    rows.iter()
        .min_by_key(|row| (row.endpoint.need, row.index))
        .map_or("", |row| row.endpoint.title.as_str())
}

/// What breaks: the dependency's own words if there is one, else how many, and which.
pub(super) fn impact(rows: &[ProbedEndpoint<'_>]) -> String {
    let needs = [Need::Required, Need::Feature, Need::Documented];
    let weightiest = needs
        .iter()
        .find_map(|need| rows.iter().find(|row| row.endpoint.need == *need));
    let Some(weightiest) = weightiest else {
        return String::new();
    };
    let of = |need: Need| titles(rows.iter().filter(move |row| row.endpoint.need == need));
    let (required, features) = (of(Need::Required), of(Need::Feature));
    let features: Vec<&str> = features.into_iter().filter(|title| !required.contains(title)).collect();
    match (required.len(), features.len()) {
        (0 | 1, 0) | (0, 1) => weightiest.endpoint.impact.clone(),
        (1, _) => format!("{} Also affected: {}.", weightiest.endpoint.impact, list(&features, 2)),
        (0, many) => format!("{many} optional dependencies do not work: {}.", list(&features, 4)),
        (many, 0) => format!("{many} required dependencies do not work: {}.", list(&required, 5)),
        (many, optional) => {
            format!(
                "{many} required dependencies ({}) and {} do not work.",
                list(&required, 5),
                count(optional, "optional one")
            )
        }
    }
}

/// One row in its own words, and how many others have the same result.
pub(super) fn examples(rows: &[ProbedEndpoint<'_>]) -> Vec<String> {
    let Some((first, others)) = rows.split_first() else {
        return Vec::new();
    };
    if others.is_empty() {
        return vec![first.judgement.detail.clone()];
    }
    let target = |row: &ProbedEndpoint<'_>| format!("{}:{}", row.endpoint.host, row.endpoint.port);
    let mut sentences = vec![format!("{}, {}", target(first), first.judgement.detail)];
    let similar: Vec<String> = others.iter().map(target).collect();
    let similar = distinct(similar.iter().map(String::as_str));
    if !similar.is_empty() {
        sentences.push(format!(
            "{} with the same result: {}",
            count(similar.len(), "more endpoint"),
            list(&similar, 3)
        ));
    }
    sentences
}

/// The missing replies of some rows: how many hosts and addresses, and how many SYNs each left unanswered.
pub(super) fn silence(rows: &[ProbedEndpoint<'_>]) -> String {
    let silent = rows.iter().flat_map(ProbedEndpoint::attempts).filter_map(|attempt| {
        let tcp = attempt.tcp.as_ref()?;
        match &tcp.end {
            TcpEnd::Silent { syns, .. } => Some((*syns, tcp.duration)),
            _ => None,
        }
    });
    let silent: Vec<(Option<usize>, Duration)> = silent.collect();
    let addresses = rows
        .iter()
        .flat_map(|row| &row.judgement.outcomes)
        .map(|outcome| outcome.address.ip().to_string());
    let addresses: Vec<String> = addresses.collect();
    let addresses = distinct(addresses.iter().map(String::as_str));
    let who = match hosts(rows)[..] {
        [one] => format!("{one} ({})", list(&addresses, 2)),
        ref many => format!("{} at {}", count(many.len(), "host"), count(addresses.len(), "address")),
    };
    let longest = silent.iter().map(|(_, duration)| *duration).max();
    let within = longest
        .map(|longest| format!(" within {}", words::duration(longest)))
        .unwrap_or_default();
    match range(silent.iter().filter_map(|(syns, _)| *syns)) {
        Some((1, 1)) => format!("{who}: no reply to 1 SYN{within}"),
        Some((few, many)) if few == many => format!("{who}: no reply to {many} SYNs{within}"),
        Some((few, many)) => {
            let or = if few + 1 == many { "or" } else { "to" };
            format!("{who}: no reply to {few} {or} {many} SYNs{within}")
        }
        None => format!("{who}: no reply{within}"),
    }
}

/// The smallest and the largest.
pub(super) fn range<T: Ord + Copy>(items: impl Iterator<Item = T>) -> Option<(T, T)> {
    items.fold(None, |range, item| {
        let (low, high) = range.unwrap_or((item, item));
        Some((low.min(item), high.max(item)))
    })
}

/// The beginning of a quotation for a title, cut between words.
pub(super) fn shortened(quote: &str) -> String {
    const MAX_LENGTH: usize = 30;
    if quote.chars().count() <= MAX_LENGTH {
        return quote.to_owned();
    }
    let start: String = quote.chars().take(MAX_LENGTH).collect();
    let words = start.rsplit_once(' ').map_or(start.as_str(), |(words, _)| words);
    format!("{words} …")
}

/// A sentence with a capital letter at the beginning, unless it begins with a host, an address or a quotation.
pub(super) fn capital(sentence: String) -> String {
    let first = sentence.split([' ', ',']).next().unwrap_or_default();
    if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'\'') {
        return sentence;
    }
    let mut letters = sentence.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect()
}

/// A word in the form that ids use: `AzureKeyVault` becomes `azure-key-vault`.
pub(super) fn kebab(word: &str) -> String {
    let mut text = String::new();
    let mut after_lower = false;
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            text.push('-');
        }
        after_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{kebab, range};

    #[test]
    fn service_tags_become_id_slugs() {
        for (tag, word) in [
            ("Sql", "sql"),
            ("AzureKeyVault", "azure-key-vault"),
            ("AzurePlatformLKM", "azure-platform-lkm"),
        ] {
            assert_eq!(kebab(tag), word);
        }
    }

    #[test]
    fn sentence_is_capitalised_unless_it_starts_with_a_name() {
        for (sentence, capital) in [
            ("none of them", "None of them"),
            ("this VM's own", "This VM's own"),
            ("sql.example.com, reset", "sql.example.com, reset"),
            ("10.0.0.4 answers", "10.0.0.4 answers"),
            ("TCP 443", "TCP 443"),
            ("", ""),
        ] {
            assert_eq!(super::capital(sentence.into()), capital);
        }
    }

    #[test]
    fn range_gives_minimum_and_maximum_or_none() {
        assert_eq!(range([3, 1, 2].into_iter()), Some((1, 3)));
        assert_eq!(range(std::iter::empty::<u8>()), None);
    }
}
