//! The files of `deploy/`, as the programs that use them see them.

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// A program's output for a file, and whether it accepted the file.
fn output_of(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(FOLDER)
        .output()
        .unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

#[test]
fn log_analytics_bicep_parses() {
    let source = std::fs::read_to_string(format!("{FOLDER}/azure/log-analytics.bicep")).unwrap();
    super::rules::assert_bicep(&source, "log-analytics.bicep");
}

#[test]
#[ignore = "needs node, and @kusto/language-service-next in NODE_PATH"]
fn log_analytics_queries_are_valid_kql() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/kql.cjs");
    let (accepted, printed) = output_of("node", &[script, "azure/log-analytics.bicep"]);
    assert!(accepted, "{printed}");
}

#[test]
#[ignore = "needs python3 with grafana-foundation-sdk"]
fn grafana_dashboard_is_valid() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents/board.py");
    let (accepted, printed) = output_of("python3", &[script, "grafana/apim-probe.json"]);
    assert!(accepted, "{printed}");
}

#[test]
fn containerfile_parses_and_does_not_run_as_root() {
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
fn container_image_contains_only_the_binary() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("agent"), "the binary").unwrap();
    let (root, run) = (path("root"), path("run"));
    let buildah = |arguments: &[&str]| {
        let store = ["--storage-driver", "vfs", "--root", &root, "--runroot", &run];
        let (accepted, printed) = output_of("buildah", &[&store, arguments].concat());
        assert!(accepted, "{arguments:?}: {printed}");
        printed
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
fn prometheus_rules_and_scrape_config_pass_promtool() {
    for arguments in [
        &["check", "rules", "prometheus/apim-probe.rules.yml"][..],
        &["test", "rules", "prometheus/apim-probe.rules.test.yml"],
        &["check", "config", "--syntax-only", "prometheus/scrape.yml"],
    ] {
        let (accepted, printed) = output_of("promtool", arguments);
        assert!(accepted, "{arguments:?}: {printed}");
    }
}

#[test]
#[ignore = "needs systemd"]
fn systemd_unit_is_hardened_without_blocking_the_network() {
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
    let (accepted, printed) = output_of("systemd-analyze", &arguments);
    assert!(accepted, "{printed}");
    assert!(printed.contains("Overall exposure level"), "{printed}");
}
