//! Name servers that answer correctly, wrongly, or not at all.

mod message;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    time::sleep,
};

use self::message::{NXDOMAIN, ReceivedQuery};
use crate::network::{DnsBehaviour, NameResolution, NameServer};

const PORT: u16 = 53;
const SERVFAIL: u8 = 2;
const GARBAGE: &[u8] = b"\xde\xad\xbe\xefthis is not a name server";

/// Binds a name server's sockets and answers on them from now on. Must be called inside a runtime.
pub(crate) fn serve(server: &NameServer, shared: &BTreeMap<String, NameResolution>) -> Result<()> {
    let zones = Arc::new(Zones::new(server, shared));
    let at = SocketAddr::new(server.address, PORT);
    if server.udp != DnsBehaviour::Closed {
        let socket = std::net::UdpSocket::bind(at).with_context(|| format!("binding {at}/udp"))?;
        socket.set_nonblocking(true)?;
        tokio::spawn(answer_datagrams(
            Arc::new(UdpSocket::from_std(socket)?),
            Arc::clone(&zones),
            server.udp,
        ));
    }
    if server.tcp != DnsBehaviour::Closed {
        let listener = std::net::TcpListener::bind(at).with_context(|| format!("binding {at}"))?;
        listener.set_nonblocking(true)?;
        tokio::spawn(accept(TcpListener::from_std(listener)?, zones, server.tcp));
    }
    Ok(())
}

/// The data of one server.
struct Zones {
    names: HashMap<String, NameResolution>,
    any_name: Option<NameResolution>,
    requests: AtomicU32,
    /// How often each name was queried.
    counts: Mutex<HashMap<String, u32>>,
}

impl Zones {
    fn new(server: &NameServer, shared: &BTreeMap<String, NameResolution>) -> Self {
        let lower = |(name, answer): (&String, &NameResolution)| (name.to_ascii_lowercase(), answer.clone());
        Self {
            names: shared.iter().chain(&server.names).map(lower).collect(),
            any_name: server.any_name.clone(),
            requests: AtomicU32::new(0),
            counts: Mutex::default(),
        }
    }

    /// The message for a query, or `None` for no reply. The caller waits for the delay.
    fn reply(&self, query: &ReceivedQuery, conduct: DnsBehaviour) -> Option<Vec<u8>> {
        let unknown = NameResolution {
            rcode: NXDOMAIN,
            soa_zone: Some("example".into()),
            ..NameResolution::default()
        };
        let known = || self.names.get(&query.name);
        let answer = self.any_name.as_ref().or_else(known).unwrap_or(&unknown);
        let before = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(query.name.clone()).or_default();
            std::mem::replace(count, *count + 1)
        };
        if answer.silent || before < answer.first_unanswered {
            return None;
        }
        if before < answer.first_servfail {
            return Some(query.refuse(SERVFAIL));
        }
        let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        match conduct {
            DnsBehaviour::Good | DnsBehaviour::Delayed(_) | DnsBehaviour::Forged => Some(query.answer(answer)),
            DnsBehaviour::UpperCase => Some(query.in_upper_case().answer(answer)),
            DnsBehaviour::EveryNth(n) => count.is_multiple_of(n).then(|| query.answer(answer)),
            DnsBehaviour::Oversized => Some(query.bulky()),
            DnsBehaviour::WrongId | DnsBehaviour::Endless => Some(query.with_other_id().answer(answer)),
            DnsBehaviour::WrongQuestion => Some(query.with_other_question().answer(answer)),
            DnsBehaviour::Garbage => Some(GARBAGE.to_vec()),
            DnsBehaviour::CompressionLoop => Some(query.looped()),
            DnsBehaviour::Truncated => Some(query.truncated()),
            DnsBehaviour::Rcode(rcode) => Some(query.refuse(rcode)),
            DnsBehaviour::Short => {
                let whole = query.answer(answer);
                Some(whole[..whole.len() / 2].to_vec())
            }
            DnsBehaviour::Closed | DnsBehaviour::Silent | DnsBehaviour::Close | DnsBehaviour::Trickle => None,
        }
    }
}

async fn wait_for(conduct: DnsBehaviour) {
    if let DnsBehaviour::Delayed(milliseconds) = conduct {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

async fn answer_datagrams(socket: Arc<UdpSocket>, zones: Arc<Zones>, conduct: DnsBehaviour) {
    let mut datagram = [0; 4096];
    loop {
        // An ICMP error about an earlier answer.
        let Ok((length, from)) = socket.recv_from(&mut datagram).await else {
            continue;
        };
        let Some(reply) = ReceivedQuery::parse(&datagram[..length]).and_then(|query| zones.reply(&query, conduct))
        else {
            continue;
        };
        if matches!(conduct, DnsBehaviour::Delayed(_)) {
            let socket = Arc::clone(&socket);
            tokio::spawn(async move {
                wait_for(conduct).await;
                let _ = socket.send_to(&reply, from).await;
            });
        } else {
            if conduct == DnsBehaviour::Endless {
                for _ in 0..199 {
                    let _ = socket.send_to(&reply, from).await;
                }
            }
            if conduct == DnsBehaviour::Forged {
                let _ = socket.send_to(&forged(&reply), from).await;
            }
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

/// The same message with another id.
fn forged(reply: &[u8]) -> Vec<u8> {
    let mut forged = reply.to_vec();
    if let Some(byte) = forged.first_mut() {
        *byte ^= 0x55;
    }
    forged
}

async fn accept(listener: TcpListener, zones: Arc<Zones>, conduct: DnsBehaviour) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let zones = Arc::clone(&zones);
            tokio::spawn(async move {
                // The client may disconnect at any time.
                let _ = answer_stream(stream, &zones, conduct).await;
            });
        }
    }
}

/// Queries and answers over TCP, each with a length prefix (RFC 1035 §4.2.2).
async fn answer_stream(mut stream: TcpStream, zones: &Zones, conduct: DnsBehaviour) -> std::io::Result<()> {
    loop {
        let mut query = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut query).await?;
        if conduct == DnsBehaviour::Close {
            return stream.shutdown().await;
        }
        let Some(query) = ReceivedQuery::parse(&query) else {
            return Ok(());
        };
        if conduct == DnsBehaviour::Trickle {
            stream.write_u16(u16::MAX).await?;
            loop {
                stream.write_u8(0).await?;
                sleep(Duration::from_millis(100)).await;
            }
        }
        let Some(reply) = zones.reply(&query, conduct) else {
            continue;
        };
        if conduct == DnsBehaviour::Endless {
            loop {
                stream.write_u16(u16::try_from(reply.len()).unwrap_or(u16::MAX)).await?;
                stream.write_all(&reply).await?;
            }
        }
        wait_for(conduct).await;
        let promised = if conduct == DnsBehaviour::Short {
            reply.len() * 2
        } else {
            reply.len()
        };
        let mut framed = Vec::new();
        if conduct == DnsBehaviour::Forged {
            framed.extend(u16::try_from(promised).unwrap_or(u16::MAX).to_be_bytes());
            framed.extend(forged(&reply));
        }
        framed.extend(u16::try_from(promised).unwrap_or(u16::MAX).to_be_bytes());
        framed.extend(reply);
        stream.write_all(&framed).await?;
        if conduct == DnsBehaviour::Short {
            return stream.shutdown().await;
        }
    }
}
