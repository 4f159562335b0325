//! A scenario: one state of the network, and what the agent must report about it. One small YAML file each.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;

use crate::{
    Lab, LabNetwork,
    expect::ExpectedOutcome,
    healthy,
    network::{InjectedFault, ServiceAddress},
};

/// What completes a catalog that is only a list of dependencies …
const CATALOG_HEAD: &str = "schema: 1
source: { title: Scenario, url: 'https://example.com/scenario', documented: 2026-01-01 }
clouds:
  public: { login: login.microsoftonline.com }
  usgov: { login: login.microsoftonline.us }
  china: { login: login.partner.microsoftonline.cn }
";

/// … and, in addition, one that is only a list of endpoints.
const DEPENDENCY_HEAD: &str = "dependencies:
  - id: service
    title: A service
    need: required
    impact: Nothing works without it.
    endpoints:
";

fn default_true() -> bool {
    true
}

/// Time limit for everything that the agent does in a scenario.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The fault, in a few words.
    pub title: String,
    /// Why this can happen, and why it matters.
    pub why: String,
    /// The agent's flags. `{files}` stands for the folder of `files`.
    #[serde(default)]
    pub args: Vec<String>,
    /// The flags for `list`, if they differ from `args`: the network is created from `list`'s plan, before there is a
    /// metadata service or instance to query.
    pub list_args: Option<Vec<String>>,
    /// A catalog instead of the built-in one: all of it, or from `dependencies:` on, or only the endpoints of one
    /// required dependency called `service`.
    pub catalog: Option<String>,
    /// Whether the lab's CAs are passed with `--management-ca-file`, so that the agent sends its token to the
    /// management endpoint. If false, they are passed with `--ca-file` only.
    #[serde(default = "default_true")]
    pub management_ca_file: bool,
    /// Further files on the VM. In them, `{thumbprint of private}` is replaced with the thumbprint of the untrusted
    /// root.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// How the network differs from a healthy one.
    #[serde(default)]
    pub network: LabNetwork,
    /// What the agent must report.
    pub expect: ExpectedOutcome,
}

impl Scenario {
    /// Reads a scenario's file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_yaml::from_str(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
    }

    /// Whether it needs nftables.
    pub fn needs_nft(&self) -> bool {
        self.network.faults.iter().any(InjectedFault::needs_nft)
    }

    /// Runs the agent in the scenario's network, and compares.
    ///
    /// The process must have one thread only; it is the VM from then on.
    pub fn play(&self, agent: &Path) -> Result<()> {
        let mut deviations = self.network.clone();
        deviations.link.count_flows |= !self.expect.flows.is_empty();
        let lab = Lab::enter(&deviations)?;
        let common = self.common_args(&lab)?;
        let network = self.network(&lab, agent, &common)?;
        lab.serve(&network)?;

        let mut run = lab.agent(agent)?;
        run.args(["run", "--format", "json", "--ca-file"])
            .arg(lab.ca_file()?)
            .args(&common)
            .args(self.args(&lab));
        if self.management_ca_file
            && self
                .args
                .iter()
                .any(|arg| arg.starts_with("--service=") || arg == "--service")
        {
            run.arg("--management-ca-file").arg(lab.ca_file()?);
        }
        if !self.args.iter().any(|arg| arg.starts_with("--timeout")) {
            run.args(["--timeout", "2s"]);
        }
        let said = output(run)?;
        let mut wrong = self.expect.compare(said.status, &said.stdout, &said.stderr);
        wrong.extend(self.expect.compare_flows(&network, &lab.flows()));
        wrong.extend(self.expect.compare_requests(&lab.requests()));
        ensure!(
            wrong.is_empty(),
            "{}\n\n{}\n\n--- stdout\n{}\n--- stderr\n{}",
            self.title,
            wrong.join("\n"),
            said.stdout,
            said.stderr
        );
        Ok(())
    }

    /// The healthy network of the agent's own plan, with this scenario's deviations.
    fn network(&self, lab: &Lab, agent: &Path, common: &[String]) -> Result<LabNetwork> {
        let mut list = lab.agent(agent)?;
        list.args(["list", "--format", "json"]).args(common);
        if self.asks_metadata() {
            // The metadata service does not exist yet.
            list.arg("--no-metadata");
        }
        match &self.list_args {
            Some(args) => list.args(args),
            None => list.args(planning(&self.args(lab))),
        };
        let said = output(list)?;
        match said.status {
            Some(0) => healthy(&said.stdout, &self.network),
            // Flags that `list` refuses are refused by `run` as well, before it needs a network.
            Some(2) if self.expect.exit == 2 => Ok(self.network.clone()),
            status => bail!("`list` ended with {status:?}: {}", said.stderr),
        }
    }

    /// The flags for both `list` and `run`.
    fn common_args(&self, lab: &Lab) -> Result<Vec<String>> {
        for (name, text) in &self.files {
            let text = text.replace("{thumbprint of private}", &lab.private_thumbprint());
            lab.write(name, &text)?;
        }
        let mut args = Vec::new();
        if let Some(catalog) = &self.catalog {
            let file = lab.write("probes.yaml", &whole_catalog(catalog))?;
            args.extend([
                "--no-builtin".to_owned(),
                "--probes".to_owned(),
                file.display().to_string(),
            ]);
        }
        if !self.asks_metadata() {
            args.push("--no-metadata".to_owned());
        }
        Ok(args)
    }

    fn args(&self, lab: &Lab) -> Vec<String> {
        let folder = lab.folder().display().to_string();
        self.args.iter().map(|arg| arg.replace("{files}", &folder)).collect()
    }

    /// Whether there is a metadata service to query.
    fn asks_metadata(&self) -> bool {
        self.network.management.is_some()
            || self
                .network
                .services
                .contains_key(&ServiceAddress::tcp("169.254.169.254", 80))
    }
}

/// A complete catalog, if `text` is only its dependencies, or only the endpoints of one required dependency called
/// `service`, one per line.
pub fn whole_catalog(text: &str) -> String {
    if text.starts_with("dependencies:") {
        format!("{CATALOG_HEAD}{text}")
    } else if text.starts_with("- ") {
        let endpoints: String = text.lines().flat_map(|link| ["      ", link, "\n"]).collect();
        format!("{CATALOG_HEAD}{DEPENDENCY_HEAD}{endpoints}")
    } else {
        text.to_owned()
    }
}

/// The flags that `list` accepts too: all except those of commands that probe.
fn planning(args: &[String]) -> Vec<String> {
    const PROBING: [&str; 11] = [
        "--timeout",
        "--deadline",
        "--concurrency",
        "--ca-file",
        "--format",
        "--output",
        "-o",
        "--fail-on",
        "--color",
        "--interval",
        "--for",
    ];
    const PROBING_SWITCHES: [&str; 8] = [
        "--confirm",
        "--redact",
        "--ipv6",
        "--no-control",
        "--allow-untested",
        "--quiet",
        "--verbose",
        "-v",
    ];
    let (mut kept, mut args) = (Vec::new(), args.iter());
    while let Some(arg) = args.next() {
        let name = arg.split('=').next().unwrap_or(arg);
        if PROBING.contains(&name) {
            if !arg.contains('=') {
                args.next();
            }
        } else if !PROBING_SWITCHES.contains(&name) {
            kept.push(arg.clone());
        }
    }
    kept
}

/// A program's output.
struct AgentOutput {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a program to its end, or to a time limit.
fn output(mut command: Command) -> Result<AgentOutput> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.with_context(|| format!("starting {command:?}"))?;
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output()));
    // After a timeout this process ends, and the child is killed with it.
    let output = end
        .recv_timeout(TIME_LIMIT)
        .with_context(|| format!("no end after {TIME_LIMIT:?}: {command:?}"))??;
    Ok(AgentOutput {
        status: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{planning, whole_catalog};

    #[test]
    fn list_of_endpoints_becomes_a_catalog() {
        let catalog = whole_catalog("- { host: a, port: 1, protocol: tcp }\n- { host: b, port: 2, protocol: tcp }\n");
        let value: serde_json::Value = serde_yaml::from_str(&catalog).unwrap();
        assert_eq!(value["dependencies"][0]["endpoints"][1]["host"], "b");
        assert_eq!(whole_catalog("schema: 1"), "schema: 1");
    }

    #[test]
    fn list_does_not_get_the_flags_of_run() {
        let args = [
            "--set",
            "a=b",
            "--timeout",
            "2s",
            "--deadline=5s",
            "--no-control",
            "--only",
            "sql",
        ];
        assert_eq!(planning(&args.map(String::from)), ["--set", "a=b", "--only", "sql"]);
    }
}
