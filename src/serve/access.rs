//! Access control and TLS: `--web-config`, in the format of Prometheus' exporter-toolkit
//! (<https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>).
//!
//! The file and those that it names are reloaded on SIGHUP, and when one of them has changed. If the new version is
//! invalid, or requires less, the old one stays in effect. Reading a file may block, so no connection waits for that.

mod config;
mod tls;
mod users;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::ServerConfig;
use tokio::{task::spawn_blocking, time::timeout};

pub(super) use self::config::check;
pub(crate) use self::users::Users;
use self::{
    config::{WatchedFile, WebConfigReading},
    users::HashPermits,
};
use super::{ServeFault, ServeState, state::ReloadedPart};

/// How often files are checked for changes, at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// How long a connection waits for a reload before it uses the known version.
const RELOAD_WAIT: Duration = Duration::from_secs(1);
/// Maximum number of concurrent reloads: opening a pipe instead of a file may block.
const MAX_READINGS: usize = 4;

/// A web config, ready for use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// TLS; none means plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether clients need a certificate signed by `client_ca_file`.
    pub is_certificate_needed: bool,
    /// The users with access; none means any client.
    pub users: Option<Arc<Users>>,
}

impl Rules {
    /// These rules as a replacement for others, which must not have required more: an empty or half-written file must
    /// not open access.
    fn instead_of(mut self, old: &Self) -> Result<Self, String> {
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
            if let (Some(users), Some(old)) = (self.users.as_mut().and_then(Arc::get_mut), &old.users) {
                users.recognise(old);
            }
            return Ok(self);
        }
        let dropped = dropped.join(", ");
        Err(format!(
            "it no longer requires {dropped}; if that is intended, restart the service"
        ))
    }
}

/// The rules in effect.
#[derive(Debug)]
pub(crate) struct AccessControl {
    path: Option<PathBuf>,
    state: Mutex<AccessState>,
    turn: HashPermits,
}

#[derive(Debug)]
struct AccessState {
    rules: Rules,
    /// The files of the rules, or the error in the latest version.
    watched: Vec<WatchedFile>,
    looked: Instant,
    /// How many times the files were read, and which of these the rules are from.
    started: u64,
    taken: u64,
    /// How many reloads are running: more than one if reading a file blocks.
    reading: usize,
}

impl AccessControl {
    /// Reads a web config; without one any client may connect, over plain HTTP.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, or with one that it names.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, String> {
        let turn = users::turn();
        let (rules, watched) = match path.map(|path| config::load(path, &turn)) {
            Some(WebConfigReading { rules, watched }) => (rules?, watched),
            None => (Rules::default(), Vec::new()),
        };
        let state = AccessState {
            rules,
            watched,
            looked: Instant::now(),
            started: 0,
            taken: 0,
            reading: 0,
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            state: Mutex::new(state),
            turn,
        })
    }

    /// The files that the rules are from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let state = self.lock();
        state.watched.iter().map(|watched| watched.path().to_owned()).collect()
    }

    /// Whether it uses TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.lock().rules.tls.is_some()
    }

    /// Whether clients must authenticate.
    pub(crate) fn requires_user(&self) -> bool {
        let state = self.lock();
        state.rules.users.is_some() || state.rules.is_certificate_needed
    }

    /// The rules; reloaded if their files have changed and can be read quickly.
    pub(super) async fn rules(self: &Arc<Self>, serve_state: &Arc<ServeState>) -> Rules {
        if self.is_time() {
            let (access, serve_state) = (self.clone(), serve_state.clone());
            let look = spawn_blocking(move || access.reload_where_changed(&serve_state));
            // A slower reload continues in the background, and applies to the next connection.
            let _ = timeout(RELOAD_WAIT, look).await;
        }
        self.lock().rules.clone()
    }

    /// Whether it is time to check the files.
    fn is_time(&self) -> bool {
        let mut state = self.lock();
        let is_time = self.path.is_some() && state.looked.elapsed() >= CHECK_INTERVAL;
        if is_time {
            state.looked = Instant::now();
        }
        is_time
    }

    /// Reloads the files if one of them has changed.
    fn reload_where_changed(&self, serve_state: &ServeState) {
        let watched = self.lock().watched.clone();
        if watched.iter().any(WatchedFile::has_changed) {
            self.reload(serve_state);
        }
    }

    /// Reloads the files.
    pub(crate) fn reload(&self, serve_state: &ServeState) {
        let Some(path) = &self.path else { return };
        let read = match self.begin(WatchedFile::new(path)) {
            Some(number) => {
                let read = config::load(path, &self.turn);
                serve_state.know_files(read.watched.iter().map(WatchedFile::path));
                self.end(number, read)
            }
            None => Some(Err(format!(
                "{MAX_READINGS} earlier reloads are still waiting for a file; restart the service once it can be read"
            ))),
        };
        let Some(read) = read else { return };
        serve_state.reloaded(ReloadedPart::AccessControl, read.is_ok());
        if let Err(why) = read {
            let text = format!("the changed --web-config is not used, the old one stays in effect: {why}");
            serve_state.fault(ServeFault::Reload, &text);
        }
    }

    /// Records the start of a reload; returns its number, unless too many are running.
    fn begin(&self, file: WatchedFile) -> Option<u64> {
        let mut state = self.lock();
        if state.reading >= MAX_READINGS {
            return None;
        }
        state.reading += 1;
        state.started += 1;
        // A file that blocks is read once, and again if it is replaced.
        state.watched = vec![file];
        Some(state.started)
    }

    /// Uses the result, or reports what is wrong with it; nothing if a later reload came first.
    fn end(&self, number: u64, read: WebConfigReading) -> Option<Result<(), String>> {
        let mut state = self.lock();
        state.reading -= 1;
        if number < state.taken {
            return None;
        }
        state.taken = number;
        state.watched = read.watched;
        let rules = read.rules.and_then(|rules| rules.instead_of(&state.rules));
        Some(rules.map(|rules| state.rules = rules))
    }

    fn lock(&self) -> MutexGuard<'_, AccessState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path, process::Command, sync::Arc, thread, time::Duration};

    use super::{AccessControl, CHECK_INTERVAL, MAX_READINGS, ServeState};

    #[test]
    fn reload_that_weakens_access_control_is_refused() {
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
            let (serve_state, access) = (
                ServeState::new(Duration::from_secs(60)),
                AccessControl::open(Some(&path)).unwrap(),
            );
            let kept = format!("{:?}", access.lock().rules);
            fs::write(&path, now).unwrap();
            access.reload(&serve_state);
            assert_eq!(serve_state.read().is_reloaded(), is_taken, "{before}\n{now}");
            assert_eq!(
                format!("{:?}", access.lock().rules) != kept,
                is_taken,
                "{before}\n{now}"
            );
            assert!(is_taken || serve_state.read().faults.count(super::ServeFault::Reload) == 1);
        }
    }

    /// A pipe instead of a file, and a process that could write to it.
    fn replace_by_pipe(path: &Path) -> fs::File {
        fs::remove_file(path).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        // Opened for both, it does not wait for a reader.
        fs::File::options().read(true).write(true).open(path).unwrap()
    }

    /// A folder with a web config that gives `a` access.
    fn opened_access() -> (tempfile::TempDir, Arc<ServeState>, Arc<AccessControl>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        let hash = bcrypt::hash("secret", 4).unwrap();
        fs::write(&path, format!("basic_auth_users: {{ a: {hash} }}\n")).unwrap();
        let access = AccessControl::open(Some(&path)).unwrap();
        (
            folder,
            Arc::new(ServeState::new(Duration::from_secs(60))),
            Arc::new(access),
        )
    }

    #[test]
    fn missing_file_is_loaded_once_it_exists() {
        let (folder, serve_state, access) = opened_access();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let users = fs::read_to_string(folder.path().join("web.yml")).unwrap();
        let tls = "tls_server_config: { cert_file: agent.pem, key_file: agent.key }\n";
        write("web.yml", &format!("{users}{tls}"));
        access.reload_where_changed(&serve_state);
        assert!(
            !serve_state.read().is_reloaded() && !access.is_secure(),
            "agent.pem is not there"
        );
        access.reload_where_changed(&serve_state);
        assert_eq!(
            serve_state.read().faults.count(super::ServeFault::Reload),
            1,
            "said twice"
        );
        let key = rcgen::generate_simple_self_signed(["agent.example".to_owned()]).unwrap();
        write("agent.pem", &key.cert.pem());
        write("agent.key", "half a key");
        access.reload_where_changed(&serve_state);
        assert!(!serve_state.read().is_reloaded(), "agent.key is broken");
        write("agent.key", &key.signing_key.serialize_pem());
        access.reload_where_changed(&serve_state);
        assert!(serve_state.read().is_reloaded() && access.is_secure());
    }

    #[tokio::test]
    async fn blocked_web_config_file_uses_a_bounded_number_of_threads() {
        let (folder, serve_state, access) = opened_access();
        let path = folder.path().join("web.yml");
        let mut writer = replace_by_pipe(&path);
        let look = || {
            access.lock().looked -= CHECK_INTERVAL;
            access.rules(&serve_state)
        };
        for _ in 0..3 {
            assert!(look().await.users.is_some());
            assert_eq!(access.lock().reading, 1);
        }
        for _ in 0..MAX_READINGS - 1 {
            let (access, serve_state) = (access.clone(), serve_state.clone());
            thread::spawn(move || access.reload(&serve_state));
        }
        while access.lock().reading < MAX_READINGS {
            thread::yield_now();
        }
        access.reload(&serve_state);
        assert_eq!(access.lock().reading, MAX_READINGS);
        assert_eq!(
            serve_state.read().faults.count(super::ServeFault::Reload),
            1,
            "one too many"
        );
        // A writer finally opens it, and its content is not a web config.
        writer.write_all(b"nonsense: [").unwrap();
        drop(writer);
        while access.lock().reading == MAX_READINGS {
            thread::yield_now();
        }
        assert!(!serve_state.read().is_reloaded());
    }

    #[tokio::test]
    async fn file_replacing_a_pipe_is_read() {
        let (folder, serve_state, access) = opened_access();
        let path = folder.path().join("web.yml");
        let whole = fs::read_to_string(&path).unwrap();
        let mut writer = replace_by_pipe(&path);
        access.lock().looked -= CHECK_INTERVAL;
        assert!(access.rules(&serve_state).await.users.is_some());
        let other = whole.replace("a:", "b:");
        fs::write(folder.path().join("new.yml"), other).unwrap();
        fs::rename(folder.path().join("new.yml"), &path).unwrap();
        let before = format!("{:?}", access.lock().rules);
        access.reload_where_changed(&serve_state);
        assert_ne!(format!("{:?}", access.lock().rules), before);
        assert!(serve_state.read().is_reloaded());
        // The pipe's reader comes too late.
        let now = format!("{:?}", access.lock().rules);
        writer.write_all(whole.as_bytes()).unwrap();
        drop(writer);
        while access.lock().reading > 0 {
            thread::yield_now();
        }
        assert_eq!(format!("{:?}", access.lock().rules), now);
    }
}
