//! The simulated network: a thread with a separate network namespace, in which all services listen.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    libc,
    sched::{CloneFlags, unshare},
    setsockopt_impl, sockopt_impl,
    sys::socket::setsockopt,
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{
    dns, faults,
    firewall::FirewallProxy,
    management::{self, Asked},
    network::{IpProtocol, LabNetwork, ServiceAddress, ServiceProtocol, SimulatedService},
    services::{ServiceListener, answer_ntp},
    tls::Pki,
    tools::ip,
    vm_link::{self, ECHO, Peer},
};

sockopt_impl!(
    /// Drops packets with a lower TTL (`IP_MINTTL`, ip(7)); accepted connections inherit it.
    LeastTtl,
    SetOnly,
    libc::IPPROTO_IP,
    libc::IP_MINTTL,
    libc::c_int
);

/// A request to the network's thread, and a channel for the result.
struct NetworkRequest {
    what: NetworkChange,
    done: mpsc::Sender<Result<()>>,
}

enum NetworkChange {
    Serve(Box<LabNetwork>),
    Fault(Box<LabNetwork>),
    Lift,
}

/// The VM's handle to the network's thread, which ends with it, or with the process.
pub(crate) struct SimulatedNetwork {
    orders: UnboundedSender<NetworkRequest>,
    pub(crate) pki: Arc<Pki>,
    /// The requests that the simulated platform has received.
    pub(crate) requests: Asked,
}

impl SimulatedNetwork {
    /// Starts the network and connects it to the calling thread's network namespace.
    pub(crate) fn start(peer: Peer, icmp_rate_limit: bool) -> Result<Self> {
        let (orders, inbox) = unbounded_channel();
        let (ready, started) = mpsc::channel();
        let pki = Arc::new(Pki::default());
        let requests = Asked::default();
        let network = Self {
            orders,
            pki: Arc::clone(&pki),
            requests: Arc::clone(&requests),
        };
        thread::Builder::new().name("network".into()).spawn(move || {
            let begun = begin(peer, icmp_rate_limit);
            match begun {
                Ok(runtime) => {
                    runtime.block_on(async {
                        let echo = spawn_echo();
                        let is_up = echo.is_ok();
                        // If the receiver is gone, the process is ending.
                        let _ = ready.send(echo);
                        if is_up {
                            follow(inbox, &pki, &requests).await;
                        }
                    });
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })?;
        started.recv().context("the network's thread has ended")??;
        Ok(network)
    }

    /// Binds every listener of the network, and applies its firewalls and faults.
    pub(crate) fn serve(&self, network: &LabNetwork) -> Result<()> {
        self.order(NetworkChange::Serve(Box::new(network.clone())))
    }

    /// Adds faults.
    pub(crate) fn fault(&self, network: &LabNetwork) -> Result<()> {
        self.order(NetworkChange::Fault(Box::new(network.clone())))
    }

    /// Removes all faults.
    pub(crate) fn lift(&self) -> Result<()> {
        self.order(NetworkChange::Lift)
    }

    fn order(&self, what: NetworkChange) -> Result<()> {
        let (done, answer) = mpsc::channel();
        self.orders
            .send(NetworkRequest { what, done })
            .map_err(|_| anyhow!("the simulated network has ended"))?;
        answer.recv().context("the simulated network has ended")?
    }
}

fn begin(peer: Peer, icmp_rate_limit: bool) -> Result<tokio::runtime::Runtime> {
    unshare(CloneFlags::CLONE_NEWNET).context("unshare of the network namespace")?;
    vm_link::router(peer, icmp_rate_limit)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the network's runtime")
}

async fn follow(mut inbox: UnboundedReceiver<NetworkRequest>, pki: &Arc<Pki>, requests: &Asked) {
    while let Some(order) = inbox.recv().await {
        let done = match order.what {
            NetworkChange::Serve(network) => serve(&management::completed(&network, requests), pki),
            NetworkChange::Fault(network) => faults::on_path(&network),
            NetworkChange::Lift => faults::lift_on_path(),
        };
        let _ = order.done.send(done);
    }
}

/// Echoes datagrams, so that the VM can check that the link works.
fn spawn_echo() -> Result<()> {
    let socket = udp(ECHO)?;
    tokio::spawn(async move {
        let mut datagram = [0; 64];
        loop {
            if let Ok((length, from)) = socket.recv_from(&mut datagram).await {
                let _ = socket.send_to(&datagram[..length], from).await;
            }
        }
    });
    Ok(())
}

fn serve(network: &LabNetwork, pki: &Arc<Pki>) -> Result<()> {
    ip(&local_routes(network))?;
    for server in network.servers() {
        dns::serve(&server, &network.names)?;
    }
    let names = names_by_address(network);
    let mut ports = HashMap::new();
    for (at, service) in network.services.iter().filter(|(_, service)| !service.closed) {
        for place in sockets(network, at)? {
            let hosts = hosts_at(&names, at, place.ip());
            match at.transport {
                IpProtocol::Udp => serve_datagrams(place, service)?,
                IpProtocol::Tcp => {
                    let port = ServiceListener::new(place, hosts, service.clone(), Arc::clone(pki));
                    ports.insert(place, Arc::new(port));
                }
            }
        }
    }
    for firewall in &network.firewalls {
        let (behind, open) = ports
            .into_iter()
            .partition(|(at, _)| firewall.ports.contains(&at.port()));
        ports = open;
        let gate = Arc::new(FirewallProxy {
            firewall: firewall.clone(),
            behind,
            names: names.clone(),
        });
        for &port in &firewall.ports {
            let gate = Arc::clone(&gate);
            accept((Ipv4Addr::UNSPECIFIED, port).into(), None, move |stream| {
                let gate = Arc::clone(&gate);
                async move { gate.attend(stream).await }
            })?;
        }
    }
    for (at, port) in ports {
        let is_far = matches!(at.ip(), IpAddr::V4(address) if vm_link::is_far(address));
        let least_ttl = (network.link.hops.is_empty() && is_far).then_some(vm_link::NEAR + 1);
        accept(at, least_ttl, move |stream| {
            let port = Arc::clone(&port);
            async move { port.attend(stream, Vec::new()).await }
        })?;
    }
    faults::redirect_to_firewalls(network)?;
    faults::on_path(network)
}

/// Adds every address of a service to the network namespace.
fn local_routes(network: &LabNetwork) -> Vec<String> {
    let servers = network.servers();
    let answers = network
        .names
        .values()
        .chain(servers.iter().flat_map(|server| server.names.values()));
    let mut addresses: Vec<IpAddr> = answers.flat_map(|answer| answer.addresses.iter().copied()).collect();
    addresses.extend(servers.iter().map(|server| server.address));
    addresses.extend(network.services.keys().filter_map(|at| at.host.parse::<IpAddr>().ok()));
    let is_far = |address: &IpAddr| {
        matches!(address, IpAddr::V4(v4) if v4.octets()[0] != 20
            && !v4.is_loopback() && !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast()
            && *v4 != vm_link::VM && *v4 != vm_link::ROUTER)
    };
    addresses.retain(is_far);
    addresses.sort_unstable();
    addresses.dedup();
    addresses
        .into_iter()
        .map(|address| format!("route add local {address} dev lo"))
        .collect()
}

fn names_by_address(network: &LabNetwork) -> HashMap<IpAddr, Vec<String>> {
    let mut names = HashMap::<_, Vec<_>>::new();
    let servers = network.servers();
    let own = servers.iter().flat_map(|server| &server.names);
    for (name, answer) in network.names.iter().chain(own) {
        for address in &answer.addresses {
            let known = names.entry(*address).or_default();
            if !known.contains(name) {
                known.push(name.clone());
            }
        }
    }
    names
}

/// The names in a certificate at this address: all names that resolve to it, or else the service's own.
fn hosts_at(names: &HashMap<IpAddr, Vec<String>>, at: &ServiceAddress, address: IpAddr) -> Vec<String> {
    names.get(&address).cloned().unwrap_or_else(|| vec![at.host.clone()])
}

/// The sockets of a service: one on every address that its host resolves to, at any name server.
fn sockets(network: &LabNetwork, at: &ServiceAddress) -> Result<Vec<SocketAddr>> {
    let port = at.port.with_context(|| format!("{at}: a service needs a port"))?;
    let mut addresses = network.addresses(&at.host);
    for server in network.servers() {
        addresses.extend(
            server
                .names
                .get(&at.host)
                .into_iter()
                .flat_map(|answer| answer.addresses.iter().copied()),
        );
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(|address| !address.is_loopback() && !address.is_unspecified() && address.is_ipv4());
    Ok(addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

/// Accepts connections; packets with a TTL below `least_ttl` never arrive, as on a long path.
fn accept<F, A>(at: SocketAddr, least_ttl: Option<u8>, attend: F) -> Result<()>
where
    F: Fn(tokio::net::TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind(at).with_context(|| format!("binding {at}"))?;
    listener.set_nonblocking(true)?;
    if let Some(least) = least_ttl {
        setsockopt(&listener, LeastTtl, &least.into()).context("IP_MINTTL")?;
    }
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        loop {
            // The client disconnected before it was accepted.
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(attend(stream));
            }
        }
    });
    Ok(())
}

fn serve_datagrams(at: SocketAddr, service: &SimulatedService) -> Result<()> {
    if service.protocol != Some(ServiceProtocol::Ntp) {
        return Err(anyhow!("{at}/udp: only NTP is spoken over UDP"));
    }
    let (socket, ntp, count) = (udp(at)?, service.ntp.clone(), AtomicU32::new(0));
    tokio::spawn(async move {
        let mut datagram = [0; 1024];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut datagram).await else {
                continue;
            };
            let before = count.fetch_add(1, Ordering::Relaxed);
            if let Some(reply) = answer_ntp(&ntp, &datagram[..length], before) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    Ok(())
}

fn udp(at: SocketAddr) -> Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(at).with_context(|| format!("binding {at}/udp"))?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket)?)
}
