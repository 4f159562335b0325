//! What a watch says to people. Times are UTC.

use std::{fmt::Write as _, time::Duration};

use anstyle::Style;
use jiff::Timestamp;

use super::{Baseline, Change, Row, Watch, timeline::between};
use crate::{
    catalog::model::Need,
    diagnosis::cause::Verdict,
    diff::State,
    paint,
    plain::plain,
    report::words::{count, list},
};

/// How many endpoints a status line names: it has one line.
const NAMED: usize = 2;

/// How a watch is shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether text may use colour.
    pub colour: bool,
}

impl Look {
    /// What the first round saw: who is not well, and who is not as in the baseline.
    pub fn opening(self, watch: &Watch) -> String {
        let mut out = format!(
            "{} {}; times are UTC\n",
            self.paint(paint::QUIET, &clock(watch.began())),
            tally(watch)
        );
        for row in watch.rows().iter().filter(|row| row.is_unwell) {
            let _ = writeln!(out, "  {} {}", plain(&row.label), self.state(row.timeline.state()));
        }
        out + &self.strayed(watch)
    }

    /// One change: `14:03:07 sql.example:1433 blocked tcp-timeout -> reachable, after 3 m 12 s`.
    pub fn change(self, change: &Change, baseline: Option<&Baseline>) -> String {
        let compared = baseline.map(|baseline| match baseline.state(&change.id) {
            Some(then) if then == change.to => "; as in the baseline".to_owned(),
            Some(then) => format!("; in the baseline {}", words(then)),
            None => "; not in the baseline".to_owned(),
        });
        format!(
            "{} {} {} -> {}, after {}{}\n",
            self.paint(paint::QUIET, &clock(change.at)),
            plain(&change.label),
            words(change.from),
            self.state(change.to),
            elapsed(change.lasted),
            compared.unwrap_or_default()
        )
    }

    /// Everything at the end: what became of whom, and how long it was blocked.
    pub fn summary(self, watch: &Watch, now: Timestamp) -> String {
        let mut out = format!(
            "watched for {} in {}: {}\n",
            elapsed(between(watch.began(), now)),
            count_large(watch.rounds(), "round"),
            count_large(watch.changes(), "change")
        );
        let (told, quiet): (Vec<&Row>, Vec<&Row>) = watch.rows().iter().partition(|row| is_worth_telling(row));
        for row in &told {
            out += &self.timeline(row, now);
        }
        if !told.is_empty() && !quiet.is_empty() {
            let _ = writeln!(out, "nothing happened to the other {}", count(quiet.len(), "endpoint"));
        }
        let _ = writeln!(out, "at the end {}", tally(watch));
        out + &self.strayed(watch)
    }

    fn timeline(self, row: &Row, now: Timestamp) -> String {
        let blocked = row.timeline.blocked(now);
        let sum = if blocked.is_zero() {
            "never blocked".to_owned()
        } else {
            format!("blocked for {}", elapsed(blocked))
        };
        let mut out = format!("  {}: {sum}\n", plain(&row.label));
        if row.timeline.forgotten() > 0 {
            let _ = writeln!(
                out,
                "    after {} earlier ones:",
                count_large(row.timeline.forgotten(), "turn")
            );
        }
        for turn in row.timeline.turns() {
            let time = turn.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let _ = writeln!(
                out,
                "    {}  {}",
                self.paint(paint::QUIET, &time),
                self.state(turn.state)
            );
        }
        out
    }

    fn strayed(self, watch: &Watch) -> String {
        let Some(baseline) = watch.baseline() else {
            return String::new();
        };
        let time = baseline.started_at.strftime("%Y-%m-%d %H:%M:%S");
        let strayed: Vec<(&Row, Option<State>)> = watch.strayed().collect();
        if strayed.is_empty() {
            return format!("nothing differs from the baseline of {time}\n");
        }
        let differ = if strayed.len() == 1 { "differs" } else { "differ" };
        let mut out = format!(
            "{} {differ} from the baseline of {time}\n",
            count(strayed.len(), "endpoint")
        );
        for (row, then) in strayed {
            let then = then.map_or_else(|| "not in it".to_owned(), words);
            let now = self.state(row.timeline.state());
            let _ = writeln!(out, "  {} {then} -> {now}", plain(&row.label));
        }
        out
    }

    fn state(self, state: State) -> String {
        let style = match state.verdict {
            Verdict::Reachable => paint::GOOD,
            Verdict::Degraded | Verdict::Unproven => paint::DOUBTFUL,
            Verdict::Blocked => paint::BAD,
            Verdict::NotTested => paint::QUIET,
        };
        self.paint(style, &words(state))
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// One line for the bottom of a terminal.
pub fn status(watch: &Watch, now: Timestamp) -> String {
    let mut line = format!(
        "{}, {}, {}",
        count_large(watch.rounds(), "round"),
        count_large(watch.changes(), "change"),
        tally(watch)
    );
    if watch.baseline().is_some() {
        let _ = write!(line, ", {} not as in the baseline", watch.strayed().count());
    }
    let unwell: Vec<String> = watch
        .rows()
        .iter()
        .filter(|row| row.is_unwell)
        .map(|row| {
            let since = elapsed(between(row.timeline.since(), now));
            format!("{} {} for {since}", plain(&row.label), words(row.timeline.state()))
        })
        .collect();
    if !unwell.is_empty() {
        let named: Vec<&str> = unwell.iter().map(String::as_str).collect();
        let _ = write!(line, ": {}", list(&named, NAMED));
    }
    line
}

/// A time that people wait for: `4.2 s`, `12 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How many of those that count are well.
fn tally(watch: &Watch) -> String {
    let rows = || watch.rows().iter().filter(|row| row.need != Need::Documented);
    let is_tested = |row: &&Row| row.timeline.state().verdict != Verdict::NotTested;
    let (all, tested) = (rows().count(), rows().filter(is_tested).count());
    let well = rows().filter(is_tested).filter(|row| !row.is_unwell).count();
    let verb = if tested == 1 { "is" } else { "are" };
    let mut tally = format!("{well} of {} {verb} well", count(tested, "endpoint"));
    if all > tested {
        let _ = write!(tally, ", {} not tested", all - tested);
    }
    tally
}

fn is_worth_telling(row: &Row) -> bool {
    row.timeline.changes() > 0 || (row.is_unwell && row.timeline.state().verdict == Verdict::Blocked)
}

fn words(state: State) -> String {
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
