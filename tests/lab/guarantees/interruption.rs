//! Signals and deadlines in every phase of a run: while a file is read, while the report is written and not read, and
//! if no thread can be started.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{AgentTest, TestVm, catalog_of, ensure_status, json, list, text};

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "interruption/signal-while-a-file-is-read-leaves-an-incomplete-report",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
            for (number, flag) in FILES.into_iter().enumerate() {
                let signal = signals[number % signals.len()];
                let pipe = pipe(vm, number)?;
                let child = start(vm, "run", &["--format", "json", flag, &pipe.display().to_string()])?;
                let _writer = reader_is_there(&pipe)?;
                let output = end(child, signal)?;
                ensure_status(&output, 130).context(flag)?;
                let report = json(&output)?;
                ensure!(report["complete"] == false, "{flag}: the report claims to be complete");
                ensure!(report["summary"]["verdict"] == "incomplete", "{flag}: {report}");
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/report-is-redacted-even-before-the-plan-exists",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            for (number, flags) in [&[][..], &["--redact"]].into_iter().enumerate() {
                let pipe = pipe(vm, number)?;
                let shown = pipe.display().to_string();
                let file = [flags, &["--format", "json", "--instance", shown.as_str()]].concat();
                let child = start(vm, "run", &file)?;
                let _writer = reader_is_there(&pipe)?;
                let report = json(&end(child, Signal::SIGINT)?)?;
                let vantage = &report["vantage"];
                let is_plain = vantage["host"] == "vm" && vantage.to_string().contains("10.1.0.4");
                ensure!(is_plain == flags.is_empty(), "{flags:?}: {vantage}");
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/deadline-while-a-file-is-read-exits-2",
        catalog: Some(|| catalog_of(["host: a.example, port: 443, protocol: https".to_owned()])),
        network: || "{}".to_owned(),
        check: |vm| {
            for (number, flag) in FILES.into_iter().enumerate() {
                let pipe = pipe(vm, number)?;
                let shown = pipe.display().to_string();
                let output = vm.output("run", &["--deadline", "900ms", flag, &shown])?;
                ensure_status(&output, 2).context(flag)?;
                let said = text(&output.stderr);
                ensure!(
                    said.contains(&format!("cannot read {shown}")) && said.contains("deadline of 900 ms"),
                    "{flag}: {said}"
                );
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/signal-while-stdout-is-not-read-keeps-the-complete-file",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                // Files are written before stdout, which gets more than a pipe can hold.
                let file = vm.lab.folder().join(format!("{signal}.json"));
                let flags = ["--format", "json", "--timeout", "2s", "-o", &file.display().to_string()];
                let child = start(vm, "run", &flags)?;
                until("the file is there", || Ok(file.exists()))?;
                until("it waits for its reader", || waits_to_write(child.id()))?;
                send(&child, signal)?;
                let status = exit(child)?;
                ensure!(status == Some(130), "{signal}: {status:?}");
                let report: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
                ensure!(report["complete"] == true, "{signal}: it was complete by then");
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/signal-while-stdout-is-full-exits-130",
        catalog: Some(|| catalog_of(["host: a.example, port: 443, protocol: https".to_owned()])),
        network: || "{}".to_owned(),
        check: |vm| {
            for (command, flags) in [("run", &[][..]), ("watch", &[]), ("path", &["a.example"])] {
                for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                    // The pipe is full and is not read.
                    let (_reader, full) = full_pipe()?;
                    let mut agent = vm.agent(command, &[flags, &["--timeout", "2s", "--quiet"]].concat())?;
                    let child = agent.stdout(full).stderr(Stdio::null()).spawn()?;
                    until("it waits for its reader", || waits_to_write(child.id()))?;
                    send(&child, signal)?;
                    let status = exit(child)?;
                    ensure!(status == Some(130), "{command}, {signal}: {status:?}");
                }
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/sigterm-stops-serve-while-it-reads-a-file",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            for (number, flag) in [&FILES[..], &["--web-config", "--elsewhere"]]
                .concat()
                .into_iter()
                .enumerate()
            {
                let pipe = pipe(vm, number)?;
                let shown = pipe.display().to_string();
                let child = start(vm, "serve", &["--listen", "127.0.0.1:0", flag, &shown])?;
                let _writer = reader_is_there(&pipe)?;
                let output = end(child, Signal::SIGTERM)?;
                ensure_status(&output, 0).context(flag)?;
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/signal-while-the-report-is-saved-does-not-truncate-it",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            for command in ["run", "watch"] {
                let pipe = vm.lab.folder().join(format!("{command}.json"));
                ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "mkfifo");
                // It is not read until later.
                let mut reader = OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(&pipe)?;
                let shown = pipe.display().to_string();
                let flags = ["--timeout", "2s", "-o", &shown];
                let until_it_ends = ["--for", "1s"];
                let more = if command == "watch" { &until_it_ends[..] } else { &[] };
                let mut agent = vm.agent(command, &[&flags[..], more].concat())?;
                let child = agent.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
                until("it waits for its reader", || {
                    Ok(waits_to_write(child.id())? && is_begun(&reader)?)
                })?;
                send(&child, Signal::SIGTERM)?;
                thread::sleep(Duration::from_millis(300));
                let mut written = Vec::new();
                until("everything is written", || match reader.read_to_end(&mut written) {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
                    Err(error) => Err(error.into()),
                })?;
                let report: Value = serde_json::from_slice(&written).context(command)?;
                ensure!(report["complete"] == true, "{command}: it was complete by then");
                exit(child)?;
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/sighup-ends-a-run-with-a-report-unless-ignored",
        catalog: None,
        network: || SILENT.to_owned(),
        check: |vm| {
            let file = vm.lab.folder().join("report.json");
            let mut child = start(vm, "run", &["-o", &file.display().to_string()])?;
            begun(&mut child)?;
            let output = end(child, Signal::SIGHUP)?;
            ensure_status(&output, 130)?;
            let report: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
            ensure!(
                report["complete"] == false && !list(&report, "endpoints").is_empty(),
                "{report}"
            );
            // With SIGHUP ignored, as by nohup, it continues.
            let script = "trap '' HUP; { sleep 1; kill -HUP $$; } & exec \"$@\"";
            let output = vm.shell(script, &["--format", "json", "--timeout", "2s"])?;
            ensure!(json(&output)?["complete"] == true, "{}", text(&output.stderr));
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/signal-delivered-twice-still-leaves-a-report",
        catalog: None,
        network: || SILENT.to_owned(),
        check: |vm| {
            // timeout(1) signals its child, and then its child's process group.
            for signal in ["INT", "TERM"] {
                let output = vm.shell(&format!("timeout -s {signal} 1 \"$@\""), &["--format", "json"])?;
                let report = json(&output).context(signal)?;
                ensure!(
                    report["complete"] == false,
                    "{signal}: the report claims to be complete"
                );
            }
            Ok(())
        },
    },
    AgentTest {
        name: "interruption/signal-ends-watch-with-an-incomplete-report",
        catalog: None,
        network: || SILENT.to_owned(),
        check: |vm| {
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                let file = vm.lab.folder().join(format!("{signal}.json"));
                let mut child = start(vm, "watch", &["-o", &file.display().to_string()])?;
                begun(&mut child)?;
                ensure_status(&end(child, signal)?, 130)?;
                let report: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
                ensure!(report["complete"] == false, "{signal}: {report}");
            }
            let pipe = pipe(vm, 0)?;
            let child = start(vm, "watch", &["--baseline", &pipe.display().to_string()])?;
            let _writer = reader_is_there(&pipe)?;
            ensure_status(&end(child, Signal::SIGTERM)?, 130)
        },
    },
    AgentTest {
        name: "interruption/run-completes-and-obeys-signals-without-any-further-thread",
        catalog: None,
        network: || SILENT.to_owned(),
        check: |vm| {
            // No system can allocate such a stack, so no further thread can start.
            let script = "RUST_MIN_STACK=100000000000000 exec \"$@\"";
            let output = vm.shell(script, &["--format", "json", "--timeout", "1s"])?;
            ensure_status(&output, 1)?;
            ensure!(json(&output)?["complete"] == true, "{}", text(&output.stderr));
            let script = "RUST_MIN_STACK=100000000000000 timeout -s INT 1 \"$@\"";
            let output = vm.shell(script, &["--format", "json", "--timeout", "9s"])?;
            ensure!(json(&output)?["complete"] == false, "{}", text(&output.stderr));
            Ok(())
        },
    },
];

/// Every flag of a run that takes a file to read.
const FILES: [&str; 7] = [
    "--probes",
    "--network-status",
    "--dependencies",
    "--effective-nsg",
    "--effective-routes",
    "--service-tags",
    "--ca-file",
];

/// A network in which a run lasts for its whole timeout.
const SILENT: &str = "faults: [ { to: '*:443', action: drop }, { to: '*:1433', action: drop } ]";

/// A named pipe in the lab.
fn pipe(vm: &TestVm, number: usize) -> Result<PathBuf> {
    let pipe = vm.lab.folder().join(format!("pipe-{number}"));
    ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "mkfifo");
    Ok(pipe)
}

fn start(vm: &TestVm, command: &str, flags: &[&str]) -> Result<Child> {
    vm.agent(command, flags)?.spawn().context("starting the agent")
}

/// Waits until the pipe has a reader, and keeps it open without writing.
fn reader_is_there(pipe: &Path) -> Result<File> {
    let mut writer = None;
    until("the pipe has a reader", || {
        writer = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(pipe)
            .ok();
        Ok(writer.is_some())
    })?;
    writer.context("no writer")
}

/// Waits until a run writes its first line, which is when it starts to probe.
fn begun(child: &mut Child) -> Result<()> {
    child
        .stderr
        .as_mut()
        .context("no stderr")?
        .read_exact(&mut [0; 7])
        .context("it said nothing")
}

fn send(child: &Child, signal: Signal) -> Result<()> {
    kill(Pid::from_raw(i32::try_from(child.id())?), signal).context("it was over")
}

/// Sends a signal, and waits for the process to end.
fn end(child: Child, signal: Signal) -> Result<Output> {
    send(&child, signal)?;
    child.wait_with_output().context("waiting for the agent")
}

/// Waits for the end of a process whose output is not read.
fn exit(mut child: Child) -> Result<Option<i32>> {
    let mut status = None;
    until("it ends", || {
        status = child.try_wait()?;
        Ok(status.is_some())
    })?;
    Ok(status.and_then(|status| status.code()))
}

/// Both ends of a full pipe.
fn full_pipe() -> Result<(std::io::PipeReader, std::io::PipeWriter)> {
    let (reader, mut writer) = std::io::pipe()?;
    // The capacity of a pipe on Linux (pipe(7)).
    writer.write_all(&b" ".repeat(64 << 10))?;
    Ok((reader, writer))
}

/// Whether the pipe contains data.
fn is_begun(pipe: &File) -> Result<bool> {
    let mut waiting = [nix::poll::PollFd::new(pipe.as_fd(), nix::poll::PollFlags::POLLIN)];
    Ok(nix::poll::poll(&mut waiting, nix::poll::PollTimeout::ZERO)? > 0)
}

/// Whether a thread of the process is in a system call that waits to write: `poll` or `write` on stdout.
fn waits_to_write(process: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let wait = std::fs::read_to_string(thread?.path().join("wchan")).unwrap_or_default();
        if wait.contains("pipe_write") || wait.contains("do_sys_poll") || wait.contains("poll_schedule") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_so()? {
        ensure!(
            started.elapsed() < Duration::from_secs(20),
            "it never came to be that {what}"
        );
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
