//! The last round as a page for people and as a document for programs.

use hyper::body::Bytes;

use crate::{
    exit,
    model::{ExitStatus, Policy, Report},
    report::{self, Detail, Format, Options},
};

/// The default rule for the overall result.
const POLICY: Policy = Policy {
    fail_on: None,
    allow_untested: false,
};

/// The exit status that `run` would have for this round.
pub(crate) fn status(report: &Report) -> ExitStatus {
    exit::judge(report, POLICY, None)
}

/// The HTML report.
pub(super) fn html(report: &Report) -> Bytes {
    rendered(report, Format::Html)
}

/// The JSON report.
pub(super) fn json(report: &Report) -> Bytes {
    rendered(report, Format::Json)
}

fn rendered(report: &Report, format: Format) -> Bytes {
    let options = Options {
        exit: &status(report),
        policy: POLICY,
        width: 80,
        colour: false,
        unicode: true,
        detail: Detail::Brief,
        again: None,
    };
    report::render(report, format, &options).into()
}
