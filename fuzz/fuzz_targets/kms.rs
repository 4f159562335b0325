//! The answer to a DCE/RPC bind.

#![no_main]

use apim_probe::hello::{Parsed, kms};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = kms::parse(bytes);
    // Once decided, the result stays the same, whatever follows.
    if let Some(beginning) = bytes.get(..bytes.len() / 2)
        && kms::parse(beginning) != Parsed::More
    {
        assert_ne!(whole, Parsed::More);
    }
});
