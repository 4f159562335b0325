//! The script in the examples for pipelines.

use std::fs;

use super::{Azure, Finished, SUBNET, VM, agent, walk};

const ENVIRONMENT: [(&str, &str); 4] = [
    ("RESOURCE_GROUP", "rg-vm"),
    ("VM", "vm-1"),
    ("STORAGE_ACCOUNT", "st1"),
    ("CONTAINER", "probe"),
];

fn azure() -> Azure {
    let azure = Azure::new();
    azure.write("replies/vm-show", &format!("{VM}\n"));
    azure
}

fn run(azure: &Azure, arguments: &[&str]) -> Finished {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/run-on-vm.sh");
    let mut script = azure.command(script);
    script.args(arguments).envs(ENVIRONMENT).env("APIM_PROBE", agent());
    Finished::new(&script.output().unwrap())
}

#[test]
fn reports_are_fetched_in_every_pipeline_format() {
    let azure = azure();
    let ended = run(&azure, &["--set", "key_vault=it's $HOME", "--required-only"]);
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(
        ended.out.contains("BLOCKED") && ended.out.contains("apim-probe ended with 1"),
        "{}",
        ended.out
    );
    let asked = azure.read("agent-arguments");
    assert!(
        asked.ends_with("--set\nkey_vault=it's $HOME\n--required-only\n"),
        "{asked}"
    );
    for report in ["report.json", "report.xml", "report.html", "report.md", "report.github"] {
        assert!(
            azure.path("reports").join(report).is_file(),
            "no {report}: {}",
            ended.err
        );
    }
    assert_eq!(walk(&azure.path("blobs")).count(), 0);
}

/// As in the job: the release is unpacked, and only this script was copied from the repository.
#[test]
fn script_runs_next_to_an_unpacked_release() {
    let azure = azure();
    for folder in ["apim-probe/scripts", "examples/ci"] {
        fs::create_dir_all(azure.path(folder)).unwrap();
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(agent(), azure.path("apim-probe/apim-probe")).unwrap();
    for (from, to) in [
        ("scripts/managed-run.sh", "apim-probe/scripts/managed-run.sh"),
        ("examples/ci/run-on-vm.sh", "examples/ci/run-on-vm.sh"),
    ] {
        fs::copy(root.join(from), azure.path(to)).unwrap();
    }
    let mut script = azure.command(azure.path("examples/ci/run-on-vm.sh"));
    let ended = Finished::new(&script.args(["--service", SUBNET]).envs(ENVIRONMENT).output().unwrap());
    assert_eq!(ended.status, Some(1), "{}", ended.err);
    assert!(azure.path("reports/report.md").is_file());
}

#[test]
fn missing_variable_or_binary_gives_status_2() {
    for (name, _) in ENVIRONMENT {
        let azure = azure();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/run-on-vm.sh");
        let mut script = azure.command(script);
        script.envs(ENVIRONMENT).env("APIM_PROBE", agent()).env_remove(name);
        let ended = Finished::new(&script.output().unwrap());
        assert_eq!(ended.status, Some(2), "{name}");
        assert!(ended.err.contains(&format!("{name}: ")), "{}", ended.err);
        assert_eq!(azure.calls(), Vec::<String>::new());
    }
    let azure = azure();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/ci/run-on-vm.sh");
    let ended = Finished::new(&azure.command(script).envs(ENVIRONMENT).output().unwrap());
    assert_eq!(ended.status, Some(2));
    assert!(ended.err.contains("apim-probe/apim-probe not found"), "{}", ended.err);
}

/// Status 1 is the agent's, for something that is blocked.
#[test]
fn az_failure_gives_status_4_not_1() {
    for step in [
        "vm-show",
        "storage-blob-upload",
        "storage-blob-generate-sas",
        "vm-run-command-create",
    ] {
        let azure = azure();
        azure.write(&format!("fail/{step}"), "ERROR: AuthorizationFailed\n");
        let ended = run(&azure, &[]);
        assert_eq!(ended.status, Some(4), "{step}: {}", ended.err);
        assert!(
            ended.err.contains("ERROR: AuthorizationFailed"),
            "{step}: {}",
            ended.err
        );
        assert_eq!(walk(&azure.path("blobs")).count(), 0, "{step}");
    }
}
