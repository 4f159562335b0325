//! The kinds of findings: a closed list, one row per kind.

/// Declares [`FindingKind`](table::FindingKind) from its rows, so that everything `explain` prints about a kind is in
/// one place.
macro_rules! finding_kinds {
    ($($variant:ident {
        word: $word:literal,
        meaning: $meaning:literal,
        scope: $scope:literal,
        seen: $seen:literal,
        lookalikes: $lookalikes:expr,
        docs: $docs:expr,
    })*) => {
        /// What kind of root cause a finding names: the first half of its id.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum FindingKind {
            $(#[doc = $meaning] $variant,)*
        }

        impl FindingKind {
            /// Every kind, the widest first.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(super) fn facts(self) -> &'static KindFacts {
                match self {
                    $(Self::$variant => &const { KindFacts {
                        word: $word,
                        meaning: $meaning,
                        scope: $scope,
                        seen: $seen,
                        lookalikes: $lookalikes,
                        docs: $docs,
                    } },)*
                }
            }
        }
    };
}

mod table;

pub use self::table::FindingKind;

/// Everything about a kind.
struct KindFacts {
    word: &'static str,
    meaning: &'static str,
    scope: &'static str,
    seen: &'static str,
    lookalikes: &'static [&'static str],
    docs: &'static str,
}

impl FindingKind {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        self.facts().word
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        self.facts().meaning
    }

    /// What the second half of an id stands for.
    pub fn scope(self) -> &'static str {
        self.facts().scope
    }

    /// How it is recognised.
    pub fn seen(self) -> &'static str {
        self.facts().seen
    }

    /// What else can look like it, and how to distinguish the two.
    pub fn lookalikes(self) -> &'static [&'static str] {
        self.facts().lookalikes
    }

    /// Whether it is about the line itself: connections that differ, packets that are too large, packets that are lost.
    pub fn is_about_the_link(self) -> bool {
        matches!(self, Self::Flows | Self::PacketSize | Self::Loss)
    }

    /// A documentation page.
    pub fn docs(self) -> &'static str {
        self.facts().docs
    }
}

by_word!(FindingKind, "a kind of finding");

#[cfg(test)]
mod tests {
    use super::FindingKind;
    use crate::{catalog::Catalog, model::Cause};

    #[test]
    fn finding_kind_words_are_unique_among_causes_and_ids() {
        let catalog = Catalog::builtin();
        for kind in FindingKind::ALL {
            let word = kind.as_str();
            assert_eq!(serde_json::to_value(kind).unwrap(), word);
            assert_eq!(word.parse(), Ok(*kind));
            assert!(word.parse::<Cause>().is_err(), "{word} is a cause too");
            assert!(
                catalog.dependencies.iter().all(|dependency| dependency.id != word),
                "{word} is a dependency too"
            );
        }
    }

    #[test]
    fn every_finding_kind_is_documented() {
        for kind in FindingKind::ALL {
            for text in [kind.meaning(), kind.scope(), kind.seen()]
                .iter()
                .chain(kind.lookalikes())
            {
                assert!(text.ends_with('.') && !text.contains("  "), "{kind}: {text}");
            }
            assert!(
                !kind.lookalikes().is_empty(),
                "{kind} says nothing of what else looks like it"
            );
            assert!(kind.docs().starts_with("https://"), "{kind}");
        }
    }
}
