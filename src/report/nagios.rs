//! A Nagios plugin's line, and its exit statuses.

use super::{
    Options,
    headline::Headline,
    view::{self, GroupStatus},
};
use crate::{
    model::{ExitStatus, Need, Report},
    text::{escape, words},
};

/// A plugin's exit status (Nagios Plugin Development Guidelines, "Plugin Return Codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceState {
    /// Everything works.
    Ok = 0,
    /// Nothing required is blocked, but something optional is, or something is degraded.
    Warning = 1,
    /// The run's exit status is 1.
    Critical = 2,
    /// The run could not determine it.
    Unknown = 3,
}

impl ServiceState {
    /// The state of a run, from its exit status. Returned instead of that status if this format is written to stdout.
    pub fn of(report: &Report, exit: &ExitStatus) -> Self {
        match exit.code {
            ExitStatus::REACHABLE if is_doubtful(report) => Self::Warning,
            ExitStatus::REACHABLE => Self::Ok,
            ExitStatus::BLOCKED => Self::Critical,
            _ => Self::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

fn is_doubtful(report: &Report) -> bool {
    let troubled = |e| {
        matches!(
            view::status(e),
            GroupStatus::Blocked | GroupStatus::Open | GroupStatus::Degraded
        )
    };
    report
        .endpoints
        .iter()
        .any(|e| e.need != Need::Documented && troubled(e))
}

/// One line: state, what is wrong, and performance data.
pub fn render(report: &Report, options: &Options) -> String {
    let state = ServiceState::of(report, options.exit);
    let message = match state {
        ServiceState::Ok => Headline::of(report).sentence,
        ServiceState::Warning => warning(report),
        ServiceState::Critical | ServiceState::Unknown => options.exit.reason.clone(),
    };
    // A pipe would begin the performance data.
    let message = escape(&message).replace('|', "/");
    format!(
        "APIM OUTBOUND {} - {message} | {}\n",
        state.as_str(),
        performance(report)
    )
}

fn warning(report: &Report) -> String {
    let of = |status| {
        let troubled = report
            .endpoints
            .iter()
            .filter(|e| e.need != Need::Documented && view::status(e) == status);
        let titles = words::distinct(troubled.map(|e| e.title.as_str()));
        (!titles.is_empty()).then(|| format!("{} {}", words::list(&titles, 3), status.as_str()))
    };
    let parts: Vec<String> = [GroupStatus::Blocked, GroupStatus::Open, GroupStatus::Degraded]
        .into_iter()
        .filter_map(of)
        .collect();
    parts.join("; ")
}

fn performance(report: &Report) -> String {
    let summary = &report.summary;
    let counts = [
        ("reachable", summary.reachable),
        ("degraded", summary.degraded),
        ("blocked", summary.blocked),
        ("unproven", summary.unproven),
        ("not_tested", summary.not_tested),
    ];
    let mut data: Vec<String> = counts
        .iter()
        .map(|(label, n)| format!("{label}={n};;;0;{}", summary.counted))
        .collect();
    data.push(format!("time={:.3}s;;;0;", report.duration_ms / 1_000.0));
    data.join(" ")
}
