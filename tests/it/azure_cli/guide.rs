//! The commands of az in README and guides, run as shown.

use std::{fs, path::PathBuf};

use super::{Azure, Finished, agent, walk};

const GUIDE: &str = include_str!("../../../docs/getting-in.md");

/// Commands in code blocks; a line that ends in a backslash continues on the next.
fn blocks(text: &str) -> impl Iterator<Item = String> {
    text.split("\n```").skip(1).step_by(2).map(|block| {
        let (_language, lines) = block.split_once('\n').unwrap();
        lines.replace("\\\n", " ")
    })
}

/// The fake az refuses what az does not accept.
#[test]
fn az_accepts_every_documented_command() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    for folder in ["docs", "deploy", "examples"] {
        documents.extend(walk(&root.join(folder)).filter(|path| path.extension().is_some_and(|it| it == "md")));
    }
    let mut typed = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for line in blocks(&text).flat_map(|block| block.lines().map(String::from).collect::<Vec<_>>()) {
            let line = line.trim();
            if !line.starts_with("az ") && !line.contains("=$(az ") {
                continue;
            }
            let azure = Azure::new();
            azure.install_agent();
            azure.write("FILE", "");
            azure.write("fail/vm-run-command-create", "nothing is run here\n");
            let mut shell = azure.command("bash");
            let ended = Finished::new(
                &shell
                    .args(["-c", line])
                    .env("ID", "/x")
                    .env("vm", "/x")
                    .output()
                    .unwrap(),
            );
            assert_eq!(
                azure.read("refused"),
                "",
                "{}: {line}: {}",
                document.display(),
                ended.err
            );
            assert!(!azure.calls().is_empty(), "{line}");
            typed += 1;
        }
    }
    assert!(typed >= 20, "{typed}");
}

/// Both documented ways: without Storage and with it.
#[test]
fn documented_run_command_prints_report_and_deletes_itself() {
    let blocks: Vec<String> = blocks(GUIDE)
        .filter(|block| block.contains("run-command create"))
        .collect();
    assert_eq!(blocks.len(), 2, "{blocks:#?}");
    for block in blocks {
        let azure = Azure::new();
        azure.install_agent();
        let mut shell = azure.command("bash");
        let ended = Finished::new(&shell.args(["-ec", &block]).output().unwrap());
        assert_eq!(ended.status, Some(0), "{block}{}", ended.err);
        let shown = ended.out + &azure.read("report.json");
        assert!(shown.contains("BLOCKED"), "{block}{shown}");
        let calls = azure.read("calls");
        let count = |command: &str| calls.matches(command).count();
        assert_eq!(count("run-command create"), 1, "{block}");
        assert_eq!(count("run-command delete"), 1, "{block}");
        assert_eq!(walk(&azure.path("blobs")).count(), 0, "{block}");
    }
}

/// From a file to text, in pieces, and back: what is typed at both ends of a serial console.
#[test]
fn binary_is_unchanged_after_serial_console_transfer() {
    let blocks: Vec<String> = blocks(GUIDE).filter(|block| block.contains("base64")).collect();
    let [here, there] = &blocks[..] else {
        panic!("{blocks:#?}")
    };
    let azure = Azure::new();
    fs::create_dir(azure.path("apim-probe")).unwrap();
    fs::copy(agent(), azure.path("apim-probe/apim-probe")).unwrap();
    let sh = |text: &str| {
        let ended = Finished::new(&azure.command("bash").args(["-ec", text]).output().unwrap());
        assert_eq!(ended.status, Some(0), "{text}{}", ended.err);
        ended.out
    };
    let sent = sh(here);
    sh("cat apim-probe.part.* >apim-probe.b64");
    fs::rename(azure.path("apim-probe"), azure.path("unpacked")).unwrap();
    let came = sh(there);
    let sum = |line: &str| line.split_whitespace().next().map(String::from);
    assert!(sum(&sent).is_some_and(|sum| sum.len() == 64), "{sent}");
    assert_eq!(sum(&sent), sum(&came));
}
