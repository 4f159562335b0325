//! Requests to the platform: one at a time, never through a proxy, never redirected, and with a limit on everything.

use std::{error::Error as _, fmt, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Client, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use rustls::ClientConfig;

use crate::{
    catalog::model::Transport,
    net::dns::{DnsEnd, Question},
};

/// A longer body is given up, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// How long one name server has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body; undecodable bytes are replaced.
    pub body: String,
}

/// Why nothing came back, in a few words; never with anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing came in time.
    Silent,
    /// Everything else.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer in time"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// A client that judges certificates by `tls` and asks `name_servers` for names.
pub(super) fn client(tls: ClientConfig, name_servers: &[SocketAddr]) -> Result<Client, Failure> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(NameServers(name_servers.into())))
        .user_agent(concat!("apim-probe/", env!("CARGO_PKG_VERSION")))
        // Without this the variables of the environment would be honoured, and another network tested.
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_only()
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| describe(&error))
}

/// Sends a request and reads all of its answer, within `limit`.
pub(super) async fn fetch(request: RequestBuilder, limit: Duration) -> Result<Reply, Failure> {
    let whole = async {
        let mut response = request.send().await.map_err(|error| describe(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| describe(&error))? {
            body.extend_from_slice(&part);
            if body.len() > MOST_BYTES {
                return Err(Failure::Other(format!(
                    "an answer of more than {} MB",
                    MOST_BYTES >> 20
                )));
            }
        }
        Ok(Reply {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    tokio::time::timeout(limit, whole).await.unwrap_or(Err(Failure::Silent))
}

/// The innermost reason, which names neither the address asked nor a header.
fn describe(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Silent;
    }
    let mut reason = error.source();
    while let Some(deeper) = reason.and_then(std::error::Error::source) {
        reason = Some(deeper);
    }
    Failure::Other(reason.map_or_else(|| "the request failed".into(), ToString::to_string))
}

/// The run's own name servers, so that the system's resolver is never asked.
struct NameServers(Arc<[SocketAddr]>);

impl Resolve for NameServers {
    fn resolve(&self, name: Name) -> Resolving {
        let servers = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let question = Question::new(host, false).ok_or_else(|| format!("{host} is no name that DNS can carry"))?;
            for server in servers.iter() {
                let end = tokio::time::Instant::now() + PATIENCE;
                let exchange = question.ask(*server, Transport::Udp, PATIENCE, end).await;
                if let DnsEnd::Answered(answer) = exchange.end
                    && !answer.addresses.is_empty()
                {
                    // Port 0 stands for the usual one of the scheme.
                    let addresses = answer.addresses.into_iter().map(|address| SocketAddr::new(address, 0));
                    return Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs);
                }
            }
            Err(format!("no name server knows {host}").into())
        })
    }
}
