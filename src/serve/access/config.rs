//! The file.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    Rules, Users, tls,
    users::{self, HashPermits},
};
use crate::file;

/// Maximum size of a file, in bytes.
const MAX_SIZE: usize = 1 << 20;

/// The file's format. Unknown keys are errors: a typing mistake must not open access.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<Tls>,
    basic_auth_users: Option<BTreeMap<String, String>>,
}

/// `tls_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    /// The chain, in PEM.
    pub cert_file: PathBuf,
    /// Its key, in PEM.
    pub key_file: PathBuf,
    /// Which certificates clients must present, in the words of Go's `crypto/tls`.
    pub client_auth_type: Option<String>,
    /// The CA of clients' certificates, in PEM.
    pub client_ca_file: Option<PathBuf>,
    /// The oldest version of TLS.
    pub min_version: Option<String>,
}

/// The result of reading a web config: its content, or what is wrong with it, and all the files that it depends on.
pub(super) struct WebConfigReading {
    /// The content.
    pub rules: Result<Rules, String>,
    /// The file and those that it names, each in its state before it was read: what is written meanwhile is read again.
    pub watched: Vec<WatchedFile>,
}

/// A file, and its identity.
#[derive(Debug, Clone)]
pub(super) struct WatchedFile {
    path: PathBuf,
    stamp: Stamp,
}

/// The properties of a file that change when it is written or replaced: device, number, time and size. None if it does
/// not exist.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

impl WatchedFile {
    /// The current state of a file.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            stamp: stamp(path),
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was written or replaced since.
    pub(super) fn has_changed(&self) -> bool {
        stamp(&self.path) != self.stamp
    }
}

fn stamp(path: &Path) -> Stamp {
    let known = fs::metadata(path).ok()?;
    Some((
        known.dev(),
        known.ino(),
        known.mtime(),
        known.mtime_nsec(),
        known.size(),
    ))
}

/// Reads a file and those that it names. Relative paths in it start at its folder.
pub(super) fn load(path: &Path, turn: &HashPermits) -> WebConfigReading {
    let mut watched = vec![WatchedFile::new(path)];
    let rules = rules(path, turn, &mut watched);
    WebConfigReading { rules, watched }
}

fn rules(path: &Path, turn: &HashPermits, watched: &mut Vec<WatchedFile>) -> Result<Rules, String> {
    let text = file::read_text(path, MAX_SIZE).map_err(|error| format!("--web-config: {error}"))?;
    let of = |error: String| format!("--web-config: {}: {error}", file::shown(path));
    let File {
        tls_server_config,
        basic_auth_users,
    } = parse(&text).map_err(of)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let tls = tls_server_config.map(|tls| tls.beside(folder));
    if let Some(tls) = &tls {
        let named = [Some(&tls.cert_file), Some(&tls.key_file), tls.client_ca_file.as_ref()];
        watched.extend(named.into_iter().flatten().map(|path| WatchedFile::new(path)));
    }
    let kind = tls.as_ref().and_then(|tls| tls.client_auth_type.as_deref());
    let is_certificate_needed = kind == Some("RequireAndVerifyClientCert");
    let tls = tls.map(|tls| tls::config(&tls).map(Arc::new)).transpose().map_err(of)?;
    let users = basic_auth_users.filter(|users| !users.is_empty());
    let users = users
        .map(|users| Users::new(users, turn.clone()).map(Arc::new))
        .transpose()
        .map_err(of)?;
    Ok(Rules {
        tls,
        is_certificate_needed,
        users,
    })
}

/// What is wrong with the text of a file, apart from the files that it names.
pub(in crate::serve) fn check(text: &str) -> Result<(), String> {
    let users = parse(text)?.basic_auth_users.unwrap_or_default();
    Users::new(users, users::turn()).map(drop)
}

fn parse(text: &str) -> Result<File, String> {
    if text
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        return Ok(File::default());
    }
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 8,
            flow_nesting_limit: 8,
            max_documents: 1,
            max_nodes: 10_000,
            max_events: 30_000,
            max_aliases: 100,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_yaml::from_str_with_options(text, options).map_err(|error| error.to_string())
}

impl Tls {
    fn beside(self, folder: &Path) -> Self {
        Self {
            cert_file: folder.join(self.cert_file),
            key_file: folder.join(self.key_file),
            client_ca_file: self.client_ca_file.map(|file| folder.join(file)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::users::turn, Rules};

    fn load(path: &Path) -> Result<Rules, String> {
        super::load(path, &turn()).rules
    }

    #[test]
    fn web_config_errors_name_the_wrong_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        let hash = "$2y$04$Q1r5Vt0fGmG0JwJH5eEPOu4lSL3eQSkEzwuF1hxcNzKOGu0mO4lSy";
        for (text, words) in [
            ("http_server_config: { http2: false }", "http_server_config"),
            ("tls_server_config: { cert: a }", "unknown field"),
            ("tls_server_config: { cert_file: a.pem }", "key_file"),
            ("tls_server_config: { cert_file: a.pem, key_file: b.pem }", "a.pem"),
            ("basic_auth_users: { prometheus: secret }", "prometheus"),
            (
                "basic_auth_users: { prometheus: \"$2y$20$Q1r5Vt0fGmG0JwJH5eEPOu4lSL3eQSkEzwuF1hxcNzKOGu0mO4lSy\" }",
                "cost",
            ),
            ("- a", "--web-config"),
            ("a: [", "--web-config"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err();
            assert!(
                error.contains(words) && error.starts_with("--web-config"),
                "{text}: {error}"
            );
        }
        for (text, has_users) in [("", false), ("# nothing\n", false), ("basic_auth_users: {}", false)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(load(&path).unwrap().users.is_some(), has_users, "{text}");
        }
        std::fs::write(&path, format!("basic_auth_users:\n  prometheus: {hash}\n")).unwrap();
        let rules = load(&path).unwrap();
        assert!(rules.users.is_some() && rules.tls.is_none());
        assert!(
            load(&folder.path().join("gone.yml"))
                .unwrap_err()
                .contains("cannot read")
        );
    }
}
