//! Watching whether a program asks the system's resolver, which reads `/etc/nsswitch.conf` first.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use apim_probe_lab::Lab;
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

const FILE: &str = "/etc/nsswitch.conf";

/// Sees every opening of the file on the lab's VM, and on no other machine.
pub(crate) struct Watch(Inotify);

impl Watch {
    /// Begins to watch; `None` where the system has no such file, and so no such resolver.
    pub(crate) fn begin(lab: &Lab) -> Result<Option<Self>> {
        if !Path::new(FILE).exists() {
            return Ok(None);
        }
        // A copy, because the original belongs to everybody on this machine.
        let copy = lab.write("nsswitch.conf", &fs::read_to_string(FILE)?)?;
        let nothing: Option<&str> = None;
        mount(Some(&copy), FILE, nothing, MsFlags::MS_BIND, nothing).context("covering nsswitch.conf")?;
        let watch = Inotify::init(InitFlags::IN_NONBLOCK)?;
        watch.add_watch(FILE, AddWatchFlags::IN_OPEN)?;
        Ok(Some(Self(watch)))
    }

    /// How often the file was opened since the last look.
    pub(crate) fn openings(&self) -> Result<usize> {
        match self.0.read_events() {
            Ok(events) => Ok(events.len()),
            Err(Errno::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
