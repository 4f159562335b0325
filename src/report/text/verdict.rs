//! The end of the report, the part that a terminal shows: the run in one sentence, each finding with its fix, and the
//! next command.

use super::{
    findings,
    page::{StyledLine, TextPage},
};
use crate::{
    elsewhere,
    model::{Cause, Confidence, ExitStatus, Finding, FindingKind, Need, Report, Verdict},
    report::{
        Detail, Options,
        blind_spots::blind_spots,
        headline::{Headline, Tone},
        view,
    },
    text::{columns, style, wrap},
};

/// Column of a finding's text.
const INDENT: usize = 5;
/// Column of the next commands.
const NEXT: usize = 6;

/// Lines of a 24-row terminal that the verdict may take: one is for the prompt.
const ROWS: usize = 23;

/// Parts that are only shown with `-v`, so that the verdict, the findings and the next command fit on one screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    /// The drawn path.
    Traceroutes,
    /// The fixes of hints.
    Hints,
}

/// Writes the verdict, the findings that count, numbered from 1, what to do next, and the exit status.
pub(super) fn write(page: &mut TextPage, report: &Report, options: &Options) {
    page.gap();
    let mark = page.mark();
    for fold in [Fold::Nothing, Fold::Traceroutes, Fold::Hints] {
        page.rewind(mark);
        write_folded(page, report, options, fold);
        if options.detail > Detail::Brief || page.lines_since(mark) <= ROWS {
            break;
        }
    }
}

fn write_folded(page: &mut TextPage, report: &Report, options: &Options, fold: Fold) {
    headline(page, report);
    let (counting, _) = view::split_findings(report);
    for (finding, number) in counting.iter().zip(1..) {
        short(page, finding, number, fold);
    }
    let blind = blind_spots(report, options.exit);
    if !blind.is_empty() {
        page.gap();
        page.line(StyledLine::default().text("What this run cannot see, and how to check it:"));
        for spot in &blind {
            page.paragraph(StyledLine::at(2).styled(style::DIM, "-").to(4), style::NORMAL, spot);
        }
    }
    next(page, report, &counting, options);
    let status = format!("exit {}: ", options.exit.code);
    page.paragraph(StyledLine::default().text(&status), style::NORMAL, &options.exit.reason);
}

fn headline(page: &mut TextPage, report: &Report) {
    let Headline { tone, word, sentence } = Headline::of(report);
    let style = match tone {
        Tone::Good => style::GOOD,
        Tone::Doubtful => style::DOUBTFUL,
        Tone::Bad => style::BAD,
    };
    page.paragraph(
        StyledLine::default().styled(style, word).to(columns(word) + 2),
        style::HEADING,
        &sentence,
    );
}

/// A finding: its title, marked with its effect on the instance, and its complete fix.
fn short(page: &mut TextPage, finding: &Finding, number: usize, fold: Fold) {
    let mark = mark(page, finding);
    let mut start = Some(
        StyledLine::default()
            .styled(style::BAD, &format!("{number:>3}"))
            .to(INDENT),
    );
    let available = page.measure() - INDENT;
    let titles = wrap(&finding.title, available);
    let marked = page.measure() - columns(&mark);
    for (at, title) in titles.iter().enumerate() {
        let line = start.take().unwrap_or_else(|| StyledLine::at(INDENT));
        let line = line.styled(style::HEADING, title);
        if at + 1 < titles.len() {
            page.line(line);
        } else if line.column() + 2 <= marked {
            page.line(line.to(marked).styled(style::DOUBTFUL, &mark));
        } else {
            page.line(line);
            page.line(StyledLine::at(marked).styled(style::DOUBTFUL, &mark));
        }
    }
    if fold < Fold::Traceroutes {
        findings::way(page, finding);
    }
    if fold < Fold::Hints || finding.confidence > Confidence::Low {
        page.paragraph(StyledLine::at(INDENT), style::NORMAL, &finding.fix.summary);
        if let Some(there) = elsewhere::result_for(finding) {
            page.paragraph(StyledLine::at(INDENT), style::NORMAL, there);
        }
    }
}

/// `required · stops activation`, `optional`; a hint is marked as such.
fn mark(page: &TextPage, finding: &Finding) -> String {
    view::weight(finding).collect::<Vec<_>>().join(page.dot())
}

/// The commands for the next steps, one per line.
fn next(page: &mut TextPage, report: &Report, findings: &[&Finding], options: &Options) {
    page.gap();
    if options.exit.code == ExitStatus::INTERRUPTED {
        return;
    }
    let available = page.measure() - NEXT;
    let ellipsis = page.ellipsis();
    let again = options.again.filter(|again| columns(again) <= available / 2);
    let again = again.map_or_else(|| format!("apim-probe run {ellipsis}"), str::to_owned);
    let lacks_names = report.endpoints.iter().any(|endpoint| {
        endpoint.need == Need::Required
            && endpoint.verdict == Verdict::NotTested
            && endpoint.cause == Some(Cause::NeedsValue)
    });
    let mut commands = match options.detail {
        _ if findings.is_empty() && lacks_names => vec![(
            format!("{again} --network-status FILE"),
            "with the instance's own names".to_owned(),
        )],
        _ if findings.is_empty() => return,
        Detail::Brief => vec![(format!("{again} -v"), "evidence and commands for each fix".to_owned())],
        Detail::NotOk | Detail::Everything => vec![(
            format!("apim-probe watch {ellipsis} --until green"),
            "report when a change takes effect".to_owned(),
        )],
    };
    if let Some((first, kind)) = findings.first().and_then(|first| Some((first, first.kind?))) {
        let cause = first.cause.map(|cause| format!("; also: {cause}"));
        commands.push((
            format!("apim-probe explain {}", FindingKind::as_str(kind)),
            format!("what finding 1 means{}", cause.unwrap_or_default()),
        ));
    }
    let widest = commands.iter().map(|(command, _)| columns(command)).max().unwrap_or(0);
    let mut label = Some(StyledLine::default().styled(style::HEADING, "Next").to(NEXT));
    for (command, meaning) in commands {
        let line = label.take().unwrap_or_else(|| StyledLine::at(NEXT)).text(&command);
        if NEXT + widest + 2 + columns(&meaning) <= page.measure() {
            page.line(line.to(NEXT + widest + 2).styled(style::DIM, &meaning));
        } else {
            page.line(line);
        }
    }
}
