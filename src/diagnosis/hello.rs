//! What a conversation in a service's own protocol means.

use super::http;
use crate::{
    diagnosis::outcome::{Judged, Standing},
    hello::{End, Reply},
    model::{Cause, Protocol},
    plan::Endpoint,
    probe::trace::Hello,
    text::{excerpt, words},
};

/// What is said before TLS (TDS PRELOGIN, the first AMQP header).
pub(super) fn before_tls(hello: &Hello) -> Judged {
    match &hello.greeting.end {
        End::Replied(reply) => Judged::new(Standing::Proved, said(reply)),
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(Standing::Failed(cause), seen)
        }
    }
}

/// Behind a verified handshake the service is proved already: every reply confirms it, and a cut shakes it.
pub(super) fn behind_tls(hello: &Hello, asked_for_certificate: bool) -> Judged {
    match &hello.greeting.end {
        End::Replied(reply) => Judged::new(Standing::Proved, said(reply)),
        End::Foreign { why } => Judged::new(Standing::Proved, format!("verified certificate, then {why}")),
        End::Reset | End::Closed | End::Alert(_) if asked_for_certificate => Judged::new(
            Standing::Proved,
            "verified certificate; it requires a client certificate, as this service does",
        ),
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(Standing::Shaken(cause), format!("verified certificate, then {seen}"))
        }
    }
}

/// A conversation without TLS, which must prove the service by itself.
pub(super) fn in_the_clear(endpoint: &Endpoint, hello: &Hello) -> Judged {
    match &hello.greeting.end {
        End::Replied(Reply::Http(reply)) => http::judge(endpoint, reply),
        End::Replied(reply) => Judged::new(Standing::Proved, said(reply)),
        // Whatever answers on port 80 let us through; it just is not the object that was asked for.
        End::Foreign { why } if endpoint.protocol == Protocol::Http => {
            Judged::new(Standing::Unproven(Some(Cause::HelloUnexpected)), why.clone())
        }
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(Standing::Failed(cause), seen)
        }
    }
}

fn said(reply: &Reply) -> String {
    match reply {
        Reply::Spoke { proof } | Reply::Upgrade { proof } => proof.clone(),
        Reply::Http(reply) => http::status_line(reply),
    }
}

fn ended(end: &End, hello: &Hello) -> (Cause, String) {
    let after = words::duration(hello.duration);
    let received = &hello.greeting.received;
    let but = if received.is_empty() {
        String::new()
    } else {
        format!(", after {}", excerpt(received))
    };
    match end {
        End::Reset => (
            Cause::HelloReset,
            format!("accepted, then reset after our request ({after}){but}"),
        ),
        End::Closed => (
            Cause::HelloClosed,
            format!("accepted, then closed after our request ({after}){but}"),
        ),
        End::TimedOut => (
            Cause::HelloTimeout,
            format!("accepted, then no reply to our request for {after}{but}"),
        ),
        End::Alert(alert) => (
            Cause::HelloClosed,
            format!("the TLS alert {alert} in answer to our request"),
        ),
        End::Foreign { why } => (
            Cause::HelloUnexpected,
            format!("something answered, but not this protocol: {why}"),
        ),
        // No system error: TLS could not read what came.
        End::Failed { errno: None, text } => (Cause::HelloUnexpected, format!("the reply cannot be read: {text}")),
        End::Failed { text, .. } => (Cause::HelloReset, format!("the connection failed: {text}")),
        End::Replied(reply) => (Cause::HelloUnexpected, said(reply)),
    }
}
