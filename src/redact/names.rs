//! The names that are known to be the user's, and their stand-ins.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

use super::{
    Counts,
    public::PublicNames,
    table::StandIns,
    tokens::{self, Piece},
};
use crate::{address, file, text::slug};

/// Rules that every NSG has: not the user's.
const DEFAULT_RULES: [&str; 6] = [
    "AllowVnetInBound",
    "AllowAzureLoadBalancerInBound",
    "DenyAllInBound",
    "AllowVnetOutBound",
    "AllowInternetOutBound",
    "DenyAllOutBound",
];

/// A word of up to this many bytes counts only as it was learned, or in lower case: a machine called `vm` must not
/// match VM.
const SHORT: usize = 4;
/// Short technical terms, which are not names.
const TERMS: [&str; 14] = [
    "VM", "NSG", "UDR", "NVA", "DNS", "SQL", "Sql", "TLS", "TCP", "UDP", "KMS", "NTP", "SNI", "NAT",
];
/// The ranges of addresses used as stand-ins: 198.18.0.0/15, 240.0.0.0/4 and `2001:db8::/32`.
const PRIVATE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const PRIVATE_BITS: u32 = 17;
const PUBLIC: u32 = u32::from_be_bytes([240, 0, 0, 0]);
const PUBLIC_BITS: u32 = 28;
const IPV6: u128 = 0x2001_0db8 << 96;
/// A phrase counts as this many words: each text is searched for each of them.
const PHRASE: usize = 32;

/// Everything that has a stand-in.
#[derive(Debug)]
pub(super) struct Names {
    public: PublicNames,
    /// The number of stand-ins of each kind so far: none is ever used twice.
    counts: Counts,
    /// Whether what is learned now is the user's own, and not just an answer from the network.
    is_own: bool,
    /// Hosts, domains, and parts of them, in lower case; names of resources.
    words: StandIns<String, String>,
    /// Names of resources as they are spelled.
    spelled: StandIns<String, ()>,
    /// Texts of several words in lower case, the longest first.
    phrases: Vec<Phrase>,
    /// Names that are also ordinary words, in lower case: they are replaced only if they are a whole text.
    alone: StandIns<String, String>,
    /// Words from a user's catalog: ids of dependencies, service tags.
    catalog: StandIns<String, String>,
    addresses: StandIns<IpAddr, IpAddr>,
}

#[derive(Debug)]
struct Phrase {
    text: String,
    replacement: String,
    is_own: bool,
}

impl Names {
    /// None yet.
    pub(super) fn new(public: PublicNames) -> Self {
        Self {
            public,
            counts: Counts::new(),
            is_own: false,
            words: StandIns::default(),
            spelled: StandIns::default(),
            phrases: Vec::new(),
            alone: StandIns::default(),
            catalog: StandIns::default(),
            addresses: StandIns::default(),
        }
    }

    /// Learns another cloud's or region's hosts; existing stand-ins stay.
    pub(super) fn renew(&mut self, public: PublicNames) {
        self.public = public;
    }

    /// Learns the user's own names, which are never forgotten; all others are from the network's answers.
    pub(super) fn learn_own(&mut self, learn: impl FnOnce(&mut Self)) {
        self.is_own = true;
        learn(self);
        self.is_own = false;
    }

    /// How many words are from the network's answers.
    pub(super) fn passing(&self) -> usize {
        let phrases = self.phrases.iter().filter(|phrase| !phrase.is_own).count();
        let tables = [self.words.passing(), self.alone.passing(), self.addresses.passing()];
        tables.iter().sum::<usize>() + phrases * PHRASE
    }

    /// Forgets them if there are more than this.
    pub(super) fn forget_beyond(&mut self, most: usize) {
        if self.passing() <= most {
            return;
        }
        self.words.forget_passing();
        self.spelled.forget_passing();
        self.alone.forget_passing();
        self.catalog.forget_passing();
        self.addresses.forget_passing();
        self.phrases.retain(|phrase| phrase.is_own);
    }

    pub(super) fn is_public(&self, host: &str) -> bool {
        self.public.has(&host.to_lowercase())
    }

    fn number(&mut self, kind: &'static str) -> usize {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count
    }

    /// A host, unless it is public. Its public zone stays, and so do parts that are already known.
    pub(super) fn learn_host(&mut self, host: &str) {
        let host = host.trim_end_matches('.').to_lowercase();
        let is_name = !host.is_empty() && !host.contains(['{', '}', '*', '/', ' ']) && host.parse::<IpAddr>().is_err();
        if !is_name || self.public.has(&host) || self.words.keeps(&host, self.is_own) {
            return;
        }
        let value = self
            .public
            .value(&host)
            .map(|(name, value)| (kind_of(name), value.to_owned()));
        if let Some((kind, value)) = value {
            self.learn_label(&host, &value, kind);
            return;
        }
        if host.split('.').any(|part| self.words.keeps(part, self.is_own)) {
            return;
        }
        if let Some((part, _)) = self.public.zone(&host) {
            let part = part.to_owned();
            self.learn_label(&host, &part, "host");
            return;
        }
        if !host.contains('.') {
            self.learn_word(&host, "host");
            return;
        }
        let replacement = format!("host-{}.example", self.number("host"));
        let mut parent = host.as_str();
        let mut parents = Vec::new();
        while let Some((_, above)) = parent.split_once('.') {
            let is_public = self.public.has(above) || self.public.is_above(above);
            if above.contains('.') && !is_public && !self.words.keeps(above, self.is_own) {
                parents.push(above.to_owned());
            }
            parent = above;
        }
        for above in parents {
            let replacement = format!("domain-{}.example", self.number("domain"));
            self.words.add(above, replacement, self.is_own);
        }
        self.words.add(host, replacement, self.is_own);
    }

    /// A part of a host that is replaced wherever it appears, unless it is an ordinary word: then only within the host.
    fn learn_label(&mut self, host: &str, label: &str, kind: &'static str) {
        if !self.public.has_word(label) {
            self.learn_word(label, kind);
        } else if !self.words.keeps(host, self.is_own) {
            let replacement = format!("{kind}-{}", self.number(kind));
            let replacement = host.replacen(label, &replacement, 1);
            self.words.add(host.to_owned(), replacement, self.is_own);
        }
    }

    /// A name of the user's, of any form.
    pub(super) fn learn(&mut self, name: &str, kind: &'static str) {
        let name = name.trim();
        match kind {
            "id" => self.learn_id(name),
            "host" => self.learn_link(name),
            "rule" => self.learn_rule(name),
            _ if name.contains('.') && tokens::is_host(&name.to_lowercase()) => self.learn_host(name),
            _ if tokens::is_word(name) => self.learn_word(name, kind),
            _ => self.learn_phrase(name, kind),
        }
    }

    /// The names in the id of a resource.
    fn learn_id(&mut self, id: &str) {
        for (kind, name) in tokens::resource_names(id) {
            self.learn_resource(&name, kind);
        }
    }

    /// The name of a resource, which may look like a host's: `snet.apim`. A zone is called like the domain that it is.
    pub(super) fn learn_resource(&mut self, name: &str, kind: &'static str) {
        match kind {
            "resource" | "rule" => self.learn(name, kind),
            _ if tokens::is_word(name) => self.learn_word(name, kind),
            _ => self.learn_phrase(name, kind),
        }
    }

    /// The beginning of a URL: scheme, host and port; the host may contain the names of named values.
    fn learn_link(&mut self, link: &str) {
        let host = link.split_once("://").map_or(link, |(_, host)| host);
        let host = match host.rsplit_once(':') {
            Some((before, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => before,
            _ => host,
        };
        if !host.contains("{{") {
            self.learn_host(host);
            return;
        }
        let mut rest = host;
        while let Some((before, (name, behind))) = rest
            .split_once("{{")
            .and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
        {
            self.learn_host(before.trim_matches('.'));
            self.learn(name, "named-value");
            rest = behind;
        }
        self.learn_host(rest.trim_matches('.'));
    }

    /// A word of a catalog: the id of a dependency, or a service tag.
    pub(super) fn learn_of_catalog(&mut self, word: &str, kind: &'static str) {
        if self.public.has_text(word) || self.catalog.keeps(word, self.is_own) {
            return;
        }
        self.learn(word, kind);
        let replacement = format!("{kind}-{}", self.number(kind));
        let replacement = self.words.get(&word.to_lowercase()).cloned().unwrap_or(replacement);
        self.catalog.add(word.to_owned(), replacement, self.is_own);
    }

    /// A sentence of a catalog, unless it is one of the built-in one.
    pub(super) fn learn_sentence(&mut self, text: &str, kind: &'static str) {
        if !self.public.has_text(text) {
            self.learn(text, kind);
        }
    }

    /// A pattern of ids that the user typed.
    pub(super) fn learn_pattern(&mut self, pattern: &str) {
        if !self.public.has_ids_like(pattern) {
            self.learn(pattern, "selection");
        }
    }

    /// What a notice quotes from a document, unless all of its words are ours.
    pub(super) fn learn_quoted(&mut self, notice: &str) {
        let quoted: Vec<String> = notice.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        for text in quoted {
            // The address of a resource is ours but for the names in it.
            if text.starts_with("https://management.") {
                self.learn_id(&text);
                continue;
            }
            let lower = text.to_lowercase();
            let mut words = lower
                .split(|c: char| !c.is_alphanumeric())
                .filter(|word| !word.is_empty());
            if words.any(|word| !self.public.has_word(word)) && !self.public.has(&lower) {
                self.learn(&text, "name");
            }
        }
    }

    /// A file that the user named: its path, its name alone, as used in reports, and its folder.
    pub(super) fn learn_file(&mut self, path: &Path) {
        if self.has_phrase(&file::shown(path)) {
            return;
        }
        let number = self.number("file");
        let end = path.extension().map(|end| format!(".{}", end.to_string_lossy()));
        let replacement = format!("file-{number}{}", end.unwrap_or_default());
        let name = path.file_name().map(Path::new);
        for known in [Some(path), name].into_iter().flatten().map(file::shown) {
            self.add_phrase(&known, replacement.clone());
        }
        // A folder such as `/tmp` or `out` also appears in texts that are not about it.
        if let Some(folder) = path.parent().filter(|folder| folder.components().count() > 2) {
            self.learn_phrase(&file::shown(folder), "folder");
        }
    }

    fn has_phrase(&self, phrase: &str) -> bool {
        let lower = phrase.to_lowercase();
        self.phrases.iter().any(|known| known.text == lower)
    }

    /// The stand-in of a catalog's word.
    pub(super) fn of_catalog<'w>(&'w self, word: &'w str) -> &'w str {
        self.catalog.get(word).map_or(word, String::as_str)
    }

    /// A name that is a whole text; one that is also an ordinary word counts only then.
    pub(super) fn learn_word(&mut self, word: &str, kind: &'static str) {
        let spelled = word.trim();
        let word = spelled.to_lowercase();
        if word.is_empty() {
            return;
        }
        if self.public.has_word(&word) {
            if !self.alone.keeps(&word, self.is_own) {
                let replacement = format!("{kind}-{}", self.number(kind));
                self.alone.add(word, replacement, self.is_own);
            }
            return;
        }
        self.spelled.add(spelled.to_owned(), (), self.is_own);
        if self.words.keeps(&word, self.is_own) {
            return;
        }
        let replacement = if tokens::is_guid(&word) {
            format!("00000000-0000-0000-0000-{:012}", self.number("id"))
        } else {
            format!("{kind}-{}", self.number(kind))
        };
        self.words.add(word, replacement, self.is_own);
    }

    /// A rule of a network, unless every NSG has it.
    fn learn_rule(&mut self, name: &str) {
        let own = name.rsplit('/').next().unwrap_or(name);
        let bare = own.strip_prefix("DefaultRule_").unwrap_or(own);
        if !DEFAULT_RULES.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
            self.learn_word(own.strip_prefix("UserRule_").unwrap_or(own), "rule");
        }
    }

    /// A text of the user's own words.
    fn learn_phrase(&mut self, phrase: &str, kind: &'static str) {
        let lower = phrase.to_lowercase();
        if let Some(known) = self.phrases.iter_mut().find(|known| known.text == lower) {
            known.is_own |= self.is_own;
            return;
        }
        let number = self.number(kind);
        self.add_phrase(phrase, format!("{kind}-{number}"));
    }

    /// In ids it has the same stand-in.
    fn add_phrase(&mut self, phrase: &str, replacement: String) {
        let lower = phrase.to_lowercase();
        let is_name = lower.chars().filter(|c| c.is_alphanumeric()).count() > 1;
        if !is_name || self.public.has_word(&lower) {
            return;
        }
        let slug = slug(phrase);
        if slug.contains('-') {
            self.words.add(slug, replacement.clone(), self.is_own);
        }
        let at = self.phrases.partition_point(|known| known.text.len() >= lower.len());
        let phrase = Phrase {
            text: lower,
            replacement,
            is_own: self.is_own,
        };
        self.phrases.insert(at, phrase);
    }

    /// The subject or issuer of a certificate, by the parts that sentences may contain; a country is not a name.
    pub(super) fn learn_certificate(&mut self, name: &str, kind: &'static str) {
        let parts = name.split(", ").filter_map(|part| part.split_once('='));
        for (_, value) in parts.filter(|(key, value)| *key != "C" && value.len() > 2) {
            let host = value.trim_start_matches("*.").to_lowercase();
            if tokens::is_host(&host) {
                self.learn_host(&host);
                if let Some(replacement) = self.words.get(&host).cloned() {
                    self.words.add(slug(&host), slug(&replacement), self.is_own);
                }
            } else {
                self.learn(value, kind);
            }
        }
    }

    /// An address, unless it is the same for all users: a private one becomes one of 198.18.0.0/15 (RFC 2544), a public
    /// one one of 240.0.0.0/4 (RFC 1112), an IPv6 one one of `2001:db8::/32` (RFC 3849). None of them is assigned to
    /// anyone.
    pub(super) fn learn_address(&mut self, address: IpAddr) -> IpAddr {
        if self.public.has_address(address) || self.is_stand_in(address) {
            return address;
        }
        if self.addresses.keeps(&address, self.is_own)
            && let Some(known) = self.addresses.get(&address)
        {
            return *known;
        }
        let replacement = match address {
            IpAddr::V6(_) => {
                let number = self.number("ipv6");
                IpAddr::V6(Ipv6Addr::from(IPV6 | number as u128))
            }
            IpAddr::V4(_) if address::is_private(address) => self.v4(PRIVATE, PRIVATE_BITS, "private"),
            IpAddr::V4(_) => self.v4(PUBLIC, PUBLIC_BITS, "public"),
        };
        self.addresses.add(address, replacement, self.is_own);
        replacement
    }

    /// The next address of a range of `2^bits`, or its first one again, which was forgotten long ago by then.
    fn v4(&mut self, base: u32, bits: u32, kind: &'static str) -> IpAddr {
        let next = (self.number(kind) - 1) % ((1 << bits) - 1) + 1;
        IpAddr::V4(Ipv4Addr::from(base | u32::try_from(next).unwrap_or_default()))
    }

    /// Whether an address is a stand-in, or once was.
    fn is_stand_in(&self, address: IpAddr) -> bool {
        let is_given = |number: Option<u128>, kind| {
            let given = self.counts.get(kind).copied().unwrap_or_default() as u128;
            number.is_some_and(|number| (1..=given).contains(&number))
        };
        match address {
            IpAddr::V4(address) => {
                let behind = |base: u32, bits: u32| {
                    let number = u32::from(address).checked_sub(base)?;
                    (number >> bits == 0).then_some(u128::from(number))
                };
                is_given(behind(PRIVATE, PRIVATE_BITS), "private") || is_given(behind(PUBLIC, PUBLIC_BITS), "public")
            }
            IpAddr::V6(address) => is_given(u128::from(address).checked_sub(IPV6), "ipv6"),
        }
    }

    /// A text without known names, and without anything that looks like a host, an address or an id.
    pub(super) fn text(&mut self, text: &str) -> String {
        if let Some(replacement) = self.alone.get(&text.to_lowercase()) {
            return replacement.clone();
        }
        let text = self.without_phrases(text);
        for (kind, name) in tokens::resource_names(&text) {
            self.learn_resource(&name, kind);
        }
        let text = self.without_phrases(&text);
        let pieces = tokens::pieces(&text);
        pieces.into_iter().map(|piece| self.piece(piece)).collect()
    }

    /// A text with its phrases replaced, in any case.
    fn without_phrases(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let mut lower = text.to_lowercase();
        for Phrase {
            text: phrase,
            replacement,
            ..
        } in &self.phrases
        {
            let mut from = 0;
            while let Some(at) = lower.get(from..).and_then(|rest| rest.find(phrase.as_str())) {
                let (start, end) = (from + at, from + at + phrase.len());
                from = end;
                // Letters whose lower case has another length are in no name; a text with them is redacted word by word
                // only.
                if lower.len() != text.len() || !is_apart(&lower, start, end) {
                    continue;
                }
                text.replace_range(start..end, replacement);
                lower.replace_range(start..end, replacement);
                from = start + replacement.len();
            }
        }
        text
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
        let is_known = self.spelled.has(word) && !TERMS.contains(&word);
        if word.len() <= SHORT && word != lower && !is_known {
            return word.to_owned();
        }
        if let Some(replacement) = self.words.get(&lower) {
            return replacement.clone();
        }
        if self.public.has(&lower) {
            return word.to_owned();
        }
        if tokens::is_guid(word) {
            self.learn_word(word, "id");
        } else if tokens::is_thumbprint(word) {
            self.learn_word(word, "thumbprint");
        } else if word.contains('.') {
            // The longest known ending, such as of a host in a domain of the user's.
            if let Some((at, replacement)) = self.ending(&lower) {
                return format!("{}{replacement}", self.parts(&word[..at]));
            }
            if lower.split('.').any(|part| self.words.has(part)) {
                return self.parts(word);
            }
            if tokens::is_host(&lower) {
                self.learn_host(&lower);
                if lower.split('.').any(|part| self.words.has(part)) {
                    return self.parts(word);
                }
            }
        }
        if let Some(replacement) = self.words.get(&lower) {
            return replacement.clone();
        }
        self.within(word, &lower)
    }

    /// A word with the known names between its hyphens replaced: `orders-api-backup`.
    fn within(&self, word: &str, lower: &str) -> String {
        let parts = tokens::parts(lower);
        if parts.len() < 2 || lower.len() != word.len() {
            return word.to_owned();
        }
        let ranges = (2..=parts.len()).rev().flat_map(|count| parts.windows(count));
        let single = parts.windows(1);
        for range in ranges.chain(single) {
            let (start, end) = (range[0].0, range[range.len() - 1].1);
            if end - start > SHORT
                && let Some(replacement) = self.words.get(&lower[start..end])
            {
                let before = self.within(&word[..start], &lower[..start]);
                let behind = self.within(&word[end..], &lower[end..]);
                return format!("{before}{replacement}{behind}");
            }
        }
        word.to_owned()
    }

    /// Where a known domain begins in a host.
    fn ending(&self, host: &str) -> Option<(usize, String)> {
        let starts = host.match_indices('.').map(|(at, _)| at + 1);
        let mut found = starts.filter(|at| host[*at..].contains('.'));
        found.find_map(|at| Some((at, self.words.get(&host[at..])?.clone())))
    }

    /// A host with its known parts replaced.
    fn parts(&self, host: &str) -> String {
        let turned: Vec<&str> = host
            .split('.')
            .map(|part| self.words.get(&part.to_lowercase()).map_or(part, String::as_str))
            .collect();
        turned.join(".")
    }
}

/// Whether the text from `start` to `end` is not part of a longer word.
fn is_apart(text: &str, start: usize, end: usize) -> bool {
    let joins = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    let (before, inside, behind) = (&text[..start], &text[start..end], &text[end..]);
    !joins(before.chars().next_back(), inside.chars().next())
        && !joins(inside.chars().next_back(), behind.chars().next())
}

/// The name of a value of `--set`.
fn kind_of(setting: &str) -> &'static str {
    match setting {
        "storage_account" => "storage-account",
        "sql_server" => "sql-server",
        "key_vault" => "key-vault",
        "event_hub_namespace" => "event-hub",
        _ => "host",
    }
}
