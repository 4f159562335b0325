//! What is known to be the user's, and the stand-in of each.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::{
    Counts,
    public::Public,
    words::{self, Piece},
};
use crate::address;

/// Rules that every NSG has: not the user's.
const DEFAULT_RULES: [&str; 6] = [
    "AllowVnetInBound",
    "AllowAzureLoadBalancerInBound",
    "DenyAllInBound",
    "AllowVnetOutBound",
    "AllowInternetOutBound",
    "DenyAllOutBound",
];

/// A word of up to so many bytes counts only as it was learnt, or in small letters: a machine called `vm` is no VM.
const SHORT: usize = 4;
/// Short words of the field, which are nobody's name.
const TERMS: [&str; 14] = [
    "VM", "NSG", "UDR", "NVA", "DNS", "SQL", "Sql", "TLS", "TCP", "UDP", "KMS", "NTP", "SNI", "NAT",
];

/// Everything that has a stand-in.
#[derive(Debug)]
pub(super) struct Names {
    public: Public,
    counts: Counts,
    /// Hosts, domains, and parts of them, in lower case; names of resources.
    words: HashMap<String, String>,
    /// Names of resources as they are spelled.
    spelled: HashSet<String>,
    /// Texts of several words, the longest first.
    phrases: Vec<(String, String)>,
    addresses: HashMap<IpAddr, IpAddr>,
}

impl Names {
    pub(super) fn new(public: Public) -> Self {
        Self {
            public,
            counts: Counts::new(),
            words: HashMap::new(),
            spelled: HashSet::new(),
            phrases: Vec::new(),
            addresses: HashMap::new(),
        }
    }

    pub(super) fn is_public(&self, host: &str) -> bool {
        self.public.has(&host.to_lowercase())
    }

    fn number(&mut self, kind: &'static str) -> usize {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count
    }

    /// A host, unless everybody knows it. What it has of a public zone stays, as do parts that are known by now.
    pub(super) fn learn_host(&mut self, host: &str) {
        let host = host.trim_end_matches('.').to_lowercase();
        let is_name = !host.is_empty() && !host.contains(['{', '}', '*', '/', ' ']) && host.parse::<IpAddr>().is_err();
        if !is_name || self.public.has(&host) || self.words.contains_key(&host) {
            return;
        }
        let value = self
            .public
            .value(&host)
            .map(|(name, value)| (kind_of(name), value.to_owned()));
        if let Some((kind, value)) = value {
            self.learn_word(&value, kind);
            return;
        }
        if host.split('.').any(|part| self.words.contains_key(part)) {
            return;
        }
        if let Some((part, _)) = self.public.zone(&host) {
            let part = part.to_owned();
            self.learn_word(&part, "host");
            return;
        }
        if !host.contains('.') {
            self.learn_word(&host, "host");
            return;
        }
        let stand_in = format!("host-{}.example", self.number("host"));
        let mut parent = host.as_str();
        let mut parents = Vec::new();
        while let Some((_, above)) = parent.split_once('.') {
            if above.contains('.') && !self.public.is_above(above) && !self.words.contains_key(above) {
                parents.push(above.to_owned());
            }
            parent = above;
        }
        for above in parents {
            let stand_in = format!("domain-{}.example", self.number("domain"));
            self.words.insert(above, stand_in);
        }
        self.words.insert(host, stand_in);
    }

    /// A name that stands alone.
    pub(super) fn learn_word(&mut self, word: &str, kind: &'static str) {
        let spelled = word.trim();
        let word = spelled.to_lowercase();
        self.spelled.insert(spelled.to_owned());
        if word.is_empty() || self.words.contains_key(&word) {
            return;
        }
        let stand_in = if words::is_guid(&word) {
            format!("00000000-0000-0000-0000-{:012}", self.number("id"))
        } else {
            format!("{kind}-{}", self.number(kind))
        };
        self.words.insert(word, stand_in);
    }

    /// A rule of a network's, unless every NSG has it.
    pub(super) fn learn_rule(&mut self, name: &str) {
        let own = name.rsplit('/').next().unwrap_or(name);
        let bare = own.strip_prefix("DefaultRule_").unwrap_or(own);
        if !DEFAULT_RULES.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
            self.learn_word(own.strip_prefix("UserRule_").unwrap_or(own), "rule");
        }
    }

    /// A text of the user's own words.
    pub(super) fn learn_phrase(&mut self, phrase: &str, kind: &'static str) {
        if phrase.is_empty() || self.phrases.iter().any(|(known, _)| known == phrase) {
            return;
        }
        let stand_in = format!("{kind} {}", self.number(kind));
        self.phrases.push((phrase.to_owned(), stand_in));
        self.phrases.sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
    }

    /// Whom a certificate names: the whole name, and its parts, by which a sentence may call it.
    pub(super) fn learn_certificate(&mut self, name: &str, kind: &'static str) {
        let parts = name.split(", ").filter_map(|part| part.split_once('='));
        for (_, value) in parts.filter(|(key, value)| matches!(*key, "CN" | "O" | "OU") && value.len() > 3) {
            if value.contains('.') && !value.contains(' ') {
                self.learn_host(value.trim_start_matches("*."));
            } else {
                self.learn_phrase(value, kind);
            }
        }
    }

    /// An address, unless it is the same for everybody: a private one becomes one of 198.18.0.0/15 (RFC 2544), a public one
    /// one of 240.0.0.0/4 (RFC 1112), one of IPv6 one of `2001:db8::/32` (RFC 3849). None of them is anybody's.
    pub(super) fn learn_address(&mut self, address: IpAddr) -> IpAddr {
        if self.public.has_address(address) || self.is_stand_in(address) {
            return address;
        }
        if let Some(known) = self.addresses.get(&address) {
            return *known;
        }
        let stand_in = match address {
            IpAddr::V6(_) => {
                let number = self.number("ipv6");
                IpAddr::V6(Ipv6Addr::from(0x2001_0db8_u128 << 96 | number as u128))
            }
            IpAddr::V4(_) if address::is_private(address) => self.v4(Ipv4Addr::new(198, 18, 0, 0), "private"),
            IpAddr::V4(_) => self.v4(Ipv4Addr::new(240, 0, 0, 0), "public"),
        };
        self.addresses.insert(address, stand_in);
        stand_in
    }

    fn v4(&mut self, base: Ipv4Addr, kind: &'static str) -> IpAddr {
        let number = u32::try_from(self.number(kind)).unwrap_or(u32::MAX);
        IpAddr::V4(Ipv4Addr::from(u32::from(base).saturating_add(number)))
    }

    fn is_stand_in(&self, address: IpAddr) -> bool {
        self.addresses.values().any(|known| *known == address)
    }

    /// A text without what is known, and without what looks like a host, an address or an id.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (phrase, stand_in) in &self.phrases {
            if text.contains(phrase.as_str()) {
                text = text.replace(phrase.as_str(), stand_in);
            }
        }
        for (kind, name) in words::resource_names(&text) {
            self.learn_word(&name, kind);
        }
        let pieces = words::pieces(&text);
        pieces.into_iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(&mut self, piece: Piece<'_>) -> String {
        match piece {
            Piece::Between(text) => text.to_owned(),
            Piece::Address(address) => self.learn_address(address).to_string(),
            Piece::Word(word) => self.word(word),
        }
    }

    fn word(&mut self, word: &str) -> String {
        let lower = word.to_lowercase();
        let is_known = self.spelled.contains(word) && !TERMS.contains(&word);
        if word.len() <= SHORT && word != lower && !is_known {
            return word.to_owned();
        }
        if let Some(stand_in) = self.words.get(&lower) {
            return stand_in.clone();
        }
        if self.public.has(&lower) {
            return word.to_owned();
        }
        if words::is_guid(word) {
            self.learn_word(word, "id");
        } else if word.contains('.') {
            // The longest ending that is known, as of a host in a domain of the user's.
            if let Some((at, stand_in)) = self.ending(&lower) {
                return format!("{}{stand_in}", self.parts(&word[..at]));
            }
            if lower.split('.').any(|part| self.words.contains_key(part)) {
                return self.parts(word);
            }
            if words::is_host(&lower) {
                self.learn_host(&lower);
                if lower.split('.').any(|part| self.words.contains_key(part)) {
                    return self.parts(word);
                }
            }
        }
        self.words.get(&lower).cloned().unwrap_or_else(|| word.to_owned())
    }

    /// Where a domain that is known begins in a host.
    fn ending(&self, host: &str) -> Option<(usize, String)> {
        let starts = host.match_indices('.').map(|(at, _)| at + 1);
        let mut found = starts.filter(|at| host[*at..].contains('.'));
        found.find_map(|at| Some((at, self.words.get(&host[at..])?.clone())))
    }

    /// A host with the parts that are known turned.
    fn parts(&self, host: &str) -> String {
        let turned: Vec<&str> = host
            .split('.')
            .map(|part| self.words.get(&part.to_lowercase()).map_or(part, String::as_str))
            .collect();
        turned.join(".")
    }
}

/// What a value of `--set` is called.
fn kind_of(setting: &str) -> &'static str {
    match setting {
        "storage_account" => "storage-account",
        "sql_server" => "sql-server",
        "key_vault" => "key-vault",
        "event_hub_namespace" => "event-hub",
        _ => "host",
    }
}
