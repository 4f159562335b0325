//! The text output of a watch. Times are UTC.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;

use super::{Baseline, Change, Watch, WatchedEndpoint, timeline::between};
use crate::{
    diff::EndpointState,
    model::{ExitStatus, Need, Verdict},
    text::{
        columns, escape, style,
        words::{self, count, list},
    },
};

/// Maximum number of endpoints in a status line.
const NAMED: usize = 2;

/// How a watch is displayed.
#[derive(Debug, Clone, Copy)]
pub struct TextOptions {
    /// Whether text may use colour.
    pub colour: bool,
    /// Maximum width of a line, which breaks between words; `None` for a file or a pipe.
    pub width: Option<usize>,
}

impl TextOptions {
    /// The results of the first round: endpoints that are not reachable, and those that differ from the baseline.
    pub fn opening(self, watch: &Watch) -> String {
        let mut out = format!(
            "{} {}; times are UTC\n",
            self.styled(style::DIM, &clock(watch.began())),
            tally(watch)
        );
        for row in unhealthy(watch) {
            let _ = writeln!(
                out,
                "  {} {}{}",
                escape(&row.label),
                self.state(row.timeline.state()),
                mark(row.need == Need::Required)
            );
        }
        self.folded(&(out + &self.baseline_differences(watch)))
    }

    /// One change: `14:03:07 sql.example:1433 blocked tcp-timeout -> reachable, after 3 m 12 s (required)`.
    pub fn change(self, change: &Change, baseline: Option<&Baseline>) -> String {
        let compared = baseline.map(|baseline| match baseline.state(&change.id) {
            Some(then) if then == change.to => "; as in the baseline".to_owned(),
            Some(then) => format!("; in the baseline {}", words(then)),
            None => "; not in the baseline".to_owned(),
        });
        self.folded(&format!(
            "{} {} {} -> {}, after {}{}{}\n",
            self.styled(style::DIM, &clock(change.at)),
            escape(&change.label),
            words(change.from),
            self.state(change.to),
            words::duration(change.lasted),
            mark(change.is_required),
            compared.unwrap_or_default()
        ))
    }

    /// The summary at the end: the history of each endpoint, and how long it was blocked.
    pub fn summary(self, watch: &Watch, now: Timestamp) -> String {
        let mut out = format!(
            "watched for {} in {}: {}\n",
            words::duration(between(watch.began(), now)),
            count_large(watch.rounds(), "round"),
            count_large(watch.changes(), "change")
        );
        let (reported, unreported): (Vec<&WatchedEndpoint>, Vec<&WatchedEndpoint>) =
            watch.rows().iter().partition(|row| is_worth_telling(row));
        for row in &reported {
            out += &self.timeline(row, now);
        }
        if !reported.is_empty() && !unreported.is_empty() {
            let _ = writeln!(out, "the other {} did not change", count(unreported.len(), "endpoint"));
        }
        let _ = writeln!(out, "finally {}", tally(watch));
        self.folded(&(out + &self.baseline_differences(watch)))
    }

    /// The last line: the exit status and its reason.
    pub fn exit(self, status: &ExitStatus) -> String {
        self.folded(&format!("{status}\n"))
    }

    /// Text whose lines break between words, with continuation lines indented.
    fn folded(self, text: &str) -> String {
        let Some(width) = self.width else {
            return text.to_owned();
        };
        text.lines()
            .fold(String::new(), |out, line| out + &fold(line, width) + "\n")
    }

    fn timeline(self, row: &WatchedEndpoint, now: Timestamp) -> String {
        let blocked = row.timeline.blocked(now);
        let sum = if blocked.is_zero() {
            "never blocked".to_owned()
        } else {
            format!("blocked for {}", words::duration(blocked))
        };
        let mut out = format!("  {}: {sum}{}\n", escape(&row.label), mark(row.need == Need::Required));
        if row.timeline.dropped() > 0 {
            let _ = writeln!(
                out,
                "    after {} earlier:",
                count_large(row.timeline.dropped(), "turn")
            );
        }
        for record in row.timeline.transitions() {
            let time = record.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let _ = writeln!(
                out,
                "    {}  {}",
                self.styled(style::DIM, &time),
                self.state(record.state)
            );
        }
        out
    }

    fn baseline_differences(self, watch: &Watch) -> String {
        let Some(baseline) = watch.baseline() else {
            return String::new();
        };
        let time = baseline.started_at.strftime("%Y-%m-%d %H:%M:%S");
        let differing: Vec<(&WatchedEndpoint, Option<EndpointState>)> = watch.differing().collect();
        if differing.is_empty() {
            return format!("no difference from the baseline of {time}\n");
        }
        let differ = if differing.len() == 1 { "differs" } else { "differ" };
        let mut out = format!(
            "{} {differ} from the baseline of {time}\n",
            count(differing.len(), "endpoint")
        );
        for (row, then) in differing {
            let then = then.map_or_else(|| "not in the baseline".to_owned(), words);
            let now = self.state(row.timeline.state());
            let _ = writeln!(out, "  {} {then} -> {now}", escape(&row.label));
        }
        out
    }

    fn state(self, state: EndpointState) -> String {
        let style = match state.verdict {
            Verdict::Reachable => style::GOOD,
            Verdict::Degraded | Verdict::Unproven => style::DOUBTFUL,
            Verdict::Blocked => style::BAD,
            Verdict::NotTested => style::DIM,
        };
        self.styled(style, &words(state))
    }

    fn styled(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// One line for the bottom of a terminal. It names unhealthy endpoints if they fit in `width` columns.
pub fn status(watch: &Watch, now: Timestamp, width: Option<usize>) -> String {
    let mut line = format!(
        "{}, {}, {}",
        count_large(watch.rounds(), "round"),
        count_large(watch.changes(), "change"),
        tally(watch)
    );
    if watch.baseline().is_some() {
        let _ = write!(line, ", {} different from the baseline", watch.differing().count());
    }
    let unhealthy: Vec<String> = unhealthy(watch)
        .map(|row| {
            let since = words::duration(between(row.timeline.since(), now));
            format!(
                "{} {} for {since}{}",
                escape(&row.label),
                words(row.timeline.state()),
                mark(row.need == Need::Required)
            )
        })
        .collect();
    let named: Vec<&str> = unhealthy.iter().map(String::as_str).collect();
    let with_names = format!("{line}: {}", list(&named, NAMED));
    let fits = width.is_none_or(|width| columns(&with_names) <= width);
    if fits && !named.is_empty() { with_names } else { line }
}

/// Endpoints that are not as expected, required ones first.
fn unhealthy(watch: &Watch) -> impl Iterator<Item = &WatchedEndpoint> {
    let of = |required: bool| {
        let rows = watch.rows().iter().filter(|row| row.is_unhealthy);
        rows.filter(move |row| (row.need == Need::Required) == required)
    };
    of(true).chain(of(false))
}

/// The mark of a required endpoint.
fn mark(is_required: bool) -> &'static str {
    if is_required { " (required)" } else { "" }
}

/// A line, broken between words; colour codes take no space.
fn fold(line: &str, width: usize) -> String {
    let start = line.len() - line.trim_start().len();
    let indent = " ".repeat(start + 2);
    let (mut out, mut used) = (String::new(), 0);
    for (at, word) in line.split(' ').enumerate() {
        let wide = columns(&anstream::adapter::strip_str(word).to_string());
        if at > 0 && used + 1 + wide > width && used > indent.len() {
            out += "\n";
            out += &indent;
            used = indent.len();
        } else if at > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += wide;
    }
    out
}

/// How many of the endpoints that count work.
fn tally(watch: &Watch) -> String {
    let rows = || watch.rows().iter().filter(|row| row.need != Need::Documented);
    let is_tested = |row: &&WatchedEndpoint| row.timeline.state().verdict != Verdict::NotTested;
    let (all, tested) = (rows().count(), rows().filter(is_tested).count());
    let well = rows().filter(is_tested).filter(|row| !row.is_unhealthy).count();
    let verb = if tested == 1 { "is" } else { "are" };
    let mut tally = format!("{well} of {} {verb} as expected", count(tested, "endpoint"));
    if all > tested {
        let _ = write!(tally, ", {} not tested", all - tested);
    }
    tally
}

fn is_worth_telling(row: &WatchedEndpoint) -> bool {
    row.timeline.changes() > 0 || (row.is_unhealthy && row.timeline.state().verdict == Verdict::Blocked)
}

fn words(state: EndpointState) -> String {
    match state.cause {
        Some(cause) => format!("{} {cause}", state.verdict),
        None => state.verdict.to_string(),
    }
}

fn clock(time: Timestamp) -> String {
    time.strftime("%H:%M:%S").to_string()
}

fn count_large(n: u64, noun: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), noun)
}
