//! Originals and their stand-ins: the user's own, which stay, and those from the network's answers, which may be
//! forgotten. A long-running agent sees more of them than it can keep.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// Stand-ins by their originals.
#[derive(Debug)]
pub(super) struct StandIns<K, V> {
    known: HashMap<K, Known<V>>,
    passing: usize,
}

#[derive(Debug)]
struct Known<V> {
    replacement: V,
    is_own: bool,
}

impl<K, V> Default for StandIns<K, V> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            passing: 0,
        }
    }
}

impl<K: Eq + Hash, V> StandIns<K, V> {
    /// The stand-in of an original.
    pub(super) fn get<Q>(&self, original: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.known.get(original).map(|known| &known.replacement)
    }

    /// Whether an original has a stand-in.
    pub(super) fn has<Q>(&self, original: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.known.contains_key(original)
    }

    /// Whether an original already has a stand-in; it stays if it turns out to be the user's own.
    pub(super) fn keeps<Q>(&mut self, original: &Q, is_own: bool) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let Some(known) = self.known.get_mut(original) else {
            return false;
        };
        if is_own && !known.is_own {
            known.is_own = true;
            self.passing -= 1;
        }
        true
    }

    /// Gives an original its stand-in, unless it has one.
    pub(super) fn add(&mut self, original: K, replacement: V, is_own: bool) {
        if self.keeps(&original, is_own) {
            return;
        }
        self.passing += usize::from(!is_own);
        self.known.insert(original, Known { replacement, is_own });
    }

    /// How many may be forgotten.
    pub(super) fn passing(&self) -> usize {
        self.passing
    }

    /// Forgets everything that is not the user's own.
    pub(super) fn forget_passing(&mut self) {
        self.known.retain(|_, known| known.is_own);
        self.known.shrink_to_fit();
        self.passing = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::StandIns;

    #[test]
    fn user_names_are_never_evicted() {
        let mut table = StandIns::<String, u8>::default();
        for (original, is_own) in [
            ("own", true),
            ("seen", false),
            ("both", false),
            ("both", true),
            ("own", false),
        ] {
            table.add(original.into(), 1, is_own);
        }
        assert_eq!(table.passing(), 1);
        table.forget_passing();
        assert!(table.has("own") && table.has("both") && !table.has("seen"));
        assert_eq!(table.passing(), 0);
    }
}
