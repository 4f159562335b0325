//! The answer to an NTP request.

#![no_main]

use apim_probe::hello::ntp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The origin that the datagram echoes is used as ours, or nothing after that check would ever be reached.
    let sent = bytes
        .get(24..32)
        .and_then(|origin| origin.try_into().ok())
        .unwrap_or_default();
    if let Ok(reply) = ntp::parse(bytes, sent) {
        // 16 means that a server is not synchronised.
        assert!(reply.stratum <= 16 && reply.proof().len() < 100);
        assert!(!reply.synchronised || (1..16).contains(&reply.stratum));
    }
});
