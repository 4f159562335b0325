//! DNS messages as bytes (RFC 1035 §4), because answers can be wrong in ways that no library allows.

use std::net::IpAddr;

use crate::network::NameResolution;

/// Response codes of RFC 1035 §4.1.1.
pub(super) const NXDOMAIN: u8 = 3;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_SOA: u16 = 6;
const TYPE_TXT: u16 = 16;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const TTL: u32 = 60;
/// The position of the name in the question: right after the header.
const QUESTION: u16 = 0xc00c;

/// The parts of a query that an answer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReceivedQuery {
    pub(super) id: u16,
    /// In lower case, without the final dot.
    pub(super) name: String,
    pub(super) kind: u16,
    /// The question section as received, to be echoed.
    question: Vec<u8>,
}

impl ReceivedQuery {
    /// Reads a query with one question; `None` for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let id = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
        let is_query = bytes.get(2)? & 0x80 == 0;
        if !is_query || bytes.get(4..6)? != [0, 1] {
            return None;
        }
        let (mut at, mut labels) = (12, Vec::new());
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_ascii_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
        Some(Self {
            id,
            name: labels.join("."),
            kind,
            question: bytes.get(12..at + 4)?.to_vec(),
        })
    }

    /// The same query with another id.
    pub(super) fn with_other_id(&self) -> Self {
        Self {
            id: self.id ^ 0x5555,
            ..self.clone()
        }
    }

    /// The same query about another name.
    pub(super) fn with_other_question(&self) -> Self {
        let mut question = Vec::new();
        write_name(&mut question, "another.question.example");
        question.extend(self.kind.to_be_bytes());
        question.extend(CLASS_IN.to_be_bytes());
        Self {
            question,
            ..self.clone()
        }
    }

    /// The same query with its name in upper case.
    pub(super) fn in_upper_case(&self) -> Self {
        Self {
            name: self.name.to_ascii_uppercase(),
            // Length bytes are smaller than letters, so they do not change.
            question: self.question.to_ascii_uppercase(),
            ..self.clone()
        }
    }

    /// The complete answer.
    pub(super) fn answer(&self, answer: &NameResolution) -> Vec<u8> {
        if let Some(rcode) = answer.rcode_for_a.filter(|_| self.kind == TYPE_A) {
            return self.refuse(rcode);
        }
        let mut records = Vec::new();
        let mut owner = self.name.clone();
        for alias in &answer.cnames {
            let mut data = Vec::new();
            write_name(&mut data, alias);
            self.write_record(&mut records, &owner, TYPE_CNAME, &data);
            owner.clone_from(alias);
        }
        let mut count = answer.cnames.len();
        let addresses = if answer.rcode == 0 {
            answer.addresses.as_slice()
        } else {
            &[]
        };
        let mut found = 0;
        let crowd =
            (1..=answer.extra_addresses).map(|n| IpAddr::from([20, 200, n.to_be_bytes()[0], n.to_be_bytes()[1]]));
        for address in addresses.iter().copied().chain(crowd) {
            match address {
                IpAddr::V4(v4) if self.kind == TYPE_A => {
                    self.write_record(&mut records, &owner, TYPE_A, &v4.octets());
                }
                IpAddr::V6(v6) if self.kind == TYPE_AAAA => {
                    self.write_record(&mut records, &owner, TYPE_AAAA, &v6.octets());
                }
                _ => continue,
            }
            found += 1;
        }
        count += found;
        let authority = answer.soa_zone.as_deref().filter(|_| found == 0);
        if let Some(zone) = authority {
            self.write_record(&mut records, zone, TYPE_SOA, &soa(zone, answer.soa_primary.as_deref()));
        }
        let mut message = self.head(answer.rcode, false, count, usize::from(authority.is_some()));
        message.extend(records);
        message
    }

    /// A truncated answer: no records, and the TC bit.
    pub(super) fn truncated(&self) -> Vec<u8> {
        self.head(0, true, 0, 0)
    }

    /// An answer that contains only a response code.
    pub(super) fn refuse(&self, rcode: u8) -> Vec<u8> {
        self.head(rcode, false, 0, 0)
    }

    /// An answer with as many TXT records (RFC 1035 §3.3.14) as a message can contain.
    pub(super) fn bulky(&self) -> Vec<u8> {
        const RECORDS: usize = 230;
        let mut text = vec![255];
        text.extend([b'x'; 255]);
        let mut message = self.head(0, false, RECORDS, 0);
        for _ in 0..RECORDS {
            self.write_record(&mut message, &self.name, TYPE_TXT, &text);
        }
        message
    }

    /// An answer whose record's name is a pointer to itself (an invalid use of RFC 1035 §4.1.4).
    pub(super) fn looped(&self) -> Vec<u8> {
        let mut message = self.head(0, false, 1, 0);
        let here = u16::try_from(message.len()).unwrap_or(0x3fff);
        message.extend((0xc000 | here).to_be_bytes());
        message.extend(TYPE_A.to_be_bytes());
        message.extend(CLASS_IN.to_be_bytes());
        message.extend([0, 0, 0, 60, 0, 4, 20, 0, 0, 1]);
        message
    }

    /// A record; its name is a pointer to the question (RFC 1035 §4.1.4), as servers write it.
    fn write_record(&self, to: &mut Vec<u8>, owner: &str, kind: u16, data: &[u8]) {
        if owner == self.name {
            to.extend(QUESTION.to_be_bytes());
        } else {
            write_name(to, owner);
        }
        to.extend(kind.to_be_bytes());
        to.extend(CLASS_IN.to_be_bytes());
        to.extend(TTL.to_be_bytes());
        to.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        to.extend(data);
    }

    /// Header and question: QR, RD and RA set, and `TC` if requested.
    fn head(&self, rcode: u8, truncated: bool, answers: usize, authorities: usize) -> Vec<u8> {
        let flags = 0x8180 | (u16::from(truncated) << 9) | u16::from(rcode & 0x0f);
        let mut head = Vec::with_capacity(512);
        let counts = [1, answers, authorities, 0].map(|n| u16::try_from(n).unwrap_or(u16::MAX));
        for word in [self.id, flags].into_iter().chain(counts) {
            head.extend(word.to_be_bytes());
        }
        head.extend(&self.question);
        head
    }
}

fn write_name(to: &mut Vec<u8>, name: &str) {
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        to.push(u8::try_from(label.len()).unwrap_or(63));
        to.extend(label);
    }
    to.push(0);
}

/// An SOA record whose server identifies the zone's owner (RFC 1035 §3.3.13).
fn soa(zone: &str, primary: Option<&str>) -> Vec<u8> {
    let mut data = Vec::new();
    write_name(&mut data, &primary.map_or_else(|| format!("ns1.{zone}"), str::to_owned));
    write_name(&mut data, &format!("hostmaster.{zone}"));
    for number in [1_u32, 3600, 300, 2_419_200, 300] {
        data.extend(number.to_be_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        write_name(&mut bytes, name);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn query_name_is_lower_cased() {
        let query = ReceivedQuery::parse(&query("Login.Example.COM", TYPE_A)).unwrap();
        assert_eq!(
            (query.id, query.name.as_str(), query.kind),
            (0x1234, "login.example.com", TYPE_A)
        );
    }

    #[test]
    fn truncated_query_is_rejected() {
        let whole = query("a.example", TYPE_A);
        for length in 0..whole.len() {
            assert_eq!(ReceivedQuery::parse(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn answer_echoes_the_question_and_counts_its_records() {
        let requests = query("a.example", TYPE_A);
        let answer = NameResolution {
            addresses: vec!["20.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            cnames: vec!["b.example".into()],
            ..NameResolution::default()
        };
        let message = ReceivedQuery::parse(&requests).unwrap().answer(&answer);
        assert_eq!(message[..2], requests[..2]);
        assert_eq!(
            message[4..12],
            [0, 1, 0, 2, 0, 0, 0, 0],
            "an alias and the one address of the right family"
        );
        assert_eq!(message[12..requests.len()], requests[12..]);
        assert_eq!(message[message.len() - 4..], [20, 0, 0, 1]);
    }

    #[test]
    fn negative_answer_has_the_soa_of_its_zone() {
        let answer = NameResolution {
            rcode: NXDOMAIN,
            soa_zone: Some("azureprivatedns.net".into()),
            ..NameResolution::default()
        };
        let message = ReceivedQuery::parse(&query("a.example", TYPE_A))
            .unwrap()
            .answer(&answer);
        assert_eq!(message[3] & 0x0f, NXDOMAIN);
        assert_eq!(message[4..12], [0, 1, 0, 0, 0, 1, 0, 0]);
    }
}
