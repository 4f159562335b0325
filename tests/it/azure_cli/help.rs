//! The help of every script, and its message about unknown flags.

use std::{fs, path::PathBuf, process::Command};

use super::{Finished, walk};

/// Every script that a user may start.
fn scripts() -> Vec<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut scripts: Vec<PathBuf> = ["scripts", "examples/ci"]
        .iter()
        .flat_map(|folder| walk(&root.join(folder)))
        .filter(|path| path.extension().is_some_and(|ending| ending == "sh"))
        .filter(|path| !path.parent().unwrap().ends_with("package"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 9, "{scripts:?}");
    scripts
}

/// Without az, cargo and other programs, in another working directory.
fn run(script: &PathBuf, argument: &str) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(script);
    command
        .arg(argument)
        .current_dir(folder.path())
        .env("PATH", "/usr/bin:/bin");
    Finished::new(&command.output().unwrap())
}

#[test]
fn script_help_lists_every_flag_and_how_to_start_it() {
    for script in scripts() {
        let ended = run(&script, "--help");
        let name = script.file_name().unwrap().to_str().unwrap();
        assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""), "{name}");
        assert!(
            ended.out.contains(&format!("/{name}")),
            "{name} does not say how to start it: {}",
            ended.out
        );
        assert!(!ended.out.contains("set -euo"), "{name}: {}", ended.out);
        let wide: Vec<&str> = ended.out.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
        let text = fs::read_to_string(&script).unwrap();
        for line in text.lines().filter(|line| line.contains(')')) {
            let label = line.trim_start().split(')').next().unwrap();
            for flag in label
                .split(" | ")
                .filter(|word| word.starts_with("--") && word.len() > 2)
            {
                if flag.chars().all(|c| c == '-' || c.is_ascii_lowercase()) {
                    assert!(
                        ended.out.contains(flag) || flag == "--help",
                        "{name} --help lacks {flag}"
                    );
                }
            }
        }
    }
}

#[test]
fn unknown_flag_gives_one_error_line_and_status_2() {
    for script in scripts() {
        let name = script.file_stem().unwrap().to_str().unwrap();
        if name == "run-on-vm" {
            continue; // Its arguments are passed to the agent.
        }
        let ended = run(&script, "--no-such-flag");
        assert_eq!(
            (ended.status, ended.out.as_str()),
            (Some(2), ""),
            "{name}: {}",
            ended.err
        );
        assert_eq!(ended.err.lines().count(), 1, "{name}: {}", ended.err);
        assert!(
            ended.err.contains("--no-such-flag") && ended.err.contains("--help"),
            "{name}: {}",
            ended.err
        );
    }
}
