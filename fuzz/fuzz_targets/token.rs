//! The answer of the VM's identity service.

#![no_main]

use apim_probe::vantage::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzz::token(bytes);
});
