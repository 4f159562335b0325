//! The way of a finding's packets, station by station, and where it stops.

use crate::{
    model::{Finding, Suspect},
    report::path,
    text::escape,
};

/// A place that packets pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Station {
    /// What stands there.
    pub(super) label: String,
    /// Whether the way stops before the next one.
    pub(super) stops: bool,
    /// Whether it may stop here as well.
    pub(super) is_suspected: bool,
}

/// The places that any packet passes, with those who are suspected there. A name is asked for before anything is sent.
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

/// The stations of a finding's way: the hops that were seen, where somebody looked; else the places that any packet passes.
/// The way stops behind the last hop that answered, or at the likeliest suspect. Nothing, where it stops nowhere.
pub(super) fn way(finding: &Finding) -> Vec<Station> {
    if let Some(seen) = &finding.path {
        let hops = path::picture(seen);
        let stop = hops.len().saturating_sub(2);
        let station = |(at, label): (usize, String)| Station {
            label: escape(&label).into_owned(),
            stops: at == stop,
            is_suspected: false,
        };
        return hops.into_iter().enumerate().map(station).collect();
    }
    let is_at = |suspects: &[Suspect], suspect: &Suspect| suspects.contains(suspect);
    let Some(likeliest) = finding.suspects.first() else {
        return Vec::new();
    };
    if !PLACES.iter().any(|(_, suspects)| is_at(suspects, likeliest)) {
        return Vec::new();
    }
    let suspected = |suspects: &[Suspect]| finding.suspects.iter().any(|suspect| is_at(suspects, suspect));
    let mut stations: Vec<Station> = PLACES
        .iter()
        .filter(|(name, suspects)| *name != "Name server" || suspected(suspects))
        .map(|(name, suspects)| {
            let stops = is_at(suspects, likeliest);
            Station {
                label: (*name).to_owned(),
                stops,
                is_suspected: !stops && suspected(suspects),
            }
        })
        .collect();
    stations.push(Station {
        label: "Service".to_owned(),
        stops: false,
        is_suspected: finding.suspects.contains(&Suspect::Service),
    });
    stations
}
