//! The jobs in the examples for pipelines: their syntax as far as tools here can check it. What they run is tested with
//! the other scripts that call Azure.

#![cfg(unix)]

use std::{fs, process::Command};

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/run-on-vm.sh");

fn yaml(name: &str) -> Value {
    let text = fs::read_to_string(format!("{FOLDER}/{name}")).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every value of a key, at any depth.
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
fn ci_jobs_are_valid_yaml_and_bash() {
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
fn ci_jobs_set_every_variable_of_the_script() {
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
fn ci_jobs_use_a_verified_release_and_fail_on_untested() {
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
fn shellcheck_passes() {
    match Command::new("shellcheck").arg(SCRIPT).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        // It may not be installed.
        Err(error) => eprintln!("skipped, no shellcheck: {error}"),
    }
}
