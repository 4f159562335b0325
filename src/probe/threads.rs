//! The threads that probes run on.
//!
//! Each has a separate runtime. The thread that started them only watches the run: however much a peer makes a probe
//! compute, the deadline and Ctrl-C are on time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// Threads to distribute probes over. They end when this value is dropped.
#[derive(Debug)]
pub struct ThreadPool {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    _end: watch::Sender<()>,
}

impl ThreadPool {
    /// Starts as many threads as the system allows, at most `wanted`.
    pub fn start(wanted: usize) -> Self {
        let (end, _) = watch::channel(());
        let start = |_| {
            let runtime = Builder::new_current_thread().enable_all().build().ok()?;
            let handle = runtime.handle().clone();
            let mut end = end.subscribe();
            let run = move || runtime.block_on(async { while end.changed().await.is_ok() {} });
            thread::Builder::new().name("probes".into()).spawn(run).ok()?;
            Some(handle)
        };
        Self {
            runtimes: (0..wanted).map_while(start).collect(),
            next: AtomicUsize::new(0),
            _end: end,
        }
    }

    /// The next runtime; if there is none, the caller's own.
    ///
    /// # Panics
    ///
    /// Outside a runtime if there is none.
    pub fn next(&self) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        match self.runtimes.get(turn % self.runtimes.len().max(1)) {
            Some(runtime) => runtime.clone(),
            None => Handle::current(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::ThreadPool;

    #[tokio::test]
    async fn tasks_use_all_pool_threads_or_the_calling_thread() {
        for (wanted, distinct) in [(2, 2), (0, 1)] {
            let threads = ThreadPool::start(wanted);
            let mut seen = HashSet::new();
            for _ in 0..4 {
                seen.insert(threads.next().spawn(async { thread::current().id() }).await.unwrap());
            }
            assert_eq!(seen.len(), distinct);
            assert_eq!(seen.contains(&thread::current().id()), wanted == 0);
        }
    }
}
