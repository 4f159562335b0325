//! The packages of a release, made from this build: what they install, and that nothing remains after removal.

mod parts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    thread,
};

use apim_probe::cli::Cli;
use clap::CommandFactory;
use tempfile::TempDir;

/// Packed once for all tests; `None` if the packing programs are missing.
static PACKED: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let programs = [
        "ar", "strip", "xz", "dpkg-deb", "dpkg", "rpmbuild", "rpm", "unshare", "curl",
    ];
    if is_missing_any(&programs) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let licences = folder.path().join("licences");
    fs::write(&licences, "Everybody's licences\n").unwrap();
    let agent = folder.path().join("agent");
    run(Command::new("strip")
        .arg("-o")
        .arg(&agent)
        .arg(env!("CARGO_BIN_EXE_apim-probe")));
    let mut pack = Command::new("scripts/package/pack.sh");
    // The time is not that of a commit: an archive of the sources has none.
    pack.env("XZ_LEVEL", "0").env("SOURCE_DATE_EPOCH", "1780000000");
    run(pack.arg(agent).args([
        std::env::consts::ARCH.as_ref(),
        licences.as_os_str(),
        folder.path().as_os_str(),
    ]));
    Some(folder)
});

#[test]
fn deb_installs_runs_and_is_removed_completely() {
    let Some(package) = package_file("deb") else { return };
    let root = fresh_root();
    let before = walk(root.path());
    let database = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::write(database.join("status"), "").unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = as_root("dpkg");
        dpkg.arg("--root")
            .arg(root.path())
            .args(["--force-not-root", "--log=/dev/null"]);
        run(dpkg.args(arguments));
    };

    dpkg(&["--install", package.to_str().unwrap()]);
    let expected = expected(
        ".gz",
        "usr/share/zsh/vendor-completions",
        &[
            "usr/share/doc/apim-probe/THIRD-PARTY.txt.gz",
            "usr/share/doc/apim-probe/changelog.gz",
            "usr/share/doc/apim-probe/copyright",
        ],
    );
    assert_installed(root.path(), &expected);
    dpkg(&["--verify", "apim-probe"]);

    dpkg(&["--purge", "apim-probe"]);
    assert_nothing_left(root.path(), &before);
}

#[test]
fn rpm_installs_runs_and_is_removed_completely() {
    let Some(package) = package_file("rpm") else { return };
    let root = fresh_root();
    let before = walk(root.path());
    let rpm = |arguments: &[&str]| {
        let mut rpm = as_root("rpm");
        rpm.arg("--root").arg(root.path()).args(["--dbpath", "/var/lib/rpm"]);
        run(rpm.args(arguments));
    };

    rpm(&["--initdb"]);
    rpm(&["--install", package.to_str().unwrap()]);
    let expected = expected(
        "",
        "usr/share/zsh/site-functions",
        &[
            "usr/share/licenses/apim-probe/LICENSE-APACHE",
            "usr/share/licenses/apim-probe/LICENSE-MIT",
            "usr/share/licenses/apim-probe/THIRD-PARTY.txt",
        ],
    );
    assert_installed(root.path(), &expected);
    rpm(&["--verify", "apim-probe"]);

    rpm(&["--erase", "apim-probe"]);
    assert_nothing_left(root.path(), &before);
}

#[test]
fn archive_contains_agent_man_pages_and_scripts() {
    let Some(archive) = package_file("tar.xz") else { return };
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("tar")
        .arg("-xJf")
        .arg(&archive)
        .arg("-C")
        .arg(folder.path()));
    let mut names: BTreeSet<String> = pages().iter().map(|page| format!("man/{page}")).collect();
    names.extend(
        [
            "apim-probe",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "THIRD-PARTY.txt",
            "completions/apim-probe.bash",
            "completions/apim-probe.fish",
            "completions/_apim-probe",
            "scripts/collect.ps1",
            "scripts/collect.sh",
            "scripts/managed-run.sh",
            "scripts/throwaway-vm.sh",
            "scripts/vm-application.sh",
        ]
        .map(String::from),
    );
    names.extend(unit().map(|_| "apim-probe.service".to_string()));
    let names: BTreeSet<String> = names.iter().map(|name| format!("apim-probe/{name}")).collect();
    let found = walk(folder.path()).files;
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), names);
    run(Command::new(folder.path().join("apim-probe/apim-probe")).arg("--version"));
}

/// README's two commands, with the packing script's files instead of the published ones.
#[test]
fn readme_download_and_run_commands_work() {
    let Some(archive) = package_file("tar.xz") else { return };
    let files = archive.parent().unwrap();
    let summed = run(Command::new("sh")
        .args(["-c", "sha256sum -- apim-probe-*"])
        .current_dir(files));
    fs::write(files.join("SHA256SUMS"), summed).unwrap();
    let (_, section) = include_str!("../../README.md")
        .split_once("## From a release\n")
        .unwrap();
    let block = section.split("```\n").nth(1).unwrap();
    let block = block.replace("\\\n", "");
    let commands: Vec<&str> = block.lines().collect();
    let [download, probe] = commands[..] else {
        panic!("{block}")
    };

    let place = "https://github.com/apim-probe/apim-probe/releases/latest/download";
    let here = download.replace(place, &format!("{}/latest/download", serve(files.to_path_buf())));
    assert_ne!(here, download);
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("bash").args(["-c", &here]).current_dir(folder.path()));
    // It may not contact hosts from here, so it only prints its version.
    let program = probe.strip_suffix(" run").unwrap();
    let version = run(Command::new(folder.path().join(program)).arg("--version"));
    assert!(version.starts_with("apim-probe "), "{version}");

    // A file that was changed in transit is not unpacked.
    fs::remove_dir_all(folder.path().join("apim-probe")).unwrap();
    let sums = fs::read_to_string(files.join("SHA256SUMS")).unwrap();
    fs::write(files.join("SHA256SUMS"), sums.replace(['0', '1', '2'], "3")).unwrap();
    let refused = Command::new("bash")
        .args(["-c", &here])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(!folder.path().join("apim-probe").exists());
}

/// Serves a folder like releases are served, the newest one behind a redirect, for as long as the tests run.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let here = address.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut request = BufReader::new(&stream).lines().map_while(Result::ok);
            let path = request
                .next()
                .and_then(|line| Some(line.split(' ').nth(1)?.to_string()))
                .unwrap_or_default();
            request.take_while(|line| !line.is_empty()).for_each(drop);
            let name = path.rsplit('/').next().unwrap();
            let (head, body) = match fs::read(folder.join(name)) {
                Ok(_) if path.starts_with("/latest/") => {
                    (format!("302 Found\r\nlocation: {here}/v0.1.0/{name}"), vec![])
                }
                Ok(body) => ("200 OK".into(), body),
                Err(_) => ("404 Not Found".into(), vec![]),
            };
            let head = format!(
                "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            // curl may have disconnected.
            let _ = (&stream).write_all(&[head.as_bytes(), &body].concat());
        }
    });
    address
}

/// Only the program may be executable, and nothing runs when a package is installed or removed.
#[test]
fn packages_have_no_scripts_and_no_dependencies() {
    let (Some(deb), Some(rpm)) = (package_file("deb"), package_file("rpm")) else {
        return;
    };
    let control = run(Command::new("dpkg-deb").arg("--info").arg(deb));
    assert!(
        !control.contains("postinst") && !control.contains("Depends"),
        "{control}"
    );
    let scripts = run(Command::new("rpm")
        .args(["--query", "--scripts", "--triggers", "--package"])
        .arg(&rpm));
    assert_eq!(scripts.trim(), "");
    let about = run(Command::new("rpm").args(["--query", "--info", "--package"]).arg(&rpm));
    for field in [
        "License     : MIT OR Apache-2.0",
        "Packager    : ",
        "Summary     : ",
        "URL         : https://",
    ] {
        assert!(about.contains(field), "{field}: {about}");
    }
    let needs = run(Command::new("rpm")
        .args(["--query", "--requires", "--package"])
        .arg(&rpm));
    let foreign: Vec<_> = needs.lines().filter(|line| !line.starts_with("rpmlib(")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

/// Debian's own rules; an error keeps a package out.
#[test]
fn lintian_finds_no_error() {
    let Some(deb) = package_file("deb") else { return };
    let mut lintian = Command::new("lintian");
    // The program is static on purpose.
    lintian.args([
        "--allow-root",
        "--fail-on",
        "error",
        "--suppress-tags",
        "statically-linked-binary",
    ]);
    match lintian.arg(&deb).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("skipped, no lintian: {error}"),
    }
}

/// What a package installs: the extensions of its man pages, the folder of zsh's completions, and what only this kind
/// of package contains.
fn expected(ending: &str, zsh: &str, more: &[&str]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = pages()
        .iter()
        .map(|page| format!("usr/share/man/man1/{page}{ending}"))
        .collect();
    names.insert("usr/bin/apim-probe".into());
    names.insert("usr/share/bash-completion/completions/apim-probe".into());
    names.insert("usr/share/fish/vendor_completions.d/apim-probe.fish".into());
    names.insert(format!("{zsh}/_apim-probe"));
    names.extend(unit().map(|_| "usr/lib/systemd/system/apim-probe.service".to_string()));
    names.extend(more.iter().map(ToString::to_string));
    names
}

/// The unit of `serve`, if there is one.
fn unit() -> Option<&'static Path> {
    Some(Path::new("deploy/systemd/apim-probe.service")).filter(|unit| unit.exists())
}

/// A man page for the program, and one for each of its commands.
fn pages() -> Vec<String> {
    let commands = Cli::command();
    let names = commands.get_subcommands().filter(|command| !command.is_hide_set());
    let mut pages: Vec<_> = names
        .map(|command| format!("apim-probe-{}.1", command.get_name()))
        .collect();
    pages.push("apim-probe.1".into());
    pages
}

/// Exactly these files, and therefore no link that enables the unit; only the program is executable, and it starts.
fn assert_installed(root: &Path, expected: &BTreeSet<String>) {
    let found = walk(root).files;
    assert_eq!(&found.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for (name, mode) in found {
        let allowed = if name == "usr/bin/apim-probe" { 0o755 } else { 0o644 };
        assert_eq!(mode & 0o7777, allowed, "{name}");
    }
    let page = expected.iter().find(|name| name.contains("/apim-probe-run.1")).unwrap();
    assert!(fs::metadata(root.join(page)).unwrap().len() > 500);
    run(Command::new(root.join("usr/bin/apim-probe")).arg("--version"));
    if unit().is_some() {
        let unit = fs::read_to_string(root.join("usr/lib/systemd/system/apim-probe.service")).unwrap();
        assert!(unit.contains("\nExecStart=/usr/bin/apim-probe "), "{unit}");
    }
}

/// dpkg removes the distribution's folders if they are empty; nothing may be there that was not before.
fn assert_nothing_left(root: &Path, before: &InstalledFiles) {
    let after = walk(root);
    assert_eq!(after.files, BTreeMap::new());
    let left: Vec<_> = after.folders.difference(&before.folders).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The folders that every distribution has, and nothing else.
fn fresh_root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in [
        "usr/bin",
        "usr/lib/systemd/system",
        "usr/share/doc",
        "usr/share/licenses",
        "usr/share/man/man1",
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    root
}

/// The contents of a folder.
#[derive(Debug, Default, PartialEq)]
struct InstalledFiles {
    /// With their modes.
    files: BTreeMap<String, u32>,
    folders: BTreeSet<String>,
}

/// Everything below a folder, except what package managers store in `var`.
fn walk(root: &Path) -> InstalledFiles {
    let mut held = InstalledFiles::default();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path == root.join("var") {
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                held.folders.insert(name);
                folders.push(path);
            } else {
                held.files.insert(name, metadata.permissions().mode());
            }
        }
    }
    held
}

fn package_file(ending: &str) -> Option<PathBuf> {
    let folder = PACKED.as_ref()?.path();
    Some(folder.join(format!("apim-probe-{}.{ending}", std::env::consts::ARCH)))
}

/// Package managers need root: a user namespace provides it for the user's own files.
fn as_root(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--", program]).env("PATH", path());
    command
}

/// `PATH`, including the administrator's folders.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn is_installed(program: &str) -> bool {
    std::env::split_paths(&path()).any(|folder| folder.join(program).exists())
}

/// Programs that may not be installed; if they are required, this is a failure.
fn is_missing_any(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return false;
    }
    let reason = format!("skipped, as this is missing: {}", missing.join(", "));
    assert!(std::env::var_os("LAB_REQUIRED").is_none(), "{reason}");
    eprintln!("{reason}");
    true
}

/// The program's output; if the program fails, the test fails with it.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{error}",
        output.status
    );
    stdout
}
