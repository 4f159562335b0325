//! Evidence made by hand: what probes would have seen of one endpoint, healthy or with one fault.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use apim_probe::{
    hello::{
        ExchangeEnd, Greeting, ProtocolReply,
        http::{HttpReply, ObjectKind, object_kind},
        ntp::NtpReply,
    },
    model::{Protocol, Transport},
    net::{
        SocketFailure,
        dns::{DnsAnswer, DnsEnd, DnsExchange, ZoneAuthority},
        icmp::{IcmpError, TcpFacts},
        tcp::{TcpEnd, TcpTrace},
        tls::{
            TlsEnd, TlsTrace,
            chain::{ChainFacts, Trust},
        },
        udp::{UdpEnd, UdpTrace},
    },
    plan::{PlannedEndpoint, ProbeTarget},
    probe::flows::SMALL_SEGMENT,
    probe::trace::{Attempt, HelloTrace, NameTrace, NotTriedReason, ServerReply},
};

/// The source address of every connection.
const SOURCE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 0, 4)), 50_112);
const QUICK: Duration = Duration::from_millis(12);
const TIMEOUT: Duration = Duration::from_secs(5);

/// One way of failing.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Every packet is dropped.
    Silent,
    /// The first address gives no reply, the second works.
    OneAddressSilent,
    /// Of eight connections to each address, every second one gets no reply.
    EverySecondConnectionLost,
    /// Packets larger than small ones are lost on the path to this machine.
    FullSizePacketsLost,
    /// Every connection passes, but with retransmissions; spurious if the peer already had the data.
    Retransmitted { spurious: bool },
    /// SYNs are answered with resets.
    Refused,
    /// A router answers with an ICMP error.
    Icmp { sender: IpAddr, kind: u8, code: u8 },
    /// The kernel gets no answer from the next hop.
    DeadNextHop,
    /// The machine's own firewall.
    LocalFirewallRejects,
    /// The machine's own firewall, dropping silently.
    LocalFirewallDrops,
    /// `connect` finds no route.
    NoRoute,
    /// `connect` is not permitted.
    NotPermitted,
    /// Accepted, then reset at the first bytes.
    CutReset,
    /// Accepted, then closed at the first bytes.
    CutClosed,
    /// Accepted, then no reply.
    CutSilent,
    /// Accepted, then a TLS alert.
    Alert,
    /// Certificates from this issuer, which only the VM trusts, if so specified.
    Inspected { issuer: &'static str, trusted_by_vm: bool },
    /// A self-signed certificate, the same for every host.
    SelfSigned(&'static str),
    /// A public certificate for another host.
    WrongName(&'static str),
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// An HTTP answer of another server.
    Page { status: u16, body: &'static str },
    /// A redirect to another host.
    Redirect(&'static str),
    /// Bytes of another protocol.
    Foreign,
    /// Cut after a verified handshake.
    CutAfterTls,
    /// The name server answers with this, for this zone, after these aliases.
    Nxdomain {
        authority: Option<&'static str>,
        alias: Option<&'static str>,
    },
    /// The name server fails.
    Servfail,
    /// The name server refuses this query.
    NameRefused,
    /// The name server does not answer this query.
    NameUnanswered,
    /// The name server truncates its reply, and nothing listens on TCP.
    ReplyTruncated,
    /// The name resolves to this address, and nothing answers there.
    ResolvesTo(&'static str),
    /// The name resolves through this alias to this address, and nothing answers there.
    AliasTo { alias: &'static str, to: &'static str },
    /// The name has this alias, which has no address.
    AliasWithoutAddress(&'static str),
    /// The second name server answers that the name does not exist.
    SecondServerNxdomain,
}

impl Fault {
    /// Whether a connection is accepted and then cut.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self, Self::CutReset | Self::CutClosed | Self::CutSilent | Self::Alert)
    }

    /// Whether it concerns the name, and therefore every port of the host.
    pub(crate) fn concerns_the_name(&self) -> bool {
        matches!(
            self,
            Self::Nxdomain { .. }
                | Self::Servfail
                | Self::NameRefused
                | Self::NameUnanswered
                | Self::ReplyTruncated
                | Self::ResolvesTo(_)
                | Self::AliasTo { .. }
                | Self::AliasWithoutAddress(_)
                | Self::SecondServerNxdomain
        )
    }
}

/// What a name server does, for any query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Working,
    Silent,
    /// UDP is dropped, TCP works.
    TcpOnly,
    /// TCP is dropped, UDP works.
    UdpOnly,
    AnswersRefused,
    AnswersServfail,
    /// Denies every name.
    AnswersNxdomain,
    /// Nothing listens on its port.
    NotListening,
    /// It accepts connections and answers nothing.
    AcceptsTcpNeverAnswers,
    /// It answers over UDP, accepts connections and answers nothing over them.
    NoAnswerOverTcp,
    /// Its UDP replies are truncated, and it refuses connections.
    Truncates,
}

impl Server {
    /// All of them except the working one.
    pub(crate) const FAILING: [Self; 10] = [
        Self::Silent,
        Self::TcpOnly,
        Self::UdpOnly,
        Self::AnswersRefused,
        Self::AnswersServfail,
        Self::AnswersNxdomain,
        Self::NotListening,
        Self::AcceptsTcpNeverAnswers,
        Self::NoAnswerOverTcp,
        Self::Truncates,
    ];

    /// Whether UDP queries get a complete answer: a query for a broken name is then broken too.
    pub(crate) fn answers_over_udp(self) -> bool {
        matches!(self, Self::Working | Self::UdpOnly | Self::NoAnswerOverTcp)
    }
}

/// Two public addresses, the same for the same host.
pub(crate) fn addresses(host: &str) -> [IpAddr; 2] {
    let sum = host
        .bytes()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let [_, second, third, _] = sum.to_be_bytes();
    [10, 11].map(|last| IpAddr::V4(Ipv4Addr::new(20, second, third, last)))
}

/// The servers' answers for a name with these addresses.
pub(super) fn name(at: &[IpAddr], servers: &[(SocketAddr, Server)], fault: Option<&Fault>) -> NameTrace {
    let replies: Vec<ServerReply> = servers
        .iter()
        .enumerate()
        .map(|(index, (address, server))| reply(at, *address, *server, fault, index))
        .collect();
    let decided = replies
        .iter()
        .position(ServerReply::is_final)
        .or_else(|| replies.iter().position(|reply| reply.answer().is_some()))
        .or(Some(0));
    NameTrace {
        started: Duration::ZERO,
        duration: QUICK,
        decided,
        replies: replies.into_iter().map(Arc::new).map(Some).collect(),
        again: false,
        platform: None,
    }
}

fn reply(at: &[IpAddr], address: SocketAddr, server: Server, fault: Option<&Fault>, index: usize) -> ServerReply {
    let end = match (server, fault) {
        (server, Some(Fault::Nxdomain { authority, alias })) if server.answers_over_udp() => {
            answered("NXDOMAIN", &[], alias.iter().copied(), *authority)
        }
        (server, Some(Fault::Servfail)) if server.answers_over_udp() => answered("SERVFAIL", &[], [], None),
        (Server::Working, Some(Fault::NameRefused)) => answered("REFUSED", &[], [], None),
        (Server::Working, Some(Fault::NameUnanswered)) => DnsEnd::Silent { sent: 6 },
        (Server::Working, Some(Fault::ReplyTruncated)) => not_listening(),
        (Server::Working, Some(Fault::SecondServerNxdomain)) if index > 0 => answered("NXDOMAIN", &[], [], None),
        (server, Some(Fault::ResolvesTo(to))) if server.answers_over_udp() => {
            answered("NOERROR", &[to.parse().unwrap()], [], None)
        }
        (server, Some(Fault::AliasTo { alias, to })) if server.answers_over_udp() => {
            answered("NOERROR", &[to.parse().unwrap()], [*alias], None)
        }
        (server, Some(Fault::AliasWithoutAddress(alias))) if server.answers_over_udp() => {
            answered("NOERROR", &[], [*alias], None)
        }
        _ => of_server(server, Transport::Udp, at),
    };
    let mut v4 = exchange(address, Transport::Udp, end);
    v4.truncated =
        server == Server::Truncates || (server == Server::Working && matches!(fault, Some(Fault::ReplyTruncated)));
    ServerReply { v4, v6: None }
}

/// The platform's own server's answer for a name.
pub(super) fn platform(addresses: &[IpAddr]) -> ServerReply {
    let server = ("168.63.129.16".parse::<IpAddr>().unwrap(), 53).into();
    ServerReply {
        v4: exchange(server, Transport::Udp, answered("NOERROR", addresses, [], None)),
        v6: None,
    }
}

fn of_server(server: Server, transport: Transport, addresses: &[IpAddr]) -> DnsEnd {
    match (server, transport) {
        (Server::Working, _)
        | (Server::UdpOnly | Server::NoAnswerOverTcp, Transport::Udp)
        | (Server::TcpOnly, Transport::Tcp) => answered("NOERROR", addresses, [], None),
        (Server::AcceptsTcpNeverAnswers | Server::NoAnswerOverTcp, Transport::Tcp) => DnsEnd::Unanswered {
            how: "the connection was accepted, and no reply came over it".into(),
        },
        (Server::Truncates, _) | (Server::NotListening, Transport::Tcp) => not_listening(),
        (Server::AnswersRefused, _) => answered("REFUSED", &[], [], None),
        (Server::AnswersServfail, _) => answered("SERVFAIL", &[], [], None),
        (Server::AnswersNxdomain, _) => answered("NXDOMAIN", &[], [], Some("com")),
        (Server::Silent | Server::TcpOnly | Server::AcceptsTcpNeverAnswers, Transport::Udp) => {
            DnsEnd::Silent { sent: 3 }
        }
        (Server::Silent | Server::UdpOnly, Transport::Tcp) => DnsEnd::NotConnected(TcpTrace {
            duration: TIMEOUT,
            end: TcpEnd::Silent {
                syns: Some(3),
                kept_here: false,
            },
            source: None,
        }),
        (Server::NotListening, Transport::Udp) => DnsEnd::Failed(failed(
            libc::ECONNREFUSED,
            vec![icmp("10.0.0.4".parse().unwrap(), 3, 3, false)],
        )),
    }
}

/// A connection to TCP 53 that was refused.
fn not_listening() -> DnsEnd {
    DnsEnd::NotConnected(TcpTrace {
        duration: QUICK,
        end: TcpEnd::Failed(failed(libc::ECONNREFUSED, Vec::new())),
        source: None,
    })
}

fn answered<'a>(
    rcode: &str,
    addresses: &[IpAddr],
    cnames: impl IntoIterator<Item = &'a str>,
    authority: Option<&str>,
) -> DnsEnd {
    DnsEnd::Answered(DnsAnswer {
        further: 0,
        rcode: rcode.into(),
        cnames: cnames.into_iter().map(str::to_string).collect(),
        addresses: addresses.to_vec(),
        authority: authority.map(|zone| ZoneAuthority {
            zone: zone.into(),
            primary: format!("ns1.{zone}"),
        }),
    })
}

fn exchange(server: SocketAddr, transport: Transport, end: DnsEnd) -> DnsExchange {
    let silent = matches!(end, DnsEnd::Silent { .. } | DnsEnd::NotConnected(_));
    DnsExchange {
        server,
        transport,
        truncated: false,
        duration: if silent { TIMEOUT } else { QUICK },
        source: Some(SOURCE),
        sent: if silent { 6 } else { 1 },
        ignored: Vec::new(),
        connection: None,
        end,
    }
}

/// The observations at every address of an endpoint.
pub(super) fn attempts(
    endpoint: &PlannedEndpoint,
    name: Option<&NameTrace>,
    servers: &[(SocketAddr, Server)],
    fault: Option<&Fault>,
) -> Vec<Attempt> {
    let dialled: Vec<SocketAddr> = match (&endpoint.destination, name) {
        (ProbeTarget::NameServer(server), _) => return vec![name_server(endpoint, *server, servers)],
        (ProbeTarget::Addresses { addresses, .. }, _) => {
            addresses.iter().map(|ip| (*ip, endpoint.port).into()).collect()
        }
        (ProbeTarget::Name, name) => {
            let decision = name.and_then(NameTrace::decision);
            let addresses = decision.map(ServerReply::addresses).unwrap_or_default();
            addresses.iter().map(|ip| (*ip, endpoint.port).into()).collect()
        }
    };
    let many = dialled.len();
    let each = |(index, address): (usize, SocketAddr)| match fault {
        Some(Fault::OneAddressSilent) if index + 1 < many => vec![attempt(endpoint, address, Some(&Fault::Silent))],
        Some(Fault::OneAddressSilent) => vec![attempt(endpoint, address, None)],
        Some(Fault::EverySecondConnectionLost) => (0..8)
            .map(|number| {
                let lost = (number % 2 == 0).then_some(&Fault::Silent);
                from(40_000 + number, attempt(endpoint, address, lost))
            })
            .collect(),
        Some(Fault::FullSizePacketsLost) => [None, None, Some(SMALL_SEGMENT), Some(SMALL_SEGMENT)]
            .into_iter()
            .map(|segment| {
                let lost = segment.is_none().then_some(&Fault::CutSilent);
                let attempt = attempt(endpoint, address, lost);
                Attempt { segment, ..attempt }
            })
            .collect(),
        Some(Fault::Retransmitted { spurious }) => {
            let counted = TcpFacts {
                round_trip: Some(QUICK),
                retransmitted: 1,
                needless: Some(u32::from(*spurious)),
                ..TcpFacts::default()
            };
            let attempt = attempt(endpoint, address, None);
            vec![Attempt {
                counted: attempt.tcp.as_ref().map(|_| counted),
                ..attempt
            }]
        }
        fault => vec![attempt(endpoint, address, fault)],
    };
    dialled.into_iter().enumerate().flat_map(each).collect()
}

/// A connection from this port.
fn from(port: u16, mut attempt: Attempt) -> Attempt {
    if let Some(tcp) = &mut attempt.tcp {
        tcp.source = Some(("10.1.0.4".parse::<IpAddr>().unwrap(), port).into());
    }
    attempt
}

fn name_server(endpoint: &PlannedEndpoint, server: SocketAddr, servers: &[(SocketAddr, Server)]) -> Attempt {
    let does = servers
        .iter()
        .find(|(address, _)| *address == server)
        .map_or(Server::Working, |(_, does)| *does);
    let end = of_server(does, endpoint.transport, &addresses("login.microsoftonline.com"));
    let mut exchange = exchange(server, endpoint.transport, end);
    exchange.truncated = does == Server::Truncates && endpoint.transport == Transport::Udp;
    let mut attempt = Attempt::new(server);
    attempt.dns = Some(Box::new(exchange));
    attempt
}

fn attempt(endpoint: &PlannedEndpoint, address: SocketAddr, fault: Option<&Fault>) -> Attempt {
    let mut attempt = Attempt::new(address);
    if let Some(Fault::ResolvesTo(to)) = fault
        && apim_probe::address::is_sinkhole(to.parse().unwrap())
    {
        attempt.not_tried = Some(NotTriedReason::Sinkhole);
        return attempt;
    }
    if endpoint.protocol == Protocol::Ntp {
        attempt.ntp = Some(Box::new(ntp(fault)));
        return attempt;
    }
    let end = connection(fault);
    let open = end == TcpEnd::Open;
    let duration = match (&end, fault) {
        (TcpEnd::Silent { .. }, _) => TIMEOUT,
        (_, Some(Fault::DeadNextHop)) => Duration::from_millis(3_050),
        _ => QUICK,
    };
    attempt.tcp = Some(TcpTrace {
        duration,
        end,
        source: Some(SOURCE),
    });
    if open {
        attempt.counted = Some(TcpFacts {
            round_trip: Some(QUICK),
            ..TcpFacts::default()
        });
        converse(&mut attempt, endpoint, fault);
    }
    attempt
}

/// The observations at one address.
pub(super) fn tried(endpoint: &PlannedEndpoint, address: SocketAddr, fault: Option<&Fault>) -> Attempt {
    attempt(endpoint, address, fault)
}

fn connection(fault: Option<&Fault>) -> TcpEnd {
    let own: IpAddr = "10.1.0.4".parse().unwrap();
    match fault {
        Some(Fault::Silent | Fault::ResolvesTo(_) | Fault::AliasTo { .. }) => TcpEnd::Silent {
            syns: Some(3),
            kept_here: false,
        },
        Some(Fault::LocalFirewallDrops) => TcpEnd::Silent {
            syns: Some(3),
            kept_here: true,
        },
        Some(Fault::Refused) => TcpEnd::Failed(failed(libc::ECONNREFUSED, Vec::new())),
        Some(Fault::Icmp { sender, kind, code }) => {
            TcpEnd::Failed(failed(libc::EHOSTUNREACH, vec![icmp(*sender, *kind, *code, false)]))
        }
        Some(Fault::DeadNextHop) => TcpEnd::Failed(failed(libc::EHOSTUNREACH, vec![icmp(own, 3, 1, true)])),
        Some(Fault::LocalFirewallRejects) => TcpEnd::Failed(failed(libc::EHOSTUNREACH, vec![icmp(own, 3, 13, true)])),
        Some(Fault::NoRoute) => TcpEnd::Failed(immediate(libc::ENETUNREACH)),
        Some(Fault::NotPermitted) => TcpEnd::Failed(immediate(libc::EPERM)),
        _ => TcpEnd::Open,
    }
}

fn failed(errno: i32, icmp: Vec<IcmpError>) -> SocketFailure {
    SocketFailure {
        errno: Some(errno),
        text: format!("error {errno}"),
        immediate: false,
        icmp,
    }
}

fn immediate(errno: i32) -> SocketFailure {
    SocketFailure {
        immediate: true,
        ..failed(errno, Vec::new())
    }
}

fn icmp(sender: IpAddr, kind: u8, code: u8, own: bool) -> IcmpError {
    IcmpError {
        kind,
        code,
        v6: false,
        sender: Some(sender),
        own,
    }
}

fn converse(attempt: &mut Attempt, endpoint: &PlannedEndpoint, fault: Option<&Fault>) {
    let cut = match fault {
        Some(Fault::CutReset) => Some(ExchangeEnd::Reset),
        Some(Fault::CutClosed) => Some(ExchangeEnd::Closed),
        Some(Fault::CutSilent) => Some(ExchangeEnd::TimedOut),
        Some(Fault::Foreign) => Some(ExchangeEnd::Foreign {
            why: "packet type 72, a reply has 4".into(),
        }),
        _ => None,
    };
    let speaks_first = matches!(endpoint.protocol, Protocol::Tds | Protocol::Amqp);
    if speaks_first {
        let end = cut.clone().unwrap_or(ExchangeEnd::Replied(ProtocolReply::Upgrade {
            proof: "prelude reply".into(),
        }));
        let over = !matches!(end, ExchangeEnd::Replied(_));
        attempt.prelude = Some(Box::new(hello_trace(end)));
        if over {
            return;
        }
    }
    if endpoint.protocol.speaks_tls() {
        let handshake = handshake(&endpoint.host, fault);
        let over = handshake.end != TlsEnd::Completed || !trusted(&handshake);
        attempt.tls = Some(Box::new(handshake));
        if over || matches!(endpoint.protocol, Protocol::Tls | Protocol::Tds) {
            return;
        }
        let end = match fault {
            Some(Fault::CutAfterTls) => ExchangeEnd::Reset,
            _ => greeted(endpoint),
        };
        attempt.hello = Some(Box::new(hello_trace(end)));
        return;
    }
    if endpoint.protocol == Protocol::Tcp {
        return;
    }
    let end = match (cut, fault) {
        (Some(cut), _) => cut,
        (None, Some(Fault::Page { status, body })) => page(*status, &[], body.as_bytes()),
        (None, Some(Fault::Redirect(to))) => page(302, &[("location", *to)], b""),
        (None, _) => greeted(endpoint),
    };
    attempt.hello = Some(Box::new(hello_trace(end)));
}

fn trusted(handshake: &TlsTrace) -> bool {
    handshake.chain.as_deref().is_some_and(ChainFacts::is_the_service)
}

fn greeted(endpoint: &PlannedEndpoint) -> ExchangeEnd {
    let body: &[u8] = match endpoint.path.as_deref().and_then(object_kind) {
        Some(ObjectKind::Crl | ObjectKind::Certificate) => &[0x30, 0x82, 1, 2],
        Some(ObjectKind::Cabinet) => b"MSCF",
        Some(ObjectKind::Ocsp) => &[0x30, 0x03, 0x0a, 0x01, 0x06],
        None => b"",
    };
    match endpoint.protocol {
        Protocol::Http | Protocol::Https => page(200, &[], body),
        _ => ExchangeEnd::Replied(ProtocolReply::Spoke {
            proof: "reply of the protocol".into(),
        }),
    }
}

fn page(status: u16, headers: &[(&str, &str)], body: &[u8]) -> ExchangeEnd {
    ExchangeEnd::Replied(ProtocolReply::Http(HttpReply {
        status,
        reason: None,
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        body: body.to_vec(),
    }))
}

fn hello_trace(end: ExchangeEnd) -> HelloTrace {
    let duration = if end == ExchangeEnd::TimedOut { TIMEOUT } else { QUICK };
    let greeting = Greeting {
        end,
        received: Vec::new(),
    };
    HelloTrace { duration, greeting }
}

fn handshake(host: &str, fault: Option<&Fault>) -> TlsTrace {
    let end = match fault {
        Some(Fault::CutReset) => TlsEnd::Reset,
        Some(Fault::CutClosed) => TlsEnd::Closed,
        Some(Fault::CutSilent) => TlsEnd::Silent,
        Some(Fault::Alert) => TlsEnd::Alert("AccessDenied".into()),
        Some(Fault::Foreign) => TlsEnd::NotTls { what: None },
        _ => TlsEnd::Completed,
    };
    let completed = end == TlsEnd::Completed;
    TlsTrace {
        duration: if end == TlsEnd::Silent { TIMEOUT } else { QUICK },
        end,
        version: completed.then_some("TLSv1.3"),
        cipher: None,
        chain: completed.then(|| Arc::new(chain(host, fault))),
        key_proved: completed,
        asked_for_certificate: false,
        received: Vec::new(),
    }
}

fn chain(host: &str, fault: Option<&Fault>) -> ChainFacts {
    let good = ChainFacts {
        out_of_date: None,
        subject: format!("CN={host}"),
        thumbprint: String::new(),
        leads_to: Vec::new(),
        ends_at: String::new(),
        issuer: "C=US, O=Microsoft Corporation, CN=Microsoft Azure RSA TLS Issuing CA 03".into(),
        not_before: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        not_after: Some("2026-12-01T00:00:00Z".parse().unwrap()),
        first_end: None,
        names: vec![host.into()],
        issuer_hosts: Vec::new(),
        ends_in_root: false,
        public_issuer: false,
        trust: Trust::Trusted,
        left_out: None,
        right_name: true,
        trusted_by_vm: None,
    };
    match fault {
        Some(Fault::Inspected { issuer, trusted_by_vm }) => ChainFacts {
            issuer: (*issuer).into(),
            trust: Trust::UnknownIssuer,
            trusted_by_vm: Some(*trusted_by_vm),
            ..good
        },
        Some(Fault::SelfSigned(name)) => ChainFacts {
            subject: format!("CN={name}"),
            issuer: format!("CN={name}"),
            names: vec![(*name).into()],
            trust: Trust::UnknownIssuer,
            right_name: host == *name,
            trusted_by_vm: Some(false),
            ..good
        },
        Some(Fault::WrongName(subject)) => ChainFacts {
            subject: format!("CN={subject}"),
            names: vec![(*subject).into()],
            right_name: false,
            ..good
        },
        Some(Fault::Expired) => ChainFacts {
            trust: Trust::Expired,
            not_before: Some("2025-06-01T00:00:00Z".parse().unwrap()),
            not_after: Some("2026-06-01T00:00:00Z".parse().unwrap()),
            ..good
        },
        Some(Fault::NotYetValid) => ChainFacts {
            trust: Trust::NotYetValid,
            not_before: Some("2027-06-01T00:00:00Z".parse().unwrap()),
            not_after: Some("2028-06-01T00:00:00Z".parse().unwrap()),
            ..good
        },
        _ => good,
    }
}

fn ntp(fault: Option<&Fault>) -> UdpTrace<NtpReply> {
    let end = match connection(fault) {
        TcpEnd::Failed(failure) => UdpEnd::Failed(failure),
        TcpEnd::Silent { .. } => UdpEnd::Silent,
        TcpEnd::Open => UdpEnd::Replied(NtpReply {
            stratum: 2,
            kiss: None,
            synchronised: true,
            transmit: Some(1_800_000_000.0),
        }),
    };
    UdpTrace {
        duration: QUICK,
        source: Some(SOURCE),
        sent: 3,
        ignored: Vec::new(),
        end,
    }
}
