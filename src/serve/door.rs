//! Who may come in, and over what: `--web-config`, in the format of Prometheus' exporter-toolkit
//! (<https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>).
//!
//! The file and those that it names are read anew on SIGHUP, and where one of them has changed. Where the new is broken, or
//! asks for less, the old goes on.

mod config;
mod tls;
mod users;

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustls::ServerConfig;

pub(crate) use self::users::Users;
use super::{Board, Fault, board::Part};

/// Whether a file has changed is looked at no more often.
const PAUSE: Duration = Duration::from_secs(2);

/// What a web config says, ready for use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// TLS; none means plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether only those may come in for whom `client_ca_file` vouches.
    pub is_certificate_needed: bool,
    /// Who may come in; none means everybody.
    pub users: Option<Arc<Users>>,
    /// The files that it comes from.
    files: Vec<PathBuf>,
}

impl Rules {
    /// These rules in the place of others, which must not have asked for more: a file that is empty, or only half written,
    /// opens no door.
    fn instead_of(self, old: &Self) -> Result<Self, String> {
        let asked = [
            ("TLS", old.tls.is_some(), self.tls.is_some()),
            ("users", old.users.is_some(), self.users.is_some()),
            (
                "client certificates that are verified",
                old.is_certificate_needed,
                self.is_certificate_needed,
            ),
        ];
        let dropped: Vec<&str> = asked
            .into_iter()
            .filter(|(_, before, now)| *before && !now)
            .map(|(what, ..)| what)
            .collect();
        if dropped.is_empty() {
            return Ok(self);
        }
        let dropped = dropped.join(", ");
        Err(format!(
            "it no longer asks for {dropped}; where that is meant, restart the service"
        ))
    }
}

/// The rules of now.
#[derive(Debug)]
pub(crate) struct Door {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    stamps: Vec<Stamp>,
    looked: Instant,
}

/// What of a file changes when it is written or replaced.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

impl Door {
    /// Reads a web config; without one everybody may come in, over plain HTTP.
    ///
    /// # Errors
    /// What is wrong with the file, or with one that it names.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let rules = path.map_or_else(|| Ok(Rules::default()), config::load)?;
        Ok(Self {
            path: path.map(Path::to_owned),
            state: Mutex::new(State {
                stamps: stamps(&rules.files),
                rules,
                looked: Instant::now(),
            }),
        })
    }

    /// Whether it speaks TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.lock().rules.tls.is_some()
    }

    /// Whether anybody has to show who they are.
    pub(crate) fn asks_who(&self) -> bool {
        let state = self.lock();
        state.rules.users.is_some() || state.rules.is_certificate_needed
    }

    /// The rules, read anew where their files have changed.
    pub(super) fn rules(&self, board: &Board) -> Rules {
        let has_changed = {
            let mut state = self.lock();
            let is_time = self.path.is_some() && state.looked.elapsed() >= PAUSE;
            if is_time {
                state.looked = Instant::now();
            }
            is_time && stamps(&state.rules.files) != state.stamps
        };
        if has_changed {
            self.reload(board);
        }
        self.lock().rules.clone()
    }

    /// Reads the files anew.
    pub(crate) fn reload(&self, board: &Board) {
        let Some(path) = &self.path else { return };
        // Before they are read: what is written meanwhile is read again.
        let before = stamps(&self.lock().rules.files);
        let read = config::load(path);
        let why = {
            let mut state = self.lock();
            match read.and_then(|rules| rules.instead_of(&state.rules)) {
                Ok(rules) => {
                    state.stamps = if rules.files == state.rules.files {
                        before
                    } else {
                        stamps(&rules.files)
                    };
                    state.rules = rules;
                    None
                }
                Err(why) => {
                    state.stamps = before;
                    Some(why)
                }
            }
        };
        board.reloaded(Part::Door, why.is_none());
        if let Some(why) = why {
            let text = format!("--web-config is not used as it is now, the old one goes on: {why}");
            board.fault(Fault::Reload, &text);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |file: &PathBuf| {
        let known = fs::metadata(file).ok()?;
        Some((
            known.dev(),
            known.ino(),
            known.mtime(),
            known.mtime_nsec(),
            known.size(),
        ))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::{Board, Door};

    #[test]
    fn what_was_asked_for_is_not_dropped_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        let key = rcgen::generate_simple_self_signed(["agent.example".to_owned()]).unwrap();
        fs::write(folder.path().join("agent.pem"), key.cert.pem()).unwrap();
        fs::write(folder.path().join("agent.key"), key.signing_key.serialize_pem()).unwrap();
        let tls = "tls_server_config:\n  cert_file: agent.pem\n  key_file: agent.key\n";
        let verified = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: agent.pem\n";
        let given = "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: agent.pem\n";
        let hash = bcrypt::hash("secret", 4).unwrap();
        let users = format!("basic_auth_users: {{ a: {hash} }}\n");
        let other = format!("basic_auth_users: {{ b: {hash} }}\n");
        let whole = format!("{tls}{verified}{users}");
        for (before, now, is_taken) in [
            (&*whole, "", false),
            (&whole, "# nothing\n", false),
            (&whole, "tls_server_config:\n", false),
            (&whole, &format!("{tls}{verified}"), false),
            (&whole, &format!("{tls}{verified}basic_auth_users:\n"), false),
            (&whole, &format!("{tls}{users}"), false),
            (&whole, &format!("{tls}{given}{users}"), false),
            (&users, "basic_auth_users: {}\n", false),
            (tls, &users, false),
            (&users, &whole, true),
            (&whole, &format!("{tls}{verified}{other}"), true),
            ("", &whole, true),
            (&format!("{tls}{given}"), tls, true),
        ] {
            fs::write(&path, before).unwrap();
            let (board, door) = (Board::new(Duration::from_secs(60)), Door::open(Some(&path)).unwrap());
            let kept = format!("{:?}", door.lock().rules);
            fs::write(&path, now).unwrap();
            door.reload(&board);
            assert_eq!(board.read().is_reloaded(), is_taken, "{before}\n{now}");
            assert_eq!(format!("{:?}", door.lock().rules) != kept, is_taken, "{before}\n{now}");
            assert!(is_taken || board.read().faults.count(super::Fault::Reload) == 1);
        }
    }
}
