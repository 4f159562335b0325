//! The report in README.md is the one that the demo prints.

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Lab, LabNetwork};

use crate::AGENT;

const README: &str = include_str!("../../../README.md");
const DEMO: &str = include_str!("../../../demo/src/demo.yaml");
const FLAGS: &str = include_str!("../../../demo/src/flags.txt");

/// Every part of README's block, between the lines that mark omissions, is in the demo's report.
pub(super) fn shows_what_the_demo_prints() -> Result<()> {
    let broken: LabNetwork = serde_yaml::from_str(DEMO).context("demo.yaml")?;
    let lab = Lab::enter(&broken)?;
    let flags: Vec<&str> = FLAGS.split_whitespace().collect();
    lab.serve_plan(AGENT, &flags, &broken)?;
    let mut run = lab.agent(AGENT)?;
    run.arg("run").args(flags).arg("--ca-file").arg(lab.ca_file()?);
    let output = run.env("LC_ALL", "C.UTF-8").output()?;
    let printed = String::from_utf8(output.stdout)?;
    let (_, rest) = README.split_once("```\nBLOCKED").context("no report in README.md")?;
    let (block, _) = rest.split_once("```").context("its block has no end")?;
    for part in block.split("…\n") {
        ensure!(printed.contains(part), "{part}\nis not in\n{printed}");
    }
    Ok(())
}
