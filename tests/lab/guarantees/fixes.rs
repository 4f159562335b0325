//! The commands in a finding's fix, compared with those of `rules`.

use anyhow::{Context, Result, ensure};

use super::{AgentTest, list, text};

pub(super) const TESTS: &[AgentTest] = &[AgentTest {
    name: "fixes/az-commands-are-those-that-rules-prints",
    catalog: None,
    network: || {
        "
firewalls: [ { ports: [443, 80], rules: [ { fqdns: ['login.*', 'crl*'], action: forward } ], default_action: { end: reset } } ]
faults: [ { to: '*:1886', action: drop }, { to: '*:1688', action: drop } ]"
            .to_owned()
    },
    check: |vm| {
        let path = vm.lab.write("report.json", "")?.display().to_string();
        vm.output("run", &["--timeout", "1s", "--output", &path])?;
        let rules = |kind: &str| -> Result<String> {
            let output = vm.output("rules", &["--report", &path, "--missing-only", "--kind", kind])?;
            ensure!(output.status.success(), "{}", text(&output.stderr));
            Ok(text(&output.stdout))
        };
        let printed = [rules("nsg")?, rules("firewall")?, rules("routes")?].concat();
        let printed: Vec<&str> = printed.lines().collect();
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let mut kinds = [("network nsg", 0), ("network firewall", 0), ("network route-table", 0)];
        for finding in list(&report, "findings") {
            for line in list(&finding["fix"], "change") {
                let line = line.as_str().context("a change is no text")?;
                for (kind, lines) in &mut kinds {
                    if line.starts_with(&format!("az {kind}")) {
                        *lines += 1;
                        ensure!(printed.contains(&line), "{}: {line}", finding["id"]);
                    }
                }
            }
        }
        for (kind, lines) in kinds {
            ensure!(lines > 0, "no fix of the kind {kind}");
        }
        Ok(())
    },
}];
