//! The description of a simulated network: plain data, from YAML or from code. Everything that is not mentioned is
//! healthy.

mod link;
mod management;
mod service;
mod service_address;
mod tls;

use std::{collections::BTreeMap, net::IpAddr};

use serde::Deserialize;

pub use self::{
    link::{FaultCondition, Nat, NatErrors, PacketDirection, PacketKind, PathRouter, SimulatedLink},
    management::{DocumentSource, ErrorStatus, Identities, Management, ManagementFault, Operation},
    service::{
        Abort, AbortMoment, Amqp, BlockPage, BodyKind, ConnectionEnd, Http, Kms, Ntp, NtpMisbehaviour, Pacing,
        ScriptStep, ServiceProtocol, SimulatedService, Smb, Tds,
    },
    service_address::{IpProtocol, ServiceAddress},
    tls::{Authority, Chain, NoClientCertificate, ServerCertificate, TlsSettings, TlsVersion, Validity},
};

/// Azure's platform name server, also the default here.
pub const PLATFORM_DNS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(168, 63, 129, 16));

/// A network and everything in it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabNetwork {
    /// The VM's name servers, in the order of its `resolv.conf`; none means a healthy one at [`PLATFORM_DNS`].
    pub name_servers: Vec<NameServer>,
    /// What each name resolves to, unless a server has an answer of its own. A name that is not here does not exist.
    pub names: BTreeMap<String, NameResolution>,
    /// The listening services.
    pub services: BTreeMap<ServiceAddress, SimulatedService>,
    /// Azure's management endpoint and the VM's metadata service, if there are any.
    pub management: Option<Management>,
    /// What happens to packets on the path.
    pub faults: Vec<InjectedFault>,
    /// How packets travel between the VM and its router.
    pub link: SimulatedLink,
    /// Firewalls that answer for every address.
    pub firewalls: Vec<Firewall>,
    /// Routers limit their ICMP errors to a few per second, as they do by default.
    pub icmp_rate_limit: bool,
    /// The machine that the agent runs on.
    pub vm: Vm,
}

impl LabNetwork {
    /// The name servers that exist, including the default one.
    pub fn servers(&self) -> Vec<NameServer> {
        if self.name_servers.is_empty() {
            vec![NameServer::default()]
        } else {
            self.name_servers.clone()
        }
    }

    /// The addresses of a host: the host itself if it is an address, otherwise those in [`LabNetwork::names`].
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self
                .names
                .get(host)
                .map(|answer| answer.addresses.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether frames must pass through a relay.
    pub fn is_relayed(&self) -> bool {
        // For a closed port the kernel itself sends the reset, whatever the packet's TTL: only the relay can check it.
        let resets_from_afar = self.services.values().any(|service| service.closed);
        let is_timed = !self.vm.events.is_empty();
        self.link != SimulatedLink::default()
            || self.faults.iter().any(InjectedFault::is_relayed)
            || resets_from_afar
            || is_timed
    }

    /// The `resolv.conf` of the VM.
    pub fn resolv_conf(&self) -> String {
        self.vm.resolv_conf.clone().unwrap_or_else(|| {
            let listed = self.servers().into_iter().filter(|server| !server.not_in_resolv_conf);
            let lines: Vec<String> = listed.map(|server| format!("nameserver {}", server.address)).collect();
            lines.join("\n") + "\n"
        })
    }
}

/// One name server, on UDP and TCP port 53.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameServer {
    /// Its address.
    pub address: IpAddr,
    /// How it answers over UDP.
    pub udp: DnsBehaviour,
    /// How it answers over TCP.
    pub tcp: DnsBehaviour,
    /// Its own answers, which take precedence over [`LabNetwork::names`].
    pub names: BTreeMap<String, NameResolution>,
    /// Its answer to every query, for any name.
    pub any_name: Option<NameResolution>,
    /// It exists, but the VM's `resolv.conf` does not list it.
    pub not_in_resolv_conf: bool,
}

impl Default for NameServer {
    fn default() -> Self {
        Self {
            address: PLATFORM_DNS,
            udp: DnsBehaviour::Good,
            tcp: DnsBehaviour::Good,
            names: BTreeMap::new(),
            any_name: None,
            not_in_resolv_conf: false,
        }
    }
}

/// How a name server handles a query over one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsBehaviour {
    /// A correct answer (RFC 1035).
    Good,
    /// No listener: a reset, or an ICMP port unreachable.
    Closed,
    /// Accepts the query and sends nothing.
    Silent,
    /// Answers with another query's id.
    WrongId,
    /// Answers with another question in the question section.
    WrongQuestion,
    /// Sends bytes that are not a DNS message.
    Garbage,
    /// Sends a record whose name is a compression pointer to itself.
    CompressionLoop,
    /// Sets the TC bit and omits the answer.
    Truncated,
    /// Sends half of its message. Over TCP the length field is that of the whole message, and the connection is closed.
    Short,
    /// Closes the connection after the query; over UDP the same as silent.
    Close,
    /// Refuses every name with this response code (RFC 1035 §4.1.1): 2 SERVFAIL, 4 NOTIMP, 5 REFUSED.
    Rcode(u8),
    /// Answers after this many milliseconds.
    Delayed(u64),
    /// Answers only every n-th query.
    EveryNth(u32),
    /// Answers with another query's id first, and with the right one after that.
    Forged,
    /// Answers with the names in upper case.
    UpperCase,
    /// Answers with 64 KB of TXT records that were not requested.
    Oversized,
    /// Over TCP it announces the largest message and sends one byte every tenth of a second, endlessly; over UDP the
    /// same as silent.
    Trickle,
    /// Over TCP it sends replies with another query's id endlessly; over UDP two hundred of them.
    Endless,
}

/// What a name resolves to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NameResolution {
    /// The addresses, in the order of the answer. None, with no other field set, is "no data".
    pub addresses: Vec<IpAddr>,
    /// The CNAME records between the name and its addresses, in order.
    pub cnames: Vec<String>,
    /// A response code other than NOERROR; 3 is NXDOMAIN. CNAME records are sent with it.
    pub rcode: u8,
    /// The zone of the SOA record in the authority section of an answer without addresses.
    pub soa_zone: Option<String>,
    /// The primary server in that record; none means a server in the zone itself.
    pub soa_primary: Option<String>,
    /// Another response code for A queries.
    pub rcode_for_a: Option<u8>,
    /// No answer at all for this name.
    pub silent: bool,
    /// No answer to this many queries for it, and answers after that.
    pub first_unanswered: u32,
    /// SERVFAIL (2) for this many queries, and answers after that.
    pub first_servfail: u32,
    /// This many further addresses, counted up from 20.200.0.1; no host has them.
    pub extra_addresses: u16,
}

/// What happens to packets to some destination.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectedFault {
    /// The destination. A name stands for all its addresses, `*` for every address; without a port, all ports match.
    pub to: ServiceAddress,
    /// What happens to them.
    pub action: FaultAction,
    /// Which of the packets; by default all of them.
    #[serde(default)]
    pub when: FaultCondition,
}

impl InjectedFault {
    /// A fault for every packet to a destination.
    pub fn always(to: ServiceAddress, action: FaultAction) -> Self {
        Self {
            to,
            action,
            when: FaultCondition::default(),
        }
    }

    /// Whether it needs the relay of frames: the kernel's own rules only match a packet's destination.
    pub fn is_relayed(&self) -> bool {
        self.when != FaultCondition::default() || self.action == FaultAction::Close
    }

    /// Whether it needs nftables.
    pub fn needs_nft(&self) -> bool {
        !self.is_relayed() && self.action.needs_nft()
    }
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultAction {
    /// Dropped silently.
    Drop,
    /// ICMP 3/13, administratively prohibited, a few per second.
    Prohibited,
    /// ICMP 3/0, network unreachable, a few per second.
    Unreachable,
    /// ICMP type 3 with this code, without a limit unless [`LabNetwork::icmp_rate_limit`]. Needs `nft`.
    Icmp(u8),
    /// A reset from the destination's address. Needs `nft`, unless it matches some packets only.
    Reset,
    /// A FIN from the destination's address, on an open connection.
    Close,
    /// ICMP 11/0: a routing loop. Needs `nft`.
    TtlExceeded,
    /// The VM's route leads to a next hop that does not exist.
    DeadNextHop,
    /// The VM's own route is of type prohibit (errno 13).
    LocalProhibit,
    /// The VM's own route is of type unreachable (errno 113).
    LocalUnreachable,
    /// The VM's own route is of type blackhole (errno 22).
    LocalBlackhole,
    /// The VM's own firewall drops it: UDP fails with errno 1. Needs `nft`.
    LocalDrop,
    /// The VM's own firewall rejects it with ICMP from the VM's own address. Needs `nft`.
    LocalReject,
}

impl FaultAction {
    fn needs_nft(self) -> bool {
        matches!(
            self,
            Self::Icmp(_) | Self::Reset | Self::TtlExceeded | Self::LocalDrop | Self::LocalReject
        )
    }
}

/// A transparent proxy: on its ports it accepts for *every* destination, reads the client's first data, and decides by
/// the name in it. This is how an Azure Firewall handles application rules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firewall {
    /// The ports that it intercepts (TCP).
    pub ports: Vec<u16>,
    /// Its position: after this many of [`SimulatedLink::hops`]; none means after all of them.
    pub after_hops: Option<usize>,
    /// The first rule with a matching name applies.
    #[serde(default)]
    pub rules: Vec<ProxyRule>,
    /// What happens to connections that no rule matches.
    pub default_action: FirewallAction,
}

/// One application rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyRule {
    /// Host names, `*` matching any characters, compared with the SNI, the `Host` header, or else the name of the
    /// destination address.
    pub fqdns: Vec<String>,
    /// What happens to them.
    pub action: FirewallAction,
}

/// What a firewall does with a connection after reading its first bytes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallAction {
    /// Passes it to the real service; without one, resets it.
    Forward,
    /// Terminates TLS with its own certificate for the requested name, and passes on the content.
    Inspect,
    /// Ends the connection.
    End(ConnectionEnd),
    /// Serves a block page in plain HTTP.
    Deny(BlockPage),
}

/// The machine that the agent runs on.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vm {
    /// `/etc/resolv.conf`, instead of one that lists the name servers.
    pub resolv_conf: Option<String>,
    /// `/run/systemd/resolve/resolv.conf`, on a VM whose `resolv.conf` names systemd-resolved's stub.
    pub systemd_resolv_conf: Option<String>,
    /// The firmware's description of the VM, `sys_vendor`, `chassis_asset_tag` and the like: what `/sys/class/dmi/id`
    /// shows.
    pub firmware: BTreeMap<String, String>,
    /// Further lines of `/etc/hosts`.
    pub hosts_file: String,
    /// Further CAs in the VM's certificate store, in addition to the public ones.
    pub trusted_cas: Vec<Authority>,
    /// Whether there is a default route.
    pub default_route: bool,
    /// Whether it has a network at all: an interface with an address.
    pub connected: bool,
    /// Further `ip` commands, run once it is connected and everything listens: `link set eth0 mtu 576`.
    pub ip_commands: Vec<String>,
    /// What happens to it while the agent runs.
    pub events: Vec<VmEvent>,
    /// The agent's descriptor limit, if it is not the usual one.
    pub max_descriptors: Option<u64>,
    /// Further environment variables of the agent.
    pub env: BTreeMap<String, String>,
}

impl Default for Vm {
    fn default() -> Self {
        Self {
            resolv_conf: None,
            systemd_resolv_conf: None,
            firmware: BTreeMap::new(),
            hosts_file: String::new(),
            trusted_cas: Vec::new(),
            default_route: true,
            connected: true,
            ip_commands: Vec::new(),
            events: Vec::new(),
            max_descriptors: None,
            env: BTreeMap::new(),
        }
    }
}

/// Something that happens to the VM while the agent runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmEvent {
    /// Milliseconds after the first packet that the agent sends.
    pub after_ms: u64,
    /// `ip` commands, without the word `ip`.
    pub ip_commands: Vec<String>,
}
