//! The kernel's data about this machine's own network: interfaces, the route to an address, and neighbours
//! (rtnetlink(7)).
//!
//! Any process may query it, nothing is sent, and the answer is for the network namespace that the agent runs in, which
//! `/sys/class/net` and `/proc/net` may not show in a container. Linux only; on other systems there is no [`Kernel`].

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
    /// Whether it is enabled (`ip link set eth0 up`).
    pub is_up: bool,
    /// Whether there is a carrier: a cable, or a hypervisor's switch.
    pub has_carrier: bool,
    /// Its MTU, in bytes.
    pub mtu: Option<u32>,
    /// How often it has lost its carrier since it exists (Linux 4.16).
    pub carrier_losses: Option<u32>,
}

impl Interface {
    /// Whether packets can leave by it.
    pub fn carries(&self) -> bool {
        self.is_up && self.has_carrier
    }
}

/// Where the kernel sends packets to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteAnswer {
    /// The number of the outgoing interface.
    pub interface: u32,
    /// The next hop; `None` if the address itself is a neighbour.
    pub gateway: Option<IpAddr>,
}

/// A host on a directly connected network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// The interface that it is behind.
    pub interface: u32,
    /// Whether a request for its hardware address got no answer (`INCOMPLETE`, `FAILED` in `ip neigh`).
    pub state: NeighbourState,
}

/// The state of a neighbour's hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// It was requested, without an answer so far.
    Incomplete,
    /// The kernel has given up: none of its requests was answered.
    Failed,
    /// It is known, or not needed.
    Known,
}

impl NeighbourState {
    /// As in `ip neigh`; `None` if the address is known.
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
