//! A running `watch` in a lab, and its output line by line.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe_lab::{Lab, LabNetwork, network::InjectedFault, whole_catalog};

use crate::AGENT;

/// Time limit for everything here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A catalog's two endpoints.
pub(crate) const WEB_AND_SQL: &str = "{ host: web.example, port: 443, protocol: https }
{ host: sql.example, port: 1433, protocol: tds }";
/// A fault that drops SQL.
pub(crate) const SQL_SILENT: &str = "{ to: 'sql.example:1433', action: drop }";
/// The additional time that a busy machine may take.
pub(crate) const SLACK: Duration = Duration::from_millis(700);

/// A network with an agent in it.
pub(crate) struct TestNetwork {
    lab: Lab,
    network: LabNetwork,
    flags: Vec<String>,
}

impl TestNetwork {
    /// A network that serves every endpoint of a catalog, with deviations in YAML.
    pub(crate) fn start(endpoints: &str, deviations: &str) -> Result<Self> {
        let endpoints: String = endpoints.lines().flat_map(|line| ["- ", line.trim(), "\n"]).collect();
        let deviations: LabNetwork = serde_yaml::from_str(deviations).context("the network")?;
        let lab = Lab::enter(&deviations)?;
        let catalog = lab
            .write("probes.yaml", &whole_catalog(&endpoints))?
            .display()
            .to_string();
        let mut flags = ["--no-builtin", "--probes", &catalog, "--no-metadata"]
            .map(String::from)
            .to_vec();
        let network = lab.serve_plan(AGENT, &flags, &deviations)?;
        flags.extend(["--ca-file".into(), lab.ca_file()?.display().to_string()]);
        Ok(Self { lab, network, flags })
    }

    /// A command of the agent with further flags.
    pub(crate) fn command(&self, name: &str, flags: &[&str]) -> Result<Command> {
        let mut command = self.lab.agent(AGENT)?;
        command.arg(name).args(&self.flags).args(flags);
        Ok(command)
    }

    /// Starts `watch` with further flags.
    pub(crate) fn watch(&self, flags: &[&str]) -> Result<WatchingAgent> {
        WatchingAgent::start(self.command("watch", flags)?)
    }

    /// Adds a fault, such as `{ to: "sql.example:1433", action: drop }`.
    pub(crate) fn fault(&self, fault: &str) -> Result<()> {
        let fault: InjectedFault = serde_yaml::from_str(fault).context("the fault")?;
        self.lab.fault(&self.network, vec![fault])
    }

    /// How many flows there were to a host and port so far.
    pub(crate) fn flows_to(&self, host: &str, port: u16) -> usize {
        let addresses = self.network.addresses(host);
        let is_there =
            |destination: (std::net::Ipv4Addr, u16)| addresses.contains(&destination.0.into()) && destination.1 == port;
        self.lab
            .flows()
            .iter()
            .filter(|flow| is_there(flow.destination))
            .count()
    }

    /// The addresses of a name.
    pub(crate) fn addresses(&self, host: &str) -> Vec<String> {
        let addresses = self.network.addresses(host);
        addresses.into_iter().map(|address| address.to_string()).collect()
    }

    /// Removes all faults.
    pub(crate) fn repair(&self) -> Result<()> {
        self.lab.lift_faults()
    }

    /// Writes a file on the VM, and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        Ok(self.lab.write(name, text)?.display().to_string())
    }

    /// A path on the VM.
    pub(crate) fn path(&self, name: &str) -> String {
        self.lab.folder().join(name).display().to_string()
    }
}

/// A running `watch`.
pub(crate) struct WatchingAgent {
    child: Child,
    lines: Receiver<String>,
    stderr: thread::JoinHandle<String>,
}

/// How a `watch` ended.
pub(crate) struct WatchResult {
    /// The exit status.
    pub status: Option<i32>,
    /// Its remaining output on stdout.
    pub rest: String,
    /// Its output on stderr.
    pub stderr: String,
}

impl WatchingAgent {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout.expect("stdout is piped"))
                .lines()
                .map_while(Result::ok)
            {
                let _ = said.send(line);
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.expect("stderr is piped").read_to_string(&mut text);
            text
        });
        Ok(Self { child, lines, stderr })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads up to the next line that contains all of these words; returns it, and how long it took to appear.
    pub(crate) fn expect(&self, words: &[&str]) -> Result<(String, Duration)> {
        let asked = Instant::now();
        let mut passed = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(asked.elapsed())) {
                Ok(line) if words.iter().all(|word| line.contains(word)) => return Ok((line, asked.elapsed())),
                Ok(line) => passed.push(line),
                Err(error) => bail!("no line with {words:?}: {error}; instead:\n{}", passed.join("\n")),
            }
        }
    }

    /// The next line within a time, if there is one.
    pub(crate) fn line_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// Ends it with SIGINT, like Ctrl-C.
    pub(crate) fn interrupt(self) -> Result<WatchResult> {
        let done = Command::new("kill").args(["-INT", &self.id().to_string()]).status()?;
        ensure!(done.success(), "kill -INT");
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<WatchResult> {
        let asked = Instant::now();
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(asked.elapsed())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill()?;
                    bail!("it goes on and on, and says:\n{}", rest.join("\n"));
                }
            }
        }
        Ok(WatchResult {
            status: self.child.wait()?.code(),
            rest: rest.join("\n"),
            stderr: self.stderr.join().unwrap_or_default(),
        })
    }
}
