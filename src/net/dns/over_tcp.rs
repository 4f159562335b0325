//! A query over TCP, if that was requested or if the UDP reply was truncated (RFC 7766).

use std::{
    io,
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hickory_resolver::proto::op::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::Instant as Time,
};

use super::{DnsConnection, DnsEnd, DnsExchange, DnsQuestion, random_id};
use crate::{
    model::Transport,
    net::{
        is_reset,
        tcp::{self, ConnectOptions},
        udp,
    },
};

/// Number of connections that repeat a truncated query: if one of two appliances loses its packets, the port decides.
const MAX_CONNECTIONS: usize = 4;
/// Each but the first starts after this share of the time limit, or at once after a failed one.
const START_SHARE: u32 = 5;

/// When the stages of all connections for one query must end: their time starts with the first one that enters them.
struct StageLimits {
    connect: Time,
    limit: Duration,
    end_of_run: Time,
    reply: OnceLock<Time>,
}

impl StageLimits {
    fn reply(&self) -> Time {
        *self.reply.get_or_init(|| self.end_of_run.min(Time::now() + self.limit))
    }
}

impl DnsQuestion {
    /// Queries over one connection, or over further ones if `spare_sockets` has sockets for them, until one brings a reply. If
    /// none does, the first of those that got furthest determines the reason.
    pub(super) async fn ask_over_connections(
        &self,
        server: SocketAddr,
        limit: Duration,
        end_of_run: Time,
        spare_sockets: &Semaphore,
    ) -> DnsExchange {
        let now = Time::now();
        let limits = &StageLimits {
            connect: end_of_run.min(now + limit),
            limit,
            end_of_run,
            reply: OnceLock::new(),
        };
        let ask = |permit| async move {
            let exchange = self.ask_over_tcp(server, limits.connect, || limits.reply()).await;
            drop(permit);
            exchange
        };
        let mut most = MAX_CONNECTIONS;
        let mut made = 1;
        let mut running = FuturesUnordered::from_iter([ask(None)]);
        let mut failed: Vec<DnsExchange> = Vec::new();
        let mut next = now + limit / START_SHARE;
        let end = loop {
            tokio::select! {
                ended = running.next() => match ended {
                    Some(exchange) if matches!(exchange.end, DnsEnd::Answered(_)) => break exchange,
                    Some(exchange) => {
                        failed.push(exchange);
                        next = Time::now();
                    }
                    None => break furthest(&mut failed),
                },
                () = tokio::time::sleep_until(next), if made < most => {}
            }
            let now = Time::now();
            if made < most && next <= now {
                match spare_sockets.try_acquire() {
                    Ok(permit) if now < limits.connect => {
                        running.push(ask(Some(permit)));
                        made += 1;
                        next = now + limit / START_SHARE;
                    }
                    _ => most = made,
                }
            }
        };
        let ignored = failed.into_iter().flat_map(|other| other.ignored);
        DnsExchange {
            sent: made,
            ignored: ignored.chain(end.ignored).take(udp::MAX_IGNORED).collect(),
            ..end
        }
    }

    /// Queries over a single connection, which must be open by the time `connect`. Once it is, `reply` is called: it
    /// returns the time by which the answer must be complete.
    pub async fn ask_over_tcp(&self, server: SocketAddr, connect: Time, reply: impl FnOnce() -> Time) -> DnsExchange {
        let started = Instant::now();
        let mut ignored = Vec::new();
        let (opened, stream) = tcp::connect(server, ConnectOptions::default(), connect).await;
        let source = opened.source;
        let (connection, end) = match stream {
            Some(mut stream) => {
                let conversation = self.converse(&mut stream, &mut ignored);
                let end = match tokio::time::timeout_at(reply(), conversation).await {
                    Err(_) => DnsEnd::Unanswered {
                        how: "no reply on the open connection".into(),
                    },
                    Ok(Err(how)) => DnsEnd::Unanswered { how },
                    Ok(Ok(reply)) => DnsEnd::Answered(self.read(&reply)),
                };
                let counted = tcp::account(&stream).await;
                (Some(Box::new(DnsConnection { opened, counted })), end)
            }
            None => (None, DnsEnd::NotConnected(opened)),
        };
        DnsExchange {
            server,
            transport: Transport::Tcp,
            truncated: false,
            duration: started.elapsed(),
            source,
            sent: 1,
            ignored,
            connection,
            end,
        }
    }

    /// Queries over an open connection, and reads until a reply to the query arrives; others are recorded in `ignored`.
    async fn converse(&self, stream: &mut TcpStream, ignored: &mut Vec<String>) -> Result<Message, String> {
        let id = random_id();
        let query = self.encode(id);
        let length = u16::try_from(query.len()).map_err(|_| "the query is too long".to_string())?;
        let framed = [&length.to_be_bytes()[..], &query].concat();
        stream.write_all(&framed).await.map_err(|error| ended(&error))?;
        loop {
            let message = read_message(stream).await.map_err(|error| ended(&error))?;
            match self.accept(id, &message) {
                Ok(reply) => return Ok(reply),
                Err(why) if ignored.len() < udp::MAX_IGNORED => ignored.push(why),
                Err(_) => {}
            }
        }
    }
}

/// Selects the first of those that got furthest, if none brought a reply.
fn furthest(failed: &mut Vec<DnsExchange>) -> DnsExchange {
    let opened = |exchange: &DnsExchange| exchange.connection.is_some();
    failed.remove(failed.iter().position(opened).unwrap_or_default())
}

/// Reads one message, which follows its length (RFC 1035 §4.2.2).
async fn read_message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

fn ended(error: &io::Error) -> String {
    if is_reset(error) {
        "the open connection was reset without a reply".into()
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        "the open connection was closed before a complete reply".into()
    } else {
        format!("the open connection failed without a reply: {error}")
    }
}
