//! What the kernel says of this machine's own network: interfaces, the route to an address, and neighbours (rtnetlink(7)).
//!
//! Any process may ask, nothing is sent, and the answer is that of the network namespace the agent runs in, which neither
//! `/sys/class/net` nor `/proc/net` is sure to show in a container. Linux only; elsewhere there is no [`Kernel`] to be had.

use std::net::IpAddr;

#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod socket;

#[cfg(target_os = "linux")]
pub use socket::Kernel;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name, `eth0`.
    pub name: String,
    /// Whether it is the loopback interface, which leads nowhere.
    pub is_loopback: bool,
    /// Whether it is switched on (`ip link set eth0 up`).
    pub is_up: bool,
    /// Whether there is a carrier: a cable, or the switch of a hypervisor.
    pub has_carrier: bool,
    /// The largest packet that it takes, in bytes.
    pub mtu: Option<u32>,
    /// How often it lost its carrier since it exists (Linux 4.16).
    pub carrier_losses: Option<u32>,
}

impl Interface {
    /// Whether packets can leave by it.
    pub fn carries(&self) -> bool {
        self.is_up && self.has_carrier
    }
}

/// Where the kernel sends what goes to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// The number of the interface that it leaves by.
    pub interface: u32,
    /// The next hop; `None` where the address is a neighbour itself.
    pub gateway: Option<IpAddr>,
}

/// A host on a network that this machine is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// The interface that it is behind.
    pub interface: u32,
    /// Whether it was asked for its hardware address, and no answer came (`INCOMPLETE`, `FAILED` in `ip neigh`).
    pub state: NeighbourState,
}

/// What is known of a neighbour's hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// It was asked for, without an answer so far.
    Incomplete,
    /// It was asked for as often as the kernel does, without an answer.
    Failed,
    /// It is known, or not needed.
    Known,
}

impl NeighbourState {
    /// As `ip neigh` writes it; `None` where the address is known.
    pub fn unanswered(self) -> Option<&'static str> {
        match self {
            Self::Incomplete => Some("INCOMPLETE"),
            Self::Failed => Some("FAILED"),
            Self::Known => None,
        }
    }
}

/// No such kernel.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub enum Kernel {}
