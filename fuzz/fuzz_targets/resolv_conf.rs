//! The configuration of the system's resolver (resolv.conf(5)).

#![no_main]

use apim_probe::vantage::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for notice in fuzz::resolv_conf(bytes) {
        assert!(!notice.contains(char::is_control), "{notice:?}");
    }
});
