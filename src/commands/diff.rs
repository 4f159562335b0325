//! `apim-probe diff A B`.

use std::{collections::HashSet, path::Path};

use super::{CommandFailure, print, print_line, terminal};
use crate::{
    cli::{DiffArgs, DocumentFormat},
    diff::{self, Diff, read, text},
    model::{Cause, EndpointReport, Report},
    report::Detail,
    text::words,
};

/// Shows what changed between two reports.
pub(super) fn diff(arguments: &DiffArgs) -> Result<u8, CommandFailure> {
    let read = |path: &Path| read::load(path).map_err(CommandFailure::usage);
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    let diff = Diff::between(&before, &after).map_err(CommandFailure::usage)?;
    if let Some(warning) = smaller(&before, &after) {
        print_line("notice", &warning);
    }
    let ids = diff::unmatched(&before, &after);
    let in_report = |report: &Report| report.endpoints.iter().filter(|e| ids.contains(e.id.as_str())).count();
    let unmatched = in_report(&before).max(in_report(&after));
    if unmatched > 0 {
        print_line(
            "notice",
            &format!(
                "a report was made with --redact: {} of your own cannot be found in both reports and {} not compared; use the \
                 original reports",
                words::count(unmatched, "endpoint"),
                if unmatched == 1 { "is" } else { "are" }
            ),
        );
    } else if before.redacted || after.redacted {
        print_line(
            "notice",
            "a report was made with --redact: one of your hosts may have a different stand-in in the other report, and changes of \
             addresses and of untrusted issuers are not shown; use the original reports",
        );
    }
    let status = diff.status();
    match arguments.format {
        DocumentFormat::Json => print(&diff.to_json())?,
        DocumentFormat::Text => print(&text::render(
            &diff,
            &terminal::options(&status, arguments.color, Detail::Brief, None),
        ))?,
    }
    Ok(status.code)
}

/// What a later report does not cover that an earlier one did: a missing endpoint cannot be seen to fail.
fn smaller(before: &Report, after: &Report) -> Option<String> {
    let known: HashSet<&str> = after
        .endpoints
        .iter()
        .filter(|endpoint| was_selected(endpoint))
        .map(|e| e.id.as_str())
        .collect();
    let lost = before.endpoints.iter().filter(|endpoint| was_selected(endpoint));
    let lost = lost.filter(|endpoint| !known.contains(endpoint.id.as_str())).count();
    let flags = after.selection.flags();
    (lost > 0 && before.selection != after.selection && !flags.is_empty()).then(|| {
        format!(
            "the later report covers less ({flags}): {} of the earlier report {} not in it, so a regression there \
             would not show",
            words::count(lost, "endpoint"),
            if lost == 1 { "is" } else { "are" }
        )
    })
}

fn was_selected(endpoint: &EndpointReport) -> bool {
    endpoint.cause != Some(Cause::Skipped)
}
