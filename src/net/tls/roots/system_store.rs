//! This VM's own certificate store, which other tools use.

use std::{collections::HashSet, fs, path::PathBuf};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::file;

/// A larger file is passed over, in bytes: a distribution's bundle has a tenth of it.
const MAX_SIZE: usize = 4 << 20;
/// No more files are looked at, and no more certificates are kept: a distribution has 150.
const MOST: usize = 2_000;

/// The roots in the places where this system keeps them, or where `SSL_CERT_FILE` and `SSL_CERT_DIR` say that they are.
/// What cannot be read is left out: it is evidence, and decides nothing.
pub(super) fn roots() -> RootCertStore {
    let places = openssl_probe::probe();
    let inside = |folder: &PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let in_folders = places.cert_dir.iter().flat_map(inside).map(|entry| entry.path());
    let mut store = RootCertStore::empty();
    // Folders hold each certificate under several names.
    let mut known = HashSet::new();
    // A pipe or a device would keep a probe waiting.
    let files = places
        .cert_file
        .into_iter()
        .chain(in_folders)
        .filter(|path| path.is_file());
    for path in files.take(MOST) {
        let bytes = file::read(&path, MAX_SIZE).unwrap_or_default();
        let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok);
        for certificate in certificates.take(MOST.saturating_sub(store.len())) {
            if known.insert(certificate.to_vec()) {
                // One that cannot serve as a root is none.
                let _ = store.add(certificate);
            }
        }
    }
    store
}
