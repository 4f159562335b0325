//! Signals at random moments: in every phase, `run` and `watch` end with a valid report that says whether it is
//! complete, and `serve` ends with a complete log.
//!
//! `LAB_SIGNALS=1000` tries that many; each test prints how long it took to end.

use std::{
    env,
    fs::{self, File},
    path::Path,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe::model::Report;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{AgentTest, TestVm};

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "random-signals/run-leaves-a-valid-report",
        catalog: None,
        network: || WAITING.to_owned(),
        check: |vm| at_any_moment(vm, "run", Duration::from_millis(2_100)),
    },
    AgentTest {
        name: "random-signals/watch-leaves-a-valid-report",
        catalog: None,
        network: || WAITING.to_owned(),
        check: |vm| at_any_moment(vm, "watch", Duration::from_millis(3_500)),
    },
    AgentTest {
        name: "random-signals/serve-ends-with-a-complete-log",
        catalog: None,
        network: || WAITING.to_owned(),
        check: |vm| at_any_moment(vm, "serve", Duration::from_millis(2_600)),
    },
    AgentTest {
        name: "random-signals/second-signal-ends-at-once",
        catalog: None,
        network: || WAITING.to_owned(),
        check: |vm| {
            // stdout is not read, and gets more than a pipe can hold: after one signal the agent waits up to a second
            // for a reader.
            let mut agent = vm.agent("run", &["--format", "json", "--timeout", "1s"])?;
            let mut child = agent.stderr(Stdio::null()).spawn()?;
            wait_until_it_listens(&child)?;
            for pause in [0, 120] {
                thread::sleep(Duration::from_millis(pause));
                send(&child, Signal::SIGTERM)?;
            }
            let second = Instant::now();
            let status = child.wait()?;
            ensure!(status.code() == Some(130), "{status}");
            ensure!(second.elapsed() < Duration::from_millis(800), "{:?}", second.elapsed());
            Ok(())
        },
    },
];

/// Some services reply and some do not, so that every run lasts for its timeout, and a name server is slow.
const WAITING: &str = "
name_servers: [ { address: 10.2.0.10 }, { address: 10.2.0.11, udp: { delayed: 300 } } ]
faults: [ { to: '*:1433', action: drop }, { to: '*:1886', action: drop } ]
services: { '*:80': { pacing: { segment_bytes: 400, interval_ms: 150 } } }";

/// How many moments are tried by default.
const MOMENTS: u32 = 12;

fn at_any_moment(vm: &TestVm, command: &str, span: Duration) -> Result<()> {
    let moments = env::var("LAB_SIGNALS").ok().and_then(|count| count.parse().ok());
    let moments: u32 = moments.unwrap_or(MOMENTS);
    let mut ends = Vec::new();
    for number in 0..moments {
        // Spread evenly, and in an order that does not match the phases of a run.
        let moment = span.mul_f64((f64::from(number) * 0.618_034).fract());
        let signal = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP][number as usize % 3];
        let one = if command == "serve" { one_service } else { one };
        let took = one(vm, command, moment, signal).with_context(|| format!("{signal} after {moment:?}"))?;
        ends.extend(took);
    }
    ensure!(
        ends.len() * 2 > moments as usize,
        "most runs were over before their signal"
    );
    ends.sort();
    let at = |share: usize| ends.get((ends.len() - 1) * share / 100).copied().unwrap_or_default();
    println!(
        "{command}: {} of {moments} ended by a signal; until the end 50 % {:?}, 99 % {:?}, all {:?}",
        ends.len(),
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}

/// Sends a signal to a run; returns how long it took to end, or `None` if it had already ended.
fn one(vm: &TestVm, command: &str, moment: Duration, signal: Signal) -> Result<Option<Duration>> {
    let file = vm.lab.folder().join("report.json");
    let said = vm.lab.folder().join("said");
    let _ = fs::remove_file(&file);
    let mut agent = vm.agent(command, &["--timeout", "2s", "-o", &file.display().to_string()])?;
    agent.stdout(Stdio::null()).stderr(File::create(&said)?);
    let mut child = agent.spawn().context("starting the agent")?;
    wait_until_it_listens(&child)?;
    thread::sleep(moment);
    if let Some(status) = child.try_wait()? {
        ensure!(status.code() == Some(1), "it was over before, with {status}");
        return Ok(None);
    }
    send(&child, signal)?;
    let sent = Instant::now();
    let status = child.wait()?;
    let took = sent.elapsed();
    is_partial(&file, status).with_context(|| fs::read_to_string(&said).unwrap_or_default())?;
    Ok(Some(took))
}

/// Sends a signal to `serve`; returns how long it took to end. SIGHUP makes it reload, and the signal that ends it
/// follows shortly afterwards.
fn one_service(vm: &TestVm, command: &str, moment: Duration, signal: Signal) -> Result<Option<Duration>> {
    let log = vm.lab.folder().join("log");
    let _ = fs::remove_file(&log);
    let shown = log.display().to_string();
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--interval",
        "700ms",
        "--timeout",
        "2s",
        "--log",
        &shown,
    ];
    let mut agent = vm.agent(command, &flags)?;
    let said = vm.lab.folder().join("said");
    agent.stdout(Stdio::null()).stderr(File::create(&said)?);
    let mut child = agent.spawn().context("starting the agent")?;
    wait_until_it_listens(&child)?;
    thread::sleep(moment);
    let words = || fs::read_to_string(&said).unwrap_or_default();
    if signal == Signal::SIGHUP {
        send(&child, signal).with_context(words)?;
        thread::sleep(moment / 20);
        ensure!(child.try_wait()?.is_none(), "SIGHUP ended it:\n{}", words());
        send(&child, Signal::SIGTERM).with_context(words)?;
    } else {
        send(&child, signal).with_context(words)?;
    }
    let sent = Instant::now();
    let status = child.wait()?;
    ensure!(status.code() == Some(0), "{status}\n{}", words());
    // Every line in the log is complete; the file does not exist if it was not opened yet.
    for line in fs::read_to_string(&log).unwrap_or_default().split_inclusive('\n') {
        let line: serde_json::Value = serde_json::from_str(line).with_context(|| format!("{line:?}"))?;
        ensure!(line["Event"].is_string(), "{line}");
    }
    Ok(Some(sent.elapsed()))
}

fn is_partial(file: &Path, status: ExitStatus) -> Result<()> {
    let report: Report = serde_json::from_slice(&fs::read(file).context("there is no report")?)?;
    match status.code() {
        Some(130) => Ok(()),
        // It had just been completed.
        Some(1) if report.complete => Ok(()),
        _ => bail!("{status}, and the report says that it is complete: {}", report.complete),
    }
}

/// Waits until the agent has installed its signal handlers, which is the first thing that it does.
fn wait_until_it_listens(child: &Child) -> Result<()> {
    let process = format!("/proc/{}", child.id());
    let started = Instant::now();
    let has = |status: &str, set: &str, signal: Signal| {
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix(set))
            .unwrap_or_default();
        u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
    };
    loop {
        let is_agent = fs::read_link(format!("{process}/exe")).is_ok_and(|exe| exe == Path::new(super::AGENT));
        let status = fs::read_to_string(format!("{process}/status")).unwrap_or_default();
        let kept = ["SigBlk:", "SigCgt:"]
            .iter()
            .any(|set| has(&status, set, Signal::SIGTERM));
        if is_agent && kept {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(20),
            "it never began to listen:\n{status}"
        );
        thread::sleep(Duration::from_micros(500));
    }
}

fn send(child: &Child, signal: Signal) -> Result<()> {
    kill(Pid::from_raw(i32::try_from(child.id())?), signal).context("it was over")
}
