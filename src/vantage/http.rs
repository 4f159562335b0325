//! Requests to the platform: one at a time, never through a proxy, never redirected, and with a limit on everything.

use std::{error::Error, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Uri,
    body::Bytes,
    client::conn::http1,
    header::{self, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, Error as TlsError, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::secret::Secret;
use crate::{
    model::Transport,
    net::{
        USER_AGENT,
        dns::{DnsEnd, Question},
        over,
        tcp::{self, Manner, TcpEnd},
        tls::tls_error,
    },
};

/// A longer body is given up, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// How long one name server has to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// From how many further ports it is asked again.
const REPETITIONS: usize = 5;

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
    /// The certificate does not lead to a root that is trusted, or is for another name; in the library's words.
    Untrusted(String),
    /// Everything else.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer in time"),
            Self::Untrusted(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Box<dyn Error + Send + Sync>> for Failure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        // The innermost reason names neither the address asked nor a header.
        let mut reason: &dyn Error = error.as_ref();
        while let Some(deeper) = reason.source() {
            reason = deeper;
        }
        Self::Other(reason.to_string())
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        Self::from(Box::from(error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Makes requests: certificates are judged by a configuration, names are asked of the run's own name servers.
///
/// It is hyper without a ready-made client around it: those bring the system's resolver along, used or not, which a
/// static program must not have.
pub(super) struct Client {
    tls: TlsConnector,
    name_servers: Arc<[SocketAddr]>,
}

impl Client {
    pub(super) fn new(tls: ClientConfig, name_servers: &[SocketAddr]) -> Self {
        Self {
            tls: Arc::new(tls).into(),
            name_servers: name_servers.into(),
        }
    }

    /// Gets `url` with one more header, and reads all of the answer within `limit`.
    pub(super) async fn get(
        &self,
        url: &str,
        name: HeaderName,
        value: HeaderValue,
        limit: Duration,
    ) -> Result<Reply, Failure> {
        let mut body = Vec::new();
        let take = |bytes: &[u8]| {
            let fits = bytes.len() <= MOST_BYTES - body.len();
            if fits {
                body.extend_from_slice(bytes);
            }
            fits
        };
        let status = self.fetch(url, (name, value), limit, take).await?;
        Ok(Reply {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// Gets what is secret: the status, and a body of so many bytes at most.
    pub(super) async fn get_secret(
        &self,
        url: &str,
        header: (HeaderName, HeaderValue),
        most: usize,
        limit: Duration,
    ) -> Result<(u16, Secret), Failure> {
        let mut body = Secret::with_room_for(most);
        let status = self.fetch(url, header, limit, |bytes| body.append(bytes)).await?;
        Ok((status, body))
    }

    /// Hands the body of the answer to `take`, piece by piece, until that gives false; gives the status.
    async fn fetch(
        &self,
        url: &str,
        header: (HeaderName, HeaderValue),
        limit: Duration,
        take: impl FnMut(&[u8]) -> bool,
    ) -> Result<u16, Failure> {
        let deadline = Instant::now() + limit;
        let whole = self.request(url, header, deadline, take);
        timeout_at(deadline, whole).await.unwrap_or(Err(Failure::Silent))
    }

    async fn request(
        &self,
        url: &str,
        (name, value): (HeaderName, HeaderValue),
        deadline: Instant,
        take: impl FnMut(&[u8]) -> bool,
    ) -> Result<u16, Failure> {
        let no_url = || Failure::Other("the address to ask is no URL".into());
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        let Origin { scheme, host, port } = Origin::of(&uri).ok_or_else(no_url)?;
        let authority = uri.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        let request = Request::get(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .header(name, value)
            .body(Empty::new())
            .map_err(|error| Failure::Other(error.to_string()))?;
        let stream = self.connect(&host, port, deadline).await?;
        if scheme == "http" {
            return exchange(stream, request, take).await;
        }
        let name = ServerName::try_from(host).map_err(|_| no_url())?;
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .map_err(|error| match tls_error(&error) {
                Some(TlsError::InvalidCertificate(_)) => Failure::Untrusted(error.to_string()),
                _ => error.into(),
            })?;
        exchange(stream, request, take).await
    }

    /// The first of the host's addresses that accepts.
    async fn connect(&self, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, Failure> {
        let mut failure = Failure::Silent;
        for address in self.addresses(host, port).await? {
            match tcp::connect(address, Manner::default(), deadline).await {
                (_, Some(stream)) => return Ok(stream),
                (trace, None) => {
                    if let TcpEnd::Failed(why) = trace.end {
                        failure = Failure::Other(why.text);
                    }
                }
            }
        }
        Err(failure)
    }

    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        if let Ok(address) = host.parse() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let question = Question::new(host, false)
            .ok_or_else(|| Failure::Other(format!("{host} is no name that DNS can carry")))?;
        for server in self.name_servers.iter() {
            let end = Instant::now() + PATIENCE;
            let spare = Semaphore::new(REPETITIONS);
            let exchange = question.ask(*server, Transport::Udp, PATIENCE, end, &spare).await;
            if let DnsEnd::Answered(answer) = exchange.end
                && !answer.addresses.is_empty()
            {
                let addresses = answer.addresses.into_iter();
                return Ok(addresses.map(|address| SocketAddr::new(address, port)).collect());
            }
        }
        Err(Failure::Other(format!("no name server knows {host}")))
    }
}

/// Whom a URL asks (RFC 6454 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl Origin {
    /// `None` for what is neither an `http` nor an `https` URL.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let (scheme, port) = match uri.scheme_str()? {
            "http" => ("http", 80),
            "https" => ("https", 443),
            _ => return None,
        };
        Some(Self {
            scheme,
            host: uri.host()?.to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(port),
        })
    }
}

/// Sends a request over an open connection, and hands over all of its answer's body.
async fn exchange<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let mut response = sender.send_request(request).await?;
        while let Some(frame) = response.frame().await {
            if frame?.data_ref().is_some_and(|bytes| !take(bytes)) {
                return Err(Failure::Other("an answer that is too long".into()));
            }
        }
        Ok(response.status().as_u16())
    };
    over(connection, answer).await
}
