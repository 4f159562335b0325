//! Detects whether a program uses the system's resolver, which reads `/etc/nsswitch.conf` first.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

use crate::Lab;

const FILE: &str = "/etc/nsswitch.conf";

/// Detects every opening of the file on the lab's VM only.
pub struct ResolverWatch(Inotify);

impl ResolverWatch {
    /// Starts watching; `None` if the system has no such file, and therefore no such resolver.
    ///
    /// # Errors
    ///
    /// The file cannot be covered or watched, or the watch does not see a program that does use it.
    pub fn begin(lab: &Lab) -> Result<Option<Self>> {
        if !Path::new(FILE).exists() {
            return Ok(None);
        }
        // A copy, because the original is shared by this machine.
        let copy = lab.write("nsswitch.conf", &fs::read_to_string(FILE)?)?;
        let nothing: Option<&str> = None;
        mount(Some(&copy), FILE, nothing, MsFlags::MS_BIND, nothing).context("covering nsswitch.conf")?;
        let watch = Inotify::init(InitFlags::IN_NONBLOCK)?;
        watch.add_watch(FILE, AddWatchFlags::IN_OPEN)?;
        let watch = Self(watch);
        // Checks that the watch detects a program that does use it.
        Command::new("getent")
            .args(["hosts", "login.microsoftonline.com"])
            .output()
            .context("getent")?;
        ensure!(watch.openings()? > 0, "the watch sees nothing");
        Ok(Some(watch))
    }

    /// How often any process on the VM opened the file since the last call.
    ///
    /// # Errors
    ///
    /// The kernel does not report it.
    pub fn openings(&self) -> Result<usize> {
        match self.0.read_events() {
            Ok(events) => Ok(events.len()),
            Err(Errno::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
