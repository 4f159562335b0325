//! Enters new namespaces: a user namespace for the privileges, and network and mount namespaces for the VM.
//!
//! Everything here must happen before the process has a second thread (`unshare(CLONE_NEWUSER)` requires this), which
//! is why a test binary starts itself again for every scenario.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::{getegid, geteuid},
};

use crate::network::Vm;

const NOTHING: Option<&str> = None;

/// The VM's own files, on a file system that only this process and its children see.
#[derive(Debug)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// The path of a file with this name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Enters new user, network and mount namespaces, and covers the files that configure a resolver.
pub(crate) fn enter(vm: &Vm, resolv_conf: &str) -> Result<Files> {
    let resolv_conf_path = resolv_conf_path()?;
    own_users()?;
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("unshare of network and mounts")?;
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING).context("making mounts private")?;

    let files = Files {
        root: std::env::temp_dir().join("apim-probe-lab"),
    };
    fs::create_dir_all(&files.root).context("making a mount point")?;
    tmpfs(&files.root)?;
    cover_resolved(vm.systemd_resolv_conf.as_deref(), &resolv_conf_path)?;
    cover(&files.write("resolv.conf", resolv_conf)?, &resolv_conf_path)?;
    cover_firmware(&vm.firmware)?;
    if Path::new("/etc/hosts").exists() {
        let hosts = format!("127.0.0.1 localhost\n{}", vm.hosts_file);
        cover(&files.write("hosts", &hosts)?, Path::new("/etc/hosts"))?;
    }
    Ok(files)
}

/// Allows as many descriptors as the hard limit, and returns the soft limit that was in force.
pub(crate) fn raise_descriptor_limit() -> Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("reading the descriptor limit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the descriptor limit")?;
    Ok(soft)
}

/// Maps this user to root inside the namespace. Real root does not need this if user namespaces are disabled.
fn own_users() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    match unshare(CloneFlags::CLONE_NEWUSER) {
        Ok(()) => {
            fs::write("/proc/self/setgroups", "deny").context("giving up supplementary groups")?;
            fs::write("/proc/self/uid_map", format!("0 {user} 1")).context("mapping the user")?;
            fs::write("/proc/self/gid_map", format!("0 {group} 1")).context("mapping the group")
        }
        Err(_) if user.is_root() => Ok(()),
        Err(error) => Err(error).context("unshare of users"),
    }
}

/// The file behind `/etc/resolv.conf`, which need not exist if it is a link into `/run/systemd/resolve`.
fn resolv_conf_path() -> Result<PathBuf> {
    let path = Path::new("/etc/resolv.conf");
    match fs::read_link(path) {
        Ok(link) => Ok(normal(&Path::new("/etc").join(link))),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(path.to_owned()),
        Err(error) => Err(error).context("looking at /etc/resolv.conf"),
    }
}

/// Removes `..` from an absolute path without using the file system: the target may not exist.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut whole, part| {
        if part == std::path::Component::ParentDir {
            whole.pop();
        } else {
            whole.push(part);
        }
        whole
    })
}

/// Hides the servers behind systemd-resolved's stub, and creates the file that `/etc/resolv.conf` may link to.
fn cover_resolved(upstream: Option<&str>, resolv_conf: &Path) -> Result<()> {
    let folder = Path::new("/run/systemd/resolve");
    if upstream.is_some() && !folder.exists() {
        fs::create_dir_all(folder).context("making /run/systemd/resolve: the machine has no systemd-resolved")?;
    }
    if !folder.exists() {
        return Ok(());
    }
    tmpfs(folder)?;
    if let Some(text) = upstream {
        fs::write(folder.join("resolv.conf"), text).context("writing what systemd-resolved knows")?;
    }
    if resolv_conf.starts_with(folder) && !resolv_conf.exists() {
        fs::write(resolv_conf, "").context("making the target of /etc/resolv.conf")?;
    }
    Ok(())
}

/// Replaces this machine's DMI data with the VM's.
fn cover_firmware(firmware: &BTreeMap<String, String>) -> Result<()> {
    let classes = Path::new("/sys/class");
    if !classes.exists() {
        return if firmware.is_empty() {
            Ok(())
        } else {
            Err(anyhow!("there is no /sys/class to cover"))
        };
    }
    tmpfs(classes)?;
    let folder = classes.join("dmi/id");
    fs::create_dir_all(&folder).context("making a place for the firmware")?;
    for (name, text) in firmware {
        fs::write(folder.join(name), text).context("writing what the firmware says")?;
    }
    Ok(())
}

fn tmpfs(at: &Path) -> Result<()> {
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), NOTHING)
        .with_context(|| format!("mounting a tmpfs on {}", at.display()))
}

fn cover(with: &Path, what: &Path) -> Result<()> {
    if !what.exists() {
        return Err(anyhow!("there is no {} to cover", what.display()));
    }
    mount(Some(with), what, NOTHING, MsFlags::MS_BIND, NOTHING).with_context(|| format!("covering {}", what.display()))
}
