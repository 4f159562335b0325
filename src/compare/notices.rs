//! What makes reports hard to compare.

use super::{ComparedEndpoint, NamedReport, conclusion::is_one_machine, sees_nothing};
use crate::{
    elsewhere::APART,
    model::{Report, Standing, Verdict},
    text::words::{self, list},
};

/// Maximum number of names in a sentence.
const NAMED: usize = 4;

/// One sentence for each thing that the reader should know before the matrix.
pub(super) fn notices(reports: &[NamedReport], rows: &[ComparedEndpoint]) -> Vec<String> {
    let mut notices = Vec::new();
    notices.extend(one_machine(reports));
    let of = |is_so: &dyn Fn(&NamedReport) -> bool| -> Option<String> {
        let names: Vec<&str> = reports
            .iter()
            .filter(|named| is_so(named))
            .map(|named| named.name.as_str())
            .collect();
        (!names.is_empty()).then(|| list(&names, NAMED))
    };
    if let Some(names) = of(&sees_nothing) {
        notices.push(format!(
            "{names}: made on a machine without a route to anything, so none of its results count"
        ));
    }
    if let Some(names) = of(&|named| !named.report.complete) {
        notices.push(format!(
            "{names}: interrupted, so the endpoints not tried by then are missing"
        ));
    }
    if let Some(names) = of(&|named| named.report.vantage.standing == Some(Standing::NotAzure)) {
        notices.push(format!(
            "{names}: not an Azure VM, so what works there shows that the service answers, but nothing about Azure's network"
        ));
    }
    if let Some(names) = of(&|named| named.report.vantage.is_place_unknown()) {
        notices.push(format!(
            "{names}: the metadata service gave no usable answer, so it is unknown whether that was an Azure VM"
        ));
    }
    if let Some(names) = of(&|named| named.report.redacted) {
        notices.push(format!(
            "{names}: made with --redact, so your own hosts, addresses and subnets are stand-ins and are not compared: compare \
             the original reports"
        ));
    }
    notices.extend(apart(reports));
    for (what, why, value) in VALUES {
        notices.extend(other(reports, what, why, value));
    }
    notices.extend(scopes(reports));
    notices.extend(missing(reports.len(), rows));
    notices
}

type ReportValue = fn(&Report) -> String;

/// What should be the same in all reports: its name, what follows if it is not, and how it reads.
const VALUES: [(&str, &str, ReportValue); 4] = [
    ("different API Management tiers", "their needs differ", |report| {
        report.agent.tier.as_str().to_owned()
    }),
    (
        "different catalogs",
        "endpoints in only one of them are tested only from there",
        |report| {
            let date = report.agent.catalog_documented.as_deref().unwrap_or("no date");
            let digits: String = report.agent.catalog_sha256.chars().take(8).collect();
            format!("{date} {digits}").trim_end().to_owned()
        },
    ),
    (
        "different versions of apim-probe",
        "an older one may give different verdicts",
        |report| report.agent.version.clone(),
    ),
    ("different regions", "regional host names differ with them", |report| {
        report.vantage.region.clone().unwrap_or_else(|| "no region".into())
    }),
];

/// The values per place, if they differ.
fn other(reports: &[NamedReport], what: &str, why: &str, value: ReportValue) -> Option<String> {
    let values: Vec<String> = reports.iter().map(|named| value(&named.report)).collect();
    let distinct = words::distinct(values.iter().map(String::as_str));
    if distinct.len() < 2 {
        return None;
    }
    let each = distinct.iter().map(|distinct| {
        let names = reports.iter().zip(&values).filter(|(_, value)| value == distinct);
        let names: Vec<&str> = names.map(|(named, _)| named.name.as_str()).collect();
        format!("{} ({distinct})", list(&names, NAMED))
    });
    let each: Vec<String> = each.take(NAMED).collect();
    Some(format!("{what}: {}; {why}", each.join(", ")))
}

fn one_machine(reports: &[NamedReport]) -> Option<String> {
    let same = |named: &&NamedReport| {
        let mut others = reports.iter().filter(|other| !std::ptr::eq(*other, *named));
        others.any(|other| is_one_machine(&named.report, &other.report))
    };
    let names: Vec<&str> = reports.iter().filter(same).map(|named| named.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: made on machines with the same name and addresses; if they are the same machine, they differ in time, \
             not in place (apim-probe diff shows that)",
            list(&names, NAMED)
        )
    })
}

fn apart(reports: &[NamedReport]) -> Option<String> {
    let first = reports.iter().min_by_key(|named| named.report.started_at)?;
    let last = reports.iter().max_by_key(|named| named.report.started_at)?;
    let between = last.report.started_at.duration_since(first.report.started_at);
    (between > APART).then(|| {
        format!(
            "{} was made {} before {}: the network may have changed in between",
            first.name,
            words::duration(between.unsigned_abs()),
            last.name
        )
    })
}

/// What flags excluded, if that differs between the reports.
fn scopes(reports: &[NamedReport]) -> Option<String> {
    let flags: Vec<String> = reports.iter().map(|named| named.report.selection.flags()).collect();
    if flags.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let each = reports.iter().zip(&flags).filter(|(_, flags)| !flags.is_empty());
    let each: Vec<String> = each
        .take(NAMED)
        .map(|(named, flags)| format!("{} (with {flags})", named.name))
        .collect();
    Some(format!(
        "different scopes: {}; skipped endpoints are missing",
        each.join(", ")
    ))
}

/// Endpoints that are not in every report, or that some place did not test.
fn missing(places: usize, rows: &[ComparedEndpoint]) -> Option<String> {
    let lacking = rows
        .iter()
        .filter(|row| row.seen.iter().any(Option::is_none) && row.measured().count() > 0)
        .count();
    let alone = rows
        .iter()
        .filter(|row| {
            let tried = row.measured().count();
            tried > 0 && tried < places && row.seen.iter().flatten().any(|s| s.verdict == Verdict::NotTested)
        })
        .count();
    let mut parts = Vec::new();
    if lacking > 0 {
        let verb = if lacking == 1 { "is" } else { "are" };
        parts.push(format!(
            "{} {verb} not in every report (another instance, other name servers, another selection)",
            words::count(lacking, "tested endpoint")
        ));
    }
    if alone > 0 {
        let verb = if alone == 1 { "was" } else { "were" };
        parts.push(format!(
            "{} {verb} not tested everywhere",
            words::count(alone, "endpoint")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
