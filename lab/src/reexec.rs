//! Starts the program again: once to check whether a lab can be created at all, and once for each job in one.

use std::{
    env, fmt,
    process::{Command, ExitCode, Termination},
};

use anyhow::{Context, Result, bail};

use crate::{Lab, LabNetwork, has_nft, tools};

/// The environment variable with the job of the process.
const JOB: &str = "APIM_PROBE_LAB_JOB";
/// The job that checks whether a lab can be created.
const PROBE: &str = "try the whole set-up once";
/// Set by CI: then a lab that cannot be created is a failure, not a reason to skip tests.
const REQUIRED: &str = "LAB_REQUIRED";

/// The lab, or a part of it, cannot be created here; names the step that failed.
#[derive(Debug, Clone)]
pub struct Forbidden {
    step: String,
}

impl Forbidden {
    /// A part that cannot be created, with the reason.
    pub fn because(step: &str) -> Self {
        Self { step: step.to_owned() }
    }

    /// Whether tests that need the lab must fail instead of being skipped: CI sets `LAB_REQUIRED=1`.
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
/// Must be called first in `main`, before there is a second thread. In the child of [`probe`] it does not return.
pub fn job() -> Option<String> {
    let job = env::var(JOB).ok()?;
    if job == PROBE {
        let network = LabNetwork::default();
        let outcome = Lab::enter(&network).and_then(|lab| lab.serve(&network));
        if let Err(error) = &outcome {
            eprintln!("{}", format!("{error:#}").lines().next().unwrap_or_default());
        }
        std::process::exit(i32::from(outcome.is_err()));
    }
    Some(job)
}

/// Checks whether a lab can be created, by creating one in a child.
pub fn probe() -> Result<(), Forbidden> {
    let output = rerun(PROBE).and_then(|mut child| child.output().context("starting this program again"));
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

/// Why faults that need nftables cannot be created; `None` if they can.
pub fn lacks_nft() -> Option<Forbidden> {
    (!has_nft()).then(|| Forbidden {
        step: "nftables is not installed".into(),
    })
}

/// Why a test that needs this program cannot run; `None` if it can.
pub fn lacks(program: &str) -> Option<Forbidden> {
    tools::tool(program).is_none().then(|| Forbidden {
        step: format!("{program} is not installed"),
    })
}

/// Runs a job in a separate lab, and returns its output if it failed.
pub fn do_job(job: &str) -> Result<()> {
    let output = rerun(job)?.output().context("starting this program again")?;
    if !output.status.success() {
        bail!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// The exit code of `main`; an error is written to stderr, with its causes.
pub fn exit_code(outcome: Result<impl Termination>) -> ExitCode {
    outcome.map_or_else(
        |error| {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        },
        Termination::report,
    )
}

/// This program again, with a job to run in a separate lab.
pub fn rerun(job: &str) -> Result<Command> {
    let mut child = Command::new(env::current_exe().context("finding this program")?);
    child.env(JOB, job);
    Ok(child)
}
