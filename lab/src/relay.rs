//! A relay of frames between the VM and its router, in a separate network namespace: frames can be dropped, delayed,
//! answered with another host's address, or just counted. It needs no kernel module and no nftables.
//!
//! ```text
//!   VM ── eth0 ─── near ── relay ── far ─── wire ── router and services
//! ```

mod forwarding;
mod frame;
mod seeded_random;
mod socket;

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sched::{CloneFlags, unshare},
    sys::time::TimeSpec,
    unistd::gettid,
};

pub use self::forwarding::RelayedFlow;
use self::{
    forwarding::{DelayedFrame, Forwarder},
    socket::Socket,
};
use crate::{
    network::{LabNetwork, PacketDirection},
    tools::ip,
};

/// The relay's handle. It ends with the process.
#[derive(Clone)]
pub(crate) struct Relay {
    forwarder: Arc<Mutex<Forwarder>>,
    /// The id of the relay's thread, which identifies its network namespace.
    pub(crate) thread: i32,
    connected: mpsc::Sender<()>,
}

impl Relay {
    /// Starts a relay with one end in the calling process's network namespace; the simulated network creates the other
    /// end.
    pub(crate) fn start(network: &LabNetwork) -> Result<Self> {
        let forwarder = Arc::new(Mutex::new(Forwarder::new(network)));
        let (ready, started) = mpsc::channel();
        let (connected, wait) = mpsc::channel();
        let carried = Arc::clone(&forwarder);
        thread::Builder::new().name("relay".into()).spawn(move || {
            let began = begin();
            let went_well = began.is_ok();
            let _ = ready.send(began);
            // If the receiver is gone, the process is ending.
            if went_well
                && wait.recv().is_ok()
                && let Err(error) = carry(&carried)
            {
                eprintln!("the relay has ended: {error:#}");
            }
        })?;
        let thread = started.recv().context("the relay's thread is gone")??;
        Ok(Self {
            forwarder,
            thread,
            connected,
        })
    }

    /// Starts to forward, now that both ends exist.
    pub(crate) fn connect(&self) -> Result<()> {
        self.connected.send(()).context("the relay has ended")
    }

    /// Applies the network's faults that match only some packets.
    pub(crate) fn fault(&self, network: &LabNetwork) -> Result<()> {
        lock(&self.forwarder).add(network)
    }

    /// Removes these faults.
    pub(crate) fn lift(&self) {
        lock(&self.forwarder).lift();
    }

    /// When the first packet arrived; `None` before that.
    pub(crate) fn first_packet(&self) -> Option<Instant> {
        lock(&self.forwarder).began()
    }

    /// Every frame from the VM so far.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        lock(&self.forwarder).sent()
    }

    /// Every flow so far.
    pub(crate) fn flows(&self) -> Vec<RelayedFlow> {
        lock(&self.forwarder).flows()
    }
}

fn lock(forwarder: &Mutex<Forwarder>) -> MutexGuard<'_, Forwarder> {
    forwarder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Creates the VM's end; returns the id of the thread that identifies this namespace.
fn begin() -> Result<i32> {
    unshare(CloneFlags::CLONE_NEWNET).context("unshare of the relay's network")?;
    let vm = std::process::id();
    ip(&[format!(
        "link add near type veth peer name eth0 netns {vm}\nlink set near up"
    )])?;
    Ok(gettid().as_raw())
}

/// Forwards frames from one end to the other, for as long as the process runs.
fn carry(forwarder: &Mutex<Forwarder>) -> Result<()> {
    ip(&["link set far up".to_owned()])?;
    let (mut low_ttl, mut far) = (Socket::on("near")?, Socket::on("far")?);
    let mut waiting: BinaryHeap<Reverse<Waiting>> = BinaryHeap::new();
    let mut arrived = 0_u64;
    loop {
        let next = waiting.peek().map(|Reverse(first)| first.parcel.due);
        let patience = next.map(|due| TimeSpec::from_duration(due.saturating_duration_since(Instant::now())));
        let mut ends = [
            PollFd::new(low_ttl.descriptor.as_fd(), PollFlags::POLLIN),
            PollFd::new(far.descriptor.as_fd(), PollFlags::POLLIN),
        ];
        let _ = ppoll(&mut ends, patience, None);
        for (end, direction) in [
            (&mut low_ttl, PacketDirection::FromVm),
            (&mut far, PacketDirection::ToVm),
        ] {
            while let Some(frame) = end.take()? {
                let parcels = lock(forwarder).treat(direction, frame, Instant::now());
                waiting.extend(parcels.into_iter().map(|parcel| {
                    arrived += 1;
                    Reverse(Waiting { arrived, parcel })
                }));
            }
        }
        while waiting
            .peek()
            .is_some_and(|Reverse(first)| first.parcel.due <= Instant::now())
        {
            let Some(Reverse(Waiting { parcel, .. })) = waiting.pop() else {
                break;
            };
            match parcel.direction {
                PacketDirection::FromVm => far.give(&parcel.frame),
                PacketDirection::ToVm => low_ttl.give(&parcel.frame),
            }
        }
    }
}

/// A frame in transit; frames with the same arrival time keep the order in which they were sent.
struct Waiting {
    arrived: u64,
    parcel: DelayedFrame,
}

impl Waiting {
    fn rank(&self) -> (Instant, u64) {
        (self.parcel.due, self.arrived)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}
