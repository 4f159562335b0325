//! One probe: dns, tcp, tls, hello, each on top of the one before.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::join_all};
use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Semaphore, SemaphorePermit},
};

use super::{
    RunLimits, clock,
    flows::{
        Flows,
        connection_progress::{ConnectionProgress, ConnectionStage},
    },
    lookup::Lookups,
    trace::{Attempt, HelloTrace, NotTriedReason, Trace},
    ttl_stream::TtlStream,
};
use crate::{
    address,
    hello::{self, ExchangeEnd, Greeting, ProtocolReply, amqp, http, kms, ntp, redis, smb, tds},
    model::{Protocol, Transport},
    net::{
        dns::{DnsEnd, DnsQuestion},
        tcp::{self, ConnectOptions},
        tls::{TlsClient, TlsEnd, TlsTrace, chain::ChainFacts},
        udp,
    },
    plan::{PlannedEndpoint, ProbeTarget},
};

/// How long closing a connection may take; it is a courtesy to the peer and to firewalls' logs.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(50);

/// What every probe of a run needs.
#[derive(Debug)]
pub struct ProbeContext {
    /// Makes the handshakes.
    pub tls: TlsClient,
    /// The run's limits.
    pub limits: RunLimits,
    /// When the run started.
    pub began: Instant,
    /// When the run ends.
    pub end: tokio::time::Instant,
    /// One permit for each socket.
    pub sockets: Arc<Semaphore>,
    /// The names of the run.
    pub lookups: Arc<Lookups>,
    /// What the connections of the run share.
    pub flows: Flows,
    /// The name that name servers are queried for.
    pub control: String,
}

impl ProbeContext {
    /// Probes one endpoint completely, or to the end of the run.
    pub async fn probe(&self, endpoint: &PlannedEndpoint) -> Trace {
        let started = Instant::now();
        let (name, addresses) = match &endpoint.destination {
            ProbeTarget::Name => {
                let name = self.lookups.lookup(&endpoint.host).await;
                let addresses = name
                    .decision()
                    .map(super::trace::ServerReply::addresses)
                    .unwrap_or_default();
                (Some(name), with_port(addresses, endpoint.port))
            }
            ProbeTarget::Addresses { addresses, .. } => (None, with_port(addresses.clone(), endpoint.port)),
            ProbeTarget::NameServer(server) => (None, vec![*server]),
        };
        let looked_up = name.is_some();
        let attempts = addresses.into_iter().map(async |address| {
            // A DNS answer can be forged; an address in the catalog is what the user wants to test.
            if looked_up && address::is_sinkhole(address.ip()) {
                return vec![self.not_tried(address, NotTriedReason::Sinkhole)];
            }
            let Some(_permit) = self.socket().await else {
                return vec![self.not_tried(address, NotTriedReason::NoSocket)];
            };
            self.connections(endpoint, address, &[]).await
        });
        let seen = join_all(attempts).await;
        let mut attempts = Vec::with_capacity(seen.iter().map(Vec::len).sum());
        attempts.extend(seen.into_iter().flatten());
        let cut = tokio::time::Instant::now() >= self.end;
        Trace {
            duration: started.elapsed(),
            name,
            attempts,
            cut,
        }
    }

    /// The permit for one socket, as soon as one is free; `None` if the run ends first.
    pub async fn socket(&self) -> Option<SemaphorePermit<'_>> {
        let permit = tokio::time::timeout_at(self.end, self.sockets.acquire()).await;
        permit.ok()?.ok()
    }

    /// Probes these addresses of an endpoint again, and adds the results to its trace.
    pub async fn again(
        &self,
        endpoint: &PlannedEndpoint,
        addresses: &[SocketAddr],
        earlier: &[Attempt],
    ) -> Vec<Attempt> {
        let attempts = addresses.iter().map(async |address| {
            let Some(_permit) = self.socket().await else {
                return Vec::new();
            };
            self.connections(endpoint, *address, earlier).await
        });
        join_all(attempts).await.into_iter().flatten().collect()
    }

    fn not_tried(&self, address: SocketAddr, why: NotTriedReason) -> Attempt {
        Attempt {
            started: self.began.elapsed(),
            not_tried: Some(why),
            ..Attempt::new(address)
        }
    }

    /// Probes one address of an endpoint over one connection, or with one query.
    pub async fn attempt(
        &self,
        endpoint: &PlannedEndpoint,
        address: SocketAddr,
        options: ConnectOptions,
        progress: &ConnectionProgress,
    ) -> Attempt {
        let mut attempt = Attempt {
            started: self.began.elapsed(),
            segment: options.segment,
            ..Attempt::new(address)
        };
        match endpoint.protocol {
            Protocol::Dns => {
                if let Some(question) = DnsQuestion::new(&self.control, false) {
                    let exchange = match endpoint.transport {
                        Transport::Udp => {
                            Box::pin(question.ask(address, self.limits.timeout, self.end, &self.sockets)).await
                        }
                        Transport::Tcp => {
                            let connect = progress.enter(ConnectionStage::Connect);
                            let reply = || progress.enter(ConnectionStage::Converse);
                            Box::pin(question.ask_over_tcp(address, connect, reply)).await
                        }
                    };
                    if !matches!(exchange.end, DnsEnd::Answered(_)) {
                        self.lookups.control(&self.control);
                    }
                    attempt.counted = exchange.connection.as_ref().and_then(|connection| connection.counted);
                    attempt.dns = Some(Box::new(exchange));
                }
            }
            Protocol::Ntp => {
                let prepare = || {
                    let sent = hello::random();
                    (ntp::request(sent).to_vec(), move |reply: &[u8]| ntp::parse(reply, sent))
                };
                let until = progress.enter(ConnectionStage::Connect);
                let trace = Box::pin(udp::ask(address, prepare, until, &self.sockets)).await;
                attempt.ntp = Some(Box::new(trace));
            }
            _ if endpoint.transport == Transport::Udp => {}
            _ => {
                let (trace, stream) = tcp::connect(address, options, progress.enter(ConnectionStage::Connect)).await;
                attempt.tcp = Some(trace);
                if let Some(stream) = stream {
                    let mut line = TtlStream::new(stream, address, progress);
                    // Boxed, like the others: a connection that waits, one of a thousand, needs no memory for later
                    // stages.
                    Box::pin(self.converse(endpoint, &mut line, &mut attempt, progress)).await;
                    attempt.ran_out = line.ran_out();
                    attempt.counted = tcp::account(&line.into_inner()).await;
                }
            }
        }
        attempt.clock_ahead = clock::ahead(&attempt, Timestamp::now());
        if endpoint.protocol == Protocol::Https {
            keep_summary(&mut attempt);
        }
        attempt
    }

    async fn converse(
        &self,
        endpoint: &PlannedEndpoint,
        stream: &mut TtlStream<'_>,
        attempt: &mut Attempt,
        progress: &ConnectionProgress,
    ) {
        match endpoint.protocol {
            Protocol::Tcp | Protocol::Dns | Protocol::Ntp => {}
            Protocol::Http => attempt.hello = Some(http(endpoint, stream, progress).await),
            Protocol::Smb => {
                attempt.hello = Some(timed(smb::greet(stream, progress.enter(ConnectionStage::Converse))).await);
            }
            Protocol::Kms => {
                attempt.hello = Some(timed(kms::greet(stream, progress.enter(ConnectionStage::Converse))).await);
            }
            Protocol::Tls | Protocol::Https | Protocol::Amqps | Protocol::Redis => {
                self.over_tls(endpoint, stream, attempt, progress).await;
            }
            Protocol::Tds => {
                let prelude = timed(tds::greet(stream, progress.enter(ConnectionStage::Prelude))).await;
                let goes_on = matches!(prelude.greeting.end, ExchangeEnd::Replied(_));
                attempt.prelude = Some(prelude);
                if goes_on {
                    self.over_tls(endpoint, tds::TdsFramed::new(stream), attempt, progress)
                        .await;
                }
            }
            Protocol::Amqp => {
                let prelude = timed(amqp::greet_tls(stream, progress.enter(ConnectionStage::Prelude))).await;
                let goes_on = matches!(
                    prelude.greeting.end,
                    ExchangeEnd::Replied(ProtocolReply::Upgrade { .. })
                );
                attempt.prelude = Some(prelude);
                if goes_on {
                    self.over_tls(endpoint, stream, attempt, progress).await;
                }
            }
        }
    }

    /// Makes the handshake, then speaks the protocol; if the peer is not the service, nothing more is sent.
    async fn over_tls(
        &self,
        endpoint: &PlannedEndpoint,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        attempt: &mut Attempt,
        progress: &ConnectionProgress,
    ) {
        let names: Arc<[String]> = endpoint.names.clone().into();
        let (trace, stream) = self
            .tls
            .handshake(stream, names, progress.enter(ConnectionStage::Handshake))
            .await;
        let proved = is_proof(endpoint, &trace);
        attempt.tls = Some(Box::new(trace));
        let Some(mut stream) = stream else { return };
        if proved {
            attempt.hello = match endpoint.protocol {
                Protocol::Https => Some(http(endpoint, &mut stream, progress).await),
                Protocol::Amqps | Protocol::Amqp => {
                    Some(timed(amqp::greet_sasl(&mut stream, progress.enter(ConnectionStage::Converse))).await)
                }
                Protocol::Redis => {
                    Some(timed(redis::greet(&mut stream, progress.enter(ConnectionStage::Converse))).await)
                }
                _ => None,
            };
        }
        // After PRELOGIN the server expects a login next, no longer raw TLS; the connection is just dropped.
        if endpoint.protocol != Protocol::Tds && !has_left(&mut stream) {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
        }
    }
}

/// Whether the peer has closed its end, as a web server does on request. It would answer a close with a reset, which a
/// firewall logs and which takes a tenth of the whole probe's time in the kernel.
fn has_left(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = [0; 64];
    matches!(stream.read(&mut rest).now_or_never(), Some(Ok(0) | Err(_)))
}

async fn http(
    endpoint: &PlannedEndpoint,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    progress: &ConnectionProgress,
) -> Box<HelloTrace> {
    let (host, until) = (host_header(endpoint), progress.enter(ConnectionStage::Converse));
    timed(http::greet(&mut stream, &host, endpoint.path.as_deref(), until)).await
}

/// For a response whose sender is verified, keeps only its status and its server. The rest is not needed to identify the
/// sender, and thousands of endpoints would keep it.
fn keep_summary(attempt: &mut Attempt) {
    let hello = attempt.hello.as_mut().map(|hello| &mut hello.greeting.end);
    if let Some(ExchangeEnd::Replied(ProtocolReply::Http(reply))) = hello {
        reply.body = Vec::new();
        reply.headers.retain(|(name, _)| name == "server");
        reply.headers.shrink_to_fit();
    }
}

/// Whether a handshake proves the service, so that any reply after it is enough.
fn is_proof(endpoint: &PlannedEndpoint, trace: &TlsTrace) -> bool {
    // Some of the instance's own names have certificates that only their users trust.
    let of_instance = endpoint.of_instance.as_ref();
    let any_will_do = of_instance.is_some_and(|own| !own.validation.chain);
    let is_accepted = |chain: &ChainFacts| chain.is_the_service() || any_will_do && chain.right_name;
    trace.end == TlsEnd::Completed && trace.chain.as_deref().is_some_and(is_accepted)
}

/// The `Host` of a request: it includes the port unless that is the scheme's default (RFC 9110 §7.2).
fn host_header(endpoint: &PlannedEndpoint) -> String {
    let name = endpoint
        .names
        .iter()
        .find(|name| !name.starts_with("*."))
        .unwrap_or(&endpoint.host);
    match (endpoint.protocol, endpoint.port) {
        (Protocol::Http, 80) | (Protocol::Https, 443) => name.clone(),
        (_, port) => format!("{name}:{port}"),
    }
}

fn timed(greeting: impl Future<Output = Greeting>) -> impl Future<Output = Box<HelloTrace>> {
    // Boxed: otherwise the future of its connection would contain it twice, as an argument and as an awaited value.
    let greeting = Box::pin(greeting);
    async move {
        let started = Instant::now();
        let mut greeting = greeting.await;
        // After a complete reply its raw bytes are not needed.
        if matches!(greeting.end, ExchangeEnd::Replied(_)) {
            greeting.received = Vec::new();
        }
        Box::new(HelloTrace {
            duration: started.elapsed(),
            greeting,
        })
    }
}

fn with_port(addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect()
}
