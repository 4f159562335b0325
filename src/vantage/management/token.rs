//! The token of the VM's managed identity.

use std::{fmt, time::Duration};

use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::session::{LIMIT, MAX_MESSAGE};
use crate::{
    text::one_line,
    vantage::{http::RequestFailure, metadata, secret::Secret},
};

/// The version of the identity service, the only one
/// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
const API_VERSION: &str = "2018-02-01";
/// Maximum size of a reply with a token, in bytes: tokens have about two thousand.
const MAX_BYTES: usize = 64 << 10;
/// How a header says what follows (RFC 6750 §2.1).
const SCHEME: &str = "Bearer ";

/// Its holder can act as the VM. It is never shown, and is wiped with the last request that carries it.
pub(super) struct Token(HeaderValue);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// `None` for anything that is not a token (RFC 6750 §2.1).
    fn new(text: &str) -> Option<Self> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        let mut secret = Secret::with_room_for(SCHEME.len() + text.len());
        let whole = secret.append(SCHEME.as_bytes()) && secret.append(text.as_bytes());
        (whole && !text.is_empty() && text.bytes().all(is_token))
            .then(|| secret.into_header().map(Self))
            .flatten()
    }

    /// The header that contains it.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// A text without it: an endpoint may send back what it received.
    pub(super) fn cut_out_of(&self, text: &str) -> String {
        let token = self.0.to_str().ok().and_then(|header| header.strip_prefix(SCHEME));
        if !text.contains('\\') && token.is_some_and(|token| !text.contains(token)) {
            return text.to_string();
        }
        // Serialized again, JSON has only one notation.
        let plain = serde_json::from_str::<Value>(text).map_or_else(|_| text.to_string(), |value| value.to_string());
        token.map_or_else(String::new, |token| plain.replace(token, "[token]"))
    }
}

/// How often a metadata service that is busy or being updated is queried, and the pause before the second attempt; it
/// doubles before each further one (the page about tokens asks for no less).
const TRIES: u32 = 4;
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Requests a token of the VM's managed identity, or of the one with this client id, from the metadata service, until
/// `end`.
pub(super) async fn token(audience: &str, identity: Option<&str>, end: Instant) -> Result<Token, String> {
    let path = format!("/metadata/identity/oauth2/token?api-version={API_VERSION}&resource={audience}/");
    let path = match identity {
        Some(id) => format!("{path}&client_id={id}"),
        None => path,
    };
    let mut pause = RETRY_DELAY;
    for tries_left in (0..TRIES).rev() {
        match metadata::get_secret(&path, MAX_BYTES, LIMIT).await {
            Ok((404 | 410 | 429 | 500..=599, _)) if tries_left > 0 && Instant::now() + pause < end => {
                sleep(pause).await;
                pause *= 2;
            }
            Ok((status, body)) => return read_token(status, &body, identity),
            Err(RequestFailure::Silent) => break,
            Err(RequestFailure::Untrusted(why) | RequestFailure::Other(why)) => {
                return Err(format!("the metadata service gave no token ({why})"));
            }
        }
    }
    Err("no metadata service answered, so there is no token".into())
}

/// Whether these bytes are a reply with a token, which is wiped at once.
pub(crate) fn is_in(answer: &[u8]) -> bool {
    let mut body = Secret::with_room_for(answer.len());
    body.append(answer) && read_token(200, &body, None).is_ok()
}

fn read_token(status: u16, body: &Secret, identity: Option<&str>) -> Result<Token, String> {
    /// Borrowed, so that no copy remains.
    #[derive(Deserialize)]
    struct TokenResponse<'a> {
        access_token: &'a str,
    }
    match status {
        200 => {}
        400 => return Err(no_identity(body, identity)),
        status => return Err(format!("the metadata service gave no token (HTTP {status})")),
    }
    serde_json::from_slice::<TokenResponse<'_>>(body.bytes())
        .ok()
        .and_then(|answer| Token::new(answer.access_token))
        .ok_or_else(|| "what answered instead of the metadata service sent no token".into())
}

/// The meaning of a 400: the service needs to know which of several identities to use, or there is none. It says so
/// only in a sentence, which may change, so the sentence is shown and not interpreted.
fn no_identity(body: &Secret, identity: Option<&str>) -> String {
    #[derive(Deserialize)]
    struct ErrorResponse {
        error_description: String,
    }
    let error = serde_json::from_slice::<ErrorResponse>(body.bytes())
        .ok()
        .map(|answer| format!(": \"{}\"", one_line(&answer.error_description, MAX_MESSAGE)))
        .unwrap_or_default();
    match identity {
        Some(id) => format!(
            "the metadata service gave no token for the identity {id} (HTTP 400{error}): compare it with the client id \
             that `az identity show --query clientId` prints, and assign the identity to this VM with `az vm identity \
             assign`"
        ),
        None => format!(
            "the metadata service gave no token (HTTP 400{error}): if this VM has several managed identities, pass \
             --identity CLIENT_ID; if it has no managed identity, assign one, for example with `az vm identity assign`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn token_is_parsed_and_never_printed() {
        let answer = |status, body: &str| read_token(status, &secret(body.as_bytes()), None);
        let token = answer(
            200,
            r#"{"access_token":"s3cret","expires_in":"86399","token_type":"Bearer"}"#,
        )
        .unwrap();
        assert_eq!(token.header(), "Bearer s3cret");
        assert!(!format!("{token:?} {:?}", token.header()).contains("s3cret"));
        assert_eq!(token.cut_out_of("you sent s3cret"), "you sent [token]");
        assert_eq!(token.cut_out_of(r#"["\u00733cret"]"#), r#"["[token]"]"#);
        for (status, body) in [
            (
                400,
                r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
            ),
            (404, ""),
            (200, "<html>"),
            (200, "{}"),
            (200, r#"{"access_token":""}"#),
            (200, "{\"access_token\":\"s3cret\\r\\nX: y\"}"),
            (200, "{\"access_token\":\"s3cret X\"}"),
            // A server that escapes a letter is not the metadata service.
            (200, "{\"access_token\":\"\\u00733cret\"}"),
        ] {
            let error = answer(status, body).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    fn secret(bytes: &[u8]) -> Secret {
        let mut secret = Secret::with_room_for(bytes.len());
        assert!(secret.append(bytes));
        secret
    }

    proptest! {
        #[test]
        fn any_answer_does_not_panic(status in 100_u16..600, body: Vec<u8>) {
            let _ = read_token(status, &secret(&body), None);
        }
    }
}
