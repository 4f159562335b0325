//! The answer to a TDS PRELOGIN.

#![no_main]

use apim_probe::hello::{Parsed, tds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = tds::parse(bytes);
    // Once decided, the result stays the same, whatever follows.
    if let Some(beginning) = bytes.get(..bytes.len() / 2)
        && tds::parse(beginning) != Parsed::More
    {
        assert_ne!(whole, Parsed::More);
    }
});
