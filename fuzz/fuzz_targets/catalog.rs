//! A catalog, by itself and laid over the built-in one.

#![no_main]

use apim_probe::{
    catalog::{CatalogFile, load, render},
    model::Tier,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = CatalogFile {
        name: "probes.yaml".into(),
        bytes: bytes.to_vec(),
    };
    // The built-in catalog takes a while to read: an overlay is only tried if the input could be one.
    for builtin in [false, true] {
        if let Err(errors) = load(Tier::default(), builtin, std::slice::from_ref(&file)) {
            let page = render(&errors, false);
            let harmful = |c: char| c.is_control() && c != '\n';
            assert!(errors.count() > 0 && !page.contains(harmful), "{page:?}");
            return;
        }
    }
});
