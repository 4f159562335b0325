//! TLS, and the requirements for clients' certificates.

use std::{path::Path, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};

use super::config::Tls;
use crate::{file, net::tls};

/// Maximum size of a file of certificates or keys, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// The kinds of `client_auth_type`.
const KINDS: &str =
    "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";

/// TLS as configured.
pub(super) fn config(wanted: &Tls) -> Result<ServerConfig, String> {
    for (key, file) in [("cert_file", &wanted.cert_file), ("key_file", &wanted.key_file)] {
        if file.as_os_str().is_empty() || file.is_dir() {
            return Err(format!("tls_server_config needs {key}: a file in PEM"));
        }
    }
    let chain = certificates(&wanted.cert_file)?;
    let pem = file::read(&wanted.key_file, MAX_SIZE).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        format!(
            "key_file {} contains no PEM key: {error}",
            file::shown(&wanted.key_file)
        )
    })?;
    let provider = tls::provider();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions(wanted.min_version.as_deref())?)
        .map_err(|error| error.to_string())?;
    let builder = match clients(wanted, &provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("cert_file and key_file do not match: {error}"))?;
    // Each connection answers one request: there is nothing to resume.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = file::read(path, MAX_SIZE).map_err(|error| error.to_string())?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(format!("{} contains no PEM certificate", file::shown(path))),
        Err(error) => Err(format!(
            "{} is not a PEM file of certificates: {error}",
            file::shown(path)
        )),
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const NEWEST: &[&SupportedProtocolVersion] = &[&TLS13];

fn versions(least: Option<&str>) -> Result<&'static [&'static SupportedProtocolVersion], String> {
    match least {
        None | Some("TLS12") => Ok(BOTH),
        Some("TLS13") => Ok(NEWEST),
        Some(old @ ("TLS10" | "TLS11")) => Err(format!("min_version {old} is not supported: TLS12 is the oldest")),
        Some(_) => Err("min_version must be TLS12 or TLS13".into()),
    }
}

/// The requirements for clients' certificates; none if there are none.
fn clients(wanted: &Tls, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let kind = wanted.client_auth_type.as_deref().unwrap_or("NoClientCert");
    let any = |is_needed| {
        Ok(Some(Arc::new(AnyCertificate {
            provider: provider.clone(),
            is_needed,
        }) as Arc<dyn ClientCertVerifier>))
    };
    let is_needed = match (kind, &wanted.client_ca_file) {
        ("NoClientCert" | "", None) => return Ok(None),
        ("NoClientCert" | "", Some(_)) => {
            return Err("client_ca_file without client_auth_type does not request client certificates".into());
        }
        ("RequestClientCert", _) => return any(false),
        ("RequireAnyClientCert", _) => return any(true),
        ("VerifyClientCertIfGiven", _) => false,
        ("RequireAndVerifyClientCert", _) => true,
        _ => return Err(format!("client_auth_type must be one of {KINDS}")),
    };
    let Some(path) = &wanted.client_ca_file else {
        return Err(format!(
            "client_auth_type {kind} needs client_ca_file, the CA of the clients"
        ));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| format!("client_ca_file {}: {error}", file::shown(path)))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = if is_needed {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    let verifier = builder.build().map_err(|error| format!("client_ca_file: {error}"))?;
    Ok(Some(verifier))
}

/// Accepts every certificate for which the client has the key.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    is_needed: bool,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_needed
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
