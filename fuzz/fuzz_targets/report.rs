//! A report that is read back, written again in every format, and compared with itself.

#![no_main]

use apim_probe::{
    compare::{Comparison, NamedReport, html, markdown, text},
    diff::{Diff, read},
    exit::judge,
    file,
    model::Policy,
    report::{Detail, Format, Options, render},
};
use clap::ValueEnum;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = file::decode(bytes) else { return };
    let report = match read::report(&text) {
        Ok(report) => report,
        Err(said) => {
            let said = said.to_string();
            assert!(!said.contains(char::is_control), "{said:?}");
            return;
        }
    };
    let exit = judge(&report, Policy::default(), None);
    let options = Options {
        exit: &exit,
        policy: Policy::default(),
        width: 80,
        colour: false,
        unicode: true,
        detail: Detail::Everything,
        again: None,
    };
    for format in Format::value_variants() {
        let written = render(&report, *format, &options);
        // Nothing of it does anything to a terminal.
        let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\r');
        assert!(!written.contains(harmful), "{format:?}: {written:?}");
    }
    let diff = Diff::between(&report, &report).expect("it is of its own cloud");
    assert_eq!((diff.regressions, diff.fixes), (0, 0));
    let mut other = report.clone();
    other.duration_ms += 1.0;
    let named = |name: &str, report| NamedReport {
        name: name.into(),
        report,
    };
    if let Ok(comparison) = Comparison::of(&[named("one", report), named("other", other)]) {
        for written in [
            text::render(&comparison, &options),
            markdown::render(&comparison, &options),
            html::render(&comparison, &options),
            comparison.to_json(),
        ] {
            assert!(!written.contains(|c: char| c.is_control() && c != '\n'), "{written:?}");
        }
    }
});
