//! The report for people at a terminal, who see its end: the verdict, each finding with its fix, and the next command.
//!
//! Sections from the top: where the agent ran; on request findings in full and endpoints; dependencies, what was not
//! tested, what is only documented; then the verdict, the findings and the exit status.

use super::{Detail, Options};
use crate::model::Report;

mod command;
mod dependencies;
mod endpoints;
mod findings;
mod informational;
pub(crate) mod page;
mod vantage;
mod verdict;

use page::TextPage;

/// The report as text of at most `options.width` columns.
pub fn render(report: &Report, options: &Options) -> String {
    let mut page = TextPage::new(options);
    vantage::write(&mut page, report);
    if options.detail > Detail::Brief {
        findings::write(&mut page, report);
        endpoints::write(&mut page, report, options.detail);
    }
    dependencies::write(&mut page, report, options.detail);
    informational::write_untested(&mut page, report, options.detail);
    informational::write_noted(&mut page, report, options.detail);
    verdict::write(&mut page, report, options);
    page.finish()
}
