//! The reply of a name server.

#![no_main]

use apim_probe::net::dns::DnsQuestion;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let question = DnsQuestion::new("login.microsoftonline.com", false).unwrap();
    // The id in the reply is used as ours, or nothing after that check would ever be reached.
    let id = bytes.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    if let Ok(answer) = question.parse(id, bytes) {
        assert!(answer.cnames.len() <= 16);
    }
});
