//! Requests to the platform: never through a proxy, never redirected, and with a limit on everything.

use std::{error::Error, fmt, io, net::SocketAddr, time::Duration};

use reqwest::{
    Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect, retry,
};
use rustls::Error as TlsError;
use tokio::time::timeout;

use super::secret::Secret;
use crate::net::{
    USER_AGENT,
    tls::{self, roots::Roots},
};

mod lookup;

use lookup::HostLookup;

/// Maximum size of a body, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiReply {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks clients to wait, if it says so in seconds.
    pub retry_after: Option<Duration>,
    /// Where the server redirects to.
    pub location: Option<String>,
    /// The body; undecodable bytes are replaced.
    pub body: String,
}

impl ApiReply {
    /// A response without headers.
    pub(super) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            retry_after: None,
            location: None,
            body: body.into(),
        }
    }
}

/// Why there is no response, in a few words; never with anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestFailure {
    /// Nothing arrived in time.
    Silent,
    /// The certificate does not lead to a trusted root, or is for another name; in the library's words.
    Untrusted(String),
    /// Any other reason.
    Other(String),
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer in time"),
            Self::Untrusted(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<reqwest::Error> for RequestFailure {
    fn from(error: reqwest::Error) -> Self {
        let (mut reason, mut deeper): (&dyn Error, _) = (&error, error.source());
        // The innermost error contains neither the URL nor a header.
        while let Some(next) = deeper {
            reason = next;
            // `source` skips the payload of an `io::Error`, which is where TLS puts its error.
            deeper = match next.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(carried) => Some(carried),
                None => next.source(),
            };
        }
        match (reason.downcast_ref(), reason.downcast_ref::<io::Error>()) {
            (Some(TlsError::InvalidCertificate(_)), _) => Self::Untrusted(reason.to_string()),
            (_, Some(error)) if error.kind() == io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Other(reason.to_string()),
        }
    }
}

/// Makes requests. It never uses the system's resolver: names are looked up at the run's own name servers, or not at
/// all.
pub(super) struct Client(reqwest::Client);

impl Client {
    /// For a server whose chain must end in one of `roots`, and whose name is looked up at the name servers.
    pub(super) fn verifying(roots: &Roots, name_servers: &[SocketAddr]) -> Result<Self, RequestFailure> {
        Self::new(Some(roots), name_servers, HeaderMap::new())
    }

    /// For plain HTTP with a server at a known address. Every request contains the `header`.
    pub(super) fn plain(header: (HeaderName, HeaderValue)) -> Result<Self, RequestFailure> {
        Self::new(None, &[], HeaderMap::from_iter([header]))
    }

    fn new(roots: Option<&Roots>, name_servers: &[SocketAddr], headers: HeaderMap) -> Result<Self, RequestFailure> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::verifying(roots))
            .dns_resolver(HostLookup::new(name_servers))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .build()?;
        Ok(Self(client))
    }

    /// Requests `url` with further headers, and reads the whole response within `limit`.
    pub(super) async fn get(&self, url: &str, headers: HeaderMap, limit: Duration) -> Result<ApiReply, RequestFailure> {
        self.ask(Method::GET, url, headers, String::new(), limit).await
    }

    /// Makes one request, and reads the whole response within `limit`.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: String,
        limit: Duration,
    ) -> Result<ApiReply, RequestFailure> {
        let mut request = self.0.request(method.clone(), parsed(url)?).headers(headers);
        if method == Method::POST {
            request = request.body(body);
        }
        let whole = async {
            let response = request.send().await?;
            let text = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_string());
            let mut reply = ApiReply {
                status: response.status().as_u16(),
                retry_after: text(RETRY_AFTER).and_then(|seconds| wait(&seconds)),
                location: text(LOCATION),
                body: String::new(),
            };
            let mut bytes = Vec::new();
            read(response, |part| {
                let fits = part.len() <= MAX_BYTES - bytes.len();
                if fits {
                    bytes.extend_from_slice(part);
                }
                fits
            })
            .await?;
            reply.body = String::from_utf8_lossy(&bytes).into_owned();
            Ok(reply)
        };
        timeout(limit, whole).await.unwrap_or(Err(RequestFailure::Silent))
    }

    /// Requests something secret: the status, and a body of at most this many bytes.
    pub(super) async fn get_secret(
        &self,
        url: &str,
        most: usize,
        limit: Duration,
    ) -> Result<(u16, Secret), RequestFailure> {
        let request = self.0.get(parsed(url)?);
        let whole = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let mut body = Secret::with_room_for(most);
            read(response, |part| body.append(part)).await?;
            Ok((status, body))
        };
        timeout(limit, whole).await.unwrap_or(Err(RequestFailure::Silent))
    }
}

/// A wait in seconds (RFC 9110 §10.2.3); at most a day, which no run lasts and which every clock can add.
fn wait(seconds: &str) -> Option<Duration> {
    const DAY: u64 = 24 * 60 * 60;
    seconds
        .trim()
        .parse()
        .ok()
        .map(|seconds: u64| Duration::from_secs(seconds.min(DAY)))
}

fn parsed(url: &str) -> Result<Url, RequestFailure> {
    url.parse()
        .map_err(|_| RequestFailure::Other("the address is not a URL".into()))
}

/// Passes the body of a response to `take`, piece by piece, until that returns false.
async fn read(mut response: Response, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), RequestFailure> {
    while let Some(part) = response.chunk().await? {
        if !take(&part) {
            return Err(RequestFailure::Other("the reply is too long".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn retry_after_is_parsed_without_overflow() {
        assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(wait("Fri, 31 Dec 2027 23:59:59 GMT"), None);
        let longest = wait(&u64::MAX.to_string()).unwrap();
        assert!(Instant::now().checked_add(longest).is_some());
    }
}
