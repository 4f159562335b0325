//! The agent on an existing VM, with a managed run command.

use std::path::PathBuf;

use super::{Azure, Finished, VM, agent, close_terminal_at, interrupt_at, walk};

const FLAGS: [&str; 6] = ["--vm", VM, "--storage-account", "st1", "--container", "probe"];

fn run_managed(azure: &Azure, more: &[&str]) -> Finished {
    azure.run("managed-run.sh", &[&FLAGS, more].concat())
}

#[test]
fn managed_run_prints_the_result_and_deletes_everything() {
    let azure = Azure::new();
    let answer = format!("{}\n", "x".repeat(3999));
    azure.write("agent-output", &answer);
    let ended = run_managed(&azure, &["--", "--region", "westeurope"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(ended.out.starts_with(&answer), "{}", ended.out);
    let create = azure.call("vm run-command create ");
    assert!(!create.contains("--output-blob-uri"), "{create}");
    assert_run_command_deleted_before_blob(&azure);
    let left: Vec<_> = walk(&azure.path("blobs")).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
    assert!(azure.path("apim-probe-reports/report.html").exists());
}

#[test]
fn storage_unreachable_from_the_vm_is_reported() {
    let azure = Azure::new();
    azure.write("fail/curl", "");
    let ended = run_managed(&azure, &[]);
    assert_eq!(ended.status, Some(4));
    assert!(ended.out.contains("cannot reach the storage account"), "{}", ended.out);

    // If the agent is already installed, its result is returned as well.
    let azure = Azure::new();
    azure.write("fail/curl", "");
    azure.install_agent();
    let mut script = azure.script("managed-run.sh", &FLAGS);
    let ended = Finished::new(&script.arg("--installed").output().unwrap());
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(
        ended.out.contains("BLOCKED")
            && ended
                .out
                .contains("reports not uploaded: this VM cannot reach the storage account"),
        "{}",
        ended.out
    );
    assert!(!azure.read("calls").contains("blob upload"));
}

/// Only some of curl's failures mean that Storage cannot be reached.
#[test]
fn curl_failure_is_explained_by_its_exit_code() {
    for (failure, message) in [
        ("6 000 0.000000", "this VM cannot reach the storage account"),
        ("7 000 0.000000", "this VM cannot reach the storage account"),
        ("28 000 0.000000", "this VM cannot reach the storage account"),
        ("35 000 0.000000", "this VM cannot reach the storage account"),
        ("22 403 0.051000", "Storage answers HTTP 403"),
        ("22 404 0.051000", "Storage answers HTTP 404"),
        ("23 200 0.051000", "curl cannot write the file"),
        ("28 200 0.051000", "curl ended with 28"),
        ("28 000 0.051000", "curl ended with 28"),
        ("60 000 0.000000", "the certificate is not trusted"),
        ("127", "this VM has no curl"),
    ] {
        let azure = Azure::new();
        azure.write("fail/curl", &format!("{failure}\n"));
        let ended = run_managed(&azure, &[]);
        assert_eq!(ended.status, Some(4), "{failure}: {}", ended.err);
        assert_eq!(
            ended.out,
            format!("the agent cannot be downloaded: {message}\n"),
            "{failure}"
        );
        assert!(!ended.err.contains("Azure reports"), "{failure}: {}", ended.err);

        // Next to the longest result, the whole message is still shown.
        let azure = Azure::new();
        let answer = format!("{}\n", "x".repeat(3999));
        azure.write("agent-output", &answer);
        azure.write("fail/curl-to", &format!("{failure}\n"));
        let ended = run_managed(&azure, &[]);
        assert_eq!(ended.status, Some(1), "{failure}: {}", ended.err);
        assert_eq!(
            ended.out,
            format!("{answer}reports not uploaded: {message}\napim-probe ended with 1\n")
        );
    }
}

/// Azure creates that blob from the VM, and runs nothing if it cannot.
#[test]
fn output_blob_requires_storage_access_from_the_vm() {
    let azure = Azure::new();
    let ended = run_managed(&azure, &["--output-blob"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    let printed = azure.read("apim-probe-reports/output.txt");
    assert!(
        printed.starts_with("BLOCKED") && printed.ends_with("ended with 1\n"),
        "{printed}"
    );
    assert_eq!(walk(&azure.path("blobs")).count(), 0);

    let azure = Azure::new();
    azure.write("fail/curl", "");
    let ended = run_managed(&azure, &["--output-blob"]);
    assert_eq!(ended.status, Some(4));
    assert!(
        ended
            .err
            .contains("Azure reports: Failed: the output blob cannot be created"),
        "{}",
        ended.err
    );
}

#[test]
fn missing_agent_gives_status_127_and_not_found() {
    let azure = Azure::new();
    let ended = Finished::new(
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
fn ctrl_c_at_any_step_deletes_run_command_and_blob() {
    for flags in [vec!["--output-blob"], vec![]] {
        let azure = Azure::new();
        assert_eq!(run_managed(&azure, &flags).status, Some(1));
        for step in azure.steps() {
            let azure = Azure::new();
            let mut script = azure.script("managed-run.sh", &FLAGS);
            script.args(["--agent", &agent()]).args(&flags);
            let ended = interrupt_at(&azure, &script, &step);
            let expected = if step.ends_with(" delete") { 1 } else { 130 };
            assert_eq!(ended.status, Some(expected), "{step}: {}", ended.err);
            let calls = azure.read("calls");
            if calls.contains("run-command create") {
                assert_run_command_deleted_before_blob(&azure);
            }
            assert_eq!(walk(&azure.path("blobs")).count(), 0, "{step}: {calls}");
        }
    }
}

#[test]
fn failed_deletions_print_working_delete_commands() {
    let azure = Azure::new();
    azure.write("fail/storage-blob-delete", "ERROR: AuthorizationPermissionMismatch\n");
    azure.write("fail/vm-run-command-delete", "ERROR: OperationNotAllowed\n");
    let ended = run_managed(&azure, &[]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    let named: Vec<&str> = ended
        .err
        .lines()
        .filter_map(|line| line.split_once("to delete it: az "))
        .map(|it| it.1)
        .collect();
    assert_eq!(named.len(), 3, "{}", ended.err);
    // Typed as shown, they work.
    for failure in ["storage-blob-delete", "vm-run-command-delete"] {
        std::fs::remove_file(azure.path(&format!("fail/{failure}"))).unwrap();
    }
    for line in named {
        assert!(line.ends_with("--subscription s-1"), "{line}");
        let mut shell = azure.command("bash");
        let typed = Finished::new(&shell.args(["-c", &format!("az {line}")]).output().unwrap());
        assert_eq!(typed.status, Some(0), "{line}: {}", typed.err);
    }
    assert_eq!(walk(&azure.path("blobs")).count(), 0);
}

#[test]
fn terminal_hangup_deletes_run_command_and_blob() {
    for step in ["storage blob upload", "vm run-command create", "storage blob download"] {
        let azure = Azure::new();
        let mut script = azure.script("managed-run.sh", &FLAGS);
        script.args(["--agent", &agent()]);
        if !close_terminal_at(&azure, &script, step) {
            return;
        }
        assert_eq!(walk(&azure.path("blobs")).count(), 0, "{step}");
        let calls = azure.read("calls");
        assert_eq!(
            calls.matches("run-command create").count(),
            calls.matches("run-command delete").count(),
            "{step}: {calls}"
        );
    }
}

fn assert_run_command_deleted_before_blob(azure: &Azure) {
    let calls = azure.calls();
    let at = |command: &str| calls.iter().position(|call| call.starts_with(command));
    let (command, blob) = (at("vm run-command delete "), at("storage blob delete "));
    assert!(command.is_some() && command < blob, "{calls:#?}");
}
