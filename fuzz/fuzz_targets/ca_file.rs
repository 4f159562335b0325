//! A file of certificates.

#![no_main]

use apim_probe::net::tls::roots::Roots;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut roots = Roots::builtin();
    if let Err(said) = roots.add_pem(bytes) {
        assert!(!said.contains(char::is_control), "{said:?}");
    }
});
