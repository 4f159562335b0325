//! One query to one name server (RFC 1035, RFC 7766).
//!
//! The exchange is ours, the codec is hickory's: the standard resolver retries, caches and follows aliases, which hides
//! what must be reported. No EDNS is sent: the instance runs Windows, whose resolver sends none, so truncation is the
//! same.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode},
    rr::{Name, RData, RecordType},
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use super::{
    SocketFailure,
    icmp::TcpFacts,
    tcp::TcpTrace,
    udp::{self, UdpEnd},
};
use crate::model::Transport;

mod over_tcp;

/// Maximum number of aliases followed within one reply.
const MAX_CHAIN: usize = 16;
/// Maximum number of addresses kept from one reply: the sender decides how many there are, and 64 KB can contain 4,000.
pub const MAX_ADDRESSES: usize = 16;

/// The result of one query to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsExchange {
    /// The server that was queried.
    pub server: SocketAddr,
    /// UDP, or TCP if that was requested.
    pub transport: Transport,
    /// True if the UDP reply was truncated, so that the query was repeated over TCP.
    pub truncated: bool,
    /// How long it took.
    pub duration: Duration,
    /// This machine's end of the first exchange of packets; `None` if there was none.
    pub source: Option<SocketAddr>,
    /// How often the query was sent, not counting TCP's own retransmissions and the repetition after a truncated reply.
    pub sent: usize,
    /// Replies that did not belong to the query or could not be read, and why.
    pub ignored: Vec<String>,
    /// The connection that was used, if one was opened.
    pub connection: Option<Box<DnsConnection>>,
    /// How it ended.
    pub end: DnsEnd,
}

/// An open connection that a query used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConnection {
    /// How it was opened.
    pub opened: TcpTrace,
    /// What the kernel counted on it.
    pub counted: Option<TcpFacts>,
}

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsEnd {
    /// The server replied.
    Answered(DnsAnswer),
    /// No usable reply over UDP.
    Silent {
        /// How many datagrams went out.
        sent: usize,
    },
    /// The datagram got an error.
    Failed(SocketFailure),
    /// The connection could not be opened.
    NotConnected(TcpTrace),
    /// The connection was open, but no usable reply came over it.
    Unanswered {
        /// What happened instead.
        how: String,
    },
}

impl DnsExchange {
    /// How its connection attempt ended; `None` if everything used UDP.
    pub fn tcp(&self) -> Option<&TcpTrace> {
        match &self.end {
            DnsEnd::NotConnected(trace) => Some(trace),
            _ => self.connection.as_ref().map(|connection| &connection.opened),
        }
    }
}

/// A name server's reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsAnswer {
    /// The response code, by its name (`NOERROR`, `NXDOMAIN` …).
    pub rcode: String,
    /// The chain of aliases, without the name in the query.
    pub cnames: Vec<String>,
    /// The addresses at the end of the chain, at most [`MAX_ADDRESSES`], in the order of the reply.
    pub addresses: Vec<IpAddr>,
    /// How many addresses the reply contained beyond those.
    pub further: usize,
    /// The SOA record in the authority section, which identifies the zone that denies the name.
    pub authority: Option<ZoneAuthority>,
}

/// A zone's SOA record (RFC 1035 §3.3.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneAuthority {
    /// The zone.
    pub zone: String,
    /// The zone's primary server.
    pub primary: String,
}

impl ZoneAuthority {
    /// Whether a private DNS zone answered. The primary server of all of Azure's is `azureprivatedns.net`; a
    /// `privatelink` zone that denies a name is private wherever it is hosted.
    pub fn is_private(&self) -> bool {
        [&self.zone, &self.primary]
            .iter()
            .any(|name| *name == PRIVATE_DNS || name.ends_with(".azureprivatedns.net"))
            || self.zone.split('.').any(|label| label == "privatelink")
    }
}

/// The primary server of Azure's private DNS zones.
const PRIVATE_DNS: &str = "azureprivatedns.net";

/// A query for the addresses of one name.
#[derive(Debug, Clone)]
pub struct DnsQuestion {
    query: Query,
}

impl DnsQuestion {
    /// A query for IPv4 addresses, or for IPv6 addresses. `None` if `host` is not a valid DNS name.
    pub fn new(host: &str, ipv6: bool) -> Option<Self> {
        let mut name = Name::from_ascii(host).ok()?;
        // Absolute: no search list is ever applied.
        name.set_fqdn(true);
        let kind = if ipv6 { RecordType::AAAA } else { RecordType::A };
        Some(Self {
            query: Query::query(name, kind),
        })
    }

    /// Queries `server` over UDP, and over TCP if the reply is truncated.
    ///
    /// Each transport has until `limit` after its own start, and nothing lasts beyond `end_of_run`. The caller holds a
    /// permit for one socket; those for repetitions come from `spare_sockets`.
    pub async fn ask(
        &self,
        server: SocketAddr,
        limit: Duration,
        end_of_run: tokio::time::Instant,
        spare_sockets: &Semaphore,
    ) -> DnsExchange {
        let started = Instant::now();
        let prepare = || {
            let id = random_id();
            (self.encode(id), move |reply: &[u8]| self.parse_datagram(id, reply))
        };
        let deadline = end_of_run.min(tokio::time::Instant::now() + limit);
        let trace = udp::ask(server, prepare, deadline, spare_sockets).await;
        let end = match trace.end {
            UdpEnd::Replied(None) => {
                // Boxed: it is seldom needed, and would make every query as large as itself.
                let over_tcp = Box::pin(self.ask_over_connections(server, limit, end_of_run, spare_sockets)).await;
                let ignored = [trace.ignored, over_tcp.ignored].concat();
                return DnsExchange {
                    transport: Transport::Udp,
                    truncated: true,
                    duration: started.elapsed(),
                    source: trace.source,
                    sent: trace.sent + over_tcp.sent - 1,
                    ignored,
                    ..over_tcp
                };
            }
            UdpEnd::Replied(Some(answer)) => DnsEnd::Answered(answer),
            UdpEnd::Silent => DnsEnd::Silent { sent: trace.sent },
            UdpEnd::Failed(failure) => DnsEnd::Failed(failure),
        };
        DnsExchange {
            server,
            transport: Transport::Udp,
            truncated: false,
            duration: started.elapsed(),
            source: trace.source,
            sent: trace.sent,
            ignored: trace.ignored,
            connection: None,
            end,
        }
    }

    /// Reads a reply to this query with this id.
    ///
    /// # Errors
    ///
    /// Why the reply does not belong to it or cannot be read, as a fragment.
    pub fn parse(&self, id: u16, bytes: &[u8]) -> Result<DnsAnswer, String> {
        self.accept(id, bytes).map(|reply| self.read(&reply))
    }

    fn encode(&self, id: u16) -> Vec<u8> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        // A name that `new` accepted fits a message.
        message.to_vec().unwrap_or_default()
    }

    /// Reads a datagram like [`Self::parse`]; `None` is a reply that must be requested again over TCP, because the
    /// server truncated it or because it is longer than what we read of it.
    fn parse_datagram(&self, id: u16, bytes: &[u8]) -> Result<Option<DnsAnswer>, String> {
        match self.accept(id, bytes) {
            Ok(reply) => Ok((!reply.metadata.truncation).then(|| self.read(&reply))),
            Err(_) if bytes.len() >= udp::MAX_DATAGRAM && bytes.starts_with(&id.to_be_bytes()) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Accepts a reply to exactly this query; anything else could be forged.
    fn accept(&self, id: u16, bytes: &[u8]) -> Result<Message, String> {
        if bytes.get(..2) != Some(&id.to_be_bytes()) {
            return Err("a reply with another id".into());
        }
        let message = Message::from_vec(bytes).map_err(|_| "a reply that cannot be decoded".to_string())?;
        if message.metadata.message_type != MessageType::Response {
            return Err("a query instead of a reply".into());
        }
        let same = |query: &Query| query.name() == self.query.name() && query.query_type() == self.query.query_type();
        match message.queries.as_slice() {
            [query] if same(query) => Ok(message),
            // Servers that refuse may omit the question.
            [] if message.metadata.response_code != ResponseCode::NoError => Ok(message),
            _ => Err("a reply to another query".into()),
        }
    }

    fn read(&self, reply: &Message) -> DnsAnswer {
        let mut name = self.query.name();
        let mut cnames = Vec::new();
        while let Some(target) = reply.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if &record.name == name => Some(&target.0),
            _ => None,
        }) {
            if cnames.len() >= MAX_CHAIN {
                break;
            }
            cnames.push(text(target));
            name = target;
        }
        let addresses = reply
            .answers
            .iter()
            .filter(|record| &record.name == name)
            .filter_map(|record| match (&record.data, self.query.query_type()) {
                (RData::A(a), RecordType::A) => Some(IpAddr::V4(a.0)),
                (RData::AAAA(a), RecordType::AAAA) => Some(IpAddr::V6(a.0)),
                _ => None,
            });
        let mut kept = Vec::new();
        let mut unique = HashSet::new();
        for address in addresses {
            if unique.insert(address) && kept.len() < MAX_ADDRESSES {
                kept.push(address);
            }
        }
        // Most names have one address, and the first push makes room for four.
        kept.shrink_to_fit();
        let authority = reply.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(ZoneAuthority {
                zone: text(&record.name),
                primary: text(&soa.mname),
            }),
            _ => None,
        });
        DnsAnswer {
            rcode: rcode(reply.metadata.response_code),
            cnames,
            further: unique.len() - kept.len(),
            addresses: kept,
            authority,
        }
    }
}

/// A name in the usual notation: lower case, without the final dot.
fn text(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').map_or(text.clone(), str::to_string)
}

/// The mnemonic of a response code (IANA, DNS RCODEs).
fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".into(),
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::NXDomain => "NXDOMAIN".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        ResponseCode::Refused => "REFUSED".into(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

fn random_id() -> u16 {
    let mut bytes = [0; 2];
    // Without entropy the id is zero, which only weakens the protection against forged replies.
    let _ = SystemRandom::new().fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), own_id: bool) {
            let question = DnsQuestion::new("login.microsoftonline.com", false).unwrap();
            if own_id && bytes.len() >= 2 {
                bytes[..2].copy_from_slice(&7_u16.to_be_bytes());
            }
            let _ = question.parse(7, &bytes);
        }

        #[test]
        fn mutated_reply_does_not_panic(position in 0_usize..100, byte: u8) {
            let question = DnsQuestion::new("login.microsoftonline.com", false).unwrap();
            let mut bytes = question.encode(7);
            bytes[2] |= 0x80;
            if let Some(target) = bytes.get_mut(position) {
                *target = byte;
            }
            let _ = question.parse(7, &bytes);
        }
    }

    #[test]
    fn only_a_reply_to_the_question_is_accepted() {
        let question = DnsQuestion::new("a.example.com", false).unwrap();
        let other = DnsQuestion::new("b.example.com", false).unwrap();
        let reply = |question: &DnsQuestion, id| {
            let mut bytes = question.encode(id);
            bytes[2] |= 0x80;
            bytes
        };
        assert!(question.accept(7, &reply(&question, 7)).is_ok());
        assert_eq!(
            question.accept(7, &reply(&question, 8)).unwrap_err(),
            "a reply with another id"
        );
        assert_eq!(
            question.accept(7, &reply(&other, 7)).unwrap_err(),
            "a reply to another query"
        );
        assert_eq!(
            question.accept(7, &question.encode(7)).unwrap_err(),
            "a query instead of a reply"
        );
    }

    #[test]
    fn compression_loop_is_refused() {
        let question = DnsQuestion::new("a.example.com", false).unwrap();
        let mut bytes = question.encode(7);
        bytes[2] |= 0x80;
        bytes[7] = 1; // one answer, whose name points at itself
        let here = u8::try_from(bytes.len()).unwrap();
        bytes.extend([0xC0, here, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 20, 0, 0, 1]);
        assert_eq!(
            question.accept(7, &bytes).unwrap_err(),
            "a reply that cannot be decoded"
        );
    }
}
