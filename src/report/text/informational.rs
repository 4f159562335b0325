//! Endpoints that do not decide: those that were not tested, and those that are only documented.

use super::page::{StyledLine, TextPage};
use crate::{
    catalog,
    model::{Cause, EndpointReport, Need, Report, Verdict},
    report::{Detail, view},
    text::{style, words},
};

/// Column of the text after a number.
const TEXT: usize = 7;

/// Writes which endpoints were not tested, by cause, and what to pass to test them.
pub(super) fn write_untested(page: &mut TextPage, report: &Report, detail: Detail) {
    let causes = view::untested(report);
    let all: usize = causes.iter().map(|(_, endpoints)| endpoints.len()).sum();
    if all == 0 {
        return;
    }
    page.gap();
    page.line(StyledLine::default().styled(style::HEADING, "NOT TESTED"));
    // Endpoints that need no action share a line.
    let is_folded = |cause: &Option<Cause>| {
        matches!(
            cause,
            Some(Cause::Retired | Cause::Wildcard | Cause::NotOutbound | Cause::Skipped)
        )
    };
    let (folded, shown): (Vec<_>, Vec<_>) = causes
        .into_iter()
        .partition(|(cause, _)| detail < Detail::Everything && is_folded(cause));
    write_folded(page, &folded);
    for (cause, endpoints) in shown {
        let number = StyledLine::default().text(&format!("{:>5}", endpoints.len())).to(TEXT);
        page.paragraph(number, style::NORMAL, &why(cause, &endpoints, report.complete));
        let which = which(cause, &endpoints);
        let which: Vec<&str> = which.iter().map(String::as_str).collect();
        page.list(
            TEXT,
            style::DIM,
            &which,
            if detail == Detail::Brief { 3 } else { usize::MAX },
        );
    }
}

/// Writes in one line how many endpoints this run does not probe by design, by cause.
fn write_folded(page: &mut TextPage, causes: &[(Option<Cause>, Vec<&EndpointReport>)]) {
    let all: usize = causes.iter().map(|(_, endpoints)| endpoints.len()).sum();
    if all == 0 {
        return;
    }
    let parts = causes.iter().map(|(cause, endpoints)| {
        let word = match cause {
            Some(Cause::NotOutbound) => "inbound or peer",
            Some(Cause::Retired) => "retired",
            Some(Cause::Wildcard) => "under a wildcard",
            _ => "skipped",
        };
        format!("{} {word}", endpoints.len())
    });
    let text = format!("excluded from this run: {}", words::join(parts, ", "));
    let number = StyledLine::default().text(&format!("{all:>5}")).to(TEXT);
    page.paragraph(number, style::NORMAL, &text);
}

/// Why endpoints were not tested, and how to change that.
fn why(cause: Option<Cause>, endpoints: &[&EndpointReport], complete: bool) -> String {
    match cause {
        Some(Cause::NeedsValue) => missing(endpoints),
        Some(Cause::Wildcard) => "under a wildcard, without a known host: add a host that you use with --probes".into(),
        Some(Cause::Retired) => "retired, still in the documentation; no action needed".into(),
        Some(Cause::NotOutbound) => "inbound or peer traffic, which a probe from here cannot test".into(),
        Some(Cause::Deadline) if complete => "the deadline passed first: raise --deadline".into(),
        Some(Cause::Deadline) | None => "the run was interrupted first".into(),
        Some(Cause::Skipped) => "skipped".into(),
        Some(Cause::LocalFault) => {
            let heading = "this machine could not probe: ";
            let details: Vec<String> = endpoints.iter().map(|e| e.detail.replacen(heading, "", 1)).collect();
            let details = words::distinct(details.iter().map(|detail| detail.trim_end_matches('.')));
            format!("{heading}{}", words::list(&details, 2))
        }
        Some(other) => other.meaning().trim_end_matches('.').to_owned(),
    }
}

/// The missing names, and every way to provide them.
fn missing(endpoints: &[&EndpointReport]) -> String {
    let names = words::distinct(endpoints.iter().flat_map(|e| catalog::missing(&e.host)));
    let flags = names.iter().map(|name| match *name {
        "region" => "--region=NAME".to_owned(),
        "name_server" => "--dns-server=IP".to_owned(),
        name => format!("--set {name}=NAME"),
    });
    let flags: Vec<String> = flags.collect();
    let import = if flags.iter().any(|flag| flag.starts_with("--set")) {
        "; or --network-status=FILE"
    } else {
        ""
    };
    let by_flags = (!flags.is_empty()).then(|| format!("{}{import}", flags.join(" ")));
    let is_hidden = endpoints.iter().any(|e| catalog::is_hidden(&e.host));
    let by_catalog = is_hidden.then(|| "--probes with the host hidden in a named value".to_owned());
    let ways: Vec<String> = by_flags.into_iter().chain(by_catalog).collect();
    if ways.is_empty() {
        return "value needed: -v shows which".into();
    }
    format!("value needed: {}", ways.join("; "))
}

/// The dependencies concerned, with the number of endpoints if there are several; hosts if they are more informative.
fn which(cause: Option<Cause>, endpoints: &[&EndpointReport]) -> Vec<String> {
    if matches!(cause, Some(Cause::Wildcard | Cause::Retired)) {
        let targets = words::distinct(endpoints.iter().map(|e| e.target()));
        return targets.into_iter().map(str::to_owned).collect();
    }
    let titles = view::group_by(endpoints.iter().copied(), |e| (e.title.clone(), e.need));
    let named = titles.iter().map(|((title, need), members)| {
        let optional = if *need == Need::Feature { ", optional" } else { "" };
        match (members.len(), optional) {
            (1, "") => title.clone(),
            (1, _) => format!("{title} (optional)"),
            (n, optional) => format!("{title} ({n}{optional})"),
        }
    });
    named.collect()
}

/// Writes what is documented and not reachable, by cause.
pub(super) fn write_noted(page: &mut TextPage, report: &Report, detail: Detail) {
    let documented = || report.endpoints.iter().filter(|e| e.need == Need::Documented);
    let noted: Vec<&EndpointReport> = documented().filter(|e| e.verdict != Verdict::Reachable).collect();
    if noted.is_empty() {
        return;
    }
    page.gap();
    let (noted_count, all) = (noted.len(), documented().count());
    let counted = match all {
        1 => "1 endpoint that is".to_owned(),
        all => format!("{noted_count} of {all} endpoints that are"),
    };
    page.line(StyledLine::default().styled(style::HEADING, "NOTED"));
    let verb = if noted_count == 1 { "is" } else { "are" };
    let text = format!(
        "{counted} documented, but not known to be used, {verb} not fully reachable, not verified or not tested \
         (informational)"
    );
    page.paragraph(StyledLine::at(2), style::NORMAL, &text);
    if detail == Detail::Brief {
        return;
    }
    for ((verdict, cause), endpoints) in view::group_by(noted, |e| (e.verdict, e.cause)) {
        let word = cause.map_or(verdict.as_str(), Cause::as_str);
        let targets: Vec<&str> = endpoints.iter().map(|e| e.target()).collect();
        let label = StyledLine::at(2).text(word).to(TEXT + 13);
        page.paragraph(label, style::DIM, &targets.join(", "));
    }
}
