//! The two ends of the link: the VM's interface, and the router, in whose namespace all services listen.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::tools::ip;

/// The VM's address, in a separate subnet.
pub const VM: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 4);
/// The VM's default gateway, the sender of every ICMP error in the network.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
/// The sender of ICMP errors to services, which would ignore their own address.
pub(crate) const OTHER_ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
/// A neighbour that does not exist: a dead next hop.
pub const DEAD_HOP: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 77);
/// The address that echoes datagrams, to show that the link works.
pub(crate) const ECHO: SocketAddr = SocketAddr::new(IpAddr::V4(ROUTER), 7);
/// The networks of RFC 5737, which are reserved: no reply, unless a firewall answers for every address.
pub const DOCUMENTATION: [&str; 3] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"];

/// The largest TTL that still expires before a service without described hops.
pub(crate) const NEAR: u8 = 16;

/// Whether there can be internet hops before an address, as before public ones.
pub(crate) fn is_far(address: Ipv4Addr) -> bool {
    // 168.63.129.16 is the host that the VM runs on.
    !address.is_private() && !address.is_link_local() && !address.is_loopback() && address != PLATFORM
}

const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// The routing table for packets that must be forwarded, so that the forward chain can refuse them.
pub(crate) const FORWARD: u8 = 100;

/// What the router's end of the link is connected to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    /// The VM's interface, in the network namespace of this process.
    Vm(u32),
    /// A relay, in the network namespace of this thread.
    Relay(i32),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vm(process) => write!(f, "eth0 netns {process}"),
            Self::Relay(thread) => write!(f, "far netns {thread}"),
        }
    }
}

/// Turns the calling thread's network namespace into the router and the network behind it, linked to the VM's.
///
/// Addresses in 20.0.0.0/8 are local without being added one by one. Packets that no service answers are
/// silently dropped: "no route" errors would reveal more than Azure does.
pub(crate) fn router(peer: Peer, icmp_rate_limit: bool) -> Result<()> {
    let lines = format!(
        "link set lo up
link add wire type veth peer name {peer}
addr add {ROUTER}/24 dev wire
link set wire up
route add local 20.0.0.0/8 dev lo
route add blackhole default
link add void type veth peer name void1
link set void up arp off
link set void1 up
route add default dev void table {FORWARD}
rule add pref 10 lookup local
rule del pref 0"
    );
    ip(&[lines])?;
    if let Peer::Relay(_) = peer {
        ip(&[ONE_SEGMENT.replace("DEV", "wire")])?;
    }
    set("ip_forward", "1")?;
    if !icmp_rate_limit {
        set("icmp_ratemask", "0")?;
    }
    Ok(())
}

/// Limits frames to one segment: otherwise the kernel leaves large ones for the network card to split.
const ONE_SEGMENT: &str = "link set DEV gso_max_segs 1";

/// Gives the VM (the main thread's namespace) its address and its default route.
pub(crate) fn vm(default_route: bool, is_relayed: bool) -> Result<()> {
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("addr add {VM}/24 dev eth0"),
        "link set eth0 up".to_owned(),
    ];
    if is_relayed {
        lines.push(ONE_SEGMENT.replace("DEV", "eth0"));
    }
    if default_route {
        lines.push(format!("route add default via {ROUTER}"));
    }
    ip(&lines)
}

/// Waits until the link works: a new veth drops frames for up to 12 ms, and a lost SYN delays a test by a second.
pub(crate) fn wait() -> Result<()> {
    let socket = UdpSocket::bind((VM, 0)).context("binding the VM's address")?;
    socket.set_read_timeout(Some(Duration::from_millis(2)))?;
    socket.connect(ECHO)?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        // An error also means "not yet".
        let _ = socket.send(b"?");
        if socket.recv(&mut [0; 1]).is_ok() {
            return Ok(());
        }
    }
    bail!("the link between VM and router carried nothing for 5 s")
}

fn set(name: &str, value: &str) -> Result<()> {
    fs::write(format!("/proc/sys/net/ipv4/{name}"), value).with_context(|| format!("setting {name}"))
}
