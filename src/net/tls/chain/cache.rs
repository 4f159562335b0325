//! Results for chains, kept once for all endpoints that present the same one.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::ChainFacts;

/// How many chains are remembered; beyond that, the memory is cleared.
const MAX_CHAINS: usize = 256;

/// The most recent chains. The endpoints of one service present the same one, as do the addresses of a name and every
/// round of a watch: kept for each of them, it would take 0.5 kB of the 4 kB that a report needs per endpoint.
#[derive(Debug, Default)]
pub(in super::super) struct ChainCache(Mutex<HashSet<Arc<ChainFacts>>>);

impl ChainCache {
    /// These facts, or an equal earlier copy.
    pub(in super::super) fn share(&self, facts: ChainFacts) -> Arc<ChainFacts> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&facts) {
            return known.clone();
        }
        if known.len() >= MAX_CHAINS {
            known.clear();
        }
        let facts = Arc::new(facts);
        known.insert(facts.clone());
        facts
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::UnixTime;

    use super::*;
    use crate::net::tls::roots::Roots;

    #[test]
    fn same_chain_is_cached_once_up_to_the_limit() {
        let (roots, chains) = (Roots::builtin(), ChainCache::default());
        let facts = |leaf: usize, name: &str| {
            let leaf = leaf.to_be_bytes().to_vec().into();
            let names = [name.to_owned()];
            ChainFacts::gather(&leaf, &[], &names, &roots, UnixTime::since_unix_epoch(Duration::ZERO))
        };
        let first = chains.share(facts(0, "a.example"));
        assert!(Arc::ptr_eq(&first, &chains.share(facts(0, "a.example"))));
        let other_name = ChainFacts {
            right_name: !first.right_name,
            ..facts(0, "a.example")
        };
        assert!(!Arc::ptr_eq(&first, &chains.share(other_name.clone())));
        assert_eq!(*chains.share(other_name.clone()), other_name);
        for leaf in 0..2 * MAX_CHAINS {
            assert_eq!(*chains.share(facts(leaf, "a.example")), facts(leaf, "a.example"));
            assert!(chains.0.lock().unwrap().len() <= MAX_CHAINS);
        }
    }
}
