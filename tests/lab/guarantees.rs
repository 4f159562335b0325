//! What the agent guarantees in any network: its documents, its exit statuses, its deadline, a report after Ctrl-C,
//! with few descriptors, or without a reader, and no unnecessary packet if nothing is wrong.

mod budgets;
mod compare;
mod documents;
mod files;
mod fixes;
mod interruption;
mod outputs;
mod random_signals;
mod redact;
mod termination;
mod threads;
mod traffic;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{self as lab, Forbidden, Lab, LabNetwork, ResourceUsage};
use libtest_mimic::Trial;
use serde_json::Value;

use super::{AGENT, trial};

/// One test: a catalog, the network's deviations from a healthy one in YAML, and what must be true.
struct AgentTest {
    name: &'static str,
    /// The catalog; none means the built-in one.
    catalog: Option<fn() -> String>,
    network: fn() -> String,
    check: fn(&TestVm) -> Result<()>,
}

fn tests() -> impl Iterator<Item = &'static AgentTest> {
    [
        budgets::TESTS,
        documents::TESTS,
        termination::TESTS,
        files::TESTS,
        fixes::TESTS,
        random_signals::TESTS,
        outputs::TESTS,
        redact::TESTS,
        interruption::TESTS,
        threads::TESTS,
        compare::TESTS,
        traffic::TESTS,
    ]
    .into_iter()
    .flatten()
}

/// The VM of one test, and the flags that select its catalog.
struct TestVm {
    lab: Lab,
    catalog: Option<PathBuf>,
}

impl TestVm {
    fn enter(test: &AgentTest) -> Result<Self> {
        let deviations: LabNetwork =
            serde_yaml::from_str(&(test.network)()).map_err(|error| anyhow::anyhow!("{error}"))?;
        let lab = Lab::enter(&deviations)?;
        let catalog = test
            .catalog
            .map(|catalog| lab.write("probes.yaml", &catalog()))
            .transpose()?;
        let vm = Self { lab, catalog };
        let plan = vm.output("list", &["--format", "json"])?;
        vm.lab.serve(&lab::healthy(&text(&plan.stdout), &deviations)?)?;
        Ok(vm)
    }

    /// The agent with a command, the catalog and further flags.
    fn agent(&self, command: &str, flags: &[&str]) -> Result<Command> {
        let mut agent = self.lab.agent(threads::agent())?;
        agent.args(self.arguments(command, flags)?);
        agent.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(agent)
    }

    fn arguments(&self, command: &str, flags: &[&str]) -> Result<Vec<String>> {
        let mut arguments = vec![command.to_owned(), "--no-metadata".to_owned()];
        if let Some(catalog) = &self.catalog {
            arguments.extend(["--no-builtin", "--probes"].map(str::to_owned));
            arguments.push(catalog.display().to_string());
        }
        if matches!(command, "run" | "watch" | "serve" | "path") && !flags.contains(&"--ca-file") {
            arguments.extend(["--ca-file".to_owned(), self.lab.ca_file()?.display().to_string()]);
        }
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Ok(arguments)
    }

    fn output(&self, command: &str, flags: &[&str]) -> Result<Output> {
        self.agent(command, flags)?.output().context("starting the agent")
    }

    /// The agent's cost.
    fn cost(&self, command: &str, flags: &[&str]) -> Result<ResourceUsage> {
        let mut agent = Command::new(AGENT);
        agent.args(self.arguments(command, flags)?);
        ResourceUsage::of(self.lab.agent(std::env::current_exe()?)?, &agent)
    }

    /// The agent started by a shell, which can do to it what shells do: `"$@"` is its whole command line.
    fn shell(&self, script: &str, flags: &[&str]) -> Result<Output> {
        let mut shell = self.lab.agent("sh")?;
        shell
            .args(["-c", script, "sh"])
            .arg(threads::agent())
            .args(self.arguments("run", flags)?);
        shell.stdin(Stdio::null()).output().context("starting the agent")
    }

    /// The ids of the plan, in its order.
    fn planned(&self) -> Result<Vec<String>> {
        let plan = json(&self.output("list", &["--format", "json"])?)?;
        Ok(ids(&plan))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}\n{}", text(&output.stdout), text(&output.stderr)))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ids(document: &Value) -> Vec<String> {
    list(document, "endpoints")
        .iter()
        .map(|endpoint| endpoint["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A catalog with one required dependency, `service`, of these endpoints.
fn catalog_of(endpoints: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<String> = endpoints
        .into_iter()
        .map(|endpoint| format!("- {{ {endpoint} }}"))
        .collect();
    lab::whole_catalog(&lines.join("\n"))
}

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    let no_user = threads::obstacle();
    let obstacle = |test: &AgentTest| match forbidden {
        None if is_about_threads(test) => no_user.as_ref(),
        _ => forbidden,
    };
    tests()
        .map(|test| trial(format!("guarantees/{}", test.name), obstacle(test)))
        .collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    let test = tests()
        .find(|test| test.name == name)
        .with_context(|| format!("no test is called {name}"))?;
    if is_about_threads(test) && threads::run_as_nobody()? {
        return Ok(());
    }
    (test.check)(&TestVm::enter(test)?)
}

fn is_about_threads(test: &AgentTest) -> bool {
    threads::TESTS.iter().any(|other| other.name == test.name)
}

/// Checks an exit status, and prints the output if it is another.
fn ensure_status(output: &Output, wanted: i32) -> Result<()> {
    ensure!(
        output.status.code() == Some(wanted),
        "{}, expected {wanted}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(())
}
