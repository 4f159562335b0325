//! The formats of a report, and the one entry to their renderers.

use std::{io, path::Path};

use super::{brief, csv, github, html, jsonl, junit, markdown, nagios, openmetrics, text, ticket};
use crate::model::{ExitStatus, Policy, Report, json};

/// A format that a report can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people at a terminal.
    Text,
    /// A single JSON document, for programs.
    Json,
    /// One endpoint per line, for log pipelines.
    Jsonl,
    /// JUnit XML, for the test view of a CI service.
    Junit,
    /// A single self-contained file for a browser.
    Html,
    /// For a pull request comment.
    Markdown,
    /// One row per endpoint, for a spreadsheet.
    Csv,
    /// Metrics for Prometheus' textfile collector.
    Openmetrics,
    /// One line with performance data and the statuses of a Nagios plugin.
    Nagios,
    /// The result in less than 4 KB.
    Brief,
    /// Text for a ticket to the network team.
    Ticket,
    /// GitHub Actions annotations.
    Github,
}

/// File name extensions and their formats.
const ENDINGS: &[(&str, Format)] = &[
    ("txt", Format::Text),
    ("json", Format::Json),
    ("jsonl", Format::Jsonl),
    ("xml", Format::Junit),
    ("html", Format::Html),
    ("md", Format::Markdown),
    ("csv", Format::Csv),
    ("prom", Format::Openmetrics),
];

impl Format {
    /// The format for a file name extension, in any case; none for an unknown one.
    pub fn from_ending(path: &Path) -> Option<Self> {
        let ending = path.extension()?;
        ENDINGS
            .iter()
            .find(|(known, _)| ending.eq_ignore_ascii_case(known))
            .map(|(_, format)| *format)
    }

    /// The extensions that [`Format::from_ending`] knows, for messages: `.txt, .json`.
    pub fn endings() -> String {
        ENDINGS
            .iter()
            .map(|(ending, _)| format!(".{ending}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Settings for a renderer, apart from the report.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The exit status of the run and its reason.
    pub exit: &'a ExitStatus,
    /// How the user wants the overall result to be determined.
    pub policy: Policy,
    /// Maximum width of a line of text, at least [`Options::NARROWEST`].
    pub width: usize,
    /// Whether text may use colour.
    pub colour: bool,
    /// Whether text may use `·` and `…` instead of ASCII.
    pub unicode: bool,
    /// How detailed the text is.
    pub detail: Detail,
    /// The command line of the run, quoted for a shell, if it was typed: the text builds the next command from it.
    pub again: Option<&'a str>,
}

/// How detailed the text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The verdict, each finding with its fix, and one line for each dependency with a problem.
    #[default]
    Brief,
    /// Everything that is not reachable, with evidence and commands.
    NotOk,
    /// Everything, every endpoint with its timings.
    Everything,
}

impl Detail {
    /// The level for this many `--verbose` flags.
    pub fn from_count(count: u8) -> Self {
        match count {
            0 => Self::Brief,
            1 => Self::NotOk,
            _ => Self::Everything,
        }
    }
}

impl Options<'_> {
    /// The narrowest width that text is laid out for; anything less is treated as this.
    pub const NARROWEST: usize = 40;
}

/// Writes the report in a format, in pieces if that is a large document.
///
/// # Errors
///
/// The writer's error.
pub fn write(report: &Report, format: Format, options: &Options, to: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Json => json::write(report, to),
        _ => to.write_all(render(report, format, options).as_bytes()),
    }
}

/// The report in a format: a pure function.
pub fn render(report: &Report, format: Format, options: &Options) -> String {
    match format {
        Format::Text => text::render(report, options),
        Format::Json => json::pretty(report),
        Format::Jsonl => jsonl::render(report),
        Format::Junit => junit::render(report, options),
        Format::Html => html::render(report, options),
        Format::Markdown => markdown::render(report, options),
        Format::Csv => csv::render(report),
        Format::Openmetrics => openmetrics::render(report, options),
        Format::Nagios => nagios::render(report, options),
        Format::Brief => brief::render(report, options),
        Format::Ticket => ticket::render(report),
        Format::Github => github::render(report, options),
    }
}
