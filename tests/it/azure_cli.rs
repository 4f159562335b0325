//! The scripts that bring the agent to a VM, against a stand-in for the Azure CLI that writes down what it is asked, keeps
//! blobs, and runs on the spot what is sent to a VM.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
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

/// A folder in which the stand-in finds what to say and leaves what it was asked.
struct Azure {
    folder: TempDir,
}

impl Azure {
    /// A subnet with a NAT gateway, and an agent that finds SQL blocked.
    fn new() -> Self {
        let azure = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["say", "fail", "hang", "blobs"] {
            fs::create_dir(azure.path(folder)).unwrap();
        }
        azure.write("calls", "");
        azure.write("agent-says", "BLOCKED  1 of 7 required dependencies\n");
        azure.write("agent-status", "1\n");
        azure.write("say/network-vnet-show", "westeurope\n");
        azure.write("say/storage-account-keys-list", "c2VjcmV0\n");
        azure.write("say/vm-show", "westeurope\n");
        azure.subnet("-", "-", "/x/natGateways/nat-hub", "false");
        azure
    }

    fn subnet(&self, delegation: &str, table: &str, nat: &str, default_outbound: &str) {
        let says = format!("10.1.0.0/24\n{delegation}\n{table}\n{nat}\n{default_outbound}\n");
        self.write("say/network-vnet-subnet-show", &says);
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

    fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/azure-cli");
        let path = format!("{}:{}", data.display(), std::env::var("PATH").unwrap());
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name));
        script
            .args(arguments)
            .env("AZ", self.folder.path())
            .env("PATH", path)
            .env_remove("AZURE_STORAGE_KEY");
        // Reports go to the working directory.
        script.current_dir(self.folder.path()).stdin(Stdio::null());
        script
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Ended {
        let mut script = self.script(name, &["--agent", &agent()]);
        Ended::new(&script.args(arguments).output().unwrap())
    }

    /// The commands that were given, each with its arguments.
    fn calls(&self) -> Vec<String> {
        self.read("calls").lines().map(String::from).collect()
    }

    /// The calls that change something: all but those that look.
    fn changes(&self) -> Vec<String> {
        let looks = |call: &String| {
            ["show", "exists", "keys list"]
                .iter()
                .any(|word| call.contains(&format!(" {word} ")))
        };
        self.calls().into_iter().filter(|call| !looks(call)).collect()
    }

    /// Whether the last thing that was done is to delete the group that was made first.
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

struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
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

fn throwaway(azure: &Azure, more: &[&str]) -> Ended {
    let mut arguments = vec!["--subnet", SUBNET];
    arguments.extend(more);
    azure.run("throwaway-vm.sh", &arguments)
}

fn managed(azure: &Azure, more: &[&str]) -> Ended {
    let mut arguments = vec!["--vm", VM, "--storage-account", "st1", "--container", "probe"];
    arguments.extend(more);
    azure.run("managed-run.sh", &arguments)
}

#[test]
fn a_vm_is_made_asked_and_deleted() {
    let azure = Azure::new();
    let ended = throwaway(&azure, &["--yes", "--", "--set", "key_vault=it's mine"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    for said in [
        "apim (10.1.0.0/24) of vnet-hub, westeurope",
        "the NAT gateway nat-hub",
        "a few cents",
        "BLOCKED",
    ] {
        assert!(ended.out.contains(said), "{said}: {}", ended.out);
    }
    assert!(
        ended.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        ended.out
    );
    azure.assert_deleted();
    assert_eq!(
        fs::read_to_string(azure.path("apim-probe-reports/report.json")).unwrap(),
        "report\n"
    );
    let asked = azure.read("agent-arguments");
    assert!(asked.ends_with("--set\nkey_vault=it's mine\n"), "{asked}");
    assert!(asked.contains("--format\nbrief\n"), "{asked}");
    // Nothing of it is open, or somewhere else.
    let calls = azure.calls();
    let vm = calls.iter().find(|call| call.starts_with("vm create ")).unwrap();
    assert!(
        vm.contains("--public-ip-address  --admin-username") && vm.contains("--nsg apim-probe"),
        "{vm}"
    );
    assert!(
        calls
            .iter()
            .any(|call| call.contains("--direction Inbound --access Deny")),
        "{calls:#?}"
    );
    assert!(
        calls.iter().all(|call| call.contains("--subscription s-1")),
        "{calls:#?}"
    );
}

#[test]
fn whatever_fails_the_vm_is_deleted() {
    let steps = [
        "storage-account-create",
        "storage-account-keys-list",
        "storage-container-create",
        "network-nsg-create",
        "network-nsg-rule-create",
        "vm-create",
        "storage-blob-upload",
        "storage-blob-generate-sas",
        "vm-run-command-create",
        "vm-run-command-show",
    ];
    for step in steps {
        let azure = Azure::new();
        azure.write(&format!("fail/{step}"), "ERROR: QuotaExceeded\n");
        let ended = throwaway(&azure, &["--yes"]);
        assert!(
            !matches!(ended.status, None | Some(0 | 2)),
            "{step}: {:?}",
            ended.status
        );
        assert!(ended.err.contains("ERROR: QuotaExceeded"), "{step}: {}", ended.err);
        assert!(ended.err.contains(" is gone"), "{step}: {}", ended.err);
        azure.assert_deleted();
    }
}

#[test]
fn what_cannot_be_deleted_is_said_with_the_command() {
    let azure = Azure::new();
    azure.write("agent-status", "0\n");
    azure.write("fail/group-delete", "ERROR: ScopeLocked\n");
    let ended = throwaway(&azure, &["--yes"]);
    assert_eq!(ended.status, Some(4));
    assert!(
        ended
            .err
            .contains("is still there and costs money: az group delete --name apim-probe-throwaway-"),
        "{}",
        ended.err
    );
}

#[test]
fn ctrl_c_at_any_step_deletes_the_vm() {
    for step in [
        "group-create",
        "vm-create",
        "storage-blob-upload",
        "vm-run-command-create",
    ] {
        let azure = Azure::new();
        azure.write(&format!("hang/{step}"), "");
        let mut script = azure.script("throwaway-vm.sh", &["--agent", &agent(), "--subnet", SUBNET, "--yes"]);
        script.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut running = script.spawn().unwrap();
        await_call(
            &azure,
            &mut running,
            &step.replace('-', " ").replace("run command", "run-command"),
        );
        interrupt(&running);
        let ended = Ended::new(&running.wait_with_output().unwrap());
        assert_eq!(ended.status, Some(130), "{step}: {}", ended.err);
        assert!(ended.err.contains(" is gone"), "{step}: {}", ended.err);
        azure.assert_deleted();
    }
}

#[test]
fn a_group_that_was_never_made_is_not_called_left_over() {
    let azure = Azure::new();
    azure.write("fail/group-create", "ERROR: AuthorizationFailed\n");
    azure.write("say/group-exists", "false\n");
    let ended = throwaway(&azure, &["--yes"]);
    assert_eq!(ended.status, Some(4), "{}", ended.err);
    assert!(ended.err.contains("was never made"), "{}", ended.err);
    assert!(!azure.read("calls").contains("group delete"));
}

#[test]
fn a_subnet_without_a_way_out_asks_for_a_public_address() {
    let azure = Azure::new();
    azure.subnet("-", "-", "-", "false");
    let ended = throwaway(&azure, &["--yes"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("--public-ip"), "{}", ended.err);
    assert_eq!(azure.changes(), Vec::<String>::new());

    let ended = throwaway(&azure, &["--yes", "--public-ip"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.out.contains("closed to whatever comes in"), "{}", ended.out);
    let calls = azure.read("calls");
    assert!(
        calls.contains("--public-ip-address apim-probe --public-ip-sku Standard"),
        "{calls}"
    );
    azure.assert_deleted();
}

#[test]
fn the_way_out_is_read_from_the_subnet() {
    let cases = [
        ("-", "-", "null", "", "Azure's default outbound access"),
        ("-", "-", "true", "", "Azure's default outbound access"),
        ("-", "/x/nat-1", "true", "", "the NAT gateway nat-1"),
        (
            "/x/rt-hub",
            "-",
            "false",
            "VirtualAppliance\n10.2.0.4\n",
            "0.0.0.0/0 to 10.2.0.4, by the route table rt-hub",
        ),
        (
            "/x/rt-hub",
            "-",
            "false",
            "VirtualNetworkGateway\n-\n",
            "0.0.0.0/0 to VirtualNetworkGateway",
        ),
        (
            "/x/rt-hub",
            "/x/nat-1",
            "false",
            "Internet\n-\n",
            "the NAT gateway nat-1",
        ),
        ("/x/rt-hub", "/x/nat-1", "false", "", "the NAT gateway nat-1"),
    ];
    for (table, nat, default_outbound, route, way) in cases {
        let azure = Azure::new();
        azure.subnet("-", table, nat, default_outbound);
        azure.write("say/network-route-table-show", route);
        let ended = throwaway(&azure, &["--dry-run"]);
        assert_eq!(ended.status, Some(0), "{way}: {}", ended.err);
        assert!(ended.out.contains(way), "{way}: {}", ended.out);
    }
}

#[test]
fn nothing_is_made_in_a_subnet_that_will_not_do() {
    let dropped = Azure::new();
    dropped.subnet("-", "/x/rt-hub", "-", "true");
    dropped.write("say/network-route-table-show", "None\n-\n");
    let delegated = Azure::new();
    delegated.subnet("Microsoft.Web/hostingEnvironments", "-", "-", "true");
    let hidden = Azure::new();
    hidden.write("fail/network-vnet-subnet-show", "ERROR: AuthorizationFailed\n");
    let no_table = Azure::new();
    no_table.subnet("-", "/x/rt-hub", "-", "true");
    no_table.write("fail/network-route-table-show", "ERROR: AuthorizationFailed\n");
    let asked = Azure::new();
    for (azure, flags, said) in [
        (
            dropped,
            ["--yes", "--public-ip"],
            "a public address would change nothing",
        ),
        (
            delegated,
            ["--yes", "--public-ip"],
            "belongs to Microsoft.Web/hostingEnvironments",
        ),
        (hidden, ["--yes", "--public-ip"], "cannot be read"),
        (
            no_table,
            ["--yes", "--public-ip"],
            "where the VM's packets would go is unknown",
        ),
        (asked, ["--size", "Standard_B1s"], "pass --yes"),
    ] {
        let ended = throwaway(&azure, &flags);
        assert_eq!(ended.status, Some(2), "{said}: {}", ended.err);
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
        assert_eq!(azure.changes(), Vec::<String>::new());
    }
}

#[test]
fn a_dry_run_shows_each_command_and_gives_none() {
    let azure = Azure::new();
    let ended = throwaway(&azure, &["--dry-run", "--public-ip", "--", "--region", "westeurope"]);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    assert_eq!(azure.changes(), Vec::<String>::new());
    let shown: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("az ")).collect();

    let real = throwaway(&azure, &["--yes", "--public-ip", "--", "--region", "westeurope"]);
    assert_eq!(real.status, Some(1), "{}", real.err);
    let words = |line: &str| line.split(" --").next().unwrap().to_string();
    let given: Vec<String> = azure.changes().iter().map(|call| words(call)).collect();
    let shown: Vec<String> = shown.iter().map(|line| words(&line[3..])).collect();
    let looks = ["vm run-command show", "storage account keys list"];
    let shown: Vec<String> = shown
        .into_iter()
        .filter(|line| !looks.contains(&line.as_str()))
        .collect();
    // What is fetched after the run is no part of it.
    let given: Vec<String> = given
        .into_iter()
        .filter(|call| call != "storage blob download")
        .collect();
    assert_eq!(shown, given);
}

#[test]
fn a_managed_run_shows_the_answer_and_leaves_nothing_behind() {
    let azure = Azure::new();
    let answer = format!("{}\n", "x".repeat(3999));
    azure.write("agent-says", &answer);
    let ended = managed(&azure, &["--", "--region", "westeurope"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.out.starts_with(&answer), "{}", ended.out);
    let calls = azure.read("calls");
    let create = calls
        .lines()
        .find(|call| call.starts_with("vm run-command create"))
        .unwrap();
    assert!(
        create.contains("--output-blob-uri https://st1.blob.core.windows.net/probe/apim-probe-"),
        "{create}"
    );
    assert!(
        calls.lines().last().unwrap().starts_with("vm run-command delete "),
        "{calls}"
    );
    let left: Vec<_> = walk(&azure.path("blobs")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert!(azure.path("apim-probe-reports/report.html").exists());
}

#[test]
fn a_vm_that_does_not_reach_storage_says_so() {
    let azure = Azure::new();
    azure.write("fail/curl", "");
    let ended = managed(&azure, &[]);
    assert_eq!(ended.status, Some(4));
    assert!(
        ended.out.contains("does not reach the storage account"),
        "{}",
        ended.out
    );

    // Where the agent is there already, its answer comes all the same.
    let azure = Azure::new();
    azure.write("fail/curl", "");
    fs::create_dir(azure.path("bin")).unwrap();
    fs::copy(agent(), azure.path("bin/apim-probe")).unwrap();
    let mut script = azure.script(
        "managed-run.sh",
        &[
            "--vm",
            VM,
            "--installed",
            "--storage-account",
            "st1",
            "--container",
            "probe",
        ],
    );
    let path = script
        .get_envs()
        .find(|(name, _)| *name == "PATH")
        .unwrap()
        .1
        .unwrap()
        .to_str()
        .unwrap()
        .to_string();
    script.env("PATH", format!("{path}:{}", azure.path("bin").display()));
    let ended = Ended::new(&script.output().unwrap());
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(
        ended.out.contains("BLOCKED") && ended.out.contains("no way to Storage"),
        "{}",
        ended.out
    );
    assert!(!azure.read("calls").contains("blob upload"));
}

#[test]
fn an_agent_that_is_not_there_or_refuses_its_flags_is_shown() {
    let azure = Azure::new();
    let ended = Ended::new(
        &azure
            .script("managed-run.sh", &["--vm", VM, "--installed"])
            .output()
            .unwrap(),
    );
    assert_eq!(ended.status, Some(127), "{}", ended.err);
    assert!(
        ended.out.contains("apim-probe") && ended.out.contains("not found"),
        "{}",
        ended.out
    );
    assert!(!azure.read("calls").contains("storage"));
}

#[test]
fn ctrl_c_leaves_no_run_command_and_no_blob() {
    let azure = Azure::new();
    azure.write("hang/vm-run-command-create", "");
    let flags = [
        "--agent",
        &agent(),
        "--vm",
        VM,
        "--storage-account",
        "st1",
        "--container",
        "probe",
    ];
    let mut script = azure.script("managed-run.sh", &flags);
    let mut running = script.process_group(0).spawn().unwrap();
    await_call(&azure, &mut running, "vm run-command create");
    interrupt(&running);
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(azure.read("calls").contains("vm run-command delete"));
    assert_eq!(walk(&azure.path("blobs")).count(), 0);
}

#[test]
fn a_vm_application_is_made_and_its_blob_deleted() {
    let azure = Azure::new();
    azure.write("fail/sig-show", "ERROR: ResourceNotFound\n");
    azure.write("say/sig-gallery-application-version-create", "/x/versions/1.2.3\n");
    let flags = [
        "--resource-group",
        "rg",
        "--gallery",
        "gal",
        "--location",
        "westeurope",
        "--storage-account",
        "st1",
        "--container",
        "probe",
        "--version",
        "1.2.3",
    ];
    let ended = azure.run("vm-application.sh", &flags);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    assert!(
        ended.out.contains("--app-version-ids /x/versions/1.2.3"),
        "{}",
        ended.out
    );
    let calls = azure.calls();
    let version = calls
        .iter()
        .find(|call| call.starts_with("sig gallery-application version create"))
        .unwrap();
    assert!(
        version.contains("--package-file-name apim-probe --install-command install -m 755 apim-probe"),
        "{version}"
    );
    assert!(calls.iter().any(|call| call.starts_with("sig create ")), "{calls:#?}");
    assert!(!calls.iter().any(|call| call.contains("--as-user")), "{calls:#?}");
    assert_eq!(walk(&azure.path("blobs")).count(), 0);

    let azure = Azure::new();
    azure.write("fail/sig-gallery-application-version-create", "ERROR: Conflict\n");
    let ended = azure.run("vm-application.sh", &flags);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(!azure.read("calls").contains("sig create"), "the gallery was there");
    assert_eq!(walk(&azure.path("blobs")).count(), 0);
}

#[test]
fn bad_flags_ask_azure_nothing() {
    for (script, arguments) in [
        ("throwaway-vm.sh", vec!["--subnet", "apim"]),
        ("throwaway-vm.sh", vec!["--region", "westeurope"]),
        ("throwaway-vm.sh", vec!["--subnet"]),
        ("managed-run.sh", vec!["--vm", VM, "--storage-account", "st1"]),
        ("managed-run.sh", vec!["--vm", "vm-1", "--installed"]),
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

/// Waits until a script that runs has come to a command, which hangs.
fn await_call(azure: &Azure, running: &mut Child, command: &str) {
    while !azure.calls().iter().any(|call| call.starts_with(command)) {
        assert_eq!(running.try_wait().unwrap(), None, "it has ended before `{command}`");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What Ctrl-C does: every process of the group is told.
fn interrupt(child: &Child) {
    let group = Pid::from_raw(child.id().try_into().unwrap());
    killpg(group, Signal::SIGINT).unwrap();
}

fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> {
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
