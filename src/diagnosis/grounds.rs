//! The evidence of a finding, and the confidence that follows from it.
//!
//! A finding states its grounds as data; its confidence is derived from them. Each entry is one observation with its
//! sentence of evidence, and with its weight: it proves the finding, suggests it, leaves another explanation open, or
//! speaks against it. [`Grounds::confidence`] is the only place that creates a [`Confidence`].

use crate::model::{Basis, Confidence};

/// The weight of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceWeight {
    /// It supports the finding, to this degree.
    Supports(Basis),
    /// Something in the same run fits another explanation better. The finding names that explanation.
    Contradicts,
    /// Something else would look the same, and no control of this run excludes it.
    LeavesOpen,
    /// It is the only reason to include some of the endpoints: the finding is no more certain than that.
    Carries(Basis),
    /// Additional information without weight.
    Notes,
    /// It cannot be true together with the finding: there is no such finding.
    Refutes,
}

/// One observation and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Its weight.
    pub weight: EvidenceWeight,
    /// The sentence, without a full stop.
    pub sentence: String,
}

/// The basis of a finding, in the order in which it was stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grounds(Vec<Ground>);

impl Grounds {
    /// Adds an observation.
    pub fn add(&mut self, weight: EvidenceWeight, sentence: impl Into<String>) {
        self.0.push(Ground {
            weight,
            sentence: sentence.into(),
        });
    }

    /// Adds an observation that nothing else explains.
    #[must_use]
    pub fn proof(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Supports(Basis::Proof), sentence)
    }

    /// Adds an observation that little else explains.
    #[must_use]
    pub fn pattern(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Supports(Basis::Pattern), sentence)
    }

    /// Adds an observation that several things explain.
    #[must_use]
    pub fn sign(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Supports(Basis::Ambiguous), sentence)
    }

    /// Adds something that fits another explanation better.
    #[must_use]
    pub fn against(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Contradicts, sentence)
    }

    /// Adds something else that would look the same.
    #[must_use]
    pub fn open(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::LeavesOpen, sentence)
    }

    /// Adds endpoints that are included because of a sign only.
    #[must_use]
    pub fn carried(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Carries(Basis::Ambiguous), sentence)
    }

    /// Adds something without weight.
    #[must_use]
    pub fn note(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Notes, sentence)
    }

    /// Adds something that cannot be true together with the finding.
    #[must_use]
    pub fn refuted(self, sentence: impl Into<String>) -> Self {
        self.with(EvidenceWeight::Refutes, sentence)
    }

    /// Adds an observation.
    #[must_use]
    pub fn with(mut self, weight: EvidenceWeight, sentence: impl Into<String>) -> Self {
        self.add(weight, sentence);
        self
    }

    /// Adds several observations with one weight.
    #[must_use]
    pub fn all(mut self, weight: EvidenceWeight, sentences: impl IntoIterator<Item = String>) -> Self {
        for sentence in sentences {
            self.add(weight, sentence);
        }
        self
    }

    /// Appends the observations of another account.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Removes the other explanations, if something else has decided between them.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.0
            .retain(|ground| !matches!(ground.weight, EvidenceWeight::LeavesOpen | EvidenceWeight::Carries(_)));
        self
    }

    /// How certain the finding is; `None` if it is refuted.
    ///
    /// The best support decides: proof makes it certain, a pattern high, a sign medium, none at all a hint. An open
    /// alternative lowers that by one step, down to medium; anything against it leaves medium at most. A finding is no
    /// more certain than the reason for including its least certain endpoints.
    pub fn confidence(&self) -> Option<Confidence> {
        let (mut support, mut most) = (Confidence::Low, Confidence::Certain);
        let mut open = false;
        for ground in &self.0 {
            match ground.weight {
                EvidenceWeight::Supports(basis) => support = support.max(Confidence::from(basis)),
                EvidenceWeight::LeavesOpen => open = true,
                EvidenceWeight::Carries(basis) => most = most.min(Confidence::from(basis)),
                EvidenceWeight::Contradicts => most = most.min(Confidence::Medium),
                EvidenceWeight::Notes => {}
                EvidenceWeight::Refutes => return None,
            }
        }
        let support = match support {
            Confidence::Certain if open => Confidence::High,
            Confidence::High if open => Confidence::Medium,
            support => support,
        };
        Some(support.min(most))
    }

    /// The sentences, the most important first: what proves it, what speaks against it, what suggests it, what stays
    /// open.
    pub fn sentences(&self) -> Vec<String> {
        let rank = |weight: EvidenceWeight| match weight {
            EvidenceWeight::Supports(Basis::Proof) => 0,
            EvidenceWeight::Contradicts => 1,
            EvidenceWeight::Supports(_) => 2,
            EvidenceWeight::LeavesOpen | EvidenceWeight::Carries(_) => 3,
            EvidenceWeight::Notes => 4,
            EvidenceWeight::Refutes => 5,
        };
        let mut grounds: Vec<&Ground> = self.0.iter().collect();
        grounds.sort_by_key(|ground| rank(ground.weight));
        let mut sentences: Vec<String> = Vec::new();
        for ground in grounds {
            if !sentences.contains(&ground.sentence) {
                sentences.push(ground.sentence.clone());
            }
        }
        sentences
    }
}

impl From<Basis> for Confidence {
    fn from(basis: Basis) -> Self {
        match basis {
            Basis::Proof => Self::Certain,
            Basis::Pattern => Self::High,
            Basis::Ambiguous => Self::Medium,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Basis, Confidence, EvidenceWeight, Grounds};

    const WEIGHTS: [EvidenceWeight; 9] = [
        EvidenceWeight::Supports(Basis::Proof),
        EvidenceWeight::Supports(Basis::Pattern),
        EvidenceWeight::Supports(Basis::Ambiguous),
        EvidenceWeight::Contradicts,
        EvidenceWeight::LeavesOpen,
        EvidenceWeight::Notes,
        EvidenceWeight::Refutes,
        EvidenceWeight::Carries(Basis::Pattern),
        EvidenceWeight::Carries(Basis::Ambiguous),
    ];

    fn grounds(weights: &[EvidenceWeight]) -> Grounds {
        weights
            .iter()
            .fold(Grounds::default(), |grounds, weight| grounds.with(*weight, "seen"))
    }

    #[test]
    fn strongest_evidence_sets_the_confidence() {
        for (weights, expected) in [
            (&[][..], Some(Confidence::Low)),
            (&WEIGHTS[..1], Some(Confidence::Certain)),
            (&WEIGHTS[1..2], Some(Confidence::High)),
            (&WEIGHTS[2..3], Some(Confidence::Medium)),
            (&[WEIGHTS[2], WEIGHTS[0]], Some(Confidence::Certain)),
            (&[WEIGHTS[0], EvidenceWeight::LeavesOpen], Some(Confidence::High)),
            (&[WEIGHTS[1], EvidenceWeight::LeavesOpen], Some(Confidence::Medium)),
            (&[WEIGHTS[2], EvidenceWeight::LeavesOpen], Some(Confidence::Medium)),
            (&[WEIGHTS[0], EvidenceWeight::Contradicts], Some(Confidence::Medium)),
            (&[WEIGHTS[0], EvidenceWeight::Refutes], None),
            (
                &[WEIGHTS[0], EvidenceWeight::Carries(Basis::Pattern)],
                Some(Confidence::High),
            ),
            (
                &[WEIGHTS[0], EvidenceWeight::Carries(Basis::Ambiguous)],
                Some(Confidence::Medium),
            ),
        ] {
            assert_eq!(grounds(weights).confidence(), expected, "{weights:?}");
        }
    }

    #[test]
    fn grounds_are_sorted_by_strength_without_duplicates() {
        let grounds = Grounds::default()
            .note("note")
            .pattern("pattern")
            .open("open")
            .against("against")
            .proof("proof")
            .note("note");
        assert_eq!(grounds.sentences(), ["proof", "against", "pattern", "open", "note"]);
    }

    proptest! {
        #[test]
        fn more_doubt_never_raises_confidence(
            weights in proptest::collection::vec(proptest::sample::select(WEIGHTS.to_vec()), 0..8),
            doubt in proptest::sample::select(vec![
                EvidenceWeight::Refutes,
                EvidenceWeight::Contradicts,
                EvidenceWeight::LeavesOpen,
                EvidenceWeight::Carries(Basis::Pattern),
                EvidenceWeight::Carries(Basis::Ambiguous),
            ]),
            at in any::<proptest::sample::Index>(),
        ) {
            let before = grounds(&weights).confidence();
            let mut more = weights;
            more.insert(at.index(more.len() + 1), doubt);
            prop_assert!(grounds(&more).confidence() <= before);
        }
    }
}
