//! The answer to an SMB2 NEGOTIATE.

#![no_main]

use apim_probe::hello::{Parsed, smb};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = smb::parse(bytes);
    // What has been judged stays judged, however much comes after it.
    if let Some(beginning) = bytes.get(..bytes.len() / 2)
        && smb::parse(beginning) != Parsed::More
    {
        assert_ne!(whole, Parsed::More);
    }
});
