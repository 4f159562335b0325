//! Secrets in an instance's documents: credentials, passwords, keys. Azure sends some of them in plain text to every
//! reader. None may be in any output, in any format, command or error; nor may the token.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Lab, healthy};
use serde_json::{Map, Value, json};

use super::{AGENT, INSTANCE, TOKEN, network};

/// Every secret in the documents begins like this, followed by its place.
const SECRET: &str = "hunter2";

const FORMATS: [&str; 12] = [
    "text",
    "json",
    "jsonl",
    "junit",
    "html",
    "markdown",
    "csv",
    "openmetrics",
    "nagios",
    "brief",
    "ticket",
    "github",
];

/// Every document of an instance as a bundle, with a secret at every possible place.
const BUNDLE: &str = include_str!("../../data/instances/secrets.json");

pub(super) fn are_not_printed() -> Result<()> {
    let deviations = network(&format!(
        "{{ management: {}, faults: [ {{ to: '*:1433', action: drop }}, {{ to: '*:8443', action: drop }} ] }}",
        management()?
    ))?;
    let lab = Lab::enter(&deviations)?;
    let show = Show { lab: &lab };
    let bundle = lab.write("instance.json", BUNDLE)?;
    let plan = show.of(&["list", "--format", "json", "--no-metadata", "--instance"], &[&bundle])?;
    lab.serve(&healthy(&plan, &deviations)?)?;
    from_files(&show, &bundle)?;
    let report = from_the_instance(&show, &bundle)?;
    let other = lab.folder().join("other.json");
    fs::write(
        &other,
        fs::read_to_string(&report)?.replace("tcp-timeout", "tcp-refused"),
    )?;
    for format in ["text", "json"] {
        show.of(&["diff", "--format", format], &[&other, &report])?;
    }
    show.of(&["rules", "--no-metadata", "--report"], &[&report])?;
    Ok(())
}

/// The same documents at the management endpoint, which refuses some of them and sends the token back with it.
fn management() -> Result<Value> {
    let bundle: Map<String, Value> = serde_json::from_str(BUNDLE)?;
    let path = |key: String| if key == "service" { String::new() } else { key };
    let documents: Map<String, Value> = bundle.into_iter().map(|(key, list)| (path(key), list)).collect();
    Ok(json!({
        "documents": documents,
        "operations": { "connectivityCheck": { "result": { "connectionStatus": "Disconnected", "hops": [] } } },
        "faults": {
            "gateways": { "status": { "code": 403 } },
            "networkstatus": { "status": { "code": 500, "retry_after": 0 } },
            "products": "html",
        },
    }))
}

/// Plans, rules, and all errors about files that are truncated, duplicated, or of another kind.
fn from_files(show: &Show<'_>, bundle: &Path) -> Result<()> {
    for flags in [
        &["list"][..],
        &["rules"],
        &["rules", "--kind", "firewall", "--as", "json"],
    ] {
        show.of(&[flags, &["--no-metadata", "--instance"]].concat(), &[bundle])?;
    }
    let compact = serde_json::from_str::<Value>(BUNDLE)?.to_string();
    for (name, broken) in [
        ("cut.json", &compact[..compact.len() - 2]),
        ("half.json", &BUNDLE[..BUNDLE.len() / 2]),
        ("doubled.json", &compact.repeat(2)),
        ("two.json", &compact.replace("service/contoso", "service/fabrikam")),
        (
            "foreign.json",
            &compact.replace("Microsoft.ApiManagement", "Microsoft.Web"),
        ),
        (
            "bracket.json",
            &compact.replacen("\"properties\":{", "\"properties\":[", 3),
        ),
        ("text.json", &format!("{SECRET}-alone")),
    ] {
        let file = show.lab.write(name, broken)?;
        show.of(
            &["list", "--no-metadata", "--instance"],
            &[bundle, Path::new("--instance"), &file],
        )?;
        for flag in [
            "--network-status",
            "--dependencies",
            "--effective-nsg",
            "--effective-routes",
            "--service-tags",
        ] {
            show.of(&["list", "--no-metadata", flag], &[&file])?;
        }
    }
    Ok(())
}

/// A run in every format, with the instance's own results for what is blocked; returns the JSON.
fn from_the_instance(show: &Show<'_>, bundle: &Path) -> Result<PathBuf> {
    let report = |format: &str| show.lab.folder().join(format!("report.{format}"));
    let ca = show.lab.ca_file()?;
    let mut agent = show.lab.agent(AGENT)?;
    agent.args(["run", "-vv", "--timeout", "300ms", "--confirm"]);
    agent.args(["--service", INSTANCE, "--instance"]).arg(bundle);
    agent.arg("--ca-file").arg(&ca).arg("--management-ca-file").arg(&ca);
    for format in FORMATS {
        agent.arg("-o").arg(format!("{format}:{}", report(format).display()));
    }
    let (_, stderr) = run(agent)?;
    ensure!(
        stderr.contains("may not read its self-hosted gateways"),
        "the token was never sent to the endpoint:\n{stderr}"
    );
    for format in FORMATS {
        let text = fs::read_to_string(report(format)).with_context(|| format.to_owned())?;
        ensure!(
            format == "nagios" || text.contains("orders.example"),
            "{format} does not say what is blocked:\n{text}"
        );
        holds_nothing(&text, format)?;
    }
    Ok(report("json"))
}

/// Runs the agent and checks its output.
struct Show<'a> {
    lab: &'a Lab,
}

impl Show<'_> {
    /// Returns its stdout.
    fn of(&self, flags: &[&str], files: &[&Path]) -> Result<String> {
        let mut agent = self.lab.agent(AGENT)?;
        agent.args(flags).args(files);
        Ok(run(agent)?.0)
    }
}

/// Returns its stdout and stderr.
fn run(mut agent: Command) -> Result<(String, String)> {
    agent
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null());
    let said = agent.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
    holds_nothing(&stdout, &format!("stdout of {agent:?}"))?;
    holds_nothing(&stderr, &format!("stderr of {agent:?}"))?;
    ensure!(!stderr.contains("panicked"), "{stderr}");
    Ok((stdout, stderr))
}

fn holds_nothing(text: &str, place: &str) -> Result<()> {
    // Hosts are shown in lower case.
    let lower = text.to_lowercase();
    for secret in TOKEN.into_iter().chain([SECRET]) {
        ensure!(
            !lower.contains(&secret.to_lowercase()),
            "{secret} is in {place}:\n{text}"
        );
    }
    Ok(())
}
