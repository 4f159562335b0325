//! A user with a limit on threads (`ulimit -u`, systemd's `TasksMax`) gets the report, or one error message.

use std::{
    env,
    fs::{self, Permissions},
    io,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Forbidden;
use tempfile::TempDir;

use super::{AGENT, AgentTest, json, text};

pub(super) const TESTS: &[AgentTest] = &[AgentTest {
    name: "threads/any-limit-gives-a-report-or-exit-4",
    catalog: None,
    network: || "faults: [ { to: '*:1433', action: drop } ]".to_owned(),
    check: |vm| {
        let limited = |limit: u32, script: &str| format!("exec prlimit --nproc={limit} {script}");
        let alone = vm.shell(&limited(1, "sh -c 'true & wait'"), &[])?;
        ensure!(!alone.status.success(), "the limit is not in force");
        let planned = vm.planned()?;
        for limit in 1..=16 {
            let output = vm.shell(&limited(limit, "\"$@\""), &["--format", "json", "--timeout", "1s"])?;
            let said = format!("{limit} threads: {} {}", output.status, text(&output.stderr));
            ensure!(output.status.signal().is_none() && !said.contains("panicked"), "{said}");
            if output.status.code() == Some(4) && output.stdout.is_empty() {
                ensure!(text(&output.stderr).starts_with("error: "), "{said}");
                continue;
            }
            let report = json(&output).with_context(|| said.clone())?;
            ensure!(report["complete"] == true && super::ids(&report) == planned, "{said}");
        }
        Ok(())
    },
}];

/// The id of the user `nobody`.
const NOBODY: &str = "65534";
/// Passes the path of the agent's copy to the process of the user `nobody`.
const COPY: &str = "APIM_PROBE_LAB_AGENT";

/// The path of the agent; in the process of the user `nobody`, that of a copy that this user may execute.
pub(super) fn agent() -> PathBuf {
    env::var_os(COPY).map_or_else(|| AGENT.into(), PathBuf::from)
}

/// Why the test cannot run: root has no such limit, and other users may not read our folders.
pub(super) fn obstacle() -> Option<Forbidden> {
    let is_reachable = |folder: TempDir| {
        let test = nobody(Path::new("test")).arg("-x").arg(folder.path()).status();
        test.is_ok_and(|status| status.success())
    };
    (is_root() && !public_folder().is_ok_and(is_reachable)).then(|| {
        Forbidden::because("root's threads are not limited, and other users cannot execute what was built here")
    })
}

/// Runs the job of this process as a user with a thread limit, if this is root; otherwise returns false. The build may
/// be in a folder that only root can read, so copies of it are started.
pub(super) fn run_as_nobody() -> Result<bool> {
    if !is_root() {
        return Ok(false);
    }
    let folder = public_folder()?;
    let copy = |program: &Path, name: &str| -> Result<PathBuf> {
        let copied = folder.path().join(name);
        fs::copy(program, &copied).with_context(|| format!("copying {}", program.display()))?;
        Ok(copied)
    };
    let agent = copy(Path::new(AGENT), "agent")?;
    let own = copy(&env::current_exe()?, "lab")?;
    let output = nobody(&own).env(COPY, agent).current_dir("/").output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(true)
}

/// A folder that all users may enter and read.
fn public_folder() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(program);
    command.stdin(Stdio::null());
    command
}
