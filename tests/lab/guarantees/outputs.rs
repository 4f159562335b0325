//! Where reports are written, and the exit status of each case.

use anyhow::{Result, ensure};

use super::{AgentTest, TestVm, catalog_of, ensure_status, json, text};

/// A required endpoint that is refused, a feature that works, and one that needs a value.
fn mixed() -> String {
    let mut catalog = catalog_of(["host: shut.example, port: 443, protocol: https".to_owned()]);
    catalog.push_str(
        "  - id: option
    title: An option
    need: feature
    feature: Options
    impact: Less comfort.
    endpoints:
      - { host: fine.example, port: 443, protocol: https }
      - { host: broken.example, port: 443, protocol: https }
  - id: vault
    title: A vault
    need: required
    impact: No keys.
    endpoints:
      - { host: '{key_vault}.example', port: 443, protocol: https }
  - id: page
    title: A page
    need: documented
    impact: None.
    endpoints:
      - { host: page.example, port: 443, protocol: https }
",
    );
    catalog
}

const BROKEN: &str = "
names: { a.example: { addresses: [20.7.0.1] } }
services: { 'a.example:443': { protocol: https }, 'shut.example:443': { closed: true }, 'broken.example:443': { closed: true }, 'page.example:443': { closed: true } }";

fn status(vm: &TestVm, flags: &[&str], wanted: i32) -> Result<()> {
    let output = vm.output("run", &[&["--timeout", "1s", "--no-control"], flags].concat())?;
    ensure_status(&output, wanted).map_err(|error| error.context(flags.join(" ")))
}

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "exit-status/follows-fail-on-and-the-selection",
        catalog: Some(mixed),
        network: || BROKEN.to_owned(),
        check: |vm| {
            for (flags, wanted) in [
                (&[][..], 1),
                (&["--fail-on", "required"], 1),
                (&["--fail-on", "any"], 1),
                (&["--fail-on", "never"], 0),
                (&["--skip", "service"], 3),
                (&["--skip", "serv*"], 3),
                (&["--skip", "service", "--allow-untested"], 0),
                (&["--skip", "service", "--allow-untested", "--fail-on", "any"], 1),
                (&["--skip", "service", "--fail-on", "never"], 0),
                (&["--only", "vault"], 3),
                (&["--only", "vault", "--set", "key_vault=a"], 0),
                (&["--only", "option"], 1),
                (&["--only", "opt?on", "--fail-on", "required"], 0),
                (&["--only", "page"], 0),
                (&["--only", "page", "--fail-on", "any"], 0),
                (&["--only", "vault,service", "--skip", "s*", "--set", "key_vault=a"], 0),
                (&["--required-only", "--set", "key_vault=a"], 1),
                (&["--required-only", "--only", "option"], 2),
                (&["--only", "nothing"], 2),
                (&["--skip", "nothing*"], 2),
                (&["--only", "vault", "--only", "page"], 2),
                (&["--timeout", "0s"], 2),
                (&["--fail-on", "all"], 2),
                (&["--set", "nothing=a"], 2),
                (&["--deadline", "5s", "--deadline", "6s"], 2),
            ] {
                status(vm, flags, wanted)?;
            }
            Ok(())
        },
    },
    AgentTest {
        name: "outputs/files-are-written-whole-or-left-unchanged",
        catalog: Some(mixed),
        network: || BROKEN.to_owned(),
        check: |vm| {
            let folder = vm.lab.folder();
            let (a, b) = (folder.join("a.json"), folder.join("b.txt"));
            let (path_a, path_b) = (a.display().to_string(), b.display().to_string());
            status(vm, &["-o", &path_a, "-o", &path_b], 1)?;
            let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&a)?)?;
            ensure!(report["schema"] == "apim-probe/report/v1", "{report}");
            ensure!(
                std::fs::read_to_string(&b)?.contains("exit 1:"),
                "no status in {path_b}"
            );
            std::fs::write(&a, "old")?;
            status(vm, &["-o", "/nowhere/at/all.json", "-o", &path_a], 4)?;
            ensure!(std::fs::read_to_string(&a)? == "old", "a file was overwritten");
            status(vm, &["-o", "report.unknown"], 2)?;
            status(vm, &["-o", "/dev/full", "--format", "json"], 4)
        },
    },
    AgentTest {
        name: "outputs/named-pipe-without-a-reader-to-its-end-exits-4",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            // A report of the built-in catalog is longer than a pipe's capacity.
            let flags = ["--format", "brief", "--timeout", "2s", "--allow-untested"];
            for (script, wanted) in [
                ("\"$@\" -o PIPE", 4),
                // The shell keeps the pipe open until the agent has opened it, so the order does not matter.
                (
                    "exec 3<> PIPE; cat PIPE 3>&- > WHOLE & \"$@\" -o PIPE 3>&- && exec 3>&- && wait && tail -n 1 WHOLE | grep -qx '}'",
                    0,
                ),
                ("sleep 60 < PIPE & \"$@\" -o PIPE; status=$?; kill $!; exit $status", 4),
                ("head -c 9 PIPE & \"$@\" -o PIPE", 4),
            ] {
                let folder = vm.lab.folder().display().to_string();
                let script = script
                    .replace("PIPE", "'FOLDER/pipe.json'")
                    .replace("WHOLE", "'FOLDER/whole'");
                let script = format!("rm -f 'FOLDER/pipe.json'; mkfifo 'FOLDER/pipe.json'; {script}");
                let output = vm.shell(&script.replace("FOLDER", &folder), &flags)?;
                ensure_status(&output, wanted).map_err(|error| error.context(script))?;
            }
            Ok(())
        },
    },
    AgentTest {
        name: "outputs/exit-status-is-right-with-closed-or-full-streams",
        catalog: Some(mixed),
        network: || BROKEN.to_owned(),
        check: |vm| {
            for script in ["\"$@\" >&-", "\"$@\" 2>&-", "\"$@\" >&- 2>&- <&-"] {
                let output = vm.shell(script, &["--format", "json", "--timeout", "1s"])?;
                ensure_status(&output, 1).map_err(|error| error.context(script))?;
            }
            let output = vm.shell("{ \"$@\"; echo $? >&2; } | true", &["--format", "json"])?;
            ensure!(text(&output.stderr).trim().ends_with('1'), "{}", text(&output.stderr));
            let output = vm.shell("\"$@\" >/dev/full", &["--format", "json"])?;
            ensure_status(&output, 4)
        },
    },
    AgentTest {
        name: "outputs/stdout-has-only-the-report-despite-verbose-and-color",
        catalog: Some(mixed),
        network: || BROKEN.to_owned(),
        check: |vm| {
            json(&vm.output("run", &["--format", "json", "--verbose", "--color", "always"])?)?;
            Ok(())
        },
    },
];
