//! What the way adds to what is said of a finding: sentences, and who is a suspect no more.

use super::Reading;
use crate::{
    azure::NextHop,
    diagnosis::{
        grounds::{Grounds, Weight},
        rule::Account,
        view::{Row, RunView},
    },
    model::{Basis, Cause, Ending, Path, Suspect, prediction::Expected},
    text::words,
};

/// What a run saw of the way to one of these rows.
pub fn reading<'a>(view: &RunView<'a>, rows: &[Row<'a>]) -> Option<Reading<'a>> {
    view.ways.iter().find_map(|way| {
        let row = rows.iter().find(|row| row.index == way.endpoint)?;
        Some(Reading::of(way, row.endpoint, is_past_every_hop(row)))
    })
}

/// Whether the network's own rules lead through a service endpoint.
fn is_past_every_hop(row: &Row<'_>) -> bool {
    let route = row.prediction.and_then(|prediction| prediction.route.as_ref());
    route.is_some_and(|route| route.next_hop_type == NextHop::ServiceEndpoint)
}

/// Where it stops, where that is known.
pub fn path(view: &RunView<'_>, rows: &[Row<'_>]) -> Option<Path> {
    reading(view, rows)?.path()
}

/// Adds to what is said of these rows what the way says.
pub fn refine(view: &RunView<'_>, rows: &[Row<'_>], account: &mut Account) {
    let Some(reading) = reading(view, rows) else { return };
    let mut said = reading.says();
    if leaves_the_subnet(&reading) {
        let is_denied = rows.iter().any(|row| {
            let denies = row.prediction.filter(|prediction| prediction.verdict == Expected::Deny);
            denies.is_some_and(|prediction| prediction.nsg.is_some())
        });
        if is_denied {
            said = said.against("a hop answers, so the packets leave the subnet, whatever the given NSG rules deny");
        }
    }
    accuse(&reading, &mut account.suspects);
    let so_far = std::mem::take(&mut account.grounds);
    account.grounds = said.and(so_far);
}

/// Whether a hop has seen the packets: what guards the subnet they come from has let them go.
fn leaves_the_subnet(reading: &Reading<'_>) -> bool {
    !reading.is_near && (!reading.hops.is_empty() || reading.is_proxied() || reading.is_refused_nearby())
}

/// Puts those first that the way points at, and takes those off the list that it clears.
pub(super) fn accuse(reading: &Reading<'_>, suspects: &mut Vec<Suspect>) {
    const BEFORE_THE_FIRST_HOP: [Suspect; 4] =
        [Suspect::Nsg, Suspect::VmNicNsg, Suspect::NoOutbound, Suspect::LocalHost];
    if leaves_the_subnet(reading) {
        suspects.retain(|suspect| !BEFORE_THE_FIRST_HOP.contains(suspect));
    }
    let is_on_the_way =
        reading.cut_on_the_way().is_some() || reading.is_refused_nearby() || reading.unequal_hops().is_some();
    if reading.is_cut_far_apart() || reading.is_refused_nearby() || reading.unequal_hops().is_some() {
        suspects.retain(|suspect| *suspect != Suspect::Service);
    }
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
}

impl Reading<'_> {
    /// What the way says, a sentence each.
    pub fn says(&self) -> Grounds {
        let flows = self.says_of_flows();
        let where_it_stops = if self.is_proxied() {
            Some((PATTERN, self.says_of_a_proxy()))
        } else if self.is_refused_nearby() {
            Some((PATTERN, self.says_of_a_refusal()))
        } else if let Some((cut, cause)) = self.cut_on_the_way() {
            Some(self.says_of_a_cut(cut, cause))
        } else {
            self.says_of_the_end().map(|sentence| (Weight::Tells, sentence))
        };
        flows
            .into_iter()
            .chain(where_it_stops)
            .fold(Grounds::default(), |grounds, (weight, sentence)| {
                grounds.with(weight, sentence)
            })
    }

    fn says_of_flows(&self) -> Option<(Weight, String)> {
        if let Some((bad, good)) = self.unequal_hops() {
            return Some((
                PATTERN,
                format!(
                    "connections over {} pass, over {} do not ({} of {} and none of {})",
                    good.hop, bad.hop, good.passed, good.passed, bad.failed
                ),
            ));
        }
        let several = self.shares.len() > 1;
        let shares = self.shares.iter().map(|share| {
            format!(
                "over {} pass {} of {}",
                share.hop,
                share.passed,
                share.passed + share.failed
            )
        });
        several.then(|| {
            (
                Weight::Tells,
                format!("the first hop is not always the same: {}", words::join(shares, ", ")),
            )
        })
    }

    fn says_of_a_proxy(&self) -> String {
        format!(
            "{} accepts a SYN with a time to live of 1, which no router passes on, and no service endpoint route to it is known: a \
             proxy at the first hop answers in its place",
            self.address
        )
    }

    fn says_of_a_refusal(&self) -> String {
        format!(
            "{} resets a SYN with a time to live of 1, which no router passes on, and no service endpoint route to it is known: \
             somebody at the first hop refuses in its place",
            self.address
        )
    }

    /// What differs by one hop only may be two ways of different length.
    fn says_of_a_cut(&self, cut: u8, cause: Cause) -> (Weight, String) {
        let what = match cause {
            Cause::TlsReset | Cause::HelloReset => "reset",
            Cause::TlsAlert => "alert",
            _ => match cause.ending() {
                Ending::Cut => "end",
                _ => "answer",
            },
        };
        let farther = match self.accepts {
            Some(accepts) => format!("farther (a SYN takes a time to live of {accepts})"),
            None => format!(
                "farther (no SYN with a time to live up to {} is accepted)",
                crate::probe::way::FARTHEST
            ),
        };
        let weight = if self.is_cut_far_apart() {
            PATTERN
        } else {
            Weight::Supports(Basis::Ambiguous)
        };
        (
            weight,
            format!("the {what} comes from before hop {cut}, the SYN-ACK from {farther}"),
        )
    }

    /// Who answered last.
    fn says_of_the_end(&self) -> Option<String> {
        if let Some(reaches) = self.reaches {
            let hop = self.hops.iter().find(|router| router.hop == reaches);
            let named = hop.map_or_else(String::new, |router| format!(", {}", router.address));
            return Some(format!(
                "what we say on the open connection gets as far as hop {reaches}{named}, which says so: it drops the rest, or the one \
                 behind it does, as far as routers answer"
            ));
        }
        if let Some((cut, _)) = self.cuts {
            return Some(format!(
                "it is cut no nearer than it is accepted: both take a time to live of {cut}"
            ));
        }
        if self.is_uneven() || self.unequal_hops().is_some() {
            return None;
        }
        let farthest = self.refuses.or(self.accepts).unwrap_or(u8::MAX);
        let last = self.hops.iter().rfind(|router| router.hop < farthest)?;
        let answered = format!(
            "hop {}, {}, is the last that answers a SYN whose time to live runs out (ICMP {}/{} after {})",
            last.hop,
            last.address,
            last.error.kind,
            last.error.code,
            words::duration(last.after)
        );
        let so = match (self.refuses, self.accepts) {
            (Some(ttl), _) => format!("what resets stands no farther than hop {ttl}"),
            (None, Some(ttl)) => format!("what accepts stands no farther than hop {ttl}"),
            (None, None) => "it drops them, or the one behind it does, as far as routers answer".into(),
        };
        Some(format!("{answered}: {so}"))
    }
}

/// A reading that mostly this makes.
const PATTERN: Weight = Weight::Supports(Basis::Pattern);
