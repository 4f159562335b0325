//! The agent as a VM Application, which Azure itself copies to VMs.

use super::{Azure, Finished, agent, interrupt_at, walk};

const FLAGS: &str = "--resource-group rg --gallery gal --location westeurope --storage-account st1 --container probe \
                     --version 1.2.3 --subscription s-1";

fn run_application(azure: &Azure) -> Finished {
    azure.run("vm-application.sh", &FLAGS.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn version_is_created_and_its_blob_deleted() {
    let azure = Azure::new();
    azure.write("replies/sig-gallery-application-version-create", "/x/versions/1.2.3\n");
    let ended = run_application(&azure);
    assert_eq!(ended.status, Some(0), "{}", ended.err);
    let version = azure.call("sig gallery-application version create ");
    assert!(
        version.contains("--package-file-name apim-probe --install-command install -m 755 apim-probe"),
        "{version}"
    );
    let calls = azure.calls();
    assert!(calls.iter().any(|call| call.starts_with("sig create ")), "{calls:#?}");
    assert!(!calls.iter().any(|call| call.contains("--as-user")), "{calls:#?}");
    assert!(
        calls.iter().all(|call| call.contains("--subscription s-1")),
        "{calls:#?}"
    );
    assert_eq!(walk(&azure.path("blobs")).count(), 0);

    // Its output can be typed as shown, including the deletion of everything that it created.
    assert!(ended.out.contains("costs less than a cent per month"), "{}", ended.out);
    let commands: Vec<&str> = ended
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("  az "))
        .collect();
    assert_eq!(commands.len(), 5, "{}", ended.out);
    assert!(
        commands[0].contains("--app-version-ids /x/versions/1.2.3"),
        "{}",
        commands[0]
    );
    for line in commands {
        let mut shell = azure.command("bash");
        let typed = Finished::new(&shell.args(["-c", &format!("az {line}")]).output().unwrap());
        assert_eq!(typed.status, Some(0), "{line}: {}", typed.err);
    }
    let deleted = azure.steps().split_off(azure.steps().len() - 3);
    assert_eq!(
        deleted,
        [
            "sig gallery-application version delete",
            "sig gallery-application delete",
            "sig delete"
        ]
    );
}

#[test]
fn existing_gallery_is_reused_and_existing_version_refused() {
    let azure = Azure::new();
    for there in ["sig-show", "sig-gallery-application-show"] {
        std::fs::remove_file(azure.path(&format!("fail/{there}"))).unwrap();
    }
    azure.write("fail/sig-gallery-application-version-create", "ERROR: Conflict\n");
    let ended = run_application(&azure);
    assert_eq!(ended.status, Some(4), "{}", ended.err);
    let calls = azure.read("calls");
    assert!(
        !calls.contains("sig create") && !calls.contains("sig gallery-application create"),
        "{calls}"
    );
    assert!(
        !ended.err.contains("az sig delete"),
        "the gallery was there: {}",
        ended.err
    );
    assert_eq!(walk(&azure.path("blobs")).count(), 0);

    let azure = Azure::new();
    std::fs::remove_file(azure.path("fail/sig-gallery-application-version-show")).unwrap();
    let ended = run_application(&azure);
    assert_eq!(ended.status, Some(2), "{}", ended.err);
    assert!(
        ended.err.contains("already has version 1.2.3 of apim-probe"),
        "{}",
        ended.err
    );
    assert_eq!(azure.changes(), Vec::<String>::new());
}

/// The blob is deleted; everything that stays is listed, with the commands that delete it.
#[test]
fn ctrl_c_at_any_step_deletes_the_blob_and_lists_the_rest() {
    let azure = Azure::new();
    assert_eq!(run_application(&azure).status, Some(0));
    let steps = azure.steps();
    assert!(
        steps.contains(&"sig gallery-application version create".to_string()),
        "{steps:?}"
    );
    for step in steps {
        let azure = Azure::new();
        let mut script = azure.script("vm-application.sh", &["--agent", &agent()]);
        script.args(FLAGS.split_whitespace());
        let ended = interrupt_at(&azure, &script, &step);
        assert_eq!(walk(&azure.path("blobs")).count(), 0, "{step}");
        let made: Vec<String> = azure
            .steps()
            .into_iter()
            .filter(|step| step.ends_with(" create"))
            .collect();
        if step == "storage blob delete" {
            continue; // Everything has been done; Ctrl-C changes nothing any more.
        }
        for made in made {
            let delete = format!(
                "az {}",
                made.replace(" create", " delete --resource-group rg --gallery-name gal")
            );
            assert!(ended.err.contains(&delete), "{step}: no {delete}: {}", ended.err);
        }
    }
}

#[test]
fn undeleted_blob_is_reported_with_the_delete_command() {
    let azure = Azure::new();
    azure.write("fail/storage-blob-delete", "ERROR: AuthorizationFailed\n");
    let ended = run_application(&azure);
    assert!(
        ended
            .err
            .contains("to delete it: az storage blob delete --name apim-probe-1.2.3-")
            && ended
                .err
                .contains("--account-name st1 --container-name probe --subscription s-1"),
        "{}",
        ended.err
    );
}
