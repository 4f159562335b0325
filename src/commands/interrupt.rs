//! Ctrl-C and SIGTERM: held back until somebody listens for them, so that a report is written whenever they come.

use nix::sys::signal::{SigSet, Signal};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

/// Holds both back from now on. Threads that start later inherit this, and so leave them to the calling one.
pub fn hold() {
    // Where they cannot be held back they end the process, as ever.
    let _ = signals().thread_block();
}

/// Lets both through again, to the future that comes back: it completes at the first one.
pub fn listen(runtime: &Runtime) -> impl Future<Output = ()> + use<> {
    let listeners = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    };
    let _ = signals().thread_unblock();
    async {
        match listeners {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            // Without a handler a signal ends the process as ever.
            _ => std::future::pending().await,
        }
    }
}

fn signals() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM])
}
