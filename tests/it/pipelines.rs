//! The examples for pipelines: their syntax as far as tools here can tell, and the script all the way, with stand-ins for
//! Azure, the VM and the agent.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/run-on-vm.sh");

fn yaml(name: &str) -> Value {
    let text = fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every value of a key, wherever it stands.
fn values<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| values(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}

fn is_bash(script: &str) -> bool {
    Command::new("bash")
        .args(["-nc", script])
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn jobs_are_yaml_and_what_they_run_is_bash() {
    assert!(!is_bash("if true; then"), "bash -n takes anything");
    for (name, key, scripts) in [
        ("github-actions.yml", "run", 3),
        ("azure-pipelines.yml", "script", 1),
        ("azure-pipelines.yml", "inlineScript", 1),
    ] {
        let (document, mut found) = (yaml(name), Vec::new());
        values(&document, key, &mut found);
        assert_eq!(found.len(), scripts, "{name}: {found:?}");
        for script in found {
            assert!(is_bash(script), "{name}: {script}");
        }
    }
}

#[test]
fn jobs_hand_the_script_what_it_asks_for() {
    let script = fs::read_to_string(SCRIPT).unwrap();
    let needs = script
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix(": \"${")?.split(':').next());
    let needs: Vec<&str> = needs.collect();
    assert_eq!(needs.len(), 4, "{needs:?}");
    for name in ["github-actions.yml", "azure-pipelines.yml"] {
        let document = yaml(name);
        for need in &needs {
            let mut given = Vec::new();
            values(&document, need, &mut given);
            assert_eq!(given.len(), 1, "{name}: {need}");
        }
    }
}

#[test]
fn jobs_test_the_instance_with_a_release_and_pass_nothing_untested() {
    for name in ["github-actions.yml", "azure-pipelines.yml"] {
        let text = fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
        let job: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        for part in [
            "run-on-vm.sh --service \"$SERVICE\"",
            "/releases/download/$RELEASE",
            "sha256sum --check",
        ] {
            assert!(job.contains(part), "{name}: {part}");
        }
        for part in ["--allow-untested", "cargo", "build-static"] {
            assert!(!job.contains(part), "{name}: {part}");
        }
    }
}

#[test]
fn shellcheck_is_content() {
    match Command::new("shellcheck").arg(SCRIPT).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        // Not everybody has it.
        Err(error) => eprintln!("left out, no shellcheck: {error}"),
    }
}

/// Answers as `az` does; blobs are files in `$BLOBS`, a link to one is a `file:` URL, and the VM is this machine.
const AZ: &str = r#"#!/usr/bin/env bash
set -eu
say() { echo "az $*" >>"$BLOBS/log"; }
case "$1 $2 ${3:-}" in
    "storage blob"*) action=$3 ;;
    "vm run-command invoke") action=invoke ;;
    *) echo "no $*" >&2; exit 2 ;;
esac
say "$action"
if [ -e "$BLOBS/../fail-$action" ]; then echo "ERROR: $action" >&2; exit 1; fi
while (($# > 0)); do
    case "$1" in
        --name) name=$2 ;;
        --file) file=$2 ;;
        --scripts) script=${2#@} ;;
    esac
    shift
done
case "$action" in
    upload) mkdir -p "$(dirname "$BLOBS/$name")" && cp "$file" "$BLOBS/$name" ;;
    generate-sas) echo "file://$BLOBS/$name" ;;
    download) cp "$BLOBS/$name" "$file" ;;
    delete) rm -f "$BLOBS/$name" ;;
    invoke) printf 'Enable succeeded: \n[stdout]\n%s\n[stderr]\n%s\n' "$(sh "$script" 2>"$BLOBS/stderr")" "$(cat "$BLOBS/stderr")" ;;
esac
"#;

/// Writes the reports that it is asked for, says what it was told, and ends with 1.
const AGENT: &str = r#"#!/bin/sh
for argument; do
    case $argument in report.* | github:report.*) argument=${argument#github:}; echo "a report" >"$argument" ;; esac
    echo "<$argument>"
done
exit 1
"#;

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let stage = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(stage.path("bin")).unwrap();
        fs::create_dir_all(stage.path("blobs")).unwrap();
        for (name, text) in [("bin/az", AZ), ("agent", AGENT)] {
            fs::write(stage.path(name), text).unwrap();
            fs::set_permissions(stage.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new(SCRIPT)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("BLOBS", self.path("blobs"))
            .env("APIM_PROBE", self.path("agent"))
            .envs([
                ("RESOURCE_GROUP", "rg"),
                ("VM", "vm-1"),
                ("STORAGE_ACCOUNT", "st"),
                ("CONTAINER", "probe"),
            ])
            .output()
            .unwrap()
    }
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok()
}

#[test]
fn reports_come_back_and_nothing_stays_behind() {
    if !has_curl() {
        eprintln!("left out, no curl");
        return;
    }
    let stage = Stage::set();
    let output = stage.run(&["--set", "key_vault=it's $HOME", "--required-only"]);
    let (said, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{said}{complaints}");
    for word in [
        "<run>",
        "<--set>",
        "<key_vault=it's $HOME>",
        "<--required-only>",
        "apim-probe ended with 1",
    ] {
        assert!(said.contains(word), "no {word} in\n{said}{complaints}");
    }
    for report in ["report.json", "report.xml", "report.html", "report.md", "report.github"] {
        assert!(
            stage.path("reports").join(report).is_file(),
            "no {report}: {said}{complaints}"
        );
    }
    let left: Vec<PathBuf> = files(&stage.path("blobs"));
    assert!(
        left.iter()
            .all(|file| file.ends_with("log") || file.ends_with("stderr")),
        "{left:?}"
    );
}

#[test]
fn what_is_missing_is_named() {
    let stage = Stage::set();
    let output = Command::new(SCRIPT)
        .env_remove("VM")
        .env("RESOURCE_GROUP", "rg")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("VM: the name of the VM"));
    assert_eq!(output.status.code(), Some(2));

    fs::remove_file(stage.path("agent")).unwrap();
    assert_eq!(stage.run(&[]).status.code(), Some(2));
    assert!(!stage.path("blobs/log").exists(), "Azure was asked");
}

/// Status 1 is the agent's, for something that is blocked.
#[test]
fn what_az_cannot_do_is_not_called_blocked_and_leaves_no_blob() {
    for action in ["upload", "generate-sas", "invoke"] {
        let stage = Stage::set();
        fs::write(stage.path(&format!("fail-{action}")), "").unwrap();
        let output = stage.run(&[]);
        assert_eq!(output.status.code(), Some(4), "{action}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("ERROR: {action}")), "{action}: {said}");
        let left = files(&stage.path("blobs"));
        assert!(left.iter().all(|file| file.ends_with("log")), "{action}: {left:?}");
    }
}

/// Only some failures of curl mean that there is no way to Storage.
#[test]
fn why_the_agent_cannot_be_fetched_is_told() {
    for (curl, said) in [
        (
            "echo '000 0.000000'; exit 7",
            "this VM does not reach the storage account",
        ),
        (
            "echo '000 0.000000'; exit 28",
            "this VM does not reach the storage account",
        ),
        ("echo '403 0.050000'; exit 22", "Storage answers HTTP 403"),
        ("echo '200 0.050000'; exit 23", "curl cannot write here"),
        ("exit 127", "this VM has no curl"),
    ] {
        let stage = Stage::set();
        fs::write(stage.path("bin/curl"), format!("#!/bin/sh\n{curl}\n")).unwrap();
        fs::set_permissions(stage.path("bin/curl"), fs::Permissions::from_mode(0o755)).unwrap();
        let output = stage.run(&[]);
        let all = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(4), "{curl}: {all}");
        assert!(
            all.contains(&format!("the agent cannot be fetched: {said}\n")),
            "{curl}: {all}"
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}
