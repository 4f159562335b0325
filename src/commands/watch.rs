//! `apim-probe watch`: rounds, and each change as it happens.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    CommandFailure, print_within,
    rounds::{Round, Rounds, next_start},
    run::write_files,
    session::{NoSession, Session, report_without_plan},
    stop::{Stop, WriteTimeouts},
    terminal::{colour, columns},
};
use crate::{
    cli::{Until, WatchArgs, WatchFormat},
    diff::read,
    exit,
    model::{DecidingEndpoints, ExitStatus, Policy, Report},
    output::{Outputs, Sinks},
    probe::ProbeDepth,
    report::Detail,
    text::words,
    watch::{
        Baseline, Change, Watch,
        text::{self, TextOptions},
    },
};

mod status_line;

use self::status_line::StatusLine;

/// Watches until there is a reason to stop, then prints a summary.
pub(super) fn watch(arguments: WatchArgs) -> Result<u8, CommandFailure> {
    if arguments.probe.confirm {
        return Err(CommandFailure::usage(
            "--confirm works with a single run only: remove it, and use `apim-probe run --confirm`",
        ));
    }
    let outputs = Outputs::pair(None, &arguments.output).map_err(CommandFailure::usage)?;
    let started_at = Timestamp::now();
    let stop = Stop::begin()?;
    let baseline = arguments.schedule.baseline.clone();
    let opened = stop.run_detached(None, move || {
        let baseline = baseline.as_deref().map(read).transpose()?;
        // A report that cannot be written should not cost an hour of watching first.
        Ok((baseline, outputs.open().map_err(CommandFailure::agent)?))
    });
    let Ok(opened) = opened else {
        return Ok(ExitStatus::INTERRUPTED);
    };
    let (baseline, sinks) = opened?;
    let session = match Session::open(&stop, &arguments.plan, &arguments.probe, arguments.color) {
        Ok(session) => session,
        Err(NoSession::Failed(failure)) => return Err(failure),
        Err(NoSession::Interrupted) => {
            let report = report_without_plan(&stop, &arguments.plan, arguments.probe.redact, started_at);
            return Closing::new(None, Some(report), WatchEnd::Interrupted, arguments).publish(&stop, sinks);
        }
    };
    if baseline.as_ref().is_some_and(|report| report.redacted) && !arguments.probe.redact {
        return Err(CommandFailure::usage(
            "--baseline: the report was made with --redact, so its hosts cannot be matched: pass the original report, \
             or \
             watch with --redact as well",
        ));
    }
    // A report with stand-ins can only be compared with one that has the same.
    let baseline = baseline.map(|report| {
        if report.redacted {
            Baseline::of(&report)
        } else {
            Baseline::of(&session.shown(report))
        }
    });
    if let Some(baseline) = &baseline
        && baseline.cloud != session.cloud()
    {
        return Err(CommandFailure::usage(format!(
            "the baseline is from the {} cloud, but this watch is for the {} cloud",
            baseline.cloud,
            session.cloud()
        )));
    }
    if !arguments.quiet {
        session.print_notices();
    }
    let mut watcher = Watcher {
        stop: &stop,
        session,
        look: TextOptions {
            colour: colour(arguments.color, &io::stdout()),
            width: columns(),
        },
        line: StatusLine::new(!arguments.quiet && io::stderr().is_terminal()),
        arguments,
        rounds: Rounds::new(baseline),
        last: None,
    };
    let ending = watcher.run_loop()?;
    watcher.close(ending, sinks)
}

fn read(path: &Path) -> Result<Report, CommandFailure> {
    read::load(path).map_err(|error| CommandFailure::usage(format!("--baseline: {error}")))
}

/// Why a watch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WatchEnd {
    /// The `--until` condition was met.
    Came(Until),
    /// The time of `--for` ran out.
    TimeUp,
    /// Ctrl-C.
    Interrupted,
    /// stdout is closed.
    Unread,
}

/// A running watch.
struct Watcher<'a> {
    stop: &'a Stop,
    session: Session<'a>,
    arguments: WatchArgs,
    rounds: Rounds,
    /// The report of the last complete round, or of a first one that was not complete.
    last: Option<Report>,
    look: TextOptions,
    line: StatusLine,
}

impl Watcher<'_> {
    fn run_loop(&mut self) -> Result<WatchEnd, CommandFailure> {
        let began = Instant::now();
        let mut started = began;
        let mut depth = ProbeDepth::Full;
        let end = self.arguments.schedule.at_most.map(|time| began + time);
        loop {
            if let Some(ending) = self.round(depth)? {
                return Ok(ending);
            }
            if let Some(until) = self.condition_met() {
                // A full round decides whether a watch ends: it must confirm what a light one saw.
                if depth == ProbeDepth::Full {
                    return Ok(WatchEnd::Came(until));
                }
                if let Some(ending) = self.round(ProbeDepth::Full)? {
                    return Ok(ending);
                }
                if let Some(until) = self.condition_met() {
                    return Ok(WatchEnd::Came(until));
                }
            }
            if end.is_some_and(|end| end <= started) {
                return Ok(WatchEnd::TimeUp);
            }
            let next = next_start(started, self.arguments.schedule.interval);
            let is_last = end.is_some_and(|end| end <= next);
            depth = if is_last { ProbeDepth::Full } else { ProbeDepth::Light };
            if self.session.wait_until(end.map_or(next, |end| end.min(next))) {
                return Ok(WatchEnd::Interrupted);
            }
            started = Instant::now();
        }
    }

    /// Probes everything once and prints what changed; returns an ending if the round was not complete.
    fn round(&mut self, depth: ProbeDepth) -> Result<Option<WatchEnd>, CommandFailure> {
        let round = self.rounds.run_round(&self.session, depth);
        if !round.is_whole {
            self.last.get_or_insert(round.report);
            return Ok(Some(WatchEnd::Interrupted));
        }
        let output = self.output_of(&round);
        self.last = Some(round.report);
        let reported = self
            .line
            .suspended(|| self.stop.run_detached(None, move || print_within(&output, None)));
        let Ok(is_read) = reported else {
            return Ok(Some(WatchEnd::Interrupted));
        };
        let is_read = is_read?;
        self.line.set(|| {
            let status = self
                .rounds
                .watch()
                .map(|watch| text::status(watch, Timestamp::now(), columns()));
            status.unwrap_or_default()
        });
        Ok((!is_read).then_some(WatchEnd::Unread))
    }

    /// What a round prints on stdout.
    fn output_of(&self, round: &Round) -> String {
        let (format, look) = (self.arguments.format, self.look);
        let Some(watch) = self.rounds.watch() else {
            return String::new();
        };
        match format {
            WatchFormat::Text if watch.rounds() == 1 => look.opening(watch),
            WatchFormat::Text => {
                let changes = round.changes.iter();
                changes.map(|change| look.change(change, watch.baseline())).collect()
            }
            WatchFormat::Jsonl => round.changes.iter().map(Change::to_jsonl).collect(),
        }
    }

    /// The `--until` condition, if the last round met it.
    fn condition_met(&self) -> Option<Until> {
        self.arguments.schedule.until.filter(|until| match until {
            Until::Green => self.verdict().is_some_and(|exit| exit.code == ExitStatus::REACHABLE),
            Until::Change => self.rounds.watch().is_some_and(|watch| watch.changes() > 0),
        })
    }

    /// The exit status of `run` for the last round.
    fn verdict(&self) -> Option<ExitStatus> {
        self.last.as_ref().map(|report| verdict(report, &self.arguments))
    }

    /// Prints the summary, writes the files, and returns the exit status.
    fn close(self, ending: WatchEnd, sinks: Sinks) -> Result<u8, CommandFailure> {
        self.line.clear();
        Closing::new(self.rounds.into_watch(), self.last, ending, self.arguments).publish(self.stop, sinks)
    }
}

/// The text at the end.
struct Closing {
    watch: Option<Watch>,
    last: Option<Report>,
    ending: WatchEnd,
    arguments: WatchArgs,
}

impl Closing {
    fn new(watch: Option<Watch>, last: Option<Report>, ending: WatchEnd, arguments: WatchArgs) -> Self {
        Self {
            watch,
            last,
            ending,
            arguments,
        }
    }

    /// Prints it, and returns the exit status.
    fn publish(self, stop: &Stop, sinks: Sinks) -> Result<u8, CommandFailure> {
        let deadline = self.arguments.probe.deadline;
        let write_timeouts = stop.write_timeouts(deadline);
        let run_detached_to_end = stop.run_detached_to_end(move || {
            let mut closing = self;
            let fault = closing.save(sinks, write_timeouts);
            (closing, fault)
        });
        let Ok((closing, fault)) = run_detached_to_end else {
            return Ok(ExitStatus::INTERRUPTED);
        };
        let write_timeouts = stop.write_timeouts(deadline);
        let printed = stop.run_detached(None, move || closing.print(fault, write_timeouts));
        printed.unwrap_or(Ok(ExitStatus::INTERRUPTED))
    }

    /// Writes the last report to every requested file; returns the first failure.
    fn save(&mut self, mut sinks: Sinks, write_timeouts: WriteTimeouts) -> Option<String> {
        let policy = policy(&self.arguments);
        write_files(
            self.last.as_mut()?,
            &mut sinks,
            policy,
            Detail::Brief,
            write_timeouts.files,
        )
    }

    fn print(self, fault: Option<String>, write_timeouts: WriteTimeouts) -> Result<u8, CommandFailure> {
        let verdict = self.last.as_ref().map(|report| verdict(report, &self.arguments));
        let status = match fault {
            Some(fault) => ExitStatus::new(ExitStatus::FAILED, fault),
            None => status(self.ending, &self.arguments, self.last.as_ref(), verdict),
        };
        let now = Timestamp::now();
        let sum = |stream_colour| {
            let look = TextOptions {
                colour: stream_colour,
                width: columns(),
            };
            let summary = self.watch.as_ref().map(|watch| look.summary(watch, now));
            summary.unwrap_or_default() + &look.exit(&status)
        };
        match (self.ending, self.arguments.format) {
            (WatchEnd::Unread, _) => {}
            (_, WatchFormat::Text) => {
                print_within(&sum(colour(self.arguments.color, &io::stdout())), write_timeouts.stdout)?;
            }
            (_, WatchFormat::Jsonl) if !self.arguments.quiet => {
                let text = sum(colour(self.arguments.color, &io::stderr()));
                let _ = io::stderr().write_all(text.as_bytes());
            }
            (_, WatchFormat::Jsonl) => {}
        }
        Ok(status.code)
    }
}

/// The exit status of `run` for this round.
fn verdict(report: &Report, arguments: &WatchArgs) -> ExitStatus {
    exit::judge(report, policy(arguments), None)
}

fn policy(arguments: &WatchArgs) -> Policy {
    Policy {
        fail_on: arguments.fail_on,
        allow_untested: arguments.allow_untested,
    }
}

/// The exit status of a watch; `verdict` is the result of the last round.
fn status(ending: WatchEnd, arguments: &WatchArgs, last: Option<&Report>, verdict: Option<ExitStatus>) -> ExitStatus {
    let after = arguments
        .schedule
        .at_most
        .map_or_else(String::new, |time| format!(" after {}", as_typed(time)));
    let last = || match last.map(|report| still_blocked(report, arguments)) {
        Some(blocked) if !blocked.is_empty() => format!("still blocked: {blocked}"),
        _ => verdict.map(|verdict| verdict.reason).unwrap_or_default(),
    };
    match (ending, arguments.schedule.until) {
        (WatchEnd::Came(Until::Green), _) => ExitStatus::new(0, format!("green: {}", last())),
        (WatchEnd::Came(Until::Change), _) => ExitStatus::new(0, "something changed"),
        (WatchEnd::TimeUp, Some(Until::Green)) => ExitStatus::new(1, format!("timed out{after}; {}", last())),
        (WatchEnd::TimeUp, Some(Until::Change)) => ExitStatus::new(1, format!("timed out{after}; nothing changed")),
        (WatchEnd::TimeUp, None) => ExitStatus::new(0, format!("finished{after}")),
        (WatchEnd::Interrupted, _) => ExitStatus::new(ExitStatus::INTERRUPTED, "interrupted"),
        (WatchEnd::Unread, _) => ExitStatus::new(0, "stopped, because the output is no longer read"),
    }
}

/// A time as it would be typed: `6 s`.
fn as_typed(time: Duration) -> String {
    match (time.as_secs(), time.subsec_nanos()) {
        (seconds @ 1..60, 0) => format!("{seconds} s"),
        _ => words::duration(time),
    }
}

/// The dependencies that keep a round from being green because some of their endpoints are blocked.
fn still_blocked(report: &Report, arguments: &WatchArgs) -> String {
    let decision = DecidingEndpoints::of(&report.endpoints, policy(arguments));
    let titles = words::distinct(decision.blocked.iter().map(|endpoint| endpoint.title.as_str()));
    words::list(&titles, 4)
}
