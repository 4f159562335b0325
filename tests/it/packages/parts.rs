//! The steps of making a release: licences, the list of libraries in the binary, notes, versions.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{is_installed, is_missing_any, run};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn script(name: &str) -> Command {
    let mut script = Command::new(Path::new(ROOT).join("scripts").join(name));
    script.current_dir(ROOT);
    script
}

fn output(command: &mut Command) -> (bool, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

/// The libraries that cargo links into the agent, according to cargo.
fn linked() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args([
        "tree",
        "--locked",
        "--offline",
        "--package",
        "apim-probe",
        "--edges",
        "normal,no-proc-macro",
    ])
    .args([
        "--target",
        "x86_64-unknown-linux-gnu",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}",
    ])
    .current_dir(ROOT);
    let names = run(&mut tree);
    let names = names.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        (name != "apim-probe").then(|| format!("{name} {}", rest.split(' ').next().unwrap()))
    });
    names.collect()
}

#[test]
fn every_linked_library_has_a_licence_text() {
    if is_missing_any(&["jq"]) {
        return;
    }
    let text = run(script("package/third-party.sh").arg("x86_64"));
    let (list, _) = text.split_once("\n\n-------").unwrap();
    let (_, list) = list.split_once(".\n\n").unwrap().1.split_once("\n\n").unwrap();
    let lines: Vec<&str> = list.lines().collect();
    let mut named = BTreeSet::new();
    for [head, licence, texts] in lines.as_chunks::<3>().0 {
        let name = head.split_once("  ").unwrap().0;
        assert!(named.insert(name.to_string()), "{name} twice");
        assert!(licence.trim().len() > 2, "{name}: {licence}");
        for number in texts.split_whitespace() {
            if number == "the" {
                break; // The standard text, by the authors.
            }
            let heading =
                format!("\n-------------------------------------------------------------------- {number}\n\n");
            let (_, after) = text
                .split_once(&heading)
                .unwrap_or_else(|| panic!("{name}: no text {number}"));
            assert!(after.trim_start().len() > 100, "{name}: text {number}");
        }
    }
    assert_eq!(lines.len() % 3, 0);
    let linked = linked();
    assert!(linked.len() > 100, "{linked:?}");
    let missing: Vec<_> = linked.difference(&named).collect();
    assert!(missing.is_empty(), "no licence of {missing:?}");
}

/// A program with the section that `cargo auditable` writes.
fn auditable(folder: &TempDir, packages: &Value) -> std::path::PathBuf {
    let (list, binary) = (folder.path().join("list"), folder.path().join("binary"));
    fs::write(&list, zlib(&serde_json::to_vec(packages).unwrap())).unwrap();
    let mut add = Command::new("objcopy");
    add.arg("--add-section").arg(format!(".dep-v0={}", list.display()));
    run(add.args(["/bin/sh".as_ref(), binary.as_os_str()]));
    binary
}

/// Compressed as by zlib, from gzip's output; the checksum at the end is omitted, and not checked.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip");
    let mut gzip = gzip
        .args(["--no-name", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(bytes).unwrap();
    let compressed = gzip.wait_with_output().unwrap().stdout;
    [&[0x78, 0x9c], &compressed[10..compressed.len() - 8], &[0; 4]].concat()
}

#[test]
fn every_library_in_the_binary_must_have_a_licence() {
    if is_missing_any(&["jq", "objcopy", "readelf", "gzip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let binary = auditable(
        &folder,
        &json!({"packages": [
            {"name": "apim-probe", "version": "0.1.0", "root": true},
            {"name": "cc", "version": "1.2.3", "kind": "build"},
            {"name": "ring", "version": "0.17.14"},
            {"name": "tokio", "version": "1.54.0", "kind": "runtime"},
        ]}),
    );
    let held = run(script("package/dependencies.sh").arg(&binary));
    assert_eq!(held, "apim-probe 0.1.0\nring 0.17.14\ntokio 1.54.0\n");

    let licences = folder.path().join("licences");
    let licensed = || output(script("package/licensed.sh").args([&binary, &licences]));
    let entry = |name: &str| format!("{name}  https://example.org\n    MIT\n    1 2\n");
    fs::write(
        &licences,
        format!("Text.\n\n{}{}", entry("ring 0.17.14"), entry("tokio 1.54.0")),
    )
    .unwrap();
    let (well, out, err) = licensed();
    assert!(well, "{err}");
    assert_eq!(out, "2 libraries, each with its licence\n");

    // Another version may have another licence; and a name alone is not one.
    for lacking in [
        entry("ring 0.17.13"),
        "ring 0.17.14  https://example.org\n".into(),
        "ring 0.17.14  https://example.org\n    MIT\n".into(),
        String::new(),
    ] {
        fs::write(&licences, format!("{lacking}{}", entry("tokio 1.54.0"))).unwrap();
        let (well, _, err) = licensed();
        assert!(!well && err.ends_with(":\nring 0.17.14\n"), "{lacking}: {err}");
    }

    let (well, _, err) = output(script("package/dependencies.sh").arg("/bin/sh"));
    assert!(!well && err.contains("does not say what it is made of"), "{err}");
}

#[test]
fn release_notes_are_the_changelog_section() {
    let notes = run(script("release-notes.sh").arg("Unreleased"));
    assert!(notes.contains("### Added\n") && !notes.contains("## ["), "{notes}");
    assert!(!notes.starts_with('\n'));
    // A release candidate has no section of its own.
    assert_eq!(run(script("release-notes.sh").arg("9.9.9-rc.1")), notes);
    let (well, out, err) = output(script("release-notes.sh").arg("9.9.9"));
    assert!(
        !well && out.is_empty() && err.contains("has no section for 9.9.9"),
        "{err}"
    );
}

#[test]
fn buildinfo_lists_compiler_library_and_system() {
    if !is_installed("git") {
        return;
    }
    let info = run(script("package/buildinfo.sh")
        .arg(std::env::consts::ARCH)
        .env("SOURCE_DATE_EPOCH", "1780000000"));
    for line in [
        "\ntime: 1780000000\n",
        "\nrustc: 1.",
        "\nC compiler: ",
        "\nC library: ",
        "\nsystem: ",
    ] {
        assert!(format!("\n{info}").contains(line), "{line}: {info}");
    }
    assert!(
        info.lines()
            .all(|line| line.split_once(": ").is_some_and(|(_, value)| !value.is_empty())),
        "{info}"
    );
}

/// Packed from a copy of the sources with a release candidate's version; no binary is built for it.
#[test]
fn release_candidate_sorts_before_its_release() {
    if is_missing_any(&["xz", "dpkg-deb", "dpkg", "rpmbuild", "rpm"]) {
        return;
    }
    let copy = tempfile::tempdir().unwrap();
    for part in ["scripts", "deploy", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT"] {
        run(Command::new("cp")
            .arg("-r")
            .arg(Path::new(ROOT).join(part))
            .arg(copy.path()));
    }
    let manifest = fs::read_to_string(copy.path().join("Cargo.toml")).unwrap();
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .unwrap();
    let candidate = format!("version = \"{version}-rc.1\"");
    fs::write(
        copy.path().join("Cargo.toml"),
        manifest.replacen(&format!("version = \"{version}\""), &candidate, 1),
    )
    .unwrap();
    let licences = copy.path().join("licences");
    fs::write(&licences, "Everybody's licences\n").unwrap();
    let mut pack = Command::new(copy.path().join("scripts/package/pack.sh"));
    pack.args([
        "/bin/true".as_ref(),
        std::env::consts::ARCH.as_ref(),
        licences.as_os_str(),
        copy.path().as_os_str(),
    ])
    .envs([("XZ_LEVEL", "0"), ("SOURCE_DATE_EPOCH", "1780000000")])
    .env("APIM_PROBE", env!("CARGO_BIN_EXE_apim-probe"));
    run(&mut pack);

    let packed = |ending: &str| {
        copy.path()
            .join(format!("apim-probe-{}.{ending}", std::env::consts::ARCH))
    };
    let deb = run(Command::new("dpkg-deb")
        .arg("--field")
        .arg(packed("deb"))
        .arg("Version"));
    assert_eq!(deb, format!("{version}~rc.1\n"));
    run(Command::new("dpkg").args(["--compare-versions", deb.trim(), "lt", version]));
    let rpm = run(Command::new("rpm")
        .args(["--query", "--queryformat", "%{VERSION}", "--package"])
        .arg(packed("rpm")));
    assert_eq!(rpm, format!("{version}~rc.1"));
}
