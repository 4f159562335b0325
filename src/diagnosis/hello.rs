//! What an exchange in a service's own protocol means.

use super::http;
use crate::{
    diagnosis::outcome::{AttemptVerdict, Judged},
    hello::{ExchangeEnd, ProtocolReply},
    model::{Cause, Protocol},
    plan::PlannedEndpoint,
    probe::trace::HelloTrace,
    text::{excerpt, words},
};

/// What is said before TLS (TDS PRELOGIN, the first AMQP header).
pub(super) fn before_tls(hello: &HelloTrace) -> Judged {
    match &hello.greeting.end {
        ExchangeEnd::Replied(reply) => Judged::new(AttemptVerdict::Proved, describe_reply(reply)),
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(AttemptVerdict::Failed(cause), seen)
        }
    }
}

/// After a verified handshake the service is verified: every reply confirms it, and a cut makes it degraded.
pub(super) fn behind_tls(hello: &HelloTrace, asked_for_certificate: bool) -> Judged {
    match &hello.greeting.end {
        ExchangeEnd::Replied(reply) => Judged::new(AttemptVerdict::Proved, describe_reply(reply)),
        ExchangeEnd::Foreign { why } => {
            Judged::new(AttemptVerdict::Proved, format!("verified certificate, then {why}"))
        }
        ExchangeEnd::Reset | ExchangeEnd::Closed | ExchangeEnd::Alert(_) if asked_for_certificate => Judged::new(
            AttemptVerdict::Proved,
            "verified certificate; it requires a client certificate, as this service does",
        ),
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(
                AttemptVerdict::Degraded(cause),
                format!("verified certificate, then {}", after_acceptance(&seen)),
            )
        }
    }
}

/// What was seen of an accepted connection, as the rest of a sentence that has said so.
pub(super) fn after_acceptance(seen: &str) -> &str {
    seen.strip_prefix("accepted, then ").unwrap_or(seen)
}

/// A conversation without TLS, which must verify the service by itself.
pub(super) fn in_the_clear(endpoint: &PlannedEndpoint, hello: &HelloTrace) -> Judged {
    match &hello.greeting.end {
        ExchangeEnd::Replied(ProtocolReply::Http(reply)) => http::judge(endpoint, reply),
        ExchangeEnd::Replied(reply) => Judged::new(AttemptVerdict::Proved, describe_reply(reply)),
        // Whatever answers on port 80 was reached; it just is not the file that was requested.
        ExchangeEnd::Foreign { why } if endpoint.protocol == Protocol::Http => {
            Judged::new(AttemptVerdict::Unproven(Some(Cause::HelloUnexpected)), why.clone())
        }
        end => {
            let (cause, seen) = ended(end, hello);
            Judged::new(AttemptVerdict::Failed(cause), seen)
        }
    }
}

fn describe_reply(reply: &ProtocolReply) -> String {
    match reply {
        ProtocolReply::Spoke { proof } | ProtocolReply::Upgrade { proof } => proof.clone(),
        ProtocolReply::Http(reply) => http::status_line(reply),
    }
}

fn ended(end: &ExchangeEnd, hello: &HelloTrace) -> (Cause, String) {
    let after = words::duration(hello.duration);
    let received = &hello.greeting.received;
    let but = if received.is_empty() {
        String::new()
    } else {
        format!(", after {}", excerpt(received))
    };
    match end {
        ExchangeEnd::Reset => (
            Cause::HelloReset,
            format!("accepted, then reset after our request ({after}){but}"),
        ),
        ExchangeEnd::Closed => (
            Cause::HelloClosed,
            format!("accepted, then closed after our request ({after}){but}"),
        ),
        ExchangeEnd::TimedOut => (
            Cause::HelloTimeout,
            format!("accepted, then no reply to our request for {after}{but}"),
        ),
        ExchangeEnd::Alert(alert) => (
            Cause::HelloClosed,
            format!("the TLS alert {alert} in answer to our request"),
        ),
        ExchangeEnd::Foreign { why } => (
            Cause::HelloUnexpected,
            format!("something answered, but not this protocol: {why}"),
        ),
        // Not a system error: TLS could not read the data.
        ExchangeEnd::Failed { errno: None, text } => {
            (Cause::HelloUnexpected, format!("the reply cannot be read: {text}"))
        }
        ExchangeEnd::Failed { text, .. } => (Cause::HelloReset, format!("the connection failed: {text}")),
        ExchangeEnd::Replied(reply) => (Cause::HelloUnexpected, describe_reply(reply)),
    }
}
