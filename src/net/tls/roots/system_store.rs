//! This VM's own certificate store, which other tools use.

use std::{collections::HashSet, fs, path::PathBuf};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::file;

/// Maximum size of a file, in bytes: a distribution's bundle has a tenth of it.
const MAX_SIZE: usize = 4 << 20;
/// Maximum number of files that are read, and of certificates that are kept: a distribution has 150.
const MAX_CERTIFICATES: usize = 2_000;

/// The roots in this system's usual places, or in those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. Unreadable ones
/// are skipped: this is evidence, and decides nothing.
pub(super) fn roots() -> RootCertStore {
    let places = openssl_probe::probe();
    let inside = |folder: &PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let in_folders = places.cert_dir.iter().flat_map(inside).map(|entry| entry.path());
    let mut store = RootCertStore::empty();
    // Folders contain each certificate under several names.
    let mut known = HashSet::new();
    // A pipe or a device would block a probe.
    let files = places
        .cert_file
        .into_iter()
        .chain(in_folders)
        .filter(|path| path.is_file());
    for path in files.take(MAX_CERTIFICATES) {
        let bytes = file::read(&path, MAX_SIZE).unwrap_or_default();
        let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok);
        for certificate in certificates.take(MAX_CERTIFICATES.saturating_sub(store.len())) {
            if known.insert(certificate.to_vec()) {
                // A certificate that cannot serve as a root is skipped.
                let _ = store.add(certificate);
            }
        }
    }
    store
}
