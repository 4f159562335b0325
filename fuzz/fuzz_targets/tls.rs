//! A server's part of a TLS handshake.

#![no_main]

mod peer;

use std::sync::{Arc, LazyLock};

use apim_probe::net::tls::{TlsClient, TlsEnd, roots::Roots};
use libfuzzer_sys::fuzz_target;
use peer::{Peer, converse};

static CLIENT: LazyLock<TlsClient> = LazyLock::new(|| TlsClient::new(Arc::new(Roots::builtin())));

fuzz_target!(|bytes: &[u8]| {
    let (trace, stream) =
        converse(|deadline| CLIENT.handshake(Peer(bytes), Arc::new(["x.example".to_owned()]), deadline));
    // A server that sends the same to every client cannot prove possession of a key.
    assert!(!trace.key_proved && stream.is_none());
    assert!(!matches!(trace.end, TlsEnd::Completed | TlsEnd::Silent), "{trace:?}");
    assert!(trace.received.len() <= 256);
});
