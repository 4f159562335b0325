//! The agent in a simulated network with faults, without Azure: `cargo run -p apim-probe-demo`.
//!
//! Everything happens in a simulated Azure in network namespaces of this machine; no packet leaves it. `demo.yaml` lists what
//! is broken. Further arguments are passed to the agent: `cargo run -p apim-probe-demo -- --verbose`.

use std::{
    env,
    ffi::OsString,
    io::{self, ErrorKind, Write},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use anyhow::{Context, Result, anyhow, bail};
use apim_probe_lab::{self as lab, Lab, LabNetwork};

/// Set if this program is started again as the agent: cargo does not build a binary for an example.
const AS_AGENT: &str = "APIM_PROBE_DEMO_AGENT";

/// What is broken in the network.
const NETWORK: &str = include_str!("demo.yaml");

/// What an engineer would type on the VM, after `--no-metadata`: the lab's VM has no metadata service. A test runs the agent
/// with the same flags, and compares its report with the one in README.md.
const FLAGS: &str = include_str!("flags.txt");

/// The agent's exit status when a required endpoint is blocked.
const BLOCKED: i32 = 1;

fn main() -> ExitCode {
    if env::var_os(AS_AGENT).is_some() {
        return apim_probe::main(env::args_os());
    }
    let shown = if lab::job().is_some() { inside() } else { outside() };
    lab::exit_code(shown)
}

/// Starts the demo in a lab, if there can be one.
fn outside() -> Result<ExitCode> {
    lab::probe().map_err(|forbidden| {
        anyhow!(
            "{forbidden}; the demo needs ip (iproute2), setpriv (util-linux) and user namespaces, which sysctl may forbid: \
             user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
        )
    })?;
    let status = lab::rerun("demo")?.args(env::args_os().skip(1)).status()?;
    Ok(exit_code(status))
}

/// In a separate process, which becomes the VM: breaks the network, and shows the agent's report.
fn inside() -> Result<ExitCode> {
    let extra: Vec<OsString> = env::args_os().skip(1).collect();
    let broken: LabNetwork = serde_yaml::from_str(NETWORK).context("demo.yaml")?;
    let lab = Lab::enter(&broken)?;
    let network = lab::healthy(&plan(&lab)?, &broken)?;
    lab.serve(&network)?;

    // If the user passes arguments, stdout contains the agent's report only.
    let whole = extra.is_empty();
    if whole {
        say(&before())?;
    }
    let status = agent(&lab)?
        .arg("run")
        .args(FLAGS.split_whitespace())
        .arg("--ca-file")
        .arg(lab.ca_file()?)
        .args(&extra)
        .status()?;
    if !whole {
        return Ok(exit_code(status));
    }
    if status.code() != Some(BLOCKED) {
        bail!("the agent ended with {status}; behind this firewall it should have been {BLOCKED}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The agent's plan, for which the simulated Azure needs services.
fn plan(lab: &Lab) -> Result<String> {
    let list = agent(lab)?
        .args(["list", "--format", "json"])
        .args(FLAGS.split_whitespace())
        .stderr(Stdio::inherit())
        .output()?;
    if !list.status.success() {
        bail!("`list` ended with {}", list.status);
    }
    String::from_utf8(list.stdout).context("the plan")
}

fn agent(lab: &Lab) -> Result<Command> {
    let mut agent = lab.agent(env::current_exe()?)?;
    agent.env(AS_AGENT, "1");
    Ok(agent)
}

/// Prints a paragraph. A reader that has closed the pipe (`| head`) is not an error.
fn say(text: &str) -> Result<()> {
    match writeln!(io::stdout(), "{text}\n") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn before() -> String {
    format!(
        "A simulated Azure behind a broken firewall. Nothing leaves this machine. The\n\
         simulated services use certificates from a CA generated for the demo, hence the\n\
         notice about roots. For real use, build a static binary with\n\
         scripts/build-static.sh and copy it to a VM in the instance's subnet (README.md\n\
         describes how). There, run:\n\n  apim-probe run {}",
        FLAGS.lines().skip(1).collect::<Vec<_>>().join(" \\\n      ")
    )
}
