//! Priorities for the rules of a network security group.
//!
//! Every number belongs to one slot of the catalog, so that rules never use the same one, whatever is selected and
//! whichever of them have to move. A rule gets its own number from 2000 on, unless another rule has that or a deny
//! comes before it; then the largest of its own numbers that is free and comes before the deny.

use std::{collections::BTreeSet, fmt};

use super::{RuleBasis, slots::RuleSlot};
use crate::{
    network::{AllowedTraffic, nsg::EffectiveRule},
    text::escape,
};

/// The first number in a direction, and the distance to the next: space for a user's own rules before and between.
const FIRST: u16 = 2000;
const STEP: u32 = 10;

/// The numbers that Azure accepts.
pub(super) const RANGE: std::ops::RangeInclusive<u16> = 100..=4096;

/// A rule in force that denies some of what a rule allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenyRule {
    /// Its name.
    pub name: String,
    /// Its priority; more than 4096 for a default rule.
    pub priority: u32,
}

impl fmt::Display for DenyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", escape(&self.name), self.priority)
    }
}

impl DenyRule {
    /// The rule in force that denies some of what a slot's rule allows from or to `far`.
    pub fn first(basis: &RuleBasis<'_>, slot: &RuleSlot, far: &[String]) -> Option<Self> {
        let new_rule = AllowedTraffic {
            outbound: !slot.inbound,
            transport: slot.transport,
            ports: &slot.ports,
            remote_names: far,
        };
        let rule = basis.network?.first_deny(&new_rule, &basis.from)?;
        Some(Self {
            name: rule.name.clone(),
            priority: rule.priority,
        })
    }
}

/// The numbers for one direction.
#[derive(Debug, Clone)]
pub(super) struct FreePriorities<'a> {
    first: u32,
    step: u32,
    slots: u32,
    in_force: Vec<&'a EffectiveRule>,
}

impl<'a> FreePriorities<'a> {
    /// The numbers for this many slots in one direction.
    pub(super) fn new(basis: &RuleBasis<'a>, slots: usize, inbound: bool) -> Self {
        let first = u32::from(basis.first_priority.unwrap_or(FIRST));
        let slots = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        let available = u32::from(*RANGE.end()).saturating_sub(first) / slots.saturating_sub(1).max(1);
        Self {
            first,
            step: available.clamp(1, STEP),
            slots,
            in_force: basis
                .network
                .map(|network| network.of_the_subnet(!inbound).collect())
                .unwrap_or_default(),
        }
    }

    /// The number for the rule with this name in the slot at this index, before `deny` if possible; `None` if Azure's
    /// range of numbers ends before it.
    pub(super) fn number(&self, name: &str, at: usize, deny: Option<&DenyRule>) -> Option<u16> {
        let at = u32::try_from(at).ok()?;
        let regular = self.first + self.step * at;
        let end = u32::from(*RANGE.end()) + 1;
        let (held, others): (Vec<&EffectiveRule>, Vec<&EffectiveRule>) =
            self.in_force.iter().partition(|rule| rule.name == name);
        let taken: BTreeSet<u32> = others.iter().map(|rule| rule.priority).collect();
        let bound = deny.map_or(end, |deny| deny.priority.min(end));
        let fits = |number: &u32| *number < bound && !taken.contains(number);
        // A rule that was applied before keeps its number.
        let held = held.iter().map(|rule| rule.priority).find(fits);
        let number = held
            .or(Some(regular).filter(fits))
            .or_else(|| self.before(bound.min(regular), at, &taken).filter(|_| regular < end))
            .unwrap_or(regular);
        u16::try_from(number).ok().filter(|number| RANGE.contains(number))
    }

    /// The largest number below `bound` that is free and belongs to the slot at this index: a multiple of ten if there
    /// is one.
    fn before(&self, bound: u32, at: u32, taken: &BTreeSet<u32>) -> Option<u32> {
        let is_regular = |number: u32| {
            number >= self.first
                && (number - self.first).is_multiple_of(self.step)
                && (number - self.first) / self.step < self.slots
        };
        let owner = |number: u32| if number.is_multiple_of(STEP) { number / STEP } else { number } % self.slots;
        let free = |number: &u32| !is_regular(*number) && owner(*number) == at && !taken.contains(number);
        let below = || (u32::from(*RANGE.start())..bound).rev().filter(free);
        below()
            .find(|number| number.is_multiple_of(STEP))
            .or_else(|| below().next())
    }
}
