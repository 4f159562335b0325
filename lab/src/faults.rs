//! What the network and the VM do to packets: the commands that implement the described faults.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use anyhow::{Context, Result, bail};

use crate::{
    network::{FaultAction, IpProtocol, LabNetwork, ServiceAddress},
    tools::{ip, nft, tool},
    vm_link::{DEAD_HOP, DOCUMENTATION, FORWARD},
};

/// Routing rules for faults come before those that deliver packets.
const FAULTS_PREF: u8 = 5;
const FIREWALLS_PREF: u8 = 6;
const DOCUMENTATION_PREF: u8 = 7;

/// Whether nftables is installed, which some faults need.
pub fn has_nft() -> bool {
    tool("nft").is_some()
}

/// Applies the faults on the path, in the simulated network's namespace.
pub(crate) fn on_path(network: &LabNetwork) -> Result<()> {
    let (mut rules, mut chains) = (Vec::new(), NftChains::default());
    for fault in network.faults.iter().filter(|fault| !fault.is_relayed()) {
        for place in places(network, &fault.to)? {
            let rule = |action: &str| format!("rule add pref {FAULTS_PREF} {} {action}", place.selector());
            match fault.action {
                FaultAction::Drop => rules.push(rule("blackhole")),
                FaultAction::Prohibited => rules.push(rule("prohibit")),
                FaultAction::Unreachable => rules.push(rule("unreachable")),
                FaultAction::Icmp(code) => {
                    rules.push(rule(&format!("lookup {FORWARD}")));
                    chains.forward.push(format!(
                        "{} reject with icmp type {}",
                        place.matcher(),
                        icmp_name(code)?
                    ));
                }
                FaultAction::Reset => {
                    rules.push(rule(&format!("lookup {FORWARD}")));
                    chains
                        .forward
                        .push(format!("{} reject with tcp reset", place.matcher()));
                }
                FaultAction::TtlExceeded => {
                    rules.push(rule(&format!("lookup {FORWARD}")));
                    chains.arriving.push(format!("{} ip ttl set 1", place.matcher()));
                }
                FaultAction::Close
                | FaultAction::DeadNextHop
                | FaultAction::LocalProhibit
                | FaultAction::LocalUnreachable
                | FaultAction::LocalBlackhole
                | FaultAction::LocalDrop
                | FaultAction::LocalReject => {}
            }
        }
    }
    // Several names may resolve to one address.
    let mut known = BTreeSet::new();
    rules.retain(|rule| known.insert(rule.clone()));
    ip(&rules)?;
    chains.load()
}

/// Delivers every packet to a firewall's port locally, whatever its address: also documentation addresses, which do not
/// reply without a firewall.
pub(crate) fn redirect_to_firewalls(network: &LabNetwork) -> Result<()> {
    let mut lines = Vec::new();
    for port in network.firewalls.iter().flat_map(|firewall| &firewall.ports) {
        lines.push(format!(
            "rule add pref {FIREWALLS_PREF} ipproto tcp dport {port} lookup local"
        ));
    }
    if !lines.is_empty() {
        for net in DOCUMENTATION {
            lines.push(format!("route add local {net} dev lo"));
            lines.push(format!("rule add pref {DOCUMENTATION_PREF} to {net} blackhole"));
        }
    }
    ip(&lines)
}

/// Removes the faults on the path; firewalls and services stay.
pub(crate) fn lift_on_path() -> Result<()> {
    while ip(&[format!("rule del pref {FAULTS_PREF}")]).is_ok() {}
    if has_nft() { nft("flush ruleset") } else { Ok(()) }
}

/// Applies the VM's own faults, in the VM's namespace.
pub(crate) fn in_vm(network: &LabNetwork) -> Result<()> {
    let (mut routes, mut chains) = (Vec::new(), NftChains::default());
    for fault in &network.faults {
        for place in places(network, &fault.to)? {
            match fault.action {
                FaultAction::DeadNextHop => routes.push(format!("route add {} via {DEAD_HOP}", place.net()?)),
                FaultAction::LocalProhibit => routes.push(format!("route add prohibit {}", place.net()?)),
                FaultAction::LocalUnreachable => routes.push(format!("route add unreachable {}", place.net()?)),
                FaultAction::LocalBlackhole => routes.push(format!("route add blackhole {}", place.net()?)),
                FaultAction::LocalDrop => chains.leaving.push(format!("{} drop", place.matcher())),
                FaultAction::LocalReject => {
                    chains
                        .leaving
                        .push(format!("{} reject with icmp type admin-prohibited", place.matcher()));
                }
                FaultAction::Drop
                | FaultAction::Prohibited
                | FaultAction::Unreachable
                | FaultAction::Icmp(_)
                | FaultAction::Reset
                | FaultAction::Close
                | FaultAction::TtlExceeded => {}
            }
        }
    }
    ip(&routes)?;
    if !network.vm.connected {
        ip(&["addr flush dev eth0".to_owned(), "link set eth0 down".to_owned()])?;
    }
    ip(&network.vm.ip_commands)?;
    chains.load()
}

/// The rules for each nftables hook.
#[derive(Default)]
struct NftChains {
    arriving: Vec<String>,
    forward: Vec<String>,
    leaving: Vec<String>,
}

impl NftChains {
    fn load(&self) -> Result<()> {
        if self.arriving.is_empty() && self.forward.is_empty() && self.leaving.is_empty() {
            return Ok(());
        }
        let chain = |name: &str, hook: &str, rules: &[String]| {
            format!(
                "chain {name} {{ type filter hook {hook} priority 0; {}; }}",
                rules.join("; ")
            )
        };
        // Hooks are keywords of nft, so the chains need different names.
        nft(&format!(
            "table ip lab {{\n{}\n{}\n{}\n}}",
            chain("arriving", "prerouting", &self.arriving),
            chain("passing", "forward", &self.forward),
            chain("leaving", "output", &self.leaving),
        ))
    }
}

/// One destination: a prefix or any address, and one port or all.
#[derive(Debug)]
pub(crate) struct FaultTarget {
    net: Option<String>,
    port: Option<(IpProtocol, u16)>,
}

impl FaultTarget {
    /// Whether a packet between the VM and this address matches; `port` is the remote one.
    pub(crate) fn covers(&self, address: Ipv4Addr, port: Option<(IpProtocol, u16)>) -> bool {
        let net = self.net.as_deref().is_none_or(|net| contains(net, address));
        net && self.port.is_none_or(|own| Some(own) == port)
    }

    /// For `ip rule`. A packet to a port chosen by the agent arrives from the wire.
    fn selector(&self) -> String {
        let mut words = vec!["iif wire".to_owned()];
        words.extend(self.net.as_ref().map(|net| format!("to {net}")));
        words.extend(
            self.port
                .map(|(transport, port)| format!("ipproto {} dport {port}", transport.as_str())),
        );
        words.join(" ")
    }

    /// For nftables.
    fn matcher(&self) -> String {
        let mut words: Vec<String> = self.net.iter().map(|net| format!("ip daddr {net}")).collect();
        words.extend(
            self.port
                .map(|(transport, port)| format!("{} dport {port}", transport.as_str())),
        );
        words.join(" ")
    }

    /// For `ip route`, which does not match ports.
    fn net(&self) -> Result<&str> {
        self.net.as_deref().context("a route needs a host")
    }
}

pub(crate) fn places(network: &LabNetwork, to: &ServiceAddress) -> Result<Vec<FaultTarget>> {
    let port = to.port.map(|port| (to.transport, port));
    if to.host == "*" {
        return Ok(vec![FaultTarget { net: None, port }]);
    }
    if to.host.contains('/') {
        return Ok(vec![FaultTarget {
            net: Some(to.host.clone()),
            port,
        }]);
    }
    let addresses = network.addresses(&to.host);
    if addresses.is_empty() {
        bail!("a fault for {to}, which has no address");
    }
    let place = |address: IpAddr| FaultTarget {
        net: Some(address.to_string()),
        port,
    };
    Ok(addresses.into_iter().map(place).collect())
}

/// Whether an address is in a network written as `20.0.0.0/8`, or equals the given one.
fn contains(net: &str, address: Ipv4Addr) -> bool {
    let (base, bits) = net.split_once('/').unwrap_or((net, "32"));
    match (base.parse::<Ipv4Addr>(), bits.parse::<u32>()) {
        (Ok(base), Ok(bits @ 0..=32)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or_default();
            (u32::from(base) ^ u32::from(address)) & mask == 0
        }
        _ => false,
    }
}

/// The name in nftables for a code of ICMP type 3 (RFC 792, RFC 1812 §5.2.7.1).
fn icmp_name(code: u8) -> Result<&'static str> {
    Ok(match code {
        0 => "net-unreachable",
        1 => "host-unreachable",
        2 => "prot-unreachable",
        3 => "port-unreachable",
        9 => "net-prohibited",
        10 => "host-prohibited",
        13 => "admin-prohibited",
        _ => bail!("nftables cannot send ICMP 3/{code}"),
    })
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn cidr_prefix_contains_its_addresses() {
        for (net, address, holds) in [
            ("20.0.0.0/8", "20.1.2.3", true),
            ("20.0.0.0/8", "21.0.0.0", false),
            ("20.0.0.1", "20.0.0.1", true),
            ("20.0.0.1", "20.0.0.2", false),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("20.0.0.0/33", "20.0.0.0", false),
        ] {
            assert_eq!(contains(net, address.parse().unwrap()), holds, "{net} {address}");
        }
    }
}
