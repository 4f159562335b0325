//! Where the agent stood, and the run in one sentence.

use anstyle::Style;

use super::page::{Line, Page, columns};
use crate::{
    catalog::model::{Cloud, Need},
    diagnosis::cause::Verdict,
    paint,
    report::{
        Report,
        view::{self, Group, Status},
        words,
    },
};

/// Writes the vantage, its notices and the headline.
pub fn write(page: &mut Page, report: &Report) {
    items(page, &vantage(report));
    items(page, &run(report));
    imports(page, report);
    for notice in &report.vantage.notices {
        page.paragraph(
            Line::default().styled(paint::DOUBTFUL, "note").to(6),
            paint::NORMAL,
            notice,
            None,
        );
    }
    page.gap();
    let (style, word, sentence) = headline(report);
    page.paragraph(
        Line::default().styled(style, word).to(columns(word) + 2),
        paint::HEADING,
        &sentence,
        None,
    );
}

/// Writes items behind each other, with a dot between them; the line breaks only between items.
fn items(page: &mut Page, items: &[String]) {
    let mut line = String::new();
    for item in items {
        let joined = if line.is_empty() {
            item.clone()
        } else {
            format!("{line}{}{item}", page.dot())
        };
        if columns(&joined) > page.measure() && !line.is_empty() {
            page.line(Line::default().styled(paint::QUIET, &line));
            line.clone_from(item);
        } else {
            line = joined;
        }
    }
    page.paragraph(Line::default(), paint::QUIET, &line, None);
}

fn vantage(report: &Report) -> Vec<String> {
    let vantage = &report.vantage;
    let cloud = match vantage.cloud {
        Cloud::Public => "public cloud",
        Cloud::Usgov => "US Government cloud",
        Cloud::China => "21Vianet cloud",
    };
    let mut items = vec![format!("apim-probe {}", report.agent.version), cloud.to_owned()];
    items.extend(vantage.region.clone());
    items.extend(vantage.vnet.map(|vnet| format!("{} network", vnet.as_str())));
    let addresses = vantage.addresses.join(", ");
    items.extend(match (&vantage.host, addresses.as_str()) {
        (Some(host), "") => Some(format!("from {host}")),
        (Some(host), _) => Some(format!("from {host} {addresses}")),
        (None, "") => None,
        (None, _) => Some(format!("from {addresses}")),
    });
    items.extend(vantage.subnet.as_ref().map(|subnet| format!("subnet {subnet}")));
    items.extend(vantage.clock_skew_ms.filter(|skew| skew.abs() >= 1_000.0).map(|skew| {
        let side = if skew > 0.0 { "ahead" } else { "behind" };
        format!("clock {} {side}", words::duration(skew.abs()))
    }));
    if !vantage.resolvers.is_empty() {
        let resolvers: Vec<&str> = vantage
            .resolvers
            .iter()
            .map(|r| r.strip_suffix(":53").unwrap_or(r))
            .collect();
        items.push(format!("DNS {}", resolvers.join(", ")));
    }
    items
}

/// What the plan was made with, one line each.
fn imports(page: &mut Page, report: &Report) {
    for imported in &report.vantage.imports {
        let age = imported.as_of.map(|as_of| {
            let old = words::age(report.started_at.duration_since(as_of));
            format!(", as of {} ({old})", as_of.strftime("%Y-%m-%d %H:%M UTC"))
        });
        let endpoints = words::count(imported.endpoints, "endpoint");
        let text = format!("with {endpoints} of {}{}", imported.from, age.unwrap_or_default());
        page.paragraph(Line::default(), paint::QUIET, &text, None);
    }
}

fn run(report: &Report) -> [String; 2] {
    let endpoints = words::count(report.endpoints.len(), "endpoint");
    let documented = report
        .agent
        .catalog_documented
        .as_ref()
        .map(|date| format!(", documented {date}"));
    let time = report.started_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    [
        format!("{endpoints}{}", documented.unwrap_or_default()),
        format!("{time}, took {}", words::duration(report.duration_ms)),
    ]
}

fn headline(report: &Report) -> (Style, &'static str, String) {
    let required = view::groups(report, Need::Required);
    let optional = view::groups(report, Need::Feature);
    let (scope, kind) = if required.is_empty() {
        (&optional, "optional")
    } else {
        (&required, "required")
    };
    let (style, word, sentence) = judgement(scope, kind);
    let mut sentence = sentence;
    if !required.is_empty() {
        let blocked = with(&optional, Status::Blocked);
        if blocked > 0 {
            let verb = if blocked == 1 { "does" } else { "do" };
            sentence = format!("{sentence}; {blocked} of {} optional ones {verb} not", optional.len());
        }
    }
    let open = report.summary.unexpectedly_open;
    let (style, word) = if open > 0 {
        (paint::BAD, if word == "BLOCKED" { word } else { "OPEN" })
    } else {
        (style, word)
    };
    if open > 0 {
        let verb = if open == 1 { "is" } else { "are" };
        sentence = format!(
            "{} that must be blocked {verb} open; {sentence}",
            words::count(open, "endpoint")
        );
    }
    if report.complete {
        return (style, word, sentence);
    }
    let tried = report
        .endpoints
        .iter()
        .filter(|e| e.verdict != Verdict::NotTested)
        .count();
    let so_far = format!(
        "{tried} of {} endpoints were tested; so far {sentence}",
        report.endpoints.len()
    );
    (paint::DOUBTFUL, "INTERRUPTED", so_far)
}

/// The headline of a set of dependencies, all required or all optional.
fn judgement(groups: &[Group], kind: &str) -> (Style, &'static str, String) {
    let all = groups.len();
    let noun = if all == 1 { "dependency" } else { "dependencies" };
    let doubtful = [Status::Unproven, Status::Incomplete, Status::NotTested]
        .map(|s| with(groups, s))
        .iter()
        .sum();
    match (with(groups, Status::Blocked), doubtful) {
        (0, 0) if all == 0 => (
            paint::NORMAL,
            "NOTHING TO TEST",
            "nothing that counts was selected".to_owned(),
        ),
        (0, 0) if all == 1 => (
            paint::GOOD,
            "REACHABLE",
            format!("the {kind} dependency works from this subnet"),
        ),
        (0, 0) => (
            paint::GOOD,
            "REACHABLE",
            format!("all {all} {kind} dependencies work from this subnet"),
        ),
        (0, doubtful) => {
            let verb = if doubtful == 1 { "is" } else { "are" };
            let counted = format!("{doubtful} of {all} {kind} {noun} {verb} not proved");
            (
                paint::DOUBTFUL,
                "INCOMPLETE",
                format!("nothing {kind} is blocked, but {counted}"),
            )
        }
        (blocked, _) => {
            let verb = if blocked == 1 { "does" } else { "do" };
            (
                paint::BAD,
                "BLOCKED",
                format!("{blocked} of {all} {kind} {noun} {verb} not work from this subnet"),
            )
        }
    }
}

fn with(groups: &[Group], status: Status) -> usize {
    groups.iter().filter(|g| g.status() == status).count()
}
