//! The files of `deploy/`, as the programs that use them see them.

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// A program's output for a file, and whether it accepted the file.
fn said(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(FOLDER)
        .output()
        .unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_bicep_file_parses() {
    let source = std::fs::read_to_string(format!("{FOLDER}/azure/log-analytics.bicep")).unwrap();
    super::rules::assert_bicep(&source, "log-analytics.bicep");
}

#[test]
#[ignore = "needs node, and @kusto/language-service-next in NODE_PATH"]
fn the_queries_of_the_bicep_file_are_kusto() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/kql.cjs");
    let (content, said) = said("node", &[script, "azure/log-analytics.bicep"]);
    assert!(content, "{said}");
}

#[test]
#[ignore = "needs python3 with grafana-foundation-sdk"]
fn the_board_is_one_of_grafanas() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/board.py");
    let (content, said) = said("python3", &[script, "grafana/apim-probe.json"]);
    assert!(content, "{said}");
}

#[test]
fn the_container_file_parses_and_runs_nobody_as_root() {
    let source = std::fs::read_to_string(format!("{FOLDER}/container/Containerfile")).unwrap();
    let mut parser = tree_sitter::Parser::new();
    parser
        .set_language(&tree_sitter_containerfile::LANGUAGE.into())
        .unwrap();
    let tree = parser.parse(&source, None).unwrap();
    let root = tree.root_node();
    assert!(!root.has_error(), "{}", root.to_sexp());
    let mut cursor = root.walk();
    let kinds: Vec<&str> = root.named_children(&mut cursor).map(|node| node.kind()).collect();
    for kind in [
        "from",
        "arg",
        "copy",
        "user",
        "expose",
        "stopsignal",
        "entrypoint",
        "cmd",
    ] {
        let kind = format!("{kind}_instruction");
        assert!(kinds.contains(&kind.as_str()), "{kind} is missing: {kinds:?}");
    }
    assert!(
        source.contains("\nUSER 65532:65532\n") && !kinds.contains(&"run_instruction"),
        "{kinds:?}"
    );
}

#[test]
#[ignore = "needs buildah, and root"]
fn buildah_makes_an_image_of_the_binary_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("agent"), "the binary").unwrap();
    let (root, run) = (path("root"), path("run"));
    let buildah = |arguments: &[&str]| {
        let store = ["--storage-driver", "vfs", "--root", &root, "--runroot", &run];
        let (content, said) = said("buildah", &[&store, arguments].concat());
        assert!(content, "{arguments:?}: {said}");
        said
    };
    let binary = ["--build-arg", "BINARY=agent"];
    let file = ["--file", "container/Containerfile", "--tag", "apim-probe"];
    buildah(&[&["build", "--isolation", "chroot"][..], &binary, &file, &[&path("")]].concat());
    let image: serde_json::Value =
        serde_json::from_str(&buildah(&["inspect", "--type", "image", "apim-probe"])).unwrap();
    let config = &image["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/apim-probe"]));
    assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
    assert_eq!(config["StopSignal"], "SIGTERM");
    let container = buildah(&["from", "apim-probe"]);
    let mounted = buildah(&["mount", container.trim()]);
    let files: Vec<_> = std::fs::read_dir(mounted.trim())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["apim-probe"]);
    let mode = std::fs::metadata(format!("{}/apim-probe", mounted.trim()))
        .unwrap()
        .permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o755);
    buildah(&["umount", container.trim()]);
}

#[test]
#[ignore = "needs promtool"]
fn promtool_accepts_rules_and_scrape_configuration() {
    for arguments in [
        &["check", "rules", "prometheus/apim-probe.rules.yml"][..],
        &["test", "rules", "prometheus/apim-probe.rules.test.yml"],
        &["check", "config", "--syntax-only", "prometheus/scrape.yml"],
    ] {
        let (content, said) = said("promtool", arguments);
        assert!(content, "{arguments:?}: {said}");
    }
}

#[test]
#[ignore = "needs systemd"]
fn the_unit_is_hardened_and_lets_the_agent_reach_the_network() {
    let unit = std::fs::read_to_string(format!("{FOLDER}/systemd/apim-probe.service")).unwrap();
    for forbidden in ["IPAddressDeny=", "PrivateNetwork="] {
        let sets = |line: &str| line.trim_start().starts_with(forbidden);
        assert!(!unit.lines().any(sets), "{forbidden} would block what is to be probed");
    }
    // 2.0, in tenths.
    let arguments = [
        "security",
        "--offline=true",
        "--threshold=20",
        "./systemd/apim-probe.service",
    ];
    let (content, said) = said("systemd-analyze", &arguments);
    assert!(content, "{said}");
    assert!(said.contains("Overall exposure level"), "{said}");
}
