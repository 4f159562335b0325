//! The answer to a PING.

#![no_main]

use apim_probe::hello::{Parsed, redis};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = redis::parse(bytes);
    // Once decided, the result stays the same, whatever follows.
    if let Some(beginning) = bytes.get(..bytes.len() / 2)
        && redis::parse(beginning) != Parsed::More
    {
        assert_ne!(whole, Parsed::More);
    }
});
