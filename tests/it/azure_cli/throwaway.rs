//! A VM that is created in the subnet, used, and deleted in all cases.

use std::{fs, process::Command};

use super::{Azure, Finished, SUBNET, agent, close_terminal_at, in_terminal, interrupt_at};

const VERSION: &str = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Compute/galleries/gal/applications/apim-probe/versions/1.2.3";

fn run_throwaway(azure: &Azure, more: &[&str]) -> Finished {
    azure.run("throwaway-vm.sh", &[&["--subnet", SUBNET], more].concat())
}

#[test]
fn vm_is_created_runs_the_agent_and_is_deleted() {
    let azure = Azure::new();
    let ended = run_throwaway(&azure, &["--yes", "--", "--set", "key_vault=it's mine"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    for phrase in [
        "apim (10.1.0.0/24) of vnet-hub, westeurope",
        "the NAT gateway nat-hub",
        "a few cents",
        "BLOCKED",
    ] {
        assert!(ended.out.contains(phrase), "{phrase}: {}", ended.out);
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
    // Every command is complete, and in the same subscription.
    let calls = azure.calls();
    let vm = azure.call("vm create ");
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
fn vm_is_deleted_after_a_failure_in_any_step() {
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
        let ended = run_throwaway(&azure, &["--yes"]);
        assert!(
            !matches!(ended.status, None | Some(0 | 2)),
            "{step}: {:?}",
            ended.status
        );
        assert!(ended.err.contains("ERROR: QuotaExceeded"), "{step}: {}", ended.err);
        assert!(ended.err.contains(" is deleted"), "{step}: {}", ended.err);
        azure.assert_deleted();
    }
}

#[test]
fn failed_deletion_prints_the_delete_command() {
    let azure = Azure::new();
    azure.write("agent-status", "0\n");
    azure.write("fail/group-delete", "ERROR: ScopeLocked\n");
    let ended = run_throwaway(&azure, &["--yes"]);
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
    for (flags, steps) in flag_sets_with_steps() {
        for step in steps {
            let azure = Azure::new();
            let script = script(&azure, flags);
            let ended = interrupt_at(&azure, &script, &step);
            let changes = azure.changes();
            if changes.is_empty() {
                continue;
            }
            let ending = step.starts_with("group exists") || step.starts_with("group delete");
            assert_eq!(
                ended.status,
                Some(if ending { 1 } else { 130 }),
                "{step}: {}",
                ended.err
            );
            assert!(ended.err.contains(" is deleted"), "{step}: {}", ended.err);
            azure.assert_deleted();
        }
    }
}

#[test]
fn terminal_hangup_at_any_step_deletes_the_vm() {
    for (flags, steps) in flag_sets_with_steps() {
        for step in steps {
            let azure = Azure::new();
            if !close_terminal_at(&azure, &script(&azure, flags), &step) {
                return;
            }
            if !azure.changes().is_empty() {
                azure.assert_deleted();
            }
        }
    }
}

/// With the agent from a storage account, and as a VM Application: the flags, and all calls to Azure.
fn flag_sets_with_steps() -> [(&'static [&'static str], Vec<String>); 2] {
    [&[] as &[&str], &["--app-version-id", VERSION]].map(|flags| {
        let azure = Azure::new();
        azure.install_agent();
        let ended = Finished::new(&script(&azure, flags).output().unwrap());
        assert_eq!(ended.status, Some(1), "{}", ended.err);
        (flags, azure.steps())
    })
}

fn script(azure: &Azure, flags: &[&str]) -> Command {
    if !azure.path("bin").exists() {
        azure.install_agent();
    }
    let mut script = azure.script("throwaway-vm.sh", &["--agent", &agent(), "--subnet", SUBNET, "--yes"]);
    script.args(flags);
    script
}

#[test]
fn vm_application_needs_no_storage_account() {
    let azure = Azure::new();
    // Storage cannot be reached.
    azure.write("fail/curl", "");
    let mut script = script(&azure, &["--app-version-id", VERSION]);
    let ended = Finished::new(&script.args(["--", "--region", "westeurope"]).output().unwrap());
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.out.contains("BLOCKED"), "{}", ended.out);
    assert!(
        ended.out.contains("no storage account: the agent is a VM Application"),
        "{}",
        ended.out
    );
    let set = azure.call("vm application set ");
    assert!(
        set.contains(&format!(
            "--app-version-ids {VERSION} --treat-deployment-as-failure true"
        )),
        "{set}"
    );
    assert!(!azure.read("calls").contains("storage "), "{}", azure.read("calls"));
    azure.assert_deleted();

    let ended = run_throwaway(&azure, &["--yes", "--app-version-id", "1.2.3"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.err.contains("--app-version-id takes the resource id"),
        "{}",
        ended.err
    );
}

#[test]
fn group_that_was_never_created_is_not_reported_as_left() {
    let azure = Azure::new();
    azure.write("fail/group-create", "ERROR: AuthorizationFailed\n");
    azure.write("replies/group-exists", "false\n");
    let ended = run_throwaway(&azure, &["--yes"]);
    assert_eq!(ended.status, Some(4), "{}", ended.err);
    assert!(ended.err.contains("was never created"), "{}", ended.err);
    assert!(!azure.read("calls").contains("group delete"));
}

#[test]
fn subnet_without_egress_requires_public_ip_flag() {
    let azure = Azure::new();
    azure.subnet("-", "-", "-", "false");
    let ended = run_throwaway(&azure, &["--yes"]);
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("--public-ip"), "{}", ended.err);
    assert_eq!(azure.changes(), Vec::<String>::new());

    let ended = run_throwaway(&azure, &["--yes", "--public-ip"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.out.contains("with all inbound traffic denied"), "{}", ended.out);
    let calls = azure.read("calls");
    assert!(
        calls.contains("--public-ip-address apim-probe --public-ip-sku Standard"),
        "{calls}"
    );
    azure.assert_deleted();
}

#[test]
fn subnet_egress_path_is_described() {
    let cases = [
        ("-", "-", "null", "", "Azure's default outbound access"),
        ("-", "-", "true", "", "Azure's default outbound access"),
        ("-", "/x/nat-1", "true", "", "the NAT gateway nat-1"),
        (
            "/x/rt-hub",
            "-",
            "false",
            "VirtualAppliance\n10.2.0.4\n",
            "0.0.0.0/0 to 10.2.0.4, in the route table rt-hub",
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
        azure.write("replies/network-route-table-show", route);
        let ended = run_throwaway(&azure, &["--dry-run"]);
        assert_eq!(ended.status, Some(0), "{way}: {}", ended.err);
        assert!(ended.out.contains(way), "{way}: {}", ended.out);
    }
}

#[test]
fn unsuitable_subnet_is_refused_before_anything_is_created() {
    let dropped = Azure::new();
    dropped.subnet("-", "/x/rt-hub", "-", "true");
    dropped.write("replies/network-route-table-show", "None\n-\n");
    let delegated = Azure::new();
    delegated.subnet("Microsoft.Web/hostingEnvironments", "-", "-", "true");
    let hidden = Azure::new();
    hidden.write("fail/network-vnet-subnet-show", "ERROR: AuthorizationFailed\n");
    let no_table = Azure::new();
    no_table.subnet("-", "/x/rt-hub", "-", "true");
    no_table.write("fail/network-route-table-show", "ERROR: AuthorizationFailed\n");
    let asked = Azure::new();
    for (azure, flags, phrase) in [
        (
            dropped,
            ["--yes", "--public-ip"],
            "a public address would change nothing",
        ),
        (
            delegated,
            ["--yes", "--public-ip"],
            "delegated to Microsoft.Web/hostingEnvironments",
        ),
        (hidden, ["--yes", "--public-ip"], "cannot be read"),
        (
            no_table,
            ["--yes", "--public-ip"],
            "not known where the VM's packets would go",
        ),
        (asked, ["--size", "Standard_B1s"], "pass --yes"),
    ] {
        let ended = run_throwaway(&azure, &flags);
        assert_eq!(ended.status, Some(2), "{phrase}: {}", ended.err);
        assert!(ended.err.contains(phrase), "{phrase}: {}", ended.err);
        assert_eq!(azure.changes(), Vec::<String>::new());
    }
}

/// Status 1 would read as "blocked".
#[test]
fn unconfirmed_prompt_creates_no_vm() {
    let azure = Azure::new();
    let asks = azure.script("throwaway-vm.sh", &["--agent", &agent(), "--subnet", SUBNET]);
    // The end of the input arrives as Ctrl-D.
    let Ok(output) = in_terminal(&asks).output() else {
        eprintln!("skipped, no terminal: util-linux's script is missing");
        return;
    };
    let ended = Finished::new(&output);
    assert!(ended.out.contains("Continue?"), "{}{}", ended.out, ended.err);
    assert_eq!(ended.status, Some(2), "{}", ended.out);
    assert_eq!(azure.changes(), Vec::<String>::new());
}

#[test]
fn dry_run_prints_the_real_commands_and_runs_none() {
    let azure = Azure::new();
    let ended = run_throwaway(&azure, &["--dry-run", "--public-ip", "--", "--region", "westeurope"]);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    assert_eq!(azure.changes(), Vec::<String>::new());
    let shown: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("az ")).collect();

    let real = run_throwaway(&azure, &["--yes", "--public-ip", "--", "--region", "westeurope"]);
    assert_eq!(real.status, Some(1), "{}", real.err);
    let words = |line: &str| line.split(" --").next().unwrap().to_string();
    let given: Vec<String> = azure.changes().iter().map(|call| words(call)).collect();
    let shown: Vec<String> = shown.iter().map(|line| words(&line[3..])).collect();
    let looks = [
        "vm run-command show",
        "storage account keys list",
        "storage blob generate-sas",
    ];
    let shown: Vec<String> = shown
        .into_iter()
        .filter(|line| !looks.contains(&line.as_str()))
        .collect();
    // A failure to fetch the reports is not a failure of the run.
    let given: Vec<String> = given
        .into_iter()
        .filter(|call| call != "storage blob download")
        .collect();
    assert_eq!(shown, given);
}
