//! Every flag gives the same message for a file that has no end, is far too large, is not text, or does not exist.

use std::{fs::File, path::Path, process::Output};

use assert_cmd::Command;

/// Every flag that takes a file to read, in a command that sends no packet; `@` stands for the file.
const READERS: [&[&str]; 13] = [
    &["check", "@"],
    &["check", "--no-builtin", "@"],
    &["diff", "@", "@"],
    &["explain", "sql", "--probes", "@"],
    &["list", "--no-metadata", "--probes", "@"],
    &["list", "--no-metadata", "--network-status", "@"],
    &["list", "--no-metadata", "--dependencies", "@"],
    &["list", "--no-metadata", "--effective-nsg", "@"],
    &["list", "--no-metadata", "--effective-routes", "@"],
    &["list", "--no-metadata", "--service-tags", "@"],
    &["rules", "--no-metadata", "--kind", "nsg", "--report", "@"],
    // Both are read before anything is probed.
    &[
        "watch",
        "--no-metadata",
        "--no-builtin",
        "--probes",
        "/none",
        "--baseline",
        "@",
    ],
    &[
        "run",
        "--no-metadata",
        "--no-builtin",
        "--probes",
        "/none",
        "--ca-file",
        "@",
    ],
];

fn run_with_file(reader: &[&str], file: &Path) -> Output {
    let file = file.to_str().unwrap();
    let arguments = reader.iter().map(|word| if *word == "@" { file } else { word });
    Command::cargo_bin("apim-probe")
        .unwrap()
        .args(arguments)
        .output()
        .unwrap()
}

/// The only line on stderr, whatever the file contains.
fn error_line(reader: &[&str], file: &Path) -> String {
    let output = run_with_file(reader, file);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{reader:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{reader:?}");
    let line = stderr.trim_end();
    assert!(!line.contains(char::is_control), "{reader:?}: {stderr:?}");
    line.to_owned()
}

#[test]
fn endless_or_huge_file_gives_one_error_line() {
    let folder = tempfile::tempdir().unwrap();
    let sparse = folder.path().join("sparse\u{1b}[31m\n.json");
    File::create(&sparse).unwrap().set_len(1 << 30).unwrap();
    for reader in READERS {
        for file in [Path::new("/dev/zero"), &sparse] {
            let message = error_line(reader, file);
            assert!(message.contains("is larger than "), "{reader:?}: {message}");
        }
    }
}

#[test]
fn unreadable_file_name_is_escaped_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let (none, inside) = (folder.path().join("no\u{1b}[2J"), folder.path().join("inside"));
    std::fs::create_dir(&inside).unwrap();
    for reader in READERS {
        for file in [&none, &inside] {
            let message = error_line(reader, file);
            assert!(message.contains("cannot read "), "{reader:?}: {message}");
        }
    }
}

#[test]
fn utf_16_files_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let wide = |name: &str, text: &str| {
        let path = folder.path().join(name);
        let bytes: Vec<u8> = format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let catalog = wide("probes.yaml", "dependencies:\n  - { id: sql, need: documented }\n");
    let status = wide(
        "status.json",
        r#"{"dnsServers":[],"connectivityStatus":[{"name":"a.database.windows.net","status":"success"}]}"#,
    );
    for (reader, file) in [
        (READERS[0], &catalog),
        (READERS[3], &catalog),
        (READERS[4], &catalog),
        (READERS[5], &status),
    ] {
        let output = run_with_file(reader, file);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{reader:?}: {stderr}");
    }
}
