//! Markdown, as a comment on a pull request.

use std::fmt::Write as _;

use super::{
    Options, handover,
    headline::{self, Headline},
    view::{self, DependencyGroup, GroupStatus},
};
use crate::{
    model::{Cause, EndpointReport, Finding, Need, Report},
    text::{escape, words},
};

/// Columns of a command: what GitHub shows without scrolling.
const WIDTH: usize = 100;
/// Maximum number of endpoints in a finding or a list.
const MAX_NAMED: usize = 12;
/// Maximum number of findings that are shown completely: a comment has a limit.
const MAX_FINDINGS: usize = 20;
/// Maximum size of all hand-overs in bytes, of the 65,536 characters that GitHub accepts in a comment.
const ROOM: usize = 44_000;

/// The report in GitHub's Markdown. Names from the network are in code spans, all other text is escaped.
pub fn render(report: &Report, options: &Options) -> String {
    let headline = Headline::of(report);
    let mut out = format!("## {}: {}\n\n", headline.word, text(&headline.sentence));
    let about: Vec<String> = headline::vantage(report)
        .into_iter()
        .chain(headline::run(report))
        .collect();
    let _ = writeln!(out, "{}", text(&about.join(" · ")));
    for notice in &report.vantage.notices {
        let _ = write!(out, "\n> {}\n", text(notice));
    }
    let (findings, _) = view::split_findings(report);
    let mut left_out = 0;
    for (at, finding) in findings.iter().take(MAX_FINDINGS).enumerate() {
        out += &finding_text(finding, at + 1);
        let handover_text = handover_text(finding);
        if out.len() + handover_text.len() <= ROOM {
            out += &handover_text;
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        let _ = write!(
            out,
            "\nNo room for the hand-over of {}: see `-o ticket:FILE`.\n",
            words::count(left_out, "finding")
        );
    }
    if findings.len() > MAX_FINDINGS {
        let _ = write!(
            out,
            "\n… and {} more.\n",
            words::count(findings.len() - MAX_FINDINGS, "finding")
        );
    }
    for (heading, need) in [("Required", Need::Required), ("Optional", Need::Feature)] {
        out += &table(heading, &view::groups(report, need));
    }
    out += &unexplained(report, &findings);
    out += &untested(report);
    let _ = write!(out, "\n**{}**\n", text(&options.exit.to_string()));
    out
}

fn finding_text(finding: &Finding, number: usize) -> String {
    let mut out = format!("\n### {number}. {}\n\n", text(&finding.title));
    let targets: Vec<String> = finding
        .endpoints
        .iter()
        .take(MAX_NAMED)
        .map(|id| code(id.split_once('/').map_or(id, |(_, target)| target)))
        .collect();
    let more = finding.endpoints.len() - targets.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let look_at = view::places(finding);
    let rows = [
        (
            "Endpoints",
            if targets.is_empty() {
                String::new()
            } else {
                targets.join(", ") + &more
            },
        ),
        ("Seen", text(&words::sentences(&finding.evidence))),
        ("Confidence", finding.confidence.as_str().to_owned()),
        ("Impact", text(&finding.impact)),
        ("Look at", look_at.join(", then ")),
        ("Fix", text(&finding.fix.summary)),
    ];
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(out, "- **{label}:** {value}");
    }
    for (label, commands) in view::commands(&finding.fix) {
        let lines: Vec<String> = commands.into_iter().flat_map(|it| it.wrapped(WIDTH)).collect();
        let _ = write!(out, "\n{label}:\n{}", block(&lines, "sh"));
    }
    let open: Vec<String> = view::open_words(&finding.fix).map(|word| text(&word)).collect();
    if !open.is_empty() {
        let _ = write!(out, "\n{}\n", open.join("; "));
    }
    out
}

/// The hand-over for the network team, folded.
fn handover_text(finding: &Finding) -> String {
    let Some(handover) = &finding.handover else {
        return String::new();
    };
    let owners: Vec<&str> = handover.owners.iter().map(|request| request.owner.label()).collect();
    let mut out = format!(
        "\n<details><summary>Hand-over: {}</summary>\n\nSeen from {}:\n",
        owners.join(", "),
        handover::window(handover)
    );
    let mut flows: Vec<String> = handover.flows.iter().take(MAX_NAMED).map(handover::flow).collect();
    let more = handover.flows.len() - flows.len() + handover.more;
    if more > 0 {
        flows.push(format!("and {more} more; the JSON report lists up to 50"));
    }
    out += &block(&flows, "text");
    for request in &handover.owners {
        let _ = write!(out, "\n**{}**", request.owner.label());
        let weight = words::join(view::weight(finding), ", ");
        let value = [weight, request.impact.clone()];
        let value: Vec<String> = value
            .iter()
            .filter(|value| !value.is_empty())
            .map(|value| text(value))
            .collect();
        let _ = writeln!(out, " ({})\n", value.join(": "));
        for item in &request.allow {
            let _ = writeln!(out, "- {}", text(item));
        }
        let change = request.changes();
        let change: Vec<String> = change
            .flat_map(|(line, undo)| view::FixCommand { line, undo }.wrapped(WIDTH))
            .collect();
        for (label, lines) in [("Change", &change), ("Reproduce", &request.reproduce)] {
            if !lines.is_empty() {
                let _ = write!(out, "\n{label}:\n{}", block(lines, "sh"));
            }
        }
        for query in handover::queries(handover, request.owner) {
            let lines: Vec<String> = query.text.lines().map(str::to_owned).collect();
            let _ = write!(out, "\n{}:\n{}", text(&query.title), block(&lines, "text"));
        }
    }
    out + "\n</details>\n"
}

fn table(heading: &str, groups: &[DependencyGroup]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    let mut out = format!("\n### {heading}\n\n| Status | Dependency | Endpoints |\n| --- | --- | ---: |\n");
    for group in groups {
        let status = group.status().as_str();
        let status = if status == "ok" {
            status.to_owned()
        } else {
            format!("**{status}**")
        };
        let _ = writeln!(
            out,
            "| {status} | {} | {}/{} |",
            text(group.title),
            group.working(),
            group.endpoints.len()
        );
    }
    out
}

/// Endpoints that are not reachable and in no finding.
fn unexplained(report: &Report, findings: &[&Finding]) -> String {
    let explained = view::finding_numbers(findings);
    let counts = |e: &&EndpointReport| e.need != Need::Documented && !explained.contains_key(e.id.as_str());
    let failing = report.endpoints.iter().filter(counts);
    let unwell: Vec<&EndpointReport> = failing
        .filter(|e| !matches!(view::status(e), GroupStatus::Ok | GroupStatus::NotTested))
        .collect();
    let mut out = String::new();
    for endpoint in unwell.iter().take(MAX_NAMED) {
        let _ = write!(
            out,
            "\n- {} {}: {}",
            code(endpoint.target()),
            view::status(endpoint).as_str(),
            text(&endpoint.detail)
        );
    }
    if unwell.len() > MAX_NAMED {
        let _ = write!(out, "\n- and {} more", unwell.len() - MAX_NAMED);
    }
    if out.is_empty() { out } else { out + "\n" }
}

fn untested(report: &Report) -> String {
    let causes = view::untested(report);
    if causes.is_empty() {
        return String::new();
    }
    let all: usize = causes.iter().map(|(_, endpoints)| endpoints.len()).sum();
    let mut out = format!(
        "\n<details><summary>Not tested: {}</summary>\n\n",
        words::count(all, "endpoint")
    );
    for (cause, endpoints) in causes {
        let named: Vec<String> = endpoints.iter().take(MAX_NAMED).map(|e| code(e.target())).collect();
        let more = endpoints.len() - named.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let why = match cause {
            Some(Cause::NeedsValue) => view::what_to_pass(&endpoints),
            Some(cause) => cause.meaning().trim_end_matches('.').to_owned(),
            None => "The run ended first".into(),
        };
        let _ = writeln!(out, "- {}: {}{more}", text(&why), named.join(", "));
    }
    out + "\n</details>\n"
}

/// Text in which nothing is markup, a mention, a reference to an issue, or a link.
pub(crate) fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in escape(value).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '|' | '~' | '!' | '$' => out.extend(['\\', c]),
            // What GitHub turns into links after Markdown is parsed; an empty comment separates the parts.
            '@' | '#' => {
                out.push(c);
                out += "<!-- -->";
            }
            _ => out.push(c),
        }
    }
    out.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

/// Text as a code span; not for a table, whose pipes need more.
pub(crate) fn code(value: &str) -> String {
    let value = escape(value);
    let longest = value.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if value.starts_with('`') || value.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{value}{space}{fence}")
}

/// Commands as a code block.
fn block(commands: &[String], language: &str) -> String {
    let commands: Vec<_> = commands.iter().map(|command| escape(command)).collect();
    let longest = commands
        .iter()
        .flat_map(|c| c.split(|c| c != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n{fence}{language}\n{}\n{fence}\n", commands.join("\n"))
}
