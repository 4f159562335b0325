//! What the traced path adds to a finding: sentences, and suspects that it clears.

use std::net::IpAddr;

use super::{AzureRoute, TracerouteReading};
use crate::{
    diagnosis::{
        grounds::{EvidenceWeight, Grounds},
        rule::Explanation,
        view::{ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FailureMode, Path, Suspect, prediction::Expected},
    text::words,
};

/// The observations on the path to one of these rows.
pub fn reading<'a>(view: &RunView<'a>, rows: &[ProbedEndpoint<'a>]) -> Option<TracerouteReading<'a>> {
    view.traceroutes.iter().find_map(|traced| {
        let row = rows.iter().find(|row| row.index == traced.endpoint)?;
        let route = row.prediction.and_then(|prediction| prediction.route.as_ref());
        Some(TracerouteReading::of(traced, row.endpoint, AzureRoute::of(route)))
    })
}

/// Where it stops, if that is known.
pub fn path(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Option<Path> {
    reading(view, rows)?.path()
}

/// The last hop that saw the packets of these rows, if the NSG and routes of their subnet let them out.
pub fn last_hop(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> Option<String> {
    let reading = reading(view, rows)?;
    let path = reading
        .path()
        .filter(|_| leaves_the_subnet(&reading, view.place.addresses));
    path?.hops.pop()?.address
}

/// Adds the observations on the path to the account of these rows.
pub fn refine(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>], explanation: &mut Explanation) {
    let Some(reading) = reading(view, rows) else { return };
    let mut added = reading.grounds();
    let own = view.place.addresses;
    if leaves_the_subnet(&reading, own) {
        let is_denied = rows.iter().any(|row| {
            let denies = row.prediction.filter(|prediction| prediction.verdict == Expected::Deny);
            denies.is_some_and(|prediction| prediction.nsg.is_some())
        });
        if is_denied {
            added = added.against("a hop answers, so the packets leave the subnet even if the given NSG rules deny it");
        }
    }
    add_suspects(&reading, own, &mut explanation.suspects);
    let so_far = std::mem::take(&mut explanation.grounds);
    explanation.grounds = added.and(so_far);
}

/// Whether a hop reports that it has seen the packets: then the NSG of their subnet has let them out. A device that
/// accepts or resets at that distance may be on this machine, and so is the first hop of an address that is not the
/// machine's own, such as a container's.
fn leaves_the_subnet(reading: &TracerouteReading<'_>, own: &[IpAddr]) -> bool {
    let is_own = reading.source.is_some_and(|source| own.contains(&source));
    let is_seen = !reading.hops.is_empty() || reading.unequal_hops().is_some();
    is_own && !reading.is_near && is_seen
}

/// Puts the suspects first that the path points to, and removes those that it rules out.
pub(super) fn add_suspects(reading: &TracerouteReading<'_>, own: &[IpAddr], suspects: &mut Vec<Suspect>) {
    const BEFORE_THE_FIRST_HOP: [Suspect; 4] =
        [Suspect::Nsg, Suspect::VmNicNsg, Suspect::NoOutbound, Suspect::LocalHost];
    let may_be_here =
        reading.is_proxied() || reading.is_refused_nearby() || matches!(reading.cut_on_the_way(), Some((1, _)));
    if leaves_the_subnet(reading, own) {
        suspects.retain(|suspect| !BEFORE_THE_FIRST_HOP.contains(suspect));
    }
    let is_refused = reading.is_refused_nearby() && reading.lead != AzureRoute::Unidentified;
    let is_not_the_service = reading.is_cut_far_apart() || is_refused || reading.unequal_hops().is_some();
    if is_not_the_service {
        suspects.retain(|suspect| *suspect != Suspect::Service);
    }
    let is_on_the_way =
        reading.cut_on_the_way().is_some() || reading.is_refused_nearby() || reading.unequal_hops().is_some();
    let mut add = |suspect: Suspect, first: bool| match suspects.iter().position(|known| *known == suspect) {
        Some(at) if first => suspects[..=at].rotate_right(1),
        Some(_) => {}
        None if first => suspects.insert(0, suspect),
        None => suspects.push(suspect),
    };
    if reading.is_proxied() {
        add(Suspect::Proxy, false);
        add(Suspect::Nva, false);
    } else if is_on_the_way || !reading.hops.is_empty() {
        add(Suspect::Nva, is_on_the_way || !reading.is_near);
    }
    if may_be_here {
        add(Suspect::LocalHost, false);
    }
}

impl TracerouteReading<'_> {
    /// The observations, one sentence each.
    pub fn grounds(&self) -> Grounds {
        let flows = self.says_of_flows();
        let where_it_stops = if self.is_proxied() {
            Some((
                self.weight_of_nearby_answer(),
                self.nearby_answer("accepts", "a proxy", "answers"),
            ))
        } else if self.is_refused_nearby() {
            Some((
                self.weight_of_nearby_answer(),
                self.nearby_answer("resets", "a device", "refuses"),
            ))
        } else if let Some((cut, cause)) = self.cut_on_the_way() {
            Some(self.says_of_a_cut(cut, cause))
        } else {
            self.says_of_the_end().map(|sentence| (EvidenceWeight::Notes, sentence))
        };
        flows
            .into_iter()
            .chain(where_it_stops)
            .fold(Grounds::default(), |grounds, (weight, sentence)| {
                grounds.with(weight, sentence)
            })
    }

    fn says_of_flows(&self) -> Option<(EvidenceWeight, String)> {
        if let Some((bad, good)) = self.unequal_hops() {
            return Some((
                PATTERN,
                format!(
                    "connections over {} work, connections over {} do not ({} of {} and none of {})",
                    good.hop, bad.hop, good.passed, good.passed, bad.failed
                ),
            ));
        }
        let several = self.shares.len() > 1;
        let shares = self.shares.iter().map(|share| {
            format!(
                "over {}, {} of {} pass",
                share.hop,
                share.passed,
                share.passed + share.failed
            )
        });
        several.then(|| {
            (
                EvidenceWeight::Notes,
                format!("the first hop varies: {}", words::join(shares, ", ")),
            )
        })
    }

    /// Without routes nothing excludes a service endpoint, and then the service itself would be this near.
    fn weight_of_nearby_answer(&self) -> EvidenceWeight {
        match self.lead {
            AzureRoute::Unidentified => EvidenceWeight::Supports(Basis::Ambiguous),
            AzureRoute::Hops | AzureRoute::PastEveryHop => PATTERN,
        }
    }

    fn nearby_answer(&self, does: &str, who: &str, instead: &str) -> String {
        let unless = match self.lead {
            AzureRoute::Unidentified => " (or the address is behind a service endpoint: no routes were given)",
            AzureRoute::Hops | AzureRoute::PastEveryHop => {
                "; according to the given routes, no service endpoint leads there"
            }
        };
        format!(
            "{} {does} a SYN with a TTL of 1, which no router forwards: {who} on this machine or at the first hop \
             {instead} instead{unless}",
            self.traced.address
        )
    }

    /// A difference of only one hop may mean two different paths.
    fn says_of_a_cut(&self, cut: u8, cause: Cause) -> (EvidenceWeight, String) {
        let what = match cause {
            Cause::TlsReset | Cause::HelloReset => "reset",
            Cause::TlsAlert => "alert",
            _ => match cause.ending() {
                FailureMode::Cut => "end",
                _ => "answer",
            },
        };
        let farther = match self.accepts {
            Some(accepts) => format!("farther (a SYN needs a TTL of {accepts})"),
            None => format!(
                "farther (no SYN with a TTL up to {} is accepted)",
                crate::probe::traceroute::MAX_TTL
            ),
        };
        let weight = if self.is_cut_far_apart() {
            PATTERN
        } else {
            EvidenceWeight::Supports(Basis::Ambiguous)
        };
        let sender = match cut {
            1 => "this machine or the first hop".to_owned(),
            _ => format!("hop {cut} or nearer"),
        };
        (
            weight,
            format!("the {what} comes from {sender}, the SYN-ACK from {farther}"),
        )
    }

    /// Which hop answered last.
    fn says_of_the_end(&self) -> Option<String> {
        if let Some(reaches) = self.reaches {
            let hop = self.hops.iter().find(|router| router.hop == reaches);
            let named = hop.map_or_else(String::new, |router| {
                format!(", where {} answers SYNs as well", router.address)
            });
            return Some(format!(
                "our data on the open connection gets as far as hop {reaches}, according to an ICMP error{named}: it \
                 or the next hop drops the rest (a hop that does not answer cannot be seen)"
            ));
        }
        if let (Some((cut, _)), Some(accepts)) = (self.cuts, self.accepts) {
            return Some(format!(
                "whatever cuts the connection is no nearer than what accepts it: a SYN needs a TTL of {accepts}, and \
                 the data that is cut a TTL of {cut}"
            ));
        }
        if self.is_uneven() || self.unequal_hops().is_some() {
            return None;
        }
        let farthest = self.refuses.or(self.accepts).unwrap_or(u8::MAX);
        let last = self.hops.iter().rfind(|router| router.hop < farthest)?;
        let answered = format!(
            "hop {}, {}, is the last hop to answer a SYN whose TTL expires (ICMP {}/{} after {})",
            last.hop,
            last.address,
            last.error.kind,
            last.error.code,
            words::duration(last.after)
        );
        let so = match (self.refuses, self.accepts) {
            (Some(ttl), _) => format!("the device that resets is no farther than hop {ttl}"),
            (None, Some(ttl)) => format!("the device that accepts is no farther than hop {ttl}"),
            // A SYN with a larger TTL is accepted.
            (None, None) if !self.traced.words.is_empty() => return None,
            (None, None) if self.nat.is_some() => {
                "it or a device beyond it drops them: a NAT hides which device answers".into()
            }
            (None, None) => "it or the next hop drops them (a hop that does not answer cannot be seen)".into(),
        };
        Some(format!("{answered}: {so}"))
    }
}

/// An observation that little else explains.
const PATTERN: EvidenceWeight = EvidenceWeight::Supports(Basis::Pattern);
