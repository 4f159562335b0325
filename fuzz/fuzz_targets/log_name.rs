//! The name of a service's log, and other names in its folder.

#![no_main]

use std::path::Path;

use apim_probe::serve::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|names: (&str, &str)| {
    let (log, other) = names;
    // Only files of this log are ever deleted: their name is the log's, with a day instead of `{day}`.
    if fuzz::log_name(Path::new(log), other) == Ok(true) {
        let name = Path::new(log).file_name().and_then(|name| name.to_str()).unwrap();
        let (before, after) = name.split_once("{day}").unwrap();
        let day = other
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .unwrap();
        assert!(
            day.len() >= 10 && day.bytes().all(|byte| byte.is_ascii_digit() || b"-+".contains(&byte)),
            "{day:?}"
        );
    }
});
