//! A session with the management endpoint: follows pages, waits for operations, retries after throttling.

use std::{cell::Cell, fmt, time::Duration};

use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

use super::{
    ManagementRequest,
    token::{self, Token},
};
use crate::{
    azure::Cloud,
    text::{one_line, words},
    vantage::{
        Vantage,
        cutoff::Cutoff,
        http::{ApiReply, Client, RequestFailure},
    },
};

/// Time limit of one request.
pub(super) const LIMIT: Duration = Duration::from_secs(5);
/// Maximum number of requests in flight: well below what the endpoint allows a principal per second (25, after a burst
/// of 250).
const IN_FLIGHT: usize = 12;
/// How often a throttled request is repeated.
const TRIES: u32 = 4;
/// How long to wait before the second attempt if the endpoint does not say; doubled before each further one.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long to wait before requesting the result of an operation if the endpoint does not say.
const POLL: Duration = Duration::from_secs(2);
/// Maximum number of pages: with a hundred entries each, they contain more than any instance may have.
const MAX_PAGES: usize = 100;

/// Maximum length of a message that is shown, in characters.
pub(super) const MAX_MESSAGE: usize = 200;

/// Why there is no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionError {
    /// There is no reply.
    NotSent(RequestFailure),
    /// There is no token.
    NoToken(String),
    /// A status other than 200, and Azure's error.
    Refused(u16, Reason),
    /// It asks for a longer wait than there is time.
    PutOff(u16, Duration),
    /// The list has a next page that cannot be followed.
    Redirected,
    /// An operation did not finish.
    Endless,
    /// The reply is not one of the endpoint's; worded as the rest of a sentence.
    Odd(String),
    /// The reply cannot be read; a complete sentence.
    Unread(String),
}

/// Azure's error. The sentence contains the caller and the resource, so errors of one kind differ in it: it is ignored
/// when they are compared.
#[derive(Debug, Clone, Default, Eq)]
pub(super) struct Reason {
    /// Its `code`.
    pub code: Option<String>,
    /// The beginning of its `message`.
    pub message: Option<String>,
}

impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Reason {
    fn of(body: &str) -> Self {
        let error: Value = serde_json::from_str(body).unwrap_or_default();
        let inner = if error["error"].is_object() {
            &error["error"]
        } else {
            &error
        };
        let is_word = |code: &&str| code.len() <= 80 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let first = |text: &str| one_line(text, MAX_MESSAGE);
        Self {
            code: inner["code"].as_str().filter(is_word).map(str::to_string),
            message: inner["message"].as_str().filter(|text| !text.is_empty()).map(first),
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(failure) => failure.fmt(f),
            Self::NoToken(why) | Self::Unread(why) => f.write_str(why),
            Self::Refused(status, Reason { code, message }) => {
                write!(f, "HTTP {status}")?;
                if let Some(code) = code {
                    write!(f, ", {code}")?;
                }
                match message {
                    Some(message) => write!(f, ": \"{message}\""),
                    None => Ok(()),
                }
            }
            Self::PutOff(status, wait) => {
                write!(
                    f,
                    "HTTP {status}, which asks for a wait of {}, longer than the run may take",
                    words::duration(*wait)
                )
            }
            Self::Redirected => f.write_str("a link to the rest cannot be followed"),
            Self::Endless => f.write_str("it did not finish in time"),
            Self::Odd(why) => write!(f, "the reply {why}"),
        }
    }
}

/// An open session.
pub(super) struct ManagementSession {
    client: Client,
    base: String,
    token: Token,
    turns: Semaphore,
    /// No request is sent before this time: the endpoint counts the requests of one principal.
    not_before: Cell<Instant>,
    end: Instant,
}

impl ManagementSession {
    /// Gets a token for the cloud's management endpoint, and prepares to send requests.
    pub(super) async fn open(
        request: &ManagementRequest<'_>,
        vantage: &Vantage,
        until: &Cutoff,
    ) -> Result<Self, SessionError> {
        let base = base(vantage.cloud);
        let client = Client::verifying(request.roots, &vantage.name_servers).map_err(SessionError::NotSent)?;
        let end = until.end().into();
        let token = token::token(&base, request.identity, end)
            .await
            .map_err(SessionError::NoToken)?;
        Ok(Self {
            client,
            base,
            token,
            turns: Semaphore::new(IN_FLIGHT),
            not_before: Cell::new(Instant::now()),
            end,
        })
    }

    /// The document at a path; `None` if it does not exist (404).
    pub(super) async fn document(&self, path: &str) -> Result<Option<String>, SessionError> {
        let reply = self.ask(Method::GET, &self.url(path), None).await?;
        match reply.status {
            200 => Ok(Some(reply.body)),
            404 => Ok(None),
            _ => Err(refused(&reply)),
        }
    }

    /// The pages of the list at a path; none if the list does not exist (404). `keep` receives each page as it arrives,
    /// so that earlier pages are not lost after an error.
    pub(super) async fn pages(&self, path: &str, mut keep: impl FnMut(String)) -> Result<(), SessionError> {
        let mut next = Some(self.url(path));
        let mut asked: Vec<String> = Vec::new();
        while let Some(url) = next.take() {
            let reply = self.ask(Method::GET, &url, None).await?;
            match reply.status {
                200 => {}
                404 if asked.is_empty() => return Ok(()),
                _ => return Err(refused(&reply)),
            }
            asked.push(url);
            next = next_link(&reply.body)?;
            keep(reply.body);
            if let Some(link) = &next
                && (asked.len() >= MAX_PAGES || asked.contains(link))
            {
                return Err(SessionError::Redirected);
            }
        }
        Ok(())
    }

    /// The result of an operation: the reply to a POST or, if that was only accepted, the content of its `Location`
    /// once it has finished.
    pub(super) async fn operation(&self, path: &str, body: Option<&Value>) -> Result<String, SessionError> {
        // Its alternative needs time as well.
        let end = Instant::now() + self.end.saturating_duration_since(Instant::now()) / 2;
        let mut reply = self.ask(Method::POST, &self.url(path), body).await?;
        let mut place = None;
        while reply.status == 202 {
            if let Some(location) = reply.location.take() {
                place = Some(location);
            }
            let url = place.as_ref().ok_or(SessionError::Redirected)?;
            let wait = reply.retry_after.unwrap_or(POLL);
            if Instant::now() + wait >= end {
                return Err(SessionError::Endless);
            }
            // A server that says "at once" again and again is not followed.
            sleep(wait.max(POLL / 20)).await;
            reply = self.ask(Method::GET, url, None).await?;
        }
        match reply.status {
            200 => Ok(reply.body),
            _ => Err(refused(&reply)),
        }
    }

    /// One reply. A throttled request is repeated, up to [`TRIES`] times if there is time.
    async fn ask(&self, method: Method, url: &str, body: Option<&Value>) -> Result<ApiReply, SessionError> {
        // The token must not be sent anywhere else, wherever a document or a reply points.
        if !is_below(url, &self.base) {
            return Err(SessionError::Redirected);
        }
        let mut pause = RETRY_DELAY;
        for tries_left in (0..TRIES).rev() {
            let reply = self.ask_once(method.clone(), url, body).await?;
            if reply.status != 429 && reply.status < 500 {
                return Ok(reply);
            }
            let wait = reply.retry_after.unwrap_or(pause);
            pause *= 2;
            if Instant::now() + wait >= self.end {
                return Err(SessionError::PutOff(reply.status, wait));
            }
            if tries_left == 0 {
                return Ok(reply);
            }
            if reply.status == 429 {
                self.not_before.set(self.not_before.get().max(Instant::now() + wait));
            }
            sleep(wait).await;
        }
        Err(SessionError::Endless)
    }

    async fn ask_once(&self, method: Method, url: &str, body: Option<&Value>) -> Result<ApiReply, SessionError> {
        let silent = |_| SessionError::NotSent(RequestFailure::Silent);
        let _turn = self.turns.acquire().await.map_err(silent)?;
        sleep_until(self.not_before.get()).await;
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, self.token.header())]);
        let body = body.map_or_else(String::new, Value::to_string);
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let asked = self.client.ask(method, url, headers, body, LIMIT).await;
        let mut reply = asked.map_err(|failure| SessionError::NotSent(self.clean(failure)))?;
        reply.body = self.token.cut_out_of(&reply.body);
        Ok(reply)
    }

    fn url(&self, path: &str) -> String {
        [&self.base, path].concat()
    }

    /// The same without the token: an endpoint may send back what it received.
    fn clean(&self, failure: RequestFailure) -> RequestFailure {
        match failure {
            RequestFailure::Silent => RequestFailure::Silent,
            RequestFailure::Untrusted(why) => RequestFailure::Untrusted(self.token.cut_out_of(&why)),
            RequestFailure::Other(why) => RequestFailure::Other(self.token.cut_out_of(&why)),
        }
    }
}

/// The address of a cloud's management endpoint.
pub(super) fn base(cloud: Cloud) -> String {
    format!("https://{}", cloud.management_host())
}

fn refused(reply: &ApiReply) -> SessionError {
    SessionError::Refused(reply.status, Reason::of(&reply.body))
}

/// The link to the next page; a last page has an empty link or none.
fn next_link(page: &str) -> Result<Option<String>, SessionError> {
    let odd = |what: &str| Err(SessionError::Odd(what.into()));
    let page: Value = match serde_json::from_str(page) {
        Ok(page) => page,
        Err(_) if page.trim_start().starts_with('<') => return odd("is a web page"),
        Err(_) => return odd("is not JSON"),
    };
    if !page.is_object() && !page.is_array() {
        return odd("is not a list");
    }
    Ok(page["nextLink"]
        .as_str()
        .filter(|link| !link.is_empty())
        .map(str::to_string))
}

/// Reads a reply as an error and as a page of a list: returns the error's text, and the next page's link.
pub(super) fn read(body: &str, base: &str) -> (String, Option<String>) {
    let next = next_link(body).ok().flatten().filter(|link| is_below(link, base));
    (refused(&ApiReply::of(400, body)).to_string(), next)
}

/// Whether a link points to the same endpoint: the token must not be sent anywhere else.
fn is_below(link: &str, base: &str) -> bool {
    let whole = |text: &str| text.parse::<Url>().ok();
    let (Some(link), Some(base)) = (whole(link), whole(base)) else {
        return false;
    };
    // A name before the host would be sent as one more header.
    link.origin() == base.origin() && link.username().is_empty() && link.password().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn token_is_sent_to_the_management_endpoint_only() {
        let base = "https://management.azure.com";
        assert!(is_below("https://management.azure.com/subscriptions/0?page=2", base));
        assert!(is_below("https://MANAGEMENT.azure.com:443/x", base));
        for elsewhere in [
            "https://management.azure.com.evil.example/x",
            "https://management.azure.com@evil.example/x",
            "https://name@management.azure.com/x",
            "https://:word@management.azure.com/x",
            "http://management.azure.com/x",
            "https://management.azure.com:8443/x",
            "/subscriptions/0",
            "not a link",
        ] {
            assert!(!is_below(elsewhere, base), "{elsewhere}");
        }
    }

    #[test]
    fn last_page_has_an_empty_or_missing_next_link() {
        let link = |page: &str| next_link(page);
        assert_eq!(link(r#"{"value":[],"nextLink":""}"#), Ok(None));
        assert_eq!(link(r#"{"value":[]}"#), Ok(None));
        assert_eq!(link(r#"{"nextLink":"https://x/y"}"#), Ok(Some("https://x/y".into())));
        assert_eq!(link("<html>"), Err(SessionError::Odd("is a web page".into())));
        assert!(link("").is_err() && link("7").is_err());
    }

    proptest! {
        #[test]
        fn any_answer_does_not_panic(body: String, status in 100_u16..600) {
            let _ = next_link(&body);
            let _ = refused(&ApiReply::of(status, &body)).to_string();
        }
    }
}
