//! The roots that the instance trusts, and the intermediates that lead to them.
//!
//! The instance runs Windows. Mozilla's list is similar, but lacks four roots that Azure's own services chain to; these
//! are compiled in from `roots/windows.pem`. The store of this VM decides nothing: a company's CA in it is exactly what
//! hides TLS inspection from other programs.
//!
//! Azure's roots of 2025 are in no list at all: a known root has signed them (cross-signed certificates), and some
//! front ends omit these certificates, which Windows then fetches. The agent fetches nothing, so these are compiled in
//! as well, from `roots/intermediates.pem`: they can link a chain to a root, and never end it.

mod system_store;

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::{LazyLock, OnceLock},
};

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::signatures::Signatures;
use crate::file;

/// Windows roots that Mozilla's list lacks.
const WINDOWS: &[u8] = include_bytes!("../../../roots/windows.pem");
/// Cross-signed certificates of CAs that are in no list of roots.
const INTERMEDIATES: &[u8] = include_bytes!("../../../roots/intermediates.pem");

/// The owners of public CAs: the organisations in the names of the compiled-in roots.
static ORGANISATIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let names = compiled_in().subjects();
    names
        .iter()
        .filter_map(|name| X509Name::from_der(name.as_ref()).ok())
        .filter_map(|(_, name)| organisation(&name).map(str::to_lowercase))
        .collect()
});

/// Maximum size of a file, in bytes: all public roots in the world have a twentieth of it.
const MAX_SIZE: usize = 8 << 20;

/// The roots and intermediates that chains are verified with.
#[derive(Debug)]
pub struct Roots {
    store: RootCertStore,
    /// Further roots that Windows trusts, in a case in which they do not count.
    only_windows: Option<RootCertStore>,
    intermediates: Vec<CertificateDer<'static>>,
    of_this_vm: OnceLock<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    signatures: Signatures,
}

/// How many certificates of a file were added, by their use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedCertificates {
    /// Ends of chains.
    pub roots: usize,
    /// Links to a known root.
    pub intermediates: usize,
}

impl Roots {
    /// Mozilla's roots, the compiled-in ones of Windows, and the compiled-in intermediates.
    pub fn builtin() -> Self {
        Self::with(compiled_in(), None)
    }

    /// Mozilla's roots and the compiled-in intermediates: what a container on Linux trusts, as far as that is known
    /// without its image. Further roots of Windows are kept separately.
    pub fn of_a_container() -> Self {
        Self::with(mozillas(), Some(compiled_in()))
    }

    /// These roots, further roots of Windows that do not count, and the compiled-in intermediates.
    pub(super) fn with(store: RootCertStore, only_windows: Option<RootCertStore>) -> Self {
        let algorithms = super::provider().signature_verification_algorithms;
        Self {
            store,
            only_windows,
            intermediates: CertificateDer::pem_slice_iter(INTERMEDIATES)
                .filter_map(Result::ok)
                .collect(),
            of_this_vm: OnceLock::new(),
            algorithms,
            signatures: Signatures::new(algorithms.all),
        }
    }

    /// Adds the certificates of a PEM file: those whose issuers lead to a known root, in the file or not, as
    /// intermediates, and all others as further roots.
    pub fn add_file(&mut self, path: &Path) -> Result<AddedCertificates, String> {
        let pem = file::read_text(path, MAX_SIZE).map_err(|error| error.to_string())?;
        self.add_pem(pem.as_bytes())
            .map_err(|what| format!("{} {what}", file::shown(path)))
    }

    /// Adds certificates in PEM like [`Self::add_file`]. Errors are worded to follow the file's name.
    pub fn add_pem(&mut self, pem: &[u8]) -> Result<AddedCertificates, String> {
        let certificates = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("is not a PEM file of certificates: {error}"))?;
        if certificates.is_empty() {
            return Err("contains no PEM certificate (-----BEGIN CERTIFICATE-----)".into());
        }
        let (intermediates, roots) = self.sort(certificates);
        let (added, refused) = self.store.add_parsable_certificates(roots);
        if refused > 0 {
            return Err(format!(
                "contains certificates that cannot serve as a root: {refused} of {}",
                added + refused + intermediates.len()
            ));
        }
        let added = AddedCertificates {
            roots: added,
            intermediates: intermediates.len(),
        };
        self.intermediates.extend(intermediates);
        Ok(added)
    }

    /// Sorts certificates into those whose issuers' names lead to a known root, and all others.
    fn sort(
        &self,
        certificates: Vec<CertificateDer<'static>>,
    ) -> (Vec<CertificateDer<'static>>, Vec<CertificateDer<'static>>) {
        let mut known = self.subjects();
        // Which certificates are waiting for which issuer, so that each is handled once however long the chain is.
        let mut waiting: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        let mut subjects = Vec::with_capacity(certificates.len());
        for (index, der) in certificates.iter().enumerate() {
            let parsed = parsed(der);
            match &parsed {
                Some(it) if is_its_own_issuer(it) => drop(known.insert(it.subject().as_raw().to_vec())),
                Some(it) => waiting.entry(it.issuer().as_raw().to_vec()).or_default().push(index),
                None => {}
            }
            subjects.push(parsed.map(|it| it.subject().as_raw().to_vec()));
        }
        let mut open: Vec<Vec<u8>> = waiting
            .keys()
            .filter(|issuer| known.contains(*issuer))
            .cloned()
            .collect();
        let mut linked = BTreeSet::new();
        while let Some(issuer) = open.pop() {
            for index in waiting.remove(&issuer).unwrap_or_default() {
                linked.insert(index);
                open.extend(subjects[index].clone());
            }
        }
        let (mut intermediates, mut roots) = (Vec::new(), Vec::new());
        for (index, der) in certificates.into_iter().enumerate() {
            if linked.contains(&index) {
                intermediates.push(der);
            } else {
                roots.push(der);
            }
        }
        (intermediates, roots)
    }

    /// The subjects of these roots and intermediates, in DER.
    fn subjects(&self) -> BTreeSet<Vec<u8>> {
        let roots = self.store.subjects().into_iter().map(|name| name.as_ref().to_vec());
        let intermediates = self.intermediates.iter().filter_map(parsed);
        roots
            .chain(intermediates.map(|it| it.subject().as_raw().to_vec()))
            .collect()
    }

    /// The roots that count.
    pub(super) fn store(&self) -> &RootCertStore {
        &self.store
    }

    /// Everything that Windows trusts, if only some of it counts.
    pub(super) fn of_windows(&self) -> Option<&RootCertStore> {
        self.only_windows.as_ref()
    }

    /// The intermediates that are valid at a time, for chains that lack theirs.
    pub(super) fn intermediates(&self, at: UnixTime) -> impl Iterator<Item = &CertificateDer<'static>> {
        let at = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        self.intermediates.iter().filter(move |der| {
            parsed(der).is_some_and(|it| {
                let validity = it.validity();
                (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&at)
            })
        })
    }

    /// Whether a name is that of a public CA: known itself, run by an organisation that runs a known one, or named
    /// after one of the two that sign for Azure.
    pub(super) fn is_public(&self, name: &X509Name<'_>) -> bool {
        let known = |organisation: &str| ORGANISATIONS.contains(&organisation.to_lowercase());
        let signs_for_azure = |name: &str| ["Microsoft ", "DigiCert "].iter().any(|who| name.starts_with(who));
        let common_name = name.iter_common_name().next().and_then(|name| name.as_str().ok());
        organisation(name).is_some_and(known)
            || common_name.is_some_and(signs_for_azure)
            || self.subjects().contains(name.as_raw())
    }

    /// The roots that this VM's own store adds; read at the first call, since most runs do not need them.
    pub(super) fn of_this_vm(&self) -> &RootCertStore {
        self.of_this_vm.get_or_init(system_store::roots)
    }

    /// The supported signature algorithms.
    pub(super) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.algorithms
    }

    /// The same, for the signatures in certificates.
    pub(super) fn signatures(&self) -> &Signatures {
        &self.signatures
    }
}

fn mozillas() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

/// Mozilla's roots and those of Windows.
fn compiled_in() -> RootCertStore {
    let mut store = mozillas();
    store.add_parsable_certificates(CertificateDer::pem_slice_iter(WINDOWS).filter_map(Result::ok));
    store
}

fn organisation<'a>(name: &'a X509Name<'_>) -> Option<&'a str> {
    name.iter_organization().next()?.as_str().ok()
}

fn parsed<'a>(der: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate)
}

/// Whether it is self-signed.
pub(super) fn is_its_own_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA256, digest};
    use rustls::DistinguishedName;
    use x509_parser::x509::SubjectPublicKeyInfo;

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

    /// The two that Microsoft serves, and the subjects of the roots that signed them.
    const CROSS_SIGNED: [(&str, &str, &str); 2] = [
        (
            "Microsoft TLS RSA Root G2",
            "ddcd1e8a20638d4aaff7201bb1d56452acd2c759f1686bdc38f73dd15732bdc2",
            "DigiCert Global Root G2",
        ),
        (
            "Microsoft TLS ECC Root G2",
            "61799e3594f6fa6c9f619031e4a3c9f643fda38c083704a5075e5709a21b1ab7",
            "DigiCert Global Root G3",
        ),
    ];

    /// Within the validity period of the cross-signed certificates.
    fn fixed_time() -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_790_000_000))
    }

    fn find<'a>(certificates: &'a [CertificateDer<'a>], fingerprint: &str) -> Option<X509Certificate<'a>> {
        let found = certificates.iter().find(|der| {
            fingerprint
                .as_bytes()
                .chunks(2)
                .zip(digest(&SHA256, der).as_ref())
                .all(|(text, byte)| text == format!("{byte:02x}").as_bytes())
        });
        found.and_then(parsed)
    }

    #[test]
    fn windows_roots_match_the_published_fingerprints() {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(WINDOWS).map(Result::unwrap).collect();
        assert_eq!(certificates.len(), FINGERPRINTS.len());
        for (name, fingerprint) in FINGERPRINTS {
            let found = find(&certificates, fingerprint).unwrap_or_else(|| panic!("{name}"));
            assert!(found.subject().to_string().contains(name));
        }
    }

    #[test]
    fn every_windows_root_is_in_the_store() {
        assert_eq!(
            Roots::builtin().store.len(),
            webpki_roots::TLS_SERVER_ROOTS.len() + FINGERPRINTS.len()
        );
    }

    #[test]
    fn container_store_has_no_windows_only_roots() {
        let roots = Roots::of_a_container();
        assert_eq!(roots.store.len(), webpki_roots::TLS_SERVER_ROOTS.len());
        assert_eq!(
            roots.of_windows().map(RootCertStore::len),
            Some(Roots::builtin().store.len())
        );
        assert_eq!(roots.intermediates.len(), CROSS_SIGNED.len());
    }

    #[test]
    fn intermediates_match_fingerprints_and_known_issuers() {
        let roots = Roots::builtin();
        assert_eq!(roots.intermediates.len(), CROSS_SIGNED.len());
        for (name, fingerprint, signer) in CROSS_SIGNED {
            let found = find(&roots.intermediates, fingerprint).unwrap_or_else(|| panic!("{name}"));
            assert!(found.subject().to_string().contains(name));
            assert!(found.issuer().to_string().contains(signer));
            let anchor = roots
                .store
                .roots
                .iter()
                .find(|anchor| DistinguishedName::in_sequence(&anchor.subject).as_ref() == found.issuer().as_raw());
            let key = in_sequence(&anchor.unwrap_or_else(|| panic!("{signer}")).subject_public_key_info);
            let (_, key) = SubjectPublicKeyInfo::from_der(&key).unwrap();
            let verified = roots.algorithms.all.iter().any(|algorithm| {
                algorithm
                    .verify_signature(
                        &key.subject_public_key.data,
                        found.tbs_certificate.as_ref(),
                        &found.signature_value.data,
                    )
                    .is_ok()
            });
            assert!(verified, "{name} is not signed by {signer}");
        }
    }

    /// The wrappers that webpki removes from names and keys.
    fn in_sequence(content: &[u8]) -> Vec<u8> {
        DistinguishedName::in_sequence(content).as_ref().to_vec()
    }

    #[test]
    fn self_signed_microsoft_roots_of_2025_are_not_trusted() {
        let subjects: Vec<Vec<u8>> = Roots::builtin()
            .store
            .subjects()
            .iter()
            .map(|it| it.as_ref().to_vec())
            .collect();
        for der in &Roots::builtin().intermediates {
            let name = parsed(der).unwrap();
            assert!(
                !subjects.contains(&name.subject().as_raw().to_vec()),
                "{}",
                name.subject()
            );
        }
    }

    #[test]
    fn intermediates_are_used_only_while_valid() {
        let roots = Roots::builtin();
        let at = |seconds| roots.intermediates(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)));
        assert_eq!(roots.intermediates(fixed_time()).count(), 2);
        // 2025-05-20 and 2029-06-20.
        assert_eq!(at(1_747_699_200).count(), 0);
        assert_eq!(at(1_876_608_000).count(), 0);
    }

    #[test]
    fn public_authorities_are_recognised_by_name() {
        let roots = Roots::builtin();
        for (name, public) in [
            (
                "C=US, O=Microsoft Corporation, CN=Microsoft TLS G2 RSA CA OCSP 04",
                true,
            ),
            (
                "C=US, O=DigiCert Inc, CN=DigiCert Global G3 TLS ECC SHA384 2020 CA1",
                true,
            ),
            ("CN=Microsoft Azure ECC TLS Issuing CA 04", true),
            ("CN=AME Infra CA 06", false),
            ("O=Contoso, CN=Contoso TLS Inspection", false),
            ("CN=Contoso Microsoft PKI", false),
        ] {
            let mut params = rcgen::CertificateParams::default();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for part in name.split(", ") {
                let (kind, value) = part.split_once('=').unwrap();
                let kind = match kind {
                    "C" => rcgen::DnType::CountryName,
                    "O" => rcgen::DnType::OrganizationName,
                    _ => rcgen::DnType::CommonName,
                };
                params.distinguished_name.push(kind, value);
            }
            let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(roots.is_public(parsed(made.der()).unwrap().subject()), public, "{name}");
        }
    }

    #[test]
    fn ca_file_adds_roots_and_intermediates() {
        let ca = |name: &str| {
            let mut params = rcgen::CertificateParams::default();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params
        };
        let key = || rcgen::KeyPair::generate().unwrap();
        let root = rcgen::CertifiedIssuer::self_signed(ca("root"), key()).unwrap();
        let upper = rcgen::CertifiedIssuer::signed_by(ca("upper"), key(), &root).unwrap();
        let lower = rcgen::CertifiedIssuer::signed_by(ca("lower"), key(), &upper).unwrap();
        let added = |pems: &[String]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, pems.concat()).unwrap();
            Roots::builtin().add_file(file.path()).unwrap()
        };
        let (all, without_root) = ([lower.pem(), root.pem(), upper.pem()], [lower.pem(), upper.pem()]);
        assert_eq!(
            added(&all),
            AddedCertificates {
                roots: 1,
                intermediates: 2
            }
        );
        // Without the root that signed them, both count as roots.
        assert_eq!(
            added(&without_root),
            AddedCertificates {
                roots: 2,
                intermediates: 0
            }
        );
    }
}
