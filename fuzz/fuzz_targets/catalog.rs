//! A catalog, by itself and laid over the built-in one.

#![no_main]

use apim_probe::catalog::{File, load, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = File {
        name: "probes.yaml".into(),
        bytes: bytes.to_vec(),
    };
    for builtin in [false, true] {
        if let Err(errors) = load(builtin, std::slice::from_ref(&file)) {
            let page = render(&errors, false);
            assert!(
                errors.count() > 0 && !page.contains(|c: char| c.is_control() && c != '\n'),
                "{page:?}"
            );
        }
    }
});
