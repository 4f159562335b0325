//! The open connections: limited in number, idle ones are closed first.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task::AbortHandle;

/// The open connections.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    open: Arc<Mutex<OpenConnections>>,
    most: usize,
}

#[derive(Debug, Default)]
struct OpenConnections {
    /// By number: the lowest is the oldest.
    by_number: BTreeMap<u64, Connection>,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    /// Whether it has sent a request.
    is_busy: Arc<AtomicBool>,
    task: Option<AbortHandle>,
}

/// The result of making room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// There was room.
    Free,
    /// The oldest one without a request was closed.
    Made,
    /// All of them are waiting for their replies.
    Full,
}

/// The place of one connection; it is released when this value is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    open: Arc<Mutex<OpenConnections>>,
    number: u64,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        lock(&self.open).by_number.remove(&self.number);
    }
}

fn lock(open: &Mutex<OpenConnections>) -> MutexGuard<'_, OpenConnections> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// None yet, and at most this many at once.
    pub(super) fn new(most: usize) -> Self {
        Self {
            open: Arc::default(),
            most,
        }
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        lock(&self.open).by_number.len()
    }

    /// Makes room for one more, if necessary.
    pub(super) fn admit(&self) -> Admission {
        let mut open = lock(&self.open);
        if open.by_number.len() < self.most {
            return Admission::Free;
        }
        let is_idle = |connection: &Connection| !connection.is_busy.load(Ordering::Relaxed);
        let oldest = open.by_number.iter().find(|(_, connection)| is_idle(connection));
        let Some(number) = oldest.map(|(number, _)| *number) else {
            return Admission::Full;
        };
        let given_up = open.by_number.remove(&number);
        drop(open);
        if let Some(task) = given_up.and_then(|connection| connection.task) {
            task.abort();
        }
        Admission::Made
    }

    /// Registers a connection whose task `start` starts.
    pub(super) fn keep(&self, is_busy: Arc<AtomicBool>, start: impl FnOnce(ConnectionSlot) -> AbortHandle) {
        let number = {
            let mut open = lock(&self.open);
            let number = open.next;
            open.next += 1;
            open.by_number.insert(number, Connection { is_busy, task: None });
            number
        };
        let ticket = ConnectionSlot {
            open: self.open.clone(),
            number,
        };
        let task = start(ticket);
        if let Some(connection) = lock(&self.open).by_number.get_mut(&number) {
            connection.task = Some(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use super::{Admission, Connections};

    #[tokio::test]
    async fn oldest_idle_connection_is_closed_first() {
        let connections = Connections::new(2);
        let open = || {
            let busy = Arc::new(AtomicBool::new(false));
            let task = |ticket| {
                let hold = async move {
                    let _ticket = ticket;
                    pending::<()>().await;
                };
                tokio::spawn(hold).abort_handle()
            };
            connections.keep(busy.clone(), task);
            busy
        };
        let first = open();
        assert_eq!(connections.admit(), Admission::Free);
        let second = open();
        first.store(true, Ordering::Relaxed);
        assert_eq!(connections.admit(), Admission::Made);
        tokio::task::yield_now().await;
        assert_eq!((connections.count(), Arc::strong_count(&second)), (1, 1));
        open().store(true, Ordering::Relaxed);
        assert_eq!(connections.admit(), Admission::Full);
    }
}
