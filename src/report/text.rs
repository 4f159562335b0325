//! The report for people at a terminal: what is wrong first, what is well in one line each.
//!
//! Sections from the top: where the agent stood, the run in one sentence, findings, dependencies, what was not tested,
//! what the documentation names in vain, on demand every endpoint, and the exit status.

use super::Options;
use crate::model::Report;

mod command;
mod dependencies;
mod endpoints;
mod findings;
mod opening;
pub(crate) mod page;
mod rest;

use page::{Line, Page};

/// The report as text of at most `options.width` columns.
pub fn render(report: &Report, options: &Options) -> String {
    let mut page = Page::new(options);
    opening::write(&mut page, report);
    findings::write(&mut page, report, options.verbose);
    dependencies::write(&mut page, report);
    rest::write_untested(&mut page, report);
    rest::write_noted(&mut page, report);
    if options.verbose {
        endpoints::write(&mut page, report);
    }
    page.gap();
    page.line(Line::default().text(&options.exit.to_string()));
    page.finish()
}
