//! Sentences of a page: the hosts and ports in them.

use super::{
    PageRow,
    host::{HostWord, word},
    page::{CODE_BEGINS, CODE_ENDS},
};
use crate::{
    azure::Cloud,
    model::{Direction, Transport},
};

/// A wider range of ports is not expanded.
const MAX_PORT_RANGE: u16 = 256;

/// The content of one sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentenceFacts {
    /// Hosts and ports, in order.
    items: Vec<SentenceItem>,
    pub transport: Option<Transport>,
    pub direction: Option<Direction>,
    pub cloud: Option<Cloud>,
    /// Text that may be an endpoint or a port and was not treated as one.
    pub doubtful: Vec<String>,
}

/// The endpoints in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SentenceItem {
    /// A host, with the port after it.
    Host(String, Option<u16>),
    Port(u16),
}

/// Hosts that share their ports.
type HostGroup = (Vec<(String, Option<u16>)>, Vec<u16>);

impl SentenceFacts {
    /// The ports, in order.
    pub(super) fn ports(&self) -> Vec<u16> {
        let port = |item: &SentenceItem| match item {
            SentenceItem::Port(port) => Some(*port),
            SentenceItem::Host(..) => None,
        };
        self.items.iter().filter_map(port).collect()
    }

    /// The hosts, in order.
    pub(super) fn hosts(&self) -> Vec<(String, Option<u16>)> {
        let host = |item: &SentenceItem| match item {
            SentenceItem::Host(host, port) => Some((host.clone(), *port)),
            SentenceItem::Port(_) => None,
        };
        self.items.iter().filter_map(host).collect()
    }

    /// Fills in what a sentence leaves open from the one before the list.
    pub(super) fn led_by(mut self, lead: &Self) -> Self {
        if self.ports().is_empty() {
            let ports = lead.ports().into_iter().map(SentenceItem::Port);
            self.items = ports.chain(self.items).collect();
            self.transport = self.transport.or(lead.transport);
        }
        self.direction = self.direction.or(lead.direction);
        self.cloud = self.cloud.or(lead.cloud);
        self
    }

    /// Hosts with the ports that precede or follow all of them; `None` if it is not clear which belong together.
    fn groups(&self) -> Option<Vec<HostGroup>> {
        let is_host = |item: &SentenceItem| matches!(item, SentenceItem::Host(..));
        let runs: Vec<&[SentenceItem]> = self.items.chunk_by(|a, b| is_host(a) == is_host(b)).collect();
        if runs.len() > 2 && runs.len() % 2 == 1 {
            return None;
        }
        let part = |items: &[SentenceItem]| Self {
            items: items.to_vec(),
            ..Self::default()
        };
        let group = |pair: &[&[SentenceItem]]| {
            let part = part(&pair.concat());
            (part.hosts(), part.ports())
        };
        Some(runs.chunks(2).map(group).collect())
    }

    /// Each host with each of its ports, or ports alone if there is no host; and a doubt if it is not clear which
    /// belong together.
    pub(super) fn rows(&self, tag: Option<&str>, line: usize) -> (Vec<PageRow>, Option<String>) {
        let row = |host: Option<String>, port| PageRow {
            port,
            transport: self.transport,
            direction: self.direction.or(host.as_ref().map(|_| Direction::Outbound)),
            tag: tag.map(str::to_owned).filter(|_| host.is_some()),
            cloud: self.cloud,
            line: Some(line),
            host,
        };
        let of_group = |(hosts, ports): HostGroup| -> Vec<PageRow> {
            if hosts.is_empty() {
                return ports.into_iter().map(|port| row(None, Some(port))).collect();
            }
            let each = |(host, own): (String, Option<u16>)| match (own, ports.as_slice()) {
                (None, ports) if !ports.is_empty() => {
                    ports.iter().map(|port| row(Some(host.clone()), Some(*port))).collect()
                }
                (own, _) => vec![row(Some(host), own)],
            };
            hosts.into_iter().flat_map(each).collect()
        };
        if let Some(groups) = self.groups() {
            return (groups.into_iter().flat_map(of_group).collect(), None);
        }
        let apart = [(self.hosts(), Vec::new()), (Vec::new(), self.ports())];
        let ports: Vec<String> = self.ports().iter().map(u16::to_string).collect();
        let doubt = format!(
            "it is not clear which of the ports {} belong to which host",
            ports.join(", ")
        );
        (apart.into_iter().flat_map(of_group).collect(), Some(doubt))
    }
}

/// The sentences of a block.
pub(super) fn sentences(block: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let (mut start, mut in_code) = (0, false);
    let mut characters = block.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            CODE_BEGINS => in_code = true,
            CODE_ENDS => in_code = false,
            '.' | '!' | '?' | ';' if !in_code && characters.peek().is_none_or(|(_, next)| next.is_whitespace()) => {
                let end = at + c.len_utf8();
                sentences.push(&block[start..end]);
                start = end;
            }
            _ => {}
        }
    }
    sentences.push(&block[start..]);
    sentences.retain(|sentence| !sentence.trim().is_empty());
    sentences
}

/// What a number may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expecting {
    Nothing,
    /// A word like "port" precedes it.
    Ports,
    /// "TCP" or "UDP" precedes it.
    OnePort,
}

/// Reads a sentence.
pub(super) fn read(sentence: &str) -> SentenceFacts {
    let mut facts = SentenceFacts::default();
    let plain = sentence.replace([CODE_BEGINS, CODE_ENDS], " ").to_lowercase();
    facts.cloud = cloud_in(&plain);
    facts.direction = direction_in(&plain);
    facts.transport = transport_in(&plain);
    let speaks_of_ports = plain
        .split(|c: char| !c.is_alphanumeric())
        .any(|it| it == "port" || it == "ports");
    let asks = ["allow", "outbound", "inbound", "access", "connectivity"]
        .iter()
        .any(|it| plain.contains(it));
    let (mut expecting, mut range) = (Expecting::Nothing, false);
    for (text, in_code) in words(sentence) {
        let number = port(text);
        match text.to_lowercase().as_str() {
            "port" | "ports" => expecting = Expecting::Ports,
            "tcp" | "udp" => expecting = expecting.max_with(Expecting::OnePort),
            "and" | "or" | "&" => {}
            "to" | "through" | "-" | "–" if expecting == Expecting::Ports && !facts.items.is_empty() => range = true,
            _ if let Some((first, last)) = number => {
                let counts = expecting != Expecting::Nothing || in_code && speaks_of_ports;
                if !counts {
                    if in_code || asks && first > 9 {
                        facts.doubtful.push(format!("{text} may be a port"));
                    }
                    continue;
                }
                let first = match facts.items.last() {
                    Some(SentenceItem::Port(before)) if range && *before < first => before + 1,
                    _ => first,
                };
                range = false;
                if last - first.min(last) > MAX_PORT_RANGE {
                    facts.doubtful.push(format!("{text} is a wide range of ports"));
                } else {
                    facts.items.extend((first..=last).map(SentenceItem::Port));
                }
                if expecting == Expecting::OnePort {
                    expecting = Expecting::Nothing;
                }
            }
            _ => {
                expecting = Expecting::Nothing;
                range = false;
                match word(text, in_code) {
                    HostWord::Host(host, port) => facts.items.push(SentenceItem::Host(host, port)),
                    HostWord::Link(link) => facts.doubtful.push(format!("{link} may be an endpoint")),
                    HostWord::Other => {}
                }
            }
        }
    }
    facts
}

impl Expecting {
    fn max_with(self, other: Self) -> Self {
        if self == Self::Ports { self } else { other }
    }
}

/// The words of a sentence, each with whether it is in code.
fn words(sentence: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut in_code = false;
    sentence
        .split_inclusive([CODE_BEGINS, CODE_ENDS])
        .flat_map(move |piece| {
            let here = in_code;
            in_code = piece.ends_with(CODE_BEGINS) || in_code && !piece.ends_with(CODE_ENDS);
            piece
                .split(|c: char| {
                    c.is_whitespace()
                        || matches!(
                            c,
                            ',' | '(' | ')' | '[' | ']' | '"' | '\'' | '|' | CODE_BEGINS | CODE_ENDS
                        )
                })
                .map(|text| text.trim_end_matches(['.', ':', ';', '!', '?']))
                .filter(|text| !text.is_empty())
                .map(move |text| (text, here))
        })
}

/// `443`, `443/tcp` or `6381-6383`, as the first and the last port.
fn port(text: &str) -> Option<(u16, u16)> {
    let text = text.to_ascii_lowercase();
    let text = text.trim_end_matches("/tcp").trim_end_matches("/udp");
    let number = |text: &str| {
        text.parse::<u16>()
            .ok()
            .filter(|port| *port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match text.split_once(['-', '–']) {
        Some((first, last)) => Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last),
        None => number(text).map(|port| (port, port)),
    }
}

/// The cloud in the text.
pub(super) fn cloud_in(text: &str) -> Option<Cloud> {
    let text = text.to_lowercase();
    if text.contains("21vianet") || text.contains("azure china") {
        Some(Cloud::China)
    } else if text.contains("azure government") || text.contains("azure us government") {
        Some(Cloud::Usgov)
    } else if text.contains("azure public") {
        Some(Cloud::Public)
    } else {
        None
    }
}

/// Inbound, outbound, or both.
pub(super) fn direction_in(text: &str) -> Option<Direction> {
    let text = text.to_lowercase();
    match (text.contains("inbound"), text.contains("outbound")) {
        (true, true) => Some(Direction::Peer),
        (true, false) => Some(Direction::Inbound),
        (false, true) => Some(Direction::Outbound),
        (false, false) => None,
    }
}

/// TCP or UDP, if only one of them appears.
pub(super) fn transport_in(text: &str) -> Option<Transport> {
    let has = |word: &str| {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .any(|it| it == word)
    };
    match (has("tcp"), has("udp")) {
        (true, false) => Some(Transport::Tcp),
        (false, true) => Some(Transport::Udp),
        _ => None,
    }
}
