//! `apim-probe watch`: rounds, and each change as it happens.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::Instant,
};

use jiff::Timestamp;

use super::{Failure, print_to_reader, run::write_files, session::Session, terminal::colour};
use crate::{
    cli::{Until, WatchArgs, WatchFormat},
    diff::{State, read},
    exit, hello,
    model::{ExitStatus, Policy, Report},
    output::{Outputs, Sinks},
    probe::Depth,
    watch::{
        Baseline, Change, Watch, confirm, pace,
        text::{self, Look},
    },
};

mod status_line;

use self::status_line::StatusLine;

/// Watches until there is a reason to stop, and sums up.
pub fn watch(arguments: WatchArgs) -> Result<u8, Failure> {
    let outputs = Outputs::pair(&[], &arguments.output).map_err(Failure::usage)?;
    // A report that cannot be written should not cost an hour of watching first.
    let mut sinks = outputs.open().map_err(Failure::agent)?;
    let baseline = arguments.pace.baseline.as_deref().map(read).transpose()?;
    let session = Session::open(&arguments.plan, &arguments.probe, arguments.color)?;
    if let Some(baseline) = &baseline
        && baseline.cloud != session.cloud()
    {
        return Err(Failure::usage(format!(
            "the baseline is of the {} cloud, and what is watched of the {} cloud",
            baseline.cloud,
            session.cloud()
        )));
    }
    if !arguments.quiet {
        session.print_notices();
    }
    let mut watcher = Watcher {
        session,
        look: Look {
            colour: colour(arguments.color, &io::stdout()),
        },
        line: StatusLine::new(!arguments.quiet && io::stderr().is_terminal()),
        arguments,
        baseline,
        watch: None,
        last: None,
    };
    let ending = watcher.conduct()?;
    watcher.close(ending, &mut sinks)
}

fn read(path: &Path) -> Result<Baseline, Failure> {
    read::load(path)
        .map(|report| Baseline::of(&report))
        .map_err(|error| Failure::usage(format!("--baseline: {error}")))
}

/// Why a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// What `--until` waits for came.
    Came(Until),
    /// The time of `--for` is over.
    TimeUp,
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads stdout any more.
    Unread,
}

/// A watch under way.
struct Watcher {
    session: Session,
    arguments: WatchArgs,
    /// Until the first round has been taken in; then the watch has it.
    baseline: Option<Baseline>,
    watch: Option<Watch>,
    /// The report of the last round that was whole, or of a first one that was not.
    last: Option<Report>,
    look: Look,
    line: StatusLine,
}

impl Watcher {
    fn conduct(&mut self) -> Result<Ending, Failure> {
        let began = Instant::now();
        let mut started = began;
        let mut depth = Depth::Full;
        let end = self.arguments.pace.at_most.map(|time| began + time);
        loop {
            if let Some(ending) = self.round(depth)? {
                return Ok(ending);
            }
            if let Some(until) = self.came() {
                // What ends a watch is seen by a full round, which is asked to confirm what a light one saw.
                if depth == Depth::Full {
                    return Ok(Ending::Came(until));
                }
                if let Some(ending) = self.round(Depth::Full)? {
                    return Ok(ending);
                }
                if let Some(until) = self.came() {
                    return Ok(Ending::Came(until));
                }
            }
            let now = Instant::now();
            if end.is_some_and(|end| end <= started) {
                return Ok(Ending::TimeUp);
            }
            let next = pace::next_start(started, self.arguments.pace.interval, chance(), now);
            let is_last = end.is_some_and(|end| end <= next);
            depth = if is_last { Depth::Full } else { Depth::Light };
            if self.session.wait_until(end.map_or(next, |end| end.min(next))) {
                return Ok(Ending::Interrupted);
            }
            started = Instant::now();
        }
    }

    /// Probes everything once and says what changed; gives an ending where it was not heard to the end.
    fn round(&mut self, depth: Depth) -> Result<Option<Ending>, Failure> {
        let started_at = Timestamp::now();
        let mut run = self.session.probe(depth, |_| {});
        let mut report = self.session.report(&run, started_at);
        let doubtful: Vec<usize> = (0..report.endpoints.len())
            .filter(|index| run.traces[*index].is_some() && self.is_doubtful(&report, *index))
            .collect();
        if !run.interrupted && !doubtful.is_empty() {
            self.session.look_again(&mut run, depth, &doubtful);
            report = self.session.report(&run, started_at);
        }
        if run.interrupted {
            // Half a round says nothing of the other half.
            self.last.get_or_insert(report);
            return Ok(Some(Ending::Interrupted));
        }
        let news = self.take_in(&report, depth);
        self.last = Some(report);
        let is_read = self.line.aside(|| print_to_reader(&news))?;
        self.line.say(|| {
            let status = self.watch.as_ref().map(|watch| text::status(watch, Timestamp::now()));
            status.unwrap_or_default()
        });
        Ok((!is_read).then_some(Ending::Unread))
    }

    fn is_doubtful(&self, report: &Report, index: usize) -> bool {
        let known = self.watch.as_ref().and_then(|watch| watch.known(index));
        confirm::needs_second_look(known, State::of(&report.endpoints[index]), self.session.timeout())
    }

    /// What a round has to say on stdout.
    fn take_in(&mut self, report: &Report, depth: Depth) -> String {
        let (format, look, at) = (self.arguments.format, self.look, Timestamp::now());
        let Some(watch) = &mut self.watch else {
            let watch = self.watch.insert(Watch::begin(report, at, self.baseline.take()));
            return match format {
                WatchFormat::Text => look.opening(watch),
                WatchFormat::Jsonl => String::new(),
            };
        };
        let changes = watch.observe(report, depth, at);
        match format {
            WatchFormat::Text => changes
                .iter()
                .map(|change| look.change(change, watch.baseline()))
                .collect(),
            WatchFormat::Jsonl => changes.iter().map(Change::to_jsonl).collect(),
        }
    }

    /// What `--until` waits for, where the last round brought it.
    fn came(&self) -> Option<Until> {
        self.arguments.pace.until.filter(|until| match until {
            Until::Green => self.verdict().is_some_and(|exit| exit.code == ExitStatus::REACHABLE),
            Until::Change => self.watch.as_ref().is_some_and(|watch| watch.changes() > 0),
        })
    }

    /// What `run` would have ended with in place of the last round.
    fn verdict(&self) -> Option<ExitStatus> {
        let policy = Policy {
            fail_on: self.arguments.fail_on,
            allow_untested: self.arguments.allow_untested,
        };
        self.last.as_ref().map(|report| exit::judge(report, policy, None))
    }

    /// Sums up, writes the files, and gives the exit status.
    fn close(self, ending: Ending, sinks: &mut Sinks) -> Result<u8, Failure> {
        self.line.clear();
        let verdict = self.verdict();
        let fault = self
            .last
            .as_ref()
            .zip(verdict.as_ref())
            .and_then(|(report, verdict)| write_files(report, sinks, verdict, false));
        let status = match fault {
            Some(fault) => ExitStatus::new(ExitStatus::FAILED, fault),
            None => status(ending, self.arguments.pace.until, verdict),
        };
        let now = Timestamp::now();
        let sum = |look: Look| {
            let summary = self.watch.as_ref().map(|watch| look.summary(watch, now));
            format!("{}{status}\n", summary.unwrap_or_default())
        };
        match (ending, self.arguments.format) {
            (Ending::Unread, _) => {}
            (_, WatchFormat::Text) => {
                print_to_reader(&sum(self.look))?;
            }
            (_, WatchFormat::Jsonl) if !self.arguments.quiet => {
                let colour = colour(self.arguments.color, &io::stderr());
                let _ = io::stderr().write_all(sum(Look { colour }).as_bytes());
            }
            (_, WatchFormat::Jsonl) => {}
        }
        self.session.close();
        Ok(status.code)
    }
}

/// The exit status of a watch; `verdict` is what the last round came to.
fn status(ending: Ending, until: Option<Until>, verdict: Option<ExitStatus>) -> ExitStatus {
    let last = || verdict.map(|verdict| verdict.reason).unwrap_or_default();
    match (ending, until) {
        (Ending::Came(Until::Green), _) => ExitStatus::new(0, format!("green: {}", last())),
        (Ending::Came(Until::Change), _) => ExitStatus::new(0, "something changed"),
        (Ending::TimeUp, Some(Until::Green)) => {
            ExitStatus::new(1, format!("the time is over and it is not green: {}", last()))
        }
        (Ending::TimeUp, Some(Until::Change)) => ExitStatus::new(1, "the time is over and nothing changed"),
        (Ending::TimeUp, None) => ExitStatus::new(0, "the time is over"),
        (Ending::Interrupted, _) => ExitStatus::new(ExitStatus::INTERRUPTED, "interrupted"),
        (Ending::Unread, _) => ExitStatus::new(0, "nobody reads any more"),
    }
}

fn chance() -> u16 {
    u16::from_ne_bytes(hello::random())
}
