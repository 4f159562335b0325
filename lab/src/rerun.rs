//! Starting oneself again: once to see whether a lab can be had at all, and once for each job in one.

use std::{
    env, fmt,
    process::{Command, ExitCode, Termination},
};

use anyhow::{Context, Result, bail};

use crate::{Lab, Network, has_nft, tools};

/// What the process was started for.
const JOB: &str = "APIM_PROBE_LAB_JOB";
/// The job of finding out whether a lab can be had.
const PROBE: &str = "try the whole set-up once";
/// Set by CI: a lab that cannot be had is a failure, and not a reason to leave tests out.
const REQUIRED: &str = "LAB_REQUIRED";

/// The lab, or a part of it, cannot be had here; says which step failed.
#[derive(Debug, Clone)]
pub struct Forbidden {
    step: String,
}

impl Forbidden {
    /// A part cannot be had for a reason of its own.
    pub fn because(step: &str) -> Self {
        Self { step: step.to_owned() }
    }

    /// Whether what needs the lab may be left out, or has to fail: CI sets `LAB_REQUIRED=1`.
    pub fn may_be_left_out(&self) -> bool {
        env::var_os(REQUIRED).is_none_or(|value| value != "1")
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lab cannot be set up on this machine: {}", self.step)
    }
}

impl std::error::Error for Forbidden {}

/// The job that [`rerun`] started this process for; `None` in a process that was started otherwise.
///
/// To be called first thing in `main`, before there is a second thread. In the child of [`probe`] it does not return.
pub fn job() -> Option<String> {
    let job = env::var(JOB).ok()?;
    if job == PROBE {
        let network = Network::default();
        let outcome = Lab::enter(&network).and_then(|lab| lab.serve(&network));
        if let Err(error) = &outcome {
            eprintln!("{}", format!("{error:#}").lines().next().unwrap_or_default());
        }
        std::process::exit(i32::from(outcome.is_err()));
    }
    Some(job)
}

/// Finds out whether a lab can be had, by setting one up in a child.
pub fn probe() -> Result<(), Forbidden> {
    let output = rerun(PROBE).and_then(|mut child| child.output().context("starting this program anew"));
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Forbidden {
            step: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
        Err(error) => Err(Forbidden {
            step: format!("{error:#}"),
        }),
    }
}

/// What stands in the way of faults that need nftables.
pub fn lacks_nft() -> Option<Forbidden> {
    (!has_nft()).then(|| Forbidden {
        step: "nftables is not installed".into(),
    })
}

/// What stands in the way of a test that needs a program which is not everywhere.
pub fn lacks(program: &str) -> Option<Forbidden> {
    tools::tool(program).is_none().then(|| Forbidden {
        step: format!("{program} is not installed"),
    })
}

/// Does a job in a lab of its own, and returns what it said where it failed.
pub fn do_job(job: &str) -> Result<()> {
    let output = rerun(job)?.output().context("starting this program anew")?;
    if !output.status.success() {
        bail!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// What `main` ends with: an error goes to stderr, with its causes.
pub fn exit_code(outcome: Result<impl Termination>) -> ExitCode {
    outcome.map_or_else(
        |error| {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        },
        Termination::report,
    )
}

/// This program once more, with a job to do in a lab of its own.
pub fn rerun(job: &str) -> Result<Command> {
    let mut child = Command::new(env::current_exe().context("finding this program")?);
    child.env(JOB, job);
    Ok(child)
}
