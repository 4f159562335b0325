//! An instance's network status, in any form.

#![no_main]

use apim_probe::{
    file,
    import::{DocumentKind, ImportedDocument},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = file::decode(bytes) else { return };
    if let Err(said) = ImportedDocument::read(&text, "file", DocumentKind::NetworkStatus, None) {
        // Every refusal is one line, with the command that creates the right file.
        assert!(!said.contains(char::is_control), "{said:?}");
    }
});
