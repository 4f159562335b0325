//! The token of the VM's managed identity.

use std::fmt;

use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use super::LIMIT;
use crate::{
    azure::METADATA,
    vantage::{
        http::{Client, Failure, Reply},
        metadata,
    },
};

/// The version of the identity service, the only one
/// (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).
const API_VERSION: &str = "2018-02-01";

/// Whoever holds it is the VM. It is shown nowhere, whatever happens.
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The header that presents it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// A text without it: an endpoint may send back what it was sent.
    pub(super) fn cut_out_of(&self, text: &str) -> String {
        // Written anew, JSON has one way of writing it.
        let plain = serde_json::from_str::<Value>(text).map_or_else(|_| text.to_string(), |value| value.to_string());
        plain.replace(&self.0, "[token]")
    }
}

/// Asks the metadata service for a token of the VM's managed identity.
pub(super) async fn token(client: &Client, audience: &str) -> Result<Token, String> {
    let url =
        format!("http://{METADATA}/metadata/identity/oauth2/token?api-version={API_VERSION}&resource={audience}/");
    let reply = match client.get(&url, metadata::HEADER, metadata::TRUE, LIMIT).await {
        Ok(reply) => reply,
        Err(Failure::Silent) => return Err("no metadata service answered, so there is no token".into()),
        Err(Failure::Untrusted(why) | Failure::Other(why)) => {
            return Err(format!("the metadata service gave no token ({why})"));
        }
    };
    read_token(&reply)
}

fn read_token(reply: &Reply) -> Result<Token, String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
    }
    match reply.status {
        200 => {}
        400 => {
            return Err(
                "this VM has no managed identity (HTTP 400): give it one, for example `az vm identity assign`".into(),
            );
        }
        status => return Err(format!("the metadata service gave no token (HTTP {status})")),
    }
    let answer: Option<Answer> = serde_json::from_str(&reply.body).ok();
    answer
        .map(|answer| Token(answer.access_token))
        .filter(|token| !token.0.is_empty() && token.header().is_some())
        .ok_or_else(|| "what answered in place of the metadata service sent no token".into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_read_and_never_shown() {
        let answer = |status, body: &str| {
            read_token(&Reply {
                status,
                body: body.into(),
            })
        };
        let token = answer(
            200,
            r#"{"access_token":"s3cret","expires_in":"86399","token_type":"Bearer"}"#,
        )
        .unwrap();
        assert_eq!(token.header().unwrap(), "Bearer s3cret");
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
        ] {
            let said = answer(status, body).unwrap_err();
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(status in 100_u16..600, body: String) {
            let _ = read_token(&Reply { status, body });
        }
    }
}
