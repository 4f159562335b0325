//! The roots that the instance trusts.
//!
//! The instance runs Windows. Mozilla's list comes close, but lacks four roots that Azure's own services chain to; those
//! are compiled in from `roots/windows.pem`. The store of this VM decides nothing: a company's CA in it is exactly what
//! hides TLS inspection from everybody else.

use std::{path::Path, sync::OnceLock};

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Roots of Windows that Mozilla's list lacks.
const WINDOWS: &[u8] = include_bytes!("../../../roots/windows.pem");

/// What chains are judged by.
#[derive(Debug)]
pub struct Roots {
    store: RootCertStore,
    of_this_vm: OnceLock<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Roots {
    /// Mozilla's roots and the compiled-in ones of Windows.
    pub fn builtin() -> Self {
        let mut store = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(WINDOWS).filter_map(Result::ok));
        Self {
            store,
            of_this_vm: OnceLock::new(),
            algorithms: super::provider().signature_verification_algorithms,
        }
    }

    /// Adds the certificates of a PEM file as further roots; gives their number.
    pub fn add_file(&mut self, path: &Path) -> Result<usize, String> {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let certificates = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("{shown} is not a PEM file of certificates: {error}"))?;
        if certificates.is_empty() {
            return Err(format!(
                "{shown} holds no PEM certificate (-----BEGIN CERTIFICATE-----)"
            ));
        }
        let (added, refused) = self.store.add_parsable_certificates(certificates);
        if refused > 0 {
            return Err(format!(
                "{shown}: {refused} of {} certificates cannot serve as a root",
                added + refused
            ));
        }
        Ok(added)
    }

    /// The roots that judge.
    pub(super) fn store(&self) -> &RootCertStore {
        &self.store
    }

    /// The roots that this VM's own store adds; read at the first call, since most runs never ask.
    pub(super) fn of_this_vm(&self) -> &RootCertStore {
        self.of_this_vm.get_or_init(|| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            store
        })
    }

    /// The signature algorithms that are understood.
    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};

    use super::*;

    /// The fingerprints of Microsoft's published bundle.
    const FINGERPRINTS: [(&str, &str); 4] = [
        (
            "DigiCert Global Root CA",
            "4348a0e9444c78cb265e058d5e8944b4d84f9662bd26db257f8934a443c70161",
        ),
        (
            "Microsoft Root Certificate Authority 2010",
            "df545bf919a2439c36983b54cdfc903dfa4f37d3996d8d84b4c31eec6f3c163e",
        ),
        (
            "Microsoft Root Certificate Authority 2011",
            "847df6a78497943f27fc72eb93f9a637320a02b561d0a91b09e87a7807ed7c61",
        ),
        (
            "Microsoft ECC Product Root Certificate Authority 2018",
            "caca93b9d23d2b6fa76e8b8471931e0df3ec6f63af3cdbb936c41954a1872326",
        ),
    ];

    #[test]
    fn the_windows_roots_are_the_published_ones() {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(WINDOWS).map(Result::unwrap).collect();
        assert_eq!(certificates.len(), FINGERPRINTS.len());
        for (name, fingerprint) in FINGERPRINTS {
            let found = certificates.iter().find(|der| {
                fingerprint
                    .as_bytes()
                    .chunks(2)
                    .zip(digest(&SHA256, der).as_ref())
                    .all(|(text, byte)| text == format!("{byte:02x}").as_bytes())
            });
            let (_, parsed) = x509_parser::parse_x509_certificate(found.unwrap_or_else(|| panic!("{name}"))).unwrap();
            assert!(parsed.subject().to_string().contains(name));
        }
    }

    #[test]
    fn every_windows_root_is_taken() {
        assert_eq!(
            Roots::builtin().store.len(),
            webpki_roots::TLS_SERVER_ROOTS.len() + FINGERPRINTS.len()
        );
    }
}
