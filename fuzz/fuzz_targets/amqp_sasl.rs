//! The answer to an AMQP SASL header.

#![no_main]

use apim_probe::hello::{Parsed, amqp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = amqp::parse_sasl(bytes);
    // Once decided, the result stays the same, whatever follows.
    if let Some(beginning) = bytes.get(..bytes.len() / 2)
        && amqp::parse_sasl(beginning) != Parsed::More
    {
        assert_ne!(whole, Parsed::More);
    }
});
