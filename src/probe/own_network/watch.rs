//! The watch itself: the kernel says that something changed, and is then asked what packets would do now.

use std::{
    collections::BTreeMap,
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use tokio::io::{Interest, unix::AsyncFd};

use super::{
    Lost, NameTrace, Outage, OwnNetwork, RouteDecision, Trace, failing,
    kernel::{Interface, Kernel},
    next_hop, references,
};

/// A watch over this machine's own network.
pub(in crate::probe) struct OwnNetworkWatch {
    began: Instant,
    kernel: Option<Kernel>,
    listener: Option<AsyncFd<Kernel>>,
    /// Addresses that packets could leave for when the watch began, and the interface that they left by.
    open: Vec<(IpAddr, Interface)>,
    outages: Vec<Outage>,
}

impl OwnNetworkWatch {
    /// Begins to watch what leads to these servers, and out. To be called by a task of a runtime.
    pub(in crate::probe) fn begin(name_servers: &[SocketAddr], began: Instant) -> Self {
        let mut kernel = Kernel::ask().ok();
        let listener = Kernel::listen().and_then(listener).ok();
        let open = kernel
            .as_mut()
            .and_then(|kernel| open(kernel, &references(name_servers)).ok());
        Self {
            began,
            kernel,
            listener,
            open: open.unwrap_or_default(),
            outages: Vec::new(),
        }
    }

    /// Completes once something changed, which is then known.
    pub(in crate::probe) async fn changed(&mut self) {
        let Some(listener) = &mut self.listener else {
            return pending().await;
        };
        let links = match listener.readable_mut().await {
            Ok(mut ready) => {
                let links = ready.get_inner_mut().changed_links();
                ready.clear_ready();
                links
            }
            Err(error) => Err(error),
        };
        match links {
            Ok(links) => self.update(&links),
            // Too much at once, and some of it is lost: what is now still counts.
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => self.update(&[]),
            Err(_) => self.listener = None,
        }
    }

    fn update(&mut self, links: &[Interface]) {
        let now = super::since(self.began);
        // What was off for a moment is on again by now.
        let moment = links.iter().find_map(|link| {
            let was_used = self.open.iter().any(|(_, by)| by.index == link.index);
            was_used
                .then(|| why_not(link))
                .flatten()
                .map(|lost| (lost, link.name.clone()))
        });
        let state = self.kernel.as_mut().and_then(|kernel| lost(kernel, &self.open).ok());
        let Some(state) = state else { return };
        let is_out = self.outages.last().is_some_and(|outage| outage.until.is_none());
        match (is_out, state, moment) {
            (false, Some((lost, interface)), _) => self.outages.push(Outage {
                lost,
                interface,
                from: Some(now),
                until: None,
            }),
            (false, None, Some((lost, interface))) => self.outages.push(Outage {
                lost,
                interface,
                from: Some(now),
                until: Some(now),
            }),
            (true, None, _) => {
                if let Some(outage) = self.outages.last_mut() {
                    outage.until = Some(now);
                }
            }
            (true, Some(_), _) | (false, None, None) => {}
        }
    }

    /// What it saw, and where what failed was sent.
    pub(in crate::probe) fn finish<'a>(
        mut self,
        traces: impl Iterator<Item = &'a Trace>,
        names: &'a BTreeMap<String, NameTrace>,
    ) -> OwnNetwork {
        if let Some(listener) = &mut self.listener
            && let Ok(links) = listener.get_mut().changed_links()
        {
            self.update(&links);
        }
        let now = super::since(self.began);
        let Some(kernel) = &mut self.kernel else {
            return OwnNetwork::default();
        };
        let interfaces = kernel.interfaces().ok();
        for (_, before) in &self.open {
            let after = interfaces.iter().flatten().find(|after| after.index == before.index);
            let losses = after.and_then(|after| after.carrier_losses).zip(before.carrier_losses);
            let is_known = self.outages.iter().any(|outage| outage.interface == before.name);
            if losses.is_some_and(|(after, before)| after > before) && !is_known {
                self.outages.push(Outage {
                    lost: Lost::Carrier,
                    interface: before.name.clone(),
                    from: None,
                    until: Some(now),
                });
            }
        }
        let failing = failing(traces, names);
        let routes = routes(kernel, &failing, interfaces.as_deref().unwrap_or_default()).unwrap_or_default();
        let but_loopback = |interfaces: Vec<Interface>| interfaces.into_iter().filter(|it| !it.is_loopback).collect();
        OwnNetwork {
            interfaces: interfaces.map(but_loopback),
            outages: self.outages,
            routes,
        }
    }
}

#[expect(
    deprecated,
    reason = "what replaces it is unsafe to call; a `Kernel` keeps its descriptor for as long as it lives"
)]
fn listener(kernel: Kernel) -> io::Result<AsyncFd<Kernel>> {
    AsyncFd::with_interest(kernel, Interest::READABLE)
}

/// Those of some addresses that packets can leave for.
fn open(kernel: &mut Kernel, to: &[IpAddr]) -> io::Result<Vec<(IpAddr, Interface)>> {
    let interfaces = kernel.interfaces()?;
    let mut open = Vec::new();
    for address in to {
        let Ok(Ok(answer)) = kernel.route(*address, None) else {
            continue;
        };
        let by = interfaces.iter().find(|interface| interface.index == answer.interface);
        open.extend(
            by.filter(|by| by.carries() && !by.is_loopback)
                .map(|by| (*address, by.clone())),
        );
    }
    Ok(open)
}

/// What keeps packets from leaving for one of these addresses now, and by which interface they left before.
fn lost(kernel: &mut Kernel, open: &[(IpAddr, Interface)]) -> io::Result<Option<(Lost, String)>> {
    let interfaces = kernel.interfaces()?;
    let now = |index: u32| interfaces.iter().find(|interface| interface.index == index);
    for (address, before) in open {
        let lost = match kernel.route(*address, None)? {
            Ok(answer) => now(answer.interface).and_then(why_not),
            Err(_) => Some(match now(before.index) {
                None => Lost::Interface,
                Some(interface) => why_not(interface).unwrap_or_else(|| {
                    if has_address(&interface.name) {
                        Lost::Route
                    } else {
                        Lost::Address
                    }
                }),
            }),
        };
        if let Some(lost) = lost {
            return Ok(Some((lost, before.name.clone())));
        }
    }
    Ok(None)
}

/// Why an interface takes no packets.
fn why_not(interface: &Interface) -> Option<Lost> {
    if !interface.is_up {
        Some(Lost::Link)
    } else if !interface.has_carrier {
        Some(Lost::Carrier)
    } else {
        None
    }
}

/// Whether an interface has an IPv4 address.
fn has_address(name: &str) -> bool {
    let all = nix::ifaddrs::getifaddrs();
    all.is_ok_and(|mut all| {
        all.any(|it| it.interface_name == name && it.address.is_some_and(|it| it.as_sockaddr_in().is_some()))
    })
}

/// Where what goes to these addresses is sent.
fn routes(
    kernel: &mut Kernel,
    to: &[(IpAddr, Option<IpAddr>)],
    interfaces: &[Interface],
) -> io::Result<Vec<RouteDecision>> {
    if to.is_empty() {
        return Ok(Vec::new());
    }
    let neighbours = kernel.neighbours()?;
    let mut decisions = Vec::new();
    for (address, from) in to {
        let next = kernel.route(*address, *from)?;
        decisions.push(RouteDecision {
            to: *address,
            next: next.map(|answer| next_hop(*address, &answer, interfaces, &neighbours)),
        });
    }
    Ok(decisions)
}
