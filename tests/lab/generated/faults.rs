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
    ResetOnTheWay,
    /// This VM's own firewall drops it.
    DroppedHere,
    /// This VM's own firewall rejects it.
    RejectedHere,
    /// This VM's own route is of type unreachable.
    UnreachableHere,
    /// This VM's own route is of type prohibit.
    ProhibitedHere,
    /// This VM's route leads to a next hop that does not exist.
    DeadNextHop,
    /// The service does not listen.
    Closed,
    /// The service accepts, and then ends the connection or hangs at the first data.
    ServiceCuts,
    /// The service ends the connection after the TLS handshake.
    CutInside,
    /// The service's certificate has expired.
    Expired,
    /// The service presents another owner's certificate.
    WrongName,
    /// One of its two addresses is dead.
    OneAddressDead,
    /// A firewall on the path blocks its host name.
    FilteredByName,
    /// A firewall on the path blocks everything on the port.
    Walled,
    /// A firewall on the path inspects TLS.
    Inspected,
    /// A firewall on the path answers with a block page.
    DeniedByPage,
    /// The name does not exist.
    NameDenied,
    /// The name server fails for the name.
    NameFails,
    /// The name server does not answer for the name.
    NameSilent,
    /// The name has no address at all.
    NameSunk,
    /// The name resolves to a private address that no host has.
    NamePrivate,
    /// The name server itself does not behave correctly.
    Server,
    /// Every second flow is lost.
    HalfTheFlows,
    /// A NAT has run out of ports: later flows are lost.
    PortsExhausted,
    /// Everything is lost, but only for a while.
    ForAWhile,
    /// Full-size packets are lost.
    FullSizeLost,
    /// Packets are lost at random.
    Lossy,
}

impl Broken {
    /// The kinds of findings that are true of an endpoint with this fault.
    pub(super) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Dropped => &[Kind::Silence, Kind::KmsSilence, Kind::NoOutbound],
            Self::Prohibited => &[Kind::IcmpRefusal],
            Self::Unreachable => &[Kind::IcmpUnreachable],
            Self::ResetOnTheWay => &[Kind::Reset],
            Self::DroppedHere => &[Kind::LocalFirewall, Kind::LocalLimits],
            Self::RejectedHere => &[Kind::LocalFirewall],
            Self::UnreachableHere => &[Kind::NoRoute],
            Self::ProhibitedHere => &[Kind::LocalLimits],
            Self::DeadNextHop => &[Kind::DeadNextHop],
            Self::Closed | Self::ServiceCuts | Self::OneAddressDead | Self::PortsExhausted => &[],
            Self::CutInside => &[Kind::LateCut],
            Self::Expired => &[Kind::ExpiredCertificate],
            Self::WrongName => &[Kind::WrongName],
            Self::FilteredByName => &[Kind::NameFilter],
            Self::Walled => &[Kind::CutPort],
            Self::Inspected => &[Kind::Inspection],
            Self::DeniedByPage => &[Kind::DenyPage],
            // Its name server is also found to deny, fail or not reply.
            Self::NameDenied => &[Kind::NamePolicy, Kind::MissingName, Kind::SomeNames, Kind::NameServer],
            Self::NameFails => &[Kind::SomeNames, Kind::DnsPolicy, Kind::NameServer],
            Self::NameSilent => &[Kind::SomeNames, Kind::NameServer],
            Self::NameSunk => &[Kind::Sinkhole, Kind::NameServer],
            Self::NamePrivate => &[Kind::PrivateAddress],
            Self::Server => &[Kind::NoNames, Kind::SomeNames, Kind::NameServer],
            Self::HalfTheFlows => &[Kind::Flows],
            Self::FullSizeLost => &[Kind::PacketSize],
            Self::Lossy => &[Kind::Loss],
            // During this time its name servers do not reply either.
            Self::ForAWhile => &[Kind::Loss, Kind::NoNames],
        }
    }

    /// Whether it concerns this VM alone.
    pub(super) fn is_local(self) -> bool {
        matches!(
            self,
            Self::DroppedHere | Self::RejectedHere | Self::UnreachableHere | Self::ProhibitedHere
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
            Self::Server
                | Self::HalfTheFlows
                | Self::PortsExhausted
                | Self::ForAWhile
                | Self::FullSizeLost
                | Self::Lossy
        )
    }
}
