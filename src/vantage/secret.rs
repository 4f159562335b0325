//! Secrets: memory that is wiped, in a process that no other can inspect meanwhile.
//!
//! Copies made by libraries cannot be wiped: the HTTP client frees the buffers in which it received and sent a secret
//! without wiping them, and so does the kernel. [`Undumpable`] protects these, for as long as they are in use.

use std::fmt;

use hyper::{body::Bytes, header::HeaderValue};
#[cfg(target_os = "linux")]
use nix::sys::prctl;
use zeroize::Zeroizing;

/// Bytes that stay in one place and are wiped there once they are not needed. They are neither shown nor copied.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Space for this many bytes, and no more: growing would leave a copy behind.
    pub(super) fn with_room_for(most: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(most)))
    }

    /// Adds bytes; returns false, and adds none, if there is no space for them.
    #[must_use]
    pub(super) fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= self.0.capacity() - self.0.len();
        if fits {
            self.0.extend_from_slice(bytes);
        }
        fits
    }

    /// The bytes, for code that makes no copy of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A header with these bytes, which no library shows. Its clones share the memory, and the last one wipes it.
    /// `None` if a header cannot contain them.
    pub(super) fn into_header(self) -> Option<HeaderValue> {
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(self.0)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// For as long as this exists, no other program of the same user can read this process's memory, and a crash leaves no
/// core file (`PR_SET_DUMPABLE`, prctl(2)). Root still can.
///
/// Only one may exist at a time: dropping it restores the previous state.
#[derive(Debug)]
pub(super) struct Undumpable {
    #[cfg(target_os = "linux")]
    before: bool,
}

impl Undumpable {
    /// `None` if the system does not allow it.
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> Option<Self> {
        let before = prctl::get_dumpable().ok()?;
        prctl::set_dumpable(false).ok()?;
        Some(Self { before })
    }

    /// `None`, because only Linux has it.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> Option<Self> {
        None
    }
}

#[cfg(target_os = "linux")]
impl Drop for Undumpable {
    fn drop(&mut self) {
        let _ = prctl::set_dumpable(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_not_copied_or_printed() {
        let mut secret = Secret::with_room_for(12);
        let place = secret.bytes().as_ptr();
        assert!(secret.append(b"Bearer ") && secret.append(b"abc"));
        let remaining = secret.0.capacity() - secret.0.len();
        assert!(!secret.append(&vec![b'x'; remaining + 1]));
        assert_eq!(secret.bytes(), b"Bearer abc");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let header = secret.into_header().unwrap();
        assert_eq!(
            (header.as_bytes().as_ptr(), &header),
            (place, &"Bearer abc".parse().unwrap())
        );
        assert_eq!(header.clone().as_bytes().as_ptr(), place);
        assert_eq!(format!("{header:?} {:?}", header.clone()), "Sensitive Sensitive");
        let mut broken = Secret::with_room_for(10);
        assert!(broken.append(b"a\r\nX: b") && broken.into_header().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn process_is_dumpable_again_after_secrets_are_dropped() {
        let before = prctl::get_dumpable();
        let held = Undumpable::new().unwrap();
        assert_eq!(prctl::get_dumpable(), Ok(false));
        drop(held);
        assert_eq!(prctl::get_dumpable(), before);
    }
}
