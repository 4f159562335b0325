//! What can be broken, and by which device.

use apim_probe::model::FindingKind as Kind;

/// One way in which some endpoints are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A rule on the path drops it.
    Dropped,
    /// A router refuses it (ICMP 3/13).
    Prohibited,
    /// A router has no route (ICMP 3/1).
    Unreachable,
    /// A device on the path resets it.
    ResetOnPath,
    /// This VM's own firewall drops it.
    LocalDrop,
    /// This VM's own firewall rejects it.
    LocalReject,
    /// This VM's own route is of type unreachable.
    LocalUnreachable,
    /// This VM's own route is of type prohibit.
    LocalProhibit,
    /// This VM's route leads to a next hop that does not exist.
    DeadNextHop,
    /// The service does not listen.
    Closed,
    /// The service accepts, and then ends the connection or hangs at the first data.
    AbortedByService,
    /// The service ends the connection after the TLS handshake.
    AbortedAfterHandshake,
    /// The service's certificate has expired.
    Expired,
    /// The service presents another owner's certificate.
    WrongName,
    /// One of its two addresses is dead.
    OneAddressDead,
    /// A firewall on the path blocks its host name.
    FilteredByName,
    /// A firewall on the path blocks everything on the port.
    PortBlocked,
    /// A firewall on the path inspects TLS.
    Inspected,
    /// A firewall on the path answers with a block page.
    BlockPage,
    /// The name does not exist.
    NxDomain,
    /// The name server fails for the name.
    ServFail,
    /// The name server does not answer for the name.
    NoDnsReply,
    /// The name has no address at all.
    Sinkholed,
    /// The name resolves to a private address that no host has.
    PrivateAddress,
    /// The name server itself does not behave correctly.
    NameServer,
    /// Every second flow is lost.
    ShareOfFlows,
    /// A NAT has run out of ports: later flows are lost.
    PortsExhausted,
    /// Everything is lost, but only for a while.
    Temporary,
    /// Full-size packets are lost.
    FullSizeLost,
    /// Packets are lost at random.
    PacketLoss,
}

impl Broken {
    /// The kinds of findings that are true of an endpoint with this fault.
    pub(super) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Dropped => &[Kind::Silence, Kind::KmsSilence, Kind::NoOutbound],
            Self::Prohibited => &[Kind::IcmpRefusal],
            Self::Unreachable => &[Kind::IcmpUnreachable],
            Self::ResetOnPath => &[Kind::Reset],
            Self::LocalDrop => &[Kind::LocalFirewall, Kind::LocalLimits],
            Self::LocalReject => &[Kind::LocalFirewall],
            Self::LocalUnreachable => &[Kind::NoRoute],
            Self::LocalProhibit => &[Kind::LocalLimits],
            Self::DeadNextHop => &[Kind::DeadNextHop],
            Self::Closed | Self::AbortedByService | Self::OneAddressDead | Self::PortsExhausted => &[],
            Self::AbortedAfterHandshake => &[Kind::LateCut],
            Self::Expired => &[Kind::ExpiredCertificate],
            Self::WrongName => &[Kind::WrongName],
            Self::FilteredByName => &[Kind::NameFilter],
            Self::PortBlocked => &[Kind::CutPort],
            Self::Inspected => &[Kind::Inspection],
            Self::BlockPage => &[Kind::DenyPage],
            // Its name server is also found to deny, fail or not reply.
            Self::NxDomain => &[Kind::NamePolicy, Kind::MissingName, Kind::SomeNames, Kind::NameServer],
            Self::ServFail => &[Kind::SomeNames, Kind::DnsPolicy, Kind::NameServer],
            Self::NoDnsReply => &[Kind::SomeNames, Kind::NameServer],
            Self::Sinkholed => &[Kind::Sinkhole, Kind::NameServer],
            Self::PrivateAddress => &[Kind::PrivateAddress],
            Self::NameServer => &[Kind::NoNames, Kind::SomeNames, Kind::NameServer],
            Self::ShareOfFlows => &[Kind::Flows],
            Self::FullSizeLost => &[Kind::PacketSize],
            Self::PacketLoss => &[Kind::Loss],
            // During this time its name servers do not reply either.
            Self::Temporary => &[Kind::Loss, Kind::NoNames],
        }
    }

    /// Whether it concerns this VM alone.
    pub(super) fn is_local(self) -> bool {
        matches!(
            self,
            Self::LocalDrop | Self::LocalReject | Self::LocalUnreachable | Self::LocalProhibit
        )
    }

    /// Whether a security rule could cause it: Azure's rules drop, and do nothing else.
    pub(super) fn may_be_a_security_rule(self) -> bool {
        self == Self::Dropped
    }

    /// Whether it can show at any endpoint.
    pub(super) fn is_everywhere(self) -> bool {
        matches!(
            self,
            Self::NameServer
                | Self::ShareOfFlows
                | Self::PortsExhausted
                | Self::Temporary
                | Self::FullSizeLost
                | Self::PacketLoss
        )
    }
}
