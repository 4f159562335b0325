//! The verifier that records instead of aborting.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

use super::{
    chain::{ChainFacts, cache::ChainCache},
    roots::Roots,
};

/// The observations of one handshake.
#[derive(Debug, Default)]
pub(super) struct HandshakeRecord {
    pub chain: Option<Arc<ChainFacts>>,
    pub key_proved: bool,
    pub asked: bool,
    pub version: Option<ProtocolVersion>,
}

/// Verifier and client certificate resolver of one connection: both only record.
#[derive(Debug)]
pub(super) struct RecordingVerifier {
    roots: Arc<Roots>,
    chains: Arc<ChainCache>,
    names: Arc<[String]>,
    seen: Mutex<HandshakeRecord>,
}

impl RecordingVerifier {
    pub(super) fn new(roots: Arc<Roots>, chains: Arc<ChainCache>, names: Arc<[String]>) -> Self {
        Self {
            roots,
            chains,
            names,
            seen: Mutex::default(),
        }
    }

    /// The observations, once the handshake has ended.
    pub(super) fn take(&self) -> HandshakeRecord {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, note: impl FnOnce(&mut HandshakeRecord)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let facts = ChainFacts::gather(leaf, intermediates, &self.names, &self.roots, now);
        let facts = self.chains.share(facts);
        self.note(|seen| seen.chain = Some(facts));
        Ok(ServerCertVerified::assertion())
    }

    // The signatures are still checked: without them, not even possession of the chain's key is proved.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(|seen| seen.version = Some(ProtocolVersion::TLSv1_2));
        let valid = verify_tls12_signature(message, leaf, signature, self.roots.algorithms())?;
        self.note(|seen| seen.key_proved = true);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note(|seen| seen.version = Some(ProtocolVersion::TLSv1_3));
        let valid = verify_tls13_signature(message, leaf, signature, self.roots.algorithms())?;
        self.note(|seen| seen.key_proved = true);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.algorithms().supported_schemes()
    }
}

impl ResolvesClientCert for RecordingVerifier {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.note(|seen| seen.asked = true);
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        false
    }

    fn has_certs(&self) -> bool {
        false
    }
}
