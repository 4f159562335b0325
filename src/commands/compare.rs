//! `apim-probe compare [NAME=]REPORT …`.

use super::{CommandFailure, print, terminal};
use crate::{
    cli::{CompareArgs, ComparisonFormat, NamedPath},
    compare::{Comparison, NamedReport, html, markdown, text},
    diff::read,
    file,
    report::Detail,
};

/// Shows the same endpoints from several places.
pub(super) fn compare(arguments: &CompareArgs) -> Result<u8, CommandFailure> {
    let names = names(&arguments.reports);
    let read = |(given, name): (&NamedPath, String)| {
        let report = read::load(&given.path).map_err(CommandFailure::usage)?;
        Ok(NamedReport { name, report })
    };
    let reports = arguments.reports.iter().zip(names).map(read);
    let reports: Vec<NamedReport> = reports.collect::<Result<_, CommandFailure>>()?;
    let comparison = Comparison::of(&reports).map_err(CommandFailure::usage)?;
    let status = comparison.status();
    let options = terminal::options(&status, arguments.color, Detail::Brief, None);
    print(&match arguments.format {
        ComparisonFormat::Text => text::render(&comparison, &options),
        ComparisonFormat::Json => comparison.to_json(),
        ComparisonFormat::Markdown => markdown::render(&comparison, &options),
        ComparisonFormat::Html => html::render(&comparison, &options),
    })?;
    Ok(status.code)
}

/// The name of each place: the one that the user gives, else its file without the extension, else, if two files share
/// that, its path.
fn names(given: &[NamedPath]) -> Vec<String> {
    let short = |given: &NamedPath| match (&given.name, given.path.file_stem()) {
        (Some(name), _) => name.clone(),
        (None, Some(stem)) => stem.to_string_lossy().into_owned(),
        (None, None) => file::shown(&given.path),
    };
    let all: Vec<String> = given.iter().map(short).collect();
    let is_shared = |name: &String| all.iter().filter(|other| *other == name).count() > 1;
    given
        .iter()
        .zip(&all)
        .map(|(given, name)| match given.name {
            None if is_shared(name) => file::shown(&given.path),
            _ => name.clone(),
        })
        .collect()
}
