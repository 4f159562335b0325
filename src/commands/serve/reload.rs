//! Catalog, documents and certificates read anew: on SIGHUP, and every hour where the instance is asked.
//!
//! It happens on a thread beside the rounds, which go on meanwhile with what is known.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    sync::{oneshot, watch},
    time::sleep_until,
};

use super::{
    super::{
        Failure,
        rounds::HOUR,
        session::{Prepared, late, prepare},
        stop::Stop,
    },
    supervisor,
};
use crate::{
    cli::{PlanArgs, ProbeArgs, ServeArgs},
    file,
    serve::{Board, Door},
};

/// What may come beyond the deadline: the system needs a moment to hand over what was asked in time.
const GRACE: Duration = Duration::from_millis(250);

/// What was read anew, or why it is broken.
pub(super) type Outcome = Box<Result<Prepared, Failure>>;

/// What a pause between rounds ended with.
pub(super) enum Woken {
    /// It is over.
    InTime,
    /// A signal wants the end.
    Interrupted,
    /// What was read anew, or why it is broken.
    Read(Outcome),
}

/// Reads anew when it is time.
pub(super) struct Reload<'a> {
    stop: &'a Stop,
    plan: PlanArgs,
    probe: ProbeArgs,
    board: Arc<Board>,
    door: Arc<Door>,
    hung_up: watch::Receiver<u32>,
    under_way: Option<UnderWay>,
    /// When the instance is asked again.
    due: Option<Instant>,
}

struct UnderWay {
    end: Instant,
    read: oneshot::Receiver<Outcome>,
}

impl<'a> Reload<'a> {
    /// Nothing is read yet but what the service began with.
    pub(super) fn new(stop: &'a Stop, arguments: &ServeArgs, board: Arc<Board>, door: Arc<Door>) -> Self {
        let (plan, probe) = (arguments.plan.clone(), arguments.probe.clone());
        let due = plan.service.is_some().then(|| Instant::now() + HOUR);
        Self {
            stop,
            plan,
            probe,
            board,
            door,
            hung_up: stop.hung_up(),
            under_way: None,
            due,
        }
    }

    /// Waits for the next round; earlier where a signal comes, or something was read anew.
    pub(super) fn wait_until(&mut self, time: Instant) -> Woken {
        loop {
            let event = self.stop.block_on(Self::event(
                self.stop,
                &mut self.hung_up,
                self.under_way.as_mut(),
                self.due,
                time,
            ));
            match event {
                Event::InTime => return Woken::InTime,
                Event::Interrupted => return Woken::Interrupted,
                Event::HungUp => {
                    supervisor::is_reloading();
                    if let Some(log) = self.board.log() {
                        log.reopen();
                    }
                    // What is being read already may be older than the signal.
                    self.begin(Some(self.door.clone()));
                }
                Event::IsDue => self.begin(None),
                Event::Read(read) => {
                    self.under_way = None;
                    return Woken::Read(read);
                }
                Event::Late => {
                    self.under_way = None;
                    let late = late(file::being_read().as_deref(), self.probe.deadline);
                    return Woken::Read(Box::new(Err(late)));
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
    ) -> Event {
        let (is_reading, end) = (under_way.is_some(), under_way.as_ref().map_or(time, |it| it.end));
        let read = async {
            match under_way {
                Some(under_way) => (&mut under_way.read).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.interrupted() => Event::Interrupted,
            read = read => match read {
                Ok(read) => Event::Read(read),
                Err(_) => Event::Read(Box::new(Err(Failure::agent("reading them ended too soon")))),
            },
            () = sleep_until(end.into()), if is_reading => Event::Late,
            told = hung_up.changed() => match told {
                Ok(()) => Event::HungUp,
                // Nobody listens for signals any more: the runtime is at its end.
                Err(_) => Event::Interrupted,
            },
            () = sleep_until(due.unwrap_or(time).into()), if due.is_some() => Event::IsDue,
            () = sleep_until(time.into()) => Event::InTime,
        }
    }

    /// Begins to read; the files of the door as well, where it is given.
    fn begin(&mut self, door: Option<Arc<Door>>) {
        self.due = self.due.map(|_| Instant::now() + HOUR);
        let end = Instant::now() + self.probe.deadline;
        let (done, read) = oneshot::channel();
        let work = {
            let (plan, probe, until) = (self.plan.clone(), self.probe.clone(), self.stop.until(end));
            let board = self.board.clone();
            move || {
                if let Some(door) = door {
                    door.reload(&board);
                }
                drop(done.send(Box::new(prepare(&plan, &probe, false, &until))));
            }
        };
        // Where the system has no thread for it, the sender is gone at once, which says as much.
        drop(thread::Builder::new().name("reading".into()).spawn(work));
        self.under_way = Some(UnderWay { end: end + GRACE, read });
    }
}

enum Event {
    InTime,
    Interrupted,
    HungUp,
    IsDue,
    Read(Outcome),
    Late,
}
