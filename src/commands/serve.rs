//! `apim-probe serve`: rounds, and an HTTP server for their results.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use clap::ColorChoice;
use jiff::SignedDuration;

mod reload;
mod supervisor;

use self::reload::{Reload, ReloadFailure, WakeReason};
use super::{
    CommandFailure,
    rounds::{HOUR, Rounds, next_start},
    session::{NoSession, Prepared, Session, deadline_error},
    stop::{Stop, Stopped},
};
use crate::{
    cli::{ServeArgs, ServiceArgs},
    file,
    model::{ExitStatus, Report},
    probe::ProbeDepth,
    serve::{
        AccessControl, ClockReading, ReloadedPart, ServeFault, ServeState,
        log::{self, Log, LogFileName},
        stderr::{self, LogLevel, write_line},
        web,
    },
    text::words,
    vantage::descriptors,
    watch::{Change, carry_over},
};

/// Maximum number of connections to the server, if there are descriptors for them.
const MAX_CONNECTIONS: usize = 64;
/// The share of all descriptors that connections to the server may use.
const SHARE: usize = 4;
/// How long shutdown waits for the log: SIGTERM ends everything within a second.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(400);
/// How long shutdown waits for the reader of stderr.
const FINAL_LOG_TIMEOUT: Duration = Duration::from_millis(100);
/// By how much the clock may drift within a round and the pause before it.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// Serves until a signal comes.
pub(super) fn serve(arguments: ServeArgs) -> Result<u8, CommandFailure> {
    if arguments.probe.confirm {
        return Err(CommandFailure::usage(
            "--confirm works with a single run only: remove it, and use `apim-probe run --confirm`",
        ));
    }
    let stop = Stop::begin_service()?;
    let sockets = descriptors::prepare().map_err(CommandFailure::agent)?;
    let connections = MAX_CONNECTIONS.min(sockets / SHARE).max(1);
    let service = &arguments.service;
    let access = {
        let path = service.web_config.clone();
        let deadline = arguments.probe.deadline;
        match stop.run_detached(Some(stop.began() + deadline), move || {
            AccessControl::open(path.as_deref())
        }) {
            Ok(access) => Arc::new(access.map_err(CommandFailure::usage)?),
            Err(Stopped::Interrupted) => return Ok(0),
            Err(Stopped::Late(file)) => return Err(deadline_error(file.as_deref(), deadline)),
        }
    };
    let pattern = service
        .log
        .as_deref()
        .map(LogFileName::new)
        .transpose()
        .map_err(CommandFailure::usage)?;
    let listener = listen(service.listen)?;
    let serve_state = Arc::new(ServeState::new(stale_after(&arguments)));
    if let Some(pattern) = pattern {
        let log = Log::open(pattern, serve_state.clone()).map_err(|error| {
            let path = arguments.service.log.as_deref().map(file::shown).unwrap_or_default();
            CommandFailure::agent(format!("cannot write to {path}: {error}"))
        })?;
        serve_state.keep(log);
    }
    let mut session = match Session::open(&stop, &arguments.plan, &arguments.probe, ColorChoice::Auto) {
        Ok(session) => session,
        Err(NoSession::Failed(failure)) => return Err(failure),
        Err(NoSession::Interrupted) => return Ok(0),
    };
    session.reserve_sockets(connections);
    if let Some(redactor) = session.redactor() {
        let service = &arguments.service;
        service
            .web_config
            .iter()
            .chain(&service.log)
            .for_each(|path| redactor.learn_file(path));
        access.files().iter().for_each(|path| redactor.learn_file(path));
        serve_state.redact(redactor);
    }
    print_notices(&session);
    let address = listener.local_addr().unwrap_or(arguments.service.listen);
    web::start(listener, serve_state.clone(), access.clone(), connections)
        .map_err(|error| CommandFailure::agent(format!("cannot start the server: {error}")))?;
    let greeting = greeting(address, &access, &session, &arguments.service);
    let greeting = session.text(&greeting);
    write_line(LogLevel::Notice, &greeting);
    if !address.ip().is_loopback() && !access.requires_user() {
        write_line(
            LogLevel::Warning,
            &session.text(&format!(
                "anyone who can reach {address} can read the report, which contains host names and addresses: \
                 --web-config restricts access"
            )),
        );
    }
    supervisor::is_ready(&greeting);
    stop.spawn(supervisor::feed_watchdog(serve_state.clone()));
    let mut reload = Reload::new(&stop, &arguments, serve_state.clone(), access);
    if arguments.plan.service.is_some() && !session.knows_instance() {
        serve_state.reloaded(ReloadedPart::Platform, false);
        reload.next_retry(Err(ReloadedPart::Platform));
    }
    let mut service = Service {
        reload,
        serve_state,
        session,
        arguments,
        rounds: Rounds::default(),
        last: None,
        full_at: None,
        clock: ClockReading::now(),
    };
    service.run_loop();
    supervisor::is_stopping();
    if let Some(lost) = service.serve_state.log().and_then(|log| log.finish(SHUTDOWN_GRACE)) {
        write_line(LogLevel::Warning, &lost);
    }
    write_line(LogLevel::Notice, "ended by a signal");
    stderr::finish(FINAL_LOG_TIMEOUT);
    Ok(0)
}

/// Notices about the plan.
fn print_notices(session: &Session<'_>) {
    for notice in session.notices() {
        write_line(LogLevel::Notice, &notice);
    }
}

/// How long may pass from the end of one round to the end of the next: a pause, a round, the full one that a change
/// requires, and a margin for a slow machine.
fn stale_after(arguments: &ServeArgs) -> Duration {
    arguments.service.interval + arguments.probe.deadline * 2 + Duration::from_secs(30)
}

fn listen(address: SocketAddr) -> Result<TcpListener, CommandFailure> {
    TcpListener::bind(address).map_err(|error| {
        let text = format!("cannot listen on {address}: {error}");
        match error.kind() {
            io::ErrorKind::AddrNotAvailable => {
                CommandFailure::usage(format!("{text}: --listen needs an address of this machine"))
            }
            io::ErrorKind::AddrInUse => {
                CommandFailure::agent(format!("{text}: another program uses it; choose another port"))
            }
            _ => CommandFailure::agent(text),
        }
    })
}

fn greeting(address: SocketAddr, access: &AccessControl, session: &Session<'_>, service: &ServiceArgs) -> String {
    let endpoints = words::count(session.plan().testable().count(), "endpoint");
    let interval = words::duration(service.interval);
    let scheme = if access.is_secure() { "https" } else { "http" };
    format!("listening on {scheme}://{address}, probing {endpoints} every {interval}")
}

/// A running service.
struct Service<'a> {
    reload: Reload<'a>,
    serve_state: Arc<ServeState>,
    session: Session<'a>,
    arguments: ServeArgs,
    rounds: Rounds,
    /// The findings of the last full round.
    last: Option<Arc<Report>>,
    /// When the last full round began.
    full_at: Option<Instant>,
    /// When this machine's clock was last compared.
    clock: ClockReading,
}

impl Service<'_> {
    /// Continues until a signal arrives.
    fn run_loop(&mut self) {
        let interval = self.arguments.service.interval;
        loop {
            let started = Instant::now();
            let last = std::mem::replace(&mut self.clock, ClockReading::now());
            if let Some(clock_jump) = clock_jump(self.clock.clock_drift_since(last)) {
                self.serve_state.fault(ServeFault::Clock, &clock_jump);
            }
            if let Some(log) = self.serve_state.log() {
                log.append(log::heartbeat(self.rounds.count() + 1, &self.session.place()));
            }
            if !self.look() {
                return;
            }
            if started.elapsed() > interval {
                let took = words::duration(started.elapsed());
                self.serve_state.fault(
                    ServeFault::LateRound,
                    &format!("a round took {took}, longer than --interval: the next one starts late"),
                );
            }
            let next = next_start(started, interval);
            loop {
                match self.reload.wait_until(next) {
                    WakeReason::Interrupted => return,
                    WakeReason::InTime => break,
                    // Everything that is probed now is new.
                    WakeReason::Read(read) => {
                        if self.replace_plan(*read) {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Continues with what was reloaded, or with the previous configuration if that is invalid; reports which.
    fn replace_plan(&mut self, read: Result<Prepared, ReloadFailure>) -> bool {
        let adopted = read.and_then(|prepared| {
            let untold = |why| ReloadFailure {
                part: ReloadedPart::Platform,
                why,
            };
            let is_asked = self.arguments.plan.service.is_some();
            self.session.replace_plan(prepared, is_asked).map_err(untold)
        });
        supervisor::is_ready("the reload is finished");
        let next = self
            .reload
            .next_retry(adopted.as_ref().map(drop).map_err(|broken| broken.part));
        match &adopted {
            Ok(less) => {
                self.serve_state.reloaded(ReloadedPart::Files, true);
                self.serve_state.reloaded(ReloadedPart::Platform, true);
                print_notices(&self.session);
                for less in less {
                    write_line(LogLevel::Warning, &self.session.text(less));
                }
                self.rounds.replan();
                self.full_at = None;
                let endpoints = words::count(self.session.plan().testable().count(), "endpoint");
                write_line(
                    LogLevel::Notice,
                    &format!("reloaded catalog and documents: {endpoints}"),
                );
            }
            Err(ReloadFailure { part, why }) => {
                self.serve_state.reloaded(*part, false);
                let next = next.map_or_else(String::new, |wait| {
                    format!("; next attempt in {}", words::duration(wait))
                });
                self.serve_state.fault(
                    ServeFault::Reload,
                    &format!("reload failed, still using the previous configuration: {why}{next}"),
                );
            }
        }
        adopted.is_ok()
    }

    /// Probes everything once, and again as a full round if something changed; returns whether it was complete.
    fn look(&mut self) -> bool {
        let is_due = self.full_at.is_none_or(|at| at.elapsed() >= HOUR);
        let depth = if is_due { ProbeDepth::Full } else { ProbeDepth::Light };
        let Some(mut changes) = self.round(depth) else {
            return false;
        };
        let mut is_whole = true;
        if depth == ProbeDepth::Light && !changes.is_empty() {
            // Only a full round can name the cause behind a change; if a signal ends it, the change is reported
            // without.
            match self.round(ProbeDepth::Full) {
                Some(further) => changes.extend(further),
                None => is_whole = false,
            }
        }
        if let (Some(report), Some(watch)) = (&self.last, self.rounds.watch()) {
            if let Some(log) = self.serve_state.log() {
                for change in &changes {
                    log.append(log::change(change, report));
                }
                log.append(log::round(watch.rounds(), report));
            }
            let summary = &report.summary;
            supervisor::status(format!(
                "round {}: {} of {} endpoints reachable, {} blocked",
                watch.rounds(),
                summary.reachable + summary.degraded,
                summary.counted,
                summary.blocked
            ));
        }
        is_whole
    }

    /// One round; returns what it changed, or nothing if a signal ended it.
    fn round(&mut self, depth: ProbeDepth) -> Option<Vec<Change>> {
        let began = Instant::now();
        if depth == ProbeDepth::Full {
            self.full_at = Some(began);
        }
        let round = self.rounds.run_round(&self.session, depth);
        if !round.is_whole {
            return None;
        }
        let report = match (depth, &self.last, self.rounds.watch()) {
            (ProbeDepth::Light, Some(last), Some(watch)) => {
                let changed: Vec<&str> = round.changes.iter().map(|change| change.id.as_str()).collect();
                carry_over::after(round.report, last, watch, &changed)
            }
            _ => round.report,
        };
        let report = Arc::new(report);
        self.last = Some(report.clone());
        self.serve_state
            .show(report.clone(), began.elapsed(), round.changes.len());
        for change in &round.changes {
            write_line(LogLevel::Warning, &in_words(change));
        }
        let status = crate::serve::status(&report);
        if status.code == ExitStatus::FAILED {
            self.serve_state.fault(ServeFault::NothingTried, &status.reason);
        }
        Some(round.changes)
    }
}

/// A change as one line of a log.
fn in_words(change: &Change) -> String {
    let state = |state: crate::diff::EndpointState| match state.cause {
        Some(cause) => format!("{} {}", state.verdict.as_str(), cause.as_str()),
        None => state.verdict.as_str().to_owned(),
    };
    format!("{}: {} -> {}", change.id, state(change.from), state(change.to))
}

/// A notice about how far this machine's clock jumped ahead or back within a round and the pause before it.
///
/// If the machine was paused, as hosts do for maintenance, its clock is corrected only afterwards.
fn clock_jump(clock_drift: SignedDuration) -> Option<String> {
    let seconds = clock_drift.abs().as_secs_f64();
    let times = "times of earlier changes are not comparable";
    (clock_drift.abs() > CLOCK_TOLERANCE).then(|| {
        if clock_drift.is_positive() {
            format!("this machine's clock jumped {seconds:.0} s ahead: unless the machine was paused, {times}")
        } else {
            format!("this machine's clock jumped {seconds:.0} s back: {times}")
        }
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::clock_jump;

    #[test]
    fn clock_jump_ahead_warning_mentions_a_paused_machine() {
        let warning = |seconds| clock_jump(SignedDuration::from_secs(seconds));
        assert_eq!((warning(0), warning(2), warning(-2)), (None, None, None));
        let (ahead, back) = (warning(30).unwrap(), warning(-30).unwrap());
        assert!(ahead.contains("30 s ahead: unless the machine was paused"), "{ahead}");
        assert!(back.contains("30 s back: times") && !back.contains("paused"), "{back}");
    }
}
