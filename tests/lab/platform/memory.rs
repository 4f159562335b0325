//! Which programs can read the agent's memory: those of the same user before and after it holds a token, and only root
//! while it does.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Lab;

use super::{AGENT, INSTANCE, TOKEN, network, started, token_reply};

pub(super) fn is_unreadable() -> Result<()> {
    let reply = token_reply(&TOKEN.join("."));
    let network = network(&format!(
        "link: {{ count_flows: true }}
names:
  management.azure.com: {{ addresses: [20.0.0.9] }}
  apirpsql7.database.windows.net: {{ addresses: [20.0.0.10] }}
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths:
        {reply}
  'management.azure.com:443': {{ protocol: https, pacing: {{ initial_delay_ms: 1500 }} }}
faults: [ {{ to: '*:1433', action: drop }} ]"
    ))?;
    let lab = started(&network)?;
    let mut agent = lab.agent(AGENT)?;
    agent
        .args(["run", "--only", "sql", "--set", "sql_server=apirpsql7"])
        .args(["--region", "westeurope", "--timeout", "20s", "--service", INSTANCE])
        .arg("--management-ca-file")
        .arg(lab.ca_file()?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut agent = agent.spawn()?;
    let management = ("20.0.0.9".parse()?, 443);
    let requests = || lab.flows().iter().any(|flow| flow.destination == management);
    until(
        "the management endpoint is queried, and no other program can read the memory",
        || Ok(requests() && !is_open(&lab, &agent)?),
    )?;
    until("everybody may look again", || is_open(&lab, &agent))?;
    ensure!(agent.try_wait()?.is_none(), "it was over by then");
    agent.kill()?;
    agent.wait()?;
    Ok(())
}

/// Whether a program of the same user, with the agent's privileges, can read it: proc(5) requires the same of readers
/// of `environ` as of a debugger.
fn is_open(lab: &Lab, agent: &Child) -> Result<bool> {
    let environment = format!("/proc/{}/environ", agent.id());
    let head = lab.agent("head")?.args(["-c", "1", &environment]).output()?;
    Ok(head.status.success() && !head.stdout.is_empty())
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_so().with_context(|| what.to_owned())? {
        ensure!(
            started.elapsed() < Duration::from_secs(15),
            "it never came to be that {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
