//! The server, on a separate thread, so that no client affects when a round begins or ends.
//!
//! Everything is limited: connections, the size of requests, and the time for all of it. A connection without a request
//! is closed to make room for a newer one.

mod connections;
mod routes;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use hyper::{
    Request,
    body::Incoming,
    header::{AUTHORIZATION, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Builder,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use self::connections::{Admission, Connections};
use super::{AccessControl, ServeFault, ServeState, access::Users};
use crate::net::tls::tls_error;

/// Maximum duration of one connection, from its first byte to the end of the reply.
const LIFE: Duration = Duration::from_secs(20);
/// How long a client may take to send its request.
const HEAD: Duration = Duration::from_secs(5);
/// Maximum size of a request, in bytes.
const MAX_BYTES: usize = 16 << 10;
/// How long no connection is accepted after the system refused one.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

/// Starts to serve the state to clients with access, over at most `most` connections at once.
///
/// # Errors
///
/// The system has no thread or no descriptors for it.
pub(crate) fn start(
    listener: TcpListener,
    serve_state: Arc<ServeState>,
    access: Arc<AccessControl>,
    most: usize,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let server = Arc::new(Server {
        connections: Connections::new(most),
        serve_state,
        access,
    });
    let run = move || {
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => server.accept_all(listener).await,
                Err(error) => server
                    .serve_state
                    .fault(ServeFault::Connections, &format!("cannot listen: {error}")),
            }
        });
    };
    thread::Builder::new().name("web".into()).spawn(run).map(drop)
}

struct Server {
    connections: Connections,
    serve_state: Arc<ServeState>,
    access: Arc<AccessControl>,
}

impl Server {
    async fn accept_all(self: &Arc<Self>, listener: tokio::net::TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => {
                    // Mostly for lack of descriptors, which closing connections will free.
                    let text = format!("cannot accept a connection: {error}");
                    self.serve_state.fault(ServeFault::Connections, &text);
                    sleep(ACCEPT_DELAY).await;
                }
            }
        }
    }

    fn take(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let made = self.connections.admit();
        if made != Admission::Free {
            let what = match made {
                Admission::Full => "another one was refused",
                _ => "the one idle for the longest was closed",
            };
            let text = format!("all {} connections are in use: {what}", self.connections.most());
            self.serve_state.fault(ServeFault::Connections, &text);
        }
        if made == Admission::Full {
            return;
        }
        let is_busy = Arc::new(AtomicBool::new(false));
        let (server, busy) = (self.clone(), is_busy.clone());
        self.connections.keep(is_busy, |ticket| {
            let converse = async move {
                let _ticket = ticket;
                server.count();
                if let Ok(Err(what)) = timeout(LIFE, server.converse(stream, &busy)).await {
                    let text = format!("bad request from {}: {what}", peer.ip());
                    server.serve_state.fault(ServeFault::Request, &text);
                }
            };
            tokio::spawn(converse).abort_handle()
        });
        self.count();
    }

    fn count(&self) {
        self.serve_state.read().connections = self.connections.count();
    }

    async fn converse(&self, stream: TcpStream, busy: &AtomicBool) -> Result<(), String> {
        let rules = self.access.rules(&self.serve_state).await;
        let Some(tls) = rules.tls else {
            return self.answer(stream, busy, rules.users.as_ref()).await;
        };
        match timeout(HEAD, TlsAcceptor::from(tls).accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, busy, rules.users.as_ref()).await,
            Ok(Err(error)) if tls_error(&error).is_some() => Err(format!("TLS failed: {error}")),
            _ => Ok(()),
        }
    }

    /// Answers one request; returns what was wrong with a peer that does not speak HTTP.
    async fn answer(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        busy: &AtomicBool,
        users: Option<&Arc<Users>>,
    ) -> Result<(), String> {
        let service = service_fn(|request: Request<Incoming>| async move {
            if let Some(users) = users {
                let header = request.headers().get(AUTHORIZATION).cloned();
                if !users.allow(header.as_ref().map(HeaderValue::as_bytes)).await {
                    return Ok(routes::refusal());
                }
            }
            // A client without access gives way to others while bcrypt is running.
            busy.store(true, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(routes::answer(
                request.method(),
                request.uri().path(),
                &self.serve_state,
            ))
        });
        let served = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        match served {
            Err(error) if error.is_parse() => Err(error.to_string()),
            // It disconnected, or sent nothing in time: not worth reporting.
            _ => Ok(()),
        }
    }
}
