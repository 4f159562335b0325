//! One TLS handshake, with the server's chain kept whatever happens.
//!
//! rustls with ring, TLS 1.2 and 1.3, no resumption, no ALPN. The verifier never aborts: it records what the chain is
//! worth and lets the handshake go on, so that a wrong chain is evidence and not an error.

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
    chain::{ChainFacts, cache::Chains},
    completing_verifier::Completing,
    recording_verifier::Recorder,
    roots::Roots,
};
use super::{SocketFailure, is_reset, recording_stream::RecordingStream};

/// What one handshake gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsTrace {
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub end: TlsEnd,
    /// The version agreed, as far as it went.
    pub version: Option<&'static str>,
    /// The cipher suite agreed.
    pub cipher: Option<&'static str>,
    /// What the server presented, even where the handshake failed later.
    pub chain: Option<Arc<ChainFacts>>,
    /// Whether the server proved that it holds the key of its certificate.
    pub key_proved: bool,
    /// Whether the server asked for a client certificate.
    pub asked_for_certificate: bool,
    /// The first bytes received, where the handshake was not completed.
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
    /// Something came that is not TLS.
    NotTls {
        /// What it is, as a fragment, where its bytes are not among those received.
        what: Option<String>,
    },
    /// The peer speaks TLS, but nothing that we or a current Windows would agree to.
    Incompatible(String),
    /// The peer speaks TLS and sent its `ServerHello`, but what came after it cannot be read; why.
    Garbled(String),
    /// The peer did not prove that it holds the key of its certificate; how not, in one sentence.
    KeyNotProved(String),
    /// The socket failed.
    Failed(SocketFailure),
}

/// Makes handshakes that are judged by one set of roots.
#[derive(Debug, Clone)]
pub struct TlsClient {
    template: Arc<ClientConfig>,
    roots: Arc<Roots>,
    chains: Arc<Chains>,
}

impl TlsClient {
    /// A client whose chains are judged by `roots`.
    ///
    /// # Panics
    /// Never: ring supports both protocol versions.
    pub fn new(roots: Arc<Roots>) -> Self {
        let chains = Arc::<Chains>::default();
        let recorder = Arc::new(Recorder::new(roots.clone(), chains.clone(), Arc::default()));
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring supports TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(recorder)
            .with_no_client_auth();
        // A resumed session would skip the certificate.
        config.resumption = Resumption::disabled();
        Self {
            template: Arc::new(config),
            roots,
            chains,
        }
    }

    /// Shakes hands over `stream` until `deadline` at the latest.
    ///
    /// The certificate must be for one of `names`, which may hold wildcards; the first that is none goes into the
    /// ClientHello as SNI. Without one there is no SNI, as with a SQL gateway that is known by its address only.
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
        // The verifier belongs to the configuration, so each connection gets a configuration of its own.
        let recorder = Arc::new(Recorder::new(self.roots.clone(), self.chains.clone(), names));
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

/// A configuration that, unlike a probe's, refuses a server whose chain does not end in `roots`; without any, every server.
///
/// # Panics
/// Never: ring supports both protocol versions.
pub fn verifying(roots: Option<&Roots>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3");
    match roots {
        Some(roots) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Completing::new(roots))),
        None => builder.with_root_certificates(RootCertStore::empty()),
    }
    .with_no_client_auth()
}

/// The cryptography that everything here uses, never the process's default.
///
/// AES-128 is offered first, as browsers do: its SHA-256 has instructions of its own in most processors, unlike the SHA-384
/// that comes with AES-256. Where the server leaves the choice to the client, this saves 6 % of the processor time that a
/// whole visit to an https endpoint takes.
pub fn provider() -> Arc<CryptoProvider> {
    let is_aes_128 = |suite: &SupportedCipherSuite| suite.suite().as_str().is_some_and(|name| name.contains("AES_128"));
    let mut provider = rustls::crypto::ring::default_provider();
    // Stable: the others stay in their order.
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite));
    Arc::new(provider)
}

/// The name of a TLS alert in an error of a TLS stream, where that is what it is.
///
/// rustls hides in the payload of the `io::Error`; `source()` skips it.
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
        // As when it picks a cipher that was not offered.
        Some(TlsError::PeerMisbehaved(why)) => TlsEnd::Incompatible(format!("{why:?}")),
        // The verifier takes every chain: only signatures made with the certificate's key can fail.
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
        // What carries the handshake (TDS packets) found bytes that are none of its own.
        None if error.kind() == io::ErrorKind::InvalidData => TlsEnd::NotTls {
            what: Some(error.to_string()),
        },
        None => TlsEnd::Failed(SocketFailure::later(error, Vec::new())),
    }
}

/// Whether the first byte is none of a TLS record (RFC 8446 §5.1: content types 20 to 24).
fn is_foreign(received: &[u8]) -> bool {
    received.first().is_some_and(|first| !(20..=24).contains(first))
}

/// Whether a handshake record came whose message is a `ServerHello` (RFC 8446 §4, §5.1).
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
    fn aes_128_is_offered_first_and_nothing_is_left_out() {
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
