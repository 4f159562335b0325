//! What a plain HTTP response proves. Any device on the path can send one, so only a response that a middlebox would
//! not send counts.

use super::outcome::Judged;
use crate::{
    diagnosis::outcome::AttemptVerdict,
    hello::http::{HttpReply, denial, foreign_redirect, object_kind},
    model::Cause,
    plan::PlannedEndpoint,
};

/// Judges a response over plain HTTP.
pub(super) fn judge(endpoint: &PlannedEndpoint, reply: &HttpReply) -> Judged {
    let path = endpoint.path.as_deref().unwrap_or("/");
    let kind = object_kind(path);
    let line = status_line(reply);
    if let Some(kind) = kind.filter(|kind| kind.matches(&reply.body)) {
        return Judged::new(AttemptVerdict::Proved, format!("{line} with {}", kind.name()));
    }
    if let Some(denial) = denial(reply) {
        return Judged::new(AttemptVerdict::Failed(Cause::HttpDenied), denial.to_string());
    }
    if let Some(target) = foreign_redirect(reply, &endpoint.host, &endpoint.names) {
        return Judged::new(
            AttemptVerdict::Failed(Cause::HttpDenied),
            format!("{line}, a redirect to {target}"),
        );
    }
    let unproven = |seen| Judged::new(AttemptVerdict::Unproven(Some(Cause::HelloUnexpected)), seen);
    match (kind, path, reply.status) {
        (Some(kind), ..) => unproven(format!("{line}, but not {}", kind.name())),
        (None, "/", 200..=399 | 400 | 404 | 405) => Judged::new(AttemptVerdict::Proved, line),
        (None, "/", _) => unproven(format!("{line}, which any server could send")),
        (None, ..) => unproven(format!("{line}, which does not prove which server sent it")),
    }
}

/// The first line of a response, if it helps.
pub(super) fn status_line(reply: &HttpReply) -> String {
    let server = reply
        .header("server")
        .map(|server| format!(" from \"{server}\""))
        .unwrap_or_default();
    format!("HTTP {}{server}", reply.status)
}
