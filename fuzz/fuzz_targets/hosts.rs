//! The table of hosts (hosts(5)).

#![no_main]

use apim_probe::vantage::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // One notice for a planned host, however often it is mapped.
    assert!(fuzz::hosts(bytes, &["login.microsoftonline.com", "a.example"]).len() <= 2);
});
