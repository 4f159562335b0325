//! The stand-in for a SQL server whose name is not known.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::catalog::model::SqlGateways;

/// The stand-in for a SQL server whose name is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlSubstitute {
    /// The documented gateways of the region. Gateways are retired: a missing reply is not conclusive.
    Gateways,
    /// The first addresses of the ranges of the region's gateways. It is not documented which addresses listen: a
    /// missing reply proves nothing.
    Ranges,
}

impl SqlSubstitute {
    /// The stand-in's addresses in a region, and which kind they are.
    pub(super) fn of_region(gateways: &SqlGateways, region: &str) -> Option<(Self, Vec<IpAddr>)> {
        if let Some(addresses) = gateways.regions.get(region) {
            return Some((Self::Gateways, addresses.clone()));
        }
        let ranges = gateways.ranges.get(region)?;
        Some((Self::Ranges, first_of_each(ranges)))
    }

    /// What it can prove, as a remark.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Gateways => {
                "The region's gateways are tested instead of the server: one that answers proves its range, and \
                 clients must be able to reach all of the region's ranges."
            }
            Self::Ranges => {
                "The first addresses of the region's ranges are tested instead of the server: one that answers proves \
                 its range, but a timeout proves nothing, because it is not documented which of them listen."
            }
        }
    }
}

/// How many addresses of a range are tried. Individually documented gateways are the first of their range.
const OF_EACH_RANGE: u32 = 4;

/// The first addresses of each range.
fn first_of_each(ranges: &[IpNet]) -> Vec<IpAddr> {
    let first = |range: &IpNet| -> Vec<IpAddr> {
        let next = |offset: u32| match range.network() {
            IpAddr::V4(start) => IpAddr::V4((u32::from(start).wrapping_add(offset)).into()),
            IpAddr::V6(start) => IpAddr::V6((u128::from(start).wrapping_add(offset.into())).into()),
        };
        (0..OF_EACH_RANGE)
            .map(next)
            .filter(|address| range.contains(address))
            .collect()
    };
    ranges.iter().flat_map(first).collect()
}
