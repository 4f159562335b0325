//! A chain of certificates, each with its length in two bytes before it.

#![no_main]

use std::{sync::LazyLock, time::Duration};

use apim_probe::net::tls::{
    chain::{ChainFacts, Trust},
    roots::Roots,
};
use libfuzzer_sys::fuzz_target;
use rustls::pki_types::{CertificateDer, UnixTime};

static ROOTS: LazyLock<Roots> = LazyLock::new(Roots::builtin);
/// In the middle of the seeds' validity period.
const NOW: Duration = Duration::from_secs(1_800_000_000);

fuzz_target!(|bytes: &[u8]| {
    let mut certificates = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk() {
        let (der, after) = after.split_at(after.len().min(u16::from_be_bytes(*length).into()));
        certificates.push(CertificateDer::from(der));
        rest = after;
    }
    let Some((leaf, sent)) = certificates.split_first() else {
        return;
    };
    let names = ["x.example".to_owned(), "*.y.example".to_owned()];
    let facts = ChainFacts::gather(leaf, sent, &names, &ROOTS, UnixTime::since_unix_epoch(NOW));
    // The key of a public CA is not available here.
    assert_ne!(facts.trust, Trust::Trusted);
    for text in facts.names.iter().chain([&facts.subject, &facts.issuer]) {
        assert!(text.chars().count() <= 201, "{text}");
    }
});
