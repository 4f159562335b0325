//! The replies: pages of the last round. No request starts a probe.

use std::borrow::Cow;

use http_body_util::Full;
use hyper::{
    Method, Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS},
};

use crate::serve::{ServeState, metrics};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// The available paths, as the reply to an unknown one.
const KNOWN: &str =
    "Not found. Available: / (the last round as a page), /report.json, /metrics, /-/healthy, /-/ready\n";
const NO_ROUND: &str = "No round has finished yet.\n";

/// The reply to a request.
pub(super) fn answer(method: &Method, path: &str, serve_state: &ServeState) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = response(
            StatusCode::METHOD_NOT_ALLOWED,
            TEXT,
            text("Only GET and HEAD are supported.\n"),
        );
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/metrics" => response(
            StatusCode::OK,
            metrics::TYPE,
            Full::new(metrics::page(serve_state).into()),
        ),
        "/-/healthy" if serve_state.read().is_stuck() => response(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            text("The current round is overdue.\n"),
        ),
        "/-/healthy" => response(StatusCode::OK, TEXT, text("healthy\n")),
        "/" | "/report.json" | "/-/ready" => {
            let shown = serve_state.read().shown.clone();
            let Some(shown) = shown else {
                return response(StatusCode::SERVICE_UNAVAILABLE, TEXT, text(NO_ROUND));
            };
            match path {
                "/" => response(StatusCode::OK, HTML, shown.html()),
                "/report.json" => response(StatusCode::OK, JSON, shown.json()),
                _ => response(StatusCode::OK, TEXT, text("ready\n")),
            }
        }
        _ => response(StatusCode::NOT_FOUND, TEXT, text(KNOWN)),
    }
}

/// The reply to a client without access.
pub(super) fn refusal() -> Response<Full<Bytes>> {
    let mut refused = response(StatusCode::UNAUTHORIZED, TEXT, text("Unauthorized\n"));
    let challenge = HeaderValue::from_static("Basic realm=\"apim-probe\", charset=\"UTF-8\"");
    refused.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    refused
}

fn text(text: impl Into<Cow<'static, str>>) -> Full<Bytes> {
    Full::new(Bytes::from(text.into().into_owned()))
}

fn response(status: StatusCode, kind: &'static str, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // An old round counts as none.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::{Method, StatusCode};

    use super::{ServeState, answer, metrics};

    #[test]
    fn health_route_gives_503_when_rounds_are_stuck() {
        for (stale_after, status) in [
            (Duration::ZERO, StatusCode::SERVICE_UNAVAILABLE),
            (Duration::from_secs(600), StatusCode::OK),
        ] {
            let serve_state = ServeState::new(stale_after);
            // More than zero time has passed.
            while serve_state.read().is_stuck() != stale_after.is_zero() {
                std::thread::yield_now();
            }
            assert_eq!(answer(&Method::GET, "/-/healthy", &serve_state).status(), status);
            assert_eq!(answer(&Method::GET, "/metrics", &serve_state).status(), StatusCode::OK);
            assert!(
                metrics::page(&serve_state).contains("\napim_probe_up 0\n"),
                "no round yet"
            );
        }
    }
}
