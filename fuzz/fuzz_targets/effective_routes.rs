//! The effective routes of a network interface, in any form.

#![no_main]

use apim_probe::network::routes::Routes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(said) = Routes::parse(bytes) {
        // Every refusal is one line, with the command that creates the right file.
        assert!(!said.contains(char::is_control), "{said:?}");
    }
});
