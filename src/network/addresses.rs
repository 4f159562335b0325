//! Sets of addresses, as in rules and service tags.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// A set of addresses of both families: sorted ranges that neither overlap nor touch.
///
/// IPv4 is mapped to `::ffff:0:0/96` (RFC 4291, section 2.5.5.2), so that one number range contains everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressSet(Vec<Range>);

/// First and last address.
type Range = (u128, u128);

/// Where IPv4 begins.
const V4: u128 = 0xffff << 32;

impl AddressSet {
    /// Every address of both families: `*`.
    pub fn everything() -> Self {
        Self(vec![(0, u128::MAX)])
    }

    /// Whether no address is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many addresses are in it.
    pub fn size(&self) -> u128 {
        self.0.iter().fold(0, |sum, (first, last)| {
            sum.saturating_add((last - first).saturating_add(1))
        })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = number(address);
        let at = self.0.partition_point(|(_, last)| *last < number);
        self.0.get(at).is_some_and(|(first, _)| *first <= number)
    }

    /// Whether the sets have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// The addresses that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (few, many) = if self.0.len() < other.0.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut common = Vec::with_capacity(few.0.len());
        let mut start = 0;
        for &(first, last) in &few.0 {
            start = seek(&many.0, start, first);
            let overlapping = many.0[start..].iter().take_while(|(begin, _)| *begin <= last);
            common.extend(overlapping.map(|&(begin, end)| (begin.max(first), end.min(last))));
        }
        Self(common)
    }

    /// The addresses that are here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        let mut start = 0;
        for &(first, last) in &self.0 {
            let mut from = Some(first);
            start = seek(&other.0, start, first);
            for &(begin, end) in other.0[start..].iter().take_while(|(begin, _)| *begin <= last) {
                match from {
                    Some(here) if here < begin => left.push((here, begin - 1)),
                    _ => {}
                }
                from = end.checked_add(1);
            }
            if let Some(here) = from.filter(|here| *here <= last) {
                left.push((here, last));
            }
        }
        Self(left)
    }

    /// Adds the addresses of another set.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
        self.normalize();
    }

    fn normalize(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|next, kept| {
            let joins = kept.1.checked_add(1).is_none_or(|after| next.0 <= after);
            if joins {
                kept.1 = kept.1.max(next.1);
            }
            joins
        });
    }
}

impl FromIterator<IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(prefixes: I) -> Self {
        let ends = |prefix: IpNet| (number(prefix.network()), number(prefix.broadcast()));
        let mut set = Self(prefixes.into_iter().map(ends).collect());
        set.normalize();
        set.0.shrink_to_fit();
        set
    }
}

impl FromIterator<IpAddr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        addresses.into_iter().map(IpNet::from).collect()
    }
}

/// Addresses and ranges, at most three: `20.1.2.3, 20.60.0.0-20.60.255.255 and 3 more`.
impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_SHOWN: usize = 3;
        for (at, (first, last)) in self.0.iter().take(MAX_SHOWN).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            if first == last {
                write!(f, "{comma}{}", address(*first))?;
            } else {
                write!(f, "{comma}{}-{}", address(*first), address(*last))?;
            }
        }
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Reads a prefix or a single address; host bits are ignored, as Azure does.
pub fn prefix(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .map(|prefix| prefix.trunc())
}

/// The first range from `start` on that does not end before `address`. Near ones are found in few steps and distant
/// ones in little more, so that sets of similar and of very different sizes are both processed fast.
fn seek(ranges: &[Range], start: usize, address: u128) -> usize {
    let ends_before = |(_, last): &Range| *last < address;
    let mut step = 1;
    while ranges.get(start + step).is_some_and(ends_before) {
        step *= 2;
    }
    let end = ranges.len().min(start + step + 1);
    start + ranges[start..end].partition_point(ends_before)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => V4 | u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address(number: u128) -> IpAddr {
    match u32::try_from(number ^ V4) {
        Ok(v4) => Ipv4Addr::from(v4).into(),
        Err(_) => Ipv6Addr::from(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::{AddressSet, prefix};

    fn set(prefixes: &[&str]) -> AddressSet {
        prefixes.iter().map(|text| prefix(text).unwrap()).collect()
    }

    #[test]
    fn address_ranges_merge_and_print() {
        assert_eq!(set(&["10.0.0.0/25", "10.0.0.128/25"]), set(&["10.0.0.7/24"]));
        assert_eq!(
            set(&["20.1.2.3", "10.0.0.0/24"]).to_string(),
            "10.0.0.0-10.0.0.255, 20.1.2.3"
        );
        assert_eq!(
            set(&["1.1.1.1", "3.3.3.3", "5.5.5.5", "7.7.7.7", "::1"]).to_string(),
            "::1, 1.1.1.1, 3.3.3.3 and 2 more"
        );
    }

    #[test]
    fn ipv4_and_ipv6_ranges_are_kept_separate() {
        let v4 = set(&["0.0.0.0/0"]);
        assert_eq!(v4.size(), 1 << 32);
        assert!(!v4.contains("2603::1".parse().unwrap()));
        assert!(AddressSet::everything().contains("2603::1".parse().unwrap()));
        assert!(
            !AddressSet::everything()
                .difference(&v4)
                .contains("1.2.3.4".parse().unwrap())
        );
    }

    #[test]
    fn invalid_prefix_is_none() {
        for text in [
            "",
            "*",
            "Storage",
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.1-10.0.0.9",
        ] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }

    /// Small sets with adjacent values, so that ranges meet in every possible way.
    fn sets() -> impl Strategy<Value = AddressSet> {
        proptest::collection::vec((0_u8..=255, 24_u8..=32), 0..12).prop_map(|prefixes| {
            prefixes
                .into_iter()
                .map(|(host, length)| prefix(&format!("10.0.0.{host}/{length}")).unwrap())
                .collect()
        })
    }

    proptest! {
        #[test]
        fn set_operations_match_single_addresses(a in sets(), b in sets()) {
            let mut union = a.clone();
            union.extend(&b);
            let (common, left) = (a.intersection(&b), a.difference(&b));
            for host in 0..=255_u8 {
                let address = IpAddr::from([10, 0, 0, host]);
                let (in_a, in_b) = (a.contains(address), b.contains(address));
                prop_assert_eq!(common.contains(address), in_a && in_b);
                prop_assert_eq!(left.contains(address), in_a && !in_b);
                prop_assert_eq!(union.contains(address), in_a || in_b);
            }
            prop_assert_eq!(common.size() + left.size(), a.size());
            prop_assert_eq!(a.overlaps(&b), !common.is_empty());
        }
    }
}
