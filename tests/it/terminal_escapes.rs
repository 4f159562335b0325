//! Control characters in files, flags and names are escaped wherever they are shown.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path, process::Output};

use apim_probe::text::is_harmful;
use assert_cmd::Command;

/// Sets a title, clears the screen, changes the reading direction, begins another line.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\n\rexit 0: all is well";

fn run(arguments: &[&OsStr]) -> Output {
    Command::cargo_bin("apim-probe")
        .unwrap()
        .args(arguments)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

/// Fails if either stream contains a control character, or a line that hostile text began.
fn assert_escaped(arguments: &[&OsStr], output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        let harm = text.chars().find(|c| is_harmful(*c) && *c != '\n');
        assert!(harm.is_none(), "{arguments:?}: {harm:?} in {text}");
        assert!(
            text.lines().all(|line| !line.starts_with("exit 0: all is well")),
            "{arguments:?}: a line that is not ours in {text}"
        );
    }
}

fn check_output(arguments: &[&str]) {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    assert_escaped(&arguments, &run(&arguments));
}

#[test]
fn flag_values_are_escaped() {
    let set = |name: &str| format!("{name}={HOSTILE}");
    let table: &[&[&str]] = &[
        &[HOSTILE],
        &["run", HOSTILE],
        &["list", &format!("--{HOSTILE}")],
        &["list", &format!("--region={HOSTILE}")],
        &["list", "--cloud", HOSTILE],
        &["list", "--vnet", HOSTILE],
        &["list", "--dns-server", HOSTILE],
        &["list", "--format", HOSTILE],
        &["list", "--no-metadata", "--only", HOSTILE],
        &["list", "--no-metadata", "--skip", HOSTILE],
        &["list", "--set", HOSTILE],
        &["list", "--set", &set(HOSTILE)],
        &["list", "--set", &set("storage_account")],
        &["list", "--set", &set("redis_host")],
        &["list", "--service", HOSTILE],
        &["run", "--timeout", HOSTILE],
        &["run", "--concurrency", HOSTILE],
        &["run", "--fail-on", HOSTILE],
        &["run", "--output", HOSTILE],
        &["run", "--output", &format!("/nowhere/{HOSTILE}.json")],
        &["watch", "--until", HOSTILE],
        &["rules", "--kind", HOSTILE],
        &["rules", "--kind", "nsg", "--subnet", HOSTILE],
        &[
            "rules",
            "--no-metadata",
            "--kind",
            "nsg",
            "--region",
            "x",
            "--report",
            HOSTILE,
        ],
        &["explain", HOSTILE],
        &["explain", "sql", "--cloud", HOSTILE],
        &["check", HOSTILE],
        &["diff", HOSTILE, HOSTILE],
        &["schema", HOSTILE],
    ];
    for arguments in table {
        check_output(arguments);
    }
    let bytes = OsStr::from_bytes(b"\xff\xfe\x1b[2J");
    for command in ["check", "explain", "schema"] {
        let arguments = [OsStr::new(command), bytes];
        assert_escaped(&arguments, &run(&arguments));
    }
}

/// A file with this name and content.
fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn catalog_text_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = HOSTILE.replace('/', " ");
    let evil = serde_json::to_string(HOSTILE).unwrap();
    let catalog = format!(
        "schema: 1
source: {{ title: {evil}, url: 'https://example.com/x', documented: 2026-01-01 }}
dependencies:
  - id: evil
    title: {evil}
    need: feature
    feature: {evil}
    service_tag: Sql
    impact: {evil}
    endpoints:
      - {{ host: evil.example.com, port: 443, protocol: https, note: {evil} }}
"
    );
    let probes = file(folder.path(), &format!("{name}.yaml"), &catalog);
    for arguments in [
        &["check", &probes][..],
        &["list", "--no-metadata", "--probes", &probes],
        &["list", "--no-metadata", "--probes", &probes, "--format", "json"],
        &["explain", "evil", "--probes", &probes],
        &["explain", "--probes", &probes],
        &["rules", "--no-metadata", "--kind", "nsg", "--probes", &probes],
        &[
            "rules",
            "--no-metadata",
            "--kind",
            "firewall",
            "--as",
            "bicep",
            "--probes",
            &probes,
        ],
        &[
            "rules",
            "--no-metadata",
            "--kind",
            "firewall",
            "--as",
            "terraform",
            "--probes",
            &probes,
        ],
        &[
            "rules",
            "--no-metadata",
            "--kind",
            "nsg",
            "--as",
            "json",
            "--probes",
            &probes,
        ],
    ] {
        check_output(arguments);
    }
}

/// Every problem with a document quotes it.
#[test]
fn text_of_refused_documents_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let name = HOSTILE.replace('/', " ");
    let evil = serde_json::to_string(HOSTILE).unwrap();
    for text in [
        HOSTILE.to_owned(),
        format!("{{{evil}: 1}}"),
        format!("[{evil}]"),
        format!("[{{{evil}: {evil}}}]"),
        format!("{{\"schema\": {evil}}}"),
        format!("{{\"schema\": \"apim-probe/report/v1\", {evil}: 1, \"agent\": {evil}}}"),
        format!("{{\"value\": [{{\"name\": {evil}, \"category\": {evil}, \"endpoints\": [{evil}]}}]}}"),
        format!("{{\"dnsServers\": [{evil}], \"connectivityStatus\": [{{\"name\": {evil}, \"status\": {evil}}}]}}"),
        format!("{{\"error\": {{\"code\": {evil}, \"message\": {evil}}}}}"),
        format!("schema: {evil}\n{evil}: 1\ndependencies: [ {{ id: {evil}, host: {evil} }} ]\n"),
        format!("-----BEGIN CERTIFICATE-----\n{HOSTILE}\n-----END CERTIFICATE-----\n"),
    ] {
        let path = file(folder.path(), &name, &text);
        for arguments in [
            &["check", &path][..],
            &["check", "--no-builtin", &path],
            &["diff", &path, &path],
            &["list", "--no-metadata", "--network-status", &path],
            &["list", "--no-metadata", "--dependencies", &path],
            &["list", "--no-metadata", "--effective-nsg", &path],
            &["list", "--no-metadata", "--effective-routes", &path],
            &["list", "--no-metadata", "--service-tags", &path],
            &["rules", "--no-metadata", "--kind", "nsg", "--report", &path],
            // Read before anything is probed.
            &[
                "run",
                "--no-metadata",
                "--no-builtin",
                "--probes",
                "/none",
                "--ca-file",
                &path,
            ],
            &[
                "watch",
                "--no-metadata",
                "--no-builtin",
                "--probes",
                "/none",
                "--baseline",
                &path,
            ],
        ] {
            check_output(arguments);
        }
    }
}
