//! Notifies systemd (`sd_notify(3)`); without systemd this does nothing.
//!
//! A supervisor that does not read would block the sender, so a separate thread does it.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::interval;

use crate::serve::ServeState;

/// Where a supervisor listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Maximum number of waiting messages for a supervisor that does not read: beyond that, messages that are repeated soon
/// are dropped.
const MAX_WAITING: usize = 16;
/// How long shutdown waits for the last notification.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(100);

/// A message, and a channel that reports when it was sent.
struct Notification {
    what: SupervisorEvent,
    done: Option<SyncSender<()>>,
}

enum SupervisorEvent {
    Ready(String),
    Reloading,
    Status(String),
    Alive,
    Stopping,
}

/// The service is listening, or continues after a reload.
pub(super) fn is_ready(what: &str) {
    notify(SupervisorEvent::Ready(what.to_owned()), None);
}

/// The service is reloading.
pub(super) fn is_reloading() {
    notify(SupervisorEvent::Reloading, None);
}

/// The service is stopping.
pub(super) fn is_stopping() {
    let (done, receiver) = sync_channel(1);
    if notify(SupervisorEvent::Stopping, Some(done)) {
        let _ = receiver.recv_timeout(SHUTDOWN_GRACE);
    }
}

/// The result.
pub(super) fn status(what: String) {
    notify(SupervisorEvent::Status(what), None);
}

/// Notifies the watchdog while rounds keep finishing, twice as often as it requires; completes at once if there is
/// none.
pub(super) async fn feed_watchdog(serve_state: Arc<ServeState>) {
    let Some(pause) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = interval((pause / 2).max(Duration::from_millis(100)));
    loop {
        beat.tick().await;
        if !serve_state.read().is_stuck() {
            notify(SupervisorEvent::Alive, None);
        }
    }
}

/// Queues a message; returns whether it will be sent.
fn notify(what: SupervisorEvent, done: Option<SyncSender<()>>) -> bool {
    static NOTIFIER: OnceLock<Option<Sender<Notification>>> = OnceLock::new();
    let is_told_again = matches!(what, SupervisorEvent::Alive | SupervisorEvent::Status(_));
    if is_told_again && WAITING.load(Ordering::Relaxed) >= MAX_WAITING {
        return false;
    }
    let sender = NOTIFIER.get_or_init(start).as_ref();
    sender.is_some_and(|sender| {
        WAITING.fetch_add(1, Ordering::Relaxed);
        sender.send(Notification { what, done }).is_ok()
    })
}

/// How many messages are waiting.
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn start() -> Option<Sender<Notification>> {
    let socket = env::var_os(SOCKET)?;
    let (sender, receiver) = channel::<Notification>();
    let send = move || {
        for Notification { what, done } in receiver {
            forward(&what, &socket);
            WAITING.fetch_sub(1, Ordering::Relaxed);
            if let Some(done) = done {
                let _ = done.send(());
            }
        }
    };
    thread::Builder::new().name("supervisor".into()).spawn(send).ok()?;
    Some(sender)
}

fn forward(event: &SupervisorEvent, socket: &OsStr) {
    // It is not an error if the supervisor has gone.
    let _ = match event {
        SupervisorEvent::Ready(what) => send(&[NotifyState::Ready, NotifyState::Status(what)], socket),
        SupervisorEvent::Reloading => {
            NotifyState::monotonic_usec_now().and_then(|now| send(&[NotifyState::Reloading, now], socket))
        }
        SupervisorEvent::Status(what) => send(&[NotifyState::Status(what)], socket),
        SupervisorEvent::Alive => send(&[NotifyState::Watchdog], socket),
        SupervisorEvent::Stopping => send(&[NotifyState::Stopping], socket),
    };
}

/// Sends one message. `@` begins the name of an abstract socket (`sd_notify(3)`), which `sd_notify::notify` would use
/// as a path.
fn send(states: &[NotifyState<'_>], socket: &OsStr) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
    UnixDatagram::unbound()?
        .send_to_addr(lines.join("\n").as_bytes(), &address)
        .map(drop)
}
