//! A user who may have no more threads (`ulimit -u`, systemd's `TasksMax`): the report, or one sentence.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Forbidden;

use super::{AGENT, Promise, json, text};

pub(super) const PROMISES: &[Promise] = &[Promise {
    name: "threads/any-number",
    catalog: None,
    network: || "faults: [ { to: '*:1433', does: silence } ]".to_owned(),
    check: |world| {
        let limited = |limit: u32, script: &str| format!("exec prlimit --nproc={limit} {script}");
        let alone = world.shell(&limited(1, "sh -c 'true & wait'"), &[])?;
        ensure!(!alone.status.success(), "the limit is not in force");
        let planned = world.planned()?;
        for limit in 1..=16 {
            let output = world.shell(&limited(limit, "\"$@\""), &["--format", "json", "--timeout", "1s"])?;
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

/// The user who is nobody on every Linux.
const NOBODY: &str = "65534";

/// What stands in the way: root has no such limit, and nobody else may be able to start our programs.
pub(super) fn obstacle() -> Option<Forbidden> {
    let test = |file: &str| {
        nobody("test")
            .args(["-x", file])
            .status()
            .is_ok_and(|status| status.success())
    };
    let own = std::env::current_exe().ok()?.display().to_string();
    (is_root() && !(test(AGENT) && test(&own)))
        .then(|| Forbidden::because("root's threads are not limited, and nobody else may start what was built here"))
}

/// Does the job of this process as somebody whose threads are counted, where this is root; gives false elsewhere.
pub(super) fn done_by_nobody() -> Result<bool> {
    if !is_root() {
        return Ok(false);
    }
    let output = nobody(&std::env::current_exe()?.display().to_string()).output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(true)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn nobody(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", program]);
    command.stdin(Stdio::null());
    command
}
