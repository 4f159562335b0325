//! One TLS handshake; the server's chain is kept whatever happens.
//!
//! rustls with ring, TLS 1.2 and 1.3, no resumption, no ALPN. The verifier never aborts: it records the result for the
//! chain and lets the handshake continue, so that a wrong chain is evidence and not an error.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    CertificateError, ClientConfig, Error as TlsError, ProtocolVersion, RootCertStore, SupportedCipherSuite,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{IpAddr as PkiIpAddr, ServerName},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub mod chain;
mod completing_verifier;
mod recording_verifier;
pub mod roots;
mod signatures;

use self::{
    chain::{ChainFacts, cache::ChainCache},
    completing_verifier::CompletingVerifier,
    recording_verifier::RecordingVerifier,
    roots::Roots,
};
use super::{SocketFailure, is_reset, recording_stream::RecordingStream};

/// The result of one handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTrace {
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub end: TlsEnd,
    /// The protocol version, if one was agreed.
    pub version: Option<&'static str>,
    /// The cipher suite agreed.
    pub cipher: Option<&'static str>,
    /// What the server presented, even if the handshake failed later.
    pub chain: Option<Arc<ChainFacts>>,
    /// Whether the server proved possession of its certificate's key.
    pub key_proved: bool,
    /// Whether the server requested a client certificate.
    pub asked_for_certificate: bool,
    /// The first bytes received, if the handshake was not completed.
    pub received: Vec<u8>,
}

/// How a handshake ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsEnd {
    /// It was completed, which says nothing about the chain.
    Completed,
    /// The connection was reset.
    Reset,
    /// The connection was closed.
    Closed,
    /// Nothing more came.
    Silent,
    /// The peer sent a fatal alert, by its name (RFC 8446 §6).
    Alert(String),
    /// The peer sent something that is not TLS.
    NotTls {
        /// What it is, as a fragment, if its bytes are not among those received.
        what: Option<String>,
    },
    /// The peer speaks TLS, but nothing that we or a current Windows accept.
    Incompatible(String),
    /// The peer speaks TLS and sent its `ServerHello`, but the data after it cannot be read; why.
    Garbled(String),
    /// The peer did not prove possession of its certificate's key; why, in one sentence.
    KeyNotProved(String),
    /// The socket failed.
    Failed(SocketFailure),
}

/// Makes handshakes whose chains are verified with one set of roots.
#[derive(Debug, Clone)]
pub struct TlsClient {
    template: Arc<ClientConfig>,
    roots: Arc<Roots>,
    chains: Arc<ChainCache>,
}

impl TlsClient {
    /// A client that verifies chains with `roots`.
    ///
    /// # Panics
    ///
    /// Never: ring supports both protocol versions.
    pub fn new(roots: Arc<Roots>) -> Self {
        let chains = Arc::<ChainCache>::default();
        let recorder = Arc::new(RecordingVerifier::new(roots.clone(), chains.clone(), Arc::default()));
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(recorder)
            .with_no_client_auth();
        // With a resumed session there would be no certificate.
        config.resumption = Resumption::disabled();
        Self {
            template: Arc::new(config),
            roots,
            chains,
        }
    }

    /// Makes a handshake over `stream` until `deadline` at the latest.
    ///
    /// The certificate must be for one of `names`, which may contain wildcards; the first name without one is sent as
    /// SNI in the ClientHello. If there is none, no SNI is sent, as for a SQL gateway that is known by its address
    /// only.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        names: Arc<[String]>,
        deadline: tokio::time::Instant,
    ) -> (TlsTrace, Option<TlsStream<RecordingStream<S>>>) {
        let started = Instant::now();
        let sni = names
            .iter()
            .find_map(|name| ServerName::try_from(name.clone()).ok())
            .unwrap_or(ServerName::IpAddress(PkiIpAddr::V4([0, 0, 0, 0].into())));
        // The verifier belongs to the configuration, so each connection needs a separate configuration.
        let recorder = Arc::new(RecordingVerifier::new(self.roots.clone(), self.chains.clone(), names));
        let mut config = (*self.template).clone();
        config.dangerous().set_certificate_verifier(recorder.clone());
        config.client_auth_cert_resolver = recorder.clone();

        let (tap, received) = RecordingStream::new(stream);
        let connecting = TlsConnector::from(Arc::new(config)).connect(sni, tap);
        let result = tokio::time::timeout_at(deadline, connecting).await;
        let received = received.bytes();
        let (end, stream) = match result {
            Ok(Ok(stream)) => (TlsEnd::Completed, Some(stream)),
            Ok(Err(error)) => (failure(&error, &received), None),
            Err(_) if is_foreign(&received) => (TlsEnd::NotTls { what: None }, None),
            Err(_) => (TlsEnd::Silent, None),
        };
        let seen = recorder.take();
        let agreed = stream.as_ref().map(|stream| stream.get_ref().1);
        let trace = TlsTrace {
            duration: started.elapsed(),
            end,
            version: agreed
                .and_then(|connection| connection.protocol_version())
                .or(seen.version)
                .and_then(version),
            cipher: agreed
                .and_then(|connection| connection.negotiated_cipher_suite())
                .and_then(|suite| suite.suite().as_str()),
            chain: seen.chain,
            key_proved: seen.key_proved,
            asked_for_certificate: seen.asked,
            received: if stream.is_some() { Vec::new() } else { received },
        };
        (trace, stream)
    }
}

/// A configuration that, unlike a probe's, refuses a server whose chain does not end in `roots`; without any, every
/// server.
///
/// # Panics
///
/// Never: ring supports both protocol versions.
pub fn verifying(roots: Option<&Roots>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3");
    match roots {
        Some(roots) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(CompletingVerifier::new(roots))),
        None => builder.with_root_certificates(RootCertStore::empty()),
    }
    .with_no_client_auth()
}

/// The cryptography provider for everything here, never the process's default.
///
/// AES-128 comes first, as in browsers: most processors have instructions for its SHA-256, but not for the SHA-384 that
/// comes with AES-256. If the server lets the client choose, this saves 6 % of the processor time of a complete probe
/// of an https endpoint.
pub fn provider() -> Arc<CryptoProvider> {
    let is_aes_128 = |suite: &SupportedCipherSuite| suite.suite().as_str().is_some_and(|name| name.contains("AES_128"));
    let mut provider = rustls::crypto::ring::default_provider();
    // Stable: the others keep their order.
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite));
    Arc::new(provider)
}

/// The name of a TLS alert in an error of a TLS stream, if it is one.
///
/// rustls puts it into the payload of the `io::Error`; `source()` skips that.
pub fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

fn failure(error: &io::Error, received: &[u8]) -> TlsEnd {
    use CertificateError::BadSignature;
    if is_foreign(received) {
        return TlsEnd::NotTls { what: None };
    }
    match tls_error(error) {
        Some(TlsError::AlertReceived(alert)) => TlsEnd::Alert(format!("{alert:?}")),
        Some(TlsError::PeerIncompatible(why)) => TlsEnd::Incompatible(format!("{why:?}")),
        // For example if it selects a cipher that was not offered.
        Some(TlsError::PeerMisbehaved(why)) => TlsEnd::Incompatible(format!("{why:?}")),
        // The verifier accepts every chain: only signatures made with the certificate's key can fail.
        Some(TlsError::InvalidCertificate(BadSignature)) => {
            TlsEnd::KeyNotProved("the peer does not hold the key of the certificate that it presents".into())
        }
        Some(TlsError::InvalidCertificate(why)) => {
            TlsEnd::KeyNotProved(format!("the peer's own signature cannot be checked: {why}"))
        }
        Some(why) if is_server_hello(received) => TlsEnd::Garbled(why.to_string()),
        Some(_) => TlsEnd::NotTls { what: None },
        None if is_reset(error) => TlsEnd::Reset,
        None if error.kind() == io::ErrorKind::UnexpectedEof => TlsEnd::Closed,
        // The layer that carries the handshake (TDS packets) found bytes in a wrong format.
        None if error.kind() == io::ErrorKind::InvalidData => TlsEnd::NotTls {
            what: Some(error.to_string()),
        },
        None => TlsEnd::Failed(SocketFailure::later(error, Vec::new())),
    }
}

/// Whether the first byte cannot begin a TLS record (RFC 8446 §5.1: content types 20 to 24).
fn is_foreign(received: &[u8]) -> bool {
    received.first().is_some_and(|first| !(20..=24).contains(first))
}

/// Whether a handshake record with a `ServerHello` arrived (RFC 8446 §4, §5.1).
fn is_server_hello(received: &[u8]) -> bool {
    matches!(received, [22, 3, _, _, _, 2, ..])
}

fn version(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, crypto::ring::default_provider};

    use super::*;

    #[test]
    fn aes_128_is_offered_first_among_all_cipher_suites() {
        let suites = |provider: &CryptoProvider| -> Vec<CipherSuite> {
            provider.cipher_suites.iter().map(SupportedCipherSuite::suite).collect()
        };
        let (mut ours, mut all) = (suites(&provider()), suites(&default_provider()));
        assert_eq!(ours[0], CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert_eq!(ours[1], CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
        ours.sort_by_key(|suite| u16::from(*suite));
        all.sort_by_key(|suite| u16::from(*suite));
        assert_eq!(ours, all);
    }
}
