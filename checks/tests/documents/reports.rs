//! What reports and diffs look like, and what none of them may contain.

use apim_probe::{
    exit::judge,
    model::{Policy, Report},
    report::{Detail, Format, Options, render},
};

use crate::samples;

mod compare;
mod diff;
mod formats;
mod pipelines;
mod text;
mod tools;

/// Every sample network except the hostile one, with a name for its snapshots.
fn every_sample() -> Vec<(&'static str, Report)> {
    vec![
        ("all-healthy", samples::all_healthy()),
        ("broken-firewall", samples::broken_firewall()),
        ("all-silent", samples::all_silent()),
        ("nothing-tested", samples::nothing_tested()),
        ("names-missing", samples::names_missing()),
        ("interrupted", samples::interrupted()),
        ("doubtful", samples::doubtful()),
        ("must-be-blocked", samples::must_be_blocked()),
        ("documented-only", samples::documented_only()),
    ]
}

/// The settings for text.
struct TextSettings {
    width: usize,
    colour: bool,
    unicode: bool,
    detail: Detail,
}

const PLAIN: TextSettings = TextSettings {
    width: 80,
    colour: false,
    unicode: true,
    detail: Detail::Brief,
};

fn rendered(report: &Report, format: Format, look: &TextSettings) -> String {
    let exit = judge(report, Policy::default(), None);
    let TextSettings {
        width,
        colour,
        unicode,
        detail,
    } = *look;
    render(
        report,
        format,
        &Options {
            exit: &exit,
            policy: Policy::default(),
            width,
            colour,
            unicode,
            detail,
            again: Some("apim-probe run --region westeurope"),
        },
    )
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../data/reports");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
