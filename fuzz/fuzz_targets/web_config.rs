//! The web config of a service.

#![no_main]

use apim_probe::{file, serve::fuzz};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = file::decode(bytes) else { return };
    if let Err(said) = fuzz::web_config(&text) {
        assert!(!said.is_empty());
    }
});
