//! What systemd is told (`sd_notify(3)`); without systemd this does nothing.
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

use crate::serve::Board;

/// Where a supervisor listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// So much waits at most for a supervisor that does not read: of what comes beyond it, what is told again soon is left out.
const MOST: usize = 16;
/// How long shutdown waits until the supervisor is notified.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(100);

/// Something to tell, and who wants to know when it is told.
struct Notification {
    what: News,
    done: Option<SyncSender<()>>,
}

enum News {
    Ready(String),
    Reloading,
    Status(String),
    Alive,
    Stopping,
}

/// It listens, or continues after a reload.
pub(super) fn is_ready(what: &str) {
    notify(News::Ready(what.to_owned()), None);
}

/// It reloads.
pub(super) fn is_reloading() {
    notify(News::Reloading, None);
}

/// It ends.
pub(super) fn is_stopping() {
    let (done, told) = sync_channel(1);
    if notify(News::Stopping, Some(done)) {
        let _ = told.recv_timeout(SHUTDOWN_GRACE);
    }
}

/// What it came to.
pub(super) fn status(what: String) {
    notify(News::Status(what), None);
}

/// Shows that rounds come to an end, twice as often as the watchdog wants it; completes at once where there is none.
pub(super) async fn show_life(board: Arc<Board>) {
    let Some(pause) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = interval((pause / 2).max(Duration::from_millis(100)));
    loop {
        beat.tick().await;
        if !board.read().is_stuck() {
            notify(News::Alive, None);
        }
    }
}

/// Hands something over; says whether it will be told.
fn notify(what: News, done: Option<SyncSender<()>>) -> bool {
    static NOTIFIER: OnceLock<Option<Sender<Notification>>> = OnceLock::new();
    let is_told_again = matches!(what, News::Alive | News::Status(_));
    if is_told_again && WAITING.load(Ordering::Relaxed) >= MOST {
        return false;
    }
    let teller = NOTIFIER.get_or_init(start).as_ref();
    teller.is_some_and(|teller| {
        WAITING.fetch_add(1, Ordering::Relaxed);
        teller.send(Notification { what, done }).is_ok()
    })
}

/// How much waits to be told.
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn start() -> Option<Sender<Notification>> {
    let socket = env::var_os(SOCKET)?;
    let (teller, told) = channel::<Notification>();
    let send = move || {
        for Notification { what, done } in told {
            pass_on(&what, &socket);
            WAITING.fetch_sub(1, Ordering::Relaxed);
            if let Some(done) = done {
                let _ = done.send(());
            }
        }
    };
    thread::Builder::new().name("supervisor".into()).spawn(send).ok()?;
    Some(teller)
}

fn pass_on(news: &News, socket: &OsStr) {
    // A supervisor that is gone is no error.
    let _ = match news {
        News::Ready(what) => send(&[NotifyState::Ready, NotifyState::Status(what)], socket),
        News::Reloading => {
            NotifyState::monotonic_usec_now().and_then(|now| send(&[NotifyState::Reloading, now], socket))
        }
        News::Status(what) => send(&[NotifyState::Status(what)], socket),
        News::Alive => send(&[NotifyState::Watchdog], socket),
        News::Stopping => send(&[NotifyState::Stopping], socket),
    };
}

/// Sends one message. `@` begins the name of an abstract socket (`sd_notify(3)`), which `sd_notify::notify` takes for a path.
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
