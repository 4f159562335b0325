//! A page of the documentation, or an instance's list, against the catalog.

#![no_main]

use apim_probe::{
    catalog::Catalog,
    drift::{Drift, PageReading},
    file,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = file::decode(bytes) else { return };
    if let Ok(reading) = PageReading::of(&text, "page.md") {
        let drift = Drift::between(&CATALOG, reading);
        assert!(drift.status().code <= 1);
    }
});
