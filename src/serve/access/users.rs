//! Users and bcrypt hashes of their passwords.
//!
//! A hash takes part of a second by design, so each password is checked once: a keyed digest of correct ones, and of
//! recent wrong ones, is kept. One hash is computed at a time, and a wrong password delays the next one, so that
//! guessing takes at most a quarter of one processor, even if clients close the connection before the reply.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bcrypt::HashParts;
use ring::hmac;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::hello;

/// A hash with a higher cost takes longer than a scrape may: each step doubles the time, and 12 takes a quarter of a
/// second.
const MAX_COST: u32 = 15;
/// How many wrong passwords are remembered.
const MAX_WRONG: usize = 64;
/// How long a wrong password delays the next one, as a multiple of the time for its hash.
const PENALTY: u32 = 3;
/// Maximum size of an `Authorization` header, in bytes.
const MAX_BYTES: usize = 1024;

/// The users with access.
#[derive(Debug)]
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    /// Used for an unknown user instead of a hash: it takes as long.
    dummy_hash: String,
    key: hmac::Key,
    seen: Mutex<Seen>,
    turn: HashPermits,
}

/// Whose hash is being computed: one at a time, for all versions of a web config.
pub(super) type HashPermits = Arc<Semaphore>;

/// No request's turn yet.
pub(super) fn turn() -> HashPermits {
    Arc::new(Semaphore::new(1))
}

#[derive(Debug, Default)]
struct Seen {
    right: HashMap<String, hmac::Tag>,
    wrong: VecDeque<hmac::Tag>,
}

impl Users {
    /// Users by name, each with a bcrypt hash.
    pub(super) fn new(hashes: BTreeMap<String, String>, turn: HashPermits) -> Result<Self, String> {
        for (name, hash) in &hashes {
            let parts: HashParts = hash.parse().map_err(|_| {
                format!(
                    "basic_auth_users: the value for \"{name}\" is not a bcrypt hash, as `htpasswd -nBC 10 {name}` prints it"
                )
            })?;
            if parts.get_cost() > MAX_COST {
                return Err(format!(
                    "basic_auth_users: the hash of \"{name}\" has a cost of {}, but the maximum is {MAX_COST}",
                    parts.get_cost()
                ));
            }
        }
        Ok(Self {
            dummy_hash: hashes.values().next().cloned().unwrap_or_default(),
            hashes,
            key: hmac::Key::new(hmac::HMAC_SHA256, &hello::random::<32>()),
            seen: Mutex::default(),
            turn,
        })
    }

    /// Keeps recognising the users that an older version accepted, if their hashes are the same.
    pub(super) fn recognise(&mut self, old: &Self) {
        let mut right = old.lock().right.clone();
        right.retain(|name, _| self.hashes.get(name) == old.hashes.get(name));
        // Digests use that key.
        self.key = old.key.clone();
        self.lock().right = right;
    }

    /// Whether an `Authorization` header is valid.
    pub(crate) async fn allow(self: &Arc<Self>, header: Option<&[u8]>) -> bool {
        let Some((name, password)) = header.and_then(credentials) else {
            return false;
        };
        let tag = hmac::sign(&self.key, format!("{}:{name}:{password}", name.len()).as_bytes());
        if let Some(known) = self.remembered(&name, &tag) {
            return known;
        }
        let Ok(turn) = self.turn.clone().acquire_owned().await else {
            return false;
        };
        // Another request may have checked the same password meanwhile.
        if let Some(known) = self.remembered(&name, &tag) {
            return known;
        }
        let users = self.clone();
        // Nothing stops a hash that is being computed, not even a client that disconnects: its turn lasts as long.
        let looked_at = spawn_blocking(move || users.verify_password(turn, name, password, tag));
        looked_at.await.unwrap_or(false)
    }

    /// Computes a hash, and records the result.
    fn verify_password(&self, turn: OwnedSemaphorePermit, name: String, password: String, tag: hmac::Tag) -> bool {
        let hash = self.hashes.get(&name);
        let began = Instant::now();
        let is_right = bcrypt::verify(password, hash.unwrap_or(&self.dummy_hash)).unwrap_or(false) && hash.is_some();
        self.remember(name, tag, is_right);
        if !is_right {
            thread::sleep((began.elapsed() * PENALTY).min(Duration::from_secs(2)));
        }
        drop(turn);
        is_right
    }

    fn remembered(&self, name: &str, tag: &hmac::Tag) -> Option<bool> {
        let seen = self.lock();
        // The key never leaves the process: the time to compare two digests reveals nothing about a password.
        let is_right = seen.right.get(name).is_some_and(|right| right.as_ref() == tag.as_ref());
        let is_wrong = seen.wrong.iter().any(|wrong| wrong.as_ref() == tag.as_ref());
        (is_right || is_wrong).then_some(is_right)
    }

    fn remember(&self, name: String, tag: hmac::Tag, is_right: bool) {
        let mut seen = self.lock();
        if is_right {
            seen.right.insert(name, tag);
            return;
        }
        if seen.wrong.len() == MAX_WRONG {
            seen.wrong.pop_front();
        }
        seen.wrong.push_back(tag);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name and password of `Basic bmFtZTpwYXNzd29yZA==` (RFC 7617).
fn credentials(header: &[u8]) -> Option<(String, String)> {
    let header = std::str::from_utf8(header)
        .ok()
        .filter(|header| header.len() <= MAX_BYTES)?;
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, password) = decoded.split_once(':')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use tokio::time::timeout;

    use super::{Users, turn};

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    fn users() -> Arc<Users> {
        let hash = bcrypt::hash("secret", 4).unwrap();
        // As htpasswd(1) writes it.
        let php = hash.replacen("$2b$", "$2y$", 1);
        Arc::new(Users::new([("a".to_owned(), hash), ("b".to_owned(), php)].into(), turn()).unwrap())
    }

    #[tokio::test]
    async fn only_correct_credentials_are_accepted() {
        let users = users();
        for (credentials, allowed) in [
            ("a:secret", true),
            ("b:secret", true),
            ("a:Secret", false),
            ("c:secret", false),
            ("a:", false),
            (":secret", false),
            ("a", false),
        ] {
            for _ in 0..2 {
                assert_eq!(users.allow(Some(&header(credentials))).await, allowed, "{credentials}");
            }
        }
        for nonsense in [&b"Basic"[..], b"Basic \xff", b"Basic !!!", b"Bearer YTpzZWNyZXQ=", b""] {
            assert!(!users.allow(Some(nonsense)).await);
        }
        assert!(!users.allow(None).await);
    }

    #[tokio::test]
    async fn verified_password_is_cached_and_wrong_ones_are_bounded() {
        let users = users();
        assert!(users.allow(Some(&header("a:secret"))).await);
        for n in 0..70 {
            let tag = ring::hmac::sign(&users.key, format!("{n}").as_bytes());
            users.remember("a".into(), tag, false);
        }
        let remembered = {
            let seen = users.lock();
            (seen.right.len(), seen.wrong.len())
        };
        assert_eq!(remembered, (1, super::MAX_WRONG));
        // No request gets a turn any more: remembered passwords need none.
        users.turn.close();
        assert!(users.allow(Some(&header("a:secret"))).await);
        assert!(!users.allow(Some(&header("b:secret"))).await);
    }

    #[tokio::test]
    async fn reloaded_file_keeps_cached_passwords_of_unchanged_users() {
        let before = users();
        for name in ["a", "b"] {
            assert!(before.allow(Some(&header(&format!("{name}:secret")))).await);
        }
        let mut hashes = before.hashes.clone();
        hashes.insert("b".into(), bcrypt::hash("other", 4).unwrap());
        let mut now = Users::new(hashes, turn()).unwrap();
        now.recognise(&before);
        let now = Arc::new(now);
        now.turn.close();
        assert!(now.allow(Some(&header("a:secret"))).await);
        assert!(!now.allow(Some(&header("b:secret"))).await);
    }

    #[tokio::test]
    async fn cancelled_request_keeps_its_hash_permit() {
        let hash = bcrypt::hash("secret", 10).unwrap();
        let users = |turn| Arc::new(Users::new([("a".to_owned(), hash.clone())].into(), turn).unwrap());
        let turn = turn();
        let first = users(turn.clone());
        let asked = header("a:guess");
        assert!(
            timeout(Duration::from_millis(1), first.allow(Some(&asked)))
                .await
                .is_err()
        );
        assert_eq!(turn.available_permits(), 0, "another hash may be computed beside it");
        // With a web config that was reloaded meanwhile, neither is accepted.
        let next = users(turn.clone());
        assert!(
            timeout(Duration::from_millis(1), next.allow(Some(&asked)))
                .await
                .is_err()
        );
        assert!(next.allow(Some(&header("a:secret"))).await);
        assert_eq!(first.lock().wrong.len(), 1, "what came of it is not known");
    }
}
