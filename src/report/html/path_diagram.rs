//! The path of a finding's packets, hop by hop, and where they stop.

use crate::{
    model::{Finding, HopDoes, Standing, Suspect},
    report::path,
    text::escape,
};

/// A place on the path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DrawnHop {
    /// Its label.
    pub(super) label: String,
    /// Whether the path stops before the next one, or here.
    pub(super) stops: bool,
    /// Whether it may stop here as well.
    pub(super) is_suspected: bool,
    /// Whether it is only known that it stops here or behind this place, at a device that does not answer or at the
    /// service.
    pub(super) or_behind: bool,
}

/// The places on every path, with the suspects at each. The name is looked up before anything is sent.
const PLACES: [(&str, &[Suspect]); 5] = [
    ("This VM", &[Suspect::LocalHost, Suspect::VmNicNsg]),
    ("Name server", &[Suspect::DnsServer, Suspect::PrivateDnsZone]),
    ("NSG", &[Suspect::Nsg]),
    ("Next hop", &[Suspect::Udr, Suspect::NoOutbound]),
    (
        "Firewall",
        &[
            Suspect::FirewallNetworkRule,
            Suspect::FirewallApplicationRule,
            Suspect::TlsInspection,
            Suspect::Nva,
            Suspect::Proxy,
        ],
    ),
];

/// The stations of a finding's path: the hops that answered, if the path was traced; otherwise the places on every
/// path. The path stops at the last hop that answered or behind it, which may be the service; or at the most likely
/// suspect. Empty if it does not stop anywhere. Only an Azure VM has an NSG before it.
pub(super) fn draw_path(finding: &Finding, standing: Option<Standing>) -> Vec<DrawnHop> {
    let is_guarded = matches!(standing, Some(Standing::InSubnet | Standing::AzureVm));
    let is_service_suspected = finding.suspects.contains(&Suspect::Service);
    if let Some(seen) = &finding.path {
        let hops = path::draw_lines(seen, is_guarded);
        let end = hops.len().saturating_sub(1);
        let passes_on = seen.hops.last().is_some_and(|hop| hop.does == HopDoes::Forwards);
        let node = |(at, label): (usize, String)| DrawnHop {
            label: escape(&label).into_owned(),
            stops: at + 1 == end,
            is_suspected: at == end && is_service_suspected,
            or_behind: at + 1 == end && passes_on,
        };
        return hops.into_iter().enumerate().map(node).collect();
    }
    let is_at = |suspects: &[Suspect], suspect: &Suspect| suspects.contains(suspect);
    let Some(likeliest) = finding.suspects.first() else {
        return Vec::new();
    };
    if !PLACES.iter().any(|(_, suspects)| is_at(suspects, likeliest)) {
        return Vec::new();
    }
    let suspected = |suspects: &[Suspect]| finding.suspects.iter().any(|suspect| is_at(suspects, suspect));
    let mut nodes: Vec<DrawnHop> = PLACES
        .iter()
        .filter(|(name, suspects)| match *name {
            "Name server" => suspected(suspects),
            "NSG" => is_guarded || suspected(suspects),
            _ => true,
        })
        .map(|(name, suspects)| {
            let stops = is_at(suspects, likeliest);
            DrawnHop {
                label: (*name).to_owned(),
                stops,
                is_suspected: !stops && suspected(suspects),
                or_behind: false,
            }
        })
        .collect();
    nodes.push(DrawnHop {
        label: "Service".to_owned(),
        stops: false,
        is_suspected: is_service_suspected,
        or_behind: false,
    });
    nodes
}

#[cfg(test)]
mod tests {
    use super::{DrawnHop, draw_path};
    use crate::model::{Confidence, Finding, Fix, Hop, HopDoes, Need, Path, Standing, Suspect};

    /// The stations in words: `*` where the path stops, `?` where it may stop, `>` where it may also stop farther on.
    fn rendered(finding: &Finding, standing: Option<Standing>) -> String {
        let node = |node: DrawnHop| {
            let marks = [(node.stops, "*"), (node.is_suspected, "?"), (node.or_behind, ">")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            format!("{}{marks}", node.label)
        };
        draw_path(finding, standing)
            .into_iter()
            .map(node)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn finding(path: Option<Path>, suspects: &[Suspect]) -> Finding {
        Finding {
            id: "silence/x".into(),
            kind: None,
            cause: None,
            title: String::new(),
            confidence: Confidence::High,
            need: Some(Need::Required),
            stops_activation: false,
            docs: None,
            endpoints: Vec::new(),
            evidence: Vec::new(),
            path,
            suspects: suspects.to_vec(),
            impact: String::new(),
            fix: Fix::default(),
            handover: None,
        }
    }

    fn path(does: HopDoes, address: Option<&str>) -> Path {
        let hop = Hop {
            hop: 1,
            does,
            address: address.map(str::to_owned),
            icmp_type: None,
            icmp_code: None,
            rtt_ms: None,
        };
        Path {
            endpoint: "sql/x:1433".into(),
            from: Some("10.1.0.4".into()),
            to: "20.1.2.3:1433".into(),
            label: "Sql 1433".into(),
            hops: vec![hop],
        }
    }

    #[test]
    fn path_diagram_marks_where_the_path_stops() {
        let azure = Some(Standing::AzureVm);
        let hop = || Some(path(HopDoes::Forwards, Some("10.1.9.4")));
        let proxy = || Some(path(HopDoes::Accepts, None));
        for (path, suspects, standing, nodes) in [
            (
                hop(),
                &[Suspect::Nva][..],
                azure,
                "VM 10.1.0.4, NSG, hop 1 10.1.9.4*>, Sql 1433",
            ),
            // Only an Azure VM has an NSG before it.
            (
                hop(),
                &[Suspect::Nva],
                Some(Standing::NotAzure),
                "VM 10.1.0.4, hop 1 10.1.9.4*>, Sql 1433",
            ),
            (hop(), &[Suspect::Nva], None, "VM 10.1.0.4, hop 1 10.1.9.4*>, Sql 1433"),
            (
                hop(),
                &[Suspect::Nva, Suspect::Service],
                azure,
                "VM 10.1.0.4, NSG, hop 1 10.1.9.4*>, Sql 1433?",
            ),
            // A device that accepts this near may be before the NSG.
            (
                proxy(),
                &[Suspect::Proxy],
                azure,
                "VM 10.1.0.4, proxy here or at hop 1*, Sql 1433",
            ),
            (None, &[Suspect::Udr], None, "This VM, Next hop*, Firewall, Service"),
            (
                None,
                &[Suspect::Udr],
                azure,
                "This VM, NSG, Next hop*, Firewall, Service",
            ),
            (
                None,
                &[Suspect::Nsg],
                None,
                "This VM, NSG*, Next hop, Firewall, Service",
            ),
            (None, &[Suspect::Service], azure, ""),
        ] {
            assert_eq!(rendered(&finding(path, suspects), standing), nodes);
        }
    }
}
