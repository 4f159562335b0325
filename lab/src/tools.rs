//! The system's own tools, fed through stdin: one process per batch.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Runs `ip -batch -` in the network namespace of the calling thread.
pub(crate) fn ip(lines: &[String]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    feed(
        Command::new(tool("ip").context("iproute2 is not installed")?).args(["-batch", "-"]),
        &lines.join("\n"),
    )
}

/// Runs `nft -f -` in the network namespace of the calling thread.
pub(crate) fn nft(rules: &str) -> Result<()> {
    feed(
        Command::new(tool("nft").context("nftables is not installed")?).args(["-f", "-"]),
        rules,
    )
}

/// The path of a tool. Administrators' folders are not in an ordinary user's `PATH`.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned()))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn feed(command: &mut Command, input: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    // A tool that fails early closes its stdin; its message on stderr is more useful than this error.
    let _ = child
        .stdin
        .take()
        .context("no pipe to the tool")?
        .write_all(format!("{input}\n").as_bytes());
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{name}: {}\n{input}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
