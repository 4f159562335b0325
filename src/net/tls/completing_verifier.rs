//! The verifier for connections that must be verified: rustls's own, with the intermediates that servers omit.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::roots::Roots;

/// Accepts a server whose chain ends in one of the roots, with or without the built-in intermediates.
#[derive(Debug)]
pub(super) struct CompletingVerifier {
    verifier: Arc<WebPkiServerVerifier>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl CompletingVerifier {
    /// A verifier with these roots.
    ///
    /// # Panics
    ///
    /// Never: there are compiled-in roots.
    pub(super) fn new(roots: &Roots) -> Self {
        let store = Arc::new(roots.store().clone());
        Self {
            verifier: WebPkiServerVerifier::builder_with_provider(store, super::provider())
                .build()
                .expect("there are roots, and no revocation lists"),
            intermediates: roots.intermediates(UnixTime::now()).cloned().collect(),
        }
    }
}

impl ServerCertVerifier for CompletingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let completed: Vec<_> = sent.iter().chain(&self.intermediates).cloned().collect();
        self.verifier.verify_server_cert(leaf, &completed, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    #[test]
    fn missing_intermediate_is_completed() {
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let link = CertifiedIssuer::signed_by(authority("link"), key(), &root).unwrap();
        let leaf = CertificateParams::new(["management.example".to_string()]).unwrap();
        let leaf = leaf.signed_by(&key(), &link).unwrap();
        let verdict = |pem: String, name: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, pem).unwrap();
            let mut roots = Roots::builtin();
            roots.add_file(file.path()).unwrap();
            let name = ServerName::try_from(name.to_string()).unwrap();
            CompletingVerifier::new(&roots).verify_server_cert(leaf.der(), &[], &name, &[], UnixTime::now())
        };
        assert!(verdict(root.pem() + &link.pem(), "management.example").is_ok());
        assert!(verdict(root.pem() + &link.pem(), "other.example").is_err());
        assert!(verdict(root.pem(), "management.example").is_err());
    }
}
