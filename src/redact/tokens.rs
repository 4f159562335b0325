//! How texts are split: addresses, words, and what is between them.

use std::net::IpAddr;

use crate::azure::region;

/// File name extensions: a word with one is not a host.
const FILES: [&str; 36] = [
    "json", "jsonl", "yaml", "yml", "pem", "crt", "crl", "cer", "der", "cab", "log", "txt", "md", "html", "htm", "css",
    "js", "xml", "csv", "prom", "conf", "toml", "sh", "ps1", "exe", "cgi", "php", "asp", "aspx", "png", "service",
    "gz", "pcap", "cap", "bicep", "tf",
];
/// Prefixes of words in commands and in Azure's documents that are not hosts: `Microsoft.Network`, `properties.x`.
const FIELDS: [&str; 10] = [
    "microsoft",
    "properties",
    "dhcpoptions",
    "nat",
    "odata",
    "var",
    "value",
    "context",
    "config",
    "error",
];

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Neither.
    Between(&'a str),
    /// An address.
    Address(IpAddr),
    /// Letters, digits, and the other characters of hosts and resource names.
    Word(&'a str),
}

/// The parts of a text, in order; joined, they are the text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let start = rest.find(is_part).unwrap_or(rest.len());
        if start > 0 {
            pieces.push(Piece::Between(&rest[..start]));
            rest = &rest[start..];
            continue;
        }
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        run(&rest[..end], &mut pieces);
        rest = &rest[end..];
    }
    pieces
}

/// The characters of an address, a host or a name.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':')
}

fn is_edge(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ':')
}

/// Splits a run of such characters: an address, with or without a port; otherwise the words between colons.
fn run<'a>(run: &'a str, pieces: &mut Vec<Piece<'a>>) {
    if let Some(address) = parsed(run) {
        pieces.push(Piece::Address(address));
        return;
    }
    // Punctuation after an address, and the port of one.
    let end = run.trim_end_matches(is_edge).len();
    if end < run.len() {
        self::run(&run[..end], pieces);
        pieces.push(Piece::Between(&run[end..]));
        return;
    }
    let start = run.len() - run.trim_start_matches(is_edge).len();
    if start > 0 {
        pieces.push(Piece::Between(&run[..start]));
        self::run(&run[start..], pieces);
        return;
    }
    match run.split_once(':') {
        Some((before, behind)) => {
            self::run(before, pieces);
            pieces.push(Piece::Between(&run[before.len()..=before.len()]));
            self::run(behind, pieces);
        }
        None if run.is_empty() => {}
        None => pieces.push(Piece::Word(run)),
    }
}

fn parsed(run: &str) -> Option<IpAddr> {
    run.parse().ok()
}

/// Whether a word, in lower case, looks like a host. Its last label may be on no list: inside a network, any is
/// possible. Similar words in our own texts are not hosts: names of files, fields of Azure's documents, the region in a
/// service tag.
pub(super) fn is_host(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let [first, .., last] = labels[..] else {
        return false;
    };
    let is_label = |label: &&str| {
        !label.is_empty() && label.len() < 64 && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_end = last.chars().count() > 1 && last.starts_with(char::is_alphabetic);
    let is_tag = region::unknown(last).is_none();
    labels.iter().all(is_label) && is_end && !is_tag && !FILES.contains(&last) && !FIELDS.contains(&first)
}

/// Whether it is one word of a text.
pub(super) fn is_word(text: &str) -> bool {
    let is_whole = |c: char| is_part(c) && c != ':';
    !text.is_empty() && text.chars().all(is_whole) && !text.starts_with(is_edge) && !text.ends_with(is_edge)
}

/// The positions of the parts of a word between hyphens, underscores and dots.
pub(super) fn parts(word: &str) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, mark) in word.char_indices().filter(|(_, c)| is_edge(*c)) {
        parts.push((start, at));
        start = at + mark.len_utf8();
    }
    parts.push((start, word.len()));
    parts
}

/// Whether a word is `8-4-4-4-12` hexadecimal digits.
pub(super) fn is_guid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Whether a word is a certificate's digest: 40 hexadecimal digits (SHA-1), or 64 (SHA-256).
pub(super) fn is_thumbprint(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The names in the ids of Azure resources in a text, each with its kind.
pub(super) fn resource_names(text: &str) -> Vec<(&'static str, String)> {
    let mut names = Vec::new();
    let lower = text.to_ascii_lowercase();
    for (at, _) in lower.match_indices("/subscriptions/") {
        let id = &text[at + 1..];
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '?' | ',' | ';');
        let id = &id[..id.find(is_end).unwrap_or(id.len())];
        let parts: Vec<&str> = id.trim_end_matches('.').split('/').collect();
        for pair in parts.chunks(2) {
            let [kind, name] = pair else { continue };
            let kind = match kind.to_ascii_lowercase().as_str() {
                "subscriptions" => "subscription",
                "resourcegroups" => "resource-group",
                "providers" => continue,
                _ => break,
            };
            push(&mut names, kind, name);
        }
        let behind = parts.iter().position(|part| part.eq_ignore_ascii_case("providers"));
        let Some(behind) = behind else { continue };
        for pair in parts.get(behind + 2..).unwrap_or_default().chunks(2) {
            let [kind, name] = pair else { continue };
            let kind = match kind.to_ascii_lowercase().as_str() {
                "virtualmachines" => "machine",
                "networkinterfaces" => "nic",
                "networksecuritygroups" => "nsg",
                "securityrules" => "rule",
                "routetables" => "route-table",
                "virtualnetworks" => "vnet",
                "subnets" => "subnet",
                "service" => "instance",
                _ => "resource",
            };
            push(&mut names, kind, name);
        }
    }
    names
}

/// Words in capitals are placeholders for unknown names.
fn push(names: &mut Vec<(&'static str, String)>, kind: &'static str, name: &str) {
    let is_placeholder = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if !is_placeholder && !name.starts_with(['$', '{', '<']) {
        names.push((kind, name.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, is_guid, is_host, pieces, resource_names};

    #[test]
    fn addresses_are_found_in_sentences() {
        let found = |text: &str| -> Vec<String> {
            let pieces = pieces(text).into_iter();
            let found = pieces.filter_map(|piece| match piece {
                Piece::Address(address) => Some(address.to_string()),
                _ => None,
            });
            found.collect()
        };
        for (text, addresses) in [
            (
                "from 10.1.0.4:50112 to [2603:1030::1]:443.",
                &["10.1.0.4", "2603:1030::1"][..],
            ),
            (
                "10.1.0.0/24, 10.2.0.1; 20.0.0.4.",
                &["10.1.0.0", "10.2.0.1", "20.0.0.4"],
            ),
            ("host:443:20.0.0.4", &["20.0.0.4"]),
            ("2026-11-21T20:00:00.000Z, version 0.1.0, 4:5", &[]),
            ("fe80::1: unreachable", &["fe80::1"]),
        ] {
            assert_eq!(found(text), addresses, "{text}");
        }
    }

    #[test]
    fn joined_pieces_equal_the_text() {
        for text in [
            "",
            "…a.b: c_d-",
            "::1 x",
            ".:.",
            "x:",
            "*.a.example:443/udp",
            "10.0.0.1.: é",
        ] {
            let whole: String = pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Between(text) | Piece::Word(text) => text.to_owned(),
                    Piece::Address(address) => address.to_string(),
                })
                .collect();
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn host_names_and_guids_are_recognised() {
        assert!(is_host("a.b.example") && is_host("x_y.corp"));
        assert!(is_host("api.contoso.zz") && is_host("dc1.ad.prod") && is_host("b\u{fc}cher.intern"));
        for word in [
            "sql.westeurope",
            "nat.id",
            "com",
            "..com",
            "microsoft.network",
            "report.json",
            "0.1.0",
            "e.g",
        ] {
            assert!(!is_host(word), "{word}");
        }
        assert!(is_guid("6f9619ff-8b86-d011-b42d-00c04fc964ff") && !is_guid("6f9619ff-8b86-d011-b42d"));
    }

    #[test]
    fn resource_ids_give_the_names_in_them() {
        let text = "see '/subscriptions/s-1/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub/subnets/apim' \
                    and https://m/subscriptions/SUBSCRIPTION/resourceGroups/rg2/providers/Microsoft.ApiManagement/service/NAME/x?v=1";
        let names = resource_names(text);
        let names: Vec<(&str, &str)> = names.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
        assert_eq!(
            names,
            [
                ("subscription", "s-1"),
                ("resource-group", "rg-net"),
                ("vnet", "hub"),
                ("subnet", "apim"),
                ("resource-group", "rg2"),
            ]
        );
    }
}
