//! The scripts that bring the agent to a VM, with a fake Azure CLI that records its calls, keeps blobs, and
//! immediately runs what is sent to a VM.

mod application;
mod guide;
mod help;
mod managed;
mod pipeline;
mod throwaway;

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

const SUBNET: &str =
    "/subscriptions/s-1/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/apim";
const VM: &str = "/subscriptions/s-1/resourceGroups/rg-vm/providers/Microsoft.Compute/virtualMachines/vm-1";

/// A folder from which the fake az reads its replies and to which it writes its calls.
struct Azure {
    folder: TempDir,
}

impl Azure {
    /// A subnet with a NAT gateway, and an agent that finds SQL blocked.
    fn new() -> Self {
        let azure = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["replies", "fail", "hang", "blobs"] {
            fs::create_dir(azure.path(folder)).unwrap();
        }
        azure.write("calls", "");
        azure.write("agent-output", "BLOCKED  1 of 7 required dependencies\n");
        azure.write("agent-status", "1\n");
        azure.write("replies/network-vnet-show", "westeurope\n");
        azure.write("replies/storage-account-keys-list", "c2VjcmV0\n");
        azure.write("replies/vm-show", "westeurope\n");
        for nothing in [
            "sig-show",
            "sig-gallery-application-show",
            "sig-gallery-application-version-show",
        ] {
            azure.write(&format!("fail/{nothing}"), "ERROR: ResourceNotFound\n");
        }
        azure.subnet("-", "-", "/x/natGateways/nat-hub", "false");
        azure
    }

    fn subnet(&self, delegation: &str, table: &str, nat: &str, default_outbound: &str) {
        let says = format!("10.1.0.0/24\n{delegation}\n{table}\n{nat}\n{default_outbound}\n");
        self.write("replies/network-vnet-subnet-show", &says);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The agent where a package would install it on the VM.
    fn install_agent(&self) {
        fs::create_dir(self.path("bin")).unwrap();
        fs::copy(agent(), self.path("bin/apim-probe")).unwrap();
    }

    /// A program that uses the fake az, curl and agent.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/azure-cli");
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}:{}", data.display(), self.path("bin").display());
        let mut command = Command::new(program);
        command
            .env("AZ", self.folder.path())
            .env("PATH", path)
            .env_remove("AZURE_STORAGE_KEY");
        // Reports are written to the working directory.
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let mut script = self.command(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name));
        script.args(arguments);
        script
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        let mut script = self.script(name, &["--agent", &agent()]);
        Finished::new(&script.args(arguments).output().unwrap())
    }

    /// The commands that were given, each with its arguments.
    fn calls(&self) -> Vec<String> {
        self.read("calls").lines().map(String::from).collect()
    }

    /// The first call of a command.
    fn call(&self, command: &str) -> String {
        let calls = self.calls();
        let call = calls.iter().find(|call| call.starts_with(command));
        call.unwrap_or_else(|| panic!("no {command} in {calls:#?}")).clone()
    }

    /// Waits until a command is called; `alive` fails if no process is left to call it.
    fn wait_for(&self, command: &str, mut alive: impl FnMut()) {
        while !self.calls().iter().any(|call| call.starts_with(command)) {
            alive();
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The commands that were called, each once, without their arguments: the steps of a script.
    fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        for call in self.calls() {
            let step = call.split(" --").next().unwrap().to_string();
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// The calls that change something: all except those that read.
    fn changes(&self) -> Vec<String> {
        let looks = |call: &String| {
            ["show", "exists", "keys list", "generate-sas"]
                .iter()
                .any(|word| call.contains(&format!(" {word} ")))
        };
        self.calls().into_iter().filter(|call| !looks(call)).collect()
    }

    /// Whether the last action deletes the group that was created first.
    fn assert_deleted(&self) {
        let changes = self.changes();
        let group = changes[0].split_whitespace().nth(3).unwrap();
        assert!(
            changes[0].starts_with(&format!("group create --name {group} ")),
            "{changes:#?}"
        );
        assert!(group.starts_with("apim-probe-throwaway-"), "{group}");
        let last = changes.last().unwrap();
        assert!(
            last.starts_with(&format!("group delete --name {group} --yes ")),
            "{changes:#?}"
        );
    }
}

impl Drop for Azure {
    /// An argument that az does not accept would go unnoticed if a script continues after a failure.
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(self.read("refused"), "");
        }
    }
}

struct Finished {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Finished {
    fn new(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn agent() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/azure-cli/agent").into()
}

#[test]
fn bad_flags_are_refused_without_calling_az() {
    for (script, arguments) in [
        ("throwaway-vm.sh", vec!["--subnet", "apim"]),
        ("throwaway-vm.sh", vec!["--region", "westeurope"]),
        ("throwaway-vm.sh", vec!["--subnet"]),
        ("managed-run.sh", vec!["--vm", VM, "--storage-account", "st1"]),
        ("managed-run.sh", vec!["--vm", "vm-1", "--installed"]),
        ("managed-run.sh", vec!["--vm", VM, "--installed", "--output-blob"]),
        (
            "managed-run.sh",
            vec!["--vm", VM, "--installed", "--region", "westeurope"],
        ),
        ("vm-application.sh", vec!["--gallery", "gal"]),
    ] {
        let azure = Azure::new();
        let ended = azure.run(script, &arguments);
        assert_eq!(ended.status, Some(2), "{arguments:?}: {}", ended.err);
        assert_eq!(azure.calls(), Vec::<String>::new());
    }
}

#[test]
fn resource_ids_are_accepted_in_any_case() {
    let azure = Azure::new();
    let vm = VM
        .replace("resourceGroups", "resourcegroups")
        .replace("Microsoft.Compute", "microsoft.compute");
    let ended = azure.run(
        "managed-run.sh",
        &["--vm", &vm, "--storage-account", "st1", "--container", "probe"],
    );
    assert_eq!(ended.status, Some(1), "{}", ended.err);

    let subnet = SUBNET
        .replace("resourceGroups", "RESOURCEGROUPS")
        .replace("/subnets/", "/Subnets/");
    let ended = azure.run("throwaway-vm.sh", &["--subnet", &subnet, "--yes"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    let network = subnet.strip_suffix("/Subnets/apim").unwrap();
    let calls = azure.read("calls");
    assert!(
        calls.contains(&format!("network vnet show --ids {network} ")),
        "{calls}"
    );
}

/// az itself would use the account in a connection string instead of the given one.
#[test]
fn environment_does_not_override_the_storage_account() {
    let application = "--resource-group rg --gallery gal --location westeurope --storage-account st1 --container probe --version 1.2.3";
    let managed = format!("--vm {VM} --storage-account st1 --container probe");
    let throwaway = format!("--subnet {SUBNET} --yes");
    for (script, flags, status) in [
        ("vm-application.sh", application, 0),
        ("managed-run.sh", &managed, 1),
        ("throwaway-vm.sh", &throwaway, 1),
    ] {
        for setting in [
            "AZURE_STORAGE_CONNECTION_STRING",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_STORAGE_AUTH_MODE",
        ] {
            let azure = Azure::new();
            let mut command = azure.script(script, &["--agent", &agent()]);
            command
                .args(flags.split(' '))
                .env("AZURE_STORAGE_KEY", "c2VjcmV0")
                .env(setting, "another");
            let ended = Finished::new(&command.output().unwrap());
            assert_eq!(ended.status, Some(status), "{script}, {setting}: {}", ended.err);
        }
    }
}

/// Runs a script up to a command, which hangs, and does there what Ctrl-C does: signals every process of the group.
fn interrupt_at(azure: &Azure, script: &Command, command: &str) -> Finished {
    azure.write(&format!("hang/{}", command.replace(' ', "-")), "");
    // A shell cannot catch a signal that was ignored when it started, as Ctrl-C is for tests in the background.
    let mut env = Command::new("env");
    env.arg("--default-signal=INT").arg(script.get_program());
    env.args(script.get_args());
    let mut script = in_place_of(script, env);
    script.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut running = script.spawn().unwrap();
    azure.wait_for(command, || {
        assert_eq!(running.try_wait().unwrap(), None, "it has ended before `{command}`");
    });
    let group = Pid::from_raw(running.id().try_into().unwrap());
    killpg(group, Signal::SIGINT).unwrap();
    // A program that ignores Ctrl-C, as a deletion does, may continue.
    azure.write("continue", "");
    Finished::new(&running.wait_with_output().unwrap())
}

/// Runs a script on a terminal up to a command, which hangs, and closes the terminal. Waits for the script's end, but
/// nothing reads its output; `false` if no terminal is available.
fn close_terminal_at(azure: &Azure, script: &Command, command: &str) -> bool {
    azure.write(&format!("hang/{}", command.replace(' ', "-")), "");
    let Ok(mut terminal) = in_terminal(script).stdout(Stdio::null()).spawn() else {
        eprintln!("skipped, no terminal: util-linux's script is missing");
        return false;
    };
    azure.wait_for(command, || {
        assert_eq!(terminal.try_wait().unwrap(), None, "it has ended before `{command}`");
    });
    let on_it = fs::read_to_string(format!("/proc/{0}/task/{0}/children", terminal.id())).unwrap();
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    azure.write("continue", "");
    for process in on_it.split_whitespace() {
        while is_running(process) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    true
}

/// A process that has ended may still be in the table, until its parent reaps it.
fn is_running(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

/// The same command with a terminal for stdin, stdout and stderr, without input.
fn in_terminal(script: &Command) -> Command {
    let words = [script.get_program()].into_iter().chain(script.get_args());
    let words: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
    let mut terminal = Command::new("script");
    terminal.args([
        "--quiet",
        "--return",
        "--command",
        &format!("exec {}", words.join(" ")),
        "/dev/null",
    ]);
    in_place_of(script, terminal)
}

/// A command that runs another one, with its variables, in its folder and without input.
fn in_place_of(script: &Command, mut command: Command) -> Command {
    for (name, value) in script.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .current_dir(script.get_current_dir().unwrap())
        .stdin(Stdio::null());
    command
}

fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.into_iter()
}
