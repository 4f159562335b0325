//! An HTTP response on a connection, and the facts read from it.

#![no_main]

mod peer;

use apim_probe::hello::{ExchangeEnd, KEPT, ProtocolReply, http};
use libfuzzer_sys::fuzz_target;
use peer::{Peer, converse};

fuzz_target!(|bytes: &[u8]| {
    let greeting = converse(async |deadline| http::greet(&mut Peer(bytes), "x.example", None, deadline).await);
    assert!(greeting.received.len() <= KEPT);
    assert_ne!(greeting.end, ExchangeEnd::TimedOut);
    if let ExchangeEnd::Replied(ProtocolReply::Http(reply)) = &greeting.end {
        assert!(reply.body.len() <= http::BODY);
        http::denial(reply);
        http::foreign_redirect(reply, "x.example", &["*.y.example".to_owned()]);
    }
    if let Some(kind) = std::str::from_utf8(bytes).ok().and_then(http::object_kind) {
        kind.matches(bytes);
    }
});
