//! The agent's output in the lab matches the schemas.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe::{
    diff::{Diff, read},
    schema::Document,
};
use apim_probe_checks::validate;
use apim_probe_lab::{self as lab, Lab, LabNetwork};
use libtest_mimic::Arguments;

/// Set if this program is started again as the agent: cargo does not build other packages' binaries for a test.
const AS_AGENT: &str = "APIM_PROBE_CHECKS_AGENT";

fn main() -> ExitCode {
    if env::var_os(AS_AGENT).is_some() {
        return apim_probe::main(env::args_os());
    }
    if lab::job().is_some() {
        return lab::exit_code(validate_agent_output());
    }
    let trial = lab::trial("agent_output_matches_the_schemas", "write", lab::forbidden());
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn agent(lab: &Lab) -> Result<Command> {
    let mut agent = lab.agent(env::current_exe()?)?;
    agent.env(AS_AGENT, "1");
    Ok(agent)
}

/// In a lab: a plan, a report of a broken network, and the diff with a report of the repaired one.
fn validate_agent_output() -> Result<()> {
    const FLAGS: [&str; 6] = ["--no-metadata", "--region", "westeurope", "--quiet", "--timeout", "1s"];
    const BROKEN: &str = "{ faults: [ { to: '*:443', action: drop }, { to: '*:5671', action: prohibited } ],
  services: { '*:80': { http: { status: 503 } } } }";
    let broken: LabNetwork = serde_yaml::from_str(BROKEN).context("the network")?;
    let lab = Lab::enter(&broken)?;
    let ask = |command: &str, flags: &[&str]| -> Result<String> {
        let output = agent(&lab)?.arg(command).args(flags).output()?;
        match output.status.code() {
            Some(0 | 1 | 3) => Ok(String::from_utf8(output.stdout)?),
            status => bail!(
                "{command} ended with {status:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    };
    let plan = ask("list", &[&FLAGS[..3], &["--format", "json"]].concat())?;
    validate(Document::Plan, &serde_json::from_str(&plan)?)?;
    lab.serve(&lab::healthy(&plan, &broken)?)?;

    let roots = lab.ca_file()?.display().to_string();
    let run = [&FLAGS[..], &["--ca-file", &roots, "--format", "json"]].concat();
    let before = ask("run", &run)?;
    validate(Document::Report, &serde_json::from_str(&before)?)?;
    lab.lift_faults()?;
    let after = ask("run", &run)?;
    let diff = Diff::between(&read::report(&before)?, &read::report(&after)?)?;
    ensure!(!diff.changes.is_empty(), "no difference");
    validate(Document::Diff, &serde_json::from_str(&diff.to_json())?)
}
