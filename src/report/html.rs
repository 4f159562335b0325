//! HTML: one file that needs no network.

use std::{collections::HashMap, fmt};

use askama::{
    Template,
    filters::{Escaper, Html, HtmlSafe},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::digest;

use super::{
    Options, handover,
    headline::{self, Headline, Tone},
    view::{self, GroupStatus},
};
use crate::{
    model::{Cause, EndpointReport, Finding, Handover, Need, Report, StageReports, Standing, Verdict},
    text::{escape, words},
};

mod path_diagram;

use self::path_diagram::{DrawnHop, draw_path};

const CSS: &str = include_str!("../../templates/report.css");
const JS: &str = include_str!("../../templates/report.js");
/// Maximum number of endpoints that a finding links to.
const MAX_LINKS: usize = 50;
/// Maximum number of connections that a hand-over lists.
const MAX_FLOWS: usize = 12;
/// The site of the documentation: no other links are made.
const DOCS: &str = "https://learn.microsoft.com/";
/// With more endpoints than this, a browser draws only the rows in sight. A screenshot of the whole page shows the others
/// as empty.
const MANY_ROWS: usize = 1_000;
/// The width of a row's timings, in units of the drawing.
const BAR: f64 = 1_000.0;

/// The report as one self-contained HTML file.
///
/// The page's own policy forbids every connection, and every script except its own. Without scripts, everything works
/// except the filter.
///
/// # Panics
///
/// Never: the template writes to memory.
pub fn render(report: &Report, options: &Options) -> String {
    ReportPage::of(report, options)
        .render()
        .expect("a template in memory can be rendered")
}

/// Text from any source, without control characters; the template escapes markup.
pub(crate) struct EscapedText<'a>(pub(crate) &'a str);

impl fmt::Display for EscapedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(self.0))
    }
}

/// An endpoint's target or id, escaped: a narrow page breaks it after the dependency or before the port first.
pub(crate) struct TargetText<'a>(pub(crate) &'a str);

impl fmt::Display for TargetText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = escape(self.0);
        let (before, port) = text.split_at(text.rfind(':').unwrap_or(text.len()));
        let (dependency, host) = before.split_at(before.find('/').map_or(0, |slash| slash + 1));
        let pieces = [dependency, host, port].into_iter().filter(|piece| !piece.is_empty());
        for (at, piece) in pieces.enumerate() {
            if at > 0 {
                f.write_str("<wbr>")?;
            }
            Html.write_escaped_str(&mut *f, piece)?;
        }
        Ok(())
    }
}

impl HtmlSafe for TargetText<'_> {}

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    css: &'static str,
    css_hash: String,
    js: &'static str,
    js_hash: String,
    headline: Headline,
    tone: &'static str,
    time: String,
    about: Vec<String>,
    notices: Vec<EscapedText<'a>>,
    findings: Vec<FindingView<'a>>,
    tables: Vec<TableView<'a>>,
    verdicts: Vec<(Verdict, usize)>,
    scale: String,
    has_paths: bool,
    has_many_rows: bool,
    groups: Vec<GroupView<'a>>,
    exit: String,
    catalog: EscapedText<'a>,
}

struct FindingView<'a> {
    /// Its name on buttons: `finding 1`.
    name: String,
    title: EscapedText<'a>,
    confidence: &'static str,
    /// `required · stops activation`, `optional`.
    weight: String,
    /// Whether it is about something that the instance requires.
    is_required: bool,
    cause: Option<Cause>,
    /// A documentation page.
    docs: Option<&'a str>,
    way: Vec<DrawnHop>,
    /// The number of an endpoint's row, and its link target.
    endpoints: Vec<(usize, TargetText<'a>)>,
    more: usize,
    parts: Vec<(&'static str, String)>,
    commands: Vec<(&'static str, Vec<String>)>,
    handover: Option<HandoverView>,
}

struct HandoverView {
    owners: String,
    window: String,
    flows: Vec<String>,
    more: usize,
    requests: Vec<RequestView>,
}

struct RequestView {
    /// Its name on buttons: `finding 1, firewall`.
    name: String,
    owner: &'static str,
    impact: String,
    allow: Vec<String>,
    /// A text to copy, with its label.
    blocks: Vec<(String, Vec<String>)>,
}

struct TableView<'a> {
    caption: &'static str,
    rows: Vec<RowView<'a>>,
}

struct RowView<'a> {
    tone: &'static str,
    status: &'static str,
    title: EscapedText<'a>,
    working: usize,
    all: usize,
}

struct GroupView<'a> {
    title: EscapedText<'a>,
    id: EscapedText<'a>,
    endpoints: Vec<EndpointView<'a>>,
}

struct EndpointView<'a> {
    index: usize,
    verdict: Verdict,
    tone: &'static str,
    need: &'static str,
    need_label: &'static str,
    target: TargetText<'a>,
    feature: Option<EscapedText<'a>>,
    cause: Option<Cause>,
    detail: EscapedText<'a>,
    facts: Vec<(&'static str, String)>,
    evidence: Vec<EscapedText<'a>>,
    open: bool,
    /// Whether a finding lists it.
    is_explained: bool,
    ms: String,
    bars: Vec<TimingBar>,
    is_cut: bool,
    spoken: String,
}

struct TimingBar {
    class: &'static str,
    x: String,
    width: String,
}

impl<'a> ReportPage<'a> {
    fn of(report: &'a Report, options: &Options) -> Self {
        let headline = Headline::of(report);
        let counting = view::split_findings(report).0;
        let explained = view::finding_numbers(&counting);
        let numbers: HashMap<&str, usize> = report.endpoints.iter().map(|e| e.id.as_str()).zip(0..).collect();
        let scale = scale(report);
        let all = [
            Verdict::Blocked,
            Verdict::Unproven,
            Verdict::NotTested,
            Verdict::Degraded,
            Verdict::Reachable,
        ];
        let findings: Vec<_> = (1..)
            .zip(&counting)
            .map(|(number, f)| finding_view(f, number, &numbers, report.vantage.standing))
            .collect();
        let has_paths = findings.iter().any(|finding| !finding.way.is_empty());
        let count = |verdict| report.endpoints.iter().filter(|e| e.verdict == verdict).count();
        Self {
            css: CSS,
            css_hash: hash(CSS),
            js: JS,
            js_hash: hash(JS),
            tone: match headline.tone {
                Tone::Good => "good",
                Tone::Doubtful => "doubtful",
                Tone::Bad => "bad",
            },
            time: headline::time(report),
            about: headline::vantage(report)
                .into_iter()
                .chain(headline::run(report))
                .map(|item| escape(&item).into_owned())
                .collect(),
            notices: report
                .vantage
                .notices
                .iter()
                .map(|notice| EscapedText(notice))
                .collect(),
            findings,
            tables: tables(report),
            verdicts: all.into_iter().map(|verdict| (verdict, count(verdict))).collect(),
            scale: words::milliseconds(scale),
            has_paths,
            has_many_rows: report.endpoints.len() > MANY_ROWS,
            groups: view::by_dependency(report)
                .into_iter()
                .map(|(id, endpoints)| GroupView {
                    title: EscapedText(view::title(&endpoints)),
                    id: EscapedText(id),
                    endpoints: endpoints
                        .into_iter()
                        .map(|e| {
                            let is_explained = explained.contains_key(e.id.as_str());
                            endpoint_view(e, numbers[e.id.as_str()], scale, is_explained)
                        })
                        .collect(),
                })
                .collect(),
            exit: escape(&options.exit.to_string()).into_owned(),
            catalog: EscapedText(&report.agent.catalog_sha256),
            headline,
        }
    }
}

fn finding_view<'a>(
    finding: &'a Finding,
    number: usize,
    numbers: &HashMap<&str, usize>,
    standing: Option<Standing>,
) -> FindingView<'a> {
    let target = |id: &'a str| id.split_once('/').map_or(id, |(_, target)| target);
    let known = finding
        .endpoints
        .iter()
        .filter_map(|id| Some((*numbers.get(id.as_str())?, TargetText(target(id)))));
    let endpoints: Vec<_> = known.take(MAX_LINKS).collect();
    let look_at = view::places(finding);
    let parts = [
        ("Seen", words::sentences(&finding.evidence)),
        ("Impact", finding.impact.clone()),
        ("Look at", look_at.join(", then ")),
        ("Fix", finding.fix.summary.clone()),
        (
            "In the commands",
            view::open_words(&finding.fix).collect::<Vec<_>>().join("; "),
        ),
    ];
    let name = format!("finding {number}");
    FindingView {
        title: EscapedText(&finding.title),
        confidence: finding.confidence.as_str(),
        weight: words::join(view::weight(finding), " · "),
        is_required: finding.need == Some(Need::Required),
        cause: finding.cause,
        docs: finding.docs.as_deref().filter(|page| page.starts_with(DOCS)),
        way: draw_path(finding, standing),
        handover: finding.handover.as_ref().map(|handover| handover_view(handover, &name)),
        name,
        more: finding.endpoints.len() - endpoints.len(),
        endpoints,
        parts: parts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(label, text)| (label, escape(&text).into_owned()))
            .collect(),
        commands: view::commands(&finding.fix)
            .map(|(label, commands)| {
                (
                    label,
                    commands
                        .into_iter()
                        .flat_map(view::FixCommand::lines)
                        .map(|line| escape(&line).into_owned())
                        .collect(),
                )
            })
            .collect(),
    }
}

fn handover_view(handover: &Handover, finding: &str) -> HandoverView {
    let harmless = |text: &str| escape(text).into_owned();
    let requests = handover.owners.iter().map(|request| {
        let change = request.changes();
        let change = change.flat_map(|(line, undo)| view::FixCommand { line, undo }.lines());
        let mut blocks: Vec<(String, Vec<String>)> = vec![
            ("Change".into(), change.map(|line| harmless(&line)).collect()),
            (
                "Reproduce".into(),
                request.reproduce.iter().map(|line| harmless(line)).collect(),
            ),
        ];
        for query in handover::queries(handover, request.owner) {
            let lines = query.text.lines().map(harmless).collect();
            blocks.push((harmless(&query.title), lines));
        }
        blocks.retain(|(_, lines)| !lines.is_empty());
        RequestView {
            name: format!("{finding}, {}", request.owner.label()),
            owner: request.owner.label(),
            impact: harmless(&request.impact),
            allow: request.allow.iter().map(|item| harmless(item)).collect(),
            blocks,
        }
    });
    let flows: Vec<String> = handover
        .flows
        .iter()
        .take(MAX_FLOWS)
        .map(|flow| harmless(&handover::flow(flow)))
        .collect();
    HandoverView {
        owners: words::join(handover.owners.iter().map(|request| request.owner.label()), ", "),
        window: handover::window(handover),
        more: handover.flows.len() - flows.len() + handover.more,
        flows,
        requests: requests.collect(),
    }
}

fn tables(report: &Report) -> Vec<TableView<'_>> {
    let table = |(caption, need)| TableView {
        caption,
        rows: view::groups(report, need)
            .into_iter()
            .map(|group| RowView {
                tone: tone(group.status()),
                status: group.status().as_str(),
                title: EscapedText(group.title),
                working: group.working(),
                all: group.endpoints.len(),
            })
            .collect(),
    };
    let tables = [("Required", Need::Required), ("Optional", Need::Feature)].map(table);
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn endpoint_view(endpoint: &EndpointReport, index: usize, scale: f64, is_explained: bool) -> EndpointView<'_> {
    let timings = endpoint.stages.timings();
    let total: f64 = timings.iter().map(|(_, ms)| ms).sum();
    let spoken: Vec<String> = timings
        .iter()
        .map(|(stage, ms)| format!("{stage} {}", words::milliseconds(*ms)))
        .collect();
    let status = view::status(endpoint);
    EndpointView {
        index,
        verdict: endpoint.verdict,
        tone: if endpoint.need == Need::Documented {
            "quiet"
        } else {
            tone(status)
        },
        need: endpoint.need.as_str(),
        need_label: endpoint.need.label(),
        target: TargetText(endpoint.target()),
        feature: endpoint.feature.as_deref().map(EscapedText),
        cause: endpoint.cause,
        detail: EscapedText(&endpoint.detail),
        facts: facts(&endpoint.stages),
        evidence: view::further_evidence(endpoint).map(EscapedText).collect(),
        open: endpoint.need != Need::Documented
            && matches!(status, GroupStatus::Blocked | GroupStatus::Open | GroupStatus::Unproven),
        is_explained,
        ms: endpoint.duration_ms.map_or_else(String::new, |ms| format!("{ms:.1}")),
        bars: bars(&timings, scale),
        is_cut: total > scale,
        spoken: spoken.join(", "),
    }
}

/// The stages as consecutive bars, truncated at the end of the scale.
fn bars(timings: &[(&'static str, f64)], scale: f64) -> Vec<TimingBar> {
    let mut start = 0.0;
    let mut bars = Vec::new();
    for &(class, ms) in timings {
        let end = (start + ms / scale * BAR).min(BAR);
        bars.push(TimingBar {
            class,
            x: format!("{start:.0}"),
            width: format!("{:.0}", (end - start).max(1.0)),
        });
        start = end;
    }
    bars
}

/// The milliseconds that the drawings cover: as long as the slowest endpoint that works. A timeout would compress
/// everything else.
fn scale(report: &Report) -> f64 {
    let total = |e: &EndpointReport| e.stages.timings().iter().map(|(_, ms)| ms).sum::<f64>();
    let proved = report
        .endpoints
        .iter()
        .filter(|e| e.verdict == Verdict::Reachable)
        .map(total)
        .reduce(f64::max);
    let any = || report.endpoints.iter().map(total).reduce(f64::max);
    proved.or_else(any).unwrap_or(0.0).max(20.0)
}

/// The results of the stages.
fn facts(stages: &StageReports) -> Vec<(&'static str, String)> {
    let facts = stages.facts().into_iter();
    facts.map(|(stage, fact)| (stage, escape(&fact).into_owned())).collect()
}

fn tone(status: GroupStatus) -> &'static str {
    match status {
        GroupStatus::Blocked | GroupStatus::Open => "bad",
        GroupStatus::Unproven | GroupStatus::Incomplete | GroupStatus::NotTested | GroupStatus::Degraded => "doubtful",
        GroupStatus::Ok => "good",
    }
}

/// A command in pieces that stay together on a line: an option with its value.
fn pieces(line: &str) -> impl Iterator<Item = &str> {
    let starts = line.match_indices(" -").map(|(at, _)| at + 1);
    let ends = starts.chain([line.len()]);
    ends.scan(0, |start, end| Some(&line[std::mem::replace(start, end)..end]))
}

/// The hash of a text for a content security policy.
pub(crate) fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        BASE64.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    )
}
