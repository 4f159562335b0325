//! This machine refused to probe: each reason that the kernel distinguishes is a separate finding.

use super::{
    own_vm::{THIS_VM, is_in_outage, is_stubbed, lacks_route, was_not_tried, with_other_evidence},
    phrases,
};
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, FindingKind, Fix, Suspect},
    probe::trace::NameTrace,
};

/// Those rows are not blocked, but not tested.
pub(super) const LIMITS: FindingRule = FindingRule {
    kind: FindingKind::LocalLimits,
    claims: EndpointMatcher::Groups(|view, _| {
        FindingGroup::by(&view.rows, |row| {
            let is_others = is_stubbed(row) || lacks_route(row) || is_in_outage(view, row);
            (was_not_tried(row) && !is_others).then(|| Limit::of(view, row).scope().to_owned())
        })
    }),
    describe: |view, group| {
        let limit = group.rows.first().map_or(Limit::Unknown, |row| Limit::of(view, row));
        Explanation {
            title: format!("{} {}", limit.subject(), phrases::host_count(&group.rows)),
            grounds: with_other_evidence(
                view,
                Grounds::default()
                    .all(EvidenceWeight::Supports(Basis::Proof), phrases::examples(&group.rows))
                    .all(EvidenceWeight::Notes, limit.evidence().map(str::to_owned)),
            ),
            suspects: vec![Suspect::LocalHost],
            fix: limit.fix(),
            impact: None,
        }
    },
};

/// What prevented this machine from probing, by error number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// No name server is configured.
    NameServers,
    /// EMFILE: this process may not open more files.
    Files,
    /// ENFILE: this machine may not open more files.
    AllFiles,
    /// ENOMEM, ENOBUFS.
    Memory,
    /// EADDRNOTAVAIL, and EAGAIN for UDP: no source port is free.
    Ports,
    /// EPERM, EACCES and EINVAL from the routing table itself: a prohibit or blackhole route.
    Routes,
    /// EPERM: nftables, iptables or an eBPF program.
    Permission,
    /// EACCES, EINVAL: a security module.
    SecurityModule,
    /// EAFNOSUPPORT, EPROTONOSUPPORT: sockets of this kind are not allowed.
    AddressFamily,
    /// Anything else.
    Unknown,
}

impl Limit {
    fn of(view: &RunView<'_>, row: &ProbedEndpoint<'_>) -> Self {
        let name = row.trace.and_then(|trace| trace.name.as_ref());
        if name.is_some_and(|name| name.replies().next().is_none()) && view.plan.name_servers.is_empty() {
            return Self::NameServers;
        }
        let Some(errno) = row.failures().find_map(|(failure, _)| failure.errno) else {
            return Self::Unknown;
        };
        let servers = name
            .into_iter()
            .flat_map(NameTrace::replies)
            .map(|reply| reply.v4.server.ip());
        let addresses = row.attempts().iter().map(|attempt| attempt.address.ip()).chain(servers);
        let is_routed_so = addresses
            .filter_map(|address| view.own_network.route_to(address))
            .any(|decision| decision.next == Err(errno));
        match errno {
            libc::EMFILE => Self::Files,
            libc::ENFILE => Self::AllFiles,
            libc::ENOMEM | libc::ENOBUFS => Self::Memory,
            libc::EADDRNOTAVAIL | libc::EAGAIN => Self::Ports,
            libc::EPERM | libc::EACCES | libc::EINVAL if is_routed_so => Self::Routes,
            libc::EPERM => Self::Permission,
            libc::EACCES | libc::EINVAL => Self::SecurityModule,
            libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT => Self::AddressFamily,
            _ => Self::Unknown,
        }
    }

    /// The second half of the finding's id.
    fn scope(self) -> &'static str {
        match self {
            Self::NameServers => "name-servers",
            Self::Files => "open-files",
            Self::AllFiles => "open-files-of-all",
            Self::Memory => "memory",
            Self::Ports => "source-ports",
            Self::Routes => "routes",
            Self::AddressFamily => "address-family",
            Self::Permission | Self::SecurityModule | Self::Unknown => THIS_VM,
        }
    }

    /// The title, without the hosts.
    fn subject(self) -> &'static str {
        match self {
            Self::NameServers => "This VM has no name server configured, which prevents it from probing",
            Self::Files => "This VM's limit on open files per process (EMFILE) prevents it from probing",
            Self::AllFiles => "This VM's limit on open files for all processes (ENFILE) prevents it from probing",
            Self::Memory => "A lack of memory for sockets (ENOBUFS, ENOMEM) prevents this VM from probing",
            Self::Ports => "A lack of free source ports prevents this VM from probing",
            Self::Routes => {
                "This VM's own routing table forbids traffic (prohibit or blackhole), which prevents it from probing"
            }
            Self::Permission => "This VM's own firewall or permissions prevent it from probing",
            Self::SecurityModule => "This VM's own permissions prevent it from probing",
            Self::AddressFamily => "This VM does not allow sockets of this kind, which prevents it from probing",
            Self::Unknown => "Local errors on this VM prevent it from probing",
        }
    }

    /// What the error number shows.
    fn evidence(self) -> Option<&'static str> {
        Some(match self {
            Self::Routes => {
                "the kernel's own routing decision (ip route get) gives the same error, so no firewall is needed to explain it"
            }
            Self::Permission => {
                "EPERM comes from nftables or iptables (output), from an eBPF program of the control group, or from a seccomp \
                 profile; the error number does not tell which"
            }
            Self::SecurityModule => {
                "EACCES and EINVAL come from a security module (SELinux, AppArmor), or from a prohibit or blackhole route, \
                 which ip route get shows"
            }
            _ => return None,
        })
    }

    fn fix(self) -> Fix {
        match self {
            Self::NameServers => Fix::new(
                "Configure a name server of the virtual network in /etc/resolv.conf (DHCP normally does), or pass \
                 --dns-server, then run again.",
            )
            .look(["cat /etc/resolv.conf", "resolvectl status"]),
            Self::Files => Fix::new("Raise the agent's limit on open files, or pass a lower --concurrency, then run again.")
                .look(["ulimit -n"]),
            Self::AllFiles => Fix::new("Raise this VM's limit on open files, or stop what holds them, then run again.")
                .look(["cat /proc/sys/fs/file-nr", "sysctl fs.file-max"]),
            Self::Memory => Fix::new("Free memory on this VM, or pass a lower --concurrency, then run again.")
                .look(["free -m", "ss -s", "sysctl net.ipv4.tcp_mem"]),
            Self::Ports => Fix::new(
                "Stop what uses up this VM's source ports, or widen their range, then run again.",
            )
            .look(["ss -s", "sysctl net.ipv4.ip_local_port_range"]),
            Self::Routes => Fix::new("Remove the prohibit or blackhole route, or the routing rule that rejects, then run again.")
                .look(["ip rule", "ip route show table all"]),
            Self::Permission | Self::SecurityModule => Fix::new(
                "Find what blocks the agent's traffic on this VM (its own firewall, a security profile), remove it, then \
                 run again.",
            )
            .look(["sudo nft list ruleset", "sudo iptables -S OUTPUT", "ip route get ADDRESS", "sudo dmesg | tail"]),
            Self::AddressFamily => Fix::new(
                "Allow IPv4 and IPv6 sockets for the agent (RestrictAddressFamilies of systemd, a seccomp profile), or \
                 remove --ipv6 if IPv6 is disabled, then run again.",
            )
            .look(["sysctl net.ipv6.conf.all.disable_ipv6"]),
            Self::Unknown => Fix::new("Remove the cause that the evidence names, then run again.")
                .look(["sudo dmesg | tail"]),
        }
    }
}
