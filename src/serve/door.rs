//! Who may come in, and over what: `--web-config`, in the format of Prometheus' exporter-toolkit
//! (<https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>).
//!
//! The file and those that it names are read anew on SIGHUP, and where one of them has changed. Where the new is broken, the
//! old goes on.

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
            match read {
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
