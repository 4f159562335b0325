//! Reloads catalog, documents and certificates: on SIGHUP, and every hour if the instance is queried. What failed is
//! retried sooner.
//!
//! This happens on a separate thread, while the rounds continue with the previous configuration.

use std::{
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    sync::{oneshot, watch},
    time::sleep_until,
};

use super::{
    super::{
        CommandFailure,
        rounds::HOUR,
        session::{Prepared, deadline_error_because, prepare},
        stop::Stop,
    },
    supervisor,
};
use crate::{
    cli::{PlanArgs, ProbeArgs, ServeArgs},
    file,
    serve::{AccessControl, ReloadedPart, ServeState},
    text::words,
};

/// Extra time beyond the deadline: the system needs a moment to hand over what arrived in time.
const GRACE: Duration = Duration::from_millis(250);

/// Maximum number of concurrent reloads: opening a pipe instead of a file may block forever.
const MAX_READINGS: usize = 4;
/// Minimum and maximum delay after a failed reload; it starts with the interval between rounds and doubles each time,
/// up to an hour.
const SOON: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What was reloaded, or why it is invalid.
pub(super) type Reloaded = Box<Result<Prepared, ReloadFailure>>;

/// Why what was reloaded is not used.
pub(super) struct ReloadFailure {
    /// Which part is invalid.
    pub part: ReloadedPart,
    /// The reason, in words.
    pub why: String,
}

/// What ended a pause between rounds.
pub(super) enum WakeReason {
    /// The time passed.
    InTime,
    /// A signal to stop.
    Interrupted,
    /// What was reloaded, or why it is invalid.
    Read(Reloaded),
}

/// Reloads when it is time.
pub(super) struct Reload<'a> {
    stop: &'a Stop,
    plan: PlanArgs,
    probe: ProbeArgs,
    serve_state: Arc<ServeState>,
    access: Arc<AccessControl>,
    hung_up: watch::Receiver<u32>,
    under_way: Option<UnderWay>,
    /// The reloads: the latest, and those that are blocked on a file.
    readers: Vec<JoinHandle<()>>,
    /// When the next complete reload is due.
    due: Option<Instant>,
    /// The delay after the next failed reload.
    pause: Pause,
}

struct UnderWay {
    end: Instant,
    read: oneshot::Receiver<Result<Prepared, CommandFailure>>,
}

/// The delay after a failed reload: twice as long each time, an hour at most.
#[derive(Debug, Clone, Copy)]
struct Pause {
    first: Duration,
    next: Duration,
}

impl Pause {
    fn new(interval: Duration) -> Self {
        let first = interval.clamp(SOON.0, SOON.1);
        Self { first, next: first }
    }

    fn take(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(HOUR);
        now
    }
}

impl<'a> Reload<'a> {
    /// Nothing has been reloaded since the service started.
    pub(super) fn new(
        stop: &'a Stop,
        arguments: &ServeArgs,
        serve_state: Arc<ServeState>,
        access: Arc<AccessControl>,
    ) -> Self {
        let (plan, probe) = (arguments.plan.clone(), arguments.probe.clone());
        let due = plan.service.is_some().then(|| Instant::now() + HOUR);
        Self {
            stop,
            plan,
            probe,
            serve_state,
            access,
            hung_up: stop.hung_up(),
            under_way: None,
            readers: Vec::new(),
            due,
            pause: Pause::new(arguments.service.interval),
        }
    }

    /// Records the result of a reload, or which part is invalid. Returns when the next one is due, if that is sooner
    /// than planned.
    pub(super) fn next_retry(&mut self, outcome: Result<(), ReloadedPart>) -> Option<Duration> {
        let is_hourly = self.plan.service.is_some();
        let wait = match outcome {
            Err(part) if is_hourly || part == ReloadedPart::Platform => Some(self.pause.take()),
            // SIGHUP announces a corrected file.
            Err(_) => None,
            Ok(()) => {
                self.pause.next = self.pause.first;
                None
            }
        };
        self.due = wait.or(is_hourly.then_some(HOUR)).map(|wait| Instant::now() + wait);
        wait
    }

    /// Waits for the next round; returns earlier on a signal, or once something was reloaded.
    pub(super) fn wait_until(&mut self, time: Instant) -> WakeReason {
        loop {
            let event = self.stop.block_on(Self::event(
                self.stop,
                &mut self.hung_up,
                self.under_way.as_mut(),
                self.due,
                time,
            ));
            match event {
                ReloadEvent::InTime => return WakeReason::InTime,
                ReloadEvent::Interrupted => return WakeReason::Interrupted,
                ReloadEvent::HungUp => {
                    supervisor::is_reloading();
                    if let Some(log) = self.serve_state.log() {
                        log.reopen();
                    }
                    // What is being read now may be older than the signal.
                    self.begin(Some(self.access.clone()));
                }
                ReloadEvent::IsDue => self.begin(None),
                ReloadEvent::Read(read) => {
                    self.under_way = None;
                    let broken = |failure: CommandFailure| ReloadFailure {
                        part: ReloadedPart::Files,
                        why: failure.line(),
                    };
                    return WakeReason::Read(Box::new(read.map_err(broken)));
                }
                ReloadEvent::Late => {
                    self.under_way = None;
                    let file = file::being_read();
                    self.serve_state.know_files(file.as_deref());
                    let broken = ReloadFailure {
                        part: file.as_ref().map_or(ReloadedPart::Platform, |_| ReloadedPart::Files),
                        // Rounds continue meanwhile.
                        why: deadline_error_because(file.as_deref(), self.probe.deadline, "").line(),
                    };
                    return WakeReason::Read(Box::new(Err(broken)));
                }
            }
        }
    }

    async fn event(
        stop: &Stop,
        hung_up: &mut watch::Receiver<u32>,
        under_way: Option<&mut UnderWay>,
        due: Option<Instant>,
        time: Instant,
    ) -> ReloadEvent {
        let (is_reading, end) = (under_way.is_some(), under_way.as_ref().map_or(time, |it| it.end));
        let read = async {
            match under_way {
                Some(under_way) => (&mut under_way.read).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.interrupted() => ReloadEvent::Interrupted,
            read = read => match read {
                Ok(read) => ReloadEvent::Read(Box::new(read)),
                Err(_) => ReloadEvent::Read(Box::new(Err(CommandFailure::agent("reading them stopped unexpectedly")))),
            },
            () = sleep_until(end.into()), if is_reading => ReloadEvent::Late,
            told = hung_up.changed() => match told {
                Ok(()) => ReloadEvent::HungUp,
                // Signals are no longer handled: the runtime is shutting down.
                Err(_) => ReloadEvent::Interrupted,
            },
            () = sleep_until(due.unwrap_or(time).into()), if due.is_some() => ReloadEvent::IsDue,
            () = sleep_until(time.into()) => ReloadEvent::InTime,
        }
    }

    /// Starts a reload; including the server's files, if it is given.
    fn begin(&mut self, access: Option<Arc<AccessControl>>) {
        // Until the result is known.
        self.due = None;
        let end = Instant::now() + self.probe.deadline;
        let (done, read) = oneshot::channel();
        self.under_way = Some(UnderWay { end: end + GRACE, read });
        self.readers.retain(|reader| !reader.is_finished());
        if self.readers.len() >= MAX_READINGS {
            let file = file::being_read();
            self.serve_state.know_files(file.as_deref());
            let why = too_many(self.readers.len(), file.as_deref());
            let _ = done.send(Err(CommandFailure::agent(why)));
            return;
        }
        let work = {
            let (plan, probe, until) = (self.plan.clone(), self.probe.clone(), self.stop.until(end));
            let serve_state = self.serve_state.clone();
            move || {
                if let Some(access) = access {
                    access.reload(&serve_state);
                }
                let _ = done.send(prepare(&plan, &probe, false, &until));
            }
        };
        // If the system cannot start a thread, the sender is dropped at once, which the receiver sees.
        self.readers
            .extend(thread::Builder::new().name("reading".into()).spawn(work));
    }
}

enum ReloadEvent {
    InTime,
    Interrupted,
    HungUp,
    IsDue,
    Read(Box<Result<Prepared, CommandFailure>>),
    Late,
}

/// Why no further reload starts. Only one that waits for a file can wait forever: queries to the platform end at the
/// deadline.
fn too_many(readings: usize, file: Option<&Path>) -> String {
    let earlier = words::count(readings, "earlier reload");
    match file {
        Some(file) => format!(
            "{earlier} still waiting for {}; restart the service once it can be read",
            file::shown(file)
        ),
        None => format!(
            "{earlier} not finished; reload again after the deadline, and restart the service if that fails too"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::{HOUR, Pause, too_many};

    #[test]
    fn reload_backlog_names_the_file_that_is_being_read() {
        let text = too_many(4, Some(Path::new("/etc/a\u{1b}.yaml")));
        assert!(
            text.starts_with("4 earlier reloads still waiting for /etc/a\\u{1b}.yaml; restart"),
            "{text}"
        );
        let text = too_many(4, None);
        assert!(
            text.starts_with("4 earlier reloads not finished; reload again"),
            "{text}"
        );
    }

    #[test]
    fn reload_retry_pause_doubles_up_to_an_hour() {
        let minute = Duration::from_secs(60);
        let waits = |interval: Duration| {
            let mut pause = Pause::new(interval);
            [(); 8].map(|()| pause.take())
        };
        let usual = waits(minute);
        assert_eq!(&usual[..3], [minute, 2 * minute, 4 * minute]);
        assert_eq!(usual[6..], [HOUR; 2]);
        assert_eq!(waits(Duration::from_millis(1))[0], Duration::from_secs(1));
        assert_eq!(waits(24 * HOUR)[0], 5 * minute);
    }
}
