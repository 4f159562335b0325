//! Ctrl-C: held back until somebody listens for it, so that a report is written whenever it comes.

use nix::sys::signal::{SigSet, Signal};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

/// Holds Ctrl-C back from now on. Threads that start later inherit this, and so leave it to the calling one.
pub fn hold() {
    // Where it cannot be held back it ends the process, as ever.
    let _ = interrupt().thread_block();
}

/// Lets Ctrl-C through again, to the future that comes back: it completes at the first one.
pub fn listen(runtime: &Runtime) -> impl Future<Output = ()> + use<> {
    let listener = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())
    };
    let _ = interrupt().thread_unblock();
    async {
        match listener {
            Ok(mut listener) => drop(listener.recv().await),
            // Without a handler the signal ends the process as ever.
            Err(_) => std::future::pending().await,
        }
    }
}

fn interrupt() -> SigSet {
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set
}
