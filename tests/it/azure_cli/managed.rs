//! The agent on a VM that is there, by a managed run command.

use std::{fs, os::unix::process::CommandExt, path::PathBuf};

use super::{Azure, Ended, VM, agent, await_call, interrupt, walk};

fn managed(azure: &Azure, more: &[&str]) -> Ended {
    let mut arguments = vec!["--vm", VM, "--storage-account", "st1", "--container", "probe"];
    arguments.extend(more);
    azure.run("managed-run.sh", &arguments)
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
    assert!(!create.contains("--output-blob-uri"), "{create}");
    assert_deletes_the_command_first(&azure);
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
        ended.out.contains("BLOCKED")
            && ended
                .out
                .contains("come back: this VM does not reach the storage account"),
        "{}",
        ended.out
    );
    assert!(!azure.read("calls").contains("blob upload"));
}

/// Only some failures of curl mean that there is no way to Storage.
#[test]
fn why_curl_failed_is_told() {
    for (failure, said) in [
        ("6 000 0.000000", "this VM does not reach the storage account"),
        ("7 000 0.000000", "this VM does not reach the storage account"),
        ("28 000 0.000000", "this VM does not reach the storage account"),
        ("35 000 0.000000", "this VM does not reach the storage account"),
        ("22 403 0.051000", "Storage answers HTTP 403"),
        ("22 404 0.051000", "Storage answers HTTP 404"),
        ("23 200 0.051000", "curl cannot write here"),
        ("28 200 0.051000", "curl ended with 28"),
        ("28 000 0.051000", "curl ended with 28"),
        ("60 000 0.000000", "the certificate that answers is not trusted"),
        ("127", "this VM has no curl"),
    ] {
        let azure = Azure::new();
        azure.write("fail/curl", &format!("{failure}\n"));
        let ended = managed(&azure, &[]);
        assert_eq!(ended.status, Some(4), "{failure}: {}", ended.err);
        assert_eq!(ended.out, format!("the agent cannot be fetched: {said}\n"), "{failure}");
        assert!(!ended.err.contains("Azure says"), "{failure}: {}", ended.err);

        // Beside the longest answer it leaves everything to be seen.
        let azure = Azure::new();
        let answer = format!("{}\n", "x".repeat(3999));
        azure.write("agent-says", &answer);
        azure.write("fail/curl-to", &format!("{failure}\n"));
        let ended = managed(&azure, &[]);
        assert_eq!(ended.status, Some(1), "{failure}: {}", ended.err);
        assert_eq!(
            ended.out,
            format!("{answer}no reports come back: {said}\napim-probe ended with 1\n")
        );
    }
}

/// Azure makes that blob from the VM, and runs nothing where it cannot.
#[test]
fn an_output_blob_is_for_vms_that_reach_storage() {
    let azure = Azure::new();
    let ended = managed(&azure, &["--output-blob"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    let printed = azure.read("apim-probe-reports/output.txt");
    assert!(
        printed.starts_with("BLOCKED") && printed.ends_with("ended with 1\n"),
        "{printed}"
    );
    assert_eq!(walk(&azure.path("blobs")).count(), 0);

    let azure = Azure::new();
    azure.write("fail/curl", "");
    let ended = managed(&azure, &["--output-blob"]);
    assert_eq!(ended.status, Some(4));
    assert!(
        ended
            .err
            .contains("Azure says: Failed: the output blob cannot be created"),
        "{}",
        ended.err
    );
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
    assert_deletes_the_command_first(&azure);
    assert_eq!(walk(&azure.path("blobs")).count(), 0);
}

/// What still runs on the VM could write a blob again that is deleted before it.
fn assert_deletes_the_command_first(azure: &Azure) {
    let calls = azure.calls();
    let at = |command: &str| calls.iter().position(|call| call.starts_with(command));
    let (command, blob) = (at("vm run-command delete "), at("storage blob delete "));
    assert!(command.is_some() && command < blob, "{calls:#?}");
}
