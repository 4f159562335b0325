//! What no wider rule explains: grouped by dependency, and worded by cause.

use super::phrases;
use crate::{
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind},
};

/// Something other than the service answers.
pub(super) const WRONG_SERVICE: FindingRule = FindingRule {
    kind: FindingKind::WrongService,
    claims: EndpointMatcher::Groups(|view, rows| of(view, rows, FindingKind::WrongService)),
    describe: |view, group| describe(view, group, "is answered by something other than the service"),
};

/// Certificates outside their validity period, although the clock is right.
pub(super) const EXPIRED: FindingRule = FindingRule {
    kind: FindingKind::ExpiredCertificate,
    claims: EndpointMatcher::Groups(|view, rows| of(view, rows, FindingKind::ExpiredCertificate)),
    describe: |view, group| describe(view, group, "certificates are outside their validity period"),
};

/// The kind of finding for a blocked row that no wider rule explains.
fn kind_of(cause: Cause) -> Option<FindingKind> {
    Some(match cause {
        Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail => FindingKind::SomeNames,
        Cause::DnsNxdomain | Cause::DnsNoAddress => FindingKind::MissingName,
        Cause::DnsSinkhole => FindingKind::Sinkhole,
        Cause::DnsPrivateAddress => FindingKind::PrivateAddress,
        Cause::TcpTimeout => FindingKind::Silence,
        Cause::TcpRefused => FindingKind::Reset,
        Cause::TcpUnreachable | Cause::UdpRefused | Cause::UdpUnreachable => FindingKind::IcmpRefusal,
        Cause::TcpNoRoute => FindingKind::NoRoute,
        Cause::PathMtu => FindingKind::PacketSize,
        Cause::TlsReset
        | Cause::TlsClosed
        | Cause::TlsTimeout
        | Cause::TlsAlert
        | Cause::HelloTimeout
        | Cause::HelloReset
        | Cause::HelloClosed => FindingKind::Cut,
        Cause::TlsNotTls | Cause::HelloUnexpected => FindingKind::WrongService,
        Cause::TlsUntrusted => FindingKind::Inspection,
        Cause::TlsWrongName => FindingKind::WrongName,
        Cause::TlsExpired => FindingKind::ExpiredCertificate,
        Cause::HttpDenied => FindingKind::DenyPage,
        Cause::LocalFault => FindingKind::LocalLimits,
        Cause::NeedsValue
        | Cause::Wildcard
        | Cause::Retired
        | Cause::NotOutbound
        | Cause::Deadline
        | Cause::Skipped => return None,
    })
}

/// Rows that belong to this kind by their cause, grouped by dependency. The same host and port under two dependencies
/// is one endpoint, so the second joins the first.
pub(super) fn of<'a>(_: &RunView<'a>, rows: &[ProbedEndpoint<'a>], kind: FindingKind) -> Vec<FindingGroup<'a>> {
    let mut groups: Vec<FindingGroup<'a>> = Vec::new();
    // A datagram without a reply counts as no reply: there is no connection that could be cut.
    let kind_of = |row: &ProbedEndpoint<'_>| match row.cause() {
        Some(Cause::HelloTimeout) if !row.is_tcp() => Some(FindingKind::Silence),
        cause => kind_of(cause?),
    };
    for row in rows.iter().filter(|row| kind_of(row) == Some(kind)) {
        let place = |row: &ProbedEndpoint<'a>| (row.endpoint.host.as_str(), row.endpoint.port);
        let belongs = |group: &FindingGroup<'a>| {
            group.scope == row.endpoint.dependency || group.rows.iter().any(|other| place(other) == place(row))
        };
        match groups.iter_mut().find(|group| belongs(group)) {
            Some(group) => group.rows.push(*row),
            None => groups.push(FindingGroup::new(&row.endpoint.dependency, vec![*row])),
        }
    }
    groups
}

/// The account of such a group: the cause's own words and suspects, or `otherwise` if its rows have several causes.
pub(super) fn describe<'a>(view: &RunView<'a>, group: &FindingGroup<'a>, otherwise: &str) -> Explanation {
    let rows = &group.rows;
    let ports = phrases::ports(rows);
    let title = phrases::whose(rows);
    let cause = rows.first().and_then(ProbedEndpoint::cause);
    let shared = cause.filter(|_| rows.iter().all(|row| row.cause() == cause));
    let headline = match shared {
        Some(cause) => phrases::headline(rows, cause),
        None => format!("{ports} {otherwise}"),
    };
    let basis = rows.iter().filter_map(|row| Some(row.cause()?.basis())).min();
    Explanation {
        title: format!("{title}: {headline}{}", share(view, rows)),
        grounds: Grounds::default().all(
            EvidenceWeight::Supports(basis.unwrap_or(Basis::Ambiguous)),
            phrases::examples(rows),
        ),
        suspects: cause.map_or_else(Vec::new, |cause| cause.suspects().to_vec()),
        fix: cause.map_or_else(Default::default, |cause| fix::advise(cause, rows, view)),
        impact: None,
    }
}

/// How many hosts of a dependency work on the ports of these rows.
pub(super) fn working(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> usize {
    let similar = |other: &ProbedEndpoint<'_>| {
        rows.iter()
            .any(|row| row.endpoint.dependency == other.endpoint.dependency && row.endpoint.port == other.endpoint.port)
    };
    phrases::hosts(view.proved().filter(|row| similar(row))).len()
}

/// How many of the dependency's hosts on these ports fail, if others work: `, 2 of 9 hosts`.
pub(super) fn share(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> String {
    let (well, ill) = (working(view, rows), phrases::hosts(rows).len());
    if well == 0 {
        String::new()
    } else {
        format!(", {ill} of {} hosts", ill + well)
    }
}
